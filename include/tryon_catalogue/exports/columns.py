"""Which columns of a file are read, and what is said when one of them is missing."""

import difflib
import logging
from collections.abc import Iterator, Sequence
from typing import Final

import pandas as pd
import pandera.pandas as pandera
from pandera.errors import SchemaErrors

from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.settings import ExportSettings
from tryon_catalogue.settings.shops import SHOPS

log = logging.getLogger(__name__)

REQUIRED: Final = ("sku", "category", "tops_image")
"""The fields an export cannot do without, in the words of `ExportColumns`."""

_SHOWN_COLUMNS: Final = 15
_SHOWN_NAME: Final = 30


def columns_to_read(file: ExportFile, header: Sequence[str], settings: ExportSettings) -> tuple[str, ...]:
    """Check the header of a file, and give the columns that the settings name and the file has.

    Raises:
        ExportError: A column is missing that the export cannot do without, or stands there twice.
    """
    needed = dict(_needed(settings))
    optional = {name: use for name, use in _optional(settings) if name not in needed}
    if missing := _missing(header, tuple(needed)):
        named = ", ".join(f"{name!r} ({needed[name]}{_nearest(name, header)})" for name in missing)
        raise ExportError(
            file, f"has no column {named}; there are {_list(header)}. {_hint(header, settings)}"
        )
    there = tuple(name for name in dict.fromkeys(header) if name in needed or name in optional)
    if twice := [repr(name) for name in there if header.count(name) > 1]:
        raise ExportError(file, f"has more than one column {', '.join(twice)}; each name is expected once")
    for name, use in optional.items():
        if name not in there:
            log.warning("the export %s has no column %r; no row has its %s", file, name, use)
    return there


def named_columns(settings: ExportSettings) -> tuple[str, ...]:
    """Give every column that the settings name, whether a file has it or not."""
    return tuple(dict(_needed(settings)) | dict(_optional(settings)))


def _needed(settings: ExportSettings) -> Iterator[tuple[str, str]]:
    for field in REQUIRED:
        yield getattr(settings.columns, field), f"{field} in [export.columns]"
    if settings.group is not None:
        yield settings.group, "group in [export]"
    for rule in settings.filters:
        yield rule.column, "[[export.filters]]"


def _optional(settings: ExportSettings) -> Iterator[tuple[str, str]]:
    for field, name in settings.columns:
        if name is not None:
            yield name, field
    for name, use in ((settings.images.position, "position"), (settings.images.more, "further pictures")):
        if name is not None:
            yield name, use
    for rule in settings.values:
        if rule.column is not None:
            yield rule.column, rule.field


def _missing(header: Sequence[str], needed: Sequence[str]) -> list[str]:
    """Give the columns that the schema asks for and the header has not."""
    schema = pandera.DataFrameSchema({name: pandera.Column(required=True) for name in needed})
    try:
        schema.validate(pd.DataFrame(columns=list(dict.fromkeys(header))), lazy=True)
    except SchemaErrors as wrong:
        found = set(wrong.failure_cases["failure_case"])
        return [name for name in needed if name in found]
    return []


def _nearest(name: str, header: Sequence[str]) -> str:
    folded = {column.casefold(): column for column in header}
    found = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"; the nearest there is {_short(folded[found[0]])}" if found else ""


def _list(header: Sequence[str]) -> str:
    more = len(header) - _SHOWN_COLUMNS
    return ", ".join(map(_short, header[:_SHOWN_COLUMNS])) + (f" and {more} more" if more > 0 else "")


def _short(name: str) -> str:
    """A column's name for a log: what stands there may be no name, and the file no table."""
    return repr(name if len(name) <= _SHOWN_NAME else f"{name[: _SHOWN_NAME - 1]}…")


def _hint(header: Sequence[str], settings: ExportSettings) -> str:
    shop = next(
        (shop for shop, preset in SHOPS.items() if set(preset["columns"].values()) <= set(header)), None
    )
    if shop is not None and shop != settings.shop:
        return f'Its columns are those of [export] shop = "{shop}"'
    hint = "Correct [export.columns], or the export"
    if len(header) == 1:
        hint += "; with a single column, [export] delimiter may be wrong too"
    return hint
