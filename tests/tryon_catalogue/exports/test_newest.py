from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from tryon_catalogue.exports.newest import DAYS, newest_export
from tryon_catalogue.settings import ExportColumns, ExportSettings

TODAY = date(2026, 11, 22)


def dated(folder: Path, *ages: int, marker: str | None = None) -> ExportSettings:
    """Put exports into a folder that are so many days old."""
    for age in ages:
        (folder / f"{TODAY - timedelta(days=age)}.csv").write_text("sku\n")
    columns = ExportColumns(sku="sku", category="category", tops_image="image")
    return ExportSettings(path=str(folder / "{ds}.csv"), columns=columns, marker=marker)


def test_the_newest_export_is_today_s_where_there_is_one(tmp_path: Path) -> None:
    assert newest_export(dated(tmp_path, 0, 1), TODAY) == (f"{tmp_path}/2026-11-22.csv", TODAY)


def test_else_it_is_the_last_one_with_its_own_date(tmp_path: Path) -> None:
    assert newest_export(dated(tmp_path, 3, 5), TODAY) == (
        f"{tmp_path}/2026-11-19.csv",
        TODAY - timedelta(days=3),
    )


def test_without_any_it_is_today_s_which_is_then_said_to_be_missing(tmp_path: Path) -> None:
    assert newest_export(dated(tmp_path, DAYS), TODAY) == (f"{tmp_path}/2026-11-22.csv", TODAY)


def test_an_export_without_its_marker_is_not_there_yet(tmp_path: Path) -> None:
    settings = dated(tmp_path, 1, marker="_SUCCESS")
    assert newest_export(settings, TODAY)[1] == TODAY
    (tmp_path / "_SUCCESS").touch()
    assert newest_export(settings, TODAY)[1] == TODAY - timedelta(days=1)


def test_a_path_without_a_date_is_itself(tmp_path: Path) -> None:
    columns = ExportColumns(sku="sku", category="category", tops_image="image")
    settings = ExportSettings(path=f"{tmp_path}/catalogue.csv", columns=columns)
    assert newest_export(settings, TODAY) == (f"{tmp_path}/catalogue.csv", TODAY)
