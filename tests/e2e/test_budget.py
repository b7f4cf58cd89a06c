"""Limits and approvals, in real processes: what fits is published, the rest says what it waits for and goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import func, update

from tests.e2e.books import Books
from tests.e2e.questions import wait_for_question
from tests.e2e.waiting import until
from tests.e2e.world import Night, World
from tryon_catalogue.ledger.tables import submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.approval_options import (
    APPROVE,
    APPROVE_UP_TO,
    REJECT,
    UP_TO_AMOUNT,
    UP_TO_LOOKS,
)
from tryon_demo.scene import DAG_ID

A_LOOK = 0.95
LONG, SHORT = 12.0, 0.001  # hours to answer in
LOOKS = 4


@dataclass(frozen=True)
class Reply:
    """What a person says to a night that asks, and what has to come of it.

    Attributes:
        name: Of the night.
        option: chosen; None when nobody answers.
        goes: Looks that are sent.
        words: In the run's account.
        values: Filled in.
    """

    name: str
    option: str | None
    goes: int
    words: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


UNANSWERED = Reply("unanswered", None, 0, "rejected by nobody in time")
ANSWERED = (
    Reply("approved", APPROVE, LOOKS, "approved by admin: up to ¥3.80"),
    Reply("approved-in-part", APPROVE_UP_TO, 1, "approved by admin: up to ¥3.80, 1 look", {UP_TO_LOOKS: 1}),
    Reply("rejected", REJECT, 0, "rejected by admin"),
)


@dataclass(frozen=True)
class Seen:
    """What a night had come to when it was looked at.

    Attributes:
        night: The night.
        state: Of its run.
        books: What is known of its looks.
        charged: Of its looks, how many are on the bill.
        account: What its last task gave.
    """

    night: Night
    state: str
    books: Books
    charged: int
    account: Mapping[str, Any]

    def counted(self) -> tuple[str, int, int, int]:
        """Give the run's state, the looks published, the looks that wait and the looks on the bill."""
        self.books.check()  # nothing is charged twice
        states = self.books.states
        return self.state, states[LookState.PUBLISHED], states[LookState.PLANNED], self.charged

    @property
    def reasons(self) -> set[str | None]:
        """Why its looks wait."""
        return {look.reason for look in self.books.looks if look.state is LookState.PLANNED}


def look_at(night: Night) -> Seen:
    """Look at a night that has ended."""
    account = night.world.scene.api.xcom(DAG_ID, night.run_id, "account")
    return Seen(night, night.state(), night.export.books(), night.export.charged(), account)


def let_a_day_pass(world: World) -> None:
    """Let everything sent so far have been sent a day earlier, which is all that a day's limit goes by."""
    earlier = submissions.c.intended_at - func.make_interval(0, 0, 0, 1)
    with world.ledger.begin() as connection:
        connection.execute(update(submissions).values(intended_at=earlier))


# Each goes on where the one before has ended: what waits, goes first in whichever night comes next.


@pytest.fixture(scope="module")
def days(world: World) -> list[Seen]:
    """Two days with money for two looks each, three wanted on the first and one more on the second."""
    seen = []
    # Below the threshold nobody is asked: the nights end by themselves.
    with world.settings_file.budget(per_day=2 * A_LOOK, approve_above=2 * A_LOOK):
        for name, count in (("today", 3), ("tomorrow", 1)):
            let_a_day_pass(world)
            night = world.night_of(name, count)
            night.end()
            seen.append(look_at(night))
    return seen


@pytest.fixture(scope="module")
def replies(world: World, days: list[Seen]) -> Mapping[str, Seen]:
    """Nights of four looks that have asked side by side, been answered or not, and ended; by name."""
    above = 2 * A_LOOK
    with world.settings_file.budget(approve_above=above, answer_within_hours=SHORT):
        nights = [start(world, UNANSWERED)]
        until(lambda: nights[0].export.books().looks, "the first night has read its export", every=0.3)
        wait_for_question(nights[0])
    with world.settings_file.budget(approve_above=above, answer_within_hours=LONG):
        nights += [start(world, reply) for reply in ANSWERED]
        for night in nights[1:]:
            wait_for_question(night)
        for reply, night in zip(ANSWERED, nights[1:], strict=True):
            values = {UP_TO_LOOKS: None, UP_TO_AMOUNT: None, **reply.values}
            world.scene.api.answer(DAG_ID, night.run_id, "plan", [str(reply.option)], values=values)
            # One after the other: what is held back of one would go first in the next that is cut.
            night.wait_for_tasks("plan", "success")
        for night in nights:
            night.end()
    return {night.run_id: look_at(night) for night in nights}


def start(world: World, reply: Reply) -> Night:
    """Start a night that a person is asked about."""
    return world.start_night(world.export(reply.name, LOOKS, ("linen", "denim")))


@pytest.fixture(scope="module")
def afterwards(world: World, replies: Mapping[str, Seen]) -> Mapping[str, Seen]:
    """The same nights after another night on the rejected export, without a limit."""
    world.start_night(replies["rejected"].night.export, "asked-again").end()
    return {name: look_at(seen.night) for name, seen in replies.items()}


def test_a_day_with_too_little_money_publishes_a_part_and_says_what_the_rest_waits_for(
    days: list[Seen],
) -> None:
    today = days[0]
    assert today.counted() == ("success", 2, 1, 2)
    (reason,) = today.reasons
    assert reason is not None
    assert "per_day = ¥1.90 is taken up; it goes first in the next run" in reason
    assert today.account["held"] == 1


def test_the_next_day_goes_on_with_what_waited(days: list[Seen]) -> None:
    assert look_at(days[0].night).counted() == ("success", 3, 0, 3)
    assert days[1].counted() == ("success", 1, 0, 1)
    assert days[1].account["cost"] == "1.90"


@pytest.mark.parametrize("reply", [UNANSWERED, *ANSWERED], ids=str)
def test_a_person_says_how_much_a_night_may_spend(reply: Reply, replies: Mapping[str, Seen]) -> None:
    seen = replies[reply.name]
    assert seen.counted() == ("success", reply.goes, LOOKS - reply.goes, reply.goes)
    assert reply.words in seen.account["approval"]


def test_what_was_not_approved_goes_when_an_export_names_it_and_what_was_held_back_by_itself(
    afterwards: Mapping[str, Seen],
) -> None:
    published = {name: seen.counted()[1] for name, seen in afterwards.items()}
    assert published == {
        "approved": LOOKS,
        "approved-in-part": LOOKS,
        "rejected": LOOKS,
        "unanswered": 0,
    }
