"""A person's word that looks are to be tried again: what they were refused or failed for has been put right.

A new picture behind the same URL is the same look to the ledger, so somebody has to say that it is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from tryon_catalogue.ledger.moves import move
from tryon_catalogue.ledger.states import MAY_BE_RETRIED
from tryon_catalogue.ledger.tables import garment_looks, look_moves, looks
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine

    from tryon_catalogue.ledger.moves import Mover

SHORTEST_BEGINNING = 6


class NoSuchLookError(Exception):
    """A name is of no look to which this can be done; says which and why. Nothing was changed."""


def retry_looks(engine: Engine, names: Sequence[str], by: Mover) -> list[str]:
    """Plan looks again that were rejected or failed; the next run that wants them sends them.

    Args:
        names: For each, a sku, or a look's key or its beginning (as reports show it)

    Returns:
        The keys of the looks.

    Raises:
        NoSuchLookError: A name is of no look that was rejected or failed.
    """
    with engine.begin() as connection:
        return sorted(
            move(
                connection,
                looks.c.key.in_(look_keys(connection, names, MAY_BE_RETRIED)),
                LookState.PLANNED,
                by,
                from_states=MAY_BE_RETRIED,
                reason=f"to be tried again, says {by.run}",
            )
        )


def look_keys(connection: Connection, names: Sequence[str], states: Sequence[LookState]) -> list[str]:
    """Find the looks that a person names.

    Args:
        names: For each, a sku, or a look's key or its beginning (as reports show it)

    Returns:
        Their keys.

    Raises:
        NoSuchLookError: A name is of no look in these states.
    """
    named = {
        name: connection.execute(select(looks.c.key).where(_named(name))).scalars().all() for name in names
    }
    # In one order, and before they are looked at: of two people who decide at once, one waits here for the other.
    locked = select(looks.c.key, looks.c.state).where(
        looks.c.key.in_({key for keys in named.values() for key in keys})
    )
    found = {
        row.key: LookState(row.state)
        for row in connection.execute(locked.order_by(looks.c.key).with_for_update())
    }
    chosen: set[str] = set()
    for name, keys in named.items():
        fitting = [key for key in keys if found[key] in states]
        if not fitting:
            known = ", ".join(sorted({found[key] for key in keys})) or "in none: it is not known"
            raise NoSuchLookError(
                f"{name}: only looks that are {' or '.join(states)} are meant here; it is {known}. "
                f"{_decided(connection, keys, states)}"
                "Give a sku, or at least the first six digits of a look's key."
            )
        chosen.update(fitting)
    return sorted(chosen)


def _named(name: str) -> ColumnElement[bool]:
    by_sku = looks.c.key.in_(select(garment_looks.c.look_key).where(garment_looks.c.sku == name))
    by_key = looks.c.key.startswith(name.lower(), autoescape=True)
    return or_(by_sku, by_key) if len(name) >= SHORTEST_BEGINNING else by_sku


def _decided(connection: Connection, keys: Sequence[str], states: Sequence[LookState]) -> str:
    """Say who has moved one of these looks out of these states last, and what was decided."""
    last = connection.execute(
        select(look_moves)
        .where(look_moves.c.look_key.in_(keys), look_moves.c.from_state.in_(states))
        .order_by(look_moves.c.id.desc())
        .limit(1)
    ).first()
    if last is None:
        return ""
    reason = f" ({last.reason})" if last.reason else ""
    when = f"{last.moved_at:%Y-%m-%d %H:%M %Z}"
    return f"Somebody was faster: {last.run} made it {last.to_state} on {when}{reason}. "
