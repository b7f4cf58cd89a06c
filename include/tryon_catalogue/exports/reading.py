"""Puts the steps of reading together: from the files of an export to chunks of garments and rejections."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tryon_catalogue.exports.formats import read_tables
from tryon_catalogue.exports.garments import Chunk, Garment, Rejection, plain, with_place
from tryon_catalogue.exports.lines import Lines
from tryon_catalogue.exports.mapping import Mapped, mapped_tables
from tryon_catalogue.exports.places import export_files
from tryon_catalogue.exports.rules import FIELDS, Examiner
from tryon_catalogue.settings import ExportSettings

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


def chunks(
    path: "str | Path | ObjectStoragePath", settings: ExportSettings, roots: Sequence[str] | None = None
) -> Iterator[Chunk]:
    """Read an export; see `tryon_catalogue.exports.read_export`."""
    lines = Lines()
    examiner = Examiner(settings, lines)
    found = export_files(path, settings.conn_id, settings.marker, roots)
    files = [replace(file, most_mb=settings.unpacked_mb) for file in found]
    # Every file is looked into before a row of any is given: what is given is planned, and paid for.
    for file, tables in [(file, read_tables(file, settings)) for file in files]:
        lines.begin(plain(file.name))
        notes = tuple(with_place(plain(file.name), note) for note in file.notes)
        for mapped in mapped_tables(file, tables, settings):
            chunk = _chunk(mapped, examiner, lines, notes)
            if chunk.rows:
                yield chunk
                notes = ()


def _chunk(mapped: Mapped, examiner: Examiner, lines: Lines, notes: tuple[str, ...]) -> Chunk:
    rejections = [examiner.broken(broken, lines.counted_on(broken.line)) for broken in mapped.broken]
    numbers = list(map(lines.counted_on, mapped.lines))
    columns = {name: mapped.frame[name].tolist() for name in FIELDS}
    found = examiner.examine(numbers, columns)
    garments = tuple(row for row in found if isinstance(row, Garment))
    rejections += [row for row in found if isinstance(row, Rejection)]
    rejections.sort(key=lambda rejection: rejection.line)
    rows = len(garments) + len(rejections) + mapped.further + sum(mapped.left_out.values())
    return Chunk(rows, garments, tuple(rejections), mapped.further, mapped.left_out, notes)
