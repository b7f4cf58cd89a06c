"""Nights that are larger than what the vendor takes at once: most of such a night waits for its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.backfills import create_backfill
from tests.e2e.cases import Case, CaseBook, Expected, Row
from tests.e2e.small_world import DAY, Room, open_small_world
from tests.e2e.waiting import until
from tests.e2e.world import BATCH, World
from tests.guards import GUARD
from tryon_catalogue.ledger.states import SubmissionState

pytestmark = [pytest.mark.faults, pytest.mark.long]

BOOK = CaseBook()
AT_ONCE = 1
ROOM = Room(nights=4, backfills=2, slots=60)
IN_LINE = 50  # submissions that wait for their turn when the triggerer dies
LARGE = 10 * (IN_LINE + ROOM.nights + 6)  # looks
DAYS, BESIDE = 30, 100
SLOWER, TIMES_SLOWER = 160, 10


@BOOK.case(
    died="the triggerer (SIGKILL, restarted)", where=f"while {IN_LINE} submissions wait for their turn"
)
def a_night_larger_than_its_room_keeps_its_line_when_the_triggerer_dies(world: World) -> Expected:
    export = world.export("in-line", LARGE)
    with world.faults(export.name, {"kind": "still_running", "times": None, "containing": export.mark}):
        night = world.start_night(export)
        night.wait_for_tasks(BATCH, "deferred", IN_LINE)
        world.scene.stack.kill_family("triggerer")
        assert len(export.calls()) == ROOM.nights
        world.scene.stack.start("triggerer")
    assert night.end(seconds=3 * GUARD) == "success"
    assert len(export.calls()) == LARGE // 10
    assert all(task.try_number == 1 for task in night.tasks(BATCH))
    return Expected(export, published=LARGE)


@BOOK.case(
    died="nothing: the vendor has places for few", where=f"a backfill of {DAYS} dates began before the night"
)
def a_season_that_began_before_the_night_does_not_hold_it_up(world: World) -> list[Expected]:
    last = world.first_night.run.logical_date
    assert last is not None
    season = world.export("thirty-days", DAYS)
    for number, garment in enumerate(season.garments):
        file = world.scene.exports / f"catalogue-{last.date() - DAY * (DAYS - number)}.csv"
        file.write_text(world.wardrobe.csv_of([garment]), encoding="utf-8")
    with world.faults(season.name, {"kind": "still_running", "times": None, "containing": season.mark}):
        backfill = create_backfill(world, last.date() - DAY * DAYS, last.date(), "--max-active-runs", "10")
        until(lambda: len(season.calls()) == ROOM.backfills, "it has all the places that it may have")
        night = world.night_of("beside", BESIDE)
        assert night.end(seconds=3 * GUARD) == "success"
        assert len(season.calls()) == ROOM.backfills
    assert {run.state for run in backfill.end()} == {"success"}
    return [Expected(season, published=DAYS), Expected(night.export, published=BESIDE)]


@BOOK.case(
    died="the vendor's pace", where=f"it becomes {TIMES_SLOWER} times slower in the middle of the night"
)
def a_vendor_that_becomes_ten_times_slower_is_waited_for(world: World) -> Expected:
    export = world.export("slower", SLOWER)
    slow = {"kind": "slow", "factor": TIMES_SLOWER, "times": None, "containing": export.mark}
    night = world.start_night(export)
    until(lambda: len(export.calls(SubmissionState.COLLECTED)) >= SLOWER // 20, "half of it is there")
    with world.faults(export.name, slow):
        assert night.end(seconds=3 * GUARD) == "success"
    assert len(export.calls()) == SLOWER // 10
    return Expected(export, published=SLOWER)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A scene whose vendor works on five looks at once, a second each."""
    options = ("--pictures", "plain", "--submit-rate", "0", "--query-rate", "0", "--concurrency", "5")
    with open_small_world(tmp_path_factory.mktemp("large"), ROOM, sandbox_options=options) as world:
        yield world


@pytest.mark.parametrize("case", BOOK.cases, ids=str)
def test_all_of_it_is_sent_once_and_published(case: Case, row_of: Callable[[Case], Row]) -> None:
    row = row_of(case)
    assert (row.most_charges, row.in_doubt) == (1, 0)
    assert row.after.count("PUBLISHED") == row.after.count(";") + 1
