"""The rules for an image of the shop before the vendor gets it: from a file's bytes to what is wrong with it.

A finding rejects where the vendor's document sets a limit, or where nothing could be made of the image. Where
the document only recommends, or is silent, a finding warns: the vendor may well take the image. Whether an
image shows one whole person cannot be told here; the vendor says so, and such a look is then refused alone.

The image library is loaded when the first image is checked, so that the names of the rules cost nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from damo_tryon.contract import IMAGE_FORMATS, MAX_IMAGE_BYTES, MIN_SIDE_PX
from tryon_catalogue.pictures.findings import Finding, ImageRole, ImageRule, finding

if TYPE_CHECKING:
    from tryon_catalogue.pictures.reading import Reading

__all__ = [
    "MAX_PIXELS",
    "THUMBNAIL_PX",
    "Finding",
    "ImageFacts",
    "ImageRole",
    "ImageRule",
    "Sized",
    "check_image",
    "examine_image",
    "finding",
    "mask_size_problem",
    "thumbnail",
]

MAX_PIXELS: Final = 40_000_000
"""Most pixels that are decoded. No rule of the vendor's: a guard for the machine that checks."""
THUMBNAIL_PX: Final = 512
"""Longest side of the small copies that are kept of images."""

_SHAPE: Final = 4 / 3
# A camera's 3:2 and a screen's 5:4 are near enough; a square and 16:9 are not.
_SHAPE_TOLERANCE: Final = 0.15


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image is and what is wrong with it.

    Attributes:
        role: The rules it was held to.
        sha256: Digest of the file's bytes, hex.
        format: ``JPEG``, ``PNG`` or whatever else it is, by content; None where that cannot be told.
        bytes: Size of the file.
        width: Pixels as stored in the file, before EXIF turns them; None when unknown.
        height: As ``width``.
        findings: Those that reject first; empty for a good image.
    """

    role: ImageRole
    sha256: str
    format: str | None
    bytes: int
    width: int | None
    height: int | None
    findings: tuple[Finding, ...]

    @property
    def rejection(self) -> Finding | None:
        """The first finding that rejects; None when the image may go to the vendor."""
        return next((finding for finding in self.findings if finding.rejects), None)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that do not reject."""
        return tuple(finding for finding in self.findings if not finding.rejects)


class Sized(Protocol):
    """Anything that knows the measures of an image, in pixels as stored: facts, or a row of the ledger."""

    @property
    def width(self) -> int | None:
        """Pixels; None when unknown."""

    @property
    def height(self) -> int | None:
        """Pixels; None when unknown."""


def check_image(content: bytes, role: ImageRole, *, max_pixels: int = MAX_PIXELS) -> ImageFacts:
    """Hold a file to the rules.

    Args:
        max_pixels: Width times height; an image that has more is rejected without being decoded.
    """
    return examine_image(content, role, max_pixels=max_pixels)[0]


def examine_image(
    content: bytes, role: ImageRole, *, max_pixels: int = MAX_PIXELS, longest: int = THUMBNAIL_PX
) -> tuple[ImageFacts, bytes | None]:
    """Hold a file to the rules and make the small copy of it, decoding it once.

    Args:
        max_pixels: As of `check_image`.
        longest: Side of the small copy, in pixels.

    Returns:
        The facts, and the small copy as JPEG; None where the file could not be decoded.
    """
    from tryon_catalogue.pictures.reading import read_image

    found = read_image(content, as_mask=role is ImageRole.MASK, max_pixels=max_pixels, longest=longest)
    broken = [
        finding(rule, measured, limit=f"at most {max_pixels:,} pixels" if rule is _GUARD else None)
        for rule, measure in _CHECKS[role]
        if (measured := measure(found)) is not None
    ]
    broken.sort(key=lambda finding: not finding.rejects)
    facts = ImageFacts(
        role=role,
        sha256=hashlib.sha256(content).hexdigest(),
        format=found.kind,
        bytes=found.size,
        width=found.width,
        height=found.height,
        findings=tuple(broken),
    )
    return facts, found.thumbnail


def mask_size_problem(mask: Sized, model: Sized) -> Finding | None:
    """Say what is wrong with a mask's size; it has to be the model's (vendor document, section 5.1).

    What is stored in the files is compared: EXIF does not turn a mask, and may not turn a model either.
    """
    if (mask.width, mask.height) == (model.width, model.height) or None in (model.width, model.height):
        return None
    return finding(
        ImageRule.MASK_SIZE,
        _size(mask),
        limit=f"exactly the size of the model's image, {_size(model)}",
    )


def thumbnail(content: bytes, longest: int = THUMBNAIL_PX, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """Make a small JPEG of an image: upright, on white where it is transparent, never enlarged.

    Args:
        content: A JPEG or PNG file.
        longest: Side of the small copy, in pixels.
        max_pixels: Width times height; what has more is not decoded.

    Raises:
        ValueError: The file cannot be decoded.
    """
    from tryon_catalogue.pictures.reading import small_jpeg

    return small_jpeg(content, longest, max_pixels)


def _size(image: Sized) -> str:
    if image.width is None or image.height is None:
        return "of unknown size"
    return f"{image.width:,} x {image.height:,} pixels"


def _empty(found: Reading) -> str | None:
    return "an empty file" if found.size == 0 else None


def _format(found: Reading) -> str | None:
    if found.size == 0 or found.kind in IMAGE_FORMATS:
        return None
    return "a file of an unknown kind" if found.kind is None else f"a file of the kind {found.kind}"


def _bytes(found: Reading) -> str | None:
    return f"{found.size:,} bytes" if found.size > MAX_IMAGE_BYTES else None


def _sides(found: Reading) -> str | None:
    if found.width is None or found.height is None or min(found.width, found.height) >= MIN_SIDE_PX:
        return None
    return _size(found)


def _pixels(found: Reading) -> str | None:
    return _size(found) if found.too_many_pixels else None


def _work(found: Reading) -> str | None:
    return f"a {found.kind} file that {found.too_much_work}" if found.too_much_work else None


def _whole(found: Reading) -> str | None:
    return f"a {found.kind} file that cannot be read ({found.trouble})" if found.trouble else None


def _shape(found: Reading) -> str | None:
    if not found.width or not found.height:
        return None
    shape = max(found.width, found.height) / min(found.width, found.height)
    if abs(shape / _SHAPE - 1) <= _SHAPE_TOLERANCE:
        return None
    kind = "a square" if shape == 1 else f"one side {shape:.2f} times as long as the other"
    return f"{_size(found)}, {kind}"


def _rotated(found: Reading) -> str | None:
    if found.orientation == 1:
        return None
    return f"stored lying, upside down or mirrored, to be turned when shown (EXIF orientation {found.orientation})"


def _several(found: Reading) -> str | None:
    return f"{found.frames} images in the file" if found.frames > 1 else None


def _print(found: Reading) -> str | None:
    return "print colours (CMYK)" if found.mode == "CMYK" else None


def _depth(found: Reading) -> str | None:
    return f"{found.bits} bits a colour" if found.bits > 8 else None


def _transparent(found: Reading) -> str | None:
    return "transparent pixels" if found.transparent else None


def _mask_grey(found: Reading) -> str | None:
    if found.mask is None:
        return None
    if found.bits > 8:
        return f"{found.bits} bits a pixel, in which white is not 255"
    total = found.mask.black + found.mask.white + found.mask.other
    return f"{found.mask.other:,} of {total:,} pixels are neither" if found.mask.other else None


def _mask_empty(found: Reading) -> str | None:
    if found.mask is None or found.mask.other or (found.mask.black and found.mask.white):
        return None
    return "black all over" if found.mask.black else "white all over"


def _mask_depth(found: Reading) -> str | None:
    if found.mask is None or (found.bits == 8 and found.mode != "P"):
        return None
    return "a palette" if found.mode == "P" else f"{found.bits} bits a pixel"


_GUARD: Final = ImageRule.TOO_MANY_PIXELS
_Checks = tuple[tuple[ImageRule, Callable[["Reading"], str | None]], ...]
_FOR_ALL: Final[_Checks] = (
    (ImageRule.EMPTY, _empty),
    (ImageRule.FORMAT, _format),
    (ImageRule.TOO_MANY_PIXELS, _pixels),
    (ImageRule.TOO_MUCH_WORK, _work),
    (ImageRule.NOT_WHOLE, _whole),
    (ImageRule.TOO_MANY_BYTES, _bytes),
    (ImageRule.TOO_SMALL, _sides),
    (ImageRule.ROTATED, _rotated),
    (ImageRule.SEVERAL_IMAGES, _several),
    (ImageRule.TRANSPARENT, _transparent),
)
_CHECKS: Final[Mapping[ImageRole, _Checks]] = MappingProxyType(
    {
        ImageRole.PICTURE: (
            *_FOR_ALL,
            (ImageRule.SHAPE, _shape),
            (ImageRule.PRINT_COLOURS, _print),
            (ImageRule.DEPTH, _depth),
        ),
        ImageRole.MASK: (
            *_FOR_ALL,
            (ImageRule.MASK_GREY, _mask_grey),
            (ImageRule.MASK_EMPTY, _mask_empty),
            (ImageRule.MASK_DEPTH, _mask_depth),
        ),
    }
)
