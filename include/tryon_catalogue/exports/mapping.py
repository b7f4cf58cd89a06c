"""What the rows of a file mean: which belong together, which are meant at all, and what their values are here.

From tables with the file's columns to tables with ours.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from tryon_catalogue.exports.errors import ExportError, ExportTooLargeError
from tryon_catalogue.exports.garments import printable
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, text_frame
from tryon_catalogue.exports.text import BrokenRow
from tryon_catalogue.settings import ExportSettings
from tryon_catalogue.settings.export import ExportImages, Slot, ValueRule

MOST_ROWS_TOGETHER: Final = 10_000
"""Rows of one garment at most. No shop has so many variants: it is the wrong column."""

_PLAIN_FIELDS: Final = ("sku", "title", "collection", "category", "tag", "mask_image", "priority")
_MEMORY: Final = 100_000


@dataclass(frozen=True, slots=True)
class Mapped:
    """Some rows of a file as garments.

    Attributes:
        lines: As of `Table`, of the first row of each garment.
        frame: Text, one column for each field of `ExportColumns`, and ``slot`` and ``pictures``: what the
            garment's picture shows, and how many pictures it has.
        further: Rows that belong to the garment of an earlier row.
        left_out: What a filter says -> rows it left out.
    """

    lines: Sequence[int]
    frame: pd.DataFrame
    broken: Sequence[BrokenRow]
    further: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


def mapped_tables(file: ExportFile, tables: Iterable[Table], settings: ExportSettings) -> Iterator[Mapped]:
    """Give the garments of a file's rows.

    Raises:
        ExportError: So many rows belong together that the column they share cannot be a garment's number.
    """
    translate = {name: _translator(name, settings) for name in ("category", "tag")}
    for joined in _joined(file, tables, settings):
        frame, left_out = joined.table.frame, Counter[str]()
        sizes = pd.Series(joined.sizes, index=frame.index, dtype="int64")
        for rule in settings.filters:
            kept = frame[rule.column].map(rule.keeps).astype(bool)
            if not kept.all():
                left_out[rule.left_out] += int(sizes[~kept].sum())
                frame, sizes = frame[kept], sizes[kept]
        lines = [joined.table.lines[at] for at in frame.index]
        further = int(sizes.sum()) - len(sizes)
        ours = _ours(frame.reset_index(drop=True), settings, translate)
        yield Mapped(lines, ours, joined.table.broken, further, left_out)


# --- rows of one garment ---


@dataclass(frozen=True, slots=True)
class _Joined:
    """A table with one row for each garment, and how many rows of the file each one is made of."""

    table: Table
    sizes: Sequence[int]


@dataclass(slots=True)
class _Together:
    """The rows of one garment, as they are read."""

    key: str
    line: int
    values: list[str]
    size: int = 1
    pictures: list[tuple[float, str]] = field(default_factory=list)
    size_of_pictures: int = 0

    def add(self, values: Sequence[str]) -> None:
        self.size += 1
        # What is said once for a garment stands in one of its rows, mostly the first.
        self.values = [mine or other for mine, other in zip(self.values, values, strict=True)]


def _joined(file: ExportFile, tables: Iterable[Table], settings: ExportSettings) -> Iterator[_Joined]:
    if settings.group is None:
        for table in tables:
            yield _Joined(table, [1] * len(table.frame))
        return
    names: list[str] = []
    last: _Together | None = None
    for table in tables:
        names = list(table.frame.columns)
        group, image = names.index(settings.group), names.index(settings.columns.tops_image)
        position = names.index(settings.images.position) if settings.images.position in names else None
        done: list[_Together] = []
        for line, *values in zip(table.lines, *(table.frame[name].tolist() for name in names), strict=True):
            key = values[group]
            if last is not None and key and key == last.key:
                last.add(values)
                if last.size > MOST_ROWS_TOGETHER:
                    raise ExportError(
                        file,
                        f"has more than {MOST_ROWS_TOGETHER} rows with the {settings.group} {printable(key)!r}: it "
                        "cannot be the number of one garment. Correct [export] group",
                    )
            else:
                if last is not None:
                    done.append(last)
                last = _Together(key, line, values)
            if values[image]:
                last.size_of_pictures += len(values[image])
                if last.size_of_pictures > settings.longest_line:
                    what = f"a garment on line {last.line} with URLs of more than {settings.longest_line:,} characters"
                    raise ExportTooLargeError(file, what, "longest_line", f"{settings.longest_line:,}")
                last.pictures.append(
                    (_place(values[position] if position is not None else ""), values[image])
                )
        yield _one_row_per_garment(done, names, image, table.broken)
    if last is not None:
        yield _one_row_per_garment([last], names, image, ())


def _place(text: str) -> float:
    """A picture's place among those of a garment; after the numbered ones where it has none."""
    try:
        return float(text)
    except ValueError:
        return float("inf")


def _one_row_per_garment(
    done: Sequence[_Together], names: Sequence[str], image: int, broken: Sequence[BrokenRow]
) -> _Joined:
    columns = {name: [garment.values[at] for garment in done] for at, name in enumerate(names)}
    columns[names[image]] = [
        "\n".join(url for _, url in sorted(garment.pictures, key=_by_place)) for garment in done
    ]
    table = Table([garment.line for garment in done], text_frame(columns, len(done)), broken)
    return _Joined(table, [garment.size for garment in done])


def _by_place(picture: tuple[float, str]) -> float:
    return picture[0]


# --- values ---


def _ours(
    frame: pd.DataFrame, settings: ExportSettings, translate: Mapping[str, "_Translate"]
) -> pd.DataFrame:
    """Give a frame of the file's columns as one of our fields."""
    blank = [""] * len(frame)

    def column(name: str | None) -> list[str]:
        return blank if name is None or name not in frame else frame[name].tolist()

    columns = {name: column(getattr(settings.columns, name)) for name in _PLAIN_FIELDS}
    columns["category"], slots = translate["category"](frame)
    columns["tag"], _ = translate["tag"](frame)
    images, base_url = settings.images, settings.images.base_url
    first, more = column(settings.columns.tops_image), column(images.more)
    pictures = [_pictures(*cells, images) for cells in zip(first, more, strict=True)]
    of_row = [_pick(urls, images.tops) for urls in pictures]
    pants = [
        own or (_pick(urls, images.pants) if images.pants else "")
        for own, urls in zip(column(settings.columns.pants_image), pictures, strict=True)
    ]
    shows_pants = [slot is Slot.PANTS for slot in slots]
    plain_top = settings.plain_top or ""
    columns["tops_image"] = [
        plain_top if alone else _whole(url, base_url) for alone, url in zip(shows_pants, of_row, strict=True)
    ]
    columns["pants_image"] = [
        _whole(url if alone else other, base_url)
        for alone, url, other in zip(shows_pants, of_row, pants, strict=True)
    ]
    columns["model_image"] = [_whole(url, base_url) for url in column(settings.columns.model_image)]
    columns["mask_image"] = [_whole(url, base_url) for url in columns["mask_image"]]
    columns["slot"] = [slot.value for slot in slots]
    columns["pictures"] = [str(len(urls)) for urls in pictures]
    return pd.DataFrame(columns, dtype=object)


_Translate = Callable[[pd.DataFrame], tuple[list[str], list[Slot]]]


def _translator(name: str, settings: ExportSettings) -> _Translate:
    """Make what gives the words of the rules for the shop's words, remembering the ones it has seen."""
    own = getattr(settings.columns, name)
    rules = [rule for rule in settings.values if rule.field == name]
    named = dict.fromkeys(name for name in (own, *(rule.column for rule in rules)) if name is not None)
    seen: dict[tuple[str, ...], tuple[str, Slot]] = {}

    def translate(frame: pd.DataFrame) -> tuple[list[str], list[Slot]]:
        blank = [""] * len(frame)
        cells = [frame[column].tolist() if column in frame else blank for column in named]
        if len(seen) > _MEMORY:
            seen.clear()
        found = []
        for row in zip(*cells, strict=True) if cells else ((),) * len(frame):
            if row not in seen:
                seen[row] = _translated(dict(zip(named, row, strict=True)), own, rules)
            found.append(seen[row])
        return [word for word, _ in found], [slot for _, slot in found]

    return translate


def _translated(row: Mapping[str, str], own: str | None, rules: Sequence[ValueRule]) -> tuple[str, Slot]:
    for rule in rules:
        if rule.pattern.search(row.get(rule.column or own or "", "")):
            return rule.becomes, rule.slot
    return row.get(own or "", ""), Slot.TOPS


def _pictures(cell: str, more: str, images: ExportImages) -> list[str]:
    """Give the URLs of one garment, in the order of the export."""
    if not more and not images.separator and "\n" not in cell:
        return [cell] if cell else []
    lines = [line for text in (cell, more) for line in text.splitlines()]
    if not images.separator:
        return [line.strip() for line in lines if line.strip()]
    # A separator after a backslash belongs to the URL.
    between = rf"(?<!\\){re.escape(images.separator)}"
    parts = [part.strip() for line in lines for part in re.split(between, line)]
    return [part.replace(f"\\{images.separator}", images.separator) for part in parts if part]


def _pick(urls: Sequence[str], number: int) -> str:
    at = number - 1 if number > 0 else number
    return urls[at] if -len(urls) <= at < len(urls) else ""


def _whole(url: str, base_url: str | None) -> str:
    if not url or base_url is None or "://" in url:
        return url
    return f"{base_url.rstrip('/')}/{url.lstrip('/')}"
