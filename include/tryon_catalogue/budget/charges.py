"""Submissions as the vendor charges them: each once, by the settings, summed by the database.

A ledger of years has a hundred thousand of them: whoever needs sums asks for sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, literal, or_, select, true

from tryon_catalogue.ledger.states import MAY_COST, PAID, SubmissionState
from tryon_catalogue.ledger.tables import look_moves, submission_looks, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.settings.money import FailedLooks, Use

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy import CTE, ColumnElement, Subquery

    from tryon_catalogue.settings import Price

DIGITS: Final = 4
"""Decimal places of what a submission costs."""


def failed_are_free(price: Price) -> bool:
    """Whether looks that the vendor FAILED cost nothing."""
    return price.failed is FailedLooks.FREE and price.use is not Use.SUBMISSION


def failed_looks() -> CTE:
    """Give ``submission_id`` and ``look_key`` of each look that the vendor FAILED.

    A look that failed may have been sent again: the failure is of the submission that came before it.
    """
    sent_before = (
        select(submissions.c.id, submissions.c.answered_at)
        .join(submission_looks, submission_looks.c.submission_id == submissions.c.id)
        .where(
            submission_looks.c.look_key == look_moves.c.look_key,
            submissions.c.intended_at <= look_moves.c.moved_at,
        )
        .order_by(submissions.c.id.desc())
        .limit(1)
        .lateral("sent_before")
    )
    return (
        select(sent_before.c.id.label("submission_id"), look_moves.c.look_key)
        .select_from(look_moves.join(sent_before, true()))
        .where(
            look_moves.c.from_state == LookState.SUBMITTED.value,
            look_moves.c.to_state == LookState.FAILED.value,
            sent_before.c.answered_at <= look_moves.c.moved_at,
        )
        .distinct()
        .cte("failed_looks")
    )


def charges(price: Price, *, with_failed: bool = False) -> Subquery:
    """Select every submission that is or may be charged.

    Args:
        price: What failed looks cost.
        with_failed: Count the failed looks also where they cost what others do; they are 0 otherwise.

    Returns:
        All columns of ``submissions``, with ``uses`` and ``amount`` as they are charged, and: ``at``, when it was
        answered, or sent where no answer came; ``charged``, false where nobody knows; ``failed``, a number of looks.
    """
    free = failed_are_free(price)
    own = [column for column in submissions.c if column.name not in {"uses", "amount"}]
    at = func.coalesce(submissions.c.answered_at, submissions.c.intended_at).label("at")
    charged = submissions.c.state.in_(PAID).label("charged")
    which = (
        submissions.c.state.in_(MAY_COST),
        # What a person has declared lost costs nothing.
        or_(submissions.c.state != SubmissionState.WRITTEN_OFF.value, submissions.c.amount > 0),
    )
    uses: ColumnElement[Any] = submissions.c.uses
    amount: ColumnElement[Any] = submissions.c.amount
    if not (free or with_failed):
        none = literal(0).label("failed")
        return select(*own, uses, amount, at, charged, none).where(*which).subquery("charges")
    found = failed_looks()
    counts = (
        select(found.c.submission_id, func.count().label("looks")).group_by(found.c.submission_id).subquery()
    )
    failed = func.coalesce(counts.c.looks, 0)
    if free:
        sent, paid = func.nullif(submissions.c.looks, 0), submissions.c.looks - failed
        uses = (submissions.c.uses * paid // sent).label("uses")
        amount = func.round(submissions.c.amount * paid / sent, DIGITS).label("amount")
    return (
        select(*own, uses, amount, at, charged, failed.label("failed"))
        .select_from(submissions.outerjoin(counts, counts.c.submission_id == submissions.c.id))
        .where(*which)
        .subquery("charges")
    )
