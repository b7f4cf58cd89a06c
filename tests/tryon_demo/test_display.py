"""How a night is shown when it is over."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.tryon_demo.nights import LOOK, NIGHT, PAID_ONCE, night, refused, said, screen
from tryon_demo.display import as_link, show_catalogue, show_rejections, show_summary, show_verdict
from tryon_demo.outcome import Charges, GarmentRow

ARCHIVE = Path("/shop/archive")
SHEET = Path("/shop/contact-sheet.html")
REPORT = Path("/shop/report.html")


def test_the_first_picture_stands_on_one_line_below_the_archives_folder() -> None:
    console = screen(120)
    show_catalogue(console, NIGHT, ARCHIVE)
    line = next(line for line in said(console).splitlines() if "00123" in line)
    assert "SS26/00123/Mei-f62775-1.jpg" in line
    assert "/shop/archive" not in line
    assert "PUBLISHED" in line


@pytest.mark.parametrize("width", [60, 80, 99, 120, 200])
def test_no_line_is_wider_than_the_terminal_even_with_chinese_titles(width: int) -> None:
    long = "海魂衫条纹" * 12 + " Breton Stripe Tee"
    row = GarmentRow("00123", long, "SS26", "PUBLISHED", ("/shop/archive/SS26/00123/Mei-f62775-1.jpg",))
    console = screen(width)
    show_catalogue(console, night(catalogue=(row,)), ARCHIVE)
    for line in said(console).splitlines():
        cells = sum(2 if "\u2e80" <= letter <= "\uffef" else 1 for letter in line)
        assert cells <= width


def test_a_narrow_terminal_keeps_the_titles_and_drops_the_addresses() -> None:
    console = screen(80)
    show_catalogue(console, NIGHT, ARCHIVE)
    assert LOOK.title in said(console)
    assert ".jpg" not in said(console)


def test_what_the_shop_has_written_is_never_taken_for_markup() -> None:
    row = GarmentRow("[b]1[/b]", "[red]Sale[/red] :smile: \\[x]", "[i]", "PUBLISHED", ())
    row_refused = refused(2, "[/]", "The sku [bold]1e5[/bold] stands on line 1 already.")
    console = screen()
    show_catalogue(console, night(catalogue=(row,)), ARCHIVE)
    show_rejections(console, night(rejections=(row_refused,)))
    show_verdict(console, ["[red]1[/red] look is FAILED."])
    for words in (
        "[b]1[/b]",
        "[red]Sale[/red] :smile: \\[x]",
        "[/]",
        row_refused.reason,
        "[red]1[/red] look",
    ):
        assert words in said(console)


def test_refused_rows_are_shown_with_line_sku_and_reason() -> None:
    console = screen()
    show_rejections(console, night(rejections=(refused(15, "DR-5005", "The URL holds Chinese."),)))
    assert any(
        line.split() == ["15", "DR-5005", "The", "URL", "holds", "Chinese."]
        for line in said(console).splitlines()
    )


def test_no_table_is_shown_where_no_row_was_refused() -> None:
    console = screen()
    show_rejections(console, night(rejections=()))
    assert said(console) == ""


def test_a_first_night_says_what_it_made_and_what_it_cost() -> None:
    console = screen()
    show_summary(console, NIGHT, PAID_ONCE, pictures=ARCHIVE, sheet=SHEET, report=REPORT)
    for words in (
        "The look published",
        "1 to make",
        "¥0.95",
        "1 uses by the sandbox, 1 expected",
        "none of them twice",
        *map(str, (SHEET, REPORT)),
    ):
        assert words in said(console)
    assert "known before" not in said(console)


def test_a_second_night_says_that_it_had_nothing_to_make_and_cost_nothing() -> None:
    console = screen()
    outcome = night(account={"looks": {}, "known": 1, "submissions": 0, "uses": 0, "cost": Decimal("0.00")})
    show_summary(console, outcome, Charges(0, 1, 1), pictures=ARCHIVE, sheet=SHEET, report=REPORT)
    shown = " ".join(said(console).split())
    assert "Nothing new to make" in shown
    assert "0 to make, 1 known before" in shown
    assert "cost ¥0 " in shown


def test_a_look_paid_for_twice_is_said_plainly() -> None:
    console = screen()
    show_summary(console, NIGHT, Charges(2, 1, 2), pictures=ARCHIVE, sheet=SHEET, report=REPORT)
    assert "one look was paid for 2 times" in said(console)
    assert "none of them twice" not in said(console)


def test_the_verdict_is_one_line_or_the_list_of_what_is_wrong() -> None:
    good, bad = screen(), screen()
    show_verdict(good, [])
    show_verdict(bad, ["2 looks are REVIEW instead of PUBLISHED."])
    assert said(good) == "✓ Every look ended as it should.\n"
    assert "✗ Not everything" in said(bad)
    assert "2 looks are REVIEW" in said(bad)


def test_a_path_is_shown_as_one_would_type_it_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert as_link(tmp_path / ".demo" / "archive").plain == ".demo/archive"
    assert as_link(Path("/elsewhere")).plain == "/elsewhere"
