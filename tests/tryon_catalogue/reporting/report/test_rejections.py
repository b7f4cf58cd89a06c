from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.tryon_catalogue.reporting.report.books import RUN, open_run, write_rejections
from tryon_catalogue.reporting.report.reading import NoSuchRunError
from tryon_catalogue.reporting.report.rejections import HEADINGS, write_rejections_csv
from tryon_catalogue.words import harmless


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_every_rejection_is_written_as_excel_reads_it(engine: Engine, tmp_path: Path) -> None:
    open_run(engine)
    write_rejections(
        engine,
        [
            {"line": 7, "sku": "衬衫-7", "column": "image_url", "value": 'a "b", c', "reason": "two\nlines"},
            {"line": 0, "column": "model Mei", "measured": "320 px", "limit": "400 px"},
        ],
    )
    file = tmp_path / "new" / "rejected.csv"

    assert write_rejections_csv(engine, RUN, file) == 2

    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    heading, roster, row = read(file)
    assert heading == list(HEADINGS)
    assert roster[:1] + roster[3:] == [
        "roster",
        "model Mei",
        "",
        "320 px",
        "400 px",
        "there is no image; add one",
    ]
    assert row == ["7", "衬衫-7", "missing", "image_url", 'a "b", c', "", "", "two\nlines"]
    assert list(file.parent.iterdir()) == [file]


def test_an_unknown_run_leaves_no_file(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(NoSuchRunError):
        write_rejections_csv(engine, RUN, tmp_path / "rejected.csv")
    assert list(tmp_path.glob("*.csv*")) + list(tmp_path.glob(".*.part")) == []


@pytest.mark.parametrize(
    "formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "\n", "'=1"]
)
def test_no_cell_begins_as_a_formula_does(formula: str) -> None:
    assert harmless(formula).startswith("'")


@given(st.text())
def test_a_cell_is_left_as_it_is_but_for_apostrophes(text: str) -> None:
    cell = harmless(text)
    assert cell.replace("'", "") == text.replace("'", "")
    assert not cell.lstrip().startswith(("=", "+", "-", "@"))
