"""Rows of one garment put together, wherever they stand in a file: its variants and its pictures.

Rows that follow each other, as shops export them, are put together as they come. Those of a garment that comes back
later in the file, as after sorting it in Excel, are read first and held until its first row comes.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from tryon_catalogue.exports.errors import ExportError, ExportTooLargeError
from tryon_catalogue.exports.garments import printable
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, Tables
from tryon_catalogue.exports.text import BrokenRow
from tryon_catalogue.settings import ExportSettings
from tryon_catalogue.settings.export import normal_name

MOST_ROWS_TOGETHER: Final = 10_000
"""Rows of one garment at most. No shop has so many variants: it is the wrong column."""

_Columns = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Joined:
    """A table with one row for each garment.

    Attributes:
        sizes: How many rows of the file each one is made of.
    """

    table: Table
    sizes: Sequence[int]


@dataclass(slots=True)
class _Rows:
    """Rows that are still to be put together: their columns, their lines, and the key that those of a garment share."""

    columns: _Columns
    lines: list[int]
    keys: list[str]

    def add(self, other: "_Rows") -> None:
        for name, values in other.columns.items():
            self.columns[name] += values
        self.lines += other.lines
        self.keys += other.keys

    def part(self, start: int, end: int) -> "_Rows":
        columns = {name: values[start:end] for name, values in self.columns.items()}
        return _Rows(columns, self.lines[start:end], self.keys[start:end])

    def size(self) -> int:
        return sum(len(value) for values in self.columns.values() for value in values)


def joined_tables(file: ExportFile, tables: Tables, settings: ExportSettings) -> Iterator[Joined]:
    """Give tables of garments.

    Raises:
        ExportError: So many rows belong together, or lie so far apart, that the column they share cannot be a garment's
            number.
    """
    if settings.group is None:
        for table in tables:
            yield Joined(table, [1] * len(table.frame))
        return
    coming_back = set() if settings.group_starts is not None else _coming_back(tables, settings.group)
    held = _held(file, tables, coming_back, settings) if coming_back else {}
    rest: _Rows | None = None
    for read, broken in _rows(tables, settings):
        rows = read
        if rest is not None:
            rest.add(read)
            rows = rest
        runs = _runs(rows.keys)
        rest = rows.part(*runs[-1]) if runs else None
        if rest is not None:
            _hold_to_bounds(file, rest, 0, settings)
        yield _garments(_whole(rows, runs[:-1], coming_back, held), broken, settings)
    if rest is not None:
        yield _garments(_whole(rest, [(0, len(rest.keys))], coming_back, held), (), settings)


_Part = tuple[_Rows, tuple[int, int]]
"""Rows, and where those of a garment begin and end among them."""


def _whole(
    rows: _Rows, runs: Sequence[tuple[int, int]], coming_back: Collection[str], held: dict[str, _Rows]
) -> list[_Part]:
    """Give the rows of each garment; of one that comes back all of them, where its first ones stand."""
    parts: list[_Part] = []
    for run in runs:
        key = rows.keys[run[0]]
        if key not in coming_back:
            parts.append((rows, run))
        elif key in held:
            together = held.pop(key)
            parts.append((together, (0, len(together.keys))))
    return parts


def _held(
    file: ExportFile, tables: Tables, coming_back: Collection[str], settings: ExportSettings
) -> dict[str, _Rows]:
    """Give all the rows of the garments that come back, held to the bounds."""
    held: dict[str, _Rows] = {}
    size = 0
    for rows, _ in _rows(tables, settings):
        for start, end in _runs(rows.keys):
            key = rows.keys[start]
            if key not in coming_back:
                continue
            part = rows.part(start, end)
            size += part.size()
            if key in held:
                held[key].add(part)
            else:
                held[key] = part
            _hold_to_bounds(file, held[key], size, settings)
    return held


def _coming_back(tables: Tables, group: str) -> set[str]:
    """Give the garments that come back after rows of another."""
    seen: set[str] = set()
    found: set[str] = set()
    before = ""
    for table in tables.only(group):
        for key in table.frame[group].tolist():
            if key != before:
                (found if key in seen else seen).add(key)
                before = key
    return found - {""}


def _rows(tables: Tables, settings: ExportSettings) -> Iterator[tuple[_Rows, Sequence[BrokenRow]]]:
    group, starts = str(settings.group), settings.group_starts
    garment = 0
    for table in tables:
        columns = {str(name): table.frame[name].tolist() for name in table.frame}
        keys = columns[group]
        if starts is not None:
            first, numbered = normal_name(starts), []
            for value in keys:
                garment += normal_name(value) == first
                numbered.append(str(garment))
            keys = numbered
        yield _Rows(columns, list(table.lines), list(keys)), table.broken


def _runs(keys: Sequence[str]) -> list[tuple[int, int]]:
    """Give where rows that follow each other begin and end that are of one garment. A row without a number is alone."""
    starts = [at for at, key in enumerate(keys) if not key or not at or key != keys[at - 1]]
    return list(zip(starts, [*starts[1:], len(keys)], strict=True))


def _hold_to_bounds(file: ExportFile, rows: _Rows, held: int, settings: ExportSettings) -> None:
    key = printable(rows.keys[0])
    if len(rows.keys) > MOST_ROWS_TOGETHER:
        raise ExportError(
            file,
            f"has more than {MOST_ROWS_TOGETHER} rows with the {settings.group} {key!r}: it "
            "cannot be the number of one garment. Correct [export] group",
        )
    if held > settings.held_mb << 20:
        raise ExportTooLargeError(
            file,
            f"rows of the {settings.group} {key!r} and of many others far from each other; sorted by "
            f"{settings.group}, it would need no memory",
            "held_mb",
            f"{settings.held_mb:,} MB",
        )
    size = sum(map(len, rows.columns[settings.columns.tops_image]))
    if size > settings.longest_line:
        what = (
            f"a garment on line {rows.lines[0]} with URLs of more than {settings.longest_line:,} characters"
        )
        raise ExportTooLargeError(file, what, "longest_line", f"{settings.longest_line:,}")


def _garments(parts: Sequence[_Part], broken: Sequence[BrokenRow], settings: ExportSettings) -> Joined:
    """Make a table of garments, each of some rows."""
    image, position, variant = settings.columns.tops_image, settings.images.position, settings.images.variant
    # A row of the file for each garment, with those it belongs to.
    members: list[tuple[_Columns, int, int, int]] = []
    lines: list[int] = []
    sizes: list[int] = []
    for rows, (start, end) in parts:
        found = [start] if variant is None else _variants(rows.columns[settings.columns.sku], start, end)
        members += [(rows.columns, at, start, end) for at in found]
        lines += [rows.lines[at] for at in found]
        sizes += [1] * (len(found) - 1) + [end - start - len(found) + 1]
    names = parts[0][0].columns if parts else ()
    # Many columns say nothing in a whole file.
    sources = {id(rows): rows.columns for rows, _ in parts}.values()
    filled = {name for name in names if any(any(columns[name]) for columns in sources)}
    made = {
        # What is said once for a garment stands in one of its rows, mostly the first.
        name: [
            columns[name][at] or ("" if end - start == 1 else _first(columns[name], start, end))
            for columns, at, start, end in members
        ]
        if name in filled
        else [""] * len(members)
        for name in names
        if name != image
    }
    made[image] = [
        (columns[variant][at] if variant in columns else "")
        or _pictures(columns[image], columns.get(position or ""), start, end)
        for columns, at, start, end in members
    ]
    return Joined(Table(lines, pd.DataFrame(made, dtype=object), broken), sizes)


def _first(values: Sequence[str], start: int, end: int) -> str:
    return next((value for value in values[start:end] if value), "")


def _variants(skus: Sequence[str], start: int, end: int) -> Sequence[int]:
    """Give the rows that are variants with a sku of their own; the first where none is."""
    return [at for at in range(start, end) if skus[at]] or [start]


def _pictures(cells: Sequence[str], places: Sequence[str] | None, start: int, end: int) -> str:
    if end - start == 1:
        return cells[start]
    found = [at for at in range(start, end) if cells[at]]
    if places is not None and len(found) > 1:
        found.sort(key=lambda at: _place(places[at]))
    return "\n".join(cells[at] for at in found)


def _place(text: str) -> float:
    """A picture's place among those of a garment; after the numbered ones where it has none."""
    try:
        return float(text)
    except ValueError:
        return float("inf")
