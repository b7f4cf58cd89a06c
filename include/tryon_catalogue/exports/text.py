"""Text files: their lines, within bounds, without the mark of their encoding; and rows of theirs that are broken."""

import codecs
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from tryon_catalogue.exports.errors import ExportTooLargeError
from tryon_catalogue.exports.places import ExportFile

LONGEST_BROKEN_ROW: Final = 2_000
"""Characters that are kept of a broken row: more than is shown of it, and not the descriptions of a whole chunk."""

MARKS: Final[Mapping[bytes, str]] = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"\x84\x31\x95\x33": "gb18030",
}
"""How a file begins that says which encoding it is in: U+FEFF, written in it."""


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that could not be split into fields.

    Attributes:
        text: The row as it stands in the file; its beginning is kept.
        problem: What is wrong with it and what to do, in sentences.
    """

    line: int
    text: str
    problem: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.text[:LONGEST_BROKEN_ROW])


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the fields of a record are told apart.

    Attributes:
        delimiter: The character between two fields.
        quote: The quotation mark around a field; "" when there is none.
    """

    delimiter: str
    quote: str


HOW_TO_QUOTE: Final = (
    "Write one field for each column; a field that holds the delimiter, a line break or a quotation mark stands "
    'between quotation marks, and each " inside it is written twice.'
)


def too_long(file: ExportFile, number: int, longest: int) -> ExportTooLargeError:
    """Make the error of a line, counted from 1, that has more than so many characters."""
    return ExportTooLargeError(
        file, f"a row of more than {longest:,} characters on line {number}", "longest_line", f"{longest:,}"
    )


def lines_of(file: ExportFile, stream: IO[str], longest: int) -> Iterator[str]:
    """Give the lines of a text, none of which is ever held when it is too long.

    Args:
        longest: In characters.

    Raises:
        ExportTooLargeError: A line has more.
    """
    number = 0
    while line := stream.readline(longest + 1):
        number += 1
        if len(line) > longest:
            raise too_long(file, number, longest)
        yield line


@contextmanager
def text_of(file: ExportFile, encoding: str) -> Iterator[IO[str]]:
    """Open a file as text: its line ends as they are, without the mark of its encoding.

    Raises:
        ExportError: It is packed, and damaged.
    """
    # newline="" leaves line ends to the CSV reader, which knows the ones within quotation marks.
    with file.open() as raw, io.TextIOWrapper(raw, encoding, errors="strict", newline="") as text:
        if file.head.decode(encoding, "ignore").startswith("\ufeff"):
            text.read(1)
        yield text


def beginning_of(file: ExportFile) -> bytes:
    """Give how a file begins: where a mark says in which encoding it is, its text as UTF-8, without the mark."""
    for mark, encoding in MARKS.items():
        if file.head.startswith(mark):
            return file.head.decode(encoding, "ignore").removeprefix("\ufeff").encode()
    return file.head
