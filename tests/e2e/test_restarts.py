"""What Airflow and the ledger stand on dies and comes back, in the middle of a night: one case after another."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.e2e.cases import Case, CaseBook, Expected, Row
from tests.e2e.waiting import until
from tests.e2e.world import BATCH, World
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.looks import LookState
from tryon_demo.local.postgres import StopMode

pytestmark = pytest.mark.faults

BOOK = CaseBook()
AT_ONCE = 1
LOOKS = 20
DEFERRED = 20


@BOOK.case(died="the triggerer (SIGKILL, restarted)", where=f"while {DEFERRED} submissions are waited for")
def a_triggerer_that_dies_loses_no_wait(world: World) -> Expected:
    export = world.export("triggerer", DEFERRED * 10)
    slow = {"kind": "still_running", "times": None, "containing": export.mark}
    with world.faults(export.name, slow):
        night = world.start_night(export)
        night.wait_for_tasks(BATCH, "deferred", DEFERRED)
        world.scene.stack.kill("triggerer", signal.SIGKILL)
        world.scene.stack.kill_family("triggerer")
        assert len(night.tasks(BATCH, "deferred")) == DEFERRED
        world.scene.stack.start("triggerer")
    assert night.end() == "success"
    return Expected(export, published=DEFERRED * 10)


@BOOK.case(
    died="the scheduler with its workers (SIGKILL, restarted)", where="while submissions are under way"
)
def a_scheduler_that_dies_with_its_workers_sends_nothing_twice(world: World) -> Expected:
    export = world.export("scheduler", LOOKS)
    slow = {"kind": "delay", "path": "submit", "seconds": 20, "accepted": True, "containing": export.mark}
    with world.faults(export.name, slow):
        night = world.start_night(export)
        # One submission is answered late, so its worker dies before it knows; the other is in the ledger.
        until(lambda: export.charged() == LOOKS, "the vendor has accepted all of it")
        until(lambda: export.calls(SubmissionState.SUBMITTED), "one answer is noted")
        world.scene.stack.kill_family("scheduler")
        world.scene.stack.start("scheduler")
    night.end()
    assert len(export.calls()) == LOOKS // 10
    return Expected(export, published=LOOKS // 2, in_doubt=LOOKS // 2)


@BOOK.case(died="the scheduler alone (SIGKILL, restarted)", where="while its workers go on submitting")
def a_scheduler_that_dies_and_leaves_its_workers_sends_nothing_twice(world: World) -> Expected:
    export = world.export("scheduler-alone", LOOKS)
    slow = {"kind": "delay", "path": "submit", "seconds": 12, "times": 2, "accepted": True}
    with world.faults(export.name, slow | {"containing": export.mark}):
        night = world.start_night(export)
        until(lambda: export.charged() == LOOKS, "the vendor has accepted all of it")
        world.scene.stack.kill("scheduler", signal.SIGKILL)
        world.scene.stack.start("scheduler")
        until(
            lambda: len(export.calls(SubmissionState.SUBMITTED, SubmissionState.COLLECTED)) == LOOKS // 10,
            "the workers left behind have noted both answers",
        )
    night.end()
    assert len(export.calls()) == LOOKS // 10
    return Expected(export, published=LOOKS)


@BOOK.case(
    died="PostgreSQL (stopped at once, restarted)", where="while submissions are under way and waited for"
)
def a_database_that_dies_keeps_every_result_key(world: World) -> Expected:
    export = world.export("postgres", LOOKS)
    slow = {"kind": "delay", "path": "submit", "seconds": 6, "accepted": True, "containing": export.mark}
    with world.faults(export.name, slow):
        night = world.start_night(export)
        until(lambda: export.charged() == LOOKS, "the vendor has accepted all of it")
        until(lambda: export.calls(SubmissionState.SUBMITTED), "one answer is noted, the other on its way")
        world.scene.stack.postgres.stop(StopMode.IMMEDIATE)
        world.scene.stack.postgres.start()
    night.end(attended=True)
    assert len(export.calls()) == LOOKS // 10
    # Tasks that the outage took with it may have been the last to look; then the recovery collects.
    return Expected(export, published=None, left=LOOKS)


@BOOK.case(
    died="the vendor (killed, restarted with what it had accepted)", where="while it works on submissions"
)
def a_vendor_that_restarts_is_asked_until_it_has_ended(world: World) -> Expected:
    export = world.export("sandbox", LOOKS)
    slow = {"kind": "still_running", "times": None, "containing": export.mark}
    with world.faults(export.name, slow):
        night = world.start_night(export)
        night.wait_for_tasks(BATCH, "deferred", LOOKS // 10)
        world.scene.stack.kill("sandbox", signal.SIGKILL)
        world.scene.stack.start("sandbox")
    assert night.end() == "success"
    return Expected(export, published=LOOKS)


@BOOK.case(died="the API server (SIGKILL, restarted)", where="while submissions are under way")
def an_api_server_that_dies_sends_nothing_twice(world: World) -> Expected:
    export = world.export("api-server", LOOKS)
    slow = {"kind": "delay", "path": "submit", "seconds": 4, "times": 2, "accepted": True}
    with world.faults(export.name, slow | {"containing": export.mark}):
        night = world.start_night(export)
        until(lambda: export.charged() == LOOKS, "the vendor has accepted all of it")
        world.scene.stack.kill_family("api-server")
        until(
            lambda: len(export.calls(SubmissionState.SUBMITTED)) == LOOKS // 10,
            "both answers are noted without Airflow's help",
        )
        world.scene.stack.start("api-server")
    night.end()
    assert len(export.calls()) == LOOKS // 10
    return Expected(export, published=LOOKS)


@BOOK.case(died="the credits (used up, then bought)", where="between two submissions of a night")
def credits_that_end_stop_the_night_and_it_goes_on_when_there_are_new_ones(world: World) -> Expected:
    export = world.export("credits", LOOKS)
    used = world.scene.charges()["uses"]
    world.scene.restart_sandbox("--credits", str(used + LOOKS // 2))
    try:
        world.start_night(export).end()
        assert sorted(export.states()) == [LookState.PLANNED] * (LOOKS // 2) + [LookState.PUBLISHED] * (
            LOOKS // 2
        )
        calls = world.scene.charges()["calls"]["submit"]
        stopped = world.export("credits-stopped", 10)
        world.start_night(stopped).end()
        assert world.scene.charges()["calls"]["submit"] <= calls + 1, (
            "at most one try finds out that it is so"
        )
    finally:
        world.scene.restart_sandbox()
    for number, later in enumerate((export, stopped)):
        assert world.start_night(later, f"credits-bought-{number}").end() == "success"
    return [Expected(export, published=LOOKS), Expected(stopped, published=10)]


@pytest.mark.parametrize("case", BOOK.cases, ids=str)
def test_each_look_is_paid_once_though(case: Case, row_of: Callable[[Case], Row]) -> None:
    assert row_of(case).most_charges == 1
