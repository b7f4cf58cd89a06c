"""The hour by which a night is to be done: which runs have one, and what is told when it has passed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from airflow.sdk import BaseHook, BaseNotifier
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse
from airflow.serialization.decoders import decode_deadline_reference
from airflow.serialization.encoders import encode_deadline_reference
from sqlalchemy import Engine, insert, select

from tests.tryon_catalogue.airflow_context import set_scene
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.tables import alerts, runs
from tryon_catalogue.workflow.deadlines import DoneBy, deadline_at, tell_late
from tryon_sandbox.server import RunningSandbox

DUE = datetime(2026, 11, 21, 2, tzinfo=UTC)
SIX = datetime(2026, 11, 21, 6, tzinfo=UTC)


class Bell(BaseNotifier):
    """Rings into a list."""

    template_fields = ("message",)
    rung: ClassVar[list[str]] = []

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def notify(self, context: Any) -> None:
        self.rung.append(self.message)


class Telephone(Bell):
    """Rings where a connection of Airflow leads."""

    def notify(self, context: Any) -> None:
        BaseHook.get_connection("telephone")
        super().notify(context)


@pytest.fixture(autouse=True)
def rung() -> list[str]:
    Bell.rung.clear()
    return Bell.rung


@pytest.fixture
def scene(
    engine: Engine,
    settings_file: Path,
    vendor: RunningSandbox,
    website: Website,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a callback finds around it; nobody is to be told."""
    set_scene(monkeypatch, settings_file, engine, vendor, website)


@pytest.fixture
def told(scene: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alerts go to the bell."""
    monkeypatch.setenv("TRYON_ALERTS__NOTIFIER", f"{__name__}.Bell")
    monkeypatch.setenv("TRYON_ALERTS__KWARGS", json.dumps({"message": "{{ alert.event }}: {{ alert.text }}"}))


def missed(state: str = "running") -> dict[str, Any]:
    """What Airflow hands to the callback, as it was seen in a real one."""
    return {
        "dag_run": {"dag_id": "tryon_nightly", "dag_run_id": "n1", "state": state},
        "deadline": {"id": "018f", "deadline_time": "2026-11-21T06:00:00+00:00"},
    }


def airflow_answers(error: ErrorType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Airflow answer so whoever asks it for a connection that it stores, as a callback's process is refused."""
    answering = SimpleNamespace(send=lambda _: ErrorResponse(error=error))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", answering, raising=False)


@pytest.mark.parametrize(
    ("run_type", "now", "expected"),
    [
        ("scheduled", DUE, SIX),
        ("scheduled", DUE + timedelta(hours=7), SIX),  # the scheduler was away: it is late indeed
        ("manual", DUE, SIX),
        ("scheduled", DUE + timedelta(days=3), None),
        ("backfill", DUE, None),
    ],
    ids=["a night", "a night that began late", "by hand", "caught up", "a backfill"],
)
def test_a_run_is_to_be_done_by_the_next_such_hour(
    run_type: str, now: datetime, expected: datetime | None
) -> None:
    assert DoneBy(time(6)).deadline_of(run_type, DUE, now) == expected


def test_airflow_makes_the_deadline_anew_from_what_it_stores() -> None:
    stored = json.loads(json.dumps(encode_deadline_reference(DoneBy(time(6, 30)))))
    again = decode_deadline_reference(stored)  # by the plugin's entry point
    assert again.inner_ref.hour == time(6, 30)


def test_without_an_hour_there_is_no_deadline() -> None:
    assert deadline_at(None) is None


def test_a_deadline_is_told_by_a_process_of_its_own_kind_not_by_the_triggerer() -> None:
    deadline = deadline_at(time(6))
    assert deadline is not None
    assert isinstance(deadline.callback, SyncCallback)
    assert deadline.callback.path == "tryon_catalogue.workflow.deadlines.tell_late"


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("state", ["running", "failed"])
def test_a_run_that_is_not_done_is_told_of_once(state: str, rung: list[str]) -> None:
    tell_late(missed(state))
    tell_late(missed(state))
    (said,) = rung
    assert said.startswith("LATE: Run tryon_nightly/n1 was to be done by 2026-11-21 06:00 UTC")
    assert f"is {state}" in said


@pytest.mark.usefixtures("told")
def test_a_run_that_was_done_in_the_last_moment_is_not_told_of(rung: list[str]) -> None:
    tell_late(missed("success"))
    assert rung == []


@pytest.mark.usefixtures("told")
def test_a_run_whose_export_is_missing_was_told_of_already(engine: Engine, rung: list[str]) -> None:
    with engine.begin() as connection:
        connection.execute(
            insert(runs).values(
                id="tryon_nightly/n1", export="e.csv", export_date="2026-11-20", problem="e.csv is not there"
            )
        )
    tell_late(missed())
    assert rung == []


@pytest.mark.usefixtures("told")
def test_it_is_told_without_a_ledger_too(monkeypatch: pytest.MonkeyPatch, rung: list[str]) -> None:
    nowhere = {"conn_type": "postgres", "host": "127.0.0.1", "port": 9, "login": "x", "schema": "x"}
    monkeypatch.setenv("AIRFLOW_CONN_CATALOGUE_DB", json.dumps(nowhere))
    tell_late(missed())
    assert len(rung) == 1


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("error", [ErrorType.PERMISSION_DENIED, ErrorType.CONNECTION_NOT_FOUND])
def test_it_is_told_without_the_connection_to_the_ledger_too(
    error: ErrorType, monkeypatch: pytest.MonkeyPatch, rung: list[str]
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_CATALOGUE_DB")
    airflow_answers(error, monkeypatch)
    tell_late(missed())
    assert len(rung) == 1


@pytest.mark.usefixtures("told")
def test_a_receiver_whose_own_connection_is_refused_is_an_error_in_the_log(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, rung: list[str]
) -> None:
    monkeypatch.setenv("TRYON_ALERTS__NOTIFIER", f"{__name__}.Telephone")
    airflow_answers(ErrorType.PERMISSION_DENIED, monkeypatch)
    tell_late(missed())
    assert rung == []
    assert "Nobody was told of LATE in run tryon_nightly/n1" in caplog.text
    assert "'telephone'" in caplog.text
    with engine.connect() as connection:
        assert connection.execute(select(alerts)).all() == []  # the recovery will try


@pytest.mark.usefixtures("scene")
def test_where_nobody_is_to_be_told_no_connection_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_CATALOGUE_DB")
    airflow_answers(ErrorType.PERMISSION_DENIED, monkeypatch)
    tell_late(missed())


@pytest.mark.usefixtures("scene")
def test_nobody_is_told_by_default_and_nobody_counts_as_told(engine: Engine) -> None:
    tell_late(missed())
    with engine.connect() as connection:
        assert connection.execute(select(alerts)).all() == []
