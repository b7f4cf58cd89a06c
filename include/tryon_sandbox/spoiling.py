"""The ways a result picture can come out wrong, and what each one makes of a good one.

Some need what the picture was drawn from: that is a `Sitting`, and drawing a look at all goes through one too.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from PIL import Image, ImageOps, ImageStat

_TINY_PX = 32
_LEFT_OF_A_CROPPED_SIDE = 0.62
_GREY = (127, 127, 127)
_OTHER_CLOTH = (((70, 0, 60), (255, 120, 240)), ((30, 60, 0), (190, 250, 40)))
"""Colours of cloth, from shade to light, of which one is far from any garment's own: pink and lime."""


class Renderer(Protocol):
    """How a look is drawn, but for fit type and number: see `rendering.render`."""

    def __call__(
        self,
        model: Image.Image,
        tops: Image.Image,
        pants: Image.Image | None,
        mask: Image.Image | None,
        /,
    ) -> Image.Image:
        """Draw `model` wearing the garments."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """What one result picture is drawn from, decoded, and how.

    Attributes:
        model, tops, pants, mask: The images of the sub-task.
        renderer: Draws them.
    """

    model: Image.Image
    tops: Image.Image
    pants: Image.Image | None
    mask: Image.Image | None
    renderer: Renderer

    def drawn(self) -> Image.Image:
        """The picture in RGB."""
        return self.renderer(self.model, self.tops, self.pants, self.mask).convert("RGB")


class Spoiling(StrEnum):
    """A way in which a result picture can be no good."""

    BLANK = "blank"
    """One grey plane."""
    TINY = "tiny"
    """A picture of 32 x 32 pixels."""
    NOT_A_PICTURE = "not_a_picture"
    """A page of text under a picture's name."""
    UNCHANGED_INPUT = "unchanged_input"
    """The model as photographed: nothing was put on."""
    WRONG_GARMENT = "wrong_garment"
    """The model in garments of the same cut, but in other colours."""
    CROPPED = "cropped"
    """A part of the picture, without head and feet, drawn out to the size of the whole."""


def spoilt(how: Spoiling, content: bytes, sitting: Callable[[], Sitting]) -> bytes:
    """Make a bad result of a good one.

    Args:
        content: The good one's bytes.
        sitting: Gives what it was drawn from; asked only when that is needed.
    Returns:
        The bytes to send in its place: a JPEG, but for `Spoiling.NOT_A_PICTURE`.
    """
    if how is Spoiling.NOT_A_PICTURE:
        return b"<html>sorry</html>"
    output = io.BytesIO()
    _WAYS[how](content, sitting).save(output, "JPEG")
    return output.getvalue()


def _blank(content: bytes, _: Callable[[], Sitting]) -> Image.Image:
    return Image.new("RGB", _opened(content).size, _GREY)


def _tiny(content: bytes, _: Callable[[], Sitting]) -> Image.Image:
    return _opened(content).resize((_TINY_PX, _TINY_PX))


def _unchanged(_: bytes, sitting: Callable[[], Sitting]) -> Image.Image:
    return sitting().model.convert("RGB")


def _in_other_cloth(_: bytes, sitting: Callable[[], Sitting]) -> Image.Image:
    look = sitting()
    pants = None if look.pants is None else _recoloured(look.pants)
    return replace(look, tops=_recoloured(look.tops), pants=pants).drawn()


def _cropped(content: bytes, _: Callable[[], Sitting]) -> Image.Image:
    picture = _opened(content)
    width, height = (side * _LEFT_OF_A_CROPPED_SIDE for side in picture.size)
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    part = (round(left), round(top), round(left + width), round(top + height))
    return picture.resize(picture.size, Image.Resampling.BICUBIC, part)


_WAYS: dict[Spoiling, Callable[[bytes, Callable[[], Sitting]], Image.Image]] = {
    Spoiling.BLANK: _blank,
    Spoiling.TINY: _tiny,
    Spoiling.UNCHANGED_INPUT: _unchanged,
    Spoiling.WRONG_GARMENT: _in_other_cloth,
    Spoiling.CROPPED: _cropped,
}


def _opened(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content)) as picture:
        return picture.convert("RGB")


def _recoloured(garment: Image.Image) -> Image.Image:
    """The garment in the cloth that is farther from its own colours; cut, folds and pattern stay."""
    plain = garment.convert("RGB")
    width, height = plain.size
    middle = plain.crop((width // 3, height // 4, width - width // 3, height - height // 4))
    own = ImageStat.Stat(middle).mean

    def distance(cloth: tuple[tuple[int, int, int], tuple[int, int, int]]) -> float:
        return sum(abs(mean - (dark + light) / 2) for mean, dark, light in zip(own, *cloth, strict=True))

    shade, light = max(_OTHER_CLOTH, key=distance)
    return ImageOps.colorize(plain.convert("L"), shade, light)
