"""A person's word that looks are to be tried again: what they were refused or failed for has been put right.

A new picture behind the same URL is the same look to the ledger, so somebody has to say that it is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from tryon_catalogue.ledger.moves import move
from tryon_catalogue.ledger.states import MAY_BE_RETRIED
from tryon_catalogue.ledger.tables import garment_looks, looks
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

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
    fitting_states = [state.value for state in states]
    keys: set[str] = set()
    for name in names:
        by_sku = looks.c.key.in_(select(garment_looks.c.look_key).where(garment_looks.c.sku == name))
        by_key = looks.c.key.startswith(name.lower(), autoescape=True)
        which = or_(by_sku, by_key) if len(name) >= SHORTEST_BEGINNING else by_sku
        found = connection.execute(select(looks.c.key, looks.c.state).where(which)).all()
        fitting = [row.key for row in found if row.state in fitting_states]
        if not fitting:
            known = ", ".join(sorted({row.state for row in found})) or "in none: it is not known"
            raise NoSuchLookError(
                f"{name}: only looks that are {' or '.join(fitting_states)} are meant here; it is {known}. "
                "Give a sku, or at least the first six digits of a look's key."
            )
        keys.update(fitting)
    return sorted(keys)
