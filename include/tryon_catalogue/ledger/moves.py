"""Moving looks from state to state: the one way the code does it.

The table of allowed moves is ``looks.MOVES``; the database holds the same table and a trigger that refuses any
other move and writes each one to ``look_moves``. A move names the states it may start from in its WHERE clause,
so that of two processes that want the same look one moves it and the other sees that it did not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, update

from tryon_catalogue.ledger.tables import looks, runs
from tryon_catalogue.looks import MOVES, LookState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection

LONGEST_REASON = 1_000
# A run tells by it what ended before it began, and pays for that alone: also where the clock was put back since.
_NOW: Final = func.greatest(func.now(), select(func.max(runs.c.started_at)).scalar_subquery())


@dataclass(frozen=True, slots=True)
class Mover:
    """Who moves a look: stands in its history.

    Attributes:
        run: The run's id in the ledger (``dag_id/run_id``), or a person's name for a word given by hand.
        try_number: Which try of the task, from 1.
    """

    run: str
    try_number: int = 1


def sources(to: LookState) -> frozenset[LookState]:
    """Give the states from which a look may move to ``to``."""
    return frozenset(state for state, targets in MOVES.items() if to in targets)


def move(
    connection: Connection,
    which: ColumnElement[bool],
    to: LookState,
    by: Mover,
    *,
    from_states: Iterable[LookState] | None = None,
    reason: str | None = None,
    vendor_code: str | int | None = None,
    values: dict[str, Any] | None = None,
) -> Sequence[str]:
    """Move the looks that ``which`` selects and that may move; leave the others alone.

    Args:
        connection: In a transaction; the caller commits.
        which: Condition on ``tables.looks``.
        from_states: Narrow the states they may come from; all that the table of moves allows by default.
        reason: Why, in plain words.
        vendor_code: The vendor's or the gateway's code, where it gave one.
        values: Further columns of ``looks`` to set in the same statement.

    Returns:
        The keys of the looks that moved.
    """
    allowed = sources(to) if from_states is None else sources(to) & frozenset(from_states)
    statement = (
        update(looks)
        .where(which, looks.c.state.in_(sorted(allowed)))
        .values(
            {
                "state": to.value,
                "reason": reason[:LONGEST_REASON] if reason else None,
                "vendor_code": None if vendor_code is None else str(vendor_code),
                "moved_at": _NOW,
                "moved_run": by.run,
                "moved_try": by.try_number,
                **(values or {}),
            }
        )
        .returning(looks.c.key)
    )
    return connection.execute(statement).scalars().all()
