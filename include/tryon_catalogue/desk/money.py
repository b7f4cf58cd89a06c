"""Where the money went: by day, run, collection and pack, and line by line to hold against the vendor's bill."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tryon_catalogue.budget.packs import read_packs
from tryon_catalogue.budget.spend import By, Spent, read_spent, write_lines

if TYPE_CHECKING:
    from tryon_catalogue.desk.serving import Shop

DAYS: Final = 60
"""Days that the chart has, the newest last."""
MOST_ROWS: Final = 100
"""Rows of a table, the newest first."""
_WIDTH: Final = 12  # of a day in the chart, in its own unit
_HEIGHT: Final = 120


@dataclass(frozen=True, slots=True)
class Bar:
    """A day in the chart, in the chart's own unit.

    Attributes:
        height: Of what was charged.
        doubt: Of what may be charged besides, on top of it.
    """

    day: date
    spent: Spent
    x: int
    height: float
    doubt: float

    @property
    def y(self) -> float:
        """Upper end of what was charged."""
        return _HEIGHT - self.height


def read_money(shop: Shop, by: By) -> Mapping[str, Any]:
    """Read what the page shows."""
    price = shop.settings.price
    with shop.engine.connect() as connection:
        packs = read_packs(connection, price)
        days = read_spent(connection, price, By.DAY)
        rows = days if by is By.DAY else [] if by is By.PACK else read_spent(connection, price, by)
    return {
        "by": by,
        "choices": tuple(By),
        "bars": _bars(days),
        "chart": (_WIDTH * DAYS, _HEIGHT),
        "rows": list(reversed(rows))[:MOST_ROWS],
        "more": max(0, len(rows) - MOST_ROWS),
        "packs": packs,
        "uses": sum(spent.uses for spent in days),
        "total": sum((spent.amount for spent in days), Decimal(0)),
        "in_doubt": sum((spent.in_doubt for spent in days), Decimal(0)),
        "estimated": by is By.RUN,
        "currency": price.currency,
    }


def bill(shop: Shop) -> str:
    """Write a line for each submission, as ``tryon spend --csv`` does."""
    text = io.StringIO()
    text.write("\ufeff")  # by which spreadsheets know UTF-8
    with shop.engine.connect() as connection:
        write_lines(connection, shop.settings.price, text)
    return text.getvalue()


def _bars(days: Sequence[Spent]) -> list[Bar]:
    by_day = {date.fromisoformat(spent.name): spent for spent in days}
    if not by_day:
        return []
    last = max(by_day)
    shown = [last - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    none = Spent("")
    most = max(
        ((found := by_day.get(day, none)).amount + found.in_doubt for day in shown), default=Decimal(0)
    )
    scale = _HEIGHT / float(most) if most else 0.0
    return [
        Bar(
            day,
            spent := by_day.get(day, Spent(f"{day}")),
            place * _WIDTH,
            round(float(spent.amount) * scale, 2),
            round(float(spent.in_doubt) * scale, 2),
        )
        for place, day in enumerate(shown)
    ]
