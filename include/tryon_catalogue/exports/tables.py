"""A table of text: some rows of a file, whatever it is written in.

Every value arrives as the text a person would read in the file: `00123`, `NA`, `1e5` and `true` stay as they
are. What cannot be split into fields is a `BrokenRow` of its own.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import pandas as pd

from tryon_catalogue.exports.text import BrokenRow
from tryon_catalogue.settings.aliases import BLANKS

MOST_TEXT: Final = 8 << 20
"""Characters of a table after which it takes no further row."""

_Row = TypeVar("_Row")
_GUARDS: Final = ("=", "'")
# ="00123" is a formula that says a text, and '00123 is how a text is typed into a cell.
_GUARDED: Final = re.compile(r"""="(.*)"|'([0-9]+)""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows of a file.

    Attributes:
        lines: Where each row of ``frame`` starts: the line in text, the row in Excel, counted from 1 with the
            header; in Parquet the row's number, from 1.
        frame: Text only, without surrounding blanks, one column for each that is read, called as in the file;
            "" where there is no value.
        broken: The rows that are not in ``frame``.
    """

    lines: Sequence[int]
    frame: pd.DataFrame
    broken: Sequence[BrokenRow] = field(default=())


def by_rows_and_text(
    rows: Iterable[_Row], most_rows: int, size_of: Callable[[_Row], int]
) -> Iterator[list[_Row]]:
    """Put rows together that are held at once: so many at most, and fewer where they are long.

    Args:
        size_of: Gives the characters of a row.
    """
    some: list[_Row] = []
    size = 0
    for row in rows:
        some.append(row)
        size += size_of(row)
        if len(some) == most_rows or size >= MOST_TEXT:
            yield some
            some, size = [], 0
    if some:
        yield some


class Tables:
    """The tables of a file that was looked into, which may be read more than once.

    Args:
        read: Gives the tables with these columns, by their names in the settings.
        columns: The columns that the settings name and the file has.
    """

    def __init__(self, read: Callable[[Sequence[str]], Iterator[Table]], columns: Sequence[str]) -> None:
        self._read = read
        self._columns = tuple(columns)

    def __iter__(self) -> Iterator[Table]:
        return self._read(self._columns)

    def only(self, column: str) -> Iterator[Table]:
        """Give the tables with one column alone."""
        return self._read((column,))


def text_frame(columns: Mapping[str, Sequence[str]], rows: int) -> pd.DataFrame:
    """Make a table's frame of the values of its columns."""
    # object, not inferred: pandas must never have a chance to take text for something else.
    return pd.DataFrame(
        {name: clean(values) for name, values in columns.items()}, index=range(rows), dtype=object
    )


def clean(values: Sequence[str]) -> list[str]:
    """Give values without the blanks around them, and without what spreadsheets put around text to keep it text."""
    together = "\0".join(values)
    if not together.isascii():
        values = [value.strip(BLANKS) for value in values]
    elif together.split(None, 1) != [together]:
        values = [value.strip() for value in values]
    if '="' not in together and "'" not in together:
        return list(values)
    return [_without_guard(value) if value[:1] in _GUARDS else value for value in values]


def _without_guard(value: str) -> str:
    guarded = _GUARDED.fullmatch(value)
    return (guarded[1] or guarded[2] or "").replace('""', '"').strip(BLANKS) if guarded else value
