"""What a night came to, counted on three sides: the ledger, the sandbox's bill, and the shop's own table.

The bill is the sandbox's: it counts what it charged for each look, whatever we believe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select, text

from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import garment_looks, looks, pictures, submission_looks, submissions
from tryon_catalogue.looks import LookState

KNOWN_PLACES = frozenset({LookState.IN_DOUBT, LookState.PLANNED})
"""Where a look may stand that has no end: a person decides, or it was never sent and is free to go."""

OPEN = frozenset({LookState.SUBMITTED, LookState.SUCCEEDED})
"""Paid for, with a result key in the ledger, and not collected yet."""


@dataclass(frozen=True, slots=True)
class LookInBooks:
    """One look on all three sides.

    Attributes:
        sku: Of its garment.
        state: In the ledger.
        reason: In the ledger.
        charged: Times it is on the sandbox's bill.
        status: In the shop's row.
        picture_url: In the shop's row.
        paths: Of its archived pictures.
    """

    sku: str
    state: LookState
    reason: str | None
    charged: int
    status: str | None
    picture_url: str | None
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Books:
    """Everything known of the looks of one export.

    Attributes:
        looks: In the order of their skus.
        submissions: Intents in the ledger by the state they are in; each is one call of submit.
    """

    looks: tuple[LookInBooks, ...]
    submissions: Counter[SubmissionState]

    @property
    def states(self) -> Counter[LookState]:
        """Looks by their state in the ledger."""
        return Counter(look.state for look in self.looks)

    @property
    def most_charges(self) -> int:
        """How often the look that was charged most often was charged."""
        return max((look.charged for look in self.looks), default=0)

    @property
    def summary(self) -> str:
        """Say how many looks are in which state."""
        return ", ".join(f"{count} {state.value}" for state, count in sorted(self.states.items()))

    @property
    def sent(self) -> int:
        """Submissions that were begun."""
        return self.submissions.total()

    def check(self, *, open_looks: bool = False) -> None:
        """Hold what must hold at the end of every night, whatever was done to it.

        Args:
            open_looks: Whether some may still be with the vendor, for the recovery to collect.
        """
        twice = [look for look in self.looks if look.charged > 1]
        assert not twice, f"charged more than once: {twice}"
        allowed = KNOWN_PLACES | (OPEN if open_looks else frozenset())
        lost = [look for look in self.looks if not (look.state.ended or look.state in allowed)]
        assert not lost, f"neither an end nor a known place: {lost}"
        uncollected = [
            look
            for look in self.looks
            if look.charged and look.state in {LookState.PLANNED, LookState.REJECTED}
        ]
        assert not uncollected, f"charged, and the ledger does not know: {uncollected}"
        free = [look for look in self.looks if look.state is LookState.PUBLISHED and not look.charged]
        assert not free, f"published and not on the bill: {free}"
        for look in self.looks:
            if open_looks and look.state in OPEN:
                continue  # the run may have been ended before its account was written
            assert look.status == look.state, f"the shop's row does not agree with the ledger: {look}"
            published = look.state is LookState.PUBLISHED
            assert bool(look.paths) is published, f"archived if and only if published: {look}"
            assert bool(look.picture_url) is published, f"shown if and only if published: {look}"
            assert all(Path(path).stat().st_size for path in look.paths)


def read_books(engine: Engine, bill: Mapping[str, Any], tops: Mapping[str, str]) -> Books:
    """Read what is known of some garments that have one look each.

    Args:
        bill: The sandbox's charges.
        tops: Sku -> URL of its top, by which the sides know the same look.
    """
    charged = Counter({look["tops_image"]: look["times"] for look in bill["looks"]})
    with engine.connect() as connection:
        rows = connection.execute(
            select(looks.c.key, looks.c.state, looks.c.reason, garment_looks.c.sku)
            .join(garment_looks, garment_looks.c.look_key == looks.c.key)
            .where(garment_looks.c.sku.in_(tops))
            .order_by(garment_looks.c.sku)
        ).all()
        keys = [row.key for row in rows]
        shop = {
            row.sku: row
            for row in connection.execute(
                text("SELECT sku, tryon_status, tryon_picture_url FROM catalogue WHERE sku = ANY(:skus)"),
                {"skus": list(tops)},
            )
        }
        archived: dict[str, list[str]] = {}
        for key, path in connection.execute(
            select(pictures.c.look_key, pictures.c.path)
            .where(pictures.c.look_key.in_(keys))
            .order_by(pictures.c.number)
        ):
            archived.setdefault(key, []).append(path)
        calls = connection.execute(
            select(submissions.c.id, submissions.c.state)
            .join(submission_looks, submission_looks.c.submission_id == submissions.c.id)
            .where(submission_looks.c.look_key.in_(keys))
            .distinct()
        ).all()
    return Books(
        tuple(
            LookInBooks(
                row.sku,
                LookState(row.state),
                row.reason,
                charged[tops[row.sku]],
                shop[row.sku].tryon_status,
                shop[row.sku].tryon_picture_url,
                tuple(archived.get(row.key, ())),
            )
            for row in rows
        ),
        Counter(SubmissionState(call.state) for call in calls),
    )
