"""Finding what was paid for and nobody has collected, and what was begun to be sent and never settled.

A run can die, be cleared, marked failed or deleted: what it left is in the ledger, and its age alone tells that nobody
attends to it, because collecting beside a live run harms nothing. This module finds and names; waiting and publishing
is done by the pieces that the night uses.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from sqlalchemy import func, select, union

from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import batches, looks, run_looks, runs, submission_looks, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.submission.journal import SECONDS_TO_KEEP_TRYING, doubt_unanswered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from tryon_catalogue.ledger.moves import Mover

MOST_BATCHES: Final = 500
"""Mapped tasks of one recovery: below Airflow's ``max_map_length``. The oldest come first, the rest comes next."""


class Caller(Protocol):
    """What is asked of the vendor's hook."""

    @property
    def longest_submit_seconds(self) -> float:
        """The longest that one call of ``submit`` takes, in seconds, where the vendor stays silent."""


def longest_life_of_an_intent(hook: Caller) -> timedelta:
    """Give the time within which a living process settles what it has begun to send.

    Args:
        hook: What sends.
    """
    return timedelta(seconds=hook.longest_submit_seconds + SECONDS_TO_KEEP_TRYING)


def uncollected_batches(engine: Engine, older_than: timedelta) -> tuple[int, ...]:
    """Find the batches with a submission that was sent some time ago and is not collected.

    Not since its answer: one that was in doubt and was found is due at once, for its pictures may be ready and their
    links die.

    Args:
        older_than: How long ago it was sent, at least.

    Returns:
        Ids of batches, the one with the oldest submission first; ``MOST_BATCHES`` at the most.
    """
    with engine.connect() as connection:
        return tuple(
            connection.execute(
                select(submissions.c.batch_id)
                .where(
                    submissions.c.state == SubmissionState.SUBMITTED.value,
                    submissions.c.intended_at < func.now() - older_than,
                )
                .group_by(submissions.c.batch_id)
                .order_by(func.min(submissions.c.intended_at), submissions.c.batch_id)
                .limit(MOST_BATCHES)
            ).scalars()
        )


def doubt_abandoned(engine: Engine, older_than: timedelta, by: Mover) -> tuple[int, ...]:
    """Put in doubt every submission that was begun some time ago and has no outcome.

    Should its answer come after all, the process that waited for it settles the doubt.

    Args:
        older_than: How long ago it was begun, at least: more than any call can take.
        by: Who says so.

    Returns:
        Ids of the submissions.
    """
    return doubt_unanswered(engine, submissions.c.intended_at < func.now() - older_than, by)


def runs_of(engine: Engine, batch_ids: Sequence[int]) -> tuple[str, ...]:
    """Find the runs that asked for a look which some batches carry.

    Args:
        batch_ids: The batches.

    Returns:
        Ids of runs, the newest first.
    """
    asked = (
        select(run_looks.c.run_id)
        .join(submission_looks, submission_looks.c.look_key == run_looks.c.look_key)
        .join(submissions, submissions.c.id == submission_looks.c.submission_id)
        .where(submissions.c.batch_id.in_(batch_ids))
    )
    carried = select(batches.c.run_id).where(batches.c.id.in_(batch_ids))
    with engine.connect() as connection:
        return tuple(
            connection.execute(
                select(runs.c.id)
                .where(runs.c.id.in_(union(asked, carried)))
                .order_by(runs.c.started_at.desc(), runs.c.id)
            ).scalars()
        )


def runs_with_news(engine: Engine, recovery_id: str) -> frozenset[str]:
    """Find the runs that asked for a look whose pictures a recovery put into the catalogue.

    Args:
        recovery_id: The recovery's run, in the ledger's words.
    """
    with engine.connect() as connection:
        return frozenset(
            connection.execute(
                select(run_looks.c.run_id)
                .join(looks, looks.c.key == run_looks.c.look_key)
                .where(looks.c.moved_run == recovery_id, looks.c.state == LookState.PUBLISHED.value)
            ).scalars()
        )
