"""When a submission will be ready, by how long those before it have lately taken.

The vendor works off what it has, so a submission takes as long as what is in front of it and itself: seconds for each
picture, which the ledger knows of the last submissions that have ended.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from tryon_catalogue.ledger.tables import submission_looks, submissions
from tryon_catalogue.submission.turns import clock

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Engine

WINDOW: Final = 200
"""The newest submissions of a connection, those that are looked at."""
ENDED: Final = 30
"""Of them, the last that have ended are what is gone by."""
FEWEST: Final = 3
QUICK_SHARE: Final = 0.25
"""So many of them were as quick as is reckoned with: too early costs a query, too late costs the picture's time."""
EARLY: Final = 0.9
"""Share of the time reckoned after which is first looked: a vendor that has become quicker is noticed by that."""
LONGEST: Final = 600.0
"""Seconds that the first look is put off at most."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """When to look.

    Attributes:
        first_poll_after: Seconds from now.
        seconds_per_picture: That the vendor takes for one.
    """

    first_poll_after: float
    seconds_per_picture: float


@dataclass(frozen=True, slots=True)
class Sent:
    """One submission that the vendor took.

    Attributes:
        pictures: That it asks for.
        answered_at: When the vendor took it.
        ended_at: When it was seen to have ended; None before.
    """

    id: int
    pictures: int
    answered_at: datetime
    ended_at: datetime | None


def expect(
    engine: Engine, conn_id: str, result_keys: Collection[str], longest: timedelta
) -> Readiness | None:
    """Say when submissions will be ready.

    Args:
        longest: How long a submission may take; what is older is not waited for.

    Returns:
        None while too little is known.
    """
    size = select(func.count()).where(submission_looks.c.submission_id == submissions.c.id).scalar_subquery()
    # What was collected by another way than waiting for it has ended by then.
    ended_at = func.coalesce(submissions.c.ended_at, submissions.c.collected_at)
    query = (
        select(
            submissions.c.id,
            (size * submissions.c.inference_num).label("pictures"),
            submissions.c.answered_at,
            ended_at.label("ended_at"),
            submissions.c.result_key.in_(result_keys).label("ours"),
            clock.label("now"),
        )
        .where(submissions.c.conn_id == conn_id, submissions.c.result_key.is_not(None))
        .order_by(submissions.c.id.desc())
        .limit(WINDOW)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    sent = [Sent(row.id, row.pictures, row.answered_at, row.ended_at) for row in rows]
    ours = [submission for submission, row in zip(sent, rows, strict=True) if row.ours]
    per_picture = seconds_per_picture(sent, longest)
    if per_picture is None or not ours:
        return None
    last = max(ours, key=lambda submission: submission.id)
    takes = per_picture * in_front_of(last, sent, longest)
    passed = (rows[0].now - last.answered_at).total_seconds()
    return Readiness(min(LONGEST, max(0.0, EARLY * takes - passed)), per_picture)


def seconds_per_picture(sent: Sequence[Sent], longest: timedelta) -> float | None:
    """Give what the vendor has lately taken for a picture, counting what was in front of it; None when unknown.

    Args:
        longest: How long one may take.
    """
    ended = sorted(
        (submission for submission in sent if submission.ended_at is not None),
        key=lambda submission: str(submission.ended_at),
    )[-ENDED:]
    taken = sorted(
        (submission.ended_at - submission.answered_at).total_seconds()
        / in_front_of(submission, sent, longest)
        for submission in ended
        if submission.ended_at is not None and submission.pictures
    )
    return taken[int(len(taken) * QUICK_SHARE)] if len(taken) >= FEWEST else None


def in_front_of(this: Sent, sent: Sequence[Sent], longest: timedelta) -> int:
    """Count the pictures that the vendor had to make when it took a submission, its own included.

    Args:
        sent: Submissions, itself among them.
        longest: How long one may take.
    """
    return sum(
        submission.pictures
        for submission in sent
        if submission.id <= this.id
        and submission.answered_at > this.answered_at - longest
        and (submission.ended_at is None or submission.ended_at > this.answered_at)
    )
