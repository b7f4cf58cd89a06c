"""Plain helpers of the tests of the catalogue's side."""

from __future__ import annotations

from collections.abc import Callable

from damo_tryon.contract import FitType
from sqlalchemy import Engine, select
from tryon_catalogue.ledger.journal import Batch
from tryon_catalogue.ledger.tables import looks
from tryon_catalogue.looks import Look

PlanBatch = Callable[..., tuple[Batch, list[str]]]


def some_looks(count: int, base: str = "https://pictures.example") -> list[Look]:
    """Make looks that differ in their top."""
    return [
        Look(FitType.HALF_BODY, 1, "anna", f"{base}/anna.png", f"{base}/top-{number}.png")
        for number in range(count)
    ]


def states(engine: Engine) -> list[str]:
    """Read the states of all looks in the order in which they were planned."""
    with engine.connect() as connection:
        return list(connection.execute(select(looks.c.state).order_by(looks.c.position)).scalars())
