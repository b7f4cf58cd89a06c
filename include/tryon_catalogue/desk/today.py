"""What is to be known and done today: runs, what waits for a person, money, and where each is settled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, select

from tryon_catalogue.budget.commitments import is_closed
from tryon_catalogue.budget.packs import read_packs
from tryon_catalogue.ledger.states import PAID, SubmissionState
from tryon_catalogue.ledger.tables import looks, runs, submission_looks, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.approval import open_approvals
from tryon_catalogue.reporting.account.facts import Account
from tryon_catalogue.reporting.account.wording import headline
from tryon_catalogue.reporting.status import LATELY
from tryon_catalogue.submission.stops import active_stops

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from tryon_catalogue.desk.serving import Shop

RUNS: Final = 8
"""Runs that the page shows."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Things that wait for a person.

    Attributes:
        since: Of the oldest; None where nothing waits.
    """

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class RecentRun:
    """A run on the page.

    Attributes:
        state: Where it is: a name among the page's texts.
        text: What became of it, in a line; empty while there is no account.
    """

    dag_id: str
    run_id: str
    started_at: datetime
    export: str
    state: str
    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Month:
    """What the month has cost.

    Attributes:
        pictures: That were paid for.
        amount: What they cost.
    """

    pictures: int
    amount: Decimal


def read_today(shop: Shop) -> Mapping[str, Any]:
    """Read what the page shows."""
    settings = shop.settings
    with shop.engine.connect() as connection:
        now: datetime = connection.execute(select(func.now())).scalar_one()
        late_after = timedelta(minutes=settings.alerts.late_after_minutes)
        oldest = connection.execute(
            select(func.min(submissions.c.answered_at)).where(
                submissions.c.state == SubmissionState.SUBMITTED.value
            )
        ).scalar_one()
        doubts = _waiting_doubts(connection)
        return {
            "now": now,
            "reviews": _waiting(connection, LookState.REVIEW),
            "doubts": doubts[0],
            "doubts_amount": doubts[1],
            "approvals": open_approvals(connection),
            "stops": active_stops(connection),
            "late": _late(connection, late_after),
            "missing": _missing(connection),
            "oldest": None if oldest is None else now - oldest,
            "month": _month(connection),
            "packs": read_packs(connection, settings.price),
            "currency": settings.price.currency,
            "runs": _recent(connection, now, late_after),
        }


def _waiting(connection: Connection, state: LookState) -> Waiting:
    count, since = connection.execute(
        select(func.count(), func.min(looks.c.moved_at)).where(looks.c.state == state.value)
    ).one()
    return Waiting(count, since)


def _waiting_doubts(connection: Connection) -> tuple[Waiting, Decimal]:
    count, since, amount = connection.execute(
        select(
            func.count(),
            func.min(submissions.c.intended_at),
            func.coalesce(func.sum(submissions.c.amount), 0),
        ).where(submissions.c.state == SubmissionState.IN_DOUBT.value)
    ).one()
    return Waiting(count, since), amount


def _late(connection: Connection, late_after: timedelta) -> list[str]:
    began = func.greatest(runs.c.started_at, runs.c.opened_at)
    late = and_(
        ~is_closed(), began.between(func.now() - late_after - timedelta(days=7), func.now() - late_after)
    )
    return list(
        connection.execute(select(runs.c.id).where(late).order_by(runs.c.started_at.desc())).scalars()
    )


def _missing(connection: Connection) -> list[str]:
    missing = select(runs.c.problem).where(
        runs.c.problem.is_not(None), runs.c.started_at > func.now() - LATELY
    )
    return list(connection.execute(missing.order_by(runs.c.started_at)).scalars())


def _month(connection: Connection) -> Month:
    of_month = (
        select(submissions.c.id, submissions.c.inference_num, submissions.c.amount)
        .where(
            submissions.c.state.in_(PAID),
            submissions.c.intended_at >= func.date_trunc("month", func.now(), "UTC"),
        )
        .cte("of_month")
    )
    pictures = (
        select(func.coalesce(func.sum(of_month.c.inference_num), 0))
        .select_from(of_month.join(submission_looks, submission_looks.c.submission_id == of_month.c.id))
        .scalar_subquery()
    )
    amount = select(func.coalesce(func.sum(of_month.c.amount), 0)).scalar_subquery()
    row = connection.execute(select(pictures, amount)).one()
    return Month(*row)


def _recent(connection: Connection, now: datetime, late_after: timedelta) -> list[RecentRun]:
    rows = connection.execute(
        select(runs, is_closed().label("closed")).order_by(runs.c.started_at.desc()).limit(RUNS)
    ).all()
    waiting = {approval.run_id for approval in open_approvals(connection)}
    found = []
    for row in rows:
        dag_id, _, run_id = row.id.partition("/")
        state, tone = "run_working", "other"
        if row.closed:
            state, tone = "run_ended", "good"
        elif row.id in waiting:
            state, tone = "run_asks", "warn"
        elif max(row.started_at, row.opened_at) < now - late_after:
            state, tone = "run_late", "bad"
        account = Account.from_json(row.summary) if row.closed and row.summary else None
        text = headline(account) if account else row.problem or ""
        if account and (account.problem or account.tried > account.published):
            tone = "warn"
        found.append(RecentRun(dag_id, run_id, row.started_at, str(row.export), state, text, tone))
    return found
