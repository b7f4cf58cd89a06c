"""Prices, counts and text from outside as people are shown them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tryon_catalogue.words import counted, escape_markdown, harmless, money


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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**bold** _it_ `code`", r"\*\*bold\*\* \_it\_ \`code\`"),
        ("<script>alert(1)</script>", r"\<script\>alert\(1\)\</script\>"),
        ("[a](http://evil.example)", r"\[a\]\(http\://evil.example\)"),
        ("see www.evil.example or a@b.example", r"see www\.evil.example or a\@b.example"),
        ("two\nlines\r\n# heading", r"two lines \# heading"),
        ("1. item", r"1\. item"),
        ("- item", r"\- item"),
        ("a\x00b\u202ec", "abc"),
        ("衬衫", "衬衫"),
    ],
)
def test_what_comes_from_outside_shows_as_it_is_and_does_nothing(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "\n"])
@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1", " =1", '"=1'])
def test_no_part_of_a_cell_is_a_formula_under_any_separator(separator: str, formula: str) -> None:
    for part in harmless(f"x{separator}{formula}{separator}z").split(separator):
        assert not part.lstrip(' "').startswith(("=", "+", "-", "@", "＝"))
    assert harmless(formula).startswith("'")
    assert harmless("a-b = c") == "a-b = c"
