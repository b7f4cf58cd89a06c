"""A task's process is killed where it hurts: before, during and after what costs money, and while it collects."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, text

from tests.e2e.cases import Case, CaseBook, Expected, Row
from tests.e2e.waiting import until
from tests.e2e.world import BATCH, World
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import looks, submissions
from tryon_catalogue.looks import LookState

pytestmark = pytest.mark.faults

BOOK = CaseBook()
AT_ONCE = 8
LOOKS = 10  # as many as one submission carries
TASK = "the task's process (SIGKILL)"
WORKER = "the task's process and its supervisor (SIGKILL)"


def kill_while_the_vendor_answers(world: World, name: str, *, with_supervisor: bool = False) -> Expected:
    """Kill the submitting task once the sandbox has charged its looks and has not said so."""
    export = world.export(name, LOOKS)
    fault = {"kind": "delay", "path": "submit", "seconds": 20, "accepted": True, "containing": export.mark}
    with world.faults(name, fault):
        night = world.start_night(export)
        until(lambda: export.charged() == LOOKS, "the vendor has accepted")
        night.kill_task(BATCH, with_supervisor=with_supervisor)
        night.end()
    assert len(export.calls()) == 1
    return Expected(export, published=0, in_doubt=LOOKS)


@BOOK.case(died=TASK, where="submit, before it has claimed its looks")
def a_submit_task_killed_before_its_claim_sends_everything_once(world: World) -> Expected:
    night = world.night_of("before-the-claim", LOOKS)
    night.wait_until_planned()
    with world.transaction() as holder:
        holder.execute(select(looks.c.key).where(night.export.of_ours).with_for_update())
        assert set(night.export.states()) == {LookState.PLANNED}
        until(world.waits_for(holder), "the task waits for its looks")
        night.kill_task(BATCH)
    night.end()
    assert [call.state for call in night.export.calls()] == [SubmissionState.COLLECTED]
    return Expected(night.export, published=LOOKS)


@BOOK.case(died=TASK, where="submit, after the vendor accepted and before it answered")
def a_submit_task_killed_before_the_answer_leaves_its_looks_in_doubt(world: World) -> Expected:
    return kill_while_the_vendor_answers(world, "before-the-answer")


@BOOK.case(died=WORKER, where="submit, after the vendor accepted and before it answered")
def a_worker_lost_before_the_answer_leaves_its_looks_in_doubt(world: World) -> Expected:
    return kill_while_the_vendor_answers(world, "worker-before-the-answer", with_supervisor=True)


@BOOK.case(died=TASK, where="submit, after the answer and before its commit")
def a_submit_task_killed_before_it_notes_the_answer_leaves_its_looks_in_doubt(world: World) -> Expected:
    export = world.export("before-the-commit", LOOKS)
    fault = {"kind": "delay", "path": "submit", "seconds": 4, "accepted": True, "containing": export.mark}
    with world.faults(export.name, fault):
        night = world.start_night(export)
        (call,) = until(lambda: export.calls(SubmissionState.SUBMITTING), "the intent is committed")
        with world.transaction() as holder:
            holder.execute(select(submissions).where(submissions.c.id == call.id).with_for_update())
            until(world.waits_for(holder), "the task has its answer and waits to note it")
            night.kill_task(BATCH)
        night.end()
    assert len(export.calls()) == 1
    return Expected(export, published=0, in_doubt=LOOKS)


@BOOK.case(died=TASK, where="submit, in the middle of the splitting around a bad picture")
def a_submit_task_killed_while_it_splits_goes_on_where_it_was(world: World) -> Expected:
    bad, doubted = 7, 2
    export = world.export("splitting", LOOKS)
    # The whole is refused and the first half goes through; the part with look 5 is accepted and unanswered.
    fault = {
        "kind": "delay",
        "path": "submit",
        "seconds": 20,
        "accepted": True,
        "containing": f"{export.mark}5.",
    }
    with world.faults(export.name, *export.refused(bad), fault):
        night = world.start_night(export)
        until(lambda: export.charged() == bad, "the first half and a part of the second are accepted")
        night.kill_task(BATCH)
        night.end()
    return Expected(export, published=LOOKS - doubted - 1, in_doubt=doubted, refused=1)


@BOOK.case(died=TASK, where="publish, while a picture is on its way")
def a_publish_task_killed_during_a_download_publishes_everything(world: World) -> Expected:
    night = world.night_of("downloading", LOOKS)
    (call,) = until(lambda: night.export.calls(SubmissionState.SUBMITTED), "the vendor has accepted")
    last = f"{call.result_key}-{LOOKS - 1}-"
    with world.faults(
        night.run_id, {"kind": "delay", "path": "result", "seconds": 20, "times": None, "containing": last}
    ):
        until(
            lambda: night.export.states().count(LookState.PUBLISHED) == LOOKS - 1,
            "all pictures but one have arrived",
        )
        night.kill_task(BATCH)
    night.end()
    return Expected(night.export, published=LOOKS)


@BOOK.case(died=WORKER, where="publish, while a picture is on its way")
def a_worker_lost_during_a_download_publishes_everything(world: World) -> Expected:
    night = world.night_of("worker-downloading", LOOKS)
    (call,) = until(lambda: night.export.calls(SubmissionState.SUBMITTED), "the vendor has accepted")
    last = f"{call.result_key}-{LOOKS - 1}-"
    with world.faults(
        night.run_id, {"kind": "delay", "path": "result", "seconds": 20, "times": None, "containing": last}
    ):
        until(
            lambda: night.export.states().count(LookState.PUBLISHED) == LOOKS - 1,
            "all pictures but one have arrived",
        )
        night.kill_task(BATCH, with_supervisor=True)
    night.end()
    return Expected(night.export, published=LOOKS)


@BOOK.case(died=TASK, where="publish, while it writes to the shop's row")
def a_publish_task_killed_during_the_write_back_publishes_everything(world: World) -> Expected:
    export = world.export("writing-back", LOOKS)
    with world.transaction() as holder:
        holder.execute(
            text("SELECT sku FROM catalogue WHERE sku = :sku FOR UPDATE"), {"sku": export.garments[3].sku}
        )
        night = world.start_night(export)
        until(world.waits_for(holder), "the task waits for the shop's row")
        night.kill_task(BATCH)
    night.end()
    return Expected(export, published=LOOKS)


@pytest.mark.parametrize("case", BOOK.cases, ids=str)
def test_each_look_is_paid_once_though(case: Case, row_of: Callable[[Case], Row]) -> None:
    assert row_of(case).most_charges == 1
