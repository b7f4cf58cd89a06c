"""Parquet files: every type of column arrives as the text a person would read."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tryon_catalogue.exports.helpers import PLAIN, TOP, read, refused
from tryon_catalogue.exports import ExportError, Rule, read_export
from tryon_catalogue.settings import ExportSettings


def parquet(folder: Path, **columns: pa.Array | Sequence[object]) -> Path:
    path = folder / "export.parquet"
    count = len(next(iter(columns.values())))
    whole = {"category": ["dress"] * count, "image_url": [TOP] * count, **columns}
    pq.write_table(pa.table(whole), path)
    return path


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array(["00123", "NA", "1e5"]), ["00123", "NA", "1e5"]),
        (pa.array([123, 2**62 + 1], pa.int64()), ["123", str(2**62 + 1)]),
        (pa.array([123.0, 12345678901234.0, 1.5]), ["123", "12345678901234", "1.5"]),
        (pa.array([Decimal("12.50")]), ["12.50"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array([b"00123", "款".encode()]), ["00123", "款"]),
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array([True, False]), ["true", "false"]),
    ],
)
def test_parquet_values_become_the_text_a_person_would_read(
    tmp_path: Path, values: pa.Array, texts: list[str]
) -> None:
    garments, rejections = read(parquet(tmp_path, sku=values))
    assert ([garment.sku for garment in garments], rejections) == (texts, [])
    assert [garment.line for garment in garments] == list(range(1, len(texts) + 1))


@pytest.mark.parametrize(
    "values",
    [pa.array(["a", None]), pa.array([1, None]), pa.array([1.0, None]), pa.array([1.0, float("nan")])],
)
def test_a_missing_parquet_value_is_missing(tmp_path: Path, values: pa.Array) -> None:
    garments, rejections = read(parquet(tmp_path, sku=values))
    assert (len(garments), [one.rule for one in rejections]) == (1, [Rule.MISSING_SKU])


@pytest.mark.parametrize("values", [pa.array([[1]]), pa.array([b"\xff\xfe"])])
def test_a_parquet_column_that_is_no_text_is_named_with_its_type(tmp_path: Path, values: pa.Array) -> None:
    assert f"'sku' of type {str(values.type).partition('<')[0]}" in refused(parquet(tmp_path, sku=values))


def undecodable(kind: pa.DataType) -> pa.Array:
    """Three values of text, the second of which is no UTF-8: Arrow writes it without a look at it."""
    places = struct.pack("<4q" if pa.types.is_large_string(kind) else "<4i", 0, 1, 2, 3)
    return pa.Array.from_buffers(kind, 3, [None, pa.py_buffer(places), pa.py_buffer(b"a\xe9c")])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()], ids=str)
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("name", ["sku", "title"])
def test_bytes_that_are_no_text_cost_their_row_only(
    tmp_path: Path, kind: pa.DataType, listed: bool, name: str
) -> None:
    values = undecodable(kind)
    if listed:
        values = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), values)
    garments, (rejection,) = read(parquet(tmp_path, **{"sku": ["s1", "s2", "s3"], name: values}))
    assert len(garments) == 2
    assert (rejection.line, rejection.rule, rejection.column) == (2, Rule.BAD_TEXT, name)
    assert rejection.sku == ("�" if name == "sku" else "s2")
    rejection.value.encode()


def test_a_parquet_column_that_turns_out_to_be_no_text_is_told_before_any_row_is_given(
    tmp_path: Path,
) -> None:
    path = parquet(tmp_path, sku=pa.array([b"a", b"b", b"\xff"]))
    chunks = read_export(path, ExportSettings(**PLAIN, chunk_rows=1))
    with pytest.raises(ExportError, match="'sku' of type binary"):
        next(chunks)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([{"x" * 5000 + "\x1b[2J": 1}]),
        pa.array([b"the code is 1234-5678 \xff"]),
        pa.array([1], pa.timestamp("s", "Mars/" + "x" * 5000)),
    ],
    ids=["a struct", "bytes", "a time of no known zone"],
)
def test_what_a_library_says_of_a_column_is_not_passed_on(tmp_path: Path, column: pa.Array) -> None:
    reason = refused(parquet(tmp_path, sku=["a"], title=column))
    assert "'title' of type" in reason
    assert len(reason) < 400
    assert reason.isprintable()
    assert "1234" not in reason


def test_a_parquet_column_whose_name_is_no_text_is_told_as_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = parquet(tmp_path, sku=["a"], colour=["red"])
    path.write_bytes(path.read_bytes().replace(b"colour", b"col\xff\xfer"))
    assert "cannot be read as Parquet" in refused(path)


def test_a_missing_parquet_column_is_named(tmp_path: Path) -> None:
    assert "has no column 'sku'" in refused(parquet(tmp_path, style=["a"]))


def test_a_parquet_file_is_known_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    path = parquet(tmp_path, sku=["a"]).rename(tmp_path / "export.csv")
    assert [garment.sku for garment in read(path)[0]] == ["a"]
