"""Garments in the ledger: which looks each one has, by the newest export that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, case, delete, func, literal, or_, select, true, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from tryon_catalogue.ledger.tables import garment_looks
from tryon_catalogue.planning.temporary_tables import REQUESTED

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tryon_catalogue.planning.runs import Run

# Columns of a garment, whichever pictures it has.
GARMENT_COLUMNS = ("title", "collection", "priority")


def point_garments(connection: Connection, run: Run) -> None:
    """Say which looks each garment has now, unless a newer export has said so already.

    Args:
        connection: In the transaction of a chunk, with `REQUESTED` filled and its looks planned.
    """
    columns = ("sku", "place", "key", *GARMENT_COLUMNS)
    statement = insert(garment_looks).from_select(
        ["sku", "position", "look_key", *GARMENT_COLUMNS, "export_date", "run_id"],
        select(*(REQUESTED.c[name] for name in columns), literal(run.export_date), literal(run.id)).order_by(
            REQUESTED.c.sku, REQUESTED.c.place
        ),
    )
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["sku", "position"],
            set_={
                **{name: new[name] for name in ("look_key", *GARMENT_COLUMNS, "export_date", "run_id")},
                "written_state": case(
                    (garment_looks.c.look_key == new.look_key, garment_looks.c.written_state), else_=None
                ),
            },
            where=new.export_date >= garment_looks.c.export_date,
        )
    )
    # A garment that has fewer looks than before keeps none of the old ones. A look whose place has changed leaves the
    # old one, though that one is kept where its new model is left out.
    of_garment = select(REQUESTED.c.key).where(REQUESTED.c.sku == garment_looks.c.sku)
    has_now = (
        select(func.max(REQUESTED.c.cast)).where(REQUESTED.c.sku == garment_looks.c.sku).scalar_subquery()
    )
    shown_now = of_garment.where(REQUESTED.c.key == garment_looks.c.look_key)
    placed_now = of_garment.where(REQUESTED.c.place == garment_looks.c.position)
    is_gone = and_(
        or_(garment_looks.c.position >= has_now, shown_now.exists() & ~placed_now.exists()),
        garment_looks.c.export_date <= run.export_date,
    )
    named = select(REQUESTED.c.sku).distinct().subquery()
    left = (
        select(garment_looks.c.position)
        .where(garment_looks.c.sku == named.c.sku, is_gone)
        .offset(0)  # by the index of each garment, however many the ledger has
        .lateral()
    )
    places = connection.execute(
        select(named.c.sku, left.c.position).select_from(named.join(left, true()))
    ).all()
    if not places:
        return
    gone = connection.execute(
        delete(garment_looks)
        .where(
            tuple_(garment_looks.c.sku, garment_looks.c.position).in_([tuple(place) for place in places]),
            is_gone,
        )
        .returning(garment_looks.c.sku)
    )
    # Until it is written again, the shop's row shows the pictures of all of them.
    connection.execute(
        update(garment_looks)
        .where(garment_looks.c.sku == func.any(sorted(set(gone.scalars()))))
        .values(written_state=None)
    )
