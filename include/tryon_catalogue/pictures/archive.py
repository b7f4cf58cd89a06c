"""The archive: our own store of pictures, under names that say what they show.

The vendor's links die, so what the catalogue gets is an address of ours. Beside the pictures it keeps small copies
of them and of the images that went in, and the repaired images that are sent in place of others::

    autumn/A-1/anna-0123456789-89abcdef-1.jpg              a picture: collection, sku, model, look, attempt, number
    thumbnails/autumn/A-1/anna-0123456789-89abcdef-1.jpg   its small copy
    inputs/<digest of the image>.jpg                       the small copy of an input image
    repaired/<digest of the image>.png                     what is sent in place of an input image

A look that is made again has pictures of other names: the shop shows the old ones until the new ones are found good.

A file is there whole or not at all, and one that is there already with the same bytes is not written again.
"""

from __future__ import annotations

import os
import re
import unicodedata
import uuid
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tryon_catalogue.storage import StorageError, object_at, plain_storage_errors, shown_place

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow.sdk import ObjectStoragePath

    from tryon_catalogue.pictures.fetch import Fetched
    from tryon_catalogue.settings import ArchiveSettings

ENDINGS = {"JPEG": "jpg", "PNG": "png"}
LONGEST_PART_BYTES = 120  # of one part of a name; file systems take 255 for the whole of it

THUMBNAILS, INPUTS, REPAIRED = "thumbnails", "inputs", "repaired"
OURS = frozenset({THUMBNAILS, INPUTS, REPAIRED})
"""Folders that no collection is kept in."""
TRIAL = ".trial"
"""Name of the empty file by which the archive is tried."""

_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PictureName:
    """The parts of a picture's name.

    Attributes:
        collection: Of the garment; may be empty.
        model: Roster name; empty when the export named the picture of the model.
        look_key: The look's key, of which the beginning keeps names apart.
        attempt: Letters and digits that differ for each time the look was made.
        number: Place among the look's pictures, from 0.
    """

    collection: str
    sku: str
    model: str
    look_key: str
    attempt: str
    number: int

    def relative(self, ending: str) -> str:
        """Give the path below the archive's root, with forward slashes."""
        folder = _safe(self.collection) or "no-collection"
        if folder.casefold() in OURS:
            folder += "-collection"
        parts = [_safe(self.model) or "model", self.look_key[:10], self.attempt, str(self.number + 1)]
        return f"{folder}/{_safe(self.sku) or 'sku'}/{'-'.join(parts)}.{ending}"


@dataclass(frozen=True, slots=True)
class Archived:
    """Where a file was put.

    Attributes:
        path: Full path or object storage URL.
        url: What the catalogue's readers use.
    """

    path: str
    url: str


@dataclass(frozen=True, slots=True)
class ArchivedPicture:
    """A picture that the archive has.

    Attributes:
        format: ``JPEG`` or ``PNG``, by its name.
    """

    place: Archived
    content: bytes
    format: str


class Archive:
    """The folder or bucket that the settings name.

    Args:
        settings: The ``[archive]`` section.
    """

    def __init__(self, settings: ArchiveSettings) -> None:
        self._settings = settings
        local = "://" not in settings.path or settings.path.startswith("file://")
        self._folder = Path(settings.path.removeprefix("file://")) if local else None

    def check(self) -> None:
        """Write something that is no picture: nothing is to be paid for that cannot be kept.

        Raises:
            tryon_catalogue.storage.StorageError: The folder or the object storage takes nothing; says what to do.
        """
        try:
            if self._folder is None:
                with self._plain_errors():
                    self._root.fs.pipe_file(self._object(TRIAL), b"")
            else:
                _put_file(self._folder / TRIAL, b"")
                (self._folder / TRIAL).unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"the archive {shown_place(self._settings.path)} takes no pictures ({error}), so nothing is sent: "
                "give this user the right to write there, or set [archive] path"
            ) from error

    def put(self, name: PictureName, picture: Fetched) -> Archived:
        """Keep a picture; putting the same one again leaves one file.

        Raises:
            OSError: The folder or the object storage did not take it.
        """
        return self._put(name.relative(ENDINGS[picture.format]), picture.content)

    def find(self, name: PictureName) -> ArchivedPicture | None:
        """Find a picture by what it shows: an earlier try may have kept it and died before it said so.

        Returns:
            The picture; None when there is none.

        Raises:
            OSError: The folder or the object storage could not be read.
        """
        for kind, ending in ENDINGS.items():
            relative = name.relative(ending)
            if (content := self._read(relative)) is not None:
                return ArchivedPicture(self._place(relative), content, kind)
        return None

    def put_thumbnail(self, name: PictureName, content: bytes) -> Archived:
        """Keep the small copy of a picture.

        Args:
            content: Bytes of a JPEG.

        Raises:
            OSError: The folder or the object storage did not take it.
        """
        return self._put(f"{THUMBNAILS}/{name.relative('jpg')}", content)

    def put_input(self, sha256: str, content: bytes) -> Archived:
        """Keep the small copy of an input image.

        Args:
            sha256: Digest of the image itself, hex.
            content: Bytes of a JPEG.

        Raises:
            OSError: The folder or the object storage did not take it.
        """
        return self._put(_by_digest(INPUTS, sha256, "JPEG"), content)

    def read_input(self, sha256: str) -> bytes | None:
        """Read the small copy of an input image.

        Args:
            sha256: Digest of the image itself, hex.

        Returns:
            Bytes of a JPEG; None when there is none.

        Raises:
            OSError: The folder or the object storage could not be read.
        """
        return self._read(_by_digest(INPUTS, sha256, "JPEG"))

    def put_repaired(self, sha256: str, content: bytes, kind: str) -> Archived:
        """Keep what is sent in place of an input image.

        Args:
            sha256: Digest of the image as it was, hex.
            content: Bytes of the repaired image.
            kind: Its format, ``JPEG`` or ``PNG``.

        Raises:
            OSError: The folder or the object storage did not take it.
        """
        return self._put(_by_digest(REPAIRED, sha256, kind), content)

    def _put(self, relative: str, content: bytes) -> Archived:
        # Writing the same again would be a new version in a bucket that keeps them, and a new upload.
        if self._read(relative) != content:
            if self._folder is None:
                # An object appears whole when its upload ends: no temporary name is needed.
                with self._plain_errors():
                    self._root.fs.pipe_file(self._object(relative), content)
            else:
                _put_file(self._folder / relative, content)
        return self._place(relative)

    def _read(self, relative: str) -> bytes | None:
        with nullcontext() if self._folder is not None else self._plain_errors():
            try:
                if self._folder is not None:
                    return (self._folder / relative).read_bytes()
                return bytes(self._root.fs.cat_file(self._object(relative)))
            except FileNotFoundError:
                return None

    def _plain_errors(self) -> AbstractContextManager[None]:
        return plain_storage_errors(f"the archive {self._settings.path}")

    def _place(self, relative: str) -> Archived:
        # Not the storage's own path, which names the connection: this may end up in the catalogue.
        bucket = f"{self._settings.path.rstrip('/')}/{relative}"
        path = bucket if self._folder is None else str(self._folder / relative)
        base = self._settings.public_url
        return Archived(path, f"{base.rstrip('/')}/{quote(relative)}" if base else path)

    @cached_property
    def _root(self) -> ObjectStoragePath:
        return object_at(self._settings.path, self._settings.conn_id)

    def _object(self, relative: str) -> str:
        return f"{self._root.path.rstrip('/')}/{relative}"


def _by_digest(folder: str, sha256: str, kind: str) -> str:
    if not _DIGEST.fullmatch(sha256):
        raise ValueError(f"a SHA-256 digest in hex is expected, not {sha256!r}")
    return f"{folder}/{sha256}.{ENDINGS[kind]}"


def _put_file(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Whoever looks at the name sees a whole picture or none.
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _safe(text: str) -> str:
    """Make a file name's part of any text: letters and digits of every script stay, the rest is a dash."""
    dashed = re.sub(r"[^\w.]+", "-", unicodedata.normalize("NFC", text)).strip("-._")
    # A cut may go through the middle of a character.
    return dashed.encode("utf-8", "ignore")[:LONGEST_PART_BYTES].decode("utf-8", "ignore").rstrip("-._")
