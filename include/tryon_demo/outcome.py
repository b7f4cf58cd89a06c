"""What a night of the demo came to, read from the ledger and the shop's table, and whether it is as it should be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from tryon_catalogue.ledger.pictures import newest_pictures
from tryon_catalogue.ledger.rejections import read_rejections
from tryon_catalogue.ledger.tables import garment_looks, looks, pictures, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.reporting.account.reading import count_run, every_run

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tryon_catalogue.exports import Rejection
    from tryon_catalogue.reporting.account import Account
    from tryon_catalogue.settings import Price

# The sample export holds three rows that must be refused; see include/samples/README.md.
ROWS_TO_REJECT = 3


class NothingReadError(Exception):
    """A night ended before it had read its export; says where to look."""


@dataclass(frozen=True, slots=True)
class LookOutcome:
    """One look of a garment and what came of it.

    Attributes:
        model: Roster name; empty when the row names the picture itself.
        state: Where the look stands.
        reason: Why, where there is a reason.
        images: URLs of model, tops and, where there are any, pants.
        pictures: Paths of its pictures.
    """

    sku: str
    title: str
    model: str
    state: str
    reason: str
    images: tuple[str, ...]
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GarmentRow:
    """One row of the shop's table after the night.

    Attributes:
        sku: Its key.
        title: As the shop wrote it.
        collection: As the shop wrote it.
        status: What the night wrote; empty when nothing.
        pictures: Addresses of all its pictures.
    """

    sku: str
    title: str
    collection: str
    status: str
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Charges:
    """What the sandbox says it charged.

    Attributes:
        uses: In this night.
        looks: Different looks it has ever been paid for.
        most_for_one_look: How often it was paid for one and the same look, at the most.
    """

    uses: int
    looks: int
    most_for_one_look: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run and the catalogue after it.

    Attributes:
        looks: Those of the garments that the run read, in the export's order.
        catalogue: Rows of the shop's table, the collections together.
        rejections: Why rows of the export cannot be used.
        account: What became of the run, as its report and its note have it.
    """

    looks: tuple[LookOutcome, ...]
    catalogue: tuple[GarmentRow, ...]
    rejections: tuple[Rejection, ...]
    account: Account


def shortcomings(outcome: Outcome, charges: Charges, run_state: str) -> list[str]:
    """Say what is not as it should be after a night on the sample catalogue.

    Args:
        run_state: How the run of the DAG ended.

    Returns:
        A sentence for each thing; none when every look ended as it should.
    """
    unpublished = Counter(look.state for look in outcome.looks if look.state != LookState.PUBLISHED)
    refused = len(outcome.rejections)
    checks = (
        (run_state == "success", f"The run of the DAG is {run_state}."),
        (bool(outcome.looks), "The export asked for no looks."),
        (
            refused == ROWS_TO_REJECT,
            f"{refused} rows of the export were refused; {ROWS_TO_REJECT} should have been.",
        ),
        (
            outcome.account.uses == charges.uses,
            f"The ledger expects {outcome.account.uses} uses and the sandbox charged {charges.uses}.",
        ),
        (charges.most_for_one_look <= 1, f"One look was charged {charges.most_for_one_look} times."),
    )
    return [
        *(f"{count} looks are {state} instead of PUBLISHED." for state, count in unpublished.items()),
        *(problem for right, problem in checks if not right),
    ]


def read_outcome(engine: Engine, price: Price, run_id: str) -> Outcome:
    """Read what a run came to.

    Args:
        run_id: ``dag_id/run_id``.

    Raises:
        NothingReadError: The run never came so far as to read its export.
    """
    with engine.connect() as connection:
        run = connection.execute(every_run().where(runs.c.id == run_id)).one_or_none()
        if run is None:
            raise NothingReadError(
                "The night ended before its export was read: see the log of its first task."
            )
        found = connection.execute(
            select(garment_looks.c.sku, garment_looks.c.title, looks)
            .join(looks, looks.c.key == garment_looks.c.look_key)
            .where(garment_looks.c.run_id == run_id)
            .order_by(looks.c.position)
        ).all()
        paths: dict[str, list[str]] = {}
        for look_key, path in connection.execute(
            select(pictures.c.look_key, pictures.c.path)
            .join(looks, looks.c.key == pictures.c.look_key)
            .where(newest_pictures())
            .order_by(pictures.c.look_key, pictures.c.number)
        ):
            paths.setdefault(look_key, []).append(path)
        refused = tuple(read_rejections(connection, run_id))
        account = count_run(connection, run, price.currency)
        catalogue = connection.execute(text("SELECT * FROM catalogue ORDER BY collection DESC, sku")).all()
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
        catalogue=tuple(
            GarmentRow(
                row.sku,
                row.title,
                row.collection,
                row.tryon_status or "",
                tuple(row.tryon_picture_urls or ()),
            )
            for row in catalogue
        ),
        rejections=refused,
        account=account,
    )
