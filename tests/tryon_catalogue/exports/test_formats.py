"""Files as shops write them: CSV in its many ways, JSON lines, Parquet's lists, and gzip around text."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
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
from tryon_catalogue.exports.formats import read_tables
from tryon_catalogue.exports.image_cells import is_error
from tryon_catalogue.exports.places import export_files
from tryon_catalogue.exports.text import LONGEST_BROKEN_ROW
from tryon_catalogue.settings import ExportColumns, ExportSettings

NAMES = HEADER.split(",")
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


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_out_whichever_way_lines_end(tmp_path: Path, delimiter: str) -> None:
    text = f"{HEADER}\ra,t,dress,{TOP}\rb,t,dress,{TOP}\r".replace(",", delimiter)
    assert [(one.sku, one.line) for one in read(written(tmp_path, text))[0]] == [("a", 2), ("b", 3)]


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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("title", ["dress", "裙", "Größe"])
def test_a_mark_says_which_encoding_a_csv_file_is_in(tmp_path: Path, encoding: str, title: str) -> None:
    # In quotation marks, which would not be ones after a mark that is taken for text.
    text = f'\ufeff"sku","title","category","image_url"\na,{title},dress,{TOP}\n'
    (garment,), rejections = read(written(tmp_path, text.encode(encoding)))
    assert (garment.sku, garment.title, rejections) == ("a", title, [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
def test_json_lines_may_begin_with_a_mark(tmp_path: Path, encoding: str) -> None:
    line = json.dumps({"sku": "a", "title": "裙", "category": "dress", "image_url": TOP}, ensure_ascii=False)
    (garment,), rejections = read(written(tmp_path, f"\ufeff{line}\n".encode(encoding)))
    assert (garment.title, rejections) == ("裙", [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
def test_what_is_no_table_is_told_behind_a_mark_too(tmp_path: Path, encoding: str) -> None:
    assert "is XML or a web page" in refused(written(tmp_path, "\ufeff<html>".encode(encoding)))


@pytest.mark.parametrize(
    "content",
    [
        f'{HEADER}\na,"{"x" * 10_000}"t,dress,{TOP}\n',
        f"{HEADER}\na,t,dress,{TOP},{'x' * 10_000}\n",
        f'{{"sku": "a"}}\n{{"sku": "{"x" * 10_000}\n',
        f'{{"sku": "a"}}\n["{"x" * 10_000}"]\n',
    ],
    ids=["quotes", "fields", "JSON", "list"],
)
def test_of_a_broken_row_the_beginning_is_held(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content)
    settings = ExportSettings(path="-", columns=ExportColumns(category="sku", tops_image="sku"))
    (file,) = export_files(path, None, None)
    (broken,) = [row for table in read_tables(file, settings) for row in table.broken]
    assert (broken.line, len(broken.text)) == (2, LONGEST_BROKEN_ROW)


def test_a_long_description_of_many_lines_is_one_field(tmp_path: Path) -> None:
    title = '"' + "<p>one &amp; two</p>\n" * 10_000 + '"'
    garments, rejections = read(written(tmp_path, f"{HEADER}\na,{title},dress,{TOP}\nb,t,dress,{TOP}\n"))
    assert ([(one.sku, one.line) for one in garments], rejections) == ([("a", 2), ("b", 10_003)], [])


def test_a_field_that_is_too_long_is_told_in_words_and_costs_its_line(tmp_path: Path) -> None:
    rows = f"a,{'x' * (ExportSettings(**PLAIN).longest_cell + 1)},dress,{TOP}\nb,t,dress,{TOP}\n"
    garments, (rejection,) = read(written(tmp_path, f"{HEADER}\n{rows}"))
    assert ([one.sku for one in garments], rejection.line, rejection.rule) == (["b"], 2, Rule.BROKEN_ROW)
    assert "A field is longer than 1,048,576 characters" in rejection.reason
    assert len(rejection.value) <= 120


def test_a_quotation_mark_that_is_never_closed_costs_its_line_however_much_follows(tmp_path: Path) -> None:
    rows = "".join(f"s{number},{'x' * 100},dress,{TOP}\n" for number in range(10_000))
    garments, (rejection,) = read(written(tmp_path, f'{HEADER}\na,"open,dress,{TOP}\n{rows}'))
    assert (len(garments), rejection.line) == (10_000, 2)
    assert "never closed" in rejection.reason


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


@pytest.mark.parametrize("deep", ["[", '{"x":'])
@pytest.mark.parametrize("depth", [101, 500, 200_000])
def test_json_that_is_nested_too_deep_costs_its_line_only(tmp_path: Path, deep: str, depth: int) -> None:
    good = {"sku": "a", "category": "dress", "image_url": TOP, "title": "t"}
    close = "]" if deep == "[" else "}"
    nested = json.dumps({**good, "title": "?"}).replace('"?"', f"{deep * depth}0{close * depth}")
    garments, (rejection,) = read(written(tmp_path, f"{nested}\n{json.dumps({**good, 'sku': 'b'})}\n"))
    assert [one.sku for one in garments] == ["b"]
    assert (rejection.line, rejection.rule) == (1, Rule.BROKEN_ROW)
    assert "100 deep" in rejection.reason


@pytest.mark.parametrize("name", ["sku", "title", "category", "image_url"])
def test_half_a_character_costs_its_row_and_is_carried_nowhere(tmp_path: Path, name: str) -> None:
    good = {"sku": "a", "category": "dress", "image_url": TOP, "title": "t"}
    cut = json.dumps({**good, name: good[name] + "\ud83d"})
    garments, (rejection,) = read(written(tmp_path, f"{cut}\n{json.dumps({**good, 'sku': 'b'})}\n"))
    assert [one.sku for one in garments] == ["b"]
    assert (rejection.line, rejection.rule, rejection.column) == (1, Rule.BAD_TEXT, name)
    assert "half of a character" in rejection.reason
    for text in (rejection.sku, rejection.value, rejection.reason, rejection.collection):
        text.encode()


def test_a_json_column_that_only_later_rows_have_is_read(tmp_path: Path) -> None:
    first: dict[str, object] = {"sku": "a", "category": "dress", "image_url": TOP}
    path = json_lines(tmp_path, first, {**first, "sku": "b", "title": "late"})
    assert [one.title for one in read(path, chunk_rows=1)[0]] == ["", "late"]


# --- Parquet ---


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.string()),
        pa.list_(pa.large_string()),
        pa.large_list(pa.string()),
        pa.large_list(pa.large_string()),
        pa.list_(pa.string(), 2),
    ],
    ids=str,
)
def test_a_parquet_list_is_several_pictures(tmp_path: Path, kind: pa.DataType) -> None:
    urls = pa.array([["https://x.example/1.jpg", TOP]], kind)
    pq.write_table(pa.table({"sku": ["a"], "category": ["dress"], "image_url": urls}), tmp_path / "e.parquet")
    assert read(tmp_path / "e.parquet", images={"tops": 2})[0][0].tops_image == TOP


# --- one catalogue, however it is written ---

words = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
    .map(str.strip)
    .filter(lambda text: text and not is_error(text))  # one of Excel's errors is no text
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
