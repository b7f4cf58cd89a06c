"""Files into tables of text: CSV in whatever encoding it came, and Parquet, some rows at a time.

Every value arrives as the text a person would read in the file: `00123`, `NA`, `1e5` and `true` stay as they
are. What cannot be split into fields is told apart, row by row. This module must not know what a garment is,
which values are good, or the vendor.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tryon_catalogue._export_text import (
    BrokenRow,
    ExportError,
    ExportMissingError,
    csv_records,
    encoding_of,
    text_of,
)
from tryon_catalogue.settings import ExportColumns, ExportSettings

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    Source = Path | ObjectStoragePath

log = logging.getLogger(__name__)

REQUIRED: Final = ("sku", "category", "tops_image")
"""The fields an export cannot do without, in the words of `ExportColumns`."""

_BLOCK: Final = 1 << 20
_PARQUET_MAGIC: Final = b"PAR1"
_NOT_A_TABLE: Final[Mapping[bytes, str]] = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "compressed with gzip",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows of an export.

    Args:
        lines: where each row of ``frame`` starts: the line in CSV, the row's number in Parquet; from 1.
        frame: text only, without surrounding blanks, one column for each field of `ExportColumns`; "" where
            there is no value.
        broken: the rows that are not in ``frame``.
    """

    lines: Sequence[int]
    frame: pd.DataFrame
    broken: Sequence[BrokenRow] = field(default=())


def read_tables(source: "Source", settings: ExportSettings) -> Iterator[Table]:
    """Read an export, at most ``settings.chunk_rows`` rows at a time.

    Raises:
        ExportMissingError: there is no such file.
        ExportError: it cannot be opened, is empty or no table, cannot be decoded, or lacks a column.
    """
    try:
        with source.open("rb") as file:
            head = file.read(4)
    except FileNotFoundError as wrong:
        raise ExportMissingError(source, "is not there; check [export] path, or wait for it") from wrong
    except OSError as wrong:
        raise ExportError(source, f"cannot be opened: {wrong.strerror or wrong}") from wrong
    if not head:
        raise ExportError(source, "is empty (0 bytes): not even a header; ask the shop to export it again")
    for magic, kind in _NOT_A_TABLE.items():
        if head.startswith(magic):
            raise ExportError(source, f"is {kind}; a CSV or Parquet file is expected")
    if head == _PARQUET_MAGIC:
        return _parquet_tables(source, settings)
    return _csv_tables(source, settings, head)


# --- columns ---


def _positions(source: "Source", header: Sequence[str], columns: ExportColumns) -> dict[str, int | None]:
    """Field -> where its column is; None for an optional one that is not there."""
    named: dict[str, str] = {ours: theirs for ours, theirs in columns if theirs is not None}
    there = ", ".join(repr(name) for name in header[:50])
    missing = [f"{named[ours]!r} ({ours})" for ours in REQUIRED if named[ours] not in header]
    if missing:
        told = f"has no column {', '.join(missing)}, only {there}. Correct [export.columns], or the export"
        if len(header) == 1:
            told += "; with a single column, [export] delimiter may be wrong too"
        raise ExportError(source, told)
    twice = sorted({repr(theirs) for theirs in named.values() if header.count(theirs) > 1})
    if twice:
        raise ExportError(source, f"has more than one column {', '.join(twice)}; each name is expected once")
    for ours, theirs in named.items():
        if theirs not in header:
            log.warning("the export %s has no column %r; no row has its %s", source, theirs, ours)
    return {
        ours: header.index(named[ours]) if ours in named and named[ours] in header else None
        for ours in type(columns).model_fields
    }


def _frame(columns: Mapping[str, Sequence[str] | None], rows: int) -> pd.DataFrame:
    blank = [""] * rows
    # object, not inferred: pandas must never have a chance to take text for something else.
    frame = pd.DataFrame({name: values or blank for name, values in columns.items()}, dtype=object)
    return frame.apply(lambda column: column.str.strip()) if rows else frame


# --- CSV ---


def _csv_tables(source: "Source", settings: ExportSettings, head: bytes) -> Iterator[Table]:
    encoding = encoding_of(source, settings.encoding, head)
    log.info("the export %s is read as %s", source, encoding)
    with source.open("rb") as file, text_of(file, encoding) as stream:
        records = csv_records(stream, settings.delimiter)
        _, header = next(records, (0, None))
        if not isinstance(header, list):
            told = "holds only blank lines" if header is None else f"has a broken header. {header.problem}"
            raise ExportError(source, told)
        names = [name.strip().lstrip("\ufeff") for name in header]
        positions = _positions(source, names, settings.columns)
        lines: list[int] = []
        rows: list[list[str]] = []
        broken: list[BrokenRow] = []
        for line, record in records:
            if isinstance(record, BrokenRow):
                broken.append(record)
            elif len(record) != len(names):
                told = f"The row has {len(record)} fields, the header {len(names)}."
                broken.append(BrokenRow(line, settings.delimiter.join(record), told))
            else:
                lines.append(line)
                rows.append(record)
            if len(rows) + len(broken) == settings.chunk_rows:
                yield _csv_table(lines, rows, broken, positions)
                lines, rows, broken = [], [], []
        if rows or broken:
            yield _csv_table(lines, rows, broken, positions)


def _csv_table(
    lines: list[int], rows: list[list[str]], broken: list[BrokenRow], positions: Mapping[str, int | None]
) -> Table:
    columns = {name: None if at is None else [row[at] for row in rows] for name, at in positions.items()}
    return Table(lines, _frame(columns, len(rows)), broken)


# --- Parquet ---


def _parquet_tables(source: "Source", settings: ExportSettings) -> Iterator[Table]:
    try:
        # Buffered reading, so that a file of one large row group is not held in memory.
        with source.open("rb") as raw, pq.ParquetFile(raw, buffer_size=_BLOCK) as file:
            names = list(file.schema_arrow.names)
            positions = _positions(source, names, settings.columns)
            wanted = sorted({names[at] for at in positions.values() if at is not None})
            read = 0
            for batch in file.iter_batches(batch_size=settings.chunk_rows, columns=wanted):
                columns = {
                    name: None if at is None else _texts(source, names[at], batch.column(names[at]))
                    for name, at in positions.items()
                }
                lines = range(read + 1, read + 1 + batch.num_rows)
                yield Table(lines, _frame(columns, batch.num_rows))
                read += batch.num_rows
    except (pa.lib.ArrowException, OSError) as wrong:
        raise ExportError(source, f"cannot be read as Parquet: {wrong}") from wrong


def _texts(source: "Source", name: str, column: Any) -> list[str]:
    """Give an Arrow column as text: whole numbers exactly, missing values as ""."""
    if pa.types.is_floating(column.type):
        return [_float_text(value) for value in column.to_pylist()]
    try:
        texts = pc.cast(column, pa.string())
    except (pa.lib.ArrowNotImplementedError, pa.lib.ArrowInvalid) as wrong:
        problem = f"has a column {name!r} of type {column.type}, which cannot be read as text: {wrong}"
        raise ExportError(source, problem) from wrong
    return ["" if text is None else text for text in texts.to_pylist()]


def _float_text(value: float | None) -> str:
    """A number that pandas made a float because others were missing is still the whole number it was."""
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
