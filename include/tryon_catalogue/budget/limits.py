"""The arithmetic of limits: which looks go, in their order, while there is room for what they cost.

Money is in the currency of the price.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from damo_tryon.contract import MAX_TASKS
from tryon_catalogue.settings import Use
from tryon_catalogue.words import money

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tryon_catalogue.settings import BudgetSettings, Price

Kind = tuple[str, int]
"""Fit type and number of pictures: only looks of one kind share a submission."""


class Limit(StrEnum):
    """A limit that holds a look back. The values are the keys of the settings."""

    RUN = "per_run"
    DAY = "per_day"
    COLLECTION = "per_collection"
    APPROVAL = "approval"
    """What a person has approved."""


@dataclass(frozen=True, slots=True)
class Commitments:
    """What is spent, may have been spent or is about to be.

    Attributes:
        run: By one run.
        day: Today, by any run.
        collections: For each collection, ever; only filled where there is a limit for them.
    """

    run: Decimal = Decimal(0)
    day: Decimal = Decimal(0)
    collections: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Approved:
    """How much of a run a person lets go, from now on.

    Attributes:
        amount: At most so much money; None for no such bound.
        looks: At most so many looks; None for no such bound.
    """

    amount: Decimal | None = None
    looks: int | None = None


NOT_ASKED: Final = Approved()
GOES_FIRST: Final = "it goes first in the next run that has room for it"
TAKEN_UP: Final = "the next run takes it up"
ASKED_FOR_AGAIN: Final = "it is made by the next run that asks for it"


def cost_of(price: Price, kinds: Mapping[Kind, int]) -> tuple[int, Decimal]:
    """Give the uses and the price of looks that are sent in full submissions, but for the last of each kind.

    Args:
        kinds: How many looks of each kind.
    """
    uses = price.uses(
        looks=sum(kinds.values()),
        pictures=sum(pictures * count for (_, pictures), count in kinds.items()),
        submissions=sum(-(-count // MAX_TASKS) for count in kinds.values()),
    )
    return uses, price.per_use * uses


def share_of(price: Price, kind: Kind) -> Decimal:
    """Give what one look adds to its collection. Of a submission that is charged as one, it is a tenth."""
    if price.use is Use.SUBMISSION:
        return price.per_use / MAX_TASKS
    return cost_of(price, {kind: 1})[1]


def reason_for(
    limit: Limit, budget: BudgetSettings, currency: str, collection: str = "", then: str = GOES_FIRST
) -> str:
    """Say why a look waits.

    Args:
        collection: The collection, where the limit is a collection's.
        then: What becomes of the look, as a clause.
    """
    if limit is Limit.APPROVAL:
        return f"waits, because a person approved less than the run asked for; {then}"
    amount: Decimal = getattr(budget, limit.value)
    whose = f" of {collection or 'garments without a collection'}" if limit is Limit.COLLECTION else ""
    return f"waits for money: {limit.value} = {money(amount, currency)}{whose} is taken up; {then}"


class Room:
    """What is left of every limit, while looks are let go one after the other.

    Args:
        taken: What is spent or about to be before the first of them.
        approved: What a person lets go.
    """

    def __init__(
        self, price: Price, budget: BudgetSettings, taken: Commitments, approved: Approved = NOT_ASKED
    ) -> None:
        self._price = price
        self._per_collection = budget.per_collection
        self._collections = defaultdict(Decimal, taken.collections)
        self._looks_left = approved.looks
        self._kinds: Counter[Kind] = Counter()
        self._costs: dict[Kind, Decimal] = {}
        self._shares: dict[Kind, Decimal] = {}
        # Each as what may still be added; None where nothing bounds it.
        self._left: dict[Limit, Decimal | None] = {
            Limit.RUN: budget.per_run - taken.run if budget.per_run else None,
            Limit.DAY: budget.per_day - taken.day if budget.per_day else None,
            Limit.APPROVAL: approved.amount,
        }

    def take(self, kind: Kind, collection: str, *, reserved: bool = False) -> Limit | None:
        """Take room for a look, or return the limit that leaves none.

        Args:
            collection: Whose limit it counts against.
            reserved: Whether another run has reserved it, so that it counts for the day and its collection already.
        """
        # As one of a submission that is charged as one it may have cost that run nothing.
        reserved = reserved and self._price.use is not Use.SUBMISSION
        bounds = (Limit.RUN, Limit.APPROVAL) if reserved else (Limit.RUN, Limit.APPROVAL, Limit.DAY)
        cost = self._marginal_cost(kind)
        if self._looks_left == 0:
            return Limit.APPROVAL
        for limit in bounds:
            left = self._left[limit]
            if left is not None and cost and cost > left:
                return limit
        share = Decimal(0) if reserved else self._share(kind)
        if self._per_collection and share and self._collections[collection] + share > self._per_collection:
            return Limit.COLLECTION
        for limit in bounds:
            left = self._left[limit]
            if left is not None:
                self._left[limit] = left - cost
        if self._looks_left is not None:
            self._looks_left -= 1
        self._collections[collection] += share
        self._kinds[kind] += 1
        return None

    def _marginal_cost(self, kind: Kind) -> Decimal:
        """Give what one look more costs; one that joins a submission with room in it may cost nothing."""
        if self._price.use is Use.SUBMISSION:
            return self._price.per_use if self._kinds[kind] % MAX_TASKS == 0 else Decimal(0)
        # Remembered, as its share: a hundred thousand looks are of a few kinds.
        if kind not in self._costs:
            self._costs[kind] = cost_of(self._price, {kind: 1})[1]
        return self._costs[kind]

    def _share(self, kind: Kind) -> Decimal:
        if kind not in self._shares:
            self._shares[kind] = share_of(self._price, kind)
        return self._shares[kind]
