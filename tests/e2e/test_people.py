"""People do what Airflow lets them do: clear, mark failed, trigger twice, run a backfill beside the night."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.cases import Case, CaseBook, Expected, Row
from tests.e2e.first_night import last_dates
from tests.e2e.waiting import until
from tests.e2e.world import BATCH, Night, World
from tryon_catalogue.looks import LookState
from tryon_demo.local.api import RunState
from tryon_demo.scene import DAG_ID

pytestmark = pytest.mark.faults

BOOK = CaseBook()
AT_ONCE = 6
LOOKS = 5
PERSON = "nobody: a person"


@BOOK.case(died=PERSON, where="clears every task of a finished run")
def clearing_a_finished_run_pays_nothing_again(world: World) -> Expected:
    night = world.night_of("cleared", LOOKS)
    assert night.end() == "success"
    before = len(night.export.calls())
    world.scene.api.clear_run(DAG_ID, night.run_id)
    assert night.end() == "success"
    assert len(night.export.calls()) == before
    return Expected(night.export, published=LOOKS)


@BOOK.case(died=PERSON, where="clears a submit task while the vendor answers it")
def clearing_a_submit_task_under_way_leaves_its_looks_in_doubt(world: World) -> Expected:
    export = world.export("cleared-under-way", LOOKS)
    slow = {"kind": "delay", "path": "submit", "seconds": 30, "accepted": True, "containing": export.mark}
    with world.faults(export.name, slow):
        night = world.start_night(export)
        until(lambda: export.charged() == LOOKS, "the vendor has accepted")
        world.scene.api.clear(DAG_ID, night.run_id, [(BATCH, 0)])
        until(lambda: LookState.IN_DOUBT in export.states(), "the next try has found the intent")
        night.end()
    assert len(export.calls()) == 1
    return Expected(export, published=0, in_doubt=LOOKS)


@BOOK.case(died=PERSON, where="marks a waiting task failed")
def marking_a_waiting_task_failed_loses_nothing(world: World) -> Expected:
    export = world.export("marked-failed", LOOKS)
    with world.faults(export.name, {"kind": "still_running", "times": None, "containing": export.mark}):
        night = world.start_night(export)
        night.wait_for_tasks(BATCH, "deferred")
        world.scene.api.mark_task(DAG_ID, night.run_id, BATCH, "failed", map_index=0)
        assert night.end() == "failed"
    return Expected(export, published=0, left=LOOKS)


@BOOK.case(died=PERSON, where="marks the whole run failed while it waits")
def marking_a_run_failed_loses_nothing(world: World) -> Expected:
    export = world.export("run-marked-failed", LOOKS)
    with world.faults(export.name, {"kind": "still_running", "times": None, "containing": export.mark}):
        night = world.start_night(export)
        night.wait_for_tasks(BATCH, "deferred")
        world.scene.api.mark_run(DAG_ID, night.run_id, RunState.FAILED)
        assert night.end() == "failed"
    return Expected(export, published=0, left=LOOKS)


@BOOK.case(died=PERSON, where="triggers the same night twice at once")
def the_same_night_twice_at_once_is_paid_once(world: World) -> Expected:
    export = world.export("twice", 2 * LOOKS + 10)
    nights = [world.start_night(export, f"twice-{number}") for number in range(2)]
    for night in nights:
        night.end()
    return Expected(export, published=len(export.garments))


@BOOK.case(died=PERSON, where="runs a backfill of three dates beside a night with the same garments")
def a_backfill_beside_the_night_is_paid_once(world: World) -> Expected:
    export = world.export("backfilled", LOOKS)
    newest, *earlier = last_dates(4)
    assert newest > max(earlier)
    for day in earlier:
        (world.scene.exports / f"catalogue-{day.isoformat()}.csv").write_bytes(export.path.read_bytes())
    world.airflow_command(
        "backfill",
        "create",
        "--dag-id",
        DAG_ID,
        "--from-date",
        f"{min(earlier)}",
        "--to-date",
        f"{max(earlier)}",
    )
    nights = [world.start_night(export)]
    for day in earlier:
        runs = until(lambda day=day: world.runs_of(day), f"the backfill has a run for {day}", every=1)
        nights += [Night(world, export, run_id) for run_id in runs]
    assert len(nights) == 1 + len(earlier)
    for night in nights:
        night.end()
    return Expected(export, published=LOOKS)


@pytest.mark.parametrize("case", BOOK.cases, ids=str)
def test_each_look_is_paid_once_though(case: Case, row_of: Callable[[Case], Row]) -> None:
    assert row_of(case).most_charges == 1
