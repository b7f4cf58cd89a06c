"""The contact sheet as a page: what it shows, and that nothing from outside becomes more than text."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image

from tryon_demo.contact_page import SheetRow, write_contact_page


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


def page_of(folder: Path, *rows: SheetRow, title: str = "A night") -> str:
    write_contact_page(rows, folder / "new" / "sheet.html", title=title)
    return (folder / "new" / "sheet.html").read_text(encoding="utf-8")


def test_each_look_stands_there_with_model_garments_and_result_in_that_order(tmp_path: Path) -> None:
    two = (an_image((1, 2, 3)), an_image((4, 5, 6)))
    page = page_of(tmp_path, a_row(garment_images=two), a_row(sku="2", state="FAILED", reason="It broke."))
    shown = re.findall(r'alt="(.*?)"', page)
    assert shown == ["model of 00123", *(["garments of 00123"] * 2), "result of 00123"] + [
        f"{what} of 2" for what in ("model", "garments", "result")
    ]
    for words in ("海魂衫 Breton Tee", "mei", "It broke.", "2 looks  ·  1 published  ·  1 failed"):
        assert words in page


def test_the_images_are_in_the_page_which_asks_nothing_of_the_network(tmp_path: Path) -> None:
    page = page_of(tmp_path, a_row())
    assert all(one.startswith("data:image/webp;base64,") for one in re.findall(r'src="(.{24})', page))
    assert "default-src &#39;none&#39;; img-src data:; style-src &#39;sha256-" in page
    assert "script-src &#39;none&#39;" in page
    assert not re.search(r"<script|<link|<iframe|@import|style=|url\(", page)


def test_no_text_from_outside_becomes_a_tag_or_an_attribute(tmp_path: Path) -> None:
    evil = "\"><script>alert(1)</script><b x='{{ 7*7 }}"
    page = page_of(
        tmp_path, a_row(sku=evil, title=evil, model_name=evil, reason=evil, state=evil), title=evil
    )
    plain = page_of(tmp_path, a_row(sku="x", title="x", model_name="x", reason="x", state="x"), title="x")
    assert re.findall(r"</?\w+", page) == re.findall(r"</?\w+", plain)
    assert "{{ 7*7 }}" in page


@pytest.mark.parametrize("broken", [b"no image", b"", an_image((9, 9, 9), kind="PNG")[:60]])
def test_an_image_that_cannot_be_read_leaves_an_empty_field(tmp_path: Path, broken: bytes) -> None:
    page = page_of(tmp_path, a_row(model_image=broken, garment_images=(), pictures=(broken,)))
    assert "<img" not in page
    assert page.count("no image") == 3
