from __future__ import annotations

import base64
import hashlib
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tryon_catalogue.exports import Rejection
from tryon_catalogue.looks import LookState
from tryon_catalogue.reporting.account import Account
from tryon_catalogue.reporting.report.facts import (
    Extract,
    Report,
    ReportedDoubt,
    ReportedInput,
    ReportedLook,
    ReportedPicture,
)
from tryon_catalogue.reporting.report.rendering import lasted, render, render_notice
from tryon_catalogue.reporting.report.thumbnails import Thumbnails
from tryon_catalogue.settings import ArchiveSettings
from tryon_catalogue.submission.doubts import Doubt
from tryon_catalogue.submission.stops import Stop, StopKind

NIGHT = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
ARCHIVE = ArchiveSettings(path="/archive")
NO_CONTENT = ("meta", "input", "img", "rect")


def read(place: str) -> bytes:
    """An archive that has everything but what is called missing."""
    if "missing" in place:
        raise FileNotFoundError(place)
    encoded = io.BytesIO()
    colour = hashlib.sha256(place.encode()).digest()[:3]
    Image.new("RGB", (300, 400), (colour[0], colour[1], colour[2])).save(encoded, "JPEG")
    return encoded.getvalue()


def a_picture(
    path: str = "/archive/1.jpg", *, url: str = "https://cdn.example/1.jpg", score: float | None = None
) -> ReportedPicture:
    return ReportedPicture(path, None, url, hashlib.sha256(path.encode()).hexdigest(), score)


def a_look(number: int = 1, text: str = "", **changes: object) -> ReportedLook:
    values: dict[str, object] = {
        "key": f"{number:064x}",
        "skus": (f"TS-{number}{text}",),
        "title": f"Breton tee {text}",
        "collection": f"SS26{text}",
        "model": f"Mei{text}",
        "state": LookState.PUBLISHED,
        "reason": text,
        "inputs": (
            ReportedInput("model", "m" * 64, (text,) if text else ()),
            ReportedInput("top", f"{number:064x}"),
        ),
        "pictures": (a_picture(f"/archive/{number}.jpg"),),
    }
    return ReportedLook(**(values | changes))  # type: ignore[arg-type]  # the values' types are those above


def a_report(looks: Sequence[ReportedLook] = (), text: str = "", **changes: object) -> Report:
    account = Account(
        run_id=f"tryon_nightly/1{text}",
        rows=24,
        rejected_rows=1,
        known=0,
        looks=dict(Counter(look.state.value for look in looks)),
        elsewhere=0,
        submissions=1,
        uses=1,
        cost=Decimal("0.95"),
        currency="CNY",
        rejections={f"missing{text}": 1},
        pictures=1,
        export_date=date(2026, 11, 20),
    )
    values: dict[str, object] = {
        "run_id": f"tryon_nightly/1{text}",
        "export": f"catalogue.csv{text}",
        "started_at": NIGHT,
        "ended_at": NIGHT + timedelta(minutes=42),
        "made_at": NIGHT + timedelta(hours=1),
        "account": account,
        "looks": tuple(looks),
        "rejections": (),
    }
    return Report(**(values | changes))  # type: ignore[arg-type]  # the values' types are those above


def of_account(report: Report, **changes: object) -> Report:
    """The report with another account."""
    ended = {"ended_at": NIGHT if changes["ended"] else None} if "ended" in changes else {}
    return replace(report, account=replace(report.account, **changes), **ended)


def everything(text: str = "") -> Report:
    """A report in which every part of the page has something, with a text wherever one comes from outside."""
    looks = (
        a_look(1, text),
        a_look(
            2,
            text,
            state=LookState.REVIEW,
            pictures=(a_picture(f"/archive/2{text}.jpg", url=f"https://x.example/{text}"),),
        ),
        a_look(3, text, state=LookState.IN_DOUBT, pictures=(), carried_by=f"run{text}"),
        a_look(4, text, skus=(), pictures=(a_picture("/archive/missing.jpg", url=f"/archive/{text}"),)),
        a_look(6, text, state=LookState.PLANNED, pictures=(), held=True),
        a_look(5, text, skus=(f"A{text}", f"B{text}"), collection=f"AW26{text}", model=f"Leo{text}"),
    )
    doubt = Doubt(
        7, "n/1", "c", NIGHT, 2, 2, (f"A{text}",), None, f"timed out {text}", f"r{text}", more_skus=True
    )
    stop = Stop(f"conn{text}", StopKind.CREDENTIALS, f"bad {text}", None, None, NIGHT, "n/1")
    rejection = Rejection(
        line=7,
        sku=f"S{text}",
        rule=f"rule{text}",
        column=f"c{text}",
        value="",
        reason=f"why {text}",
        image=f"v{text}",
        measured=f"m{text}",
        limit=f"l{text}",
    )
    plain = a_report(looks, text)
    return replace(
        of_account(plain, held_for={f"waits {text}": 1}, problem=f"the export is missing {text}"),
        doubts=(ReportedDoubt(doubt, Decimal("1.90")),),
        stops=(stop,),
        rejections=(rejection, Rejection(0, "", "bad", "", "", "")),
        rejected_images={f"v{text}": "d" * 64},
    )


def page_of(report: Report, address: Mapping[str, str] | None = None) -> str:
    return render(report, Thumbnails(read), ARCHIVE, address=address)


class Page(HTMLParser):
    """The parts of a page that the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.shape: list[tuple[str, ...]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.blocks: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, *(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in NO_CONTENT:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in NO_CONTENT:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"style", "script"}:
            self.blocks.setdefault(self.open[-1], []).append(data)
        elif data.strip():
            self.words.append(" ".join(data.split()))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


PLAIN = Page(page_of(everything("x")))
# Only an address that the browser can open is a link.
LINK = ("a", "href", "target", "rel")
EVIL = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'--><svg/onload=1>",
    "a' autofocus onfocus='x",
    "</style><style>*{}",
    "]]><!--",
    "{{ 7*7 }}{% raw %}",
    "&lt;b&gt;",
    "\u202eabc\x00",
)


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=60) | st.sampled_from(EVIL))
def test_no_text_from_outside_becomes_a_tag_or_an_attribute(text: str) -> None:
    page = Page(page_of(everything(text)))
    assert [element for element in page.shape if element != LINK] == [
        element for element in PLAIN.shape if element != LINK
    ]
    assert (page.blocks["script"], page.blocks["style"][0]) == (
        PLAIN.blocks["script"],
        PLAIN.blocks["style"][0],
    )
    assert page.open == []


def test_what_is_written_is_read_again_letter_by_letter() -> None:
    text = "<b>&amp; \"quoted\" 'é' 衬衫"
    page = Page(page_of(a_report([a_look(1, text)])))
    assert f"TS-1{text}" in page.words
    assert f"ts-1{text} breton tee {text}".lower() in page.values("data-text")


def test_the_page_asks_nothing_of_the_network_and_forbids_it() -> None:
    text = page_of(everything())
    page = Page(text)
    assert all(source.startswith("data:image/webp;base64,") for source in page.values("src"))
    addresses = re.findall(r"url\(\"(.{16})", text)
    assert addresses
    assert set(addresses) == {"data:image/webp;"}
    assert not re.search(r"@import|<link|<iframe|<object|<base", text)
    assert not {name for _, name, _ in page.attributes if name.startswith("on") or name == "style"}
    assert page.values("content")[0].startswith("default-src 'none'; img-src data:; ")


def test_only_the_pages_own_style_and_script_are_let_in() -> None:
    page = Page(page_of(everything()))
    (policy,) = (content for content in page.values("content") if content.startswith("default-src"))
    blocks = page.blocks["style"] + page.blocks["script"]
    digests = [base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in blocks]
    assert len(digests) == 3
    assert sorted(re.findall(r"'sha256-([^']+)'", policy)) == sorted(digests)


def test_each_look_is_a_card_that_can_be_found_by_state_collection_model_and_words() -> None:
    page = Page(page_of(everything()))
    assert page.values("data-state") == [
        "PUBLISHED",
        "REVIEW",
        "IN_DOUBT",
        "PUBLISHED",
        "PLANNED",
        "PUBLISHED",
    ]
    assert page.values("data-collection")[-1] == "AW26"
    assert page.values("data-model")[-1] == "Leo"
    assert page.values("data-text")[-1] == "a b breton tee "
    options = [value for tag, name, value in page.attributes if (tag, name) == ("option", "value")]
    assert options == ["", "AW26", "SS26", "", "Leo", "Mei"]


def test_rows_that_are_no_garments_of_their_own_stand_beside_the_rejected_ones() -> None:
    report = of_account(a_report(), further=5, left_out={"status is 'old'": 2})
    rows = "of 24 rows read (5 of them further rows of a garment; 2 left out because status is 'old')"
    assert rows in Page(page_of(report)).words


def test_without_a_script_everything_can_be_read_and_the_filters_are_not_there() -> None:
    page = Page(page_of(everything()))
    assert ("div", "class", "role", "aria-label", "hidden") in page.shape
    assert not [element for element in page.shape if element[0] == "article" and "hidden" in element]


def test_an_image_that_several_looks_share_stands_in_the_page_once() -> None:
    looks = [a_look(number, inputs=(ReportedInput("model", "m" * 64),)) for number in range(1, 9)]
    text = page_of(a_report(looks))
    assert text.count("background-image:url") == 1
    assert text.count('class="input i0"') == 8


def test_what_preflight_said_of_an_image_stands_on_the_card() -> None:
    inputs = (
        ReportedInput("model", "m" * 64),
        ReportedInput("top", "t" * 64, ("CMYK: Save the image in RGB.",)),
    )
    words = Page(page_of(a_report([a_look(inputs=inputs)]))).words
    assert words.count("Image of the") == 1
    place = words.index("Image of the")
    assert words[place + 1 : place + 4] == ["top", ":", "CMYK: Save the image in RGB."]


def test_what_was_said_of_several_images_of_a_look_stands_on_its_card_once() -> None:
    square = ("1,000 x 1,000 pixels, a square: crop it.",)
    inputs = tuple(ReportedInput(role, role[0] * 64, square) for role in ("top", "bottom"))
    words = Page(page_of(a_report([a_look(inputs=inputs)]))).words
    assert words.count(square[0]) == 1
    assert "top and bottom" in words


def test_an_image_that_cannot_be_read_is_an_empty_field_with_a_link_where_there_is_one() -> None:
    looks = [
        a_look(1, pictures=(a_picture("/missing/1.jpg"),), inputs=(ReportedInput("model", None),)),
        a_look(2, pictures=(a_picture("/missing/2.jpg", url="/archive/2.jpg"),), inputs=()),
    ]
    page = Page(page_of(a_report(looks)))
    assert page.values("src") == []
    assert [link for link in page.values("href") if not link.startswith("#")] == ["https://cdn.example/1.jpg"]
    assert "The archive could not be read." in page.words
    assert "model Mei" in page.words


def test_what_is_no_plain_address_is_no_link() -> None:
    page = Page(page_of(a_report([a_look(1, pictures=(a_picture(url="javascript:alert(1)"),))])))
    assert page.values("href") == []


def test_a_doubt_is_shown_with_its_price_and_the_commands_that_settle_it() -> None:
    page = Page(page_of(everything()))
    for text in (
        "¥1.90",
        "tryon doubts resolve 7 --lost",
        "tryon doubts resolve 7 --give-up",
        "tryon resume",
    ):
        assert text in page.words
    assert "tryon doubts resolve 7 --found RESULT_KEY" in page.words


def test_a_look_in_review_is_named_with_a_link_to_its_card() -> None:
    page = Page(page_of(everything()))
    target = f"look-{2:064x}"
    assert f"#{target}" in page.values("href")
    assert target in page.values("id")


def test_a_rejection_is_shown_with_what_was_measured_and_its_image() -> None:
    page = Page(page_of(everything()))
    for text in ("7", "S", "rule", "m", "l", "why", "c = v", "roster"):
        assert text in page.words
    assert "the image" in page.values("aria-label")


def test_a_report_of_nothing_has_no_empty_parts() -> None:
    page = Page(page_of(of_account(a_report(), ended=False)))
    assert "Nothing new to make" in page.words
    assert "not ended" in page.words
    assert not [element for element in page.shape if element[0] == "section"]


def test_in_the_airflow_ui_links_stay_in_the_frame_and_the_page_can_be_saved() -> None:
    page = Page(page_of(everything(), {"dag_id": "d", "run_id": "r"}))
    assert "?dag_id=d&run_id=r&download=1" in page.values("href")
    assert set(page.values("target")) == {"_self"}
    assert set(Page(page_of(everything())).values("target")) == {"_blank"}


ADDRESS = {"dag_id": "d", "run_id": "r"}


def an_extract(looks: Sequence[ReportedLook], **changes: object) -> Report:
    """The second of three pages of a run."""
    values: dict[str, object] = {
        "filters": {},
        "page": 2,
        "pages": 3,
        "found": 250,
        "rejection_page": 1,
        "rejection_pages": 2,
        "collections": ("AW26", "SS26"),
        "models": ("Mei",),
        "states": (LookState.PUBLISHED, LookState.REVIEW),
        "in_review": (),
        "review_count": 0,
    }
    part = Extract(**(values | changes))  # type: ignore[arg-type]  # the values' types are those above
    return a_report(looks, extract=part, rejections=everything().rejections)


def test_a_page_of_a_long_report_leads_to_the_others_without_a_script() -> None:
    page = Page(page_of(an_extract([a_look(1)], filters={"collection": "SS26"}), ADDRESS))
    links = page.values("href")
    base = "?dag_id=d&run_id=r&collection=SS26"
    assert links.count(f"{base}&page=1&rejections=1#looks") == 2  # above the looks and below
    assert links.count(f"{base}&page=3&rejections=1#looks") == 2
    assert links.count(f"{base}&page=2&rejections=2#rejected") == 1
    assert "?dag_id=d&run_id=r&download=1" in links
    assert any("form-action 'self'" in policy for policy in page.values("content"))


def test_a_page_of_a_long_report_is_narrowed_down_by_its_server() -> None:
    page = Page(page_of(an_extract([a_look(1)], filters={"state": "REVIEW", "text": 'te"e'}), ADDRESS))
    assert ("form", "class", "method", "action", "role", "aria-label") in page.shape
    assert {"dag_id", "run_id", "text", "collection", "state"} <= set(page.values("name"))
    assert "model" not in page.values("name")  # there is but one to choose
    assert 'te"e' in page.values("value")
    chosen = [element for element in page.shape if element[0] == "option" and "selected" in element]
    assert len(chosen) == 1
    assert "250 looks" in page.words


def test_looks_that_are_not_there_are_said_not_to_be_and_can_be_asked_for_otherwise() -> None:
    page = Page(page_of(an_extract([], filters={"text": "x"}, found=0, page=1, pages=1), ADDRESS))
    assert "No look is like that." in page.words
    assert ("p", "class") in page.shape
    assert "form" in [element[0] for element in page.shape]


def test_a_look_on_another_page_is_linked_to_where_it_is() -> None:
    here, elsewhere = (a_look(number, state=LookState.REVIEW) for number in (1, 2))
    report = an_extract([here], in_review=(here, elsewhere), review_count=60)
    page = Page(page_of(report, ADDRESS))
    links = page.values("href")
    assert f"#look-{here.key}" in links
    assert f"?dag_id=d&run_id=r&look={elsewhere.key}#look-{elsewhere.key}" in links
    assert "?dag_id=d&run_id=r&state=REVIEW#looks" in links
    assert "60 looks to review" in page.words


def test_a_report_that_is_whole_in_the_frame_is_narrowed_down_in_the_browser() -> None:
    whole = an_extract([a_look(1)], page=1, pages=1, rejection_pages=1)
    page = Page(page_of(whole, ADDRESS))
    assert ("div", "class", "role", "aria-label", "hidden") in page.shape
    assert not [element for element in page.shape if element[0] in {"form", "nav"}]


def test_why_there_was_no_export_stands_on_the_page() -> None:
    missing = of_account(
        a_report(), planned=False, problem="the export a.csv is missing: clear the task export"
    )
    assert "the export a.csv is missing: clear the task export" in Page(page_of(missing)).words
    assert "see the logs of its tasks" in page_of(of_account(a_report(), planned=False))
    assert "see the logs of its tasks" not in page_of(of_account(a_report(), planned=False, ended=False))


def test_a_dry_run_says_what_it_would_make_and_what_that_costs_in_place_of_pictures() -> None:
    words = Page(page_of(of_account(a_report(), would_make=4, estimate=Decimal("3.80")))).words
    assert words[words.index("Would make") :][1:3] == ["4", "looks for ¥3.80; nothing was sent"]
    assert "Pictures" not in words


def test_a_dry_run_of_which_no_rejections_are_kept_does_not_say_that_there_are_none() -> None:
    report = of_account(a_report(), would_make=4, left_out={"it is old": 2})
    words = Page(page_of(report)).words
    assert words[words.index("Rows") :][1:3] == ["24", "read (2 left out because it is old)"]
    assert "Rejected rows" not in words


def test_looks_that_nobody_carries_are_held_back_with_the_reason_and_what_to_do() -> None:
    held = a_look(state=LookState.PLANNED, pictures=(), held=True)
    report = a_report([held])
    held_for = {"waits for money: per_run = ¥0.50 is taken up": 3, "not sent": 1}
    page = Page(page_of(of_account(report, looks={}, held_for=held_for)))
    assert page.words[page.words.index("Held back") + 1] == "4"
    assert page.words.count("held back") == 1
    assert set(held_for) <= set(page.words)
    assert "tryon_on_demand" in page.words
    assert "Elsewhere" not in page.words


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (48, "48 s"), (120, "2 min"), (2520, "42 min"), (3900, "1 h 5 min")]
)
def test_times_are_written_as_people_say_them(seconds: int, text: str) -> None:
    assert lasted(timedelta(seconds=seconds)) == text


def test_a_notice_runs_nothing() -> None:
    page = Page(render_notice("No <b>", "words & more"))
    assert "No <b>" in page.words
    (policy,) = (content for content in page.values("content") if content.startswith("default-src"))
    assert "script-src 'none'" in policy


def test_two_thousand_looks_are_a_file_that_can_be_sent() -> None:
    """The pictures of this test are plain and alike; with photographs' detail the page is about 10 MB."""
    same = (a_picture("/archive/1.jpg"),)
    tops = [ReportedInput("top", f"{number:064x}") for number in range(100)]
    looks = [a_look(number, pictures=same, inputs=(tops[number % 100],)) for number in range(2_000)]
    text = page_of(a_report(looks))
    assert text.count("<article") == 2_000
    assert text.count("<img") == 2_000
    assert text.count("background-image:url") == 100
    assert len(text.encode()) < 5_000_000
