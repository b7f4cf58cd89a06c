"""Excel workbooks into tables, row by row, so that a large sheet is never in memory.

Excel stores numbers, not what people see. Whole numbers come out as such, and a cell that shows leading noughts
by its format (`00000`) comes out with them.
"""

import re
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import islice
from typing import Any, Final
from zipfile import BadZipFile

from openpyxl.utils.exceptions import InvalidFileException

from tryon_catalogue.exports.columns import columns_to_read, looks_like_the_header
from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.garments import printable
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, Tables, by_rows_and_text, text_frame
from tryon_catalogue.exports.workbooks import WorkbookReader
from tryon_catalogue.settings import ExportSettings
from tryon_catalogue.settings.aliases import BLANKS

LOOKED_THROUGH: Final = 20
"""Rows of which one may be the header, where the first is not."""
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NOUGHTS: Final = re.compile(r"0{2,}")
# What openpyxl raises at a file that is cut or rotten, or written as no program should. SyntaxError: XML's.
_UNREADABLE: Final = (
    BadZipFile,
    InvalidFileException,
    zlib.error,
    EOFError,
    OSError,
    SyntaxError,
    LookupError,
    ValueError,
    TypeError,
    RuntimeError,
)

_WITHOUT_VALUES: Final = (BadZipFile, InvalidFileException, zlib.error, EOFError, SyntaxError)

_Row = tuple[int, Sequence[Any]]


def excel_tables(file: ExportFile, settings: ExportSettings) -> Tables:
    """Look into a sheet of a workbook, and give its tables: at most ``settings.chunk_rows`` rows each.

    The header is the first row that is not blank, or ``header_row``. The sheet is read through once for this: damage
    in its last row must not come out after the first rows have been planned and paid for.

    Raises:
        ExportError: It is no workbook, is damaged, has no such sheet, or lacks a column.
    """
    with _sheet(file, settings) as sheet:
        rows = _rows(file, sheet)
        _, header = _header(file, sheet, rows, settings)
        try:
            found = columns_to_read(file, header, settings)
        except ExportError as wrong:
            for number, row in islice(rows, LOOKED_THROUGH):
                if looks_like_the_header(list(map(_text, row)), settings):
                    raise ExportError(
                        file,
                        f"has its header in row {number} of its sheet: set [export] header_row = {number}. Above it "
                        "stands no column",
                    ) from wrong
            raise
        deque(rows, maxlen=0)
    return Tables(
        lambda columns: _tables(file, {name: found[name] for name in columns}, settings), tuple(found)
    )


def excel_header(file: ExportFile, settings: ExportSettings) -> list[str]:
    """Give the names in the header of a sheet, as `excel_tables` reads it."""
    with _sheet(file, settings) as sheet:
        return _header(file, sheet, _rows(file, sheet), settings)[1]


@contextmanager
def _sheet(file: ExportFile, settings: ExportSettings) -> Iterator[Any]:
    with file.open() as raw:
        try:
            with warnings.catch_warnings():
                # What openpyxl leaves out of a workbook (styles, validation) nobody here asks for.
                warnings.simplefilter("ignore", UserWarning)
                reader = WorkbookReader(raw, file, settings)
                reader.read()
                book = reader.wb
        except _UNREADABLE as wrong:
            raise ExportError(
                file,
                f"cannot be read as an Excel workbook ({_problem(wrong)}); CSV, Parquet, JSON and feeds are read too",
            ) from wrong
        try:
            name = settings.sheet or next(
                (sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"), None
            )
            if name is None or name not in book.sheetnames:
                there = ", ".join(repr(printable(sheet)) for sheet in book.sheetnames[:10])
                raise ExportError(file, f"has no sheet {name!r}, only {there}. Correct [export] sheet")
            yield book[name]
        finally:
            book.close()


def _rows(file: ExportFile, sheet: Any) -> Iterator[_Row]:
    """Give the rows of a sheet with their numbers, from 1."""
    sheet.reset_dimensions()  # programs that write workbooks get their own size wrong
    number = 0
    try:
        for number, row in enumerate(sheet.iter_rows(), start=1):
            yield number, row
    except _UNREADABLE as wrong:
        place = f"after row {number} of its sheet {sheet.title!r}"
        problem = f"is damaged {place} ({_problem(wrong)}); ask the shop to export it again"
        raise ExportError(file, problem) from wrong


def _problem(wrong: Exception) -> str:
    """What went wrong, without a value that is quoted: it may be long, and is nobody's business."""
    return str(wrong) if isinstance(wrong, _WITHOUT_VALUES) else type(wrong).__name__


def _header(
    file: ExportFile, sheet: Any, rows: Iterable[_Row], settings: ExportSettings
) -> tuple[int, list[str]]:
    for number, row in rows:
        header = [_text(cell).strip(BLANKS) for cell in row]
        if any(header) and number >= (settings.header_row or 1):
            return number, header
    raise ExportError(file, f"has nothing in its sheet {sheet.title!r}. Name another in [export] sheet")


def _tables(file: ExportFile, positions: Mapping[str, int], settings: ExportSettings) -> Iterator[Table]:
    with _sheet(file, settings) as sheet:
        rows = _rows(file, sheet)
        _header(file, sheet, rows, settings)
        filled = ((number, row) for number, row in rows if any(cell.value is not None for cell in row))
        texts = ((number, [_at(row, at) for at in positions.values()]) for number, row in filled)
        for some in by_rows_and_text(texts, settings.chunk_rows, lambda row: sum(map(len, row[1]))):
            columns = {name: [row[at] for _, row in some] for at, name in enumerate(positions)}
            yield Table([number for number, _ in some], text_frame(columns, len(some)))


def _at(row: Sequence[Any], at: int) -> str:
    return _text(row[at]) if at < len(row) else ""


def _text(cell: Any) -> str:
    value = cell.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int and _NOUGHTS.fullmatch(cell.number_format):
        return str(value).zfill(len(cell.number_format))
    return _TEXTS.get(type(value), str)(value)


def _plain(text: str) -> str:
    """Excel writes control characters as _x000D_, and a _ before what looks like one as _x005F_."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def _moment(value: datetime) -> str:
    """A date is a moment at midnight to Excel."""
    return (value if value.time() != time() else value.date()).isoformat()


_TEXTS: Final[Mapping[type, Callable[[Any], str]]] = {
    type(None): lambda _: "",
    str: _plain,
    bool: lambda value: str(value).lower(),
    datetime: _moment,
    date: date.isoformat,
    time: time.isoformat,
}
"""Type of a cell's value -> the text a person would read; any other is written as Python writes it."""
