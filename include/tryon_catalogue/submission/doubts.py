"""Doubts: submissions that were sent and whose answer never came, and what a person or a setting makes of them.

The vendor cannot be asked for them, so nothing here is sent again without somebody's word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from damo_tryon.contract import Answer
from tryon_catalogue.ledger.moves import move
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import garment_looks, look_moves, looks, submission_looks, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.settings import OnDoubt
from tryon_catalogue.submission.journal import sent_tasks, waits_for

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine, Row

    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.settings import Price, SafetySettings

Ask = Callable[[str], Answer]
"""``DamoTryOnHook.query``: the vendor's answer for a result key."""
AskOver = Callable[[str], Ask]
"""The same by an Airflow connection: another account does not know the key."""

FEW_SKUS = 5


class DoubtError(Exception):
    """A doubt cannot be settled like that; says why, and what can be done. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One submission of which nobody knows whether the vendor has it.

    Attributes:
        id: Of the submission.
        run_id: The run that sent it.
        conn_id: The connection it went over.
        sent_at: When it was about to be sent.
        looks: How many looks it carries.
        pictures: How many pictures the vendor makes of them if it has it.
        skus: The first few of the garments.
        vendor_code: The vendor's or the gateway's code, where there was one.
        message: What is known, in words; empty where nothing is.
        request_id: The vendor's id of the call, where there was one.
        more_skus: Whether there are more than the first few.
        amount: What it costs if the vendor has it, by the price when it was sent.
    """

    id: int
    run_id: str
    conn_id: str
    sent_at: datetime
    looks: int
    pictures: int
    skus: tuple[str, ...]
    vendor_code: str | None
    message: str
    request_id: str | None
    more_skus: bool = False
    amount: Decimal = Decimal(0)


def open_doubts(connection: Connection) -> tuple[Doubt, ...]:
    """Read every doubt, oldest first."""
    return _read(connection, submissions.c.state == SubmissionState.IN_DOUBT.value)


def of_run(connection: Connection, run_id: str) -> tuple[Doubt, ...]:
    """Read the doubts among what a run has sent, oldest first.

    Args:
        run_id: ``dag_id/run_id``.
    """
    return _read(
        connection,
        (submissions.c.state == SubmissionState.IN_DOUBT.value) & (submissions.c.run_id == run_id),
    )


def _read(connection: Connection, which: ColumnElement[bool]) -> tuple[Doubt, ...]:
    found = connection.execute(select(submissions).where(which).order_by(submissions.c.id)).all()
    counts: dict[int, int] = {}
    skus: dict[int, list[str]] = {}
    named = (
        select(submission_looks.c.submission_id, garment_looks.c.sku)
        .join(submissions)
        .outerjoin(garment_looks, garment_looks.c.look_key == submission_looks.c.look_key)
        .where(which)
        .order_by(submission_looks.c.submission_id, submission_looks.c.position, garment_looks.c.sku)
    )
    for submission_id, sku in connection.execute(named):
        if sku is not None and sku not in (known := skus.setdefault(submission_id, [])):
            known.append(sku)
    for submission_id, count in connection.execute(
        select(submission_looks.c.submission_id, func.count())
        .join(submissions)
        .where(which)
        .group_by(submission_looks.c.submission_id)
    ):
        counts[submission_id] = count
    return tuple(
        Doubt(
            id=row.id,
            run_id=row.run_id,
            conn_id=row.conn_id,
            sent_at=row.intended_at,
            looks=counts[row.id],
            pictures=counts[row.id] * row.inference_num,
            skus=tuple(skus.get(row.id, [])[:FEW_SKUS]),
            more_skus=len(skus.get(row.id, [])) > FEW_SKUS,
            vendor_code=row.vendor_code,
            message=row.message or "",
            request_id=row.request_id,
            amount=row.amount,
        )
        for row in found
    )


def declare_lost(engine: Engine, submission_id: int, by: Mover) -> int:
    """Say that the vendor does not have it: its looks are planned again and may be sent by the next run.

    Returns:
        Number of looks that are planned again.

    Raises:
        DoubtError: It is not in doubt.
    """
    return _write_off(engine, submission_id, LookState.PLANNED, "declared lost", by, amount=0)


def give_up(engine: Engine, submission_id: int, by: Mover) -> int:
    """Say that nothing more is to be done: its looks are FAILED, and no run sends them again by itself.

    Returns:
        Number of looks that are given up.

    Raises:
        DoubtError: It is not in doubt.
    """
    return _write_off(engine, submission_id, LookState.FAILED, "given up", by)


def record_found(
    engine: Engine, ask_over: AskOver, submission_id: int, result_key: str, *, by: Mover, price: Price
) -> int:
    """Say which result key the vendor has it under: its looks are paid for, and are collected.

    The vendor is asked first, which is free: the key has to be of these very looks.

    Args:
        ask_over: Gives what asks the vendor, by the connection that the submission went over.
        result_key: From the vendor's bill, its support or a log.

    Returns:
        Number of looks that are collected from now on.

    Raises:
        DoubtError: It is not in doubt, or the key is known already.
        damo_tryon.errors.TryOnError: The vendor does not know the key, or it is of other looks.
    """
    with engine.connect() as connection:
        conn_id = _in_doubt(connection, submission_id).conn_id
        _refuse_known(connection, result_key)
    sent = sent_tasks(engine, submission_id)
    ask_over(conn_id)(result_key).matched_to(sent)
    try:
        with engine.begin() as connection:
            row = _in_doubt(connection, submission_id)
            uses = price.uses(looks=len(sent), pictures=len(sent) * row.inference_num, submissions=1)
            values = {"result_key": result_key, "uses": uses, "answered_at": func.now()}
            _settle(connection, submission_id, SubmissionState.SUBMITTED, **values)
            moved = move(
                connection,
                waits_for(submissions.c.id == submission_id),
                LookState.SUBMITTED,
                by,
                from_states=[LookState.IN_DOUBT],
                reason="its result key was found",
                values={"attempts": looks.c.attempts + 1},
            )
    except IntegrityError as error:
        raise DoubtError(f"the ledger has got the result key {result_key} a moment ago") from error
    return len(moved)


def resubmit_old(connection: Connection, settings: SafetySettings, by: Mover) -> int:
    """Plan again what has been in doubt for long enough, where the settings say that it may be paid for twice.

    Args:
        connection: In a transaction; the caller commits.

    Returns:
        Number of looks that are planned again; 0 unless ``on_doubt = "resubmit"``.
    """
    if settings.on_doubt is not OnDoubt.RESUBMIT:
        return 0
    age = timedelta(hours=settings.resubmit_after_hours)
    old = connection.execute(
        select(submissions.c.id)
        .where(
            submissions.c.state == SubmissionState.IN_DOUBT.value,
            submissions.c.answered_at <= func.now() - age,
        )
        .order_by(submissions.c.id)
        .with_for_update(skip_locked=True)
    ).scalars()
    reason = (
        f'in doubt for {settings.resubmit_after_hours:g} hours: sent again by [safety] on_doubt = "resubmit"'
    )
    return sum(
        _move_on(connection, submission_id, LookState.PLANNED, reason, by) for submission_id in old.all()
    )


def _write_off(
    engine: Engine, submission_id: int, to: LookState, word: str, by: Mover, **values: object
) -> int:
    with engine.begin() as connection:
        row = _in_doubt(connection, submission_id)
        reason = f"{word} by {by.run} (submission {submission_id}: {row.message or 'no answer came'})"
        return _move_on(connection, submission_id, to, reason, by, **values)


def _move_on(
    connection: Connection, submission_id: int, to: LookState, reason: str, by: Mover, **values: object
) -> int:
    _settle(connection, submission_id, SubmissionState.WRITTEN_OFF, **values)
    which = waits_for(submissions.c.id == submission_id)
    return len(move(connection, which, to, by, from_states=[LookState.IN_DOUBT], reason=reason))


def _settle(connection: Connection, submission_id: int, state: SubmissionState, **values: object) -> None:
    connection.execute(
        update(submissions).where(submissions.c.id == submission_id).values(state=state.value, **values)
    )


def _in_doubt(connection: Connection, submission_id: int) -> Row[tuple[object, ...]]:
    """Read and lock a submission, and insist that it is in doubt."""
    row = connection.execute(
        select(submissions).where(submissions.c.id == submission_id).with_for_update()
    ).one_or_none()
    if row is not None and row.state == SubmissionState.IN_DOUBT.value:
        return row
    what = f"there is no submission {submission_id}"
    if row is not None:
        what = (
            f"submission {submission_id} is {row.state}{_settled(connection, submission_id, row.intended_at)}"
        )
    ids = connection.execute(
        select(submissions.c.id)
        .where(submissions.c.state == SubmissionState.IN_DOUBT.value)
        .order_by(submissions.c.id)
    ).scalars()
    listed = ", ".join(map(str, ids)) or "none"
    raise DoubtError(f"{what}, so there is nothing to settle. In doubt are: {listed}.")


def _settled(connection: Connection, submission_id: int, since: datetime) -> str:
    """Say who has settled a doubt, and how; empty where it never was one."""
    last = connection.execute(
        select(look_moves)
        .join(submission_looks, submission_looks.c.look_key == look_moves.c.look_key)
        .where(
            submission_looks.c.submission_id == submission_id,
            look_moves.c.from_state == LookState.IN_DOUBT.value,
            look_moves.c.moved_at >= since,
        )
        .order_by(look_moves.c.id.desc())
        .limit(1)
    ).first()
    if last is None:
        return ""
    return (
        f": somebody was faster. {last.run} made its looks {last.to_state} on "
        f"{last.moved_at:%Y-%m-%d %H:%M %Z} ({last.reason})"
    )


def _refuse_known(connection: Connection, result_key: str) -> None:
    known = connection.execute(
        select(submissions.c.id).where(submissions.c.result_key == result_key)
    ).scalar_one_or_none()
    if known is not None:
        raise DoubtError(
            f"the result key {result_key} is of submission {known} already: one key is one submission's. "
            "Look for the key of the other call."
        )
