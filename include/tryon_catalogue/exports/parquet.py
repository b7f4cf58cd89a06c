"""Parquet files into tables, by blocks, whatever types their columns have. Must not know garments."""

import math
from collections.abc import Iterator
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


def parquet_tables(file: ExportFile, settings: ExportSettings) -> Iterator[Table]:
    """Read a Parquet file, at most ``settings.chunk_rows`` rows at a time.

    Raises:
        ExportError: it is damaged, lacks a column, or has one that is no text.
    """
    try:
        # Buffered reading, so that a file of one large row group is not held in memory.
        with file.open() as raw, pq.ParquetFile(raw, buffer_size=_BLOCK) as parquet:
            wanted = list(columns_to_read(file, list(parquet.schema_arrow.names), settings))
            read = 0
            for batch in parquet.iter_batches(batch_size=settings.chunk_rows, columns=wanted):
                columns = {name: _texts(file, name, batch.column(name)) for name in wanted}
                yield Table(range(read + 1, read + 1 + batch.num_rows), text_frame(columns, batch.num_rows))
                read += batch.num_rows
    except (pa.lib.ArrowException, OSError) as wrong:
        raise ExportError(file, f"cannot be read as Parquet: {wrong}") from wrong


def _texts(file: ExportFile, name: str, column: Any) -> list[str]:
    """Give an Arrow column as text: whole numbers exactly, missing values as "", a list as lines."""
    if pa.types.is_floating(column.type):
        return [_float_text(value) for value in column.to_pylist()]
    if pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type):
        return ["\n".join(one or "" for one in value or ()) for value in column.to_pylist()]
    try:
        texts = pc.cast(column, pa.string())
    except (pa.lib.ArrowNotImplementedError, pa.lib.ArrowInvalid) as wrong:
        problem = f"has a column {name!r} of type {column.type}, which cannot be read as text: {wrong}"
        raise ExportError(file, problem) from wrong
    return ["" if text is None else text for text in texts.to_pylist()]


def _float_text(value: float | None) -> str:
    """A number that pandas made a float because others were missing is still the whole number it was."""
    if value is None or math.isnan(value):
        return ""
    return str(int(value)) if value.is_integer() else repr(value)
