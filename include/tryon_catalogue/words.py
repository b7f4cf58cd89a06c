"""Prices and counts as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

SIGNS: Final[Mapping[str, str]] = {"CNY": "¥", "EUR": "€", "GBP": "£", "USD": "$"}


def money(amount: Decimal, currency: str) -> str:
    """Write a price: ¥25.65, ¥1,900, ¥0, 3.80 SEK.

    Args:
        amount: In the currency's unit.
        currency: Its code.
    """
    figure = f"{amount:,.0f}" if amount == amount.to_integral_value() else f"{amount:,.2f}"
    sign = SIGNS.get(currency)
    return f"{sign}{figure}" if sign else f"{figure} {currency}".strip()


def counted(count: int, thing: str) -> str:
    """Write how many there are of something: 1 look, 1,900 looks.

    Args:
        thing: One of them.
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
