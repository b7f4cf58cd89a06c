"""What a batch's task does about what goes wrong, between its turn and its pictures in the catalogue."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import TaskDeferred
from sqlalchemy import Engine

from damo_tryon import errors
from damo_tryon.contract import SubTaskStatus
from damo_tryon.errors import (
    CredentialsError,
    MalformedRequestError,
    NotConnectedError,
    OutcomeUnknownError,
    PackageUsedUpError,
    ResultTimeoutError,
    TryOnError,
    UnknownResultKeyError,
)
from damo_tryon.hooks import DamoTryOnHook
from damo_tryon.results_note import Place, ResultsNote
from damo_tryon.watching import Reason, ResultEvent
from tests.tryon_catalogue.airflow_context import context, set_scene
from tests.tryon_catalogue.helpers import PlanBatch, some_looks, states
from tests.tryon_catalogue.publishing.world import result_keys, wait_for_vendor
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.publishing.publisher import PublishError
from tryon_catalogue.submission import errors as our_errors
from tryon_catalogue.submission.errors import StoppedError
from tryon_catalogue.submission.journal import Batch
from tryon_catalogue.workflow.operators import BATCH_RETRY_POLICY, CollectBatchOperator, MakeBatchOperator
from tryon_catalogue.workflow.result_trigger import BatchResultTrigger, failure_in
from tryon_sandbox.server import RunningSandbox

KINDS = sorted(
    {
        kind
        for module in (errors, our_errors)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, TryOnError)
    },
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize(
    "error",
    [
        StoppedError("no"),
        CredentialsError("no"),
        PackageUsedUpError("no"),
        MalformedRequestError("no"),
        OutcomeUnknownError("no"),
        ResultTimeoutError("no"),
    ],
)
def test_what_a_retry_cannot_help_fails_at_once(error: Exception) -> None:
    assert BATCH_RETRY_POLICY.evaluate(error, 1, 3).action is RetryAction.FAIL


def test_a_vendor_that_is_not_reached_is_tried_again_after_two_minutes() -> None:
    decision = BATCH_RETRY_POLICY.evaluate(NotConnectedError("no"), 1, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is not None
    assert decision.retry_delay.total_seconds() == 120


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_failure_comes_through_the_triggerer_as_it_was(kind: type[TryOnError]) -> None:
    failure = kind("no answer", code=23500000, request_id="r-1", next_step="Wait.", result_key="key")
    trigger = BatchResultTrigger(conn_id="damo_tryon", result_keys=["key"], deadline=1.0)
    trigger.carry(failure)
    _, stored = trigger.serialize()
    again, seen = failure_in({"reason": "ENDED", "failure": BatchResultTrigger(**stored).failure})
    assert (type(again), str(again)) == (kind, str(failure))
    assert seen == {"reason": "ENDED"}


@pytest.fixture
def batch(
    *,
    engine: Engine,
    plan_batch: PlanBatch,
    settings_file: Path,
    vendor: RunningSandbox,
    website: Website,
    monkeypatch: pytest.MonkeyPatch,
) -> Batch:
    """A batch of 15 looks, before its turn; the vendor ends nothing before it is let."""
    set_scene(monkeypatch, settings_file, engine, vendor, website)
    vendor.set_faults({"kind": "still_running", "times": None})
    made, _ = plan_batch(some_looks(15, website.url), run_id="dag/night")
    return made


def event_of(waits: pytest.ExceptionInfo[TaskDeferred], reason: Reason, **more: Any) -> dict[str, Any]:
    """Give what the trigger that was deferred to fires."""
    trigger = waits.value.trigger
    assert isinstance(trigger, BatchResultTrigger)
    counts = {SubTaskStatus.SUCCESS: 10}
    event = ResultEvent(reason=reason, submissions=len(trigger.result_keys), counts=counts, **more)
    return event.model_dump(mode="json") | {"failure": trigger.failure}


def wait_of(operator: CollectBatchOperator) -> pytest.ExceptionInfo[TaskDeferred]:
    with pytest.raises(TaskDeferred) as waits:
        operator.execute(context())
    return waits


def test_what_was_accepted_before_a_failure_is_published_and_the_failure_is_told_in_the_end(
    engine: Engine, batch: Batch, vendor: RunningSandbox, website: Website
) -> None:
    vendor.set_faults(
        {"kind": "still_running", "times": None},
        {"kind": "refuse", "path": "submit", "code": 23500003, "containing": f"{website.url}/top-14.png"},
    )
    waits = wait_of(MakeBatchOperator(task_id="batch", batch_id=batch.id))
    assert states(engine) == ["SUBMITTED"] * 10 + ["PLANNED"] * 5
    vendor.set_faults()
    wait_for_vendor(engine, batch)
    goes_on = MakeBatchOperator(task_id="batch", batch_id=batch.id)
    with pytest.raises(PackageUsedUpError, match="23500003"):
        goes_on.execute_complete(context(), event_of(waits, Reason.ENDED))
    assert states(engine) == ["PUBLISHED"] * 10 + ["PLANNED"] * 5


def test_its_result_keys_are_there_for_the_page_of_results_while_it_waits(
    engine: Engine, batch: Batch
) -> None:
    around = context()
    with pytest.raises(TaskDeferred):
        MakeBatchOperator(task_id="batch", batch_id=batch.id).execute(around)
    note = ResultsNote.read(around["ti"].pushed["results"])
    assert note is not None
    assert list(note.result_keys) == result_keys(engine, batch)
    assert note.holds(Place.of(around["ti"]), DamoTryOnHook())
    assert len(result_keys(engine, batch)) == 2


@pytest.mark.parametrize("named", ["other run", "text"])
def test_a_batch_that_the_run_has_not_cut_is_not_sent(
    engine: Engine, batch: Batch, vendor: RunningSandbox, named: str
) -> None:
    where, batch_id = (
        (context(run_id="another"), batch.id) if named == "other run" else (context(), f"{batch.id}")
    )
    before = vendor.charges().uses
    with pytest.raises(MalformedRequestError, match="somebody has changed the XCom"):
        MakeBatchOperator(task_id="batch", batch_id=batch_id).execute(where)  # type: ignore[arg-type]  # by XCom
    assert set(states(engine)) == {"PLANNED"}
    assert vendor.charges().uses == before


@pytest.mark.parametrize("late_fails", [True, False])
def test_what_is_ready_is_published_when_the_time_is_over(
    engine: Engine, batch: Batch, vendor: RunningSandbox, *, late_fails: bool
) -> None:
    wait_of(MakeBatchOperator(task_id="batch", batch_id=batch.id))
    _, last = result_keys(engine, batch)
    operator = CollectBatchOperator(task_id="batch", batch_id=batch.id, late_fails=late_fails)
    waits = wait_of(operator)
    vendor.set_faults({"kind": "still_running", "times": None, "containing": last})
    event = event_of(waits, Reason.DEADLINE, error="ResultTimeoutError", message="not ready")
    if late_fails:
        with pytest.raises(ResultTimeoutError, match="not ready"):
            operator.execute_complete(context(), event)
    else:
        operator.execute_complete(context(), event)
    assert states(engine) == ["PUBLISHED"] * 10 + ["SUBMITTED"] * 5


def test_the_first_failure_is_told_where_publishing_fails_as_well(
    engine: Engine, batch: Batch, vendor: RunningSandbox
) -> None:
    operator = MakeBatchOperator(task_id="batch", batch_id=batch.id)
    waits = wait_of(operator)
    vendor.set_faults({"kind": "http_5xx_empty", "path": "query", "times": None})
    refused = event_of(waits, Reason.REFUSED, error="UnknownResultKeyError", message="forgotten")
    with pytest.raises(UnknownResultKeyError, match="forgotten"):
        operator.execute_complete(context(), refused)
    with pytest.raises(PublishError):
        MakeBatchOperator(task_id="batch", batch_id=batch.id).execute_complete(
            context(), event_of(waits, Reason.ENDED)
        )
    assert set(states(engine)) == {"SUBMITTED"}
