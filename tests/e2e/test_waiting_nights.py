"""Nights whose export is late, in real processes: one comes after all, the other never does. Both are told of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from tests.e2e.books import Books
from tests.e2e.letters import letter
from tests.e2e.waiting import until
from tests.e2e.world import Export, Night, World
from tryon_catalogue.ledger.tables import runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.workflow.hours import next_time
from tryon_demo.scene import DAG_ID

LATE_DAY = datetime(2026, 3, 1, tzinfo=UTC)
MISSING_DAY = datetime(2026, 3, 2, tzinfo=UTC)
EXPORT = "export"


@dataclass
class Nights:
    """What was seen of the two nights.

    Attributes:
        late: The one whose export came after all; by its hour it was to be done already.
        missing: The one whose hour of waiting was over before it began.
        triggers: Of the late night while it waited, as Airflow's table has them.
        processes: Of the late night while it waited.
        books: Of the late night when it had ended.
    """

    late: Night
    missing: Night
    late_state: str = ""
    missing_state: str = ""
    triggers: list[str] = field(default_factory=list)
    processes: int = 0
    books: Books | None = None


def hold_back(world: World, export: Export, day: datetime) -> Path:
    """Take an export away, and give the place where the night of a day looks for it."""
    export.path.rename(export.path.with_suffix(".kept"))
    return world.scene.exports / f"catalogue-{day:%Y-%m-%d}.csv"


def last_hour_of(world: World, now: datetime) -> datetime:
    """Give the last time that nights were to be done by."""
    hour = time.fromisoformat(world.scene.stack.process("scheduler").env["TRYON_NIGHT__DONE_BY"])
    return next_time(hour, now - timedelta(days=1))


def letter_of(world: World, event: str, night: Night) -> Path:
    return letter(world.scene.stack.home / "letters", event, f"{DAG_ID}/{night.run_id}")


def switch_shop(world: World, *, on: bool) -> bool:
    """Pause the shop's DAG or let it run; returns whether Airflow knows it."""
    with world.airflow.begin() as connection:
        switched = connection.execute(
            text("UPDATE dag SET is_paused = :paused WHERE dag_id = 'refresh_shop'"), {"paused": not on}
        )
        return switched.rowcount == 1


def refreshed(world: World, night: Night) -> bool:
    """Whether the shop's DAG has run on the news of a night."""
    query = text(
        "SELECT run.state FROM dag_run run JOIN dagrun_asset_event link ON link.dag_run_id = run.id "
        "JOIN asset_event event ON event.id = link.event_id "
        "WHERE run.dag_id = 'refresh_shop' AND event.source_run_id = :run"
    )
    with world.airflow.connect() as connection:
        return connection.execute(query, {"run": night.run_id}).scalars().all() == ["success"]


@pytest.fixture(scope="module")
def nights(world: World) -> Iterator[Nights]:
    """Live through both, side by side."""
    now = datetime.now(UTC)
    until(lambda: switch_shop(world, on=True), "Airflow knows the shop's own DAG")
    export = world.export("late", 3)
    place = hold_back(world, export, LATE_DAY)
    api = world.scene.api
    # Two of its three looks are refused: the night is red, and has a picture to show.
    with world.faults(export.name, *export.refused(0, 1)):
        late = api.trigger_dag(
            DAG_ID,
            run_id="late",
            logical_date=LATE_DAY,
            data_interval_start=LATE_DAY,
            data_interval_end=now,
            run_after=last_hour_of(world, now) - timedelta(minutes=1),
        )
        missing = api.trigger_dag(
            DAG_ID,
            run_id="missing",
            logical_date=MISSING_DAY,
            data_interval_start=MISSING_DAY,
            data_interval_end=MISSING_DAY + timedelta(days=1),
        )
        seen = Nights(Night(world, export, late.run_id), Night(world, export, missing.run_id))
        seen.late.wait_for_tasks(EXPORT, "deferred")
        with world.airflow.connect() as connection:
            rows = connection.execute(text("SELECT trigger::text FROM trigger")).scalars()
            seen.triggers = [row for row in rows if "ExportTrigger" in row]
        until(lambda: letter_of(world, "LATE", seen.late).exists(), "it is told that the night is late")
        seen.missing_state = seen.missing.end()
        seen.processes = len(seen.late.task_processes())
        export.path.with_suffix(".kept").rename(place)
        seen.late_state = seen.late.end()
    seen.books = export.books()
    until(lambda: refreshed(world, seen.late), "the shop's own DAG has run on the new picture")
    switch_shop(world, on=False)
    yield seen
    world.settle_and_recover([export])


def states(night: Night, *task_ids: str) -> list[str]:
    return [str(one.state) for task_id in task_ids for one in night.tasks(task_id)]


def test_a_night_whose_export_is_late_waits_without_a_worker_and_goes_on_by_itself(nights: Nights) -> None:
    assert len(nights.triggers) == 1
    assert nights.processes == 0
    assert states(nights.late, EXPORT, "preflight", "plan", "account") == ["success"] * 4
    assert nights.books is not None
    assert nights.books.states == {LookState.PUBLISHED: 1, LookState.REJECTED: 2}


def test_a_night_that_is_not_done_by_its_hour_is_told_of_while_it_waits(nights: Nights, world: World) -> None:
    told = letter_of(world, "LATE", nights.late).read_text(encoding="utf-8")
    assert "was to be done by" in told
    assert "is queued" in told or "is running" in told


def test_pictures_of_a_red_night_are_told_to_whoever_runs_on_the_catalogue(
    nights: Nights, world: World
) -> None:
    assert nights.late_state == "failed"
    assert states(nights.late, "verdict") == ["failed"]
    query = text(
        "SELECT event.extra FROM asset_event event JOIN asset ON asset.id = event.asset_id "
        "WHERE asset.name = 'tryon_catalogue' AND event.source_run_id = :run"
    )
    with world.airflow.connect() as connection:
        (news,) = connection.execute(query, {"run": nights.late.run_id}).scalars()
    said: dict[str, Any] = {name: news[name] for name in ("run_id", "export_date", "published", "rejected")}
    assert said == {
        "run_id": f"{DAG_ID}/{nights.late.run_id}",
        "export_date": "2026-03-01",
        "published": 1,
        "rejected": 2,
    }
    assert (news["uses"], news["amount"], news["currency"]) == (1, "0.95", "CNY")


def test_a_night_whose_export_never_comes_is_red_and_says_which_one_it_was(
    nights: Nights, world: World
) -> None:
    assert nights.missing_state == "failed"
    (export,) = nights.missing.tasks(EXPORT)
    assert (export.state, export.try_number) == ("failed", 1)  # trying again is no use
    assert states(nights.missing, "account", "verdict") == ["success", "failed"]
    told = letter_of(world, "MISSING", nights.missing).read_text(encoding="utf-8")
    for words in (
        "catalogue-2026-03-02.csv is not there",
        "It was to be there by 2026-03-03",
        "clear the task",
    ):
        assert words in told
    with world.ledger.connect() as connection:
        run_id = f"{DAG_ID}/{nights.missing.run_id}"
        run = connection.execute(select(runs).where(runs.c.id == run_id)).one()
    assert run.problem in told
    assert run.summary["problem"] == run.problem
