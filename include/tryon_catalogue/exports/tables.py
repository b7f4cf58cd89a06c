"""A table of text: some rows of a file, whatever it is written in.

Every value arrives as the text a person would read in the file: `00123`, `NA`, `1e5` and `true` stay as they
are. What cannot be split into fields is told apart, row by row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from tryon_catalogue.exports.text import BrokenRow


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows of a file.

    Args:
        lines: where each row of ``frame`` starts: the line in text, the row in Excel, counted from 1 with the
            header; in Parquet the row's number, from 1.
        frame: text only, without surrounding blanks, one column for each that is read, called as in the file;
            "" where there is no value.
        broken: the rows that are not in ``frame``.
    """

    lines: Sequence[int]
    frame: pd.DataFrame
    broken: Sequence[BrokenRow] = field(default=())


def text_frame(columns: Mapping[str, Sequence[str]], rows: int) -> pd.DataFrame:
    """Make a table's frame of the values of its columns."""
    # object, not inferred: pandas must never have a chance to take text for something else.
    frame = pd.DataFrame(columns, index=range(rows), dtype=object)
    return frame.apply(lambda column: column.str.strip()) if rows else frame
