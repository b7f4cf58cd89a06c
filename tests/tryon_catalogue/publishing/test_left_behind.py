from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from airflow.sdk import BaseNotifier
from airflow.sdk.execution_time.context import OutletEventAccessors
from sqlalchemy import Engine, func, insert, select, text, update

from damo_tryon.contract import Answer
from damo_tryon.errors import ConnectionSettingsError
from damo_tryon.hooks import DamoTryOnHook
from tests.tryon_catalogue.helpers import PlanBatch, quick_gate, some_looks, states
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import look_moves, pictures, runs, submissions
from tryon_catalogue.planning.runs import Run, begin_run
from tryon_catalogue.publishing.left_behind import (
    doubt_abandoned,
    longest_life_of_an_intent,
    runs_of,
    uncollected_batches,
)
from tryon_catalogue.publishing.publisher import Publisher
from tryon_catalogue.reporting.account import close_run, refresh_accounts
from tryon_catalogue.reporting.asset import CATALOGUE_ALIAS
from tryon_catalogue.settings import Settings, load_settings
from tryon_catalogue.submission.batch import submit_batch
from tryon_catalogue.submission.journal import Batch
from tryon_catalogue.workflow import tasks
from tryon_sandbox.server import RunningSandbox

AGE = timedelta(minutes=20)
RECOVERY = Mover("tryon_recover/r1")
Submit = Callable[..., Batch]


class Killed(BaseException):
    """As abrupt as a process that ends."""


@pytest.fixture
def submit(
    engine: Engine, settings: Settings, plan_batch: PlanBatch, vendor: RunningSandbox, website: Website
) -> Submit:
    """Plan so many looks and submit them; then their run dies: ``submit(count, run_id=..., send=...)``."""

    def go(count: int, run_id: str = "tryon_nightly/n1", send: Any = None) -> Batch:
        batch, _ = plan_batch(some_looks(count, website.url), run_id)
        hook = DamoTryOnHook()
        gate = quick_gate(engine)
        submit_batch(
            engine,
            send or hook.submit,
            batch,
            Mover(run_id),
            settings.price,
            budget=settings.budget,
            gate=gate,
        )
        return batch

    return go


@pytest.fixture
def task_context(
    monkeypatch: pytest.MonkeyPatch,
    vendor: RunningSandbox,
    catalogue_connection: str,
    settings_file: Path,
) -> dict[str, Any]:
    """What a task of the recovery finds around it: Airflow's context, the connections, the settings."""
    context = {
        "dag_run": SimpleNamespace(dag_id="tryon_recover", run_id="r1"),
        "ti": SimpleNamespace(try_number=1),
        "dag": None,
        "outlet_events": OutletEventAccessors(),
    }
    monkeypatch.setattr(tasks, "get_current_context", lambda: context)
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    return context


class Bell(BaseNotifier):
    """Rings into a list."""

    template_fields = ("message",)
    rung: ClassVar[list[str]] = []

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def notify(self, context: Any) -> None:
        self.rung.append(self.message)


def die(*_: object) -> Answer:
    raise Killed


def grow_old(engine: Engine, by: timedelta = 2 * AGE) -> None:
    """Let time pass for everything that was sent."""
    with engine.begin() as connection:
        connection.execute(
            update(submissions).values(
                intended_at=submissions.c.intended_at - by, answered_at=submissions.c.answered_at - by
            )
        )


def wait_for_vendor(engine: Engine) -> None:
    """Ask until every sub-task has ended, which takes the stand-in some milliseconds."""
    hook = DamoTryOnHook()
    with engine.connect() as connection:
        keys = connection.execute(select(submissions.c.result_key)).scalars().all()
    for key in keys:
        while not hook.query(str(key)).ended:
            pass


def publish(engine: Engine, settings: Settings, batch: Batch, by: Mover = RECOVERY) -> int:
    return (
        Publisher(engine, settings, lambda conn_id: DamoTryOnHook(conn_id).query, by)
        .publish_batch(batch)
        .published
    )


def summary_of(engine: Engine, run_id: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(select(runs.c.summary).where(runs.c.id == run_id)).scalar_one()


def test_with_nothing_left_behind_nothing_is_found(engine: Engine) -> None:
    assert uncollected_batches(engine, AGE) == ()
    assert doubt_abandoned(engine, AGE, RECOVERY) == ()


def test_an_accepted_submission_is_found_by_its_age_alone(engine: Engine, submit: Submit) -> None:
    batch = submit(12)
    assert uncollected_batches(engine, AGE) == ()
    grow_old(engine)
    assert uncollected_batches(engine, AGE) == (batch.id,)


def test_a_submission_that_was_found_after_a_doubt_is_due_at_once(engine: Engine, submit: Submit) -> None:
    submit(1)
    with engine.begin() as connection:  # it was sent long ago, and its key has been found just now
        connection.execute(
            update(submissions).values(
                intended_at=func.now() - timedelta(hours=1), answered_at=func.clock_timestamp()
            )
        )
    assert len(uncollected_batches(engine, timedelta(minutes=10))) == 1


def test_what_is_collected_is_not_found_again(engine: Engine, settings: Settings, submit: Submit) -> None:
    batch = submit(3)
    grow_old(engine)
    wait_for_vendor(engine)
    assert publish(engine, settings, batch) == 3
    assert uncollected_batches(engine, AGE) == ()


def test_looks_that_were_made_and_whose_pictures_were_not_fetched_are_found(
    engine: Engine, settings: Settings, submit: Submit
) -> None:
    batch = submit(2)
    wait_for_vendor(engine)
    unreachable = settings.model_copy(
        update={"fetch": settings.fetch.model_copy(update={"allow_private": False})}
    )
    assert publish(engine, unreachable, batch) == 0
    assert states(engine) == ["SUCCEEDED", "SUCCEEDED"]
    grow_old(engine)
    assert uncollected_batches(engine, AGE) == (batch.id,)
    assert publish(engine, settings, batch) == 2
    assert uncollected_batches(engine, AGE) == ()


def test_the_batch_that_has_waited_longest_comes_first(engine: Engine, submit: Submit) -> None:
    newer = submit(1)
    with engine.begin() as connection:
        older_id = connection.execute(
            text(
                "INSERT INTO tryon.batches (run_id, fit_type, inference_num)"
                " SELECT run_id, fit_type, inference_num FROM tryon.batches RETURNING id"
            )
        ).scalar_one()
        connection.execute(
            text(
                "INSERT INTO tryon.submissions (batch_id, run_id, conn_id, try_number, state, fit_type,"
                " inference_num, result_key, answered_at, intended_at)"
                " SELECT :older, run_id, conn_id, try_number, state, fit_type, inference_num, 'older',"
                " answered_at - interval '1 day', intended_at - interval '1 day' FROM tryon.submissions"
            ),
            {"older": older_id},
        )
    grow_old(engine)
    assert uncollected_batches(engine, AGE) == (older_id, newer.id)


def test_an_intent_without_an_outcome_is_put_in_doubt_once_it_is_old(engine: Engine, submit: Submit) -> None:
    with pytest.raises(Killed):
        submit(12, send=die)
    assert doubt_abandoned(engine, AGE, RECOVERY) == ()
    assert set(states(engine)) == {"SUBMITTING", "PLANNED"}
    grow_old(engine)
    assert len(doubt_abandoned(engine, AGE, RECOVERY)) == 1
    assert states(engine) == ["IN_DOUBT"] * 10 + ["PLANNED"] * 2
    assert doubt_abandoned(engine, AGE, RECOVERY) == ()
    with engine.connect() as connection:
        by = connection.execute(
            select(look_moves.c.run).where(look_moves.c.to_state == "IN_DOUBT").distinct()
        ).scalar_one()
    assert by == RECOVERY.run


def test_an_intent_is_given_longer_than_any_call_and_its_recording_can_take(vendor: RunningSandbox) -> None:
    hook = DamoTryOnHook()
    assert longest_life_of_an_intent(hook) > timedelta(seconds=hook.longest_submit_seconds)
    assert hook.longest_submit_seconds >= hook.retry.attempts * 60


def test_two_publishers_of_one_batch_publish_each_picture_once_and_neither_fails(
    engine: Engine, settings: Settings, submit: Submit
) -> None:
    batch = submit(20)
    wait_for_vendor(engine)
    start = Barrier(2)

    def work(run: str) -> int:
        start.wait()
        done = Publisher(
            engine, settings, lambda conn_id: DamoTryOnHook(conn_id).query, Mover(run)
        ).publish_batch(batch)
        assert done.problems == []
        return done.published

    with ThreadPoolExecutor(2) as threads:
        published = list(threads.map(work, ["tryon_nightly/n1", "tryon_recover/r1"]))
    assert sum(published) == 20
    assert states(engine) == ["PUBLISHED"] * 20
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(pictures)).scalar_one() == 20
        moves = connection.execute(
            select(func.count()).where(look_moves.c.to_state == "PUBLISHED")
        ).scalar_one()
        written = connection.execute(
            text("SELECT count(*) FROM catalogue WHERE picture_url IS NOT NULL")
        ).scalar_one()
    assert (moves, written) == (20, 20)


def test_a_closed_run_gets_its_account_anew_and_is_not_judged(
    engine: Engine, settings: Settings, submit: Submit
) -> None:
    batch = submit(4)
    close_run(engine, settings, batch.run_id)
    assert summary_of(engine, batch.run_id)["looks"] == {"SUBMITTED": 4}
    wait_for_vendor(engine)
    publish(engine, settings, batch)
    (account,) = refresh_accounts(engine, settings, [batch.id])
    assert account.run_id == batch.run_id
    assert summary_of(engine, batch.run_id)["looks"] == {"PUBLISHED": 4}


def test_a_run_without_an_account_is_left_alone(engine: Engine, settings: Settings, submit: Submit) -> None:
    batch = submit(2)
    assert runs_of(engine, [batch.id]) == (batch.run_id,)
    assert refresh_accounts(engine, settings, [batch.id]) == ()
    assert summary_of(engine, batch.run_id) is None


def test_a_run_that_was_begun_again_after_its_account_is_left_alone(
    engine: Engine, settings: Settings, submit: Submit
) -> None:
    batch = submit(2)
    close_run(engine, settings, batch.run_id)
    begin_run(engine, Run(batch.run_id, "export.csv", date(2026, 11, 20)))
    assert refresh_accounts(engine, settings, [batch.id]) == ()
    close_run(engine, settings, batch.run_id)
    assert [one.run_id for one in refresh_accounts(engine, settings, [batch.id])] == [batch.run_id]


def test_a_run_that_asked_for_a_look_another_run_carries_is_brought_up_to_date_as_well(
    engine: Engine, settings: Settings, submit: Submit
) -> None:
    batch = submit(1)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO tryon.runs (id, export, export_date) VALUES ('hand/h1', 'e.csv', '2026-11-20')")
        )
        connection.execute(text("INSERT INTO tryon.run_looks SELECT 'hand/h1', key FROM tryon.looks"))
    assert set(runs_of(engine, [batch.id])) == {batch.run_id, "hand/h1"}
    close_run(engine, settings, "hand/h1")
    assert [one.run_id for one in refresh_accounts(engine, settings, [batch.id])] == ["hand/h1"]


def test_the_tasks_of_the_recovery_collect_what_a_dead_run_left_and_tell_whoever_runs_on_it(
    engine: Engine, submit: Submit, vendor: RunningSandbox, task_context: dict[str, Any]
) -> None:
    before = vendor.charges().uses
    batch = submit(12)
    close_run(engine, load_settings(), batch.run_id)
    grow_old(engine)
    wait_for_vendor(engine)
    found = tasks.find_left_behind()
    assert found == [batch.id]
    tasks.publish(found[0], cast("Any", task_context))
    assert tasks.refresh_accounts(found) == [batch.run_id]
    assert summary_of(engine, batch.run_id)["looks"] == {"PUBLISHED": 12}
    (event,) = task_context["outlet_events"][CATALOGUE_ALIAS].asset_alias_events
    assert (event.extra["run_id"], event.extra["published"]) == (batch.run_id, 12)
    assert tasks.find_left_behind() == []
    assert tasks.refresh_accounts([]) == []
    assert vendor.charges().uses - before == 12


@pytest.mark.usefixtures("task_context")
def test_the_recovery_lists_what_is_in_doubt_with_what_to_type(
    engine: Engine, submit: Submit, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Killed):
        submit(2, send=die)
    grow_old(engine)
    with caplog.at_level("INFO"):
        assert tasks.find_left_behind() == []
    assert "1 submissions in doubt" in caplog.text
    assert "tryon doubts" in caplog.text


@pytest.mark.usefixtures("task_context")
def test_a_run_that_died_is_told_of_without_the_vendors_connection_too(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bell.rung.clear()
    monkeypatch.delenv("AIRFLOW_CONN_DAMO_TRYON")
    monkeypatch.setenv("TRYON_ALERTS__NOTIFIER", f"{__name__}.Bell")
    monkeypatch.setenv(
        "TRYON_ALERTS__KWARGS", json.dumps({"message": "{{ alert.event }} {{ alert.run_id }}"})
    )
    with engine.begin() as connection:
        connection.execute(
            insert(runs).values(
                id="tryon_nightly/n1",
                export="e.csv",
                export_date="2026-11-20",
                started_at=func.now() - timedelta(hours=12),
            )
        )
    with pytest.raises(ConnectionSettingsError):
        tasks.find_left_behind()
    assert Bell.rung == ["LATE tryon_nightly/n1"]
