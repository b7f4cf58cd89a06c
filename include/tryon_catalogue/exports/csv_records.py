"""CSV text into records, block by block: most of the work is done by the interpreter's own reader.

A record whose quotation marks do not match costs its first line only; its other lines are read again.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, Final

from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.text import HOW_TO_QUOTE, BrokenRow, Dialect, too_long
from tryon_catalogue.settings import ExportSettings

_BLOCK: Final = 1 << 20
"""Characters that are taken apart at once."""


@dataclass(frozen=True, slots=True)
class Records:
    """Some records of a CSV text.

    Attributes:
        lines: The line each of ``rows`` starts on, from 1.
        rows: The fields of each; blank lines are left out.
        broken: Records whose quotation marks do not match, or with a field that is too long.
    """

    lines: list[int]
    rows: list[list[str]]
    broken: list[BrokenRow]


def csv_records(
    file: ExportFile, stream: IO[str], dialect: Dialect, settings: ExportSettings
) -> Iterator[Records]:
    """Give the records of a CSV text, some at a time.

    Raises:
        ExportTooLargeError: A record is longer than the settings allow.
    """
    # A quotation mark that is never closed costs so much memory at most.
    csv.field_size_limit(settings.longest_cell)
    longest = settings.longest_line
    number, rest, more = 0, "", True
    while more:
        text = stream.read(max(min(_BLOCK, longest), len(rest)))
        more = bool(text)
        lines = list(io.StringIO(rest + text, newline=""))
        # The last line may go on in the next block, were it only with the second half of its end.
        last = lines.pop() if more and lines else ""
        records, at = _records(lines, number, dialect, settings, more=more)
        # Only what began in an earlier block can be longer than one.
        if rest and len(_first_record(lines, records, number, at)) > longest:
            raise too_long(file, number + 1, longest)
        number += at
        rest = "".join(lines[at:]) + last
        if len(rest) > longest:
            raise too_long(file, number + 1, longest)
        if records.rows or records.broken:
            yield records


def _first_record(lines: Sequence[str], records: Records, number: int, at: int) -> str:
    starts = (
        start - number - 1
        for start in sorted((*records.lines[:2], *(row.line for row in records.broken[:2])))
    )
    return "".join(lines[: next((start for start in starts if start), at)])


def _records(
    lines: Sequence[str], number: int, dialect: Dialect, settings: ExportSettings, *, more: bool
) -> tuple[Records, int]:
    """Take lines apart.

    Args:
        number: Lines before them.
        more: Whether a record that they end within may go on.

    Returns:
        Their records, and how many of the lines these are made of.
    """
    records = Records([], [], [])
    at = 0
    while at < len(lines):
        start = at
        reader = _reader(islice(lines, start, None), dialect)
        try:
            for fields in reader:
                if fields:  # a blank line is no row
                    records.lines.append(number + at + 1)
                    records.rows.append(fields)
                at = start + reader.line_num
        except csv.Error as wrong:
            if more and str(wrong).startswith("unexpected end"):
                break
            text = lines[at].rstrip("\r\n")
            problem = f"{_problem(wrong, settings.longest_cell)} {HOW_TO_QUOTE}"
            records.broken.append(BrokenRow(number + at + 1, text, problem))
            at += 1
    return records, at


def _reader(lines: Iterator[str], dialect: Dialect) -> Any:
    # Strict, so that a quotation mark that is never closed is an error and not a field of a hundred rows.
    if dialect.quote:
        return csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
    return csv.reader(lines, delimiter=dialect.delimiter, quoting=csv.QUOTE_NONE, strict=True)


def _problem(wrong: csv.Error, longest: int) -> str:
    if str(wrong).startswith("field larger than field limit"):
        return (
            f"A field is longer than {longest:,} characters ([export] longest_cell); perhaps its quotation mark is "
            "never closed."
        )
    return f"The row's quotation marks do not match ({wrong})."
