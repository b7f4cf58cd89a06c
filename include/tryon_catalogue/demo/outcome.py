"""What a run of the demo came to, read from the ledger and the shop's table."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from tryon_catalogue.ledger.tables import garment_looks, looks, pictures, rejections, runs
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sqlalchemy import Engine, Row


@dataclass(frozen=True, slots=True)
class LookOutcome:
    """One look of a garment and what came of it."""

    sku: str
    title: str
    model: str
    state: str
    reason: str
    images: tuple[str, ...]
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    :param looks: every look that the export asks for, in the order of the skus
    :param catalogue: rows of the shop's table
    :param rejections: rows of the export that cannot be used
    :param new: looks that this run made
    :param uses: uses that this run is expected to be charged
    :param cost: their price
    :param currency: of the price
    """

    looks: tuple[LookOutcome, ...]
    catalogue: Sequence[Row[Any]]
    rejections: Sequence[Row[Any]]
    new: int
    uses: int
    cost: Decimal
    currency: str

    @property
    def all_published(self) -> bool:
        """Whether every look has its pictures in the catalogue."""
        return bool(self.looks) and all(look.state == LookState.PUBLISHED for look in self.looks)


def read_outcome(engine: Engine, run_id: str) -> Outcome:
    """Read what a run came to.

    :param engine: the ledger's
    :param run_id: ``dag_id/run_id``
    """
    with engine.connect() as connection:
        run = connection.execute(select(runs).where(runs.c.id == run_id)).one()
        found = connection.execute(
            select(garment_looks.c.sku, garment_looks.c.title, looks)
            .join(looks, looks.c.key == garment_looks.c.look_key)
            .where(garment_looks.c.run_id == run_id)
            .order_by(looks.c.position)
        ).all()
        paths: dict[str, list[str]] = {}
        for look_key, path in connection.execute(
            select(pictures.c.look_key, pictures.c.path).order_by(pictures.c.look_key, pictures.c.number)
        ):
            paths.setdefault(look_key, []).append(path)
        refused = connection.execute(
            select(rejections).where(rejections.c.run_id == run_id).order_by(rejections.c.line)
        ).all()
        catalogue = connection.execute(text("SELECT * FROM catalogue ORDER BY collection DESC, sku")).all()
    summary = run.summary or {}
    return Outcome(
        looks=tuple(
            LookOutcome(
                row.sku,
                row.title,
                row.model,
                row.state,
                row.reason or "",
                tuple(url for url in (row.model_image, row.tops_image, row.pants_image) if url),
                tuple(paths.get(row.key, ())),
            )
            for row in found
        ),
        catalogue=catalogue,
        rejections=refused,
        new=run.looks_new,
        uses=summary.get("uses", 0),
        cost=Decimal(summary.get("cost", "0")),
        currency=summary.get("currency", ""),
    )
