"""An export of the shop's catalogue into garments: every row is a garment or a rejection with its reason.

It looks at the text of the rows alone. What a garment may be worn by, and whether its category is known, is decided in
casting.

A file goes through ``places`` (which files, unpacked), ``formats`` (text in rows: ``tables``, by a reader for each),
``columns`` (are they there), ``mapping`` (which rows belong together, which are meant, what they say) and
``rules`` (garment or rejection).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tryon_catalogue.exports.errors import ExportError, ExportMissingError, ExportRefusedError
from tryon_catalogue.exports.garments import (
    PLACES,
    REQUEST_LINE,
    ROSTER_LINE,
    Chunk,
    Garment,
    Rejection,
    Rule,
    beside,
    printable,
    with_place,
)
from tryon_catalogue.settings import ExportSettings

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

__all__ = [
    "PLACES",
    "REQUEST_LINE",
    "ROSTER_LINE",
    "Chunk",
    "ExportError",
    "ExportMissingError",
    "ExportRefusedError",
    "Garment",
    "Rejection",
    "Rule",
    "beside",
    "printable",
    "read_export",
    "with_place",
]


def read_export(
    path: "str | Path | ObjectStoragePath", settings: ExportSettings, roots: Sequence[str] | None = None
) -> Iterator[Chunk]:
    """Read an export in chunks of at most ``settings.chunk_rows`` rows, each of one file.

    Every file is looked through before the first chunk is given, so that an export which cannot be read gives none.
    Memory holds one chunk and the skus of the whole export, by which a sku's second row is known.

    Args:
        path: A local path, an object storage path, or the path or URL of one as text. With ``*``, ``?`` or
            ``[...]`` in it, it is every file that fits, in the order of their names.
        roots: The folders that its local files must lie in, wherever links lead; None where no request named it.

    Raises:
        ExportMissingError: There is no such file, or it is not complete yet.
        ExportRefusedError: A file lies outside of the roots.
        ExportError: A file cannot be read at all; see its message.
    """
    from tryon_catalogue.exports.reading import chunks

    yield from chunks(path, settings, roots)
