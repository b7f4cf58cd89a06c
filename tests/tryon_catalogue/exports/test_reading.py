"""Reading exports: text stays text, every row has an outcome, and what cannot be read says why."""

from __future__ import annotations

import csv
import io
import itertools
import logging
import pickle
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from damo_tryon.contract import url_problem
from tryon_catalogue.exports import (
    Chunk,
    ExportError,
    ExportMissingError,
    Garment,
    Rejection,
    Rule,
    encodings,
    printable,
    read_export,
)
from tryon_catalogue.exports.image_cells import is_error
from tryon_catalogue.exports.rules import _PLAIN_URL
from tryon_catalogue.settings import ExportColumns, ExportSettings

TOP = "https://images.example.com/top.jpg"
COLUMNS = ExportColumns(
    sku="sku",
    category="category",
    tops_image="image_url",
    title="title",
    collection="collection",
    tag="gender",
    pants_image="pants_url",
    mask_image="mask_url",
    model_image="model_url",
)
SETTINGS = ExportSettings(path="unused", columns=COLUMNS)
FEW = ExportColumns(sku="sku", category="category", tops_image="image_url", title="title")

# Files are written for each example; how long that takes is the machine's business.
brief = settings(max_examples=60, deadline=None)
HEADER = "sku,title,collection,category,gender,image_url,pants_url,mask_url,model_url"


def with_settings(**changes: object) -> ExportSettings:
    return SETTINGS.model_copy(update=changes)


def row(sku: str = "A1", title: str = "Red dress", image: str = TOP, rest: str = ",,") -> str:
    return f"{sku},{title},SS26,dress,women,{image},{rest}"


def written(folder: Path, *rows: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    path = folder / "export.csv"
    path.write_bytes("".join(f"{line}\n" for line in (header, *rows)).encode(encoding))
    return path


def outcomes(chunks: Iterable[Chunk]) -> tuple[list[Garment], list[Rejection]]:
    garments: list[Garment] = []
    rejections: list[Rejection] = []
    for chunk in chunks:
        assert chunk.rows == len(chunk.garments) + len(chunk.rejections)
        garments += chunk.garments
        rejections += chunk.rejections
    return garments, rejections


def read(path: Path, settings: ExportSettings = SETTINGS) -> tuple[list[Garment], list[Rejection]]:
    return outcomes(read_export(path, settings))


def refused(path: Path, settings: ExportSettings = SETTINGS) -> str:
    with pytest.raises(ExportError) as caught:
        read(path, settings)
    assert str(path) in str(caught.value)
    return str(caught.value)


# --- what a row becomes ---


def test_a_row_becomes_a_garment_with_its_line(tmp_path: Path) -> None:
    model = "https://images.example.com/model.jpg"
    garments, rejections = read(written(tmp_path, row(rest=f",,{model}")))
    expected = Garment(2, "A1", "Red dress", "SS26", "dress", "women", TOP, None, None, model)
    assert (garments, rejections) == ([expected], [])


@pytest.mark.parametrize(
    "sku", ["00123", "NA", "NULL", "nan", "1e5", "true", "1_000", "2026-01-31", "1.10", "-", "款1"]
)
def test_text_stays_the_text_it_is(tmp_path: Path, sku: str) -> None:
    garments, _ = read(written(tmp_path, row(sku=sku, title=sku)))
    assert (garments[0].sku, garments[0].title) == (sku, sku)


def test_blanks_around_a_value_do_not_count(tmp_path: Path) -> None:
    garments, _ = read(written(tmp_path, row(sku=" A1 ", image=f"\t{TOP} ")))
    assert (garments[0].sku, garments[0].tops_image) == ("A1", TOP)


@pytest.mark.parametrize(
    ("bad", "rule", "column", "told"),
    [
        (row(sku=""), Rule.MISSING_SKU, "sku", "Give it one"),
        (row(sku="A" * 201), Rule.BAD_TEXT, "sku", "longer than 200"),
        (row(sku='"A\n1"'), Rule.BAD_TEXT, "sku", "line break"),
        (row(sku="A\x9b31m"), Rule.BAD_TEXT, "sku", "another control"),
        (row(sku="A\u202e1"), Rule.BAD_TEXT, "sku", "another control"),
        (row(title="a\0b"), Rule.BAD_TEXT, "title", "NUL"),
        (row().replace("SS26", "S" * 201), Rule.BAD_TEXT, "collection", "at most 200"),
        (row(sku="ok"), Rule.DUPLICATE_SKU, "sku", "line 2 already"),
        (row(image=""), Rule.MISSING_IMAGE, "image_url", "Give the URL"),
        (row(image="https://裙..example/裙.jpg"), Rule.BAD_URL, "image_url", "Chinese"),
        (row(image="ftp://images.example.com/a.jpg"), Rule.BAD_URL, "image_url", "http"),
        (row(image="images/a.jpg"), Rule.BAD_URL, "image_url", "http"),
        (row(image="https://images.example.com/a b.jpg"), Rule.BAD_URL, "image_url", "blanks"),
        (row(image="https://"), Rule.BAD_URL, "image_url", "host"),
        (row(image="https://me:hunter2@images.example.com/a.jpg"), Rule.BAD_URL, "image_url", "login"),
        (row(image=f"{TOP}?{'a' * 4096}"), Rule.BAD_URL, "image_url", "4096"),
        (row(rest="nowhere,,"), Rule.BAD_URL, "pants_url", "http"),
        (row(rest=",nowhere,"), Rule.BAD_URL, "mask_url", "http"),
        (row(rest=",,nowhere"), Rule.BAD_URL, "model_url", "http"),
        (row() + ",more", Rule.BROKEN_ROW, "", "10 fields, the header 9"),
        ("A1,too,short", Rule.BROKEN_ROW, "", "3 fields, the header 9"),
        (row(title='"Red "dress"'), Rule.BROKEN_ROW, "", "quotation marks"),
        (row(title='"Red dress'), Rule.BROKEN_ROW, "", "quotation marks"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_and_its_neighbours_go_on(
    tmp_path: Path, bad: str, rule: Rule, column: str, told: str
) -> None:
    garments, rejections = read(written(tmp_path, row(sku="ok"), bad, row(sku="last")))
    assert [garment.sku for garment in garments] == ["ok", "last"]
    (rejection,) = rejections
    assert (rejection.line, rejection.rule, rejection.column) == (3, rule, column)
    assert told in rejection.reason
    assert "hunter2" not in repr(rejection)
    assert len(rejection.value) <= 120


@pytest.mark.parametrize(
    ("cell", "number"), [("10", 10), ("2.5", 2.5), ("-1", -1), ("+.5", 0.5), ("1e3", 1000), ("", None)]
)
def test_a_priority_is_a_number_or_nothing(tmp_path: Path, cell: str, number: float | None) -> None:
    columns = FEW.model_copy(update={"priority": "collection"})
    (garment,), _ = read(written(tmp_path, f"A1,,{cell},dress,,{TOP},,,"), with_settings(columns=columns))
    assert garment.priority == number


@pytest.mark.parametrize("cell", ["high", "1_000", "nan", "inf", "1e999", "٣", "1 2", "0x10"])
def test_a_priority_that_is_no_number_is_told(tmp_path: Path, cell: str) -> None:
    columns = FEW.model_copy(update={"priority": "collection"})
    _, (rejection,) = read(written(tmp_path, f"A1,,{cell},dress,,{TOP},,,"), with_settings(columns=columns))
    assert (rejection.rule, rejection.column, rejection.value) == (Rule.BAD_PRIORITY, "collection", cell)
    assert "such as 10 or 2.5" in rejection.reason


def test_a_row_that_breaks_several_rules_is_one_rejection(tmp_path: Path) -> None:
    _, rejections = read(written(tmp_path, row(sku="", image="")))
    assert [rejection.rule for rejection in rejections] == [Rule.MISSING_SKU]


def test_a_rejected_sku_is_told_whole_because_the_catalogue_is_written_by_it(tmp_path: Path) -> None:
    sku = "S" * 200
    _, rejections = read(written(tmp_path, row(sku=sku, image="nowhere"), row(sku=sku)))
    assert [(one.rule, one.sku) for one in rejections] == [(Rule.BAD_URL, sku), (Rule.DUPLICATE_SKU, sku)]


def test_a_sku_is_a_duplicate_across_chunks(tmp_path: Path) -> None:
    path = written(tmp_path, *(row(sku=sku) for sku in "abcda"))
    _, rejections = read(path, with_settings(chunk_rows=2))
    assert [(one.line, one.rule, one.sku) for one in rejections] == [(6, Rule.DUPLICATE_SKU, "a")]


def test_lines_are_those_an_editor_shows(tmp_path: Path) -> None:
    rows = [row(sku="a", title='"two\nlines"'), "", row(sku="b"), "A1,short", row(sku="c")]
    garments, rejections = read(written(tmp_path, *rows))
    assert [garment.line for garment in garments] == [2, 5, 7]
    assert [rejection.line for rejection in rejections] == [6]


def test_rejections_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    _, rejections = read(written(tmp_path, row(sku=""), "short", row(image=""), "short"))
    assert [rejection.line for rejection in rejections] == [2, 3, 4, 5]


def test_a_long_value_is_shown_short_on_one_line_and_without_a_login() -> None:
    assert printable("a\nb") == "a�b"
    assert len(printable("a" * 500)) == 120
    assert printable("https://me:hunter2@example.com/a@b") == "https://***@example.com/a@b"


# --- encodings ---


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_the_encoding_is_found_out(tmp_path: Path, encoding: str) -> None:
    garments, _ = read(written(tmp_path, row(title="女裤，红色"), encoding=encoding))
    assert (garments[0].sku, garments[0].title) == ("A1", "女裤，红色")


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8-SIG", "gb18030", "gbk"])
def test_the_encoding_can_be_named(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, row(title="女裤"), encoding=encoding)
    garments, _ = read(path, with_settings(encoding=encoding))
    assert garments[0].title == "女裤"


def test_bytes_that_are_no_text_are_named_before_any_row_is_given(tmp_path: Path) -> None:
    path = written(tmp_path, *(row(sku=str(number)) for number in range(20_000)))
    whole = path.read_bytes()
    path.write_bytes(whole + b"\xff\xff\n")
    chunks = read_export(path, SETTINGS)
    with pytest.raises(ExportError, match=rf"not utf-8 at byte {len(whole)} \(line 20002: ff\).*\[export\]"):
        next(chunks)


@brief
@given(
    before=st.text(st.sampled_from("a\n女裤é😀"), max_size=40),
    block=st.integers(1, 9),
    encoding=st.sampled_from(["utf-8", "gb18030"]),
)
def test_the_place_of_a_bad_byte_is_exact_wherever_the_blocks_fall(
    before: str, block: int, encoding: str
) -> None:
    good = before.encode(encoding)
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(encodings, "_BLOCK", block):
        path = Path(folder, "export.csv")
        path.write_bytes(b"sku\n" + good + b"\xff\xff")
        text = refused(path, with_settings(encoding=encoding))
    assert f"at byte {4 + len(good)} (line {2 + before.count(chr(10))}:" in text


# --- files that are no export ---


def test_a_missing_export_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ExportMissingError, match="is not there"):
        read(tmp_path / "none.csv")


def test_an_export_with_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert read(written(tmp_path)) == ([], [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "0 bytes"),
        (b"\n\n", "only blank lines"),
        (b"PK\x03\x04....", "Excel"),
        (b"\x1f\x8b....", "gzip"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
        (b'"sku,category\n', "broken header"),
        (
            b"sku,title\n",
            "has no column 'category' (category in [export.columns]), 'image_url' (tops_image in [export.columns]); "
            "there are 'sku', 'title'. Correct [export.columns]",
        ),
        (b"sku^category^image_url\n", "delimiter"),
        (b"[{}]", "has no column 'sku'"),
        (b'[{"sku": "a"}, oops', "is no JSON from item 2 of its array on"),
        (b"<?xml version='1.0'?>", "XML"),
        (b"sku,sku,category,image_url\n", "more than one column 'sku'"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_says_why(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(content)
    assert told in refused(path)


def test_a_folder_is_no_export(tmp_path: Path) -> None:
    assert "cannot be opened" in refused(tmp_path)


def test_an_optional_column_that_is_not_there_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path, f"A1,dress,{TOP}", header="sku,category,image_url")
    with caplog.at_level(logging.WARNING):
        garments, _ = read(path)
    assert garments == [Garment(2, "A1", "", "", "dress", "", TOP)]
    assert [record.args[1] for record in caplog.records if isinstance(record.args, tuple)].count(
        "mask_url"
    ) == 1


def test_columns_are_found_wherever_they_stand(tmp_path: Path) -> None:
    columns = ExportColumns(sku="款号", category="类目", tops_image="图片")
    path = written(tmp_path, f"x,{TOP},裙,001", header="x, 图片 ,类目,款号", encoding="gb18030")
    garments, _ = read(path, with_settings(columns=columns))
    assert garments == [Garment(2, "001", "", "", "裙", "", TOP)]


def test_another_delimiter_can_be_set(tmp_path: Path) -> None:
    path = written(tmp_path, row().replace(",", ";"), header=HEADER.replace(",", ";"))
    garments, _ = read(path, with_settings(delimiter=";"))
    assert garments[0].sku == "A1"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(tmp_path: Path, end: str) -> None:
    path = tmp_path / "export.csv"
    path.write_bytes(end.join([HEADER, row(sku="a"), row(sku="b")]).encode())
    garments, _ = read(path)
    assert [(garment.line, garment.sku) for garment in garments] == [(2, "a"), (3, "b")]


def test_an_export_error_survives_the_way_between_two_processes() -> None:
    error = ExportMissingError(Path("a.csv"), "is not there")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy)) == (ExportMissingError, "the export a.csv is not there")


# --- properties ---

# One of Excel's errors is no text.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12).filter(
    lambda text: not is_error(text.strip())
)
skus = st.lists(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
    .map(str.strip)
    .filter(lambda text: text and not is_error(text)),
    max_size=12,
    unique=True,
)


@brief
@given(skus, st.data(), st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]), st.integers(1, 5))
def test_text_survives_a_csv_file(
    sku_list: list[str], data: st.DataObject, encoding: str, chunk_rows: int
) -> None:
    titles = [data.draw(texts) for _ in sku_list]
    stream = io.StringIO(newline="")
    writer = csv.writer(
        stream, lineterminator=data.draw(st.sampled_from(["\n", "\r\n"])), quoting=csv.QUOTE_ALL
    )
    writer.writerow(["title", "sku", "category", "image_url"])
    lines = []
    for sku, title in zip(sku_list, titles, strict=True):
        lines.append(1 + len(re.findall(r"\r\n|\r|\n", stream.getvalue())))
        writer.writerow([title, sku, "dress", TOP])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "export.csv")
        path.write_bytes(stream.getvalue().encode(encoding))
        garments, rejections = read(
            path, with_settings(encoding=encoding, chunk_rows=chunk_rows, columns=FEW)
        )
    assert rejections == []
    assert [(g.line, g.sku, g.title) for g in garments] == [
        (line, sku, title.strip()) for line, sku, title in zip(lines, sku_list, titles, strict=True)
    ]


fields = st.sampled_from(["", "a", "b", "dress", TOP, "ftp://x", '"', '""', '"a"', '"a', 'a"', '"a\nb"', " "])
messy_rows = st.lists(st.lists(fields, min_size=1, max_size=5).map(",".join), max_size=12)


@brief
@given(messy_rows, st.integers(1, 20))
def test_every_row_has_one_outcome_whatever_it_holds_and_however_it_is_cut(
    rows: list[str], chunk_rows: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), *rows, f"last,,dress,{TOP}", header="sku,title,category,image_url")
        garments, rejections = read(path, with_settings(chunk_rows=chunk_rows, columns=FEW))
        assert (garments, rejections) == read(path, with_settings(columns=FEW))
        physical = path.read_text().count("\n")
    lines = sorted(one.line for one in itertools.chain(garments, rejections))
    assert len(set(lines)) == len(lines)
    assert all(2 <= line <= physical for line in lines)
    # Whatever quotation marks were left open, a good last row is read.
    assert (garments[-1].sku, garments[-1].line) == ("last", physical)
    if not any('"' in one for one in rows):
        assert len(lines) == sum(bool(one) for one in rows) + 1


@given(st.from_regex(_PLAIN_URL, fullmatch=True))
def test_a_url_that_is_taken_without_a_closer_look_breaks_no_rule(url: str) -> None:
    assert url_problem(url) is None
    assert "@" not in urlsplit(url).netloc
