"""The text of a CSV file: which encoding it is in, where it is none, and which lines make up a record.

Must not know columns, garments or pandas.
"""

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    Source = Path | ObjectStoragePath

_BLOCK: Final = 1 << 20
_UTF_16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class ExportError(Exception):
    """An export cannot be read at all. The message says what is wrong, where, and what to do."""

    def __init__(self, source: object, problem: str) -> None:
        super().__init__(str(source), problem)

    def __str__(self) -> str:
        source, problem = self.args
        return f"the export {source} {problem}"


class ExportMissingError(ExportError):
    """There is no export at this place. It may only be late."""


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that could not be split into fields.

    Args:
        line: the line it starts on.
        text: the row as it stands in the file.
        problem: what is wrong with it, as a sentence.
    """

    line: int
    text: str
    problem: str


class _Lines:
    """The lines of a text file, counted, with the ones of the current record kept to be read once more."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._stream = iter(stream)
        self._again: deque[str] = deque()
        self.record: list[str] = []
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._stream)
        self.number += 1
        self.record.append(line)
        return line

    def start_record(self) -> int:
        """Forget the last record; give the line on which the next one starts."""
        self.record.clear()
        return self.number + 1

    def give_back_all_but_the_first(self) -> str:
        """End the record after its first line, which is given; the others are read again."""
        first, *others = self.record
        self._again.extendleft(reversed(others))
        self.number -= len(others)
        return first


def csv_records(stream: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | BrokenRow]]:
    """Yield each record of a CSV text with the line it starts on, from 1; blank lines are left out.

    A record whose quotation marks do not match costs its first line only; its other lines are read again.
    """
    lines = _Lines(stream)
    # Strict, so that a quotation mark that is never closed is an error and not a field of a hundred rows.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = lines.start_record()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as wrong:
            text = lines.give_back_all_but_the_first().rstrip("\r\n")
            yield line, BrokenRow(line, text, f"The row's quotation marks do not match ({wrong}).")
            continue
        if fields:  # a blank line is no row
            yield line, fields


def text_of(file: IO[bytes], encoding: str) -> io.TextIOWrapper:
    """Give a file's text, its line ends as they are."""
    # newline="" leaves line ends to the CSV reader, which knows the ones within quotation marks.
    return io.TextIOWrapper(file, encoding=encoding, errors="strict", newline="")


def encoding_of(source: "Source", wanted: str, head: bytes) -> str:
    """Give the encoding the whole file can be read in.

    The file is read through once for this: an error in its last line must not come after the first rows have
    been planned and paid for.
    """
    if wanted != "auto":
        candidates: tuple[str, ...] = (wanted.lower().replace("-sig", ""),)
    elif head.startswith(_UTF_16_MARKS):
        candidates = ("utf-16",)
    elif head.startswith(codecs.BOM_UTF8):
        candidates = ("utf-8",)
    else:
        candidates = ("utf-8", "gb18030")
    problems = []
    for encoding in candidates:
        problem = _undecodable(source, encoding)
        if problem is None:
            return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
        problems.append(f"not {encoding} at {problem}")
    raise ExportError(
        source,
        f"cannot be decoded: {'; '.join(problems)}. Correct the file, or name its encoding in [export]",
    )


def _undecodable(source: "Source", encoding: str) -> str | None:
    """Say where a file stops being text of an encoding, in words; None when all of it is."""
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    read = line_feeds = 0
    with source.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
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
