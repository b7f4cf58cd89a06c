"""CSV files into tables. What is not set is found out from the header: delimiter and quotation mark."""

import io
import logging
import re
from collections.abc import Iterator, Sequence
from typing import IO, Final

from tryon_catalogue.exports.columns import columns_to_read
from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import MOST_TEXT, Table, text_frame
from tryon_catalogue.exports.text import (
    HOW_TO_QUOTE,
    BrokenRow,
    Dialect,
    csv_records,
    encoding_of,
    lines_of,
    text_of,
)
from tryon_catalogue.settings import ExportSettings
from tryon_catalogue.settings.export import AUTO

log = logging.getLogger(__name__)

_DELIMITERS: Final = ",;\t|"
_LONGEST_HEADER: Final = 100_000
# How Excel tells itself the delimiter, on a line before the header.
_SEPARATOR_LINE: Final = re.compile(r"sep=(.)\s*", re.IGNORECASE)


def csv_tables(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    """Look into a CSV file, and give its tables: at most ``settings.chunk_rows`` rows each.

    Raises:
        ExportError: It cannot be decoded, has no header, or lacks a column.
    """
    encoding = encoding_of(file, settings.encoding)
    with text_of(file, encoding) as stream:
        head = stream.read(_LONGEST_HEADER)
    dialect = _dialect(file, head, settings)
    log.info("the export %s is read as %s, delimiter %r", file, encoding, dialect.delimiter)
    with text_of(file, encoding) as stream:
        names = _header(file, _records(file, stream, dialect, settings), dialect)
    read = columns_to_read(file, names, settings)
    return _tables(file, encoding, dialect, read, settings)


def _records(file: ExportFile, stream: IO[str], dialect: Dialect, settings: ExportSettings) -> "_Records":
    return csv_records(file, lines_of(file, stream, settings.longest_line), dialect, settings)


_Records = Iterator[tuple[int, list[str] | BrokenRow]]


def _header(file: ExportFile, records: _Records, dialect: Dialect) -> list[str]:
    header = next(records, (0, None))[1]
    if isinstance(header, list) and _SEPARATOR_LINE.fullmatch(dialect.delimiter.join(header)):
        header = next(records, (0, None))[1]
    if not isinstance(header, list):
        wrong = "holds only blank lines" if header is None else f"has a broken header. {header.problem}"
        raise ExportError(file, wrong)
    return [name.strip() for name in header]


def _tables(
    file: ExportFile, encoding: str, dialect: Dialect, read: Sequence[str], settings: ExportSettings
) -> Iterator[Table]:
    with text_of(file, encoding) as stream:
        records = _records(file, stream, dialect, settings)
        names = _header(file, records, dialect)
        positions = [names.index(name) for name in read]
        lines: list[int] = []
        rows: list[list[str]] = []
        broken: list[BrokenRow] = []
        size = 0

        def table() -> Table:
            columns = {name: [row[at] for row in rows] for at, name in enumerate(read)}
            return Table(lines, text_frame(columns, len(rows)), broken)

        for line, record in records:
            if isinstance(record, BrokenRow):
                broken.append(record)
            elif len(record) != len(names):
                problem = f"The row has {len(record)} fields, the header {len(names)}. {HOW_TO_QUOTE}"
                broken.append(BrokenRow(line, dialect.delimiter.join(record), problem))
            else:
                lines.append(line)
                # Not the columns that nobody asks for: descriptions may be long.
                rows.append([record[at] for at in positions])
                size += sum(map(len, rows[-1]))
            if len(rows) + len(broken) == settings.chunk_rows or size >= MOST_TEXT:
                yield table()
                lines, rows, broken, size = [], [], [], 0
        if rows or broken:
            yield table()


def _dialect(file: ExportFile, head: str, settings: ExportSettings) -> Dialect:
    lines = [line for line in io.StringIO(head, newline="") if line.strip()]
    separator = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    if separator:
        del lines[0]
    header = lines[0] if lines else ""
    quote = settings.quote
    if quote == AUTO:
        quote = "'" if header.lstrip().startswith("'") else '"'
    delimiter = settings.delimiter
    if delimiter == AUTO:
        delimiter = separator[1] if separator else _likeliest(file, lines, quote, settings)
    return Dialect(delimiter, quote)


def _likeliest(file: ExportFile, lines: Sequence[str], quote: str, settings: ExportSettings) -> str:
    """Give the delimiter under which the header has most of the columns that the settings name; a comma in doubt."""
    columns = {name for name in settings.columns.model_dump().values() if name is not None}

    def found(delimiter: str) -> tuple[int, int]:
        header = next(csv_records(file, lines, Dialect(delimiter, quote), settings), (0, None))[1]
        if not isinstance(header, list):
            return 0, 0
        return len(columns.intersection(name.strip() for name in header)), len(header)

    return max(_DELIMITERS, key=found)
