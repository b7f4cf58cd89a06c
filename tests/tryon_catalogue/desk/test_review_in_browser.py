"""Review, as a merchandiser works there: with the eyes and a few keys, each decision down to the shop's row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import Engine, func, select, text

from tests.tryon_catalogue.desk.serving import Served
from tests.tryon_catalogue.desk.shop_floor import Piece, catalogue_row, furnish
from tests.tryon_catalogue.helpers import states
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import decisions
from tryon_catalogue.publishing.review import accept
from tryon_catalogue.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]
LOOKS = 20  # with a hundred it takes minutes: those are counted in desk.md


def named(page: Page, name: str) -> None:
    """Wait until this look is shown."""
    page.locator("#look-name").get_by_text(name, exact=True).wait_for()


def said(page: Page, words: str) -> None:
    """Wait until the page tells this."""
    page.locator("#said").get_by_text(words).wait_for()


def test_keys_accept_pictures_refuse_remake_and_undo_down_to_the_shops_row(
    open_page: Open, engine: Engine, settings: Settings
) -> None:
    keys = furnish(
        engine,
        settings,
        [
            Piece("TS-1", made=("", "colours", "")),
            Piece("TS-2"),
            Piece("TS-3", before=1),
            Piece("TS-4", made=()),
        ],
    )
    page = open_page("review")
    named(page, "TS-1")
    boxes = page.locator("input[name=picture]")
    assert [box.is_checked() for box in boxes.all()] == [True, False, True]
    assert "colours of the garment 21.3, limit 14" in page.locator(".pane.made").nth(1).inner_text()
    page.keyboard.press("3")
    page.keyboard.press("a")
    named(page, "TS-2")
    assert catalogue_row(engine, "TS-1").picture_urls == [f"https://cdn.example/{keys[0][:10]}-b-1.jpg"]

    page.keyboard.press("x")
    page.keyboard.press("1")
    page.keyboard.press("6")
    page.keyboard.press("n")
    page.keyboard.type("six fingers")
    page.keyboard.press("Enter")
    named(page, "TS-3")
    assert "refused by mei: colour, hands; six fingers" in catalogue_row(engine, "TS-2").tryon_detail

    page.keyboard.press("r")
    assert "¥0.95" in page.locator("#costs").inner_text()
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    named(page, "TS-4")
    assert states(engine)[2] == "PLANNED"
    page.keyboard.press("u")
    named(page, "TS-3")
    assert states(engine)[2] == "REVIEW"

    page.keyboard.press("s")
    named(page, "TS-4")
    page.keyboard.press("c")
    said(page, "TS-4 is asked for by the next run of tryon_recover.")
    assert states(engine)[3] == "SUBMITTED"
    page.get_by_role("link", name="Start again").click()
    named(page, "TS-3")
    with engine.connect() as connection:
        kept = connection.execute(
            select(decisions.c.action, decisions.c.reasons).order_by(decisions.c.id)
        ).all()
    assert [tuple(row) for row in kept] == [
        ("accept", []),
        ("refuse", ["colour", "hands"]),
        ("remake", ["length"]),
        ("collect", []),
    ]


def test_looks_are_decided_by_keys_alone(open_page: Open, engine: Engine, settings: Settings) -> None:
    """Nothing is touched but keys: one a look where it is good, three where it is refused with a reason."""
    furnish(engine, settings, [Piece(f"TS-{n:03}", made=("",)) for n in range(LOOKS)])
    page = open_page("review")
    pressed = 0

    def press(*keys: str) -> None:
        nonlocal pressed
        for key in keys:
            page.keyboard.press(key)
            pressed += 1

    for number in range(LOOKS):
        named(page, f"TS-{number:03}")
        if number % 10 == 9:
            press("x", "1", "Enter")
        else:
            press("a")
    page.get_by_role("link", name="Start again").wait_for()
    assert pressed == LOOKS + 2 * LOOKS // 10
    found = states(engine)
    assert (found.count("PUBLISHED"), found.count("FAILED")) == (LOOKS * 9 // 10, LOOKS // 10)
    assert catalogue_row(engine, "TS-000").picture_url


def test_space_shows_what_the_catalogue_has_and_zoom_goes_together(
    open_page: Open, engine: Engine, settings: Settings
) -> None:
    furnish(engine, settings, [Piece("TS-1", before=1)])
    page = open_page("review")
    named(page, "TS-1")
    page.wait_for_load_state("networkidle")
    after, before = page.locator("img.after"), page.locator("img.before")
    assert (after.is_visible(), before.is_visible()) == (True, False)
    page.keyboard.press(" ")
    assert (after.is_visible(), before.is_visible()) == (False, True)
    assert "In the catalogue now" in page.locator(".made figcaption").inner_text()
    page.keyboard.press(" ")
    transforms = "[...document.querySelectorAll('.view img')].map(i => getComputedStyle(i).transform)"
    assert len(set(page.evaluate(transforms))) == 1
    page.keyboard.press("+")
    page.keyboard.press("Shift+ArrowLeft")
    zoomed = page.evaluate(transforms)
    assert "1.4" in zoomed[0]
    assert len({matrix.split(",")[0] for matrix in zoomed}) == 1
    page.keyboard.press("0")
    assert "1.4" not in page.evaluate(transforms)[0]
    page.keyboard.press("w")
    page.locator("#whole img").wait_for()
    assert "/whole?" in (page.locator("#whole img").get_attribute("src") or "")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()


def test_the_next_looks_are_there_before_they_are_asked_for(
    open_page: Open, engine: Engine, settings: Settings
) -> None:
    furnish(engine, settings, [Piece(f"TS-{n}") for n in range(8)])
    page = open_page("review")
    named(page, "TS-0")
    page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("s")
    named(page, "TS-1")
    assert [url for url in asked if "/picture/" in url and "TS-1" in url] == []
    fetched = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => e.name.includes('/new/')).length"
    )
    assert fetched >= 6  # the one that is shown and five ahead


def test_two_people_are_shown_different_looks(open_page: Open, engine: Engine, settings: Settings) -> None:
    furnish(engine, settings, [Piece(f"TS-{n:02}") for n in range(12)])
    mei, ben = open_page("review", name="mei"), open_page("review", name="ben")
    first, second = mei.inner_text("#look-name"), ben.inner_text("#look-name")
    assert first == "TS-00"
    assert second != first


def test_who_comes_late_is_told_who_was_faster_and_goes_on(
    open_page: Open, engine: Engine, settings: Settings
) -> None:
    furnish(engine, settings, [Piece("TS-1"), Piece("TS-2")])
    page = open_page("review")
    named(page, "TS-1")
    accept(engine, settings, ["TS-1"], Mover("ben"))
    page.keyboard.press("1")
    page.keyboard.press("a")
    said(page, "Somebody was faster: ben")
    named(page, "TS-2")


def test_a_filter_narrows_the_queue_and_all_of_it_is_accepted_by_its_count(
    open_page: Open, engine: Engine, settings: Settings
) -> None:
    pieces = [Piece(f"A-{n}", collection="AW26", made=("",)) for n in range(3)]
    furnish(engine, settings, [*pieces, Piece("S-1", made=("face",))])
    page = open_page("review")
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.name") == "check"
    page.get_by_label("Collection").select_option("AW26")
    page.wait_for_url("**collection=AW26**")
    named(page, "A-0")
    page.get_by_role("button", name="Accept all 3").click()
    page.get_by_label("Type 3 to confirm").fill("4")
    page.keyboard.press("Enter")
    said(page, "The number is not 3")
    page.get_by_role("button", name="Accept all 3").click()
    page.get_by_label("Type 3 to confirm").fill("3")
    page.keyboard.press("Enter")
    said(page, "3 looks are in the catalogue.")
    assert states(engine) == ["PUBLISHED"] * 3 + ["REVIEW"]
    assert "fits this filter" in page.inner_text("#stage")


def test_on_a_phone_the_actions_are_at_hand(open_page: Open, engine: Engine, settings: Settings) -> None:
    furnish(engine, settings, [Piece("TS-1", made=("",)), Piece("TS-2")])
    page = open_page("review", width=390, has_touch=True, is_mobile=True)
    named(page, "TS-1")
    box = page.get_by_role("button", name="Accept", exact=False).last.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 900
    page.locator(".actions [data-do=accept]").tap()
    named(page, "TS-2")
    assert catalogue_row(engine, "TS-1").tryon_status == "PUBLISHED"


def test_the_page_speaks_chinese_to_whose_browser_does(
    open_page: Open, engine: Engine, settings: Settings
) -> None:
    furnish(engine, settings, [Piece("TS-1"), Piece("TS-2")])
    page = open_page("review", locale="zh-CN")
    named(page, "TS-1")
    assert "重新制作" in page.inner_text(".actions")
    page.keyboard.press("r")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    said(page, "TS-1 已重新列入计划。")


def test_a_click_that_comes_twice_is_one_decision(
    open_page: Open, desk: Served, engine: Engine, settings: Settings
) -> None:
    furnish(engine, settings, [Piece("TS-1")])
    page = open_page("review")
    named(page, "TS-1")
    answers = page.evaluate(
        """async () => {
            const look = document.querySelector(".look").dataset;
            const fields = [["look", look.key], ["seen", look.seen], ["action", "remake"]];
            return [await desk.decide("review/decide", fields), await desk.decide("review/decide", fields)];
        }"""
    )
    assert [answer["ok"] for answer in answers] == [True, True]
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(decisions)).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM tryon.look_moves")).scalar_one() == 2
