"""Looks that have ended and are made, and paid for, again, because somebody asked a run to.

They are noted when the run reads its export, and stay what they are until the run is cut: what there is no money for,
or what a person does not approve, keeps its pictures. Only what had ended before the run began counts, so a run makes
each look again once, however often its tasks are cleared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import literal, select, true
from sqlalchemy.dialects.postgresql import insert

from tryon_catalogue.ledger.moves import Mover, move
from tryon_catalogue.ledger.states import ENDED
from tryon_catalogue.ledger.tables import looks, run_looks, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.temporary_tables import WAITING, WANTED

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection


def ask_again(connection: Connection, run_id: str, states: Collection[LookState]) -> None:
    """Note which of the looks that a chunk wants are to be made again.

    Args:
        connection: In the transaction of the chunk, with its table of wanted looks.
        run_id: The run that is asked to.
        states: Those that are meant; none where nothing is made again.
    """
    if not states:
        return
    ended = select(literal(run_id), looks.c.key, true()).where(
        looks.c.key.in_(select(WANTED.c.key)), looks.c.state.in_(sorted(states)), _before(run_id)
    )
    connection.execute(
        insert(run_looks).from_select(["run_id", "look_key", "again"], ended).on_conflict_do_nothing()
    )


def is_asked_again(run_id: str) -> ColumnElement[bool]:
    """Select what a run is to make again and has not planned yet.

    Returns:
        Condition on ``tables.looks``.
    """
    asked_for = select(run_looks.c.look_key).where(run_looks.c.run_id == run_id, run_looks.c.again)
    return looks.c.key.in_(asked_for) & looks.c.state.in_(ENDED) & _before(run_id)


def plan_again(connection: Connection, run_id: str) -> None:
    """Plan what goes of it.

    Args:
        connection: In the transaction that cuts the run, with its table of waiting looks.
    """
    move(
        connection,
        looks.c.key.in_(select(WAITING.c.key).where(WAITING.c.again, WAITING.c.goes)),
        LookState.PLANNED,
        Mover(run_id),
        from_states=ENDED,
        reason="to be made, and paid for, again: the run was asked to",
    )


def _before(run_id: str) -> ColumnElement[bool]:
    began = select(runs.c.started_at).where(runs.c.id == run_id).scalar_subquery()
    return looks.c.moved_at < began
