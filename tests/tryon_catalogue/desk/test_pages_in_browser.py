"""Today, Garments, Rejected, Doubts and stops, as people use them in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, select, text, update

from damo_tryon.errors import CredentialsError, OutcomeUnknownError, UnknownResultKeyError
from tests.tryon_catalogue.desk.serving import Served
from tests.tryon_catalogue.desk.shop_floor import Piece, furnish
from tests.tryon_catalogue.helpers import PlanBatch, some_looks, states, submit_now
from tests.tryon_catalogue.reporting.report.books import RUN, open_run, write_rejections, write_submission
from tests.tryon_catalogue.submission.test_doubts import ask_about
from tryon_catalogue.desk import doubts as desk_doubts
from tryon_catalogue.desk.rendering import PAGES
from tryon_catalogue.ledger.tables import look_moves, runs, stops, submissions
from tryon_catalogue.settings import Settings
from tryon_catalogue.submission.stops import StopKind, set_stop

if TYPE_CHECKING:
    from playwright.sync_api import Page

Open = Callable[..., "Page"]


@pytest.fixture
def shop(engine: Engine, settings: Settings) -> dict[str, Any]:
    """A ledger in which something of every kind waits; gives the ids of what is in doubt."""
    keys = furnish(
        engine,
        settings,
        [
            Piece("TS-1", before=1),
            Piece("TS-2", title="海魂衫 Breton"),
            Piece("TS-3", state="FAILED", made=(), collection="AW26"),
            Piece("TS-4", state="IN_DOUBT", made=()),
            Piece("TS-5", state="IN_DOUBT", made=()),
        ],
    )
    found = [
        write_submission(
            engine, [key], "IN_DOUBT", uses=1, message="the connection was closed", request_id="REQ-7"
        )
        for key in keys[3:]
    ]
    set_stop(engine, "damo_tryon", StopKind.CREDENTIALS, CredentialsError("wrong AppCode", code=401), RUN)
    began = datetime.now(UTC) - timedelta(hours=8)
    asked = {"asked_amount": 1900, "approval": "asked for ¥1,900", "started_at": began, "opened_at": began}
    open_run(engine, "tryon_nightly/asks", ended=False, **asked)
    write_rejections(
        engine,
        [
            {
                "line": n,
                "sku": f"R-{n}",
                "rule": rule,
                "image": f"https://shop.example/{n}.jpg",
                "limit": "512 px",
            }
            for n, rule in enumerate(["too_small", "too_small", "missing", "=HYPERLINK(1)"], 2)
        ],
    )
    return {"keys": keys, "doubts": found}


def said(page: Page) -> str:
    """What the page tells after a decision."""
    page.wait_for_selector("#said:not([hidden])")
    return page.inner_text("#said")


# -- looking ---------------------------------------------------------------------------------------------------


NAMELESS = """() => [...document.querySelectorAll("button, a, input:not([type=hidden]), select, textarea, img")]
    .filter(e => e.checkVisibility())
    .filter(e => !(e.textContent.trim() || e.getAttribute("aria-label") || e.alt || e.labels?.length
        || (e.tagName === "IMG" && e.closest("a")?.textContent.trim())
        || (e.tagName === "A" && e.querySelector("img")?.alt)))
    .map(e => e.outerHTML)"""


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_every_page_fits_every_width_names_everything_and_asks_nobody_else_for_anything(
    open_page: Open, desk: Served, locale: str
) -> None:
    page = open_page("today", locale=locale, color_scheme="dark" if locale == "zh-CN" else "light")
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: problems.append(f"{message.text} {message.location}"))
    page.on("pageerror", lambda error: problems.append(str(error)))
    for name in (*PAGES, "garment?sku=TS-1"):
        page.goto(f"{desk.url}/{name}")
        page.wait_for_load_state("networkidle")
        for width in (1400, 1000, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate(NAMELESS) == []
        assert page.locator("h1").count() == page.locator("main").count() == 1
        assert page.get_attribute("html", "lang") == {"en-GB": "en", "zh-CN": "zh-Hans"}[locale]
    assert problems == []
    assert {url.startswith(desk.origin) for url in asked} == {True}


@pytest.mark.usefixtures("shop")
def test_the_keyboard_reaches_the_content_first_and_every_page(open_page: Open) -> None:
    page = open_page("today")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/money")


@pytest.mark.usefixtures("shop")
def test_today_names_what_waits_and_leads_to_where_it_is_settled(open_page: Open) -> None:
    page = open_page("today")
    waits = page.locator(".waits li")
    assert [row.splitlines()[0] for row in waits.all_inner_texts()] == [
        "2 looks wait for your eyes",
        "A run asks whether it may spend ¥1,900",
        "2 submissions were sent and never answered",
        "Nothing is sent over damo_tryon",
        "A run is late",
    ]
    assert waits.nth(1).locator("a").get_attribute("href") == (
        "/dags/tryon_nightly/runs/asks/required_actions"
    )
    page.get_by_role("link", name="Settle").click()
    page.wait_for_url("**/doubts")


def test_today_says_when_nothing_waits(open_page: Open, engine: Engine) -> None:
    assert "Nothing waits for you." in open_page("today").inner_text("main")


@pytest.mark.usefixtures("shop")
def test_times_are_the_readers_own(open_page: Open) -> None:
    page = open_page("doubts", timezone_id="Asia/Shanghai")
    assert "10:30" in page.locator(".doubt-card time").first.inner_text()
    assert "02:30 UTC" in (page.locator(".doubt-card time").first.get_attribute("title") or "")


@pytest.mark.usefixtures("shop")
def test_garments_are_found_and_show_their_pictures_and_their_history(open_page: Open) -> None:
    page = open_page("garments")
    assert page.locator(".cards strong").all_inner_texts() == ["TS-1", "TS-2", "TS-3", "TS-4", "TS-5"]
    page.get_by_label("Sku or title").fill("海魂")
    page.keyboard.press("Enter")
    page.wait_for_url("**/garments?*")
    assert page.locator(".cards strong").all_inner_texts() == ["TS-2"]
    page.get_by_role("link", name="TS-2").click()
    page.wait_for_url("**/garment?*")
    page.get_by_text("History (1)").click()
    assert "waits for you" in page.locator("details table").inner_text()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("[...document.querySelectorAll('.shots img')].every(i => i.naturalWidth > 0)")
    page.get_by_role("link", name="Review it").click()
    page.wait_for_url("**/review?*")
    assert page.inner_text("#look-name") == "TS-2"


def test_a_garment_that_failed_is_planned_again(
    open_page: Open, shop: dict[str, Any], engine: Engine
) -> None:
    page = open_page("garment?sku=TS-3")
    assert "¥0.95" in page.inner_text(".panel")
    page.get_by_role("button", name="Try again").click()
    assert said(page) == "TS-3 is planned again."
    assert states(engine)[2] == "PLANNED"


@pytest.mark.usefixtures("shop")
def test_rejected_rows_are_filtered_and_given_as_a_list_that_no_spreadsheet_obeys(open_page: Open) -> None:
    page = open_page("rejected")
    assert page.locator("tbody strong").all_inner_texts() == ["R-5", "R-4", "R-3", "R-2"]
    with page.expect_download() as all_of_them:
        page.get_by_role("link", name="List for the studio").click()
    whole = all_of_them.value.path().read_text("utf-8-sig")
    assert "'=HYPERLINK(1)" in whole
    assert whole.splitlines()[0].startswith("sku,title,collection,rule")
    page.get_by_label("Rule").select_option("too_small")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**/rejected?*")
    assert page.locator("tbody strong").all_inner_texts() == ["R-3", "R-2"]
    with page.expect_download() as some:
        page.get_by_role("link", name="List for the studio").click()
    assert len(some.value.path().read_text("utf-8-sig").splitlines()) == 3


def test_a_row_that_is_rejected_every_night_is_shown_once_until_it_is_right(
    open_page: Open, engine: Engine, settings: Settings
) -> None:
    for night in ("a", "b"):
        open_run(engine, f"tryon_nightly/{night}")
        write_rejections(engine, [{"line": 2, "sku": "R-1"}], f"tryon_nightly/{night}")
    page = open_page("rejected")
    assert page.locator("tbody strong").all_inner_texts() == ["R-1"]
    assert "/tryon_nightly/runs/b" in (page.locator("tbody a").get_attribute("href") or "")
    furnish(engine, settings, [Piece("R-1")])
    with engine.begin() as connection:
        connection.execute(text("UPDATE tryon.garment_looks SET export_date = '2026-11-21'"))
    page.reload()
    assert "Every row can be used." in page.inner_text("main")


# -- deciding --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "state", "told"),
    [("Plan again", "PLANNED", "1 look is planned again."), ("Give up", "FAILED", "1 look is given up.")],
)
def test_a_doubt_is_settled_and_says_who_did(  # noqa: PLR0917  # what the test needs
    open_page: Open, shop: dict[str, Any], engine: Engine, way: str, state: str, told: str
) -> None:
    page = open_page("doubts", name="mei")
    assert page.locator(".doubt-card").count() == 2
    page.locator(".doubt-card").first.get_by_role("button", name=way).click()
    assert said(page) == told
    assert page.locator(".doubt-card").count() == 1
    assert states(engine)[3:] == [state, "IN_DOUBT"]
    with engine.connect() as connection:
        assert connection.execute(select(look_moves.c.run).order_by(look_moves.c.id.desc())).scalar() == "mei"


def test_a_key_is_checked_at_the_vendor_before_it_counts(
    open_page: Open, plan_batch: PlanBatch, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, _ = plan_batch(some_looks(2))

    def lose(*_: object) -> Any:
        raise OutcomeUnknownError("the answer timed out", code=504)

    submit_now(engine, lose, batch)
    asked: list[tuple[str, str]] = []

    class Hook:
        def __init__(self, conn_id: str) -> None:
            self._conn_id = conn_id

        def query(self, result_key: str) -> Any:
            asked.append((self._conn_id, result_key))
            if result_key != "right":
                raise UnknownResultKeyError("no records", code=23500008, result_key=result_key)
            return ask_about(range(2))(result_key)

    monkeypatch.setattr(desk_doubts, "DamoTryOnHook", Hook)
    page = open_page("doubts")
    page.get_by_label("Result key").fill("wrong")
    page.keyboard.press("Enter")
    assert "wrong" in said(page)
    assert states(engine) == ["IN_DOUBT"] * 2
    page.get_by_label("Result key").fill(" right ")
    page.get_by_role("button", name="Check and collect").click()
    page.get_by_text("2 looks are paid for").wait_for()
    assert asked == [("damo_tryon", "wrong"), ("damo_tryon", "right")]
    with engine.connect() as connection:
        assert connection.execute(select(submissions.c.result_key)).scalars().all() == ["right"]


def test_of_two_people_the_second_is_told_who_was_faster(
    open_page: Open, shop: dict[str, Any], engine: Engine
) -> None:
    mei, ben = open_page("doubts", name="mei"), open_page("doubts", name="ben")
    mei.locator(".doubt-card").first.get_by_role("button", name="Give up").click()
    said(mei)
    ben.locator(".doubt-card").first.get_by_role("button", name="Plan again").click()
    told = said(ben)
    assert "somebody was faster" in told
    assert "mei" in told
    assert states(engine)[3] == "FAILED"


def test_a_stop_is_lifted_by_name(open_page: Open, shop: dict[str, Any], engine: Engine) -> None:
    page = open_page("doubts", name="mei")
    page.get_by_role("button", name="Resume").click()
    assert said(page).startswith("Submissions over damo_tryon go on")
    with engine.connect() as connection:
        assert connection.execute(select(stops.c.lifted_by)).scalars().all() == ["mei"]


@pytest.mark.usefixtures("shop")
def test_a_viewer_sees_everything_and_no_button(open_page: Open) -> None:
    for page in ("doubts", "garment?sku=TS-3", "review"):
        shown = open_page(page, name="viola", role="viewer")
        assert "You may look." in shown.inner_text("main")
        for name in ("Give up", "Plan again", "Resume", "Try again", "Accept", "Make again", "Refuse"):
            assert shown.get_by_role("button", name=name).count() == 0


# -- other sites -----------------------------------------------------------------------------------------------


@pytest.fixture
def hostile_site() -> Iterator[Callable[[str], str]]:
    """A site of somebody else's, under another name of this machine: gives the address of a page with this content."""
    pages: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages.get(self.path, "").encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()

    def put(content: str) -> str:
        pages["/"] = content
        return f"http://localhost:{server.server_port}/"

    yield put
    server.shutdown()
    server.server_close()


def test_a_form_on_another_site_changes_nothing_even_with_the_token(
    open_page: Open, shop: dict[str, Any], engine: Engine, desk: Served, hostile_site: Callable[[str], str]
) -> None:
    page = open_page("doubts")
    token = page.get_attribute("body", "data-token")
    number = shop["doubts"][0]
    address = hostile_site(
        f"<form method=post action='{desk.url}/doubts/settle'><input name=submission value={number}>"
        f"<input name=how value=give_up><input name=token value={token}><button>win</button></form>"
    )
    page.goto(address)
    page.get_by_role("button").click()
    page.wait_for_url("**/doubts/settle")
    assert "give_up" not in page.inner_text("main")
    assert states(engine)[3] == "IN_DOUBT"


def test_another_site_gets_no_frame_of_it(
    open_page: Open, shop: dict[str, Any], desk: Served, hostile_site: Callable[[str], str]
) -> None:
    page = open_page("doubts")
    page.goto(hostile_site(f"<iframe src='{desk.url}/doubts'></iframe>"))
    page.wait_for_load_state("networkidle")
    assert page.frame_locator("iframe").get_by_role("button", name="Give up").count() == 0


@pytest.mark.usefixtures("shop")
def test_text_from_outside_is_text(open_page: Open, engine: Engine) -> None:
    mark = "<img src=x onerror=document.title='taken'>"
    with engine.begin() as connection:
        connection.execute(text("UPDATE tryon.garment_looks SET title = :mark"), {"mark": mark})
        connection.execute(text("UPDATE tryon.rejections SET reason = :mark"), {"mark": mark})
        connection.execute(text("UPDATE tryon.submissions SET message = :mark"), {"mark": mark})
        connection.execute(update(runs).values(problem=mark, started_at=text("now()")))
    for name in (*PAGES, "garment?sku=TS-1"):
        page = open_page(name)
        page.wait_for_load_state("networkidle")
        assert "taken" not in page.title()
        assert page.locator("img[src=x]").count() == 0
