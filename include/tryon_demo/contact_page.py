"""The contact sheet as a page: one HTML file with small copies of the images, which asks nothing of the network.

It is given bytes and text, wherever they are stored.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image, UnidentifiedImageError

from tryon_catalogue.ledger.states import in_words
from tryon_catalogue.reporting.report.rendering import policy_for
from tryon_catalogue.reporting.report.style import STATE_STYLE
from tryon_catalogue.reporting.report.thumbnails import MEDIA_TYPE, shrink
from tryon_catalogue.words import counted

SIZE: Final = (216, 288)
"""Pixels, width and height, of the small copies."""
_UNREADABLE: Final = (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One look on the sheet.

    Attributes:
        sku: As written in the export.
        title: As written in the export.
        model_name: As written in the roster.
        state: Where the look stands, as the ledger stores it.
        reason: Why it ended so, in words; empty when there is nothing to say.
        model_image: Encoded; what is missing is shown as an empty field.
        garment_images: Encoded.
        pictures: Encoded.
    """

    sku: str
    title: str
    model_name: str
    state: str
    reason: str
    model_image: bytes | None
    garment_images: tuple[bytes, ...]
    pictures: tuple[bytes, ...]


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
    page = environment.get_template("contact_page.html").render(
        title=title,
        tally=_tally(shown),
        style=_STYLE,
        policy=policy_for(_STYLE),
        size=SIZE,
        cards=[(row, _fields(row)) for row in shown],
    )
    html.parent.mkdir(parents=True, exist_ok=True)
    html.write_text(page, encoding="utf-8")


def _tally(rows: Sequence[SheetRow]) -> str:
    """Say how many looks there are, and how many in each state."""
    counts = Counter(row.state for row in rows)
    states = (f"{count} {in_words(state)}" for state, count in counts.most_common())
    return "  ·  ".join([counted(len(rows), "look"), *states])


def _fields(row: SheetRow) -> Sequence[tuple[str, Sequence[str]]]:
    """What each field shows, and its images as data URIs; one that is missing or cannot be read is empty."""
    images = (("model", (row.model_image,)), ("garments", row.garment_images), ("result", row.pictures))
    return [(name, [_data_uri(image) for image in found if image] or [""]) for name, found in images]


@cache
def _data_uri(image: bytes) -> str:
    # A model is on many cards: one small copy is made of each.
    try:
        small = shrink(image, SIZE)
    except _UNREADABLE:
        return ""
    return f"data:{MEDIA_TYPE};base64,{base64.b64encode(small).decode()}"


_STYLE: Final = STATE_STYLE + Path(__file__).with_name("contact_page.css").read_text(encoding="utf-8")
