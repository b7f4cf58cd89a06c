"""Asking a person whether a run may spend what it would: the question, and what the answer means.

``workflow.plan_operator`` shows the question in Airflow's UI.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, update

from tryon_catalogue.budget.commitments import is_closed, note_reason
from tryon_catalogue.budget.limits import Approved
from tryon_catalogue.ledger.tables import runs
from tryon_catalogue.planning.approval_options import (
    APPROVE,
    APPROVE_UP_TO,
    REJECT,
    UP_TO_AMOUNT,
    UP_TO_LOOKS,
    AnswerError,
)
from tryon_catalogue.settings.money import Unanswered
from tryon_catalogue.words import counted, escape_markdown, money

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from tryon_catalogue.planning.reserve import Estimate
    from tryon_catalogue.settings import BudgetSettings, Price

MOST_COLLECTIONS: Final = 20
WAITS: Final = "waits for a person's approval: see the required actions of the run in the Airflow UI"
NOBODY: Final = "nobody in time"
_ANSWERED: Final = "; "  # between the question and the answer, as the ledger keeps them


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked.

    Attributes:
        subject: The question in one line.
        body: What is needed to answer it, as Markdown.
    """

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person has answered.

    Attributes:
        who: The person, or `NOBODY` where the answer was taken for given.
        approved: What may go, besides what was asked for; None when nothing may.
        at: When it was given; None where it is not known.
    """

    who: str
    approved: Approved | None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenApproval:
    """A run that waits for a person's word on what it may spend.

    Attributes:
        run_id: ``dag_id/run_id``.
        amount: What it asks for, in the currency of the settings.
        question: What it asks, in words.
        since: When the run began.
    """

    run_id: str
    amount: Decimal
    question: str
    since: datetime


def open_approvals(connection: Connection) -> tuple[OpenApproval, ...]:
    """Read the questions that nobody has answered yet, oldest first."""
    rows = connection.execute(
        select(runs.c.id, runs.c.asked_amount, runs.c.approval, runs.c.started_at)
        .where(
            runs.c.asked_amount.is_not(None),
            ~runs.c.approval.contains(_ANSWERED),
            ~is_closed(),
        )
        .order_by(runs.c.started_at, runs.c.id)
    )
    return tuple(OpenApproval(row.id, row.asked_amount, row.approval, row.started_at) for row in rows)


def asks_first(estimate: Estimate, budget: BudgetSettings) -> bool:
    """Say whether a person decides on a run before it sends anything."""
    above = budget.approve_above
    # What a person has approved of this run before holds, even where it is less than what needs no approval.
    free = above if estimate.approved is None else estimate.approved
    return bool(above and estimate.looks and estimate.in_all > free)


def question_of(estimate: Estimate, price: Price, budget: BudgetSettings) -> Question | None:
    """Give the question that an estimate calls for; None when the run may go without an approval."""
    if not asks_first(estimate, budget):
        return None
    above = budget.approve_above
    cost = money(estimate.amount, price.currency)
    intro = (
        f"The run would send {counted(estimate.looks, 'look')}, which the vendor charges as "
        f"{counted(estimate.uses, 'use')}: {cost}. Above {money(above, price.currency)} a person decides."
    )
    parts = [[intro], _shares(estimate, price), _beside(estimate, price), _answers(budget)]
    return Question(
        f"Spend {cost} on {counted(estimate.looks, 'look')}?",
        "\n\n".join("\n".join(lines) for lines in parts),
    )


def _shares(estimate: Estimate, price: Price) -> list[str]:
    """Write what each collection has of it."""
    rows = [
        (escape_markdown(share.collection) or "none", share.looks, share.amount)
        for share in estimate.shares[:MOST_COLLECTIONS]
    ]
    if rest := estimate.shares[MOST_COLLECTIONS:]:
        amount = sum((share.amount for share in rest), Decimal(0))
        rows.append((f"{len(rest)} more", sum(share.looks for share in rest), amount))
    if len(rows) > 1:
        rows.append(("in all", estimate.looks, estimate.amount))
    lines = [f"| {name} | {looks_:,} | {money(amount, price.currency)} |" for name, looks_, amount in rows]
    return ["| Collection | Looks | Cost |", "| --- | ---: | ---: |", *lines]


def _beside(estimate: Estimate, price: Price) -> list[str]:
    """Write what else there is to know before one answers."""
    rows = counted(estimate.rejected_rows, "row")
    lines = [f"- {rows} of the export cannot be used; the run's report says why"]
    if estimate.before:
        lines.append(f"- {money(estimate.before, price.currency)} were spent or reserved by this run before")
    return lines + [f"- {escape_markdown(text)}" for text in (*estimate.held_back, *estimate.warnings)]


def _answers(budget: BudgetSettings) -> list[str]:
    """Write what each answer does; button by button, for Airflow shows no emphasis."""
    taken_for = {Unanswered.APPROVE: APPROVE, Unanswered.REJECT: REJECT}[budget.unanswered]
    return [
        f"- “{APPROVE}” sends these looks and no more.",
        f"- “{APPROVE_UP_TO}” sends the first of them: give a number of looks, or an amount in the currency above.",
        f"- “{REJECT}” sends nothing; what an export names later is asked for again.",
        f"- No answer within {budget.answer_within_hours:g} hours is taken for “{taken_for}”.",
    ]


def answer_of(
    option: str, inputs: Mapping[str, object], who: str | None, at: datetime | None = None
) -> Answer:
    """Read an answer.

    Args:
        option: One of ``approval_options.OPTIONS``.
        inputs: The bounds that were given, each a number or None.
        who: The person; None when the time was up.
        at: When.

    Raises:
        AnswerError: A bound is asked for and none is given.
    """
    name = who or NOBODY
    if option == REJECT:
        return Answer(name, None, at)
    looks_, amount = inputs.get(UP_TO_LOOKS), inputs.get(UP_TO_AMOUNT)
    if option == APPROVE_UP_TO and looks_ is None and amount is None:
        raise AnswerError(
            f'"{APPROVE_UP_TO}" was chosen without a number: give {UP_TO_LOOKS} or {UP_TO_AMOUNT}. '
            "The question is asked again."
        )
    # A bound that was filled in counts even where the other button was pressed.
    return Answer(
        name,
        Approved(
            amount=None if amount is None else Decimal(str(amount)),
            looks=None if looks_ is None else int(str(looks_)),
        ),
        at,
    )


def record_question(engine: Engine, run_id: str, estimate: Estimate, price: Price) -> None:
    """Keep what was asked: an approval is of that, and not of what has come to it since."""
    asked = f"asked for {money(estimate.amount, price.currency)} for {counted(estimate.looks, 'look')}"
    with engine.begin() as connection:
        note_reason(connection, run_id, WAITS)
        connection.execute(
            update(runs)
            .where(runs.c.id == run_id)
            .values(asked_amount=estimate.amount, approval=asked, answered_by=None, answered_at=None)
        )


def record_answer(engine: Engine, run_id: str, answer: Answer, price: Price) -> Approved | None:
    """Keep what was answered, and give what may go by it.

    Returns:
        Bounds for ``reserve.cut_run``; None when nothing may go.
    """
    with engine.begin() as connection:
        asked, approval = connection.execute(
            select(runs.c.asked_amount, runs.c.approval).where(runs.c.id == run_id)
        ).one()
        if answer.approved is None:
            outcome = f"rejected by {answer.who}"
            note_reason(
                connection, run_id, f"not approved: {outcome}; it is asked for again when an export names it"
            )
            connection.execute(update(runs).where(runs.c.id == run_id).values(cut_at=func.now()))
            approved = None
        else:
            most = answer.approved.amount
            approved = Approved(asked if most is None else min(asked, most), answer.approved.looks)
            bounds = [f"up to {money(approved.amount or asked, price.currency)}"]
            bounds += [counted(approved.looks, "look")] if approved.looks is not None else []
            outcome = f"approved by {answer.who}: {', '.join(bounds)}"
        # A second try of the task gets the same answer: it says the same.
        question = approval.partition(_ANSWERED)[0]
        person = None if answer.who == NOBODY else answer.who
        connection.execute(
            update(runs)
            .where(runs.c.id == run_id)
            .values(approval=f"{question}{_ANSWERED}{outcome}", answered_by=person, answered_at=answer.at)
        )
    return approved
