"""Pictures for the pages, out of the archive: by look and number, never by a path that an address names."""

from __future__ import annotations

import asyncio
import hashlib
import io
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy import select

from tryon_catalogue.ledger.tables import looks, pictures
from tryon_catalogue.pictures.archive import Archive
from tryon_catalogue.pictures.fetch import FetchError, open_fetcher
from tryon_catalogue.pictures.kinds import JPEG, PNG, kind_of
from tryon_catalogue.pictures.opening import open_picture
from tryon_catalogue.reporting.report.thumbnails import reader_of

if TYPE_CHECKING:
    from sqlalchemy import Row

    from tryon_catalogue.desk.serving import Shop
    from tryon_catalogue.settings import FetchSettings

_UNREADABLE: Final = (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError)
_ENDINGS: Final = {"image/jpeg": "jpg", "image/png": "png"}


class Kind(StrEnum):
    """What a picture is to a look. The values stand in addresses."""

    NEW = "new"
    """Made, and not in the catalogue."""
    SHOWN = "shown"
    """In the catalogue."""
    MODEL = "model"
    TOPS = "tops"
    PANTS = "pants"
    MASK = "mask"


RESULTS: Final = frozenset({Kind.NEW, Kind.SHOWN})


class Size(StrEnum):
    """How large a picture is wanted. The values stand in addresses."""

    THUMBNAIL = "thumbnail"
    SCREEN = "screen"
    WHOLE = "whole"


PIXELS: Final = {Size.THUMBNAIL: (256, 342), Size.SCREEN: (1200, 1600)}
"""The most pixels of the sizes that are made, width and height."""


class NoPictureError(Exception):
    """There is no such picture, or it cannot be read."""


@dataclass(frozen=True, slots=True)
class PictureOf:
    """Which picture is asked for.

    Attributes:
        key: Of the look.
        number: Place among the look's pictures, from 0; 0 for what went in.
    """

    key: str
    kind: Kind
    number: int
    size: Size


def read_picture(shop: Shop, asked: PictureOf) -> bytes:
    """Read a picture of a look, in the size that is asked for.

    Raises:
        NoPictureError: There is none.
    """
    content = _result(shop, asked) if asked.kind in RESULTS else _input(shop, asked)
    if asked.size is Size.WHOLE:
        return content
    try:
        return _no_larger(content, PIXELS[asked.size])
    except _UNREADABLE as error:
        raise NoPictureError(str(error)) from error


def media_type(content: bytes) -> str:
    """Give what a picture is, for a browser."""
    return "image/png" if kind_of(content) == PNG else "image/jpeg"


def file_name(asked: PictureOf, content: bytes) -> str:
    """Give the name under which a browser saves a picture: it says what it is and holds no path."""
    return f"{asked.key[:10]}-{asked.kind.value}-{asked.number + 1}.{_ENDINGS[media_type(content)]}"


def _result(shop: Shop, asked: PictureOf) -> bytes:
    with shop.engine.connect() as connection:
        row = connection.execute(
            select(pictures.c.path, pictures.c.thumbnail).where(
                pictures.c.look_key == asked.key,
                pictures.c.shown == (asked.kind is Kind.SHOWN),
                pictures.c.number == asked.number,
            )
        ).one_or_none()
    if row is None:
        raise NoPictureError("no such picture")
    places = [row.thumbnail, row.path] if asked.size is Size.THUMBNAIL else [row.path]
    read = reader_of(shop.settings.archive)
    for place in filter(None, places):
        try:
            content = read(place)
        except OSError:
            continue
        if kind_of(content) in {JPEG, PNG}:
            return content
    raise NoPictureError("the archive has no such picture")


def _input(shop: Shop, asked: PictureOf) -> bytes:
    with shop.engine.connect() as connection:
        look = connection.execute(select(looks).where(looks.c.key == asked.key)).one_or_none()
    sha256 = None if look is None or asked.number else _digest_of(look, asked.kind)
    if look is None or sha256 is None:
        raise NoPictureError("no such picture")
    if asked.size is Size.WHOLE:
        url = getattr(look, f"{asked.kind.value}_image")
        whole = asyncio.run(_from_shop(shop.settings.fetch, url, sha256))
        if whole is not None:
            return whole
    try:
        small = Archive(shop.settings.archive).read_input(sha256)
    except OSError as error:
        raise NoPictureError(str(error)) from error
    if small is None:
        raise NoPictureError("the archive has no copy of it")
    return small


def _digest_of(look: Row[tuple[object, ...]], kind: Kind) -> str | None:
    digest: str | None = getattr(look, f"{kind.value}_sha256")
    return digest


async def _from_shop(limits: FetchSettings, url: str, sha256: str) -> bytes | None:
    """Fetch what went in from where the vendor has it from; None where it is not there, or another picture by now."""
    patient = limits.model_copy(update={"timeout_seconds": min(limits.timeout_seconds, 8)})
    try:
        async with open_fetcher(patient, connections=1) as fetcher:
            found = await fetcher.fetch_input(url, max_bytes=limits.max_bytes)
    except FetchError:
        return None
    if found is None or hashlib.sha256(found.content).hexdigest() != sha256:
        return None
    return found.content if kind_of(found.content) in {JPEG, PNG} else None


def _no_larger(content: bytes, most: tuple[int, int]) -> bytes:
    with open_picture(content) as image:
        if image.width <= most[0] and image.height <= most[1]:
            return content
        image.draft("RGB", most)  # a JPEG is decoded no larger than it is needed, and no smaller
        upright = ImageOps.exif_transpose(image)
        alpha = "A" in upright.getbands() or "transparency" in upright.info
        plain = upright.convert("RGBA" if alpha else "RGB")
    plain.thumbnail(most, Image.Resampling.LANCZOS)
    if alpha:
        flat = Image.new("RGB", plain.size, "white")
        flat.paste(plain, mask=plain.getchannel("A"))
        plain = flat
    encoded = io.BytesIO()
    plain.save(encoded, "JPEG", quality=86)
    return encoded.getvalue()
