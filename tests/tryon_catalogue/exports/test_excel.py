"""Workbooks: what Excel stores becomes what people see, and what is damaged is told before a row is given."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from tests.tryon_catalogue.exports.helpers import HEADER, PLAIN, TOP, read, refused
from tryon_catalogue.exports import ExportError, Rule, read_export
from tryon_catalogue.settings import ExportSettings

NAMES = HEADER.split(",")


def workbook(folder: Path, *rows: Sequence[object], sheet: str = "Sheet", before: str = "") -> Path:
    book = openpyxl.Workbook()
    book.active.title = sheet
    if before:
        book.create_sheet(before, 0).append(["nothing", "of", "interest"])
    for row in rows:
        book[sheet].append(list(row))
    path = folder / "export.xlsx"
    book.save(path)
    return path


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("00123", "00123"),
        (123, "123"),
        (123.0, "123"),
        (1.5, "1.5"),
        (12345678901234, "12345678901234"),
        (True, "true"),
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 8, 30), "2026-01-31T08:30:00"),  # noqa: DTZ001 (Excel knows no zones)
        ("1e5", "1e5"),
    ],
)
def test_excels_values_become_the_text_a_person_would_read(tmp_path: Path, value: object, text: str) -> None:
    garments, rejections = read(workbook(tmp_path, NAMES, [value, "t", "dress", TOP]))
    assert ([(one.sku, one.line) for one in garments], rejections) == ([(text, 2)], [])


def test_leading_noughts_that_excel_only_shows_are_read(tmp_path: Path) -> None:
    path = workbook(tmp_path, NAMES, [123, "t", "dress", TOP])
    book = openpyxl.load_workbook(path)
    book.active["A2"].number_format = "00000"
    book.save(path)
    assert read(path)[0][0].sku == "00123"


def test_blank_rows_of_a_sheet_are_no_rows_and_lines_are_excels(tmp_path: Path) -> None:
    path = workbook(tmp_path, [], NAMES, ["a", "t", "dress", TOP], [], ["b", "t", "dress", TOP], ["", None])
    garments, rejections = read(path)
    assert [(one.sku, one.line) for one in garments] == [("a", 3), ("b", 5)]
    assert [one.rule for one in rejections] == [Rule.MISSING_SKU] * len(rejections)


def test_the_sheet_can_be_named(tmp_path: Path) -> None:
    path = workbook(tmp_path, NAMES, ["a", "t", "dress", TOP], sheet="Products", before="Read me")
    assert "has no column" in refused(path)
    assert read(path, sheet="Products")[0][0].sku == "a"
    assert "has no sheet 'Product', only 'Read me', 'Products'" in refused(path, sheet="Product")


@pytest.mark.parametrize("content", [b"PK\x03\x04....", b"PK\x03\x04" + b"\0" * 200])
def test_a_zip_file_that_is_no_workbook_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "export.xlsx"
    path.write_bytes(content)
    assert "cannot be read as an Excel workbook" in refused(path)


def with_sheet(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """Write a workbook anew, with another text of its sheet."""
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, change(part) if name.endswith("sheet1.xml") else part)
    path.write_bytes(content.getvalue())
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda sheet: sheet[: len(sheet) * 3 // 4],
        lambda sheet: sheet.replace(b"<v>30</v>", b"<v>thirty</v>"),
    ],
    ids=["cut", "no number"],
)
def test_a_sheet_that_is_damaged_is_told_before_any_row_is_given(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    path = workbook(tmp_path, NAMES, *([number, "t", "dress", TOP] for number in range(40)))
    chunks = read_export(with_sheet(path, change), ExportSettings(**PLAIN, chunk_rows=5))
    with pytest.raises(
        ExportError, match=r"is damaged after row \d+ of its sheet 'Sheet' .* export it again"
    ):
        next(chunks)


def test_a_workbook_whose_bytes_are_rotten_is_told(tmp_path: Path) -> None:
    path = workbook(tmp_path, NAMES, *([f"s{number}", "t", "dress", TOP] for number in range(500)))
    content = bytearray(path.read_bytes())
    at = content.find(b"xl/worksheets/sheet1.xml") + 2000
    content[at : at + 40] = bytes(byte ^ 0xFF for byte in content[at : at + 40])
    path.write_bytes(content)
    assert "is damaged after row" in refused(path)


def test_an_empty_sheet_is_told(tmp_path: Path) -> None:
    assert "has nothing in its sheet 'Sheet'" in refused(workbook(tmp_path))
