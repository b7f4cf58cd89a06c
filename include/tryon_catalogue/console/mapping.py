"""``tryon mapping``: a first `[export]` section for an unknown file, shown with its reasons, and written on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import tomlkit
from rich.markup import escape
from rich.table import Table

from tryon_catalogue.exports import printable
from tryon_catalogue.planning.casting import rule_for
from tryon_catalogue.settings import SettingsError, load_settings
from tryon_catalogue.terminal import terminal
from tryon_catalogue.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rich.console import Console

    from tryon_catalogue.exports.suggestion import Suggestion
    from tryon_catalogue.settings import Settings

CATEGORIES: Final = 30
"""Categories shown, those with most rows first."""
_REPLACED: Final = ("shop", "header_row", "group", "group_starts", "columns", "images", "values", "filters")
"""Keys of [export] that say what columns mean: what stood there before was for another file."""


def show_mapping(found: Suggestion, settings: Settings, console: Console | None = None) -> None:
    """Print a suggestion: which shop, which column is what and why, the categories, what is left, the section."""
    console = console or terminal()
    looked = counted(found.rows, "row")
    shop = "no program that is known" if found.shop == "other" else f"[bold]{escape(found.shop)}[/]"
    console.print(f"It looks like an export of {shop}; {looked} were looked at. Nothing is spent.")
    for note in found.notes:
        console.print(f"{escape(note)}.")
    table = Table(title="Which column is what", title_justify="left", header_style="bold")
    for name in ("here", "column of the export", "why", "such as"):
        table.add_column(name, overflow="fold")
    for choice in found.choices:
        table.add_row(
            choice.part,
            escape(printable(choice.column)),
            escape(choice.why),
            escape(printable(choice.example)),
        )
    console.print(table)
    _show_categories(console, found, settings)
    for point in _open_points(found, settings):
        console.print(f"[bold yellow]To decide:[/] {escape(point)}")
    console.print("\n[bold]The section:[/]")
    console.print(escape(as_toml(found.section)))


def _show_categories(console: Console, found: Suggestion, settings: Settings) -> None:
    if not found.categories:
        return
    table = Table(title="The categories found", title_justify="left", header_style="bold")
    for name in ("the shop's word", "becomes", "rows", "rule that takes it"):
        table.add_column(name, overflow="fold")
    for (own, word), count in found.categories.most_common(CATEGORIES):
        rule = rule_for(word, settings.rules)
        taken = "[red]none[/]" if rule is None else f"{rule.fit_type}, pants {rule.pants}"
        table.add_row(
            escape(printable(own)) or "(none)", escape(printable(word)) or "(none)", f"{count:,}", taken
        )
    console.print(table)
    if (more := len(found.categories) - CATEGORIES) > 0:
        console.print(f"and {more:,} more categories.")


def _open_points(found: Suggestion, settings: Settings) -> list[str]:
    points = list(found.open_points)
    free = [word for (_, word) in found.categories if rule_for(word, settings.rules) is None]
    if free:
        first = ", ".join(dict.fromkeys(printable(word) or "(none)" for word in free[:5]))
        points.append(
            f"No rule takes these categories: {first}. Their rows are rejected. Where they are clothes, add an "
            "[[export.values]] or a [[rules]] entry."
        )
    key = f"{settings.catalogue.table}.{settings.catalogue.key}"
    points.append(
        f"The key {key} of the catalogue's table must hold the sku: `tryon preview` counts those without a row."
    )
    return points


def as_toml(section: Mapping[str, Any]) -> str:
    """Give the section as it is written into the settings."""
    document = tomlkit.document()
    document["export"] = _table(section)
    return tomlkit.dumps(document).strip()


def _table(values: Mapping[str, Any]) -> Any:
    table = tomlkit.table()
    for name, value in values.items():
        table[name] = _table(value) if hasattr(value, "items") else value
    return table


def write_mapping(file: Path, section: Mapping[str, Any]) -> None:
    """Put a section into the settings file. What says nothing of columns and pictures stays, with its comments.

    Raises:
        SettingsError: The file cannot be used with it; it stays as it was.
    """
    before = file.read_text(encoding="utf-8")
    document = tomlkit.parse(before)
    export: Any = document["export"]
    for name in _REPLACED:
        export.pop(name, None)
    for name, value in section.items():
        export[name] = _table(value) if hasattr(value, "items") else value
    file.write_text(tomlkit.dumps(document), encoding="utf-8")
    try:
        load_settings(file)
    except SettingsError:
        file.write_text(before, encoding="utf-8")
        raise
