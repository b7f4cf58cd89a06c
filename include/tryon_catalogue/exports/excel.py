"""Excel workbooks into tables, row by row, so that a large sheet is never in memory. Must not know garments.

Excel stores numbers, not what people see. Whole numbers come out as such, and a cell that shows leading noughts
by its format (`00000`) comes out with them.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile

from more_itertools import chunked
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from tryon_catalogue.exports.columns import columns_to_read
from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, text_frame
from tryon_catalogue.settings import ExportSettings

if TYPE_CHECKING:
    from openpyxl import Workbook

_NOUGHTS: Final = re.compile(r"0{2,}")


def excel_tables(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    """Read a sheet of a workbook, at most ``settings.chunk_rows`` rows at a time.

    The header is the first row that is not blank.

    Raises:
        ExportError: it is no workbook, has no such sheet, or lacks a column.
    """
    with file.open() as raw:
        try:
            with warnings.catch_warnings():
                # What openpyxl leaves out of a workbook (styles, validation) nobody here asks for.
                warnings.simplefilter("ignore", UserWarning)
                book = load_workbook(raw, read_only=True, data_only=True)
        except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as wrong:
            problem = (
                f"cannot be read as an Excel workbook ({wrong}); CSV, Parquet and JSON lines are read too"
            )
            raise ExportError(file, problem) from wrong
        try:
            yield from _tables(file, _sheet(file, book, settings.sheet), settings)
        finally:
            book.close()


def _sheet(file: ExportFile, book: "Workbook", wanted: str | None) -> Any:
    name = wanted or next((one.title for one in book.worksheets if one.sheet_state == "visible"), None)
    if name is None or name not in book.sheetnames:
        there = ", ".join(repr(one) for one in book.sheetnames)
        raise ExportError(file, f"has no sheet {name!r}, only {there}. Correct [export] sheet")
    return book[name]


def _tables(file: ExportFile, sheet: Any, settings: ExportSettings) -> Iterator[Table]:
    sheet.reset_dimensions()  # programs that write workbooks get their own size wrong
    rows = ((number, row) for number, row in enumerate(sheet.iter_rows(), start=1))
    header: list[str] = []
    for _, row in rows:
        header = [_text(cell).strip() for cell in row]
        if any(header):
            break
    if not any(header):
        raise ExportError(file, f"has nothing in its sheet {sheet.title!r}. Name another in [export] sheet")
    positions = {name: header.index(name) for name in columns_to_read(file, header, settings)}
    filled = ((number, row) for number, row in rows if any(cell.value is not None for cell in row))
    for some in chunked(filled, settings.chunk_rows):
        columns = {name: [_at(row, at) for _, row in some] for name, at in positions.items()}
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
