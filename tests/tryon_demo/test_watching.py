"""How a night is shown while it happens."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert

from tests.tryon_catalogue.helpers import PlanBatch, some_looks
from tests.tryon_demo.nights import said, screen
from tryon_catalogue.ledger.tables import runs
from tryon_catalogue.looks import LookState
from tryon_demo.local.api import TaskInstance
from tryon_demo.watching import NightView, watch_line, watch_table

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HALFWAY = Counter(
    {LookState.SUBMITTED: 5, LookState.SUCCEEDED: 2, LookState.PUBLISHED: 3, LookState.PLANNED: 10}
)
NEVER_BEGUN = TaskInstance(
    dag_id="tryon_nightly",
    run_id="manual__1",
    task_id="account",
    map_index=-1,
    state=None,
    try_number=0,
    pid=None,
    hostname=None,
    start=None,
    end=None,
)


def task(task_id: str, state: str | None, *, seconds: int | None = None, map_index: int = -1) -> TaskInstance:
    """A task instance that began so many seconds after noon, or has not."""
    start = None if seconds is None else NOON + timedelta(seconds=seconds)
    return replace(NEVER_BEGUN, task_id=task_id, state=state, start=start, map_index=map_index)


def drawn(tasks: list[TaskInstance], counts: Counter[LookState] = HALFWAY, width: int = 100) -> str:
    console = screen(width)
    console.print(watch_table("tryon_nightly", counts, tasks, seconds=12.3, width=width))
    return said(console)


def test_a_line_says_how_many_looks_have_come_how_far() -> None:
    assert watch_line(HALFWAY) == ("10 of 20 submitted, 5 of 20 made by the vendor, 3 of 20 in the catalogue")


def test_there_is_nothing_to_say_before_anything_is_planned() -> None:
    assert watch_line(Counter()) == ""


def test_tasks_stand_in_the_order_in_which_they_began_and_the_others_below() -> None:
    shown = drawn(
        [
            task("account", None),
            task("batch", "deferred", seconds=9, map_index=0),
            task("something_new", None),
            task("preflight", "success", seconds=0),
            task("plan", "success", seconds=1),
        ]
    )
    names = ["preflight", "plan", "batch", "something_new", "account"]
    assert sorted(names, key=shown.index) == names


def test_each_mapped_task_has_its_sign_in_the_order_of_the_batches() -> None:
    states = {0: "success", 1: "deferred", 2: "up_for_retry", 3: "failed", 4: None, 5: "running"}
    shown = drawn([task("batch", state, map_index=index) for index, state in reversed(states.items())])
    assert "✓ … ↻ ✗ · ▶" in shown


def test_the_bars_say_their_figures() -> None:
    shown = drawn([])
    for figures in ("10 of 20 looks", "5 of 20 looks", "3 of 20 looks"):
        assert figures in shown
    assert "12 s" in shown


@pytest.mark.parametrize("width", [50, 80, 100, 160])
def test_the_panel_fits_the_terminal(width: int) -> None:
    assert max(map(len, drawn([task("plan", "running", seconds=1)], width=width).splitlines())) <= width


def test_looks_are_counted_for_one_run_alone(engine: Engine, plan_batch: PlanBatch) -> None:
    plan_batch(some_looks(3), run_id="dag/one")
    with engine.begin() as connection:
        connection.execute(insert(runs).values(id="dag/two", export="b.csv", export_date="2026-11-21"))
    assert NightView(engine, "dag/one").counts() == {LookState.PLANNED: 3}
    assert NightView(engine, "dag/two").counts() == {}
