"""Small files that are enormous in memory are refused in words, within the memory that a worker has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tryon_catalogue.exports import bombs
from tests.tryon_catalogue.exports.helpers import HEADER, TOP, read, refused

MOST_MB = 700
"""Python, pandas and Arrow alone are 140 of it."""


@pytest.mark.parametrize(
    ("name", "share", "words"),
    [
        ("csv_cell", 100, "longest_line"),
        ("csv_fields", 100, "longest_line"),
        ("csv_lines", 100, "longest_line"),
        ("csv_rows", 20, "unpacked_mb"),
        ("json_line", 100, "longest_line"),
        ("json_deep", 10, "has no column"),
        ("excel_cell", 100, "longest_line"),
        ("excel_hidden_rows", 100, "CDATA"),
        ("excel_texts", 6, "held_mb"),
        ("excel_entities", 1, "document type"),
        ("parquet_value", 40, "unpacked_mb"),
        ("parquet_list", 40, "unpacked_mb"),
    ],
)
def test_a_bomb_is_refused_with_its_bound(tmp_path: Path, name: str, share: int, words: str) -> None:
    file = tmp_path / name
    bombs.BOMBS[name](file, share)
    done = subprocess.run(
        [sys.executable, bombs.__file__, name, str(file), str(share)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["kind"] in {"ExportTooLargeError", "ExportError"}, found
    assert words in found["words"]
    assert found["rows"] == 0
    assert found["peak_mb"] < MOST_MB
    assert len(found["words"]) < 400


def test_the_bounds_are_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text(f"{HEADER}\na,{'x' * 3000},dress,{TOP}\nb,t,dress,{TOP}\n")
    assert [one.sku for one in read(file)[0]] == ["a", "b"]
    assert "[export] longest_line" in refused(file, longest_line=2000)
    garments, (rejected,) = read(file, longest_cell=2000)
    assert [one.sku for one in garments] == ["b"]
    assert "2,000 characters ([export] longest_cell)" in rejected.reason


def test_long_rows_come_in_smaller_chunks_and_all_of_them_come(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    with file.open("w") as export:
        export.write(f"{HEADER}\n")
        export.writelines(f"{number},{'x' * 1_000_000},dress,{TOP}\n" for number in range(20))
    assert [one.sku for one in read(file)[0]] == [str(number) for number in range(20)]
