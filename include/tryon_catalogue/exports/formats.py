"""The formats that exports come in, each recognised by how a file begins, and read by a module of its own."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table
from tryon_catalogue.exports.text import beginning_of
from tryon_catalogue.settings import ExportSettings

_NOT_A_TABLE: Final[Mapping[bytes, str]] = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook, or one with a password",
    b"%PDF": "a PDF document",
    b"<": "XML or a web page",
    b"[": "a JSON list; of JSON, one object on each line is read",
}


def read_tables(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    """Look into a file, and give its tables: at most ``settings.chunk_rows`` rows each, read one by one.

    Raises:
        ExportError: It is no table, cannot be decoded, or lacks a column; at once, and not with the first table.
    """
    start = beginning_of(file).lstrip()
    for magic, kind in _NOT_A_TABLE.items():
        if start.startswith(magic):
            raise ExportError(file, f"is {kind}; CSV, Excel (.xlsx), Parquet or JSON lines are expected")
    reader = next((reader for magic, reader in _READERS.items() if start.startswith(magic)), _csv)
    return reader(file, settings)


def _csv(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    from tryon_catalogue.exports.csv_files import csv_tables

    return csv_tables(file, settings)


def _json_lines(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    from tryon_catalogue.exports.json_lines import json_tables

    return json_tables(file, settings)


def _excel(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    from tryon_catalogue.exports.excel import excel_tables

    return excel_tables(file, settings)


def _parquet(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    from tryon_catalogue.exports.parquet import parquet_tables

    return parquet_tables(file, settings)


_READERS: Final[Mapping[bytes, Callable[[ExportFile, ExportSettings], Iterator[Table]]]] = {
    b"PAR1": _parquet,
    b"PK\x03\x04": _excel,
    b"{": _json_lines,
}
"""How a file begins, and what reads such a file. Any other is CSV."""
