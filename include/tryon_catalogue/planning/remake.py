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
from tryon_catalogue.planning.temporary_tables import CANDIDATES, requested_looks

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection, FromClause


def note_remakes(connection: Connection, run_id: str, states: Collection[LookState]) -> None:
    """Note which of the looks that a chunk asks for are to be made again.

    Args:
        connection: In the transaction of the chunk, with `REQUESTED` filled.
        states: From which looks are made again; none where nothing is.
    """
    if not states:
        return
    found, joined = requested_looks()
    remakes = (
        select(literal(run_id), found.c.key, true())
        .select_from(joined)
        .where(found.c.state.in_(sorted(states)), _moved_before(run_id, found))
    )
    connection.execute(
        insert(run_looks).from_select(["run_id", "look_key", "again"], remakes).on_conflict_do_nothing()
    )


def is_to_be_remade(run_id: str) -> ColumnElement[bool]:
    """Select what a run is to make again and has not planned yet.

    Returns:
        Condition on ``tables.looks``.
    """
    asked_for = select(run_looks.c.look_key).where(run_looks.c.run_id == run_id, run_looks.c.again)
    return looks.c.key.in_(asked_for) & looks.c.state.in_(ENDED) & _moved_before(run_id)


def plan_remakes(connection: Connection, run_id: str) -> None:
    """Plan the remakes that go.

    Args:
        connection: In the transaction that cuts the run, after it is decided what goes.
    """
    move(
        connection,
        looks.c.key.in_(select(CANDIDATES.c.key).where(CANDIDATES.c.remake, CANDIDATES.c.goes)),
        LookState.PLANNED,
        Mover(run_id),
        from_states=ENDED,
        reason="to be made, and paid for, again: the run was asked to",
    )


def _moved_before(run_id: str, look: FromClause = looks) -> ColumnElement[bool]:
    began = select(runs.c.started_at).where(runs.c.id == run_id).scalar_subquery()
    return look.c.moved_at < began
