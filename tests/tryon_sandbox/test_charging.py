"""What is charged, and for which look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tryon_sandbox.settings import BadImage, FailedLooks, Use


def test_the_same_pictures_at_another_address_are_told_beside(caller: Any, shelf: Any, draw: Any) -> None:
    for _ in range(2):
        caller.submitted(caller.task(tops_image=shelf.put(draw.shirt((9, 8, 7)))))

    charges = caller.running.charges()

    assert (charges.max_times_one_look_was_charged, len(charges.looks)) == (1, 2)
    assert charges.max_times_the_same_pictures_were_charged == 2


def test_the_same_pictures_behind_another_signature_are_the_same_look(
    caller: Any, shelf: Any, draw: Any
) -> None:
    first, second = (shelf.put(draw.shirt((9, 8, 7)), f"signed.png?sig={number}") for number in (1, 2))
    keys = [caller.submitted(caller.task(tops_image=url)) for url in (first, second)]

    charges = caller.running.charges()

    (look,) = charges.looks
    assert (charges.uses, charges.max_times_one_look_was_charged) == (2, 2)
    assert (look.times, look.result_keys, look.tops_image) == (2, keys, first)
    assert set(look.urls) == {caller.wardrobe.model, first, second}


def test_other_pictures_at_the_same_address_are_another_look(
    open_sandbox: Callable[..., Any], shelf: Any, draw: Any
) -> None:
    caller = open_sandbox(image_cache=0)
    url = shelf.put(draw.shirt((1, 1, 1)), "changing.png")
    caller.submitted(caller.task(tops_image=url))
    shelf.put(draw.shirt((250, 1, 1)), "changing.png")
    caller.submitted(caller.task(tops_image=url))

    charges = caller.running.charges()

    assert (len(charges.looks), charges.max_times_one_look_was_charged) == (2, 1)


def test_looks_whose_pictures_never_came_are_told_apart_by_their_urls(
    open_sandbox: Callable[..., Any], shelf: Any
) -> None:
    caller = open_sandbox(bad_image=BadImage.FAIL)
    for name in ("gone-1.png", "gone-2.png", "gone-2.png"):
        caller.submitted(caller.task(tops_image=f"{shelf.base}/{name}"))

    assert [look.times for look in caller.running.charges().looks] == [1, 2]


@pytest.mark.parametrize(
    ("use", "failed", "uses", "of_each"),
    [
        ("picture", "charged", 6, [2, 4]),
        ("picture", "free", 4, [0, 4]),
        ("look", "charged", 3, [1, 2]),
        ("look", "free", 2, [0, 2]),
        ("submission", "charged", 2, [1, 1]),
        ("submission", "free", 2, [1, 1]),
    ],
)
def test_what_a_use_is_and_what_a_failed_look_costs_can_be_set(
    open_sandbox: Callable[..., Any], use: str, failed: str, uses: int, of_each: list[int]
) -> None:
    caller = open_sandbox(use=Use(use), failed=FailedLooks(failed), credits=10)
    caller.running.set_faults({"kind": "fail_sub_task", "index": 0})
    other = caller.task(pants_image=caller.wardrobe.trousers)
    caller.submitted(caller.task(), other, number=2)
    caller.submitted(other, number=2)

    charges = caller.running.charges()

    assert (charges.uses, charges.credits_left) == (uses, 10 - uses)
    assert [look.uses for look in charges.looks] == of_each
    given_back = failed == "free" and use != "submission"
    assert [look.charged for look in charges.looks] == [0 if given_back else 1, 2]
    assert [look.times for look in charges.looks] == [1, 2]


def test_the_uses_of_a_failed_look_are_given_back_once_it_has_failed(
    open_sandbox: Callable[..., Any], clock: Any
) -> None:
    caller = open_sandbox(failed=FailedLooks.FREE, credits=1, latency=10, clock=clock)
    caller.running.set_faults({"kind": "fail_sub_task", "index": 0})
    caller.submitted()

    assert caller.submit().json()["code"] == "23500003"
    clock.now += 10
    assert caller.submit().status_code == 200
    charges = caller.running.charges()
    assert (charges.uses, charges.max_times_one_look_was_charged) == (1, 1)
