"""JSON lines into tables: one object on each line, a column for each of its keys.

A key inside an object is a column too, with a dot between: `image.src`. A list is several values of one field,
and they arrive as several lines of text. Must not know garments.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from more_itertools import chunked

from tryon_catalogue.exports.columns import columns_to_read, named_columns
from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, text_frame
from tryon_catalogue.exports.text import BrokenRow, encoding_of, text_of
from tryon_catalogue.settings import ExportSettings

_WORDS: Final[Mapping[object, str]] = {None: "", True: "true", False: "false"}

Record = dict[str, object]


def json_tables(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    """Read JSON lines, at most ``settings.chunk_rows`` rows at a time.

    Numbers stay the text they are: `00123` is no number in JSON, and `1.10` keeps its nought.

    Raises:
        ExportError: it cannot be decoded, or none of its first rows has a column that is needed.
    """
    encoding = encoding_of(file, settings.encoding)
    read: tuple[str, ...] | None = None
    with file.open() as raw, text_of(raw, encoding) as stream:
        numbered = ((number, line) for number, line in enumerate(stream, start=1) if line.strip())
        for some in chunked(numbered, settings.chunk_rows):
            lines: list[int] = []
            records: list[Record] = []
            broken: list[BrokenRow] = []
            for number, line in some:
                record = _record(line, number)
                if isinstance(record, BrokenRow):
                    broken.append(record)
                else:
                    lines.append(number)
                    records.append(record)
            if read is None:
                # An object may lack what it has no value for: any of the first rows may show a column.
                columns_to_read(
                    file, sorted({name for record in records for name in _names(record)}), settings
                )
                read = named_columns(settings)
            columns = {name: [_text(_value(record, name)) for record in records] for name in read}
            yield Table(lines, text_frame(columns, len(records)), broken)
    if read is None:
        raise ExportError(file, "holds only blank lines")


def _record(line: str, number: int) -> Record | BrokenRow:
    try:
        # Numbers as text: a sku of twenty digits is not rounded.
        found = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
    except ValueError as wrong:
        return BrokenRow(
            number, line.strip(), f"The line is no JSON ({wrong}). Write one object on each line."
        )
    if not isinstance(found, dict):
        return BrokenRow(
            number, line.strip(), "The line is JSON, but no object. Write one object on each line."
        )
    return found


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
        return "\n".join(_text(one) for one in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return _WORDS[value]
