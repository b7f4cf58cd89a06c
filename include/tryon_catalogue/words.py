"""Prices, counts and text from outside as people are shown them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

SIGNS: Final[Mapping[str, str]] = {"CNY": "¥", "EUR": "€", "GBP": "£", "USD": "$"}
CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 and C1 controls (a terminal obeys U+009B), what turns the direction of writing, and halves of characters."""
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#|~&!@:])")
_LINE_START: Final = re.compile(r"^(\d+)([.)])|^([-+=])")

# What spreadsheets take for the beginning of a formula; the wide ones are typed with Chinese and Japanese keyboards. It
# counts after each character that some spreadsheet takes for a separator, too: which one it is, its country decides.
_FORMULA: Final = re.compile(r"(^|[,;|\t\r\n])(?=[\s\"']*[=+\-@＝＋－＠])")
_INVISIBLE_BEFORE_A_FORMULA: Final = ("\t", "\r", "\n")


def harmless(cell: str) -> str:
    """Give a cell's text so that no spreadsheet takes it, or a part of it, for a formula: an apostrophe is before one.

    Args:
        cell: Text from outside.
    """
    text = _FORMULA.sub(r"\1'", cell)
    return f"'{text}" if text.startswith(_INVISIBLE_BEFORE_A_FORMULA) else text


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


def escape_markdown(text: str) -> str:
    """Give text from outside as Markdown that shows exactly it, in one line.

    Args:
        text: Such as a sku or the vendor's words.
    """
    line = " ".join(text.split())
    line = "".join(character for character in line if character.isprintable())
    escaped = _SPECIAL.sub(r"\\\1", line).replace("www.", r"www\.")
    return _LINE_START.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[3]}", escaped)
