"""A backfill of thirty days beside the night: stopped, gone on with, run again, and each look paid once.

It has a scene of its own: its nights are daily, and there is little room in its pools and at its vendor.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.e2e.backfills import create_backfill
from tests.e2e.small_world import DAY, Room, open_small_world
from tests.e2e.waiting import until
from tests.e2e.wardrobe import COLLECTION
from tests.e2e.world import BATCH, Export, Night, World
from tryon_catalogue.workflow.policy import backfill_pool
from tryon_demo.local.api import DagRun
from tryon_demo.scene import DAG_ID

pytestmark = pytest.mark.long

DAYS = 30
ON_SALE = 3  # garments in the export of a day
DAYS_ON = 2  # until the oldest of them goes and a new one comes
GARMENTS = ON_SALE + (DAYS - 1) // DAYS_ON
AGAIN = 2  # days that are processed once more in the end, and the scheduled night with them
LOOKS = 4  # of the night beside it
POOL_SLOTS, IN_FLIGHT = 3, 4  # the night's
PLACES = 2  # the backfill's, in its pool and at the vendor


@dataclass(frozen=True)
class Season:
    """What was seen of the season.

    Attributes:
        export: Its garments.
        other: A garment of its exports that is of another collection than was asked for.
        beside: How a night beside the backfill ended.
        waits: How long the batches of that night and of the backfill waited for a place in their pools, at most.
        pools: Pools that the batches of the backfill and of the night beside it were in.
        still_running: Runs of the backfill that were under way when the night had ended.
        stopped: Runs of the backfill after it was cancelled and what it had begun was over, by state.
        order: Dates of the runs in the order in which it began them, newest first as it was told.
        runs: Runs of the backfill that went on with it.
        states: State of each date's run in the end.
        again: Runs that processed the last days and the scheduled night once more, by state.
        uses: Charged before and after that.
    """

    export: Export
    other: Export
    beside: str
    waits: tuple[timedelta, timedelta]
    pools: tuple[set[str], set[str]]
    still_running: int
    stopped: Counter[str]
    order: list[date]
    runs: list[date]
    states: Counter[str]
    again: Counter[str]
    uses: tuple[int, int]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A scene whose nights are daily, with its DAG paused."""
    room = Room(nights=IN_FLIGHT, backfills=PLACES, slots=POOL_SLOTS)
    with open_small_world(tmp_path_factory.mktemp("season"), room) as world:
        yield world


@pytest.fixture(scope="module")
def season(world: World) -> Season:
    """The season, from its first export to its last backfill."""
    alone = world.first_night.run
    days = [alone.logical_date.date() - DAY * number for number in range(DAYS, 0, -1)]
    export, other = world.export("season", GARMENTS), world.export("other-collection", 1, ["other"])
    for number, day in enumerate(days):
        on_sale = export.garments[number // DAYS_ON :][:ON_SALE]
        file = world.scene.exports / f"catalogue-{day}.csv"
        file.write_text(world.wardrobe.csv_of([*on_sale, *other.garments]), encoding="utf-8")
    whole = (days[0], days[-1] + DAY)
    filtered = ("--dag-run-conf", json.dumps({"collections": [COLLECTION]}))

    # The vendor holds on to what the backfill sends: it fills every place that it can get.
    with world.faults("season", {"kind": "still_running", "times": None, "containing": export.mark}):
        first = create_backfill(world, *whole, "--max-active-runs", "4", "--run-backwards", *filtered)
        until(lambda: first.tasks_in_pool("deferred") == PLACES, "the backfill has filled its places")
        until(lambda: first.tasks_in_pool("scheduled"), "more of the backfill waits for a place")
        night = world.night_of("beside", LOOKS)
        beside = night.end()
        still_running = len(first.runs("running"))
        pools = ({task.pool for task in first.tasks()}, {task.pool for task in _batch_tasks(night)})
        first.cancel()
    stopped = Counter(run.state for run in first.end())
    waits = (_longest_wait(_batch_tasks(night)), _longest_wait(first.tasks()))
    began = sorted((run for run in first.runs() if run.start_date), key=lambda run: run.start_date)

    second = create_backfill(world, *whole, "--max-active-runs", "6", "--reprocess-behavior", "failed")
    second.end()
    before = world.scene.charges()["uses"]
    third = create_backfill(
        world, days[-AGAIN], whole[1] + DAY, "--reprocess-behavior", "completed", "--max-active-runs", "3"
    )
    again = third.end()
    return Season(
        export=export,
        other=other,
        waits=waits,
        beside=beside,
        pools=pools,
        still_running=still_running,
        stopped=stopped,
        order=[run.logical_date.date() for run in began],
        runs=[run.logical_date.date() for run in second.runs()],
        states=Counter(run.state for run in world.scene.api.dag_runs(DAG_ID) if _is_of(run, days)),
        again=Counter(run.state for run in again),
        uses=(before, world.scene.charges()["uses"]),
    )


def _batch_tasks(night: Night) -> list[Any]:
    query = text(
        "SELECT task_id, pool, scheduled_dttm, queued_dttm FROM task_instance "
        "WHERE dag_id = :dag AND run_id = :run AND map_index >= 0"
    )
    with night.world.airflow.connect() as connection:
        return list(connection.execute(query, {"dag": DAG_ID, "run": night.run_id}).all())


def _longest_wait(tasks: Sequence[Any]) -> timedelta:
    """Give the longest time for which a batch that was ready to be submitted waited for a place in its pool."""
    return max(
        one.queued_dttm - one.scheduled_dttm for one in tasks if one.task_id == BATCH and one.queued_dttm
    )


def _is_of(run: DagRun, days: Sequence[date]) -> bool:
    return run.logical_date is not None and run.logical_date.date() in days


def test_each_look_of_the_season_is_charged_once_and_published(season: Season) -> None:
    books = season.export.books()
    books.check()
    assert books.summary == f"{GARMENTS} PUBLISHED"
    assert books.most_charges == 1


def test_a_garment_of_another_collection_is_left_out_though_its_dates_are_run(season: Season) -> None:
    assert season.other.states() == []
    assert season.other.charged() == 0


def test_the_night_beside_it_is_green_while_the_backfill_holds_all_it_may(season: Season) -> None:
    assert season.beside == "success"
    assert season.still_running


def test_the_night_does_not_wait_for_places_that_the_backfill_waits_for(season: Season) -> None:
    of_night, of_backfill = season.waits
    assert of_night < of_backfill


def test_backfill_and_night_are_in_pools_of_their_own(season: Season) -> None:
    assert season.pools == ({backfill_pool("damo_tryon"), "default_pool"}, {"damo_tryon", "default_pool"})


def test_it_goes_newest_first_where_it_is_told_to(season: Season) -> None:
    assert len(season.order) >= PLACES
    assert season.order == sorted(season.order, reverse=True)


def test_what_was_cancelled_before_it_began_is_failed_and_what_had_begun_ends_well(season: Season) -> None:
    assert season.stopped == Counter(success=len(season.order), failed=DAYS - len(season.order))


def test_going_on_runs_only_what_was_left_and_all_days_are_green_in_the_end(season: Season) -> None:
    assert set(season.runs).isdisjoint(season.order)
    assert len(season.runs) == DAYS - len(season.order)
    assert season.states == Counter(success=DAYS)


def test_processing_days_again_pays_nothing(season: Season) -> None:
    assert season.again == Counter(success=AGAIN + 1)
    before, after = season.uses
    assert after == before
