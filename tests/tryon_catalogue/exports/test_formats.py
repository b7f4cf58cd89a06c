"""Files as shops write them: CSV in its many ways, Excel, JSON lines, Parquet's lists, and gzip around text."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tryon_catalogue.exports.helpers import HEADER, PLAIN, TOP, outcomes, read, refused
from tryon_catalogue.exports import Rule, read_export
from tryon_catalogue.settings import ExportSettings

# Files are written for each example; how long that takes is the machine's business.
brief = settings(max_examples=15, deadline=None)


def written(folder: Path, content: str | bytes, name: str = "export.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- CSV ---


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out(tmp_path: Path, delimiter: str) -> None:
    lines = [HEADER, f"00123,Red; long\t|,dress,{TOP}"]
    text = "\n".join(line.replace("Red; long\t|", "Red").replace(",", delimiter) for line in lines)
    garments, _ = read(written(tmp_path, text))
    assert (garments[0].sku, garments[0].title, garments[0].line) == ("00123", "Red", 2)


def test_the_delimiter_is_the_one_that_the_columns_are_found_with(tmp_path: Path) -> None:
    header = '"sku";"title, or name, or label";"category";"image_url"'
    garments, _ = read(written(tmp_path, f"{header}\na;b;dress;{TOP}\n"))
    assert garments[0].sku == "a"


def test_a_delimiter_that_is_set_is_not_found_out(tmp_path: Path) -> None:
    assert "delimiter may be wrong" in refused(written(tmp_path, "sku;category;image_url\n"), delimiter="|")


def test_excels_own_line_about_the_delimiter_is_no_header(tmp_path: Path) -> None:
    garments, _ = read(written(tmp_path, f"sep=^\r\n{HEADER}\r\na,b,dress,{TOP}\r\n".replace(",", "^")))
    assert [(one.sku, one.line) for one in garments] == [("a", 3)]


def test_single_quotation_marks_are_found_out(tmp_path: Path) -> None:
    text = f"'sku','title','category','image_url'\n'a','Red, long\n''dress''','dress','{TOP}'\n"
    garments, _ = read(written(tmp_path, text))
    assert garments[0].title == "Red, long\n'dress'"


def test_without_quotation_marks_a_field_may_begin_with_one(tmp_path: Path) -> None:
    text = f'{HEADER}\na,"Red" dress,dress,{TOP}\n'
    assert read(written(tmp_path, text), quote="")[0][0].title == '"Red" dress'
    assert [one.rule for one in read(written(tmp_path, text))[1]] == [Rule.BROKEN_ROW]


@pytest.mark.parametrize(
    ("title", "encoding"),
    [("Robe d'été légère", "cp1252"), ("Größe für Männer", "cp1252"), ("女裤，红色", "gb18030")],
)
def test_an_encoding_that_is_no_utf_8_is_told_by_the_look_of_it(
    tmp_path: Path, title: str, encoding: str
) -> None:
    path = written(tmp_path, f"{HEADER}\na,{title},dress,{TOP}\n".encode(encoding))
    assert read(path)[0][0].title == title


# --- gzip ---


@pytest.mark.parametrize("name", ["export.csv.gz", "export.csv"])
def test_a_packed_file_is_unpacked_whatever_its_name(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, gzip.compress(f"{HEADER}\na,b,dress,{TOP}\n".encode()), name)
    assert [(one.sku, one.line) for one in read(path)[0]] == [("a", 2)]


def test_a_packed_file_that_ends_too_soon_is_told_before_any_row_is_given(tmp_path: Path) -> None:
    rows = "".join(f"s{number},t,dress,{TOP}?{number}\n" for number in range(20_000))
    packed = gzip.compress(f"{HEADER}\n{rows}".encode())
    chunks = read_export(written(tmp_path, packed[:-20]), ExportSettings(**PLAIN))
    with pytest.raises(Exception, match="is damaged, its gzip cannot be unpacked"):
        next(chunks)


# --- JSON lines ---


def json_lines(folder: Path, *records: object) -> Path:
    return written(folder, "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in records), "e.jsonl")


def test_json_lines_are_read_with_their_lines(tmp_path: Path) -> None:
    good: dict[str, object] = {"sku": "a", "category": "dress", "image_url": TOP, "title": "款"}
    path = json_lines(tmp_path, good, {**good, "sku": "b"})
    assert [(one.sku, one.title, one.line) for one in read(path)[0]] == [("a", "款", 1), ("b", "款", 2)]


def test_json_numbers_stay_the_text_they_are(tmp_path: Path) -> None:
    line = f'{{"sku": 12345678901234567890.10, "title": true, "category": "dress", "image_url": "{TOP}"}}\n'
    garments, _ = read(written(tmp_path, line))
    assert (garments[0].sku, garments[0].title) == ("12345678901234567890.10", "true")


def test_json_within_json_is_named_with_a_dot_and_a_list_is_several_pictures(tmp_path: Path) -> None:
    record = {"sku": "a", "category": "dress", "images": {"urls": ["https://x.example/1,a.jpg", TOP]}}
    columns = {"tops_image": "images.urls", "title": "images"}
    first, _ = read(json_lines(tmp_path, record), columns=columns)
    assert first[0].tops_image == "https://x.example/1,a.jpg"
    second, _ = read(json_lines(tmp_path, record), columns=columns, images={"tops": 2})
    assert second[0].tops_image == TOP


def test_json_that_is_broken_or_no_object_costs_its_line_only(tmp_path: Path) -> None:
    good = json.dumps({"sku": "a", "category": "dress", "image_url": TOP})
    garments, rejections = read(written(tmp_path, f"{good}\n{{oops\n\n7\n"))
    assert [one.line for one in garments] == [1]
    assert [(one.line, one.rule) for one in rejections] == [(2, Rule.BROKEN_ROW), (4, Rule.BROKEN_ROW)]
    assert "one object on each line" in rejections[1].reason


def test_a_json_column_that_only_later_rows_have_is_read(tmp_path: Path) -> None:
    first: dict[str, object] = {"sku": "a", "category": "dress", "image_url": TOP}
    path = json_lines(tmp_path, first, {**first, "sku": "b", "title": "late"})
    assert [one.title for one in read(path, chunk_rows=1)[0]] == ["", "late"]


# --- Excel ---


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


NAMES = HEADER.split(",")


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
    assert "cannot be read as an Excel workbook" in refused(written(tmp_path, content))


def test_an_empty_sheet_is_told(tmp_path: Path) -> None:
    assert "has nothing in its sheet 'Sheet'" in refused(workbook(tmp_path))


# --- Parquet ---


def test_a_parquet_list_is_several_pictures(tmp_path: Path) -> None:
    table = pa.table({"sku": ["a"], "category": ["dress"], "image_url": [["https://x.example/1.jpg", TOP]]})
    pq.write_table(table, tmp_path / "e.parquet")
    assert read(tmp_path / "e.parquet", images={"tops": 2})[0][0].tops_image == TOP


# --- one catalogue, however it is written ---

words = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
    .map(str.strip)
    .filter(bool)
)
records = st.lists(st.tuples(words, words), max_size=8, unique_by=lambda one: one[0])


def as_csv(rows: list[list[str]], **how: Any) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, **how).writerows([NAMES, *rows])
    return stream.getvalue().encode()


def as_json(rows: list[list[str]]) -> bytes:
    return "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows).encode()


def as_parquet(rows: list[list[str]]) -> bytes:
    columns = {name: pa.array([row[at] for row in rows], pa.string()) for at, name in enumerate(NAMES)}
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def as_excel(rows: list[list[str]]) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in [NAMES, *rows]:
        sheet.append([_literal(sheet, value) for value in row])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _literal(sheet: Any, value: str) -> Any:
    cell = openpyxl.cell.WriteOnlyCell(sheet, value)
    cell.data_type = "s"  # a text that begins with = is no formula
    return cell


@brief
@given(records, st.integers(1, 4))
def test_the_same_catalogue_gives_the_same_garments_in_every_format(
    found: list[tuple[str, str]], chunk_rows: int
) -> None:
    rows = [[sku, title, "dress", TOP] for sku, title in found]
    formats = {
        "quoted": as_csv(rows, quoting=csv.QUOTE_ALL),
        "semicolons": as_csv(rows, delimiter=";"),
        "tabs": as_csv(rows, delimiter="\t"),
        "packed": gzip.compress(as_csv(rows)),
        "parquet": as_parquet(rows),
    }
    if rows:
        formats["json"] = as_json(rows)
    expected = [(sku, title, "dress", TOP) for sku, title in found]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in formats.items():
            path = written(Path(folder), content, name)
            chunks = read_export(path, ExportSettings(**PLAIN, chunk_rows=chunk_rows))
            garments, rejections = outcomes(chunks)
            assert rejections == []
            assert [(one.sku, one.title, one.category, one.tops_image) for one in garments] == expected, name


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(words.filter(lambda one: one.isprintable()), words.filter(str.isprintable)),
        max_size=5,
        unique_by=lambda one: one[0],
    )
)
def test_text_survives_a_workbook(found: list[tuple[str, str]]) -> None:
    rows = [[sku, title, "dress", TOP] for sku, title in found]
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), as_excel(rows), "e.xlsx")
        garments, rejections = read(path, chunk_rows=2)
    assert rejections == []
    assert [(one.sku, one.title) for one in garments] == found
