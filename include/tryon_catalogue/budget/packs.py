"""Packs of uses that were bought: what is left of each, and what people should be warned of.

The vendor's bill says which pack paid for what; here uses are taken from packs in the order in which they were charged,
each from the pack that ends first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import ARRAY, DateTime, cast, func, select

from tryon_catalogue.budget.charges import charges
from tryon_catalogue.words import money

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from tryon_catalogue.settings import Price
    from tryon_catalogue.settings.money import Pack

WARN_BEFORE: Final = timedelta(days=7)
"""Uses that are left in a pack so long before it ends are worth a word."""


@dataclass(frozen=True, slots=True)
class PackState:
    """A pack, and what is left of it.

    Attributes:
        pack: As in the settings.
        used: Uses taken from it.
        now: As of when.
    """

    pack: Pack
    used: int
    now: datetime

    @property
    def left(self) -> int:
        """Uses that were never taken."""
        return self.pack.size - self.used

    @property
    def usable(self) -> int:
        """Uses that can still be taken: none before it is bought or after it has ended."""
        return self.left if self.pack.bought_at <= self.now < self.pack.ends_at else 0


@dataclass(frozen=True, slots=True)
class Charge:
    """Uses that were charged at one moment."""

    at: datetime
    uses: int


def allocate(
    packs: Sequence[Pack], charged: Iterable[Charge], left: dict[str, int] | None = None
) -> list[dict[str, int]]:
    """Say which packs pay for which charges.

    Args:
        packs: Those that were bought.
        charged: In the order of time.
        left: Name of a pack -> uses that earlier charges have left of it, which is brought up to date; whole packs
            without it.

    Returns:
        For each charge the name of a pack -> uses it pays for; what is missing is charged one by one.
    """
    left = {pack.name: pack.size for pack in packs} if left is None else left
    by_end = sorted(packs, key=lambda pack: (pack.ends_at, pack.name))
    paid: list[dict[str, int]] = []
    for charge in charged:
        uses = charge.uses
        of_charge: dict[str, int] = {}
        for pack in by_end:
            taken = min(uses, left[pack.name]) if pack.bought_at <= charge.at < pack.ends_at else 0
            if taken:
                of_charge[pack.name] = taken
                left[pack.name] -= taken
                uses -= taken
        paid.append(of_charge)
    return paid


def read_packs(connection: Connection, price: Price) -> tuple[PackState, ...]:
    """Read what is left of each pack, in the order of the settings."""
    if not price.packs:
        return ()
    found = charges(price)
    # Between two of these the same packs can be taken from, so that only sums matter.
    bounds = sorted({moment for pack in price.packs for moment in (pack.bought_at, pack.ends_at)})
    period = func.width_bucket(found.c["at"], cast(bounds, ARRAY(DateTime(timezone=True))))
    rows = connection.execute(
        select(period.label("period"), func.sum(found.c.uses).label("uses"))
        .where(found.c.charged)
        .group_by("period")
        .order_by("period")
    )
    used: Counter[str] = Counter()
    in_order = (Charge(bounds[row.period - 1], int(row.uses)) for row in rows if row.period)
    for of_charge in allocate(price.packs, in_order):
        used.update(of_charge)
    return states_of(price, used, datetime.now(UTC))


def states_of(price: Price, used: Mapping[str, int], now: datetime) -> tuple[PackState, ...]:
    """Put packs and what was taken from them together.

    Args:
        used: Name of a pack -> uses taken from it.
        now: As of when.
    """
    return tuple(PackState(pack, used.get(pack.name, 0), now) for pack in price.packs)


def pack_warnings(states: Sequence[PackState], uses_to_come: int, price: Price) -> tuple[str, ...]:
    """Say what people should know of their packs.

    Args:
        uses_to_come: What a run is about to use.
        price: Of a use beyond the packs.
    """
    warnings = []
    usable = sum(state.usable for state in states)
    if states and uses_to_come > usable:
        beyond = uses_to_come - usable
        cost = money(price.per_use * beyond, price.currency)
        warnings.append(
            f"the packs have {usable:,} uses left and the run needs {uses_to_come:,}: {beyond:,} are charged one by "
            f"one, {cost}; buy a pack, or lower [budget] per_run"
        )
    to_come = uses_to_come
    for state in sorted(states, key=lambda state: state.pack.ends_at):
        taken = min(to_come, state.usable)
        to_come -= taken
        unused = state.usable - taken
        if unused and state.pack.ends_at - state.now <= WARN_BEFORE:
            warnings.append(
                f"{unused:,} uses of the pack {state.pack.name} expire unused on {state.pack.ends_at:%Y-%m-%d}; "
                "plan a backfill before"
            )
    return tuple(warnings)
