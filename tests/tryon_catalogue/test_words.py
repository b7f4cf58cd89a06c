"""Prices as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tryon_catalogue.words import counted, money


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("25.65", "CNY", "¥25.65"),
        ("0.00", "CNY", "¥0"),
        ("9500.00", "CNY", "¥9,500"),
        ("0.5", "EUR", "€0.50"),
        ("3.8", "SEK", "3.80 SEK"),
        ("2", "", "2"),
    ],
)
def test_a_price_is_written_with_its_sign_or_its_code(amount: str, currency: str, written: str) -> None:
    assert money(Decimal(amount), currency) == written


@pytest.mark.parametrize(("count", "words"), [(0, "0 looks"), (1, "1 look"), (1900, "1,900 looks")])
def test_one_is_not_many(count: int, words: str) -> None:
    assert counted(count, "look") == words
