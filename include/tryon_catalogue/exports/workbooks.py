"""An Excel workbook as an archive whose parts stay within bounds while they are unpacked.

A few kilobytes may unpack to gigabytes: one cell, one row, a table of texts. What is held at once (every part but a
sheet) is bounded as a whole, and a sheet row by row.
"""

import io
from typing import IO, Any, Final
from zipfile import ZipFile, ZipInfo

from openpyxl.reader.excel import ExcelReader

from tryon_catalogue.exports.errors import ExportError, ExportTooLargeError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.settings import ExportSettings

_END_OF_ROW: Final = (b"</row>", b":row>")
_KEPT: Final = len(b"</row>")


class WorkbookReader(ExcelReader):
    """Reads a workbook from an archive within bounds."""

    def __init__(self, raw: IO[bytes], file: ExportFile, settings: ExportSettings) -> None:
        super().__init__(raw, read_only=True, data_only=True)
        self._bounded = self.archive = _Archive(raw, file, settings)

    def read_worksheets(self) -> None:
        """Read what sheets there are. What is opened from now on is a sheet."""
        self._bounded.sheets = True
        super().read_worksheets()


class _Archive(ZipFile):
    """An archive that unpacks to no more than the settings allow."""

    def __init__(self, raw: IO[bytes], file: ExportFile, settings: ExportSettings) -> None:
        super().__init__(raw)
        self._export = file
        self._settings = settings
        self.sheets = False
        size = sum(part.file_size for part in self.infolist())
        if size > settings.unpacked_mb << 20:
            most = f"{settings.unpacked_mb:,} MB"
            raise ExportTooLargeError(
                file, f"{size >> 20:,} MB in it when it is unpacked", "unpacked_mb", most
            )

    def open(self, name: str | ZipInfo, *args: Any, **kwargs: Any) -> Any:
        """Open a part; never more comes out of it than the archive says, to which Python holds it."""
        part = name if isinstance(name, ZipInfo) else self.getinfo(name)
        opened = super().open(name, *args, **kwargs)
        if self.sheets:
            return _Sheet(opened, self._export, self._settings)
        if part.file_size > self._settings.held_mb << 20:
            opened.close()
            raise ExportTooLargeError(
                self._export,
                f"{part.file_size >> 20:,} MB in its part {part.filename[-80:]!r}",
                "held_mb",
                f"{self._settings.held_mb:,} MB",
            )
        return opened


class _Sheet(io.BufferedIOBase):
    """The XML of a sheet, block by block, held to a bound on each row."""

    def __init__(self, part: IO[bytes], file: ExportFile, settings: ExportSettings) -> None:
        self._part = part
        self._export = file
        self._longest = settings.longest_line
        self._since_row = 0
        self._kept = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        whole = size is None or size < 0
        block = self._part.read(self._longest + 1 if size is None or size < 0 else size)
        seen = self._kept + block
        # Only there could text hide an end of a row; no program that writes workbooks uses either.
        if b"<!" in seen or b"\0" in seen:
            problem = (
                "has a sheet with a comment, CDATA, a document type or UTF-16 in its XML, which none needs; ask the "
                "shop to export it again"
            )
            raise ExportError(self._export, problem)
        end = max(seen.rfind(mark) for mark in _END_OF_ROW)
        self._since_row = len(seen) - end if end >= 0 else self._since_row + len(block)
        if self._since_row > self._longest or (whole and len(block) > self._longest):
            what = f"a row of more than {self._longest:,} bytes in a sheet"
            raise ExportTooLargeError(self._export, what, "longest_line", f"{self._longest:,}")
        self._kept = seen[-_KEPT:]
        return block

    def close(self) -> None:
        self._part.close()
        super().close()
