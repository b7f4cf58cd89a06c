"""Parquet files into tables, by blocks, whatever types their columns have."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tryon_catalogue.exports.columns import columns_to_read
from tryon_catalogue.exports.errors import ExportError, ExportTooLargeError
from tryon_catalogue.exports.garments import printable
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, Tables, by_rows_and_text, text_frame
from tryon_catalogue.settings import ExportSettings

_BLOCK: Final = 1 << 20
_BYTES_OF_A_CHARACTER: Final = 4
_LISTS: Final = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_TEXTS: Final = frozenset({"STRING", "NONE", "ENUM", "JSON"})
_STRINGS: Final = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_dictionary,
)


def parquet_tables(file: ExportFile, settings: ExportSettings) -> Tables:
    """Look into a Parquet file, and give its tables: at most ``settings.chunk_rows`` rows each.

    The file is read through once for this, as a sheet of a workbook is.

    Raises:
        ExportError: It is damaged, lacks a column, or has one that is no text.
    """
    header = parquet_header(file, settings)
    found = columns_to_read(file, header, settings)
    paths = {name: header[at] for name, at in found.items()}
    with _parquet(file, ()) as parquet:
        tops = [_split(path, parquet.schema_arrow.names)[0] for path in paths.values()]
        texts = _bounded(file, parquet, tops, settings)

    def read(columns: Sequence[str]) -> Iterator[Table]:
        return _tables(file, {name: paths[name] for name in columns}, texts, settings)

    deque(read(tuple(paths)), maxlen=0)
    return Tables(read, tuple(paths))


def parquet_header(file: ExportFile, settings: ExportSettings) -> list[str]:
    """Give the names of the columns of a Parquet file, and of the fields within them, with a dot between.

    Args:
        settings: Nothing of them counts here; each format's header is asked for alike.
    """
    del settings
    with _parquet(file, ()) as parquet:
        return [name for column in parquet.schema_arrow for name in _names(column, "")]


def _names(column: Any, within: str) -> Iterator[str]:
    name, kind = within + column.name, column.type
    yield name
    while any(fits(kind) for fits in _LISTS):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        for inner in (kind.field(at) for at in range(kind.num_fields)):
            yield from _names(inner, f"{name}.")


def _bounded(
    file: ExportFile, parquet: pq.ParquetFile, read: Sequence[str], settings: ExportSettings
) -> list[str]:
    """Hold what has to be held at once of each column to the bound, and give the paths of those of text.

    They are read as dictionaries: a value that stands in many rows is held once.

    Raises:
        ExportTooLargeError: A column of a row group is too large.
    """
    texts = [
        column.path
        for column in (parquet.schema.column(at) for at in range(len(parquet.schema)))
        if column.physical_type == "BYTE_ARRAY" and _is_of(column.path, read)
        if column.logical_type.type in _TEXTS
    ]
    for number in range(parquet.metadata.num_row_groups):
        group = parquet.metadata.row_group(number)
        for column in (group.column(at) for at in range(group.num_columns)):
            size = column.total_uncompressed_size
            if _is_of(column.path_in_schema, read) and size > settings.held_mb << 20:
                what = f"{size >> 20:,} MB in one column of row group {number + 1}"
                raise ExportTooLargeError(file, what, "held_mb", f"{settings.held_mb:,} MB")
    return texts


@contextmanager
def _parquet(file: ExportFile, texts: Sequence[str]) -> Iterator[pq.ParquetFile]:
    try:
        # Buffered reading, so that a file of one large row group is not held in memory.
        with (
            file.open() as raw,
            pq.ParquetFile(raw, buffer_size=_BLOCK, read_dictionary=list(texts)) as parquet,
        ):
            yield parquet
    # Arrow's own words may quote the file, which somebody may read who may not read the file. The last error is of a
    # column's name.
    except (pa.lib.ArrowException, UnicodeDecodeError):
        raise ExportError(
            file, "cannot be read as Parquet: it is damaged, or it is no Parquet file"
        ) from None
    except OSError as wrong:
        raise ExportError(file, f"cannot be read as Parquet: {printable(str(wrong))}") from None


def _tables(
    file: ExportFile, paths: Mapping[str, str], texts: Sequence[str], settings: ExportSettings
) -> Iterator[Table]:
    unpacked = 0

    def size_of(row: tuple[str, ...]) -> int:
        nonlocal unpacked
        size = sum(map(len, row))
        unpacked += size
        if unpacked > settings.unpacked_mb << 20:
            what = f"more than {settings.unpacked_mb:,} MB of text in it when it is unpacked"
            raise ExportTooLargeError(file, what, "unpacked_mb", f"{settings.unpacked_mb:,} MB")
        return size

    with _parquet(file, texts) as parquet:
        read, names = 0, parquet.schema_arrow.names
        within = {name: _split(path, names) for name, path in paths.items()}
        columns_read = list(dict.fromkeys(top for top, _ in within.values()))
        for batch in parquet.iter_batches(batch_size=settings.chunk_rows, columns=columns_read):
            if not paths:
                continue
            cells = [
                _texts(file, paths[name], batch.column(top), settings.longest_cell, fields)
                for name, (top, fields) in within.items()
            ]
            for rows in by_rows_and_text(zip(*cells, strict=True), settings.chunk_rows, size_of):
                columns = dict(zip(paths, map(list, zip(*rows, strict=True)), strict=True))
                yield Table(range(read + 1, read + 1 + len(rows)), text_frame(columns, len(rows)))
                read += len(rows)


def _split(path: str, names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Give the column that a path begins with, whose own name may have a dot in it, and the fields within it."""
    top = next((name for name in names if path == name), path.partition(".")[0])
    return top, tuple(path.removeprefix(top).split(".")[1:])


def _is_of(path: str, columns: Sequence[str]) -> bool:
    return any(path == name or path.startswith(f"{name}.") for name in columns)


def _texts(
    file: ExportFile, name: str, column: Any, longest: int, fields: Sequence[str] = ()
) -> Iterable[str]:
    """Give an Arrow column as text: whole numbers exactly, missing values as "", a list as lines.

    Args:
        name: For people.
        fields: The way into its structs, in lists or not.
    """
    if fields and pa.types.is_struct(column.type):
        return _texts(file, name, pc.struct_field(column, fields[0]), longest, fields[1:])
    if pa.types.is_dictionary(column.type):
        values = list(_texts(file, name, column.dictionary, longest))
        if max(map(len, values), default=0) > longest:
            raise _too_large(file, name, longest)
        return ["" if at is None else values[at] for at in column.indices.to_pylist()]
    if pa.types.is_floating(column.type):
        return [_float_text(value) for value in column.to_pylist()]
    if any(fits(column.type) for fits in _LISTS) and (
        fields or any(fits(column.type.value_type) for fits in _STRINGS)
    ):
        return _lists(file, name, column, longest, fields)
    try:
        texts = pc.cast(column, pa.string())
    except (pa.lib.ArrowNotImplementedError, pa.lib.ArrowInvalid):
        kind, shown = printable(str(column.type)), printable(name)
        problem = (
            f"has a column {shown!r} of type {kind}, which cannot be read as text. Name a field of it, such as "
            f"{shown}.src, where it has one"
        )
        raise ExportError(file, problem) from None
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > longest * _BYTES_OF_A_CHARACTER:
        raise _too_large(file, name, longest)
    return ["" if text is None else text for text in _values(texts)]


def _too_large(file: ExportFile, name: str, longest: int) -> ExportTooLargeError:
    what = f"a value of more than {longest:,} characters in its column {printable(name)!r}"
    return ExportTooLargeError(file, what, "longest_cell", f"{longest:,}")


def _lists(file: ExportFile, name: str, column: Any, longest: int, fields: Sequence[str]) -> Iterator[str]:
    """Give each list as lines, one after the other: its values may stand in many of them."""
    values = iter(_texts(file, name, column.flatten(), longest, fields))
    for length in pc.list_value_length(column).to_pylist():
        lines: list[str] = []
        size = 0
        for line in islice(values, length or 0):
            size += len(line)
            if size > longest:
                raise _too_large(file, name, longest)
            lines.append(line)
        yield "\n".join(lines)


def _values(column: Any) -> list[Any]:
    """Give an Arrow column of strings. Bytes that are no UTF-8 stay in it as lone surrogates."""
    try:
        values: list[Any] = column.to_pylist()
    except (
        UnicodeDecodeError
    ):  # Arrow writes such columns without a look at them; one value is not to cost the others
        return [_value(scalar) for scalar in column]
    return values


def _value(scalar: Any) -> Any:
    return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape") if scalar.is_valid else None


def _float_text(value: float | None) -> str:
    """A number that pandas made a float because others were missing is still the whole number it was."""
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
