"""From bytes to a picture of the size at which pictures are compared."""

import math
from typing import Final, NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

from tryon_catalogue.pictures.opening import open_picture
from tryon_catalogue.publishing.judgement.measures import View

SIDE_PX: Final = 384
"""Longer side at which pictures are compared: a head is some forty pixels high then, and judging is quick."""
_LEAST_SIDE_PX: Final = 16


class UnreadableError(Exception):
    """Something is no picture that can be compared. Says why, in words that fit after "cannot be read: "."""


class Shrunk(NamedTuple):
    """A picture that is decoded, no larger than is needed.

    Attributes:
        picture: Upright.
        size: Its own width and height in pixels, upright.
    """

    picture: Image.Image
    size: tuple[int, int]


def shrunk(content: bytes | Shrunk, *, max_pixels: int) -> Shrunk:
    """Decode a picture, no larger than is needed.

    Args:
        content: A file's bytes, or what somebody has decoded.
        max_pixels: More are not decoded.

    Returns:
        The picture in RGB.

    Raises:
        UnreadableError: It is none, is cut off, or has too many pixels.
    """
    if isinstance(content, Shrunk):
        _check_pixels(content.size, max_pixels)
        return content._replace(picture=content.picture.convert("RGB"))
    try:
        with open_picture(content) as picture:
            width, height = picture.size
            _check_pixels(picture.size, max_pixels)
            picture.draft("RGB", compared_size(picture.size))
            upright = ImageOps.exif_transpose(picture)
            turned = (upright.width > upright.height) != (width > height)
            return Shrunk(upright.convert("RGB"), (height, width) if turned else (width, height))
    except UnidentifiedImageError as error:  # its own words name an object in memory
        raise UnreadableError("it is of no kind of picture that is known") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableError(str(error) or type(error).__name__) from error


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise UnreadableError(f"it has {width} x {height} pixels, more than max_pixels = {max_pixels}")


def compared_size(size: tuple[int, int], side: int = SIDE_PX) -> tuple[int, int]:
    """Give the size at which a picture of that size is compared: its longer side is `side` pixels."""
    scale = side / max(size)
    return max(_LEAST_SIDE_PX, round(size[0] * scale)), max(_LEAST_SIDE_PX, round(size[1] * scale))


def view_of(picture: Image.Image, size: tuple[int, int]) -> View:
    """Make a picture ready to be compared at a size."""
    return View(picture if picture.size == size else picture.resize(size, Image.Resampling.BOX))


def shape_difference(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Say how far apart two shapes (width by height) are, as a share: 0 for the same, 0.5 for half as wide again."""
    return math.exp(abs(math.log(first[0] / first[1]) - math.log(second[0] / second[1]))) - 1
