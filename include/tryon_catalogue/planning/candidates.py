"""Which looks a run might send: those it asks for, those to be made again, and those that other runs left.

What they cost is asked in ``reserve``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, delete, false, func, literal, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert

from tryon_catalogue.budget.commitments import LONGEST_RUN, is_closed, is_live, is_narrow
from tryon_catalogue.ledger.tables import batches, collections, garment_looks, looks, run_looks, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.remake import is_to_be_remade
from tryon_catalogue.planning.temporary_tables import CANDIDATES, LOOKS_OF_RUN, ready

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy import ColumnElement, Connection, FromClause, Select

FOUND_LATER: Final = ("priority", "held_by")


def find_candidates(connection: Connection, run_id: str, answer_within: timedelta) -> None:
    """Fill `CANDIDATES`: with the looks that a run asks for, and those that other runs have left behind.

    Args:
        connection: In the transaction that cuts the run; the looks are locked until it ends.
        answer_within: How long another run may wait for a person's answer before it is cut.
    """
    LOOKS_OF_RUN.create(connection)
    CANDIDATES.create(connection)
    of_run = select(run_looks.c.look_key).where(run_looks.c.run_id == run_id)
    connection.execute(insert(LOOKS_OF_RUN).from_select(["key"], of_run))
    ready(connection, LOOKS_OF_RUN)
    columns = [column.name for column in CANDIDATES.columns if column.name not in FOUND_LATER]
    asked_for = (
        _planned(run_id, leftover=False)
        .join(LOOKS_OF_RUN, LOOKS_OF_RUN.c.key == looks.c.key)
        .where(~and_(_is_reserved(), _is_backfill(run_id)))
    )
    connection.execute(insert(CANDIDATES).from_select(columns, _locked(asked_for)))
    remakes = _select_looks(leftover=False).where(is_to_be_remade(run_id))
    connection.execute(insert(CANDIDATES).from_select(columns, _locked(remakes)))
    is_held = looks.c.batch_id.is_(None) & looks.c.held_since.is_not(None)
    if is_narrow(connection, run_id):
        ready(connection, CANDIDATES)
        return  # whoever asks for three garments gets three garments
    left_by_others = _planned(run_id, leftover=True).where(
        or_(is_held, _is_left_in_batch(), _is_abandoned(answer_within)),
        # Not with NOT IN, which compares every row with every row once the keys no longer fit into working memory.
        ~select(LOOKS_OF_RUN.c.key).where(LOOKS_OF_RUN.c.key == looks.c.key).exists(),
    )
    connection.execute(insert(CANDIDATES).from_select(columns, _locked(left_by_others)))
    ready(connection, CANDIDATES)
    # What no garment shows any more would be paid for in vain. In two steps, for the index of CANDIDATES keeps the join
    # from comparing every row with every row where PostgreSQL takes the ledger's tables for empty.
    shows = garment_looks.c.look_key == CANDIDATES.c.key
    connection.execute(update(CANDIDATES).where(shows, CANDIDATES.c.leftover).values(shown=true()))
    connection.execute(delete(CANDIDATES).where(CANDIDATES.c.leftover, ~CANDIDATES.c.shown))


def find_priorities(connection: Connection) -> None:
    """Give each look the highest number of the garments that show it, by the newest export that names them.

    Args:
        connection: In the transaction that cuts the run, with `CANDIDATES` filled.
    """
    highest = (
        select(garment_looks.c.look_key, func.max(garment_looks.c.priority).label("priority"))
        .join(CANDIDATES, CANDIDATES.c.key == garment_looks.c.look_key)
        .group_by(garment_looks.c.look_key)
        .subquery()
    )
    connection.execute(
        update(CANDIDATES).where(CANDIDATES.c.key == highest.c.look_key).values(priority=highest.c.priority)
    )


def _planned(run_id: str, *, leftover: bool) -> Select[Any]:
    return _select_looks(leftover=leftover).where(
        looks.c.state == LookState.PLANNED.value,
        or_(looks.c.batch_id.is_(None), batches.c.run_id != run_id),
    )


def _select_looks(*, leftover: bool) -> Select[Any]:
    planned = looks.c.state == LookState.PLANNED.value
    return (
        select(
            looks.c.key,
            looks.c.fit_type,
            looks.c.inference_num,
            looks.c.collection,
            (planned & _is_reserved()).label("reserved"),
            literal(leftover).label("leftover"),
            (~planned).label("remake"),
            looks.c.held_since.is_not(None).label("held_before"),
            collections.c.first_date,
            looks.c.position,
            true().label("goes"),
            false().label("shown"),
        )
        .outerjoin(batches, batches.c.id == looks.c.batch_id)
        .outerjoin(runs, runs.c.id == batches.c.run_id)
        .outerjoin(collections, collections.c.name == looks.c.collection)
    )


def _is_reserved() -> ColumnElement[bool]:
    """Select the looks that a run which is alive is going to send."""
    return func.coalesce(looks.c.batch_id.is_not(None) & is_live(), false())


def _is_left_in_batch() -> ColumnElement[bool]:
    """Select the looks in a batch of a night that has died.

    Of a person's request that has died, only those that a night has asked for since the request was cut: that night has
    left them to it. The others wait until somebody asks for them.
    """
    asked, night = run_looks.alias("asked"), runs.alias("night")
    left_to_it = (
        select(asked.c.look_key)
        .join(night, night.c.id == asked.c.run_id)
        .where(
            asked.c.look_key == looks.c.key,
            ~asked.c.leftover,
            night.c.request == {},
            night.c.cut_at > batches.c.cut_at,
        )
        .exists()
    )
    return looks.c.batch_id.is_not(None) & ~is_live() & or_(runs.c.request == {}, left_to_it)


def _is_abandoned(answer_within: timedelta) -> ColumnElement[bool]:
    """Select the looks without a batch whose run died before it was cut, and that nobody has decided on since.

    What a living run is about to cut is left to it, and what a person has let not go stays until an export names it.
    """
    asked, dead = run_looks.alias("asked"), runs.alias("dead")
    left = (
        select(asked.c.look_key)
        .join(dead, dead.c.id == asked.c.run_id)
        .where(
            asked.c.look_key == looks.c.key,
            dead.c.cut_at.is_(None),
            dead.c.request == {},  # what a person asked for is made when somebody asks for it again
            ~_is_open(dead, answer_within),
            ~is_decided_elsewhere(asked, dead, answer_within),
        )
        .exists()
    )
    return looks.c.batch_id.is_(None) & left


def is_decided_elsewhere(asked: FromClause, run: FromClause, answer_within: timedelta) -> ColumnElement[bool]:
    """Select the looks of a run on which another run has decided since that one began, or is about to.

    Args:
        asked: ``run_looks``, or an alias of it.
        run: ``runs``, or an alias of it: the run that asked.
        answer_within: See ``find_candidates``.
    """
    also_asked, other = run_looks.alias("also_asked"), runs.alias("other")
    is_decided = other.c.cut_at > func.greatest(run.c.opened_at, run.c.planned_at)
    return (
        select(also_asked.c.look_key)
        .join(other, other.c.id == also_asked.c.run_id)
        .where(
            also_asked.c.look_key == asked.c.look_key,
            also_asked.c.run_id != asked.c.run_id,
            or_(_is_open(other, answer_within), is_decided),
        )
        .exists()
    )


def _is_open(run: FromClause, answer_within: timedelta) -> ColumnElement[bool]:
    """Select the runs that are still to be cut."""
    return and_(
        run.c.cut_at.is_(None),
        run.c.opened_at > func.now() - (LONGEST_RUN + answer_within),
        ~is_closed(run),
    )


def _is_backfill(run_id: str) -> ColumnElement[bool]:
    """Ask whether a run is a backfill, which would only delay what another run is going to send."""
    this = runs.alias("this")
    return select(this.c.backfill).where(this.c.id == run_id).scalar_subquery()


def _locked(selected: Select[Any]) -> Select[Any]:
    # What another run is cutting or sending just now is left to it. A run that only reads the same looks from its
    # export holds a weaker lock, which must not keep them from us: hence key_share.
    rows = (
        selected.with_for_update(of=looks, key_share=True, skip_locked=True).cte().prefix_with("MATERIALIZED")
    )
    return select(rows)
