"""`tryon mapping` in a terminal, and what it writes into the settings."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from tryon_catalogue.console.mapping import show_mapping, write_mapping
from tryon_catalogue.exports.suggestion import suggest
from tryon_catalogue.planning.preview import read_asked, run_over
from tryon_catalogue.settings import DEFAULT_FILE, SettingsError, load_settings

EXPORT = (
    "style;name;dept;for;photo\n"
    "A1;Linen dress;Dresses;women;https://shop.example/1.jpg\n"
    "A2;Bead ring;Rings;women;https://shop.example/2.jpg\n"
)


@pytest.fixture
def export(tmp_path: Path) -> str:
    path = tmp_path / "export.csv"
    path.write_text(EXPORT)
    return str(path)


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    """A copy of the settings that the project brings."""
    return Path(shutil.copy(DEFAULT_FILE, tmp_path / "tryon.toml"))


def test_from_an_unknown_file_to_a_preview_by_what_was_written(export: str, settings_file: Path) -> None:
    found = suggest(export, load_settings(settings_file).export)
    write_mapping(settings_file, found.section)
    settings = load_settings(settings_file)
    asked = read_asked(settings, run_over(export, settings))
    assert (asked.rows, asked.garments, asked.categories) == (2, 1, {"dress": 1, "Rings": 1})


def test_what_says_nothing_of_columns_stays_with_its_comments(export: str, settings_file: Path) -> None:
    before = settings_file.read_text()
    path = load_settings(settings_file).export.path
    write_mapping(settings_file, suggest(export, load_settings(settings_file).export).section)
    after = settings_file.read_text()
    assert before.partition("[roster]")[2] == after.partition("[roster]")[2]
    assert "# or the quotation mark" in after
    assert load_settings(settings_file).export.path == path


def test_a_section_that_cannot_be_used_leaves_the_settings_as_they_were(settings_file: Path) -> None:
    before = settings_file.read_text()
    with pytest.raises(SettingsError):
        write_mapping(settings_file, {"shop": "nobody"})
    assert settings_file.read_text() == before


def test_the_terminal_shows_the_columns_the_categories_and_what_is_left(
    export: str, settings_file: Path
) -> None:
    settings = load_settings(settings_file)
    console = Console(file=io.StringIO(), width=200, highlight=False)
    show_mapping(suggest(export, settings.export), settings, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO
    assert "no program that is known; 2 rows were looked at" in printed
    assert "100% of its cells are pictures" in printed
    assert "To decide: No rule takes these categories: Rings." in printed
    assert 'shop = "other"' in printed
    assert "[export.columns]" in printed
    assert 'tops_image = "photo"' in printed
