"""Repairing an image of the shop: a copy that keeps the vendor's rules, of an image that breaks them.

Repaired are: too many bytes, WebP, and an image that only EXIF turns upright. Nothing is ever enlarged, shrunk
or cropped, so the copy shows what the original shows. Where more than that is wrong there is no copy.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Final

from PIL import Image

from damo_tryon.contract import MAX_IMAGE_BYTES
from tryon_catalogue.pictures.kinds import JPEG, PNG, WEBP
from tryon_catalogue.pictures.opening import FORMATS, open_picture
from tryon_catalogue.pictures.reading import SPOILT, exif_orientation, on_white, upright
from tryon_catalogue.pictures.rules import MAX_PIXELS, ImageFacts, ImageRole, ImageRule, check_image

_REPAIRABLE: Final = frozenset({ImageRule.TOO_MANY_BYTES, ImageRule.ROTATED})
_QUALITIES: Final = (95, 90, 85)
"""Of JPEG, the best first. Below the last one the loss begins to show."""
_FULL_COLOUR_FROM: Final = 95
_JPEG_MODES: Final = frozenset({"L", "RGB", "CMYK"})
_COLOURS_OF_A_DRAWING: Final = 4096
_GREYS_OF_A_DRAWING: Final = 64
_COLOUR_MODES: Final = frozenset({"P", "RGB", "RGBA"})
_PNG_MODES: Final = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_UNREADABLE: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning, *SPOILT)


def repair(content: bytes, facts: ImageFacts, *, max_pixels: int = MAX_PIXELS) -> bytes | None:
    """Make a copy that keeps the rules.

    A copy of an image that EXIF turns has other measures than the original: a mask that fitted the original may
    not fit the copy.

    Args:
        facts: What `check_image` found.
        max_pixels: Width times height; what has more is not decoded.

    Returns:
        A JPEG or PNG file that no rule rejects; None when nothing needs a repair or none is possible.
    """
    if not _can_be_repaired(facts):
        return None
    try:
        with open_picture(content, (*FORMATS, WEBP.upper())) as image:
            if image.width * image.height > max_pixels or getattr(image, "n_frames", 1) > 1:
                return None  # nobody can say which of several images is meant
            image.load()
            turned = upright(image, exif_orientation(image))
            profile = image.info.get("icc_profile")
    except _UNREADABLE:
        return None
    for write in _ways(turned, facts):
        try:
            copy = write(turned, profile)
        except OSError:  # a side that is longer than the format can say
            return None
        if len(copy) <= MAX_IMAGE_BYTES:
            good = check_image(copy, facts.role, max_pixels=max_pixels).rejection is None
            return copy if good else None
    return None


def _can_be_repaired(facts: ImageFacts) -> bool:
    broken = {finding.rule for finding in facts.findings}
    rejecting = {finding.rule for finding in facts.findings if finding.rejects}
    if facts.format == WEBP:
        return rejecting <= _REPAIRABLE | {ImageRule.FORMAT}
    return bool(broken & _REPAIRABLE) and rejecting <= _REPAIRABLE


_Write = Callable[[Image.Image, bytes | None], bytes]


def _ways(image: Image.Image, facts: ImageFacts) -> Iterator[_Write]:
    """Ways to write the copy, the one that loses least first."""
    drawing = facts.format != JPEG and _is_drawing(image)
    exact = drawing or facts.role is ImageRole.MASK or image.has_transparency_data
    if exact and image.mode in _PNG_MODES:
        yield _png
    if facts.role is ImageRole.MASK:
        return  # JPEG makes greys
    for quality in _QUALITIES:
        yield _jpeg_of(quality)


def _is_drawing(image: Image.Image) -> bool:
    """A photograph never gets small as PNG, and finding that out takes seconds."""
    if image.mode not in _PNG_MODES or image.mode == "I;16":
        return False
    most = _GREYS_OF_A_DRAWING if image.mode == "L" else _COLOURS_OF_A_DRAWING
    return image.getcolors(most) is not None


def _png(image: Image.Image, profile: bytes | None) -> bytes:
    copy = io.BytesIO()
    image.save(copy, PNG, optimize=True, icc_profile=profile)
    return copy.getvalue()


def _jpeg_of(quality: int) -> _Write:
    def write(image: Image.Image, profile: bytes | None) -> bytes:
        as_it_is = image.mode in _JPEG_MODES and not image.has_transparency_data
        plain = image if as_it_is else on_white(image)
        copy = io.BytesIO()
        plain.save(
            copy,
            JPEG,
            quality=quality,
            subsampling="4:4:4" if quality >= _FULL_COLOUR_FROM else "4:2:0",
            # Not "optimize": the library then guesses the size of its buffer, and a noisy image has no room.
            # A profile of greys says nothing about colours.
            icc_profile=profile if as_it_is or image.mode in _COLOUR_MODES else None,
        )
        return copy.getvalue()

    return write
