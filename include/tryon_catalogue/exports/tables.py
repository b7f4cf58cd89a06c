"""A table of text: some rows of a file, whatever it is written in.

Every value arrives as the text a person would read in the file: `00123`, `NA`, `1e5` and `true` stay as they
are. What cannot be split into fields is a `BrokenRow` of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import pandas as pd

from tryon_catalogue.exports.text import BrokenRow

MOST_TEXT: Final = 8 << 20
"""Characters of a table after which it takes no further row."""

_Row = TypeVar("_Row")


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


def text_frame(columns: Mapping[str, Sequence[str]], rows: int) -> pd.DataFrame:
    """Make a table's frame of the values of its columns."""
    # object, not inferred: pandas must never have a chance to take text for something else.
    frame = pd.DataFrame(columns, index=range(rows), dtype=object)
    return frame.apply(lambda column: column.str.strip()) if rows else frame
