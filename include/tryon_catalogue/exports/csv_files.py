"""CSV files into tables. What is not set is found out from the header: delimiter and quotation mark."""

import io
import logging
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import IO, Final

from tryon_catalogue.exports.columns import columns_to_read, find_columns, looks_like_the_header
from tryon_catalogue.exports.csv_records import csv_records
from tryon_catalogue.exports.encodings import encoding_of
from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import MOST_TEXT, Table, Tables, text_frame
from tryon_catalogue.exports.text import HOW_TO_QUOTE, BrokenRow, Dialect, text_of
from tryon_catalogue.settings import ExportSettings
from tryon_catalogue.settings.aliases import BLANKS
from tryon_catalogue.settings.export import AUTO

log = logging.getLogger(__name__)

_DELIMITERS: Final = ",;\t|"
_LONGEST_HEADER: Final = 100_000
_LOOKED_THROUGH: Final = 20
"""Lines of which one may be the header, where the first is not."""
# How Excel tells itself the delimiter, on a line before the header.
_SEPARATOR_LINE: Final = re.compile(r"sep=(.)\s*", re.IGNORECASE)

_Record = tuple[int, list[str] | BrokenRow]


@dataclass(frozen=True, slots=True)
class _Opened:
    """How a CSV file is written.

    Attributes:
        line: Of the header.
        names: In the header.
    """

    encoding: str
    dialect: Dialect
    line: int
    names: list[str]


def csv_tables(file: ExportFile, settings: ExportSettings) -> Tables:
    """Look into a CSV file, and give its tables: at most ``settings.chunk_rows`` rows each.

    Raises:
        ExportError: It cannot be decoded, has no header, or lacks a column.
    """
    opened = _opened(file, settings)
    try:
        found = columns_to_read(file, opened.names, settings)
    except ExportError as wrong:
        if (line := _likely_header(file, opened, settings)) is None:
            raise
        problem = (
            f"has its header on line {line}: set [export] header_row = {line}. Above it stands no column"
        )
        raise ExportError(file, problem) from wrong

    def read(columns: Sequence[str]) -> Iterator[Table]:
        return _tables(file, opened, {name: found[name] for name in columns}, settings)

    return Tables(read, tuple(found))


def csv_header(file: ExportFile, settings: ExportSettings) -> list[str]:
    """Give the names in the header of a CSV file, as `csv_tables` reads it."""
    return _opened(file, settings).names


def _opened(file: ExportFile, settings: ExportSettings) -> _Opened:
    encoding = encoding_of(file, settings.encoding)
    with text_of(file, encoding) as stream:
        head = stream.read(_LONGEST_HEADER)
    dialect = _dialect(file, head, settings)
    log.info("the export %s is read as %s, delimiter %r", file, encoding, dialect.delimiter)
    with text_of(file, encoding) as stream:
        line, names = _header(file, _in_order(file, stream, dialect, settings), dialect, settings)
    return _Opened(encoding, dialect, line, names)


def _in_order(
    file: ExportFile, stream: IO[str], dialect: Dialect, settings: ExportSettings
) -> Iterator[_Record]:
    """Give records, and what is no record, each with its line, in the order of the file."""
    for records in csv_records(file, stream, dialect, settings):
        rows: Iterator[_Record] = zip(records.lines, records.rows, strict=True)
        yield from sorted(chain(rows, ((row.line, row) for row in records.broken)), key=itemgetter(0))


def _header(
    file: ExportFile, records: Iterator[_Record], dialect: Dialect, settings: ExportSettings
) -> tuple[int, list[str]]:
    line, header = next(records, (0, None))
    if isinstance(header, list) and _SEPARATOR_LINE.fullmatch(dialect.delimiter.join(header)):
        line, header = next(records, (0, None))
    if settings.header_row is not None:
        while header is not None and line < settings.header_row:
            line, header = next(records, (0, None))
    elif isinstance(header, list) and not any(name.strip(BLANKS) for name in header):
        # A line of delimiters alone.
        line, header = next(
            ((at, row) for at, row in records if not isinstance(row, list) or any(map(str.strip, row))),
            (0, None),
        )
    if not isinstance(header, list):
        wrong = "holds only blank lines" if header is None else f"has a broken header. {header.problem}"
        raise ExportError(file, wrong)
    return line, [name.strip(BLANKS) for name in header]


def _likely_header(file: ExportFile, opened: _Opened, settings: ExportSettings) -> int | None:
    """Give the line that looks like the header, where the one that was taken for it is none."""
    with text_of(file, opened.encoding) as stream:
        head = io.StringIO(stream.read(_LONGEST_HEADER), newline="")
    for line, record in _in_order(file, head, opened.dialect, settings):
        if line > _LOOKED_THROUGH:
            break
        if line != opened.line and isinstance(record, list) and looks_like_the_header(record, settings):
            return line
    return None


def _tables(
    file: ExportFile, opened: _Opened, positions: dict[str, int], settings: ExportSettings
) -> Iterator[Table]:
    """Give the rows below a header.

    Args:
        positions: Column -> its place in a row.
    """
    header_line, width, dialect = opened.line, len(opened.names), opened.dialect
    # Not the columns that nobody asks for: descriptions may be long.
    pick = itemgetter(*positions.values(), 0) if positions else itemgetter(0, 0)
    lines: list[int] = []
    rows: list[tuple[str, ...]] = []
    broken: list[BrokenRow] = []
    size = 0

    def cut(most: int) -> Table:
        """Take so many of the rows and broken rows, in the order of the file."""
        last = sorted((*lines, *(row.line for row in broken)))[:most][-1] if broken else 0
        count = bisect_right(lines, last) if broken else most
        values = list(zip(*rows[:count], strict=True)) or [()] * len(positions)
        columns = {name: values[at] for at, name in enumerate(positions)}
        taken = [row for row in broken if row.line <= last]
        table = Table(lines[:count], text_frame(columns, len(rows[:count])), taken)
        del lines[:count], rows[:count]
        broken[:] = [row for row in broken if row.line > last]
        return table

    with text_of(file, opened.encoding) as stream:
        for records in csv_records(file, stream, dialect, settings):
            numbers, found, wrong = records.lines, records.rows, records.broken
            if (numbers and numbers[0] <= header_line) or (wrong and wrong[0].line <= header_line):
                below = [at for at, number in enumerate(numbers) if number > header_line]
                numbers, found = [numbers[at] for at in below], [found[at] for at in below]
                wrong = [row for row in wrong if row.line > header_line]
            broken += wrong
            if set(map(len, found)) - {width}:
                broken += [
                    _wrong_width(number, row, width, dialect)
                    for number, row in zip(numbers, found, strict=True)
                    if len(row) != width
                ]
                good = [at for at, row in enumerate(found) if len(row) == width]
                numbers, found = [numbers[at] for at in good], [found[at] for at in good]
            lines += numbers
            picked = list(map(pick, found))
            rows += picked
            size += sum(map(len, chain.from_iterable(picked)))
            while len(rows) + len(broken) >= settings.chunk_rows:
                yield cut(settings.chunk_rows)
                size = 0
            if size >= MOST_TEXT and rows:
                yield cut(len(rows) + len(broken))
                size = 0
    if rows or broken:
        yield cut(len(rows) + len(broken))


def _wrong_width(line: int, row: Sequence[str], width: int, dialect: Dialect) -> BrokenRow:
    problem = f"The row has {len(row)} fields, the header {width}. {HOW_TO_QUOTE}"
    return BrokenRow(line, dialect.delimiter.join(row), problem)


def _dialect(file: ExportFile, head: str, settings: ExportSettings) -> Dialect:
    lines = [line for line in io.StringIO(head, newline="") if line.strip(BLANKS)]
    separator = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    if separator:
        del lines[0]
    header = lines[0] if lines else ""
    quote = settings.quote
    if quote == AUTO:
        quote = "'" if header.lstrip(BLANKS).startswith("'") else '"'
    delimiter = settings.delimiter
    if delimiter == AUTO:
        delimiter = separator[1] if separator else _likeliest(file, lines, quote, settings)
    return Dialect(delimiter, quote)


def _likeliest(file: ExportFile, lines: Sequence[str], quote: str, settings: ExportSettings) -> str:
    """Give the delimiter under which a line has most of the columns that the settings name; a comma in doubt."""
    text = "".join(lines)

    def found(delimiter: str) -> tuple[int, int]:
        records = _in_order(file, io.StringIO(text, newline=""), Dialect(delimiter, quote), settings)
        rows = [
            record
            for _, (_, record) in zip(range(_LOOKED_THROUGH), records, strict=False)
            if isinstance(record, list)
        ]
        columns = [find_columns([name.strip(BLANKS) for name in row], settings) for row in rows]
        return max(map(len, columns), default=0), len(rows[0]) if rows else 0

    return max(_DELIMITERS, key=found)
