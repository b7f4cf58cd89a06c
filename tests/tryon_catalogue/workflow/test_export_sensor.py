"""The first task of a night: there, late, or missing; and what the ledger and people are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import TaskDeferred
from sqlalchemy import Engine, select

from tests.tryon_catalogue.airflow_context import NIGHT, context, set_scene
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.exports import ExportMissingError, ExportRefusedError
from tryon_catalogue.ledger.tables import runs
from tryon_catalogue.reporting.account import read_account
from tryon_catalogue.reporting.alerts import Event, of_all, of_run
from tryon_catalogue.reporting.notes import as_markdown, read_run_note
from tryon_catalogue.reporting.status import read_status
from tryon_catalogue.settings import NightSettings
from tryon_catalogue.workflow import context as run_context
from tryon_catalogue.workflow import tasks
from tryon_catalogue.workflow.export_sensor import EXPORT_RETRY_POLICY, ExportSensor
from tryon_sandbox.server import RunningSandbox

DAY = timedelta(days=1)
Stand = Callable[..., Any]


@pytest.fixture
def stand(
    engine: Engine,
    settings_file: Path,
    vendor: RunningSandbox,
    website: Website,
    monkeypatch: pytest.MonkeyPatch,
) -> Stand:
    """Give what the task of a run finds around it; ``stand(**changes)`` changes that."""
    set_scene(monkeypatch, settings_file, engine, vendor, website)
    (settings_file.parent / "exports").mkdir()

    def around(**changes: Any) -> Any:
        made = context(**changes)
        monkeypatch.setattr(tasks, "get_current_context", lambda: made)
        return made

    return around


@pytest.fixture
def export(settings_file: Path) -> Path:
    """Where the export of the night is looked for."""
    return settings_file.parent / "exports" / f"{NIGHT:%Y-%m-%d}.csv"


def sensor(wait_until: time | None = time(5)) -> ExportSensor:
    return ExportSensor(task_id="export", night=NightSettings(wait_until=wait_until, look_every_seconds=30))


def run_row(engine: Engine) -> Any:
    with engine.connect() as connection:
        return connection.execute(select(runs)).one()


def an_hour_from_now() -> time:
    return (datetime.now(UTC) + timedelta(hours=1)).time().replace(second=0, microsecond=0)


def test_an_export_that_is_there_costs_no_waiting(engine: Engine, stand: Stand, export: Path) -> None:
    export.write_text("sku\n")
    sensor().execute(stand())
    run = run_row(engine)
    assert (run.id, run.export, run.planned_at, run.problem) == ("dag/night", str(export), None, None)


def test_an_export_that_is_late_is_waited_for_in_the_triggerer(
    engine: Engine, stand: Stand, export: Path
) -> None:
    hour = an_hour_from_now()
    with pytest.raises(TaskDeferred) as deferred:
        sensor(hour).execute(stand(data_interval_end=datetime.now(UTC)))
    path, stored = deferred.value.trigger.serialize()
    assert path == "tryon_catalogue.workflow.export_trigger.ExportTrigger"
    assert (stored["path"], stored["interval"]) == (str(export), 30)
    assert datetime.fromtimestamp(stored["deadline"], UTC).time() == hour
    assert deferred.value.timeout is not None
    assert deferred.value.timeout > timedelta(minutes=50)
    assert run_row(engine).problem is None


def test_once_it_came_the_night_goes_on(stand: Stand, export: Path) -> None:
    around = stand(data_interval_end=datetime.now(UTC))
    with pytest.raises(TaskDeferred):
        sensor(an_hour_from_now()).execute(around)
    export.write_text("sku\n")
    sensor(an_hour_from_now()).execute_complete(around, None)


@pytest.mark.parametrize(
    ("changes", "hour", "words"),
    [
        ({}, time(5), r"was to be there by 2026-11-20 05:00 UTC \(\[night\] wait_until\)"),
        ({"data_interval_end": NIGHT + DAY}, time(5), "was to be there by 2026-11-21 05:00 UTC"),
        ({}, None, r"was not waited for\."),
        (
            {"run_after": datetime(2099, 1, 1, tzinfo=UTC), "export": "nowhere.csv"},
            time(5),
            "was named for",
        ),
    ],
    ids=["its hour is over", "by its data interval", "nothing is waited for", "a person named it"],
)
def test_an_export_that_is_not_waited_for_is_missing_at_once(
    stand: Stand, changes: dict[str, Any], hour: time | None, words: str
) -> None:
    with pytest.raises(ExportMissingError, match=words) as missing:
        sensor(hour).execute(stand(**changes))
    assert "is not there" in str(missing.value)
    assert "clear the task export of this run" in str(missing.value)


@pytest.mark.parametrize("name", ["/proc/self/environ", "link.csv"])
def test_what_no_run_may_be_asked_for_is_refused_at_once(
    engine: Engine, stand: Stand, export: Path, name: str
) -> None:
    (export.parent / "link.csv").symlink_to("/proc/self/environ")
    around = stand(export=name, run_after=datetime(2099, 1, 1, tzinfo=UTC))
    with pytest.raises(ExportRefusedError, match="runs may be asked for") as refused:
        sensor().execute(around)
    assert "PATH=" not in str(refused.value)
    assert EXPORT_RETRY_POLICY.evaluate(refused.value, 1, 3, around).action is RetryAction.FAIL
    # Should somebody clear only what comes after: each task that reads refuses by itself.
    for task in (tasks.preflight, tasks.plan):
        with pytest.raises(ExportRefusedError):
            task()


def test_a_missing_export_stands_in_the_ledger_and_is_told_everywhere(
    engine: Engine, stand: Stand, export: Path
) -> None:
    with pytest.raises(ExportMissingError) as missing:
        sensor().execute(stand())
    said = str(missing.value)
    assert run_row(engine).problem == said
    assert [(one.event, said in one.text) for one in of_run(engine, "dag/night")] == [(Event.MISSING, True)]
    assert [one.event for one in of_all(engine, DAY)] == [Event.MISSING]
    settings, _ = run_context.open_ledger()
    assert read_status(engine, settings.price).missing == (said,)
    assert tasks.account()["problem"] == said
    note = as_markdown(read_run_note(engine, read_account(engine, "dag/night")))
    assert note.startswith("**No export**")
    assert "wait" in note


def test_nobody_is_told_of_each_date_of_a_season_that_has_no_export(engine: Engine, stand: Stand) -> None:
    with pytest.raises(ExportMissingError) as missing:
        sensor().execute(stand(run_type="backfill"))
    assert of_run(engine, "dag/night") == of_all(engine, DAY) == ()
    settings, _ = run_context.open_ledger()
    assert read_status(engine, settings.price).missing == (str(missing.value),)


def test_an_export_that_came_after_all_is_missing_no_more(engine: Engine, stand: Stand, export: Path) -> None:
    with pytest.raises(ExportMissingError):
        sensor().execute(stand())
    export.write_text("sku\n")
    sensor().execute(stand())
    assert run_row(engine).problem is None
    assert of_run(engine, "dag/night") == ()


def test_trying_again_is_no_use_once_it_is_missing() -> None:
    policy = sensor().retry_policy
    assert policy is not None
    assert policy.evaluate(ExportMissingError("e.csv", "is not there"), 1, 3).action.value == "fail"
    assert policy.evaluate(ConnectionError(), 1, 3).action.value == "default"
