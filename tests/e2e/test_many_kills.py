"""Five hundred looks, and every few seconds something is killed: task processes, and now and then the triggerer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from tests.e2e.cases import Case, CaseBook, Expected, Row
from tests.e2e.waiting import until
from tests.e2e.world import ENDED, Night, World
from tests.guards import GUARD

pytestmark = [pytest.mark.faults, pytest.mark.long]

BOOK = CaseBook()
AT_ONCE = 1
LOOKS = 500
SEED = 20261120
PAUSE_SECONDS = (1.0, 3.0)
KILLING_SECONDS = 75.0
TRIGGERER_EVERY = 8  # kills
FEWEST_KILLS = 10


def kill_at_random(world: World, night: Night, dice: random.Random) -> int:
    """Kill until the night has ended or the time is over; return how many were killed."""
    kills = 0
    deadline = time.monotonic() + KILLING_SECONDS
    while time.monotonic() < deadline and night.state() not in ENDED:
        pause = time.monotonic() + dice.uniform(*PAUSE_SECONDS)
        until(lambda pause=pause: time.monotonic() > pause, "the pause is over")
        if kills % TRIGGERER_EVERY == TRIGGERER_EVERY - 1:
            world.scene.stack.kill_family("triggerer")
            world.scene.stack.start("triggerer")
            kills += 1
        elif victims := night.task_processes():
            victims[dice.randrange(len(victims))].kill()
            kills += 1
    return kills


@BOOK.case(
    died="task processes and the triggerer (SIGKILL)", where=f"at random, every few seconds, seed {SEED}"
)
def five_hundred_looks_among_random_kills_are_each_paid_once(world: World) -> Expected:
    export = world.export("many-kills", LOOKS)
    # So that a kill often falls between the vendor's acceptance and its answer.
    slow = {"kind": "delay", "path": "submit", "seconds": 3, "times": None, "accepted": True}
    with world.faults(export.name, slow | {"containing": export.mark}):
        night = world.start_night(export)
        night.wait_until_planned()  # before that there is one task, and nothing to pay for
        kills = kill_at_random(world, night, random.Random(SEED))
        night.end(seconds=3 * GUARD)
    assert kills >= FEWEST_KILLS
    return Expected(export, published=None, in_doubt=None, left=LOOKS)


@pytest.mark.parametrize("case", BOOK.cases, ids=str)
def test_and_in_the_end_all_is_published(case: Case, row_of: Callable[[Case], Row]) -> None:
    row = row_of(case)
    assert (row.looks, row.most_charges) == (LOOKS, 1)
