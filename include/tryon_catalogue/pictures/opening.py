"""The one way in which an image file is opened: what would take minutes to decode is refused before it is decoded.

Bytes and pixels are bounded where files are fetched and read. A small file can still ask for an hour's work.
"""

from __future__ import annotations

import io
import struct
import warnings
from typing import Final

from PIL import Image

from tryon_catalogue.pictures.kinds import JPEG, PNG, kind_of

FORMATS: Final = (JPEG, PNG)
MOST_SCANNED_PIXELS: Final = 1_000_000_000
"""Pixels times scans of a JPEG: about a second. A progressive photograph has some ten scans, be it of 50 megapixels."""
MOST_CHUNKS: Final = 20_000
"""Of a PNG; one of 50 megapixels that is cut up finely has half of that."""

_START_OF_SCAN: Final = b"\xff\xda"
_PIXELS_OF_A_SCAN: Final = 100_000  # at least, for a scan of few pixels has its price as well
_CHUNK: Final = struct.Struct(">I4s")
_PNG_SIGNATURE_BYTES: Final = 8
_CHECKSUM_BYTES: Final = 4
_PROFILE: Final = b"iCCP"

# A spoilt Exif block has thousands of them, each another line in a task's log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")


class TooMuchWorkError(ValueError):
    """Decoding a file would take far longer than its size and its pixels say. It was not begun."""


def open_picture(content: bytes, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """Open an image file; nothing of its pixels is decoded yet.

    Args:
        formats: Those it may be of, as the image library names them.

    Raises:
        TooMuchWorkError: It is made to keep a decoder busy.
        OSError: It is none, or one of the other errors of `reading.SPOILT`.
    """
    if kind_of(content) == PNG:
        _check_chunks(content)
    image = Image.open(io.BytesIO(content), formats=formats)
    if image.format in {JPEG, "MPO"}:
        # Data of pictures cannot hold the marker; a preview within Exif data holds one or two more.
        scans = content.count(_START_OF_SCAN)
        pixels = image.width * image.height
        if scans * max(pixels, _PIXELS_OF_A_SCAN) > MOST_SCANNED_PIXELS:
            image.close()
            raise TooMuchWorkError(
                f"has {scans:,} scans of {pixels:,} pixels, which takes too long to decode"
            )
    return image


def _check_chunks(content: bytes) -> None:
    """The image library unpacks a megabyte of each profile, and spends as long on an empty chunk as on any other."""
    place, chunks, profiles = _PNG_SIGNATURE_BYTES, 0, 0
    while place + _CHUNK.size <= len(content):
        length, name = _CHUNK.unpack_from(content, place)
        place += _CHUNK.size + length + _CHECKSUM_BYTES
        chunks += 1
        profiles += name == _PROFILE
        if chunks > MOST_CHUNKS:
            raise TooMuchWorkError(f"has more than {MOST_CHUNKS:,} chunks")
        if profiles > 1:
            raise TooMuchWorkError("has more than one colour profile")
