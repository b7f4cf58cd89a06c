"""Makes the archive's pictures small enough that thousands of them fit into one page.

It is given places in the archive and gives the bytes of small images.
"""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageOps, UnidentifiedImageError

from tryon_catalogue.pictures.archive import INPUTS
from tryon_catalogue.pictures.opening import open_picture
from tryon_catalogue.storage import plain_storage_errors

if TYPE_CHECKING:
    from tryon_catalogue.settings import ArchiveSettings

MEDIA_TYPE: Final = "image/webp"
_QUALITY: Final = 62
_EFFORT: Final = 2  # of 6: beyond it files hardly get smaller
_KEPT: Final = 10_000  # small images kept for the next page, about 3 kB each
_AT_ONCE: Final = min(8, 2 + (os.cpu_count() or 1))
_UNREADABLE: Final = (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError)

Size = tuple[int, int]
Read = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class ThumbnailRequest:
    """A small image that a page needs.

    Attributes:
        places: Where the archive may have the image, the cheapest to read first.
        sha256: Digest of the image's bytes, hex: the same image is made small once.
        size: Width and height in pixels that it is to fill.
    """

    places: tuple[str, ...]
    sha256: str
    size: Size


class Thumbnails:
    """Makes small images and keeps them for the next page. Safe to use from several threads.

    Args:
        read: Gives the bytes at a place of the archive; see `reader_of`.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._made: OrderedDict[tuple[str, Size], bytes] = OrderedDict()
        self._lock = Lock()

    def of(self, requests: Collection[ThumbnailRequest]) -> Mapping[ThumbnailRequest, bytes]:
        """Make small images of those that can be read; the others are missing from what is returned.

        Args:
            requests: May name one image several times.

        Returns:
            Images of `MEDIA_TYPE`.
        """
        distinct = list(dict.fromkeys(requests))
        with ThreadPoolExecutor(_AT_ONCE) as workers:
            found = zip(distinct, workers.map(self._thumbnail, distinct), strict=True)
            return {request: small for request, small in found if small is not None}

    def _thumbnail(self, request: ThumbnailRequest) -> bytes | None:
        key = (request.sha256, request.size)
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        for place in request.places:
            try:
                small = shrink(self._read(place), request.size)
            except _UNREADABLE:
                continue
            with self._lock:
                self._made[key] = small
                if len(self._made) > _KEPT:
                    self._made.popitem(last=False)
            return small
        return None


def shrink(content: bytes, size: Size) -> bytes:
    """Make an image small, whole and upright; what is left of the size is filled with the image's own ground.

    Args:
        content: An encoded image.
        size: Width and height in pixels of the result.

    Returns:
        An image of `MEDIA_TYPE`.

    Raises:
        OSError: It is no image that can be read (or ValueError, SyntaxError, as Pillow has it)
    """
    with open_picture(content) as image:
        image.draft("RGB", size)  # a JPEG is decoded no larger than it is needed
        upright = ImageOps.exif_transpose(image)
        rgba = (
            upright.convert("RGBA") if "A" in upright.getbands() or "transparency" in upright.info else None
        )
        flat = Image.new("RGB", upright.size, "white")
        flat.paste(rgba or upright.convert("RGB"), mask=rgba.getchannel("A") if rgba else None)
    small = ImageOps.contain(flat, size, Image.Resampling.LANCZOS)
    ground = small.crop((0, 0, 1, 1)).tobytes()
    field = Image.new("RGB", size, (ground[0], ground[1], ground[2]))
    field.paste(small, ((size[0] - small.width) // 2, (size[1] - small.height) // 2))
    encoded = io.BytesIO()
    field.save(encoded, "WEBP", quality=_QUALITY, method=_EFFORT)
    return encoded.getvalue()


def reader_of(archive: ArchiveSettings) -> Read:
    """Give what reads the bytes at a place of the archive: a path, or a URL of its object storage.

    What is returned raises OSError when there is nothing to read.
    """

    def read(place: str) -> bytes:
        if "://" not in place or place.startswith("file://"):
            return Path(place.removeprefix("file://")).read_bytes()
        from airflow.sdk import ObjectStoragePath

        with plain_storage_errors(place):
            content: bytes = ObjectStoragePath(place, conn_id=archive.conn_id).read_bytes()
        return content

    return read


def place_of_input(archive: ArchiveSettings, sha256: str) -> str:
    """Give the place of the small copy that the archive keeps of an input image.

    Args:
        sha256: Digest of the image's bytes, hex.
    """
    return f"{archive.path.rstrip('/')}/{INPUTS}/{sha256}.jpg"
