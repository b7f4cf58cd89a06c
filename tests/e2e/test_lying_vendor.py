"""The vendor, or the way to it, lies: answers get lost, are cut off or wrong; links are dead, pictures are none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.cases import Case, CaseBook, Expected, Row
from tests.e2e.waiting import until
from tests.e2e.world import BATCH, World
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.looks import LookState

pytestmark = pytest.mark.faults

BOOK = CaseBook()
AT_ONCE = 8
LOOKS = 5
VENDOR = "the vendor"
LINE = "the connection"
GATEWAY = "the gateway"


def in_doubt_after(world: World, name: str, fault: dict[str, object]) -> Expected:
    """Submit once into a fault after which nobody can know, and see that nothing is sent again."""
    export = world.export(name, LOOKS)
    with world.faults(name, fault | {"path": "submit", "containing": export.mark}):
        assert world.start_night(export).end() == "failed", "a night in which nothing succeeded is red"
    assert [call.state for call in export.calls()] == [SubmissionState.IN_DOUBT]
    return Expected(export, published=0, in_doubt=LOOKS)


@BOOK.case(died=LINE, where="submit: accepted, and the answer never comes")
def a_lost_answer_leaves_its_looks_in_doubt(world: World) -> Expected:
    return in_doubt_after(world, "answer-lost", {"kind": "lose_answer"})


@BOOK.case(died=LINE, where="submit: accepted, reset in the middle of the answer")
def an_answer_that_breaks_off_leaves_its_looks_in_doubt(world: World) -> Expected:
    return in_doubt_after(world, "reset-mid-body", {"kind": "reset_mid_body"})


@BOOK.case(died=GATEWAY, where="submit: accepted, 200 with half of the JSON")
def an_answer_cut_in_half_leaves_its_looks_in_doubt(world: World) -> Expected:
    return in_doubt_after(world, "truncated", {"kind": "truncate"})


@BOOK.case(died=VENDOR, where="submit: accepted, and 500 with the envelope of 23500000")
def an_internal_error_after_accepting_leaves_its_looks_in_doubt(world: World) -> Expected:
    return in_doubt_after(world, "envelope-accepted", {"kind": "http_500_envelope", "accepted": True})


@BOOK.case(died=VENDOR, where="submit: not accepted, and 500 with the envelope of 23500000")
def an_internal_error_before_accepting_leaves_its_looks_in_doubt_and_unpaid(world: World) -> Expected:
    expected = in_doubt_after(world, "envelope-refused", {"kind": "http_500_envelope"})
    assert expected.export.charged() == 0
    return expected


@BOOK.case(died=GATEWAY, where="submit: accepted, and 504 without a body")
def a_gateway_error_after_accepting_leaves_its_looks_in_doubt(world: World) -> Expected:
    fault = {"kind": "http_5xx_empty", "status": 504, "accepted": True}
    return in_doubt_after(world, "gateway-accepted", fault)


@BOOK.case(died=GATEWAY, where="submit: not accepted, and 502 without a body")
def a_gateway_error_before_accepting_leaves_its_looks_in_doubt_and_unpaid(world: World) -> Expected:
    expected = in_doubt_after(world, "gateway-refused", {"kind": "http_5xx_empty", "status": 502})
    assert expected.export.charged() == 0
    return expected


@BOOK.case(died=GATEWAY, where="query: 502 without a body, 500 with an envelope, half of the JSON, a reset")
def queries_that_fail_in_every_way_are_asked_again(world: World) -> Expected:
    export = world.export("bad-queries", LOOKS)
    kinds = ("http_5xx_empty", "http_500_envelope", "truncate", "reset_mid_body", "lose_answer")
    faults = [{"kind": kind, "path": "query", "containing": export.mark, "accepted": True} for kind in kinds]
    for fault in faults[2:]:
        del fault["accepted"]  # these always come after the work is done
    with world.faults(export.name, *faults):
        assert world.start_night(export).end() == "success"
    return Expected(export, published=LOOKS)


@BOOK.case(died=VENDOR, where="query: the sub-tasks in another order")
def results_in_another_order_are_published_by_nobody(world: World) -> Expected:
    return unpublished_while(world, "swapped", {"kind": "swap_results"})


@BOOK.case(died=VENDOR, where="query: a model's URL that nobody sent")
def results_of_somebody_else_are_published_by_nobody(world: World) -> Expected:
    return unpublished_while(world, "wrong-echo", {"kind": "wrong_echo", "index": 2})


def unpublished_while(world: World, name: str, fault: dict[str, object]) -> Expected:
    """Let every answer to query be of other looks; see that no picture is taken for another's."""
    export = world.export(name, LOOKS)
    with world.faults(name, fault | {"path": "query", "times": None, "containing": export.mark}):
        assert world.start_night(export).end() == "failed"
    assert set(export.states()) == {LookState.SUBMITTED}
    return Expected(export, published=0, left=LOOKS)


@BOOK.case(died=VENDOR, where="result links: dead on arrival")
def links_that_are_dead_are_asked_for_anew(world: World) -> Expected:
    export = world.export("dead-links", LOOKS)
    fault = {"kind": "expire_early", "path": "query", "times": None, "containing": export.mark}
    with world.faults(export.name, fault):
        night = world.start_night(export)
        until(
            lambda: [one for one in night.tasks(BATCH) if one.try_number > 1],
            "publish has failed for its dead links and is tried again",
        )
    assert night.end() == "success"
    return Expected(export, published=LOOKS)


@BOOK.case(died=VENDOR, where="result pictures: a page of HTML, half a picture, 503")
def pictures_that_are_none_are_fetched_again(world: World) -> Expected:
    export = world.export("bad-pictures", LOOKS)
    night = world.start_night(export)
    (call,) = until(lambda: export.calls(SubmissionState.SUBMITTED), "the vendor has accepted")
    mine = {"path": "result", "containing": call.result_key}
    faults = (
        {"kind": "spoil_picture", "how": "not_a_picture", **mine},
        {"kind": "truncate", **mine},
        {"kind": "http_5xx_empty", "status": 503, **mine},
    )
    with world.faults(export.name, *faults):
        assert night.end() == "success"
    return Expected(export, published=LOOKS)


@BOOK.case(died=VENDOR, where="a sub-task ends FAILED")
def a_look_that_the_vendor_fails_leaves_the_others_alone(world: World) -> Expected:
    export = world.export("failed-sub-task", LOOKS)
    with world.faults(export.name, {"kind": "fail_sub_task", "index": 1, "containing": export.mark}):
        assert world.start_night(export).end() == "success"
    return Expected(export, published=LOOKS - 1, refused=1)


@BOOK.case(died=VENDOR, where="three pictures of twelve are refused")
def refused_pictures_are_found_by_splitting_and_the_others_go_through(world: World) -> Expected:
    export = world.export("refused-pictures", 12)
    with world.faults(export.name, *export.refused(0, 6, 11)):
        assert world.start_night(export).end() == "success"
    return Expected(export, published=9, refused=3)


@BOOK.case(
    died="the AppCode (revoked, then put right)", where="after a night has submitted, before it has collected"
)
def a_revoked_appcode_stops_the_night_and_loses_nothing(world: World) -> Expected:
    export = world.export("revoked", LOOKS)
    with world.faults(export.name, {"kind": "still_running", "times": None, "containing": export.mark}):
        night = world.start_night(export)
        night.wait_for_tasks(BATCH, "deferred")
        (call,) = export.calls(SubmissionState.SUBMITTED)
        with world.faults("revoked", {"kind": "revoke_appcode", "containing": call.result_key}):
            assert night.end() == "failed"
            assert set(export.states()) == {LookState.SUBMITTED}
    return Expected(export, published=0, left=LOOKS)


@BOOK.case(died="the vendor (30 % of all calls throttled)", where="submit and query, by vendor and gateway")
def throttling_only_slows_a_night_down(world: World) -> Expected:
    export = world.export("throttled", LOOKS)
    throttle = {"kind": "throttle", "times": None, "probability": 0.3, "containing": export.mark}
    with world.faults(export.name, throttle, throttle | {"style": "gateway"}):
        assert world.start_night(export).end() == "success"
    return Expected(export, published=LOOKS)


@pytest.mark.parametrize("case", BOOK.cases, ids=str)
def test_no_look_is_paid_twice_though(case: Case, row_of: Callable[[Case], Row]) -> None:
    assert row_of(case).most_charges == 1
