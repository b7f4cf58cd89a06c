"""Which rows can be worked with: the rules, in the order in which they are tried, each with its reason.

It looks at the text of the rows alone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from damo_tryon.contract import url_problem
from tryon_catalogue.exports.garments import Garment, Rejection, Rule, plain, printable, with_place
from tryon_catalogue.exports.image_cells import is_error
from tryon_catalogue.exports.lines import Lines
from tryon_catalogue.exports.text import BrokenRow
from tryon_catalogue.settings import ExportColumns, ExportSettings
from tryon_catalogue.settings.export import Slot, listed

MAX_SKU_LENGTH: Final = 200
"""Longest sku, in characters: it is part of keys in the ledger."""
MAX_COLLECTION_LENGTH: Final = 200
"""Longest name of a collection, in characters: it is a key in the ledger and a folder of the archive."""
MAX_URL_LENGTH: Final = 4096
"""Longest image URL, in characters. Signed object storage URLs have room; a page's text pasted in has not."""

# The database can store neither, and no text of a catalogue means them.
_NO_TEXT: Final = re.compile(r"[\x00\ud800-\udfff]")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# A URL of this shape breaks no rule: no need to take it apart, which is most of the time an export takes.
_PLAIN_URL: Final = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,4})?/(?!.*://)[!-~]*")
_FURTHER_URL: Final = re.compile(r"[\s,;|]+https?://", re.IGNORECASE)
_TWICE: Final = re.compile(r"https?:/*https?:?//", re.IGNORECASE)


class Row(NamedTuple):
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
    priority: str
    slot: str
    pictures: str
    for_children: str


FIELDS: Final = Row._fields[1:]
"""What a row holds beside its line."""

_IMAGES: Final = ("tops_image", "pants_image", "mask_image", "model_image")


class Examiner:
    """Tells garments and rejections apart in one export, and remembers its skus.

    Args:
        settings: The names of the export's columns, for the reasons.
    """

    def __init__(self, settings: ExportSettings, lines: Lines) -> None:
        self._settings = settings
        self._columns = settings.columns
        self._lines = lines
        self._line_of: dict[str, int] = {}

    def examine(
        self, lines: Sequence[int], columns: Mapping[str, Sequence[str]]
    ) -> list[Garment | Rejection]:
        """Give rows as garments, or say why they are none.

        Args:
            lines: Of the rows, in the whole export.
            columns: Name of a field -> the rows' values.
        """
        suspicious = self._suspicious(columns)
        several = self._lines.several
        found: list[Garment | Rejection] = []
        values = zip(*(columns[name] for name in FIELDS), strict=True)
        for at, (line, row) in enumerate(zip(lines, values, strict=True)):
            sku = row[0]
            if at in suspicious or self._line_of.setdefault(sku, line) != line:
                rejection = self._problem(Row(line, *row))
                if rejection is not None:
                    found.append(rejection)
                    continue
            _, title, collection, category, tag, tops, pants, mask, model, priority, _, _, children = row
            found.append(
                Garment(
                    line,
                    sku,
                    title,
                    collection,
                    category,
                    tag,
                    tops,
                    pants or None,
                    mask or None,
                    model or None,
                    float(priority) if priority else None,
                    self._lines.where(line) if several else "",
                    children,
                )
            )
        return found

    def _suspicious(self, columns: Mapping[str, Sequence[str]]) -> set[int]:
        """Give the places of the rows that may break a rule; a column without such a row is looked at as a whole."""
        skus, tops = columns["sku"], columns["tops_image"]
        found: set[int] = set()

        def suspect(values: Sequence[str], may_be_wrong: Callable[[str], object]) -> None:
            found.update(at for at, value in enumerate(values) if may_be_wrong(value))

        suspect(skus, lambda sku: not sku or sku[:1] == "#" or len(sku) > MAX_SKU_LENGTH)
        if plain(together := "".join(skus)) != together:
            suspect(skus, lambda sku: plain(sku) != sku)
        suspect(columns["collection"], lambda text: len(text) > MAX_COLLECTION_LENGTH)
        for values in columns.values():
            if _NO_TEXT.search("".join(values)):
                suspect(values, _NO_TEXT.search)
        suspect(tops, lambda url: not url)
        if Slot.PANTS.value in columns["slot"]:
            suspect(columns["slot"], Slot.PANTS.value.__eq__)
        for name in _IMAGES:
            suspect(
                columns[name],
                lambda url: url and (len(url) > MAX_URL_LENGTH or not _PLAIN_URL.fullmatch(url)),
            )
        suspect(columns["priority"], lambda text: text and not _is_number(text))
        return found

    def _problem(self, row: Row) -> Rejection | None:
        return (
            self._about_sku(row)
            or self._about_text(row)
            or self._about_missing_image(row)
            or self._about_urls(row)
            or self._about_priority(row)
        )

    def broken(self, row: BrokenRow, line: int) -> Rejection:
        """Say why a row that could not be split into fields is no garment."""
        reason = with_place(self._lines.where(line), row.problem)
        return Rejection(line, "", Rule.BROKEN_ROW, "", printable(row.text), reason)

    def _about_sku(self, row: Row) -> Rejection | None:
        column = self._columns.sku
        if not row.sku:
            reason = f"The row has no {column}: nothing could be written back to the catalogue. Give it one."
            return self._rejection(row, Rule.MISSING_SKU, column, "", reason)
        if not _is_sku(row.sku):
            reason = (
                f"The {column} is longer than {MAX_SKU_LENGTH} characters or holds a line break, another control "
                "character or half of a character. Perhaps a quotation mark is missing before it; correct it in the "
                "catalogue."
            )
            return self._rejection(row, Rule.BAD_TEXT, column, row.sku, reason)
        if is_error(row.sku):
            reason = (
                f"The {column} is an error of Excel and no number of a garment. Correct the formula behind it, and "
                "export it again."
            )
            return self._rejection(row, Rule.BAD_TEXT, column, row.sku, reason)
        first = self._line_of.setdefault(row.sku, row.line)
        if first != row.line:
            where = self._lines.where(first)
            stands = f"in {where}" if where else f"on line {first}"
            reason = f"The {column} stands {stands} already, and the first counts. Remove one of the rows."
            return self._rejection(row, Rule.DUPLICATE_SKU, column, row.sku, reason)
        return None

    def _about_text(self, row: Row) -> Rejection | None:
        if len(row.collection) > MAX_COLLECTION_LENGTH:
            column = _column(self._columns, "collection")
            reason = (
                f"The {column} is {len(row.collection)} characters long; at most {MAX_COLLECTION_LENGTH} are taken. "
                "Perhaps a quotation mark is missing before it; correct it in the catalogue."
            )
            return self._rejection(row, Rule.BAD_TEXT, column, row.collection, reason)
        if not _NO_TEXT.search("".join(row[1:])):
            return None
        name = next(name for name in FIELDS if _NO_TEXT.search(getattr(row, name)))
        column = _column(self._columns, name)
        reason = (
            f"The {column} holds a NUL character, half of a character (as of an emoji that was cut) or bytes that are "
            "no text. Correct it in the catalogue."
        )
        return self._rejection(row, Rule.BAD_TEXT, column, getattr(row, name), reason)

    def _about_missing_image(self, row: Row) -> Rejection | None:
        column = self._columns.tops_image
        if row.slot == Slot.PANTS and row.pants_image and not row.tops_image:
            reason = (
                f"A {printable(row.category)} is shown together with a top, and the row has none. Give [export] "
                "plain_top the URL of a top that such garments are shown with, or leave them out with "
                "[[export.filters]]."
            )
            return self._rejection(row, Rule.MISSING_TOP, column, row.pants_image, reason)
        if row.tops_image and (row.slot == Slot.TOPS or row.pants_image):
            return None
        if row.pictures != "0":
            reason = (
                f"The garment has {row.pictures} pictures, and [export.images] tops asks for number "
                f"{self._settings.images.tops}. Add the picture in the catalogue, or ask for another."
            )
        else:
            reason = f"The row has no {column}. Give the URL of the garment's picture; a dress goes here."
        return self._rejection(row, Rule.MISSING_IMAGE, column, "", reason)

    def _about_urls(self, row: Row) -> Rejection | None:
        for name in _IMAGES:
            url = getattr(row, name)
            column = _column(self._columns, name)
            reason = self._several(url, column) if url else None
            if reason is not None:
                return self._rejection(row, Rule.BAD_URL, column, url, reason)
            problem = _url_problem(url) if url else None
            if problem is not None:
                hint = "" if "://" in url else ", or set [export.images] base_url to what stands before it"
                reason = f"The URL in {column} {problem}. Correct it in the catalogue{hint}."
                return self._rejection(row, Rule.BAD_URL, column, url, reason)
        return None

    def _several(self, url: str, column: str) -> str | None:
        count = 1 + len(_FURTHER_URL.findall(url))
        if count == 1:
            return None
        if self._settings.images.separator:
            return f"The {column} holds {count} URLs where one is expected. Give one in the catalogue."
        return (
            f"The {column} holds {count} URLs: set [export.images] separator to what stands between them, and "
            "the first counts."
        )

    def _about_priority(self, row: Row) -> Rejection | None:
        if not row.priority or _is_number(row.priority):
            return None
        column = _column(self._columns, "priority")
        reason = (
            f"The {column} is no number. Give a number such as 10 or 2.5, or nothing: such garments go last where "
            "money is short."
        )
        return self._rejection(row, Rule.BAD_PRIORITY, column, row.priority, reason)

    def _rejection(self, row: Row, rule: Rule, column: str, value: str, reason: str) -> Rejection:
        reason = with_place(self._lines.where(row.line), reason)
        # Whole where it is one: the account writes to the shop's row of that name.
        sku = row.sku if _is_sku(row.sku) else printable(row.sku)
        return Rejection(
            row.line,
            sku,
            rule,
            column,
            printable(value),
            reason,
            collection=plain(row.collection[:MAX_COLLECTION_LENGTH]),
        )


def _is_sku(text: str) -> bool:
    return len(text) <= MAX_SKU_LENGTH and text == plain(text)


def _url_problem(url: str) -> str | None:
    if len(url) > MAX_URL_LENGTH:
        return f"is {len(url)} characters long; at most {MAX_URL_LENGTH} are taken"
    if _PLAIN_URL.fullmatch(url):
        return None
    if "<" in url:
        return "is HTML; give the address alone that stands in it"
    if _TWICE.match(url):
        return "begins twice with http"
    problem = url_problem(url)
    if problem is None and "@" in urlsplit(url).netloc:
        return "holds a login, which would be handed to the vendor; give one that needs none"
    return problem


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and isfinite(float(text))


def _column(columns: ExportColumns, name: str) -> str:
    return listed(getattr(columns, name, None)) or name
