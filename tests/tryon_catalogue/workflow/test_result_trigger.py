"""Waiting for a batch's results: when it is looked first, what the ledger learns, whom throttled polls slow down."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk.exceptions import TaskDeferred
from sqlalchemy import Engine, func, select, update

from damo_tryon.contract import Answer, SubTask, SubTaskStatus
from damo_tryon.errors import ThrottledError
from damo_tryon.watching import Watch
from tests.tryon_catalogue.airflow_context import context, set_scene
from tests.tryon_catalogue.helpers import PlanBatch, quick_gate, some_looks, submit_now
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.tables import paces, submissions
from tryon_catalogue.publishing.publisher import PublishError
from tryon_catalogue.submission.errors import NotYetError
from tryon_catalogue.submission.journal import Batch
from tryon_catalogue.workflow.operators import CollectBatchOperator
from tryon_catalogue.workflow.result_trigger import BatchResultTrigger
from tryon_sandbox.server import RunningSandbox

SECONDS_LATELY = 100


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
    """A batch of 45 looks, of which the vendor has five submissions."""
    set_scene(monkeypatch, settings_file, engine, vendor, website)
    made, _ = plan_batch(some_looks(45, website.url))
    keys = (f"key-{number}" for number in itertools.count())
    submit_now(engine, lambda *_: Answer(result_key=next(keys)), made)
    return made


def operator_of(batch: Batch) -> CollectBatchOperator:
    return CollectBatchOperator(task_id="batch", batch_id=batch.id)


def let_four_have_taken(engine: Engine, seconds: float) -> str:
    """Let all but the last have ended, each by itself and after so many seconds; give the last one's key."""
    with engine.begin() as connection:
        keys = list(connection.execute(select(submissions.c.result_key).order_by(submissions.c.id)).scalars())
        for number, key in enumerate(keys[:-1]):
            taken = func.now() - timedelta(seconds=1000 - (seconds + 1) * number)
            connection.execute(
                update(submissions)
                .where(submissions.c.result_key == key)
                .values(answered_at=taken, ended_at=taken + timedelta(seconds=seconds), state="COLLECTED")
            )
    return str(keys[-1])


def test_nobody_looks_before_submissions_of_this_size_have_lately_been_ready(
    engine: Engine, batch: Batch
) -> None:
    last = let_four_have_taken(engine, SECONDS_LATELY)
    with pytest.raises(TaskDeferred) as waits:
        operator_of(batch).execute(context())
    trigger = waits.value.trigger
    assert isinstance(trigger, BatchResultTrigger)
    assert trigger.result_keys == [last]
    # Of ten pictures; this one has five.
    assert trigger.seconds_per_task == pytest.approx(SECONDS_LATELY / 10)
    assert SECONDS_LATELY * 0.35 < trigger.first_poll_after < SECONDS_LATELY * 0.5


def test_what_has_ended_is_in_the_ledger_before_it_is_collected_and_makes_room(
    engine: Engine, batch: Batch
) -> None:
    last = let_four_have_taken(engine, SECONDS_LATELY)
    full = quick_gate(engine, batch, max_in_flight=1)
    with pytest.raises(NotYetError):
        full.take_turn(batch.run_id)
    watch = Watch([last])
    watch.saw(last, Answer(result_key=last, sub_tasks=(SubTask(status=SubTaskStatus.SUCCESS),) * 5))
    event = watch.ended().model_copy(update={"seen_at": 1_790_000_000.0}).model_dump(mode="json")
    operator = operator_of(batch)
    with pytest.raises(PublishError):  # the stand-in vendor has never heard of it
        operator.execute_complete(context(), event)
    full.take_turn(batch.run_id)
    with engine.connect() as connection:
        moment = connection.execute(
            select(func.extract("epoch", submissions.c.ended_at)).where(submissions.c.result_key == last)
        ).scalar_one()
    assert float(moment) == 1_790_000_000.0


async def test_a_throttled_poll_slows_down_those_who_submit(engine: Engine, batch: Batch) -> None:
    trigger = BatchResultTrigger(conn_id="damo_tryon", result_keys=["key"], deadline=0.0)
    await trigger.throttled(ThrottledError("slow down", code=23500004, retry_after=60))
    with engine.connect() as connection:
        strikes, held = connection.execute(
            select(paces.c.strikes, paces.c.held_until - func.clock_timestamp())
        ).one()
    assert strikes == 1
    assert held > timedelta(seconds=50)
    with pytest.raises(NotYetError, match="the vendor throttles us"):
        quick_gate(engine, batch).take_turn(batch.run_id)


def test_the_trigger_is_made_again_from_what_is_stored() -> None:
    path, values = BatchResultTrigger(
        conn_id="other",
        result_keys=["a"],
        deadline=1.0,
        first_poll_after=9.0,
        interval=5.0,
        seconds_per_task=2.0,
    ).serialize()
    assert path == "tryon_catalogue.workflow.result_trigger.BatchResultTrigger"
    again = BatchResultTrigger(**values)
    assert again.serialize() == (path, values)
