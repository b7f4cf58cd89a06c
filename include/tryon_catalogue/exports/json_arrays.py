"""A JSON array as the texts of its items, one by one, so that a long one is never in memory.

Whole files are arrays in many exports, or an object with one array in it: `{"products": [...]}`.
"""

import json
import re
from collections.abc import Iterator
from typing import IO, Final

from tryon_catalogue.exports.errors import ExportError, ExportTooLargeError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.text import beginning_of

_BLOCK: Final = 1 << 16
# The names that shops' programs give to the array of their answers.
_WRAPPED: Final = re.compile(r'\{\s*"(?:products|items|data|results|records)"\s*:\s*\[')
_BEGINS: Final = re.compile(rf"(?:{_WRAPPED.pattern}|\[)")
_BETWEEN: Final = re.compile(r"[\s,]*")
_DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def array_of(file: ExportFile) -> re.Match[str] | None:
    """Give how an array begins a file; None where it does not."""
    return _BEGINS.match(beginning_of(file).decode("utf-8", "ignore").lstrip())


def array_items(file: ExportFile, stream: IO[str], longest: int) -> Iterator[str]:
    """Give the text of each item of the array that a file begins with.

    Args:
        longest: Characters of one item at most.

    Raises:
        ExportTooLargeError: An item has more.
        ExportError: It is no JSON.
    """
    text = stream.read(_BLOCK).lstrip()
    begins = _BEGINS.match(text)
    at, number = (begins.end() if begins else 0), 0
    while True:
        at = _end_of(_BETWEEN, text, at)
        if text[at : at + 1] == "]":
            return
        try:
            # Where the item ends; what it says is read with the rows. A number may go on in the next block.
            end = _DECODER.raw_decode(text, at)[1]
            whole = end < len(text)
        except RecursionError:
            raise ExportError(
                file, f"has JSON too deep in each other in item {number + 1} of its array"
            ) from None
        except ValueError as wrong:
            problem, whole = wrong, False
        else:
            problem = ValueError("it ends within the array")
        if whole and end - at <= longest:
            number += 1
            yield text[at:end]
            at = end
            continue
        if len(text) - at > longest:
            what = (
                f"an item of more than {longest:,} characters in its array, or no JSON in item {number + 1}"
            )
            raise ExportTooLargeError(file, what, "longest_line", f"{longest:,}")
        text, at = text[at:], 0
        more = stream.read(max(_BLOCK, len(text)))
        if not more:
            raise ExportError(
                file,
                f"is no JSON from item {number + 1} of its array on ({problem}); ask the shop to export it again",
            )
        text += more


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
