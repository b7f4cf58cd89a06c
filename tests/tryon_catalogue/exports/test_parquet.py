"""Parquet files: every type of column arrives as the text a person would read."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tryon_catalogue.exports.helpers import TOP, read, refused
from tryon_catalogue.exports import Rule


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


def test_a_missing_parquet_column_is_named(tmp_path: Path) -> None:
    assert "has no column 'sku'" in refused(parquet(tmp_path, style=["a"]))


def test_a_parquet_file_is_known_by_its_content_not_by_its_name(tmp_path: Path) -> None:
    path = parquet(tmp_path, sku=["a"]).rename(tmp_path / "export.csv")
    assert [garment.sku for garment in read(path)[0]] == ["a"]
