"""Where an export is: one file or the files of a folder, here or in object storage, packed with gzip or not."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from tryon_catalogue.exports.errors import (
    ExportError,
    ExportMissingError,
    ExportRefusedError,
    ExportTooLargeError,
)
from tryon_catalogue.exports.requested import hold_within, open_within
from tryon_catalogue.storage import object_at, plain_storage_errors, shown_place

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    Source = Path | ObjectStoragePath

_HEAD: Final = 64
_GZIP: Final = b"\x1f\x8b"
# What Hadoop, Spark and the like put beside their files.
_NO_PART: Final = ("_", ".")


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of an export.

    Attributes:
        head: Its first bytes, unpacked; fewer than 64 only when it has no more.
        packed: Whether it is packed with gzip.
        name: Its name where the export is several files, "" where it is alone.
        roots: See `export_files`.
        most_mb: How many megabytes may come out of it when it is unpacked; None for any number.
        notes: What people are to know of how it is read, in sentences without their full stop; see `note`.
    """

    source: "Source"
    head: bytes
    packed: bool = False
    name: str = ""
    roots: Sequence[str] | None = None
    most_mb: int | None = None
    notes: list[str] = field(default_factory=list, compare=False)

    def note(self, sentence: str) -> None:
        """Note what people are to know of how it is read, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the file; what is read is unpacked.

        Raises:
            ExportError: It is packed, and damaged; or it cannot be opened or read.
        """
        with _plain_errors(self.source), _opened(self.source, self.roots) as raw:
            if not self.packed:
                yield raw
                return
            try:
                with _Unpacked(raw, self) as file:
                    yield cast("IO[bytes]", file)
            except (gzip.BadGzipFile, EOFError, zlib.error) as wrong:
                problem = (
                    f"is damaged, its gzip cannot be unpacked ({wrong}); ask the shop to export it again"
                )
                raise ExportError(self.source, problem) from wrong

    def __str__(self) -> str:
        return shown_place(str(self.source))


class _Unpacked(gzip.GzipFile):
    """What comes out of a packed file, up to a bound."""

    def __init__(self, raw: IO[bytes], file: ExportFile) -> None:
        super().__init__(fileobj=raw)
        self._file = file

    def read(self, size: int | None = -1) -> bytes:
        return self._counted(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._counted(super().read1(size))

    def _counted(self, block: bytes) -> bytes:
        most = self._file.most_mb
        if most is not None and self.tell() > most << 20:
            raise ExportTooLargeError(
                self._file, f"more than {most:,} MB in it when it is unpacked", "unpacked_mb", f"{most:,} MB"
            )
        return block


def export_files(
    path: "str | Path | ObjectStoragePath",
    conn_id: str | None,
    marker: str | None,
    roots: Sequence[str] | None = None,
) -> tuple[ExportFile, ...]:
    """Find the files of an export, in the order of their names.

    Args:
        path: A path, or a path or URL as text; with ``*``, ``?`` or ``[...]`` in it, every file it fits.
        conn_id: Airflow connection for a URL.
        marker: Name of the file that says that the export is complete, beside it; None when there is none.
        roots: The folders that a local file must lie in wherever links lead; None where nobody but the settings, or
            a person with a shell, has named it.

    Raises:
        ExportMissingError: There is no such file, or no marker yet.
        ExportRefusedError: A file lies outside of the roots, or is none.
        ExportError: A file cannot be opened, or is empty.
    """
    given = _source(path, conn_id, roots)
    with _plain_errors(given):
        return _files(given, marker, roots)


def _files(given: "Source", marker: str | None, roots: Sequence[str] | None) -> tuple[ExportFile, ...]:
    folder, pattern = _split(given)
    if roots is not None and isinstance(folder, Path):
        hold_within(folder, roots)
    if marker is not None and not (folder / marker).exists():
        problem = (
            f"is not complete yet: there is no {marker} in {folder}; wait for it, or correct [export] marker"
        )
        raise ExportMissingError(given, problem)
    if not pattern:
        return (_looked_into(given, "", roots),)
    sources = _fitting(folder, pattern)
    if not sources:
        raise ExportMissingError(given, "fits no file; check [export] path, or wait for them")
    names = [str(source).removeprefix(str(folder)).lstrip("/") for source in sources]
    return tuple(_looked_into(source, name, roots) for source, name in zip(sources, names, strict=True))


def problem_with(
    path: "str | Path | ObjectStoragePath",
    conn_id: str | None,
    marker: str | None,
    roots: Sequence[str] | None = None,
) -> ExportError | None:
    """Look whether an export is there, for those who wait for one; the arguments are those of `export_files`.

    An export that is there and empty, or cannot be reached, is as good as not there: it may be at the next look.

    Returns:
        What is wrong; None when it is there and complete.

    Raises:
        ExportError: It is in no storage that there is, and so will not come.
        ExportRefusedError: It may not be read.
    """
    given = _source(path, conn_id, roots)
    try:
        with _plain_errors(given):
            if not isinstance(given, Path):
                given.fs.invalidate_cache()  # it would list its folders as they were at the last look
            _files(given, marker, roots)
    except ExportRefusedError:
        raise
    except ExportError as problem:
        return problem
    return None


@contextmanager
def _plain_errors(source: "str | Source") -> Iterator[None]:
    try:
        with nullcontext() if isinstance(source, Path) else plain_storage_errors():
            yield
    except OSError as wrong:
        raise ExportError(source, f"cannot be opened or read: {wrong.strerror or wrong}") from wrong


def _source(
    path: "str | Path | ObjectStoragePath", conn_id: str | None, roots: Sequence[str] | None
) -> "Source":
    if not isinstance(path, str):
        return path
    if "://" not in path:
        return Path(path)
    if roots is not None and path.startswith("file:///"):
        return Path(path.removeprefix("file://"))  # what is opened of it is held to the roots
    with _plain_errors(path):
        return object_at(path, conn_id)


def _split(given: "Source") -> "tuple[Source, str]":
    """Give the folder and the pattern under it; no pattern when the path is the one of a single file."""
    parts: list[str] = []
    folder = given
    while any(sign in str(folder) for sign in "*?[") and folder != folder.parent:
        parts.insert(0, folder.name)
        folder = folder.parent
    # A file may have such a sign in its name: what is there counts before what it might mean.
    if not parts or given.exists():
        return given.parent, ""
    return folder, "/".join(parts)


def _fitting(folder: "Source", pattern: str) -> "list[Source]":
    # Built from the folder: what glob gives for object storage has forgotten the connection.
    inside = [_beside(folder, found) for found in folder.glob(pattern)]
    found = [name for name in inside if not name.rpartition("/")[2].startswith(_NO_PART)]
    return [source for source in (folder / name for name in sorted(found)) if source.is_file()]


def _beside(folder: "Source", found: "Source") -> str:
    if isinstance(found, Path):
        return found.relative_to(cast("Path", folder)).as_posix()
    return found.path.removeprefix(cast("ObjectStoragePath", folder).path).lstrip("/")


def _opened(source: "Source", roots: Sequence[str] | None) -> IO[bytes]:
    if roots is not None and isinstance(source, Path):
        return open_within(source, roots)
    return cast("IO[bytes]", source.open("rb"))


def _looked_into(source: "Source", name: str, roots: Sequence[str] | None) -> ExportFile:
    try:
        with _opened(source, roots) as raw:
            head = raw.read(_HEAD)
        file = ExportFile(source, head, packed=False, name=name, roots=roots)
        if head.startswith(_GZIP):
            with replace(file, packed=True).open() as unpacked:
                file = replace(file, head=unpacked.read(_HEAD), packed=True)
    except FileNotFoundError as wrong:
        raise ExportMissingError(source, "is not there; check [export] path, or wait for it") from wrong
    except IsADirectoryError as wrong:
        problem = "cannot be opened: it is a folder; add what its files are called, such as /*.csv"
        raise ExportError(source, problem) from wrong
    if not file.head:
        raise ExportError(source, "is empty (0 bytes): not even a header; ask the shop to export it again")
    return file
