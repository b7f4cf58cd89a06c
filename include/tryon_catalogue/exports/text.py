"""Text files: which encoding they are in, where they are none, and which lines make up a record."""

import codecs
import csv
import io
import logging
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from tryon_catalogue.exports.errors import ExportError, ExportTooLargeError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.settings import ExportSettings

log = logging.getLogger(__name__)

LONGEST_BROKEN_ROW: Final = 2_000
"""Characters that are kept of a broken row: more than is shown of it, and not the descriptions of a whole chunk."""

_BLOCK: Final = 1 << 20
_MARKS: Final[Mapping[bytes, str]] = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"\x84\x31\x95\x33": "gb18030",
}
"""How a file begins that says which encoding it is in: U+FEFF, written in it."""
_HIGH_BYTES: Final = re.compile(rb"[\x80-\xff]+")


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


class _Lines:
    """The lines of a text file, counted, with the ones of the current record kept to be read once more."""

    def __init__(self, file: ExportFile, stream: Iterable[str], longest: int) -> None:
        self._file = file
        self._stream = iter(stream)
        self._longest = longest
        self._given_back: deque[str] = deque()
        self._size = 0
        self.record: list[str] = []
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._given_back.popleft() if self._given_back else next(self._stream)
        self.number += 1
        self._size += len(line)
        if self._size > self._longest:
            raise too_long(self._file, self.number, self._longest)
        self.record.append(line)
        return line

    def start_record(self) -> int:
        """Forget the last record; give the line on which the next one starts."""
        self.record.clear()
        self._size = 0
        return self.number + 1

    def give_back_all_but_the_first(self) -> str:
        """End the record after its first line, which is given; the others are read again."""
        first, *others = self.record
        self._given_back.extendleft(reversed(others))
        self.number -= len(others)
        return first


def csv_records(
    file: ExportFile, stream: Iterable[str], dialect: Dialect, settings: ExportSettings
) -> Iterator[tuple[int, list[str] | BrokenRow]]:
    """Yield each record of a CSV text with the line it starts on, from 1; blank lines are left out.

    A record whose quotation marks do not match costs its first line only; its other lines are read again.

    Raises:
        ExportTooLargeError: A record is longer than the settings allow.
    """
    lines = _Lines(file, stream, settings.longest_line)
    # A quotation mark that is never closed costs so much memory at most.
    csv.field_size_limit(settings.longest_cell)
    # Strict, so that a quotation mark that is never closed is an error and not a field of a hundred rows.
    if dialect.quote:
        reader = csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quote, strict=True)
    else:
        reader = csv.reader(lines, delimiter=dialect.delimiter, quoting=csv.QUOTE_NONE, strict=True)
    while True:
        line = lines.start_record()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as wrong:
            text = lines.give_back_all_but_the_first().rstrip("\r\n")
            yield line, BrokenRow(line, text, f"{_problem(wrong, settings.longest_cell)} {HOW_TO_QUOTE}")
            continue
        if fields:  # a blank line is no row
            yield line, fields


HOW_TO_QUOTE: Final = (
    "Write one field for each column; a field that holds the delimiter, a line break or a quotation mark stands "
    'between quotation marks, and each " inside it is written twice.'
)


def _problem(wrong: csv.Error, longest: int) -> str:
    if str(wrong).startswith("field larger than field limit"):
        return (
            f"A field is longer than {longest:,} characters ([export] longest_cell); perhaps its quotation mark is "
            "never closed."
        )
    return f"The row's quotation marks do not match ({wrong})."


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
    for mark, encoding in _MARKS.items():
        if file.head.startswith(mark):
            return file.head.decode(encoding, "ignore").removeprefix("\ufeff").encode()
    return file.head


def encoding_of(file: ExportFile, configured: str) -> str:
    """Give the encoding the whole file can be read in.

    The file is read through once for this: an error in its last line must not come after the first rows have
    been planned and paid for.

    Args:
        configured: The name of an encoding, or "auto".

    Raises:
        ExportError: It is not in this encoding; or, with "auto", in none of those that are tried.
    """
    if configured != "auto":
        candidates: tuple[str, ...] = (configured.lower().replace("-sig", ""),)
    elif marked := next((name for mark, name in _MARKS.items() if file.head.startswith(mark)), None):
        candidates = (marked,)
    elif _undecodable(file, "utf-8") is None:
        return "utf-8"
    else:
        candidates = ("utf-8", _legacy(file))
    problems = []
    for encoding in candidates:
        problem = _undecodable(file, encoding)
        if problem is None:
            if len(candidates) > 1:
                log.warning(
                    "the export %s is no UTF-8; it is taken for %s, by the look of it", file, encoding
                )
            return encoding
        problems.append(f"not {encoding} at {problem}")
    raise ExportError(
        file, f"cannot be decoded: {'; '.join(problems)}. Correct the file, or name its encoding in [export]"
    )


def _legacy(file: ExportFile) -> str:
    """Guess the encoding of a file that is no UTF-8: Chinese, or a western European one.

    A Chinese character is two bytes, mostly both of them high ones; a letter with an accent is one high byte,
    mostly between plain letters.
    """
    alone = together = 0
    with file.open() as stream:
        while block := stream.read(_BLOCK):
            for run in _HIGH_BYTES.findall(block):
                alone += len(run) == 1
                together += len(run) > 1
    return "cp1252" if alone > together else "gb18030"


def _undecodable(file: ExportFile, encoding: str) -> str | None:
    """Say where a file stops being text of an encoding, in words; None when all of it is."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    read = line_feeds = 0
    with file.open() as stream:
        while True:
            block = stream.read(_BLOCK)
            start = read - len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as wrong:
                at = start + wrong.start
                line = line_feeds + block[: max(0, at - read)].count(b"\n") + 1
                return f"byte {at} (line {line}: {wrong.object[wrong.start : wrong.end].hex(' ')})"
            if not block:
                return None
            read += len(block)
            line_feeds += block.count(b"\n")
