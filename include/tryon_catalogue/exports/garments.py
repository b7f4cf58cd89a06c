"""What reading an export gives: garments, and the rows that are none with their reasons."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from tryon_catalogue.words import CONTROLS

_LOGIN: Final = re.compile(r"//[^/\s]*@")
_SHOWN_LENGTH: Final = 120

ROSTER_LINE: Final = 0
"""The line of a rejection that is about the roster and not about a row of the export."""
REQUEST_LINE: Final = -1
"""The line of a rejection that is about what a run was asked for."""
PLACES: Final[Mapping[int, str]] = {ROSTER_LINE: "roster", REQUEST_LINE: "request"}
"""What such a line stands for, in words."""


@dataclass(frozen=True, slots=True)
class Garment:
    """One garment of the catalogue that can be worked with.

    Attributes:
        line: The line its (first) row starts on, with the header on line 1; in Parquet the row's number. Where
            an export is several files, lines are counted on from file to file: unique in the whole export.
        sku: The shop's number of the garment, exactly as written.
        title: Name for people; "" when unknown.
        collection: The garment's collection; "" when unknown.
        category: What the casting rules go by; "" when the row has none.
        tag: Tag of the models the row asks for; "" when it asks for none.
        tops_image: URL of the top or dress.
        pants_image: URL of the trousers or skirt, or None.
        mask_image: URL of a mask of ``model_image``, or None.
        model_image: URL of the one person to show the garment on, or None for the roster.
        priority: The higher, the sooner it goes where money is short; None when the row has none.
        where: File and line for people, where an export is several files; else "".
        for_children: The word by which it is one for children; "" without any.
    """

    line: int
    sku: str
    title: str
    collection: str
    category: str
    tag: str
    tops_image: str
    pants_image: str | None = None
    mask_image: str | None = None
    model_image: str | None = None
    priority: float | None = None
    where: str = ""
    for_children: str = ""


class Rule(StrEnum):
    """Why a row got no picture. The values are stored and counted; reasons in words stand beside them."""

    BROKEN_ROW = "broken_row"
    MISSING_SKU = "missing_sku"
    BAD_TEXT = "bad_text"
    DUPLICATE_SKU = "duplicate_sku"
    MISSING_IMAGE = "missing_image"
    MISSING_TOP = "missing_top"
    BAD_URL = "bad_url"
    BAD_PRIORITY = "bad_priority"
    UNKNOWN_CATEGORY = "unknown_category"
    MISSING_PANTS = "missing_pants"
    NO_MODEL = "no_model"
    UNKNOWN_SKU = "unknown_sku"
    """A run was asked for it, and the export has no such row."""
    UNKNOWN_COLLECTION = "unknown_collection"
    """The same of a collection."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row gets no picture, a model of the roster cannot be used, or a request is in vain.

    Attributes:
        line: As of `Garment`; or one of `PLACES`.
        sku: The row's sku; "" when it has none or the row is broken.
        rule: What it broke: a `Rule`, or a rule of pictures.
        column: The export's column the reason is about, or the roster's model; "" when it is about the row.
        value: What stands there, shortened, without logins.
        reason: What is wrong and what to do about it, for the people who keep the catalogue.
        collection: The row's collection; "" when unknown.
        image: Address of the picture that breaks the rule, without login and query; "" when it is about no picture.
        measured: What was measured of the picture; "" where nothing was.
        limit: What the rule allows; "" where nothing was measured.
    """

    line: int
    sku: str
    rule: str
    column: str
    value: str
    reason: str
    collection: str = ""
    image: str = ""
    measured: str = ""
    limit: str = ""

    @property
    def place(self) -> str:
        """What it is about where that is no row of the export: the roster or the request; else empty."""
        return PLACES.get(self.line, "")

    @property
    def subject(self) -> str:
        """What breaks the rule: the picture's address, or what stands in the column."""
        return self.image or self.value


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of one file of an export, in the file's order.

    Each row is a garment, a rejection, a further row of a garment, or left out by a filter.

    Attributes:
        rows: How many rows were read.
        garments: Those that can be worked with.
        rejections: Those that cannot.
        further: Rows that belong to a garment or a rejection of an earlier row: its variants and pictures.
        left_out: What a filter of the settings says of a row -> rows it left out.
        notes: What people are to know of how the file is read, such as its guessed encoding; with its first rows alone.
    """

    rows: int
    garments: tuple[Garment, ...]
    rejections: tuple[Rejection, ...]
    further: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def beside(further: int, left_out: Mapping[str, int]) -> str:
    """Give the rows that are no garments of their own, in words that follow the number of rows; see `Chunk`."""
    more = (f"{further:,} of them further rows of a garment",) if further else ()
    parts = (*more, *(f"{count:,} left out because {reason}" for reason, count in left_out.items()))
    return f" ({'; '.join(parts)})" if parts else ""


def printable(value: str) -> str:
    """Give a value as it may stand in a report: short, on one line, with no login of a URL."""
    text = plain(_LOGIN.sub("//***@", value))
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 1]}…"


def plain(value: str) -> str:
    """Give a value with "�" for what no database or terminal takes: control characters, and halves of characters."""
    return CONTROLS.sub("�", value)


def with_place(where: str, reason: str) -> str:
    """Put the place that a reason is about before it, where there is one."""
    return f"{where}: {reason}" if where else reason
