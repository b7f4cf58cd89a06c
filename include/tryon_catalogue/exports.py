"""An export of the shop's catalogue into garments: every row is a garment or a rejection with its reason.

What a garment may be worn by, and whether its category is known, is the casting's business. This module must
not know the roster, the ledger or any picture's content: it looks at the text of the rows alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from damo_tryon.contract import url_problem
from tryon_catalogue._export_text import BrokenRow, ExportError, ExportMissingError
from tryon_catalogue.settings import ExportColumns, ExportSettings

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from tryon_catalogue._export_tables import Table

__all__ = [
    "Chunk",
    "ExportError",
    "ExportMissingError",
    "Garment",
    "Rejection",
    "Rule",
    "read_export",
    "shown",
]

MAX_SKU_LENGTH: Final = 200
"""Longest sku, in characters: it is part of keys in the ledger."""
MAX_URL_LENGTH: Final = 4096
"""Longest image URL, in characters. Signed object storage URLs have room; a page's text pasted in has not."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# A URL of this shape breaks no rule: no need to take it apart, which is most of the time an export takes.
_PLAIN_URL: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,4})?/[!-~]*")
_LOGIN: Final = re.compile(r"//[^/\s]*@")
_SHOWN_LENGTH: Final = 120


@dataclass(frozen=True, slots=True)
class Garment:
    """One row of the catalogue that can be worked with.

    Args:
        line: the line the row starts on, with a CSV file's header on line 1; in Parquet the row's number.
        sku: the shop's number of the garment, exactly as written.
        title: name for people; "" when unknown.
        collection: the garment's collection; "" when unknown.
        category: what the casting rules go by; "" when the row has none.
        tag: tag of the models the row asks for; "" when it asks for none.
        tops_image: URL of the top or dress.
        pants_image: URL of the trousers or skirt, or None.
        mask_image: URL of a mask of ``model_image``, or None.
        model_image: URL of the one person to show the garment on, or None for the roster.
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


class Rule(StrEnum):
    """Why a row got no picture. The values are stored and counted; reasons in words stand beside them."""

    BROKEN_ROW = "broken_row"
    MISSING_SKU = "missing_sku"
    BAD_TEXT = "bad_text"
    DUPLICATE_SKU = "duplicate_sku"
    MISSING_IMAGE = "missing_image"
    BAD_URL = "bad_url"
    UNKNOWN_CATEGORY = "unknown_category"
    MISSING_PANTS = "missing_pants"
    NO_MODEL = "no_model"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that gets no picture, and why.

    Args:
        line: as of `Garment`.
        sku: the row's sku; "" when it has none or the row is broken.
        rule: what it broke.
        column: the export's column the reason is about; "" when it is about the row.
        value: what stands there, shortened, without logins.
        reason: what is wrong and what to do about it, for the people who keep the catalogue.
    """

    line: int
    sku: str
    rule: Rule
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of an export, in the file's order: each one is a garment or a rejection.

    Args:
        rows: how many rows were read.
        garments: those that can be worked with.
        rejections: the others.
    """

    rows: int
    garments: tuple[Garment, ...]
    rejections: tuple[Rejection, ...]


def read_export(path: "str | Path | ObjectStoragePath", settings: ExportSettings) -> Iterator[Chunk]:
    """Read an export in chunks of at most ``settings.chunk_rows`` rows.

    Memory holds one chunk and the skus of the whole export, by which a sku's second row is known.

    Args:
        path: a local path, an object storage path, or the path or URL of one as text.
        settings: how the export is written, and the connection for a URL given as text.

    Raises:
        ExportMissingError: there is no such file.
        ExportError: the file cannot be read at all; see its message.
    """
    from tryon_catalogue._export_tables import read_tables  # noqa: PLC0415 (pandas loads slowly)

    lines_of_skus: dict[str, int] = {}
    for table in read_tables(_source(path, settings.conn_id), settings):
        yield _chunk(table, settings.columns, lines_of_skus)


def shown(value: str) -> str:
    """Give a value as it may stand in a report: short, on one line, with no login of a URL."""
    text = _CONTROL.sub("�", _LOGIN.sub("//***@", value))
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 1]}…"


def _source(path: "str | Path | ObjectStoragePath", conn_id: str | None) -> "Path | ObjectStoragePath":
    if not isinstance(path, str):
        return path
    if "://" not in path:
        return Path(path)
    from airflow.sdk import ObjectStoragePath  # noqa: PLC0415 (Airflow loads slowly)

    return ObjectStoragePath(path, conn_id=conn_id)


class _Row(NamedTuple):
    """A row as it is read: text everywhere, "" for what is not there. Named as in `ExportColumns`."""

    line: int
    sku: str
    title: str
    collection: str
    category: str
    tag: str
    tops_image: str
    pants_image: str
    mask_image: str
    model_image: str


_FIELDS: Final = _Row._fields[1:]
_IMAGES: Final = ("tops_image", "pants_image", "mask_image", "model_image")


def _chunk(table: "Table", columns: ExportColumns, lines_of_skus: dict[str, int]) -> Chunk:
    garments: list[Garment] = []
    rejections = [_broken(row) for row in table.broken]
    for row in map(_Row, table.lines, *(table.frame[name].tolist() for name in _FIELDS)):
        rejection = _rejection(row, columns, lines_of_skus)
        if rejection is None:
            garments.append(_garment(row))
        else:
            rejections.append(rejection)
    rejections.sort(key=lambda rejection: rejection.line)
    return Chunk(len(garments) + len(rejections), tuple(garments), tuple(rejections))


def _garment(row: _Row) -> Garment:
    return Garment(
        line=row.line,
        sku=row.sku,
        title=row.title,
        collection=row.collection,
        category=row.category,
        tag=row.tag,
        tops_image=row.tops_image,
        pants_image=row.pants_image or None,
        mask_image=row.mask_image or None,
        model_image=row.model_image or None,
    )


# --- the rules, in the order in which they are tried ---


def _broken(row: BrokenRow) -> Rejection:
    reason = (
        f"{row.problem} Write one field for each column; a field that holds the delimiter, a line break or a "
        'quotation mark stands between quotation marks, and each " inside it is written twice.'
    )
    return Rejection(row.line, "", Rule.BROKEN_ROW, "", shown(row.text), reason)


def _rejection(row: _Row, columns: ExportColumns, lines_of_skus: dict[str, int]) -> Rejection | None:
    return (
        _about_sku(row, columns, lines_of_skus)
        or _about_text(row, columns)
        or _about_missing_image(row, columns)
        or _about_urls(row, columns)
    )


def _about_sku(row: _Row, columns: ExportColumns, lines_of_skus: dict[str, int]) -> Rejection | None:
    if not row.sku:
        reason = f"The row has no {columns.sku}: nothing could be written back to the catalogue. Give it one."
        return Rejection(row.line, "", Rule.MISSING_SKU, columns.sku, "", reason)
    if len(row.sku) > MAX_SKU_LENGTH or _CONTROL.search(row.sku):
        reason = (
            f"The {columns.sku} is longer than {MAX_SKU_LENGTH} characters or holds a line break or another "
            "control character. Perhaps a quotation mark is missing before it; correct it in the catalogue."
        )
        return Rejection(row.line, shown(row.sku), Rule.BAD_TEXT, columns.sku, shown(row.sku), reason)
    first = lines_of_skus.setdefault(row.sku, row.line)
    if first != row.line:
        reason = (
            f"The {columns.sku} stands on line {first} already, and the first counts. Remove one of the rows."
        )
        return Rejection(row.line, row.sku, Rule.DUPLICATE_SKU, columns.sku, row.sku, reason)
    return None


def _about_text(row: _Row, columns: ExportColumns) -> Rejection | None:
    # The database cannot store it, and no text of a catalogue means it.
    if "\0" not in "".join(row[1:]):
        return None
    name = next(name for name in _FIELDS if "\0" in getattr(row, name))
    reason = f"The {_column(columns, name)} holds a NUL character. Remove it in the catalogue."
    value = shown(getattr(row, name))
    return Rejection(row.line, row.sku, Rule.BAD_TEXT, _column(columns, name), value, reason)


def _about_missing_image(row: _Row, columns: ExportColumns) -> Rejection | None:
    if row.tops_image:
        return None
    reason = f"The row has no {columns.tops_image}. Give the URL of the garment's picture; a dress goes here."
    return Rejection(row.line, row.sku, Rule.MISSING_IMAGE, columns.tops_image, "", reason)


def _about_urls(row: _Row, columns: ExportColumns) -> Rejection | None:
    for name in _IMAGES:
        url = getattr(row, name)
        problem = _url_problem(url) if url else None
        if problem is not None:
            column = _column(columns, name)
            reason = f"The URL in {column} {problem}. Correct it in the catalogue."
            return Rejection(row.line, row.sku, Rule.BAD_URL, column, shown(url), reason)
    return None


def _url_problem(url: str) -> str | None:
    if len(url) > MAX_URL_LENGTH:
        return f"is {len(url)} characters long; at most {MAX_URL_LENGTH} are taken"
    if _PLAIN_URL.fullmatch(url):
        return None
    problem = url_problem(url)
    if problem is None and "@" in urlsplit(url).netloc:
        return "holds a login, which would be handed to the vendor; give one that needs none"
    return problem


def _column(columns: ExportColumns, name: str) -> str:
    return str(getattr(columns, name) or name)
