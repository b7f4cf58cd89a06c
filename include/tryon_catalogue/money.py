"""Prices as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

SIGNS: Final[Mapping[str, str]] = {"CNY": "¥", "EUR": "€", "GBP": "£", "USD": "$"}


def money(amount: Decimal, currency: str) -> str:
    """Write a price: ¥25.65, ¥1,900, ¥0, 3.80 SEK.

    :param amount: in the currency's unit
    :param currency: its code
    """
    figure = f"{amount:,.0f}" if amount == amount.to_integral_value() else f"{amount:,.2f}"
    sign = SIGNS.get(currency)
    return f"{sign}{figure}" if sign else f"{figure} {currency}".strip()
