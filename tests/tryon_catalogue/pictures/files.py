"""Image files for tests: good ones, and files spoilt in one way each."""

from __future__ import annotations

import io
import random
import struct
import zlib
from functools import cache
from typing import Any

from PIL import Image, ImageDraw

SIZE = (450, 600)


def drawn(size: tuple[int, int] = SIZE, mode: str = "RGB") -> Image.Image:
    """Draw one upright figure on a light ground."""
    image = Image.new("RGB", size, (240, 240, 240))
    width, height = size
    ImageDraw.Draw(image).rectangle(
        (width * 0.3, height * 0.04, width * 0.7, height * 0.96), fill=(70, 60, 90)
    )
    return image.convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Make the file of an image."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def turned_by_exif(orientation: int, size: tuple[int, int] = SIZE, kind: str = "JPEG") -> bytes:
    """Make a file that EXIF says is to be turned when it is shown."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(drawn(size), kind, exif=exif)


def several(kind: str, size: tuple[int, int] = SIZE) -> bytes:
    """Make a file of three images."""
    others = [Image.new("RGB", size, colour) for colour in ("red", "blue")]
    return encoded(drawn(size), kind, save_all=True, append_images=others)


def see_through(size: tuple[int, int] = SIZE) -> Image.Image:
    """Draw the figure with a transparent ground."""
    image = drawn(size, "RGBA")
    image.putalpha(image.convert("L").point(lambda level: 0 if level > 200 else 255))
    return image


def mask(size: tuple[int, int] = SIZE, *, black: int = 0, white: int = 255) -> Image.Image:
    """Draw a mask: a white block on black."""
    image = Image.new("L", size, black)
    image.paste(white, (size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2))
    return image


def with_one_pixel(image: Image.Image, value: Any) -> Image.Image:
    """Change one pixel of an image."""
    image.putpixel((7, 7), value)
    return image


def chunk(name: bytes, data: bytes) -> bytes:
    """Make one chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@cache
def written_png(
    width: int, height: int, *, bits: int = 8, colours: int = 0, sample: bytes = b"\x60", extra: bytes = b""
) -> bytes:
    """Write a PNG by hand: every byte of its pixels is the sample.

    Args:
        colours: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha.
        extra: Chunks that stand before the pixels.
    """
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    row = b"\0" + sample * -(-width * samples * bits // (8 * len(sample)))
    pressing = zlib.compressobj(1)
    pixels = b"".join(pressing.compress(row) for _ in range(height)) + pressing.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra
    return start + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def padded_to(size: int, content: bytes | None = None) -> bytes:
    """Fill a PNG up to an exact size with a chunk that means nothing."""
    content = content or encoded(drawn())
    end = content[-12:]
    filler = b"x" * (size - len(content) - 12)
    return content[:-12] + chunk(b"prVt", filler) + end


def jpeg_padded_to(size: int) -> bytes:
    """Fill a JPEG up to an exact size with comments."""
    content = encoded(drawn(), "JPEG")
    missing = size - len(content)
    comments = bytearray()
    while missing > 0:
        length = min(missing, 60_000)
        if 0 < missing - length < 4:
            length -= 4
        comments += b"\xff\xfe" + struct.pack(">H", length - 2) + b"x" * (length - 4)
        missing -= length
    return content[:2] + bytes(comments) + content[2:]


def noise(size: tuple[int, int], seed: int = 1) -> Image.Image:
    """Make an image that hardly compresses."""
    return Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))


def jpeg_of_scans(scans: int = 700, size: tuple[int, int] = (2400, 2400)) -> bytes:
    """A progressive JPEG whose last scan comes over and over."""
    file = io.BytesIO()
    Image.new("L", size, 128).save(file, "JPEG", progressive=True)
    content = file.getvalue()[:-2]
    last = content[content.rindex(b"\xff\xda") :]
    return content + last * (scans - content.count(b"\xff\xda")) + b"\xff\xd9"
