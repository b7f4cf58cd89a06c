"""JSON lines into tables: one object on each line, a column for each of its keys.

A key inside an object is a column too, with a dot between: `image.src`. A list is several values of one field, and they
arrive as several lines of text.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Final

from tryon_catalogue.exports.columns import columns_to_read, named_columns
from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, by_rows_and_text, text_frame
from tryon_catalogue.exports.text import BrokenRow, encoding_of, lines_of, text_of
from tryon_catalogue.settings import ExportSettings

_DEEPEST: Final = 100
"""How deep objects and lists may stand in each other."""
_LITERALS: Final[Mapping[object, str]] = {None: "", True: "true", False: "false"}

Record = dict[str, object]


def json_tables(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    """Look into JSON lines, and give their tables: at most ``settings.chunk_rows`` rows each.

    Numbers stay the text they are: `00123` is no number in JSON, and `1.10` keeps its nought.

    Raises:
        ExportError: It cannot be decoded, or none of its first rows has a column that is needed.
    """
    encoding = encoding_of(file, settings.encoding)
    with text_of(file, encoding) as stream:
        first = next(_chunks(file, stream, settings), None)
    if first is None:
        raise ExportError(file, "holds only blank lines")
    # An object may lack what it has no value for: any of the first rows may show a column.
    names = {name for _, record in first if not isinstance(record, BrokenRow) for name in _names(record)}
    columns_to_read(file, sorted(names), settings)
    return _tables(file, encoding, settings)


_Chunk = Sequence[tuple[int, "Record | BrokenRow"]]


def _chunks(file: ExportFile, stream: IO[str], settings: ExportSettings) -> Iterator[_Chunk]:
    """Give the records with their lines; blank lines are left out."""
    lines = enumerate(lines_of(file, stream, settings.longest_line), start=1)
    numbered = ((number, line) for number, line in lines if line.strip())
    for some in by_rows_and_text(numbered, settings.chunk_rows, lambda numbered_line: len(numbered_line[1])):
        yield [(number, _record(line, number)) for number, line in some]


def _tables(file: ExportFile, encoding: str, settings: ExportSettings) -> Iterator[Table]:
    with text_of(file, encoding) as stream:
        for some in _chunks(file, stream, settings):
            broken = [row for _, row in some if isinstance(row, BrokenRow)]
            lines = [number for number, row in some if not isinstance(row, BrokenRow)]
            records = [row for _, row in some if not isinstance(row, BrokenRow)]
            columns = {
                name: [_text(_value(record, name)) for record in records] for name in named_columns(settings)
            }
            yield Table(lines, text_frame(columns, len(records)), broken)


def _record(line: str, number: int) -> Record | BrokenRow:
    try:
        # Numbers as text: a sku of twenty digits is not rounded.
        found = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError as wrong:
        return BrokenRow(
            number, line.strip(), f"The line is no JSON ({wrong}). Write one object on each line."
        )
    except RecursionError:
        return _too_deep(line, number)
    if not isinstance(found, dict):
        return BrokenRow(
            number, line.strip(), "The line is JSON, but no object. Write one object on each line."
        )
    inside: list[object] = [found]
    for _ in range(_DEEPEST):
        inside = [inner for outer in inside for inner in _contents(outer) if isinstance(inner, dict | list)]
        if not inside:
            return found
    return _too_deep(line, number)


def _contents(outer: object) -> Iterable[object]:
    if isinstance(outer, dict):
        return outer.values()
    return outer if isinstance(outer, list) else ()


def _too_deep(line: str, number: int) -> BrokenRow:
    problem = (
        f"Objects and lists stand more than {_DEEPEST} deep in each other. Write one object on each line, and what is "
        "within it flat."
    )
    return BrokenRow(number, line.strip(), problem)


def _names(record: Record, within: str = "") -> Iterator[str]:
    for name, value in record.items():
        yield within + name
        if isinstance(value, dict):
            yield from _names(value, f"{within}{name}.")


def _value(record: Record, name: str) -> object:
    if name in record:
        return record[name]
    first, _, rest = name.partition(".")
    inner = record.get(first)
    return _value(inner, rest) if rest and isinstance(inner, dict) else None


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(_text(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return _LITERALS[value]
