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
from typing import Any, Final
from zipfile import BadZipFile

from openpyxl.utils.exceptions import InvalidFileException

from tryon_catalogue.exports.columns import columns_to_read
from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.garments import printable
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, by_rows_and_text, text_frame
from tryon_catalogue.exports.workbooks import WorkbookReader
from tryon_catalogue.settings import ExportSettings

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


def excel_tables(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    """Look into a sheet of a workbook, and give its tables: at most ``settings.chunk_rows`` rows each.

    The header is the first row that is not blank. The sheet is read through once for this: damage in its last row
    must not come out after the first rows have been planned and paid for.

    Raises:
        ExportError: It is no workbook, is damaged, has no such sheet, or lacks a column.
    """
    with _sheet(file, settings) as sheet:
        rows = _rows(file, sheet)
        read = columns_to_read(file, _header(file, sheet, rows), settings)
        deque(rows, maxlen=0)
    return _tables(file, read, settings)


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
                f"cannot be read as an Excel workbook ({_problem(wrong)}); CSV, Parquet and JSON lines are read too",
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


def _header(file: ExportFile, sheet: Any, rows: Iterable[_Row]) -> list[str]:
    for _, row in rows:
        header = [_text(cell).strip() for cell in row]
        if any(header):
            return header
    raise ExportError(file, f"has nothing in its sheet {sheet.title!r}. Name another in [export] sheet")


def _tables(file: ExportFile, read: Sequence[str], settings: ExportSettings) -> Iterator[Table]:
    with _sheet(file, settings) as sheet:
        rows = _rows(file, sheet)
        header = _header(file, sheet, rows)
        positions = [header.index(name) for name in read]
        filled = ((number, row) for number, row in rows if any(cell.value is not None for cell in row))
        texts = ((number, [_at(row, at) for at in positions]) for number, row in filled)
        for some in by_rows_and_text(texts, settings.chunk_rows, lambda row: sum(map(len, row[1]))):
            columns = {name: [row[at] for _, row in some] for at, name in enumerate(read)}
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


def _moment(value: datetime) -> str:
    """A date is a moment at midnight to Excel."""
    return (value if value.time() != time() else value.date()).isoformat()


_TEXTS: Final[Mapping[type, Callable[[Any], str]]] = {
    type(None): lambda _: "",
    bool: lambda value: str(value).lower(),
    datetime: _moment,
    date: date.isoformat,
    time: time.isoformat,
}
"""Type of a cell's value -> the text a person would read; any other is written as Python writes it."""
