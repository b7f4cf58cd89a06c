"""The archive: where pictures are kept with us, under names that tell what they show.

The vendor's links die, so what the catalogue gets is an address of ours. It knows no ledger and no vendor.
"""

from __future__ import annotations

import os
import re
import unicodedata
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from tryon_catalogue.fetch import Fetched
    from tryon_catalogue.settings import ArchiveSettings

ENDINGS = {"JPEG": "jpg", "PNG": "png"}
LONGEST_PART_BYTES = 120  # of one part of a name; file systems take 255 for the whole of it


@dataclass(frozen=True, slots=True)
class PictureName:
    """What a picture's name tells.

    :param collection: of the garment; may be empty
    :param sku: of the garment
    :param model: roster name; empty when the export named the picture of the model
    :param look_key: the look's key, of which the beginning keeps names apart
    :param number: place among the look's pictures, from 0
    """

    collection: str
    sku: str
    model: str
    look_key: str
    number: int

    def relative(self, ending: str) -> str:
        """Give the path below the archive's root, with forward slashes."""
        folder = _safe(self.collection) or "no-collection"
        parts = [_safe(self.model) or "model", self.look_key[:10], str(self.number + 1)]
        return f"{folder}/{_safe(self.sku) or 'sku'}/{'-'.join(parts)}.{ending}"


@dataclass(frozen=True, slots=True)
class Archived:
    """Where a picture was put.

    :param path: full path or object storage URL
    :param url: what the catalogue's readers use
    """

    path: str
    url: str


class Archive:
    """The folder or bucket that the settings name.

    :param settings: the ``[archive]`` section
    """

    def __init__(self, settings: ArchiveSettings) -> None:
        self._settings = settings
        local = "://" not in settings.path or settings.path.startswith("file://")
        self._folder = Path(settings.path.removeprefix("file://")) if local else None

    def put(self, name: PictureName, picture: Fetched) -> Archived:
        """Keep a picture; putting the same one again leaves one file.

        :param name: what it shows
        :param picture: its bytes
        :raises OSError: the folder or the object storage did not take it
        """
        relative = name.relative(ENDINGS[picture.format])
        if self._folder is None:
            path = self._put_object(relative, picture.content)
        else:
            path = _put_file(self._folder / relative, picture.content)
        base = self._settings.public_url
        return Archived(path, f"{base.rstrip('/')}/{quote(relative)}" if base else path)

    def _put_object(self, relative: str, content: bytes) -> str:
        from airflow.sdk import ObjectStoragePath  # noqa: PLC0415  # heavy

        # An object appears whole when its upload ends: no temporary name is needed.
        root = ObjectStoragePath(self._settings.path, conn_id=self._settings.conn_id)
        (root / relative).write_bytes(content)
        # Not its str(), which names the connection: this may end up in the catalogue.
        return f"{self._settings.path.rstrip('/')}/{relative}"


def _put_file(target: Path, content: bytes) -> str:
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
    return str(target)


def _safe(text: str) -> str:
    """Make a file name's part of any text: letters and digits of every script stay, the rest is a dash."""
    dashed = re.sub(r"[^\w.]+", "-", unicodedata.normalize("NFC", text)).strip("-._")
    # A cut may go through the middle of a character.
    return dashed.encode("utf-8", "ignore")[:LONGEST_PART_BYTES].decode("utf-8", "ignore").rstrip("-._")
