from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from airflow.sdk import BaseNotifier
from sqlalchemy import Engine, select, text

from tests.tryon_catalogue.helpers import PlanBatch, some_looks
from tests.tryon_catalogue.vendor import connection_to, open_vendor, open_website
from tryon_catalogue.ledger.tables import alerts
from tryon_catalogue.reporting.alerts import Alert, Event, late_alert, of_all, of_run, send_once
from tryon_catalogue.settings import AlertSettings, load_settings
from tryon_catalogue.workflow.operators import MakeBatchOperator

HERE = __name__
ALERT = Alert(Event.DOUBT, "tryon_nightly/n1", "subject", "text <b>")


class Pigeon(BaseNotifier):
    """Carries messages to a list."""

    template_fields = ("message",)
    carried: ClassVar[list[str]] = []

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def notify(self, context: Any) -> None:
        self.carried.append(self.message)


class Wounded(Pigeon):
    """Does not arrive."""

    def notify(self, context: Any) -> None:
        raise RuntimeError("no wind")


class Lost(Pigeon):
    """Does not come back until the test is over."""

    home: ClassVar[threading.Event] = threading.Event()

    def notify(self, context: Any) -> None:
        self.home.wait(30)


@pytest.fixture(autouse=True)
def carried() -> Iterator[list[str]]:
    Pigeon.carried.clear()
    Lost.home.clear()
    yield Pigeon.carried
    Lost.home.set()


def by(name: str, timeout_seconds: float = 30, **kwargs: str) -> AlertSettings:
    return AlertSettings(
        notifier=f"{HERE}.{name}",
        kwargs=kwargs or {"message": "{{ alert.event }} {{ alert.subject }} {{ alert.html }}"},
        timeout_seconds=timeout_seconds,
    )


def recorded(engine: Engine) -> list[tuple[str, str]]:
    with engine.connect() as connection:
        return [(row.run_id, row.event) for row in connection.execute(select(alerts))]


def put_in_doubt(engine: Engine, batch_id: int, run_id: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tryon.submissions (batch_id, run_id, conn_id, try_number, state, fit_type,"
                " inference_num, message) VALUES (:batch, :run, 'damo_tryon', 1, 'IN_DOUBT', 'HALF_BODY', 1,"
                " 'timed out')"
            ),
            {"batch": batch_id, "run": run_id},
        )
        connection.execute(
            text(
                "INSERT INTO tryon.submission_looks SELECT s.id, l.position, l.key, l.model_image, l.tops_image"
                " FROM tryon.submissions s, tryon.looks l"
            )
        )


def test_nobody_is_told_by_default(engine: Engine) -> None:
    assert not send_once(engine, AlertSettings(), ALERT, {})
    assert recorded(engine) == []


def test_the_notifier_is_told_once_for_an_event_and_a_run(engine: Engine, carried: list[str]) -> None:
    assert send_once(engine, by("Pigeon"), ALERT, {})
    assert not send_once(engine, by("Pigeon"), ALERT, {})
    assert carried == ["DOUBT subject <pre>text &lt;b&gt;</pre>"]
    assert send_once(engine, by("Pigeon"), Alert(Event.STOP, ALERT.run_id, "s", "t"), {})
    assert send_once(engine, by("Pigeon"), Alert(Event.DOUBT, "tryon_nightly/n2", "s", "t"), {})
    assert len(recorded(engine)) == 3


def test_of_many_tasks_that_want_to_tell_the_same_one_does(engine: Engine, carried: list[str]) -> None:
    with ThreadPoolExecutor(4) as threads:
        sent = list(threads.map(lambda _: send_once(engine, by("Pigeon"), ALERT, {}), range(4)))
    assert sorted(sent) == [False, False, False, True]
    assert len(carried) == 1


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (by("Wounded"), "Wounded failed with RuntimeError: no wind"),
        (by("Nobody"), "AttributeError"),
        (AlertSettings(notifier="no.such.module"), "ModuleNotFoundError"),
        (AlertSettings(notifier="pathlib.Path"), "pathlib.Path is no Airflow notifier"),
        (by("Pigeon", unknown="x"), "TypeError"),
        (by("Lost", timeout_seconds=0.05), "has not ended in 0.05 s"),
    ],
    ids=["raises", "no class", "no module", "no notifier", "wrong arguments", "hangs"],
)
def test_a_notifier_that_fails_is_logged_and_tried_again_another_time(
    engine: Engine, settings: AlertSettings, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not send_once(engine, settings, ALERT, {})
    (record,) = [
        record for record in caplog.records if record.levelname == "ERROR" and record.name.endswith("alerts")
    ]
    assert reason in record.getMessage()
    assert recorded(engine) == []
    assert send_once(engine, by("Pigeon"), ALERT, {})


def test_a_run_gives_reason_for_its_own_doubts_and_the_stop_it_learned(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(3))
    assert of_run(engine, batch.run_id) == ()
    put_in_doubt(engine, batch.id, batch.run_id)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tryon.stops (conn_id, kind, reason, set_at, set_by)"
                " VALUES ('damo_tryon', 'package', 'used up', now(), :run)"
            ),
            {"run": batch.run_id},
        )
    doubt, stop = of_run(engine, batch.run_id)
    assert (doubt.event, doubt.subject) == (Event.DOUBT, "Try-on: 3 looks in doubt")
    assert "timed out" in doubt.text
    assert "tryon doubts" in doubt.text
    assert stop.event is Event.STOP
    assert "used up" in stop.text
    assert of_run(engine, "another/run") == ()


def test_a_run_is_late_when_it_has_no_account_after_the_time_given(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    plan_batch(some_looks(1))
    after = timedelta(hours=6)
    assert of_all(engine, after) == ()
    with engine.begin() as connection:
        connection.execute(text("UPDATE tryon.runs SET started_at = now() - interval '7 hours'"))
    (late,) = of_all(engine, after)
    assert (late.event, late.run_id) == (Event.LATE, "dag/run")
    with engine.begin() as connection:
        connection.execute(text("UPDATE tryon.runs SET ended_at = now()"))
    assert of_all(engine, after) == ()


def test_a_run_that_was_begun_again_after_its_account_is_late_by_its_new_beginning(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    plan_batch(some_looks(1))
    after = timedelta(hours=6)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE tryon.runs SET started_at = now() - interval '20 hours',"
                " ended_at = now() - interval '8 hours', opened_at = now() - interval '5 hours'"
            )
        )
    assert of_all(engine, after) == ()
    with engine.begin() as connection:
        connection.execute(text("UPDATE tryon.runs SET opened_at = now() - interval '7 hours'"))
    assert [alert.run_id for alert in of_all(engine, after)] == ["dag/run"]


def test_a_run_that_died_long_ago_is_no_news(engine: Engine, plan_batch: PlanBatch) -> None:
    plan_batch(some_looks(1))
    with engine.begin() as connection:
        connection.execute(text("UPDATE tryon.runs SET started_at = now() - interval '30 days'"))
    assert of_all(engine, timedelta(hours=6)) == ()


def test_a_doubt_is_told_of_when_the_submitting_task_ends(
    engine: Engine,
    plan_batch: PlanBatch,
    settings_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    carried: list[str],
) -> None:
    settings_file.write_text(
        settings_file.read_text()
        + f'[alerts]\nnotifier = "{HERE}.Pigeon"\nkwargs = {{ message = "{{{{ alert.subject }}}}" }}\n'
    )
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    monkeypatch.setattr("tryon_catalogue.workflow.operators.open_ledger", lambda: (load_settings(), engine))
    context: Any = {
        "dag_run": SimpleNamespace(dag_id="dag", run_id="run", run_type="manual"),
        "params": {},
        "ti": SimpleNamespace(try_number=1),
        "dag": None,
    }
    with open_vendor() as vendor, open_website() as website:
        batch, _ = plan_batch(some_looks(3, website.url))
        vendor.set_faults({"kind": "lose_answer", "path": "submit"})
        monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", connection_to(vendor))
        MakeBatchOperator(task_id="batch", batch_id=batch.id).submit(context, 0.0)
    assert carried == ["Try-on: 3 looks in doubt"]


def test_a_message_names_the_time_with_its_zone() -> None:
    assert "02:30 UTC" in late_alert("dag/run", datetime(2026, 11, 20, 2, 30, tzinfo=UTC)).text


@pytest.mark.parametrize("name", ["password", "bot_token", "webhook_url"])
def test_a_secret_is_refused_in_the_settings(name: str) -> None:
    with pytest.raises(ValueError, match="belongs in the Airflow connection"):
        AlertSettings(notifier="package.Notifier", kwargs={name: "x"})


def test_what_is_no_class_path_is_refused_in_the_settings() -> None:
    with pytest.raises(ValueError, match="dotted path"):
        AlertSettings(notifier="not a path")
