"""The contact sheet: what it shows, that it stands alone, and that odd words and images do no harm."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from tryon_catalogue.contact_sheet import SheetRow, write_contact_sheet


def an_image(colour: tuple[int, int, int], size: tuple[int, int] = (300, 400), kind: str = "JPEG") -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", size, colour).save(encoded, kind)
    return encoded.getvalue()


def a_row(**changes: object) -> SheetRow:
    values: dict[str, object] = {
        "sku": "00123",
        "title": "海魂衫 Breton Tee",
        "model_name": "mei",
        "state": "PUBLISHED",
        "reason": "",
        "model_image": an_image((200, 20, 20)),
        "garment_images": (an_image((20, 200, 20)),),
        "pictures": (an_image((20, 20, 200)),),
    }
    return SheetRow(**(values | changes))  # type: ignore[arg-type]  # the values' types are those above


class Page(HTMLParser):
    """The parts of a page that the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.sources += [given["src"] or ""] if "src" in given else []
        self.links += [given["href"] or ""] if "href" in given else []

    def handle_data(self, data: str) -> None:
        self.words += [data.strip()] if data.strip() else []


def page_of(folder: Path, *rows: SheetRow, title: str = "A night") -> str:
    write_contact_sheet(rows, None, folder / "sheet.html", title=title)
    return (folder / "sheet.html").read_text(encoding="utf-8")


def test_the_page_shows_every_look_with_its_sku_title_model_state_and_reason(tmp_path: Path) -> None:
    page = Page(page_of(tmp_path, a_row(), a_row(sku="1e5", state="IN_DOUBT", reason="no answer came")))

    assert page.tags.count("article") == 2
    for words in ("00123", "1e5", "海魂衫 Breton Tee", "mei", "published", "in doubt", "no answer came"):
        assert words in page.words
    assert page.tags.count("img") == 6


def test_the_page_asks_nothing_of_the_network(tmp_path: Path) -> None:
    text = page_of(tmp_path, a_row())
    page = Page(text)

    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert page.links == []
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert not re.search(r"url\(|@import|https?:", text)


def test_words_of_the_export_cannot_become_markup(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>'
    row = a_row(sku=evil, title=evil, model_name=evil, state=evil, reason=evil)

    page = Page(page_of(tmp_path, row, title=evil))

    assert "script" not in page.tags
    assert page.words.count(evil) >= 5


def test_further_pictures_and_a_second_garment_are_shown_too(tmp_path: Path) -> None:
    two = (an_image((1, 2, 3)), an_image((3, 2, 1)))

    page = Page(page_of(tmp_path, a_row(garment_images=two, pictures=two)))

    assert page.tags.count("img") == 5


@pytest.mark.parametrize("broken", [b"", b"no image", an_image((9, 9, 9), kind="PNG")[:60]])
def test_an_image_that_cannot_be_read_leaves_an_empty_field(tmp_path: Path, broken: bytes) -> None:
    row = a_row(model_image=broken, garment_images=(broken,), pictures=(broken,))

    write_contact_sheet([row], tmp_path / "sheet.png", tmp_path / "sheet.html", title="A night")

    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    assert "img" not in page.tags
    assert {"no model", "no garment", "no picture"} <= set(page.words)


def test_the_png_shows_model_garment_and_picture_side_by_side(tmp_path: Path) -> None:
    write_contact_sheet([a_row()], tmp_path / "new" / "sheet.png", tmp_path / "sheet.html", title="A night")

    with Image.open(tmp_path / "new" / "sheet.png") as sheet:
        line = [sheet.getpixel((x, 310)) for x in range(sheet.width)]
    firsts = [min(x for x, p in enumerate(line) if p[channel] > 180 and sum(p) < 280) for channel in range(3)]
    assert firsts == sorted(firsts)


def test_a_png_of_many_rows_has_room_for_each(tmp_path: Path) -> None:
    sizes = []
    for count in (0, 1, 27):
        write_contact_sheet([a_row()] * count, tmp_path / "s.png", tmp_path / "s.html", title="A night")
        with Image.open(tmp_path / "s.png") as sheet:
            sizes.append(sheet.size)

    assert sizes[0][1] <= sizes[1][1] < sizes[2][1]
    assert sizes[1][0] < sizes[2][0]


def test_rows_without_any_image_tell_their_reason_in_both_forms(tmp_path: Path) -> None:
    bare = {"model_image": None, "garment_images": (), "pictures": (), "state": "REJECTED"}
    written = []
    for reason in ("the row has no image", ""):
        row = a_row(**bare, reason=reason)
        write_contact_sheet([row], tmp_path / "s.png", tmp_path / "s.html", title="A night")
        written.append((tmp_path / "s.png").read_bytes())

    assert written[0] != written[1]


def test_a_title_without_a_font_for_it_is_left_out_rather_than_drawn_as_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tryon_catalogue.contact_sheet._FONTS", ())
    sheets = []
    for title in ("海魂衫", ""):
        write_contact_sheet([a_row(title=title)], tmp_path / "s.png", tmp_path / "s.html", title="A night")
        with Image.open(tmp_path / "s.png") as sheet:
            sheets.append(sheet.tobytes())

    assert sheets[0] == sheets[1]
