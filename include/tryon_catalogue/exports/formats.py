"""The formats that exports come in, each recognised by how a file begins, and read by a module of its own."""

from collections.abc import Callable, Mapping
from typing import Final

from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Tables
from tryon_catalogue.exports.text import beginning_of
from tryon_catalogue.settings import ExportSettings

READ: Final = "CSV, Excel (.xlsx), Parquet, JSON or a shopping feed in XML"
_NOT_A_TABLE: Final[Mapping[bytes, str]] = {
    b"\xd0\xcf\x11\xe0": "an old Excel workbook, or one with a password",
    b"%PDF": "a PDF document",
    b"<": "XML or a web page",
}


def read_tables(file: ExportFile, settings: ExportSettings) -> Tables:
    """Look into a file, and give its tables: at most ``settings.chunk_rows`` rows each, read one by one.

    Raises:
        ExportError: It is no table, cannot be decoded, or lacks a column; at once, and not with the first table.
    """
    return _known(file)[0](file, settings)


def read_header(file: ExportFile, settings: ExportSettings) -> list[str]:
    """Give the names of a file's columns, whatever the settings name.

    Raises:
        ExportError: It is no table, or cannot be decoded.
    """
    return _known(file)[1](file, settings)


def _known(file: ExportFile) -> "_Format":
    start = beginning_of(file).lstrip()
    known = next((reader for magic, reader in _READERS.items() if start.startswith(magic)), None)
    if known is not None:
        return known()
    for magic, kind in _NOT_A_TABLE.items():
        if start.startswith(magic):
            raise ExportError(file, f"is {kind}; {READ} is expected")
    return _csv()


_Format = tuple[
    Callable[[ExportFile, ExportSettings], Tables], Callable[[ExportFile, ExportSettings], list[str]]
]


def _csv() -> _Format:
    from tryon_catalogue.exports.csv_files import csv_header, csv_tables

    return csv_tables, csv_header


def _json() -> _Format:
    from tryon_catalogue.exports.json_lines import json_header, json_tables

    return json_tables, json_header


def _excel() -> _Format:
    from tryon_catalogue.exports.excel import excel_header, excel_tables

    return excel_tables, excel_header


def _parquet() -> _Format:
    from tryon_catalogue.exports.parquet import parquet_header, parquet_tables

    return parquet_tables, parquet_header


def _xml() -> _Format:
    from tryon_catalogue.exports.xml_feeds import xml_header, xml_tables

    return xml_tables, xml_header


_READERS: Final[Mapping[bytes, Callable[[], _Format]]] = {
    b"PAR1": _parquet,
    b"PK\x03\x04": _excel,
    b"{": _json,
    b"[": _json,
    b"<?xml": _xml,
    b"<rss": _xml,
    b"<feed": _xml,
}
"""How a file begins, and what reads such a file and its header. Any other is CSV."""
