"""Counts what became of a run, as the ledger has it at that moment: the one reading that everybody shows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import case, func, or_, select

from tryon_catalogue.budget.commitments import is_closed
from tryon_catalogue.exports import ROSTER_LINE
from tryon_catalogue.ledger.pictures import newest_pictures
from tryon_catalogue.ledger.states import PAID, SHOWN
from tryon_catalogue.ledger.tables import batches, looks, pictures, rejections, run_looks, runs, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.request import Request
from tryon_catalogue.reporting.account.facts import Account, commonest_first

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row, Select

NO_REASON: Final = "not sent; the log of the run's tasks says why"


def every_run() -> Select[Any]:
    """Select the rows of runs, each with ``is_closed``: whether it has ended."""
    return select(runs, is_closed().label("is_closed"))


def count_run(connection: Connection, run: Row[Any], currency: str) -> Account:
    """Count what became of a run.

    Args:
        connection: In a transaction that sees one moment, where other figures of the run are read beside these.
        run: As ``every_run`` selects it.
    """
    ours = batches.c.run_id.is_not_distinct_from(run.id)
    of_nobody = carried_by_nobody(run.started_at)
    # Of what was sent, the reasons are as many as the looks.
    unsent = or_(of_nobody, looks.c.state == LookState.PLANNED)
    reason = case((unsent, func.coalesce(looks.c.reason, NO_REASON)), else_="")
    counted = connection.execute(
        select(ours, of_nobody, looks.c.state, reason, func.count())
        .join(run_looks, run_looks.c.look_key == looks.c.key)
        .outerjoin(batches, batches.c.id == looks.c.batch_id)
        .where(run_looks.c.run_id == run.id)
        .group_by(ours, of_nobody, looks.c.state, reason)
    ).all()
    by_state, held_for, unsent_for = Counter[str](), Counter[str](), Counter[str]()
    elsewhere = 0
    for is_ours, is_of_nobody, state, why, count in counted:
        if is_of_nobody:
            held_for[why] += count
        elif not is_ours:
            elsewhere += count
        else:
            by_state[state] += count
            unsent_for[why] += count if state == LookState.PLANNED else 0
    calls, uses, cost = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(submissions.c.uses), 0),
            func.coalesce(func.sum(submissions.c.amount), 0),
        ).where(submissions.c.run_id == run.id, submissions.c.state.in_(PAID))
    ).one()
    of_run = rejections.c.run_id == run.id
    rejected_rows = connection.execute(
        select(func.count(rejections.c.line.distinct())).where(of_run, rejections.c.line > ROSTER_LINE)
    ).scalar_one()
    by_rule = connection.execute(
        select(rejections.c.rule, func.count()).where(of_run).group_by(rejections.c.rule)
    ).all()
    kept = connection.execute(
        select(func.count())
        .select_from(pictures)
        .join(run_looks, run_looks.c.look_key == pictures.c.look_key)
        .join(looks, looks.c.key == pictures.c.look_key)
        .join(batches, batches.c.id == looks.c.batch_id)
        .where(run_looks.c.run_id == run.id, batches.c.run_id == run.id, newest_pictures())
    ).scalar_one()
    request = Request.model_validate(run.request)
    planned = run.planned_at is not None
    return Account(
        run_id=run.id,
        rows=run.rows_read,
        rejected_rows=rejected_rows,
        rejections=commonest_first(dict(by_rule)),
        further=run.rows_further,
        left_out=run.rows_left_out,
        notes=tuple(run.reading_notes),
        may_be_empty=(run.summary or {}).get("may_be_empty", True),
        known=run.looks_known,
        looks={state.value: by_state[state] for state in SHOWN if by_state[state]},
        elsewhere=elsewhere,
        held_for=commonest_first(held_for),
        unsent_for=commonest_first(+unsent_for),
        pictures=kept,
        submissions=calls,
        uses=uses,
        cost=cost,
        currency=currency,
        estimate=run.estimated_amount,
        approval=run.approval or "",
        warnings=tuple(run.warnings),
        export_date=run.export_date,
        ended=run.is_closed,
        planned=planned,
        cut=run.cut_at is not None,
        problem=run.problem or "",
        asked_for=request.describe(currency),
        would_make=run.looks_new if request.dry_run and planned else None,
    )


def carried_by_nobody(started_at: datetime) -> ColumnElement[bool]:
    """Give the condition under which a look of a run is carried by no run, in a query of looks and the run's looks.

    Args:
        started_at: When the run was first planned.
    """
    # What was to be made again and did not go still stands where it stood.
    return or_(looks.c.batch_id.is_(None), run_looks.c.again & (looks.c.moved_at < started_at))
