"""Which columns of a file are read, and what is said when one of them is missing."""

import difflib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.settings import ExportSettings
from tryon_catalogue.settings.aliases import BLANKS, other_names, plain_name, plain_names
from tryon_catalogue.settings.export import names_of
from tryon_catalogue.settings.shops import NOT_TOLD, SHOPS

log = logging.getLogger(__name__)

FILTERS: Final = "[[export.filters]]"
_SHOWN_COLUMNS: Final = 15
_SHOWN_NAME: Final = 30


@dataclass(frozen=True, slots=True)
class _Named:
    """A column that the settings name.

    Attributes:
        use: What it is for, in words.
        needed: Whether a file without it cannot be read.
        others: Whether further columns would do in its place; then none of them is missed while one is there.
    """

    use: str
    needed: bool = False
    others: tuple[str, ...] = ()


def columns_to_read(file: ExportFile, header: Sequence[str], settings: ExportSettings) -> dict[str, int]:
    """Check the header of a file, and find the columns that the settings name.

    A column is found by its name; else by the same one in another case, with other blanks or underscores; else by
    another name that the shop's program has for it. What is not found letter by letter is noted.

    Returns:
        Name in the settings -> its place in the header.

    Raises:
        ExportError: A column is missing that the export cannot do without, or stands there twice.
    """
    named = _named(settings)
    found = find_columns(header, settings)
    missing = [
        name for name, column in named.items() if column.needed and not {name, *column.others} & found.keys()
    ]
    if missing:
        listed = ", ".join(f"{name!r} ({named[name].use}{_nearest(name, header)})" for name in missing)
        raise ExportError(
            file, f"has no column {listed}; there are {_list(header)}. {_hint(header, settings)}"
        )
    if twice := [repr(name) for name in found if header.count(name) > 1]:
        raise ExportError(file, f"has more than one column {', '.join(twice)}; each name is expected once")
    for name, column in named.items():
        if column.use != FILTERS and not {name, *column.others} & found.keys():
            log.warning("the export %s has no column %r; no row has its %s", file, name, column.use)
    if absent := list(
        dict.fromkeys(repr(rule.column) for rule in settings.filters if rule.column not in found)
    ):
        file.note(f"It has no column {', '.join(absent)}: the filter on it leaves no row out")
    if other := [f"{_short(header[at])} for {name!r}" for name, at in found.items() if header[at] != name]:
        file.note(f"Columns are found by other names: {', '.join(other)}")
    return found


def find_columns(header: Sequence[str], settings: ExportSettings) -> dict[str, int]:
    """Find the columns that the settings name: name in the settings -> its place in the header."""
    answers: dict[str, int] = {}
    for at, column in enumerate(header):
        for answer in plain_names(column):
            answers.setdefault(answer, at)
    found = {}
    for name in _named(settings):
        if name in header:
            found[name] = header.index(name)
            continue
        others = other_names(settings.shop, name)
        # A key within what has the column's own name says what is meant: images.src, and not the whole of images.
        plain = (*(other for other in others if "." in other), plain_name(name), *others)
        places = [answers[answer] for answer in plain if answer in answers]
        if places:
            found[name] = places[0]
    return found


def named_columns(settings: ExportSettings) -> tuple[str, ...]:
    """Give every column that the settings name, whether a file has it or not, but those of filters alone."""
    filters = {rule.column for rule in settings.filters}
    return tuple(
        name for name, column in _named(settings).items() if name not in filters or column.use != FILTERS
    )


def _named(settings: ExportSettings) -> dict[str, _Named]:
    """Give the columns that the settings name, those that no file can do without first."""
    columns = settings.columns
    named = {columns.sku: _Named("sku in [export.columns]", needed=True)}

    def name_all(names: Sequence[str], use: str, *, needed: bool = False) -> None:
        for name in names:
            named.setdefault(name, _Named(use, needed, tuple(names)))

    name_all(names_of(columns.category), "category in [export.columns]", needed=True)
    name_all((columns.tops_image,), "tops_image in [export.columns]", needed=True)
    if settings.group is not None:
        name_all((settings.group,), "group in [export]", needed=True)
    for rule in settings.filters:
        name_all((rule.column,), FILTERS, needed=not rule.optional)
    for field, names in columns:
        name_all(names_of(names), field)
    images = settings.images
    for names, use in (
        (images.position, "position"),
        (images.more, "further pictures"),
        (images.variant, "variant's picture"),
    ):
        name_all(names_of(names), use)
    for value in settings.values:
        name_all(names_of(value.column), value.field)
    return named


def looks_like_the_header(row: Sequence[str], settings: ExportSettings) -> bool:
    """Tell whether a row has a column for each thing that no file can do without."""
    found = find_columns([name.strip(BLANKS) for name in row], settings).keys()
    columns = settings.columns
    return bool(
        columns.sku in found and columns.tops_image in found and found & set(names_of(columns.category))
    )


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
    shop = shop_of(header)
    if shop is not None and shop != settings.shop:
        return f'Its columns are those of [export] shop = "{shop}"'
    hint = "Correct [export.columns], or the export; `tryon mapping` writes them for a file"
    if len(header) == 1:
        hint += "; with a single column, [export] delimiter may be wrong too"
    return hint


def shop_of(header: Sequence[str]) -> str | None:
    """Give the shop's program whose columns a header has: those that its preset cannot do without, and most others."""
    found: dict[str, int] = {}
    for shop, preset in SHOPS.items():
        if shop in NOT_TOLD:
            continue
        settings = ExportSettings.model_validate({"path": "-", "shop": shop})
        if looks_like_the_header(header, settings):
            own = set(find_columns(header, settings))
            exact = own & set(header)
            found[shop] = 2 * len(exact) + len(own) + (2 if preset.get("group") in exact else 0)
    return max(found, key=lambda shop: found[shop]) if found else None
