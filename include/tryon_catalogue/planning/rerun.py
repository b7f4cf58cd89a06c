"""A run that has read its export again: what only an earlier reading asked for is no longer its to send.

An export that was wrong is put right and its run cleared. What is paid for stays with the run; what was only planned
goes from it once the new reading is at its end, so that a run which dies while it reads keeps what it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import case, delete, func, or_, select, update

from tryon_catalogue.budget.commitments import CUTTING_LOCK, one_at_a_time
from tryon_catalogue.budget.limits import ASKED_FOR_AGAIN, TAKEN_UP
from tryon_catalogue.ledger.tables import batches, looks, run_looks, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.remake import is_to_be_remade

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

AT_ONCE: Final = 5_000
NAMED_NO_MORE: Final = "not sent: the run that asked for it has read its export again, and does not any more"


def forget_unrequested(connection: Connection, run_id: str, requested: Collection[bytes]) -> int:
    """Take from a run the looks that its last reading did not ask for, and that nobody has sent.

    What it took up of others stays its own: no reading asked for that.

    Args:
        connection: In the transaction that ends the reading.
        requested: The keys of the looks that this reading asks for, as bytes.

    Returns:
        How many of those the run has to see to; the others had ended before it.
    """
    new = 0
    unrequested: list[str] = []
    asked_for = select(run_looks.c.look_key).where(run_looks.c.run_id == run_id, ~run_looks.c.leftover)
    for key in connection.execute(asked_for.execution_options(yield_per=AT_ONCE)).scalars():
        if bytes.fromhex(key) in requested:
            new += 1
        else:
            unrequested.append(key)
    if unrequested:
        # Who else asks for them is not to change meanwhile.
        one_at_a_time(connection, CUTTING_LOCK)
    for start in range(0, len(unrequested), AT_ONCE):
        _forget(connection, run_id, unrequested[start : start + AT_ONCE])
    return new


def _forget(connection: Connection, run_id: str, unrequested: Sequence[str]) -> None:
    planned = looks.c.state == LookState.PLANNED.value
    keys = (
        connection.execute(
            select(looks.c.key)
            .where(looks.c.key.in_(unrequested), or_(planned, is_to_be_remade(run_id)))
            .order_by(looks.c.key)
            .with_for_update(of=looks, key_share=True)
        )
        .scalars()
        .all()
    )
    connection.execute(delete(run_looks).where(run_looks.c.run_id == run_id, run_looks.c.look_key.in_(keys)))
    by_night = (
        select(run_looks.c.look_key)
        .join(runs, runs.c.id == run_looks.c.run_id)
        .where(run_looks.c.look_key == looks.c.key, ~run_looks.c.leftover, runs.c.request == {})
    )
    in_our_batch = looks.c.batch_id.in_(select(batches.c.id).where(batches.c.run_id == run_id))
    # A night that was cut has left it to this run, and nobody else would come back to it.
    was_left = by_night.where(runs.c.cut_at.is_not(None)).exists()
    connection.execute(
        update(looks)
        .where(looks.c.key.in_(keys), planned, in_our_batch, by_night.exists())
        .values(
            batch_id=None,
            held_since=case(
                (was_left, func.coalesce(looks.c.held_since, func.now())), else_=looks.c.held_since
            ),
            reason=f"{NAMED_NO_MORE}; another run did, and {TAKEN_UP}",
        )
    )
    connection.execute(
        update(looks)
        .where(
            looks.c.key.in_(keys), planned, or_(in_our_batch, looks.c.batch_id.is_(None)), ~by_night.exists()
        )
        .values(batch_id=None, held_since=None, reason=f"{NAMED_NO_MORE}; {ASKED_FOR_AGAIN}")
    )
