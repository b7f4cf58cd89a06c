"""JSON into tables: one object on each line, or in an array; a column for each of its keys.

A key inside an object is a column too, with a dot between: `image.src`. A list is several values of one field, and they
arrive as several lines of text; in a list of objects, `images.src` is the one key of each of them.
"""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Final

from tryon_catalogue.exports.columns import columns_to_read, named_columns
from tryon_catalogue.exports.encodings import encoding_of
from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.json_arrays import array_items, array_of
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, Tables, by_rows_and_text, text_frame
from tryon_catalogue.exports.text import BrokenRow, lines_of, text_of
from tryon_catalogue.settings import ExportSettings

_DEEPEST: Final = 100
"""How deep objects and lists may stand in each other."""
_LITERALS: Final[Mapping[object, str]] = {None: "", True: "true", False: "false"}

Record = dict[str, object]


def json_tables(file: ExportFile, settings: ExportSettings) -> Tables:
    """Look into JSON, and give its tables: at most ``settings.chunk_rows`` rows each.

    Numbers stay the text they are: `00123` is no number in JSON, and `1.10` keeps its nought.

    Raises:
        ExportError: It cannot be decoded, or none of its first rows has a column that is needed.
    """
    encoding = encoding_of(file, settings.encoding)
    header = _header(file, encoding, settings)
    found = {name: header[at] for name, at in columns_to_read(file, header, settings).items()}
    # What none of the first rows has, later ones may.
    paths = {**{name: name for name in named_columns(settings)}, **found}

    def read(columns: Sequence[str]) -> Iterator[Table]:
        return _tables(file, encoding, {name: paths[name] for name in columns}, settings)

    if array_of(file) is not None:
        # Lines break one by one, and an array as a whole: not after its first rows have been planned and paid for.
        deque(read(()), maxlen=0)
    return Tables(read, tuple(paths))


def json_header(file: ExportFile, settings: ExportSettings) -> list[str]:
    """Give the names of the keys in JSON, as `json_tables` reads them."""
    return _header(file, encoding_of(file, settings.encoding), settings)


def _header(file: ExportFile, encoding: str, settings: ExportSettings) -> list[str]:
    with text_of(file, encoding) as stream:
        first = next(_chunks(file, stream, settings), None)
    if first is None:
        raise ExportError(file, "holds only blank lines")
    # An object may lack what it has no value for: any of the first rows may show a column.
    return sorted(
        {name for _, record in first if not isinstance(record, BrokenRow) for name in _names(record)}
    )


_Chunk = Sequence[tuple[int, "Record | BrokenRow"]]


def _chunks(file: ExportFile, stream: IO[str], settings: ExportSettings) -> Iterator[_Chunk]:
    """Give the records with their lines, or their numbers in an array; blank lines are left out."""
    if array_of(file) is None:
        lines = enumerate(lines_of(file, stream, settings.longest_line), start=1)
        texts: Iterator[tuple[int, str]] = ((number, line) for number, line in lines if line.strip())
    else:
        texts = enumerate(array_items(file, stream, settings.longest_line), start=1)
    for some in by_rows_and_text(texts, settings.chunk_rows, lambda numbered: len(numbered[1])):
        yield [(number, _record(text, number)) for number, text in some]


def _tables(
    file: ExportFile, encoding: str, paths: Mapping[str, str], settings: ExportSettings
) -> Iterator[Table]:
    """Give tables of columns, each with the key, or the path of keys, that it is in a record."""
    with text_of(file, encoding) as stream:
        for some in _chunks(file, stream, settings):
            broken = [row for _, row in some if isinstance(row, BrokenRow)]
            lines = [number for number, row in some if not isinstance(row, BrokenRow)]
            records = [row for _, row in some if not isinstance(row, BrokenRow)]
            columns = {
                name: [_text(_value(record, path)) for record in records] for name, path in paths.items()
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
        inner = value if isinstance(value, list) else [value]
        for item in inner:
            if isinstance(item, dict):
                yield from _names(item, f"{within}{name}.")


def _value(record: Record, name: str) -> object:
    """Give what stands under a key; with a dot in it, in each object that stands under its first part."""
    if name in record:
        return record[name]
    first, _, rest = name.partition(".")
    inner = record.get(first)
    if not rest:
        return None
    if isinstance(inner, list):
        return [_value(item, rest) for item in inner if isinstance(item, dict)]
    return _value(inner, rest) if isinstance(inner, dict) else None


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(text for text in map(_text, value) if text)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return _LITERALS[value]
