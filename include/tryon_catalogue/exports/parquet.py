"""Parquet files into tables, by blocks, whatever types their columns have."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tryon_catalogue.exports.columns import columns_to_read
from tryon_catalogue.exports.errors import ExportError
from tryon_catalogue.exports.places import ExportFile
from tryon_catalogue.exports.tables import Table, text_frame
from tryon_catalogue.settings import ExportSettings

_BLOCK: Final = 1 << 20
_LISTS: Final = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_STRINGS: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


def parquet_tables(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    """Look into a Parquet file, and give its tables: at most ``settings.chunk_rows`` rows each.

    The file is read through once for this, as a sheet of a workbook is.

    Raises:
        ExportError: it is damaged, lacks a column, or has one that is no text.
    """
    with _parquet(file) as parquet:
        read = columns_to_read(file, list(parquet.schema_arrow.names), settings)
    deque(_tables(file, read, settings.chunk_rows), maxlen=0)
    return _tables(file, read, settings.chunk_rows)


@contextmanager
def _parquet(file: ExportFile) -> Iterator[pq.ParquetFile]:
    try:
        # Buffered reading, so that a file of one large row group is not held in memory.
        with file.open() as raw, pq.ParquetFile(raw, buffer_size=_BLOCK) as parquet:
            yield parquet
    except (pa.lib.ArrowException, OSError, UnicodeDecodeError) as wrong:  # the last for a column's name
        raise ExportError(file, f"cannot be read as Parquet: {wrong}") from wrong


def _tables(file: ExportFile, names: Sequence[str], chunk_rows: int) -> Iterator[Table]:
    with _parquet(file) as parquet:
        read = 0
        for batch in parquet.iter_batches(batch_size=chunk_rows, columns=list(names)):
            columns = {name: _texts(file, name, batch.column(name)) for name in names}
            yield Table(range(read + 1, read + 1 + batch.num_rows), text_frame(columns, batch.num_rows))
            read += batch.num_rows


def _texts(file: ExportFile, name: str, column: Any) -> list[str]:
    """Give an Arrow column as text: whole numbers exactly, missing values as "", a list as lines."""
    if pa.types.is_floating(column.type):
        return [_float_text(value) for value in column.to_pylist()]
    if any(fits(column.type) for fits in _LISTS) and any(fits(column.type.value_type) for fits in _STRINGS):
        return ["\n".join(one or "" for one in value or ()) for value in _values(column)]
    try:
        texts = pc.cast(column, pa.string())
    except (pa.lib.ArrowNotImplementedError, pa.lib.ArrowInvalid) as wrong:
        problem = f"has a column {name!r} of type {column.type}, which cannot be read as text: {wrong}"
        raise ExportError(file, problem) from wrong
    return ["" if text is None else text for text in _values(texts)]


def _values(column: Any) -> list[Any]:
    """Give an Arrow column of strings or of lists of them. Bytes that are no UTF-8 stay in it as lone surrogates."""
    try:
        values: list[Any] = column.to_pylist()
    except (
        UnicodeDecodeError
    ):  # Arrow writes such columns without a look at them; one value is not to cost the others
        return [_value(one) for one in column]
    return values


def _value(scalar: Any) -> Any:
    if not scalar.is_valid:
        return None
    if isinstance(scalar, pa.ListScalar):
        return [_value(one) for one in scalar.values]
    return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")


def _float_text(value: float | None) -> str:
    """A number that pandas made a float because others were missing is still the whole number it was."""
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
