"""A mapping of one's own: which rows belong together, which are meant, and what their values become."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.tryon_catalogue.exports import helpers
from tests.tryon_catalogue.exports.helpers import TOP, outcomes, read, refused
from tryon_catalogue.exports import Rule, read_export, together
from tryon_catalogue.settings import ExportSettings

HEADER = "sku,title,category,image_url,status"


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "export.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def row(sku: str, title: str = "t", category: str = "dress", image: str = TOP, status: str = "live") -> str:
    return f"{sku},{title},{category},{image},{status}"


def test_the_first_rule_for_a_value_counts_and_others_stay(tmp_path: Path) -> None:
    values = [
        {"field": "category", "has": ["evening gown"], "becomes": "gala"},
        {"field": "category", "has": "gown", "becomes": "dress"},
    ]
    rows = [row("a", category="Evening Gown"), row("b", category="GOWN (long)"), row("c", category="hat")]
    garments, _ = read(written(tmp_path, *rows), values=values)
    assert [one.category for one in garments] == ["gala", "dress", "hat"]


def test_a_tag_may_be_found_in_another_column(tmp_path: Path) -> None:
    values = [{"field": "tag", "has": "ladies", "becomes": "women", "column": "title"}]
    garments, _ = read(written(tmp_path, row("a", "Gown for Ladies"), row("b", "Gown")), values=values)
    assert [one.tag for one in garments] == ["women", ""]


@pytest.mark.parametrize(
    ("status", "kept"), [("live", True), (" LIVE ", True), ("draft", False), ("", False)]
)
def test_a_filter_keeps_the_rows_with_its_values(tmp_path: Path, status: str, kept: bool) -> None:
    path = written(tmp_path, row("a", status=status))
    only = ExportSettings(**helpers.PLAIN, filters=[{"column": "status", "only": "live"}])
    (chunk,) = read_export(path, only)
    assert (len(chunk.garments), chunk.left_out) == ((1, {}) if kept else (0, {"status is not 'live'": 1}))
    besides = ExportSettings(**helpers.PLAIN, filters=[{"column": "status", "except": ["live"]}])
    (chunk,) = read_export(path, besides)
    assert (len(chunk.garments), chunk.left_out) == ((0, {"status is 'live'": 1}) if kept else (1, {}))


def test_a_row_that_is_left_out_breaks_no_rule(tmp_path: Path) -> None:
    path = written(tmp_path, row("", image="nowhere", status="draft"), row("a"), row("a", status="draft"))
    garments, rejections = read(path, filters=[{"column": "status", "except": "draft"}])
    assert ([one.sku for one in garments], rejections) == (["a"], [])


def test_a_filter_on_a_column_that_is_not_there_keeps_the_export_from_being_read(tmp_path: Path) -> None:
    told = refused(written(tmp_path, row("a")), filters=[{"column": "statuss", "only": "live"}])
    assert "has no column 'statuss' ([[export.filters]]; the nearest there is 'status')" in told


def test_a_garment_that_comes_back_later_in_the_file_is_put_together(tmp_path: Path) -> None:
    path = written(tmp_path, row("a", image=""), row("b"), row("a"), row("b", image=f"{TOP}?2"), row("a"))
    for chunk_rows in range(1, 6):
        garments, rejections = read(path, group="sku", chunk_rows=chunk_rows, images={"tops": -1})
        assert [(one.sku, one.line, one.tops_image) for one in garments] == [
            ("a", 2, TOP),
            ("b", 3, f"{TOP}?2"),
        ]
        assert rejections == []


def test_garments_that_lie_all_over_a_large_file_are_refused_with_the_name_of_one(tmp_path: Path) -> None:
    long = "t" * 30_000
    path = written(tmp_path, *(row(sku, title=long) for _ in range(2) for sku in map(str, range(20))))
    told = refused(path, group="sku", held_mb=1)
    assert re.search(r"rows of the sku '\d+' and of many others far from each other; sorted by sku", told)
    assert "raise [export] held_mb" in told
    assert len(read(path, group="sku", held_mb=2)[0]) == 20


def test_rows_without_a_garments_number_do_not_belong_together(tmp_path: Path) -> None:
    _, rejections = read(written(tmp_path, row(""), row("")), group="sku")
    assert [one.line for one in rejections] == [2, 3]


def test_a_broken_row_within_a_garment_costs_that_row_only(tmp_path: Path) -> None:
    path = written(tmp_path, row("a", image=""), "a,short", row("a"))
    garments, rejections = read(path, group="sku")
    assert [(one.sku, one.tops_image) for one in garments] == [("a", TOP)]
    assert [(one.line, one.rule) for one in rejections] == [(3, Rule.BROKEN_ROW)]


def test_a_column_that_all_rows_share_is_no_garments_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "MOST_ROWS_TOGETHER", 3)
    path = written(tmp_path, *(row(sku) for sku in "abcd"))
    assert "more than 3 rows with the category 'dress'" in refused(path, group="category")


def test_two_pictures_of_one_garment_may_be_its_top_and_its_trousers(tmp_path: Path) -> None:
    path = written(tmp_path, row("a", image="top.jpg / trousers.jpg"))
    images = {"separator": "/", "pants": 2, "base_url": "https://x.example/i"}
    (garment,), _ = read(path, images=images)
    assert garment.tops_image == "https://x.example/i/top.jpg"
    assert garment.pants_image == "https://x.example/i/trousers.jpg"


def test_a_picture_of_trousers_goes_where_trousers_go(tmp_path: Path) -> None:
    values = [{"field": "category", "has": "skirt", "becomes": "skirt", "slot": "pants"}]
    path = written(tmp_path, row("a", category="Skirts & skirt"), row("b"))
    garments, rejections = read(path, values=values)
    assert [one.sku for one in garments] == ["b"]
    assert (rejections[0].rule, "plain_top" in rejections[0].reason) == (Rule.MISSING_TOP, True)
    plain = "https://x.example/plain.jpg"
    (skirt, _), _ = read(path, values=values, plain_top=plain)
    assert (skirt.tops_image, skirt.pants_image) == (plain, TOP)


@pytest.mark.parametrize(
    "wrong",
    [
        {"delimiter": ",,"},
        {"quote": "`"},
        {"kind": "partial"},
        {"plain_top": "nowhere"},
        {"images": {"tops": 0}},
        {"filters": [{"column": "a"}]},
        {"filters": [{"column": "a", "only": ["b"], "except": ["c"]}]},
        {"values": [{"field": "sku", "has": "a", "becomes": "b"}]},
    ],
)
def test_settings_that_cannot_be_right_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExportSettings(path="-", **wrong)


# Few values, so that rows belong together, are left out and break rules all at once.
cells = st.tuples(
    st.sampled_from(["", "a", "b", "c"]),
    st.sampled_from(["", "dress", "skirt"]),
    st.sampled_from(["", TOP, "nowhere", f"{TOP}\n{TOP}?2"]),
    st.sampled_from(["live", "draft", ""]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(cells, max_size=10), st.integers(1, 12), st.booleans(), st.booleans())
def test_every_row_is_accounted_for_and_chunks_change_nothing(
    rows: list[tuple[str, ...]], chunk_rows: int, grouped: bool, filtered: bool
) -> None:
    given_settings: dict[str, Any] = {**helpers.PLAIN, "group": "sku" if grouped else None}
    given_settings["values"] = [{"field": "category", "has": "skirt", "becomes": "skirt", "slot": "pants"}]
    if filtered:
        given_settings["filters"] = [{"column": "status", "except": "draft"}]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["sku", "category", "image_url", "status"])
    writer.writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "e.csv")
        path.write_text(stream.getvalue(), newline="")
        small = list(read_export(path, ExportSettings(**given_settings, chunk_rows=chunk_rows)))
        large = list(read_export(path, ExportSettings(**given_settings)))
    assert sum(chunk.rows for chunk in small) == sum(chunk.rows for chunk in large) == len(rows)
    assert outcomes(small) == outcomes(large)
    garments, _ = outcomes(small)
    assert len({one.sku for one in garments}) == len(garments)
    assert all(one.sku and one.tops_image for one in garments)
