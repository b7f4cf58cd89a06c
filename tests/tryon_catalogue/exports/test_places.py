"""Where exports are: one file or many, with or without a sign that they are complete."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from tests.tryon_catalogue.exports.helpers import HEADER, PLAIN, TOP, outcomes, read, refused
from tryon_catalogue.exports import ExportError, ExportMissingError, Rule, read_export
from tryon_catalogue.exports.places import export_files
from tryon_catalogue.settings import ExportSettings


def part(folder: Path, name: str, *skus: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *(f"{sku},t,dress,{TOP}" for sku in skus)]) + "\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two parts of one export, and what programs leave beside them."""
    part(tmp_path, "part-2.csv", "c", "a")
    part(tmp_path, "part-1.csv", "a", "")
    part(tmp_path, "_started.csv", "x")
    part(tmp_path, ".hidden.csv", "x")
    part(tmp_path, "notes.txt", "x")
    return tmp_path


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_every_file_that_fits_is_read_in_the_order_of_names(folder: Path, prefix: str) -> None:
    garments, rejections = read(f"{prefix}{folder}/*.csv")
    assert [one.sku for one in garments] == ["a", "c"]
    assert [one.rule for one in rejections] == [Rule.MISSING_SKU, Rule.DUPLICATE_SKU]


def test_rejections_name_the_file_and_the_line_in_it(folder: Path) -> None:
    _, (missing, twice) = read(f"{folder}/*.csv")
    assert missing.reason.startswith("part-1.csv, line 3: The row has no sku")
    assert twice.reason.startswith("part-2.csv, line 3: The sku stands in part-1.csv, line 2 already")


def test_lines_are_counted_on_so_that_one_number_names_one_row(folder: Path) -> None:
    garments, rejections = read(f"{folder}/*.csv")
    assert [one.line for one in garments] == [2, 5]
    assert [one.line for one in rejections] == [3, 6]


def test_a_single_file_is_not_named_beside_each_line(folder: Path) -> None:
    garments, rejections = read(folder / "part-1.csv")
    assert garments[0].where == ""
    assert rejections[0].reason.startswith("The row has no sku")


def test_files_in_folders_are_found_and_named_by_their_path(tmp_path: Path) -> None:
    part(tmp_path, "shoes/1.csv", "a")
    part(tmp_path, "dresses/1.csv", "b")
    garments, _ = read(f"{tmp_path}/*/[0-9].csv")
    assert [(one.sku, one.where) for one in garments] == [
        ("b", "dresses/1.csv, line 2"),
        ("a", "shoes/1.csv, line 2"),
    ]


def test_a_file_may_have_a_sign_of_patterns_in_its_name(tmp_path: Path) -> None:
    path = part(tmp_path, "export [final]*.csv", "a")
    assert [one.sku for one in read(path)[0]] == ["a"]


def test_a_chunk_is_of_one_file(folder: Path) -> None:
    chunks = list(read_export(f"{folder}/*.csv", ExportSettings(**PLAIN)))
    assert [chunk.rows for chunk in chunks] == [2, 2]


def test_files_of_an_export_may_be_written_in_different_ways(tmp_path: Path) -> None:
    part(tmp_path, "1.csv", "a")
    (tmp_path / "2.csv").write_text(f"title;image_url;sku;category\nt;{TOP};b;dress\n")
    assert [one.sku for one in read(f"{tmp_path}/*.csv")[0]] == ["a", "b"]


def test_no_file_that_fits_is_a_missing_export(tmp_path: Path) -> None:
    with pytest.raises(ExportMissingError, match="fits no file"):
        read(f"{tmp_path}/nowhere/*.csv")


@pytest.mark.parametrize("what", ["*.csv", "part-1.csv"])
@pytest.mark.parametrize("prefix", ["", "file://"])
def test_an_export_without_its_marker_is_not_there_yet(folder: Path, what: str, prefix: str) -> None:
    with pytest.raises(ExportMissingError, match="is not complete yet: there is no _SUCCESS"):
        read(f"{prefix}{folder}/{what}", marker="_SUCCESS")
    (folder / "_SUCCESS").touch()
    assert read(f"{prefix}{folder}/{what}", marker="_SUCCESS")[0][0].sku == "a"


def test_the_connection_of_a_url_is_kept_for_each_file(folder: Path) -> None:
    files = export_files(f"file://{folder}/*.csv", "shop_exports", None)
    sources = [file.source for file in files]
    assert all(isinstance(one, ObjectStoragePath) and one.conn_id == "shop_exports" for one in sources)
    assert [file.name for file in files] == ["part-1.csv", "part-2.csv"]


def test_an_empty_file_among_others_is_told(folder: Path) -> None:
    (folder / "part-3.csv").touch()
    assert "part-3.csv is empty (0 bytes)" in refused(f"{folder}/*.csv")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"sku,category\nx,dress\n", "has no column 'image_url'"),
        (b"sku,title,category,image_url\nx,\xff\xff,dress,t\n", "cannot be decoded"),
        (b'{"sku": "x", "category": "dress"}\n', "has no column 'image_url'"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
        (b"PK\x03\x04....", "cannot be read as an Excel workbook"),
    ],
)
def test_what_is_wrong_with_the_last_file_is_told_before_a_row_of_the_first_is_given(
    folder: Path, content: bytes, told: str
) -> None:
    (folder / "part-3.csv").write_bytes(content)
    chunks = read_export(f"{folder}/*.csv", ExportSettings(**PLAIN))
    with pytest.raises(ExportError, match=re.escape(told)) as caught:
        next(chunks)
    assert "part-3.csv" in str(caught.value)


def test_a_file_whose_name_is_no_text_is_named_as_well_as_can_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    part(tmp_path, "caf\udce9.csv", "")
    with caplog.at_level("INFO"):
        _, (rejection,) = read(f"{tmp_path}/*.csv")
    assert "caf?.csv is read as utf-8" in caplog.text
    assert rejection.reason.startswith("caf�.csv, line 2: ")


def test_a_path_object_may_be_a_pattern_too(folder: Path) -> None:
    chunks = read_export(folder / "*.csv", ExportSettings(**PLAIN))
    assert len(outcomes(chunks)[0]) == 2


def test_one_file_may_be_given_as_a_path_a_url_or_an_object(folder: Path) -> None:
    file = folder / "part-2.csv"
    settings = ExportSettings(**PLAIN)
    by_object = outcomes(read_export(ObjectStoragePath(f"file://{file}"), settings))
    assert by_object == outcomes(read_export(file, settings)) == read(f"file://{file}") == read(file)
    assert [one.sku for one in by_object[0]] == ["c", "a"]


def test_a_missing_object_is_a_missing_export(tmp_path: Path) -> None:
    with pytest.raises(ExportMissingError, match="is not there"):
        read(f"file://{tmp_path}/none.csv")
