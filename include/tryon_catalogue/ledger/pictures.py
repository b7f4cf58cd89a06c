"""The pictures of a look in the ledger: those that the catalogue shows, and newer ones that it does not show yet.

A look may be made again while its old pictures are shown. They stay until new ones are found good, by our own check or
by a person. Of a look that is published, those that are not shown are left out: something speaks against each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, insert, select, true, update

from tryon_catalogue.ledger.tables import looks, pictures
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection


GOOD: Final = pictures.c.doubts.is_(None)
"""Selects the pictures that nothing speaks against."""


def newest_pictures() -> ColumnElement[bool]:
    """Select a look's newest pictures: those not shown yet while it is in REVIEW, else those that are shown.

    Returns:
        Condition on ``tables.pictures`` and ``tables.looks``, which the caller joins.
    """
    return pictures.c.shown == (looks.c.state != LookState.REVIEW.value)


def keep_unshown_pictures(connection: Connection, kept: Mapping[str, Sequence[dict[str, Any]]]) -> None:
    """Keep new pictures of looks beside those that are shown; they replace earlier ones that were never shown.

    Args:
        connection: In a transaction that has locked the looks.
        kept: Look key -> rows of the table ``pictures``, none where nothing could be kept.
    """
    drop_unshown_pictures(connection, list(kept))
    rows = [{**row, "shown": False} for rows in kept.values() for row in rows]
    if rows:
        connection.execute(insert(pictures), rows)


def unshown_pictures(connection: Connection, look_key: str) -> list[dict[str, Any]]:
    """Read a look's pictures that are not shown. While it is SUCCEEDED, they are of its newest submission.

    Returns:
        Rows of the table ``pictures``, in their order.
    """
    unshown = (
        select(pictures).where(pictures.c.look_key == look_key, ~pictures.c.shown).order_by(pictures.c.number)
    )
    return [dict(row) for row in connection.execute(unshown).mappings()]


def drop_unshown_pictures(connection: Connection, look_keys: Sequence[str]) -> None:
    """Drop the pictures of looks that are not shown, once a newer submission has made others.

    Args:
        connection: In the transaction that moves the looks.
    """
    connection.execute(delete(pictures).where(pictures.c.look_key.in_(look_keys), ~pictures.c.shown))


def show_pictures(
    connection: Connection, look_keys: Sequence[str], *, which: ColumnElement[bool] | None = None
) -> None:
    """Show the new pictures of looks in place of those that were shown until now.

    Args:
        connection: In the transaction that moves the looks.
        which: Of the new ones, all when left out; the others stay and are not shown.
    """
    unshown = pictures.c.look_key.in_(look_keys) & ~pictures.c.shown
    of_them = select(pictures.c.look_key).where(unshown)
    connection.execute(delete(pictures).where(pictures.c.shown, pictures.c.look_key.in_(of_them)))
    chosen = true() if which is None else which
    connection.execute(update(pictures).where(unshown, chosen).values(shown=True))
