"""The contact sheet as a page: one HTML file with small copies of the images, which asks nothing of the network.

It is given bytes and text, the same as the picture, wherever they are stored.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tryon_catalogue.reporting.report.rendering import policy_for
from tryon_catalogue.reporting.report.thumbnails import MEDIA_TYPE, shrink
from tryon_demo.contact_sheet import UNREADABLE, in_words, tally

if TYPE_CHECKING:
    from tryon_demo.contact_sheet import SheetRow

SIZE: Final = (216, 288)
"""Pixels, width and height, of the small copies."""


def write_contact_page(rows: Iterable[SheetRow], html: Path, *, title: str) -> None:
    """Write the sheet as a page.

    Args:
        rows: The looks, in the order they are shown.
        html: Where the page goes; missing folders are made.

    Raises:
        OSError: The file cannot be written.
    """
    shown = list(rows)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["state"] = in_words
    page = environment.get_template("contact_sheet.html").render(
        title=title,
        tally=tally(shown),
        style=_STYLE,
        policy=policy_for(_STYLE),
        size=SIZE,
        cards=[(row, _fields(row)) for row in shown],
    )
    html.parent.mkdir(parents=True, exist_ok=True)
    html.write_text(page, encoding="utf-8")


def _fields(row: SheetRow) -> Sequence[tuple[str, Sequence[str]]]:
    """What each field shows, and its images as data URIs; one that is missing or cannot be read is empty."""
    images = (("model", (row.model_image,)), ("garments", row.garment_images), ("result", row.pictures))
    return [(what, [_data_uri(one) for one in found if one] or [""]) for what, found in images]


@cache
def _data_uri(image: bytes) -> str:
    # A model is on many cards: one small copy is made of each.
    try:
        small = shrink(image, SIZE)
    except UNREADABLE:
        return ""
    return f"data:{MEDIA_TYPE};base64,{base64.b64encode(small).decode()}"


_STYLE: Final = Path(__file__).with_name("contact_sheet.css").read_text(encoding="utf-8")
