"""What a look's pictures are compared with: its inputs, read once, with the places and colours that matter in them.

An input that is not at hand, or cannot be read, is simply not there.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from threading import Lock
from typing import Final

from tryon_catalogue.publishing.judgement.colour import Bools, Floats, seen_from_afar
from tryon_catalogue.publishing.judgement.measures import View
from tryon_catalogue.publishing.judgement.pictures import (
    UnreadableError,
    compared_size,
    shrunk,
    view_of,
)
from tryon_catalogue.publishing.judgement.regions import (
    Zones,
    is_some,
    middle,
    rows_between,
    thing_before_ground,
    zones_of,
)

_WHITE: Final = 127
_GARMENT_SIDE_PX: Final = 224
"""A garment's colours are read off a smaller picture: they are compared from afar."""
_MASK_NAMES_NOTHING: Final = 0.02
_MODELS_KEPT: Final = 8
_GARMENTS_KEPT: Final = 64
"""So many are kept as they were read: few of them make many looks."""
_one_reader: Final = Lock()
"""The looks of a model often come at once: the first of them reads it for all."""


class Part(StrEnum):
    """Which part of what is worn a garment makes up."""

    WHOLE = "whole"
    UPPER = "upper"
    LOWER = "lower"


_SHARES: Final = {Part.WHOLE: (0.0, 1.0), Part.UPPER: (0.0, 0.62), Part.LOWER: (0.5, 1.0)}
"""From where to where on a person, crown 0 and soles 1, a garment is looked for. A top may fall over trousers."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a look was made from, as far as it is at hand: pictures of up to 512 pixels will do.

    Attributes:
        model: The model's picture; None when it is not at hand.
        tops: The upper or the whole-body garment; None when it is not at hand.
        pants: The lower garment; None when the look has none, or it is not at hand.
        mask: Where was to be painted (white); None when the look has none, or it is not at hand.
        model_size: Width and height in pixels of the model's picture as it was sent; that of `model` when None.
        wears_pants: Whether the look has a lower garment; when None, it has one if `pants` is given.
    """

    model: bytes | None = field(default=None, repr=False)
    tops: bytes | None = field(default=None, repr=False)
    pants: bytes | None = field(default=None, repr=False)
    mask: bytes | None = field(default=None, repr=False)
    model_size: tuple[int, int] | None = None
    wears_pants: bool | None = None


@dataclass(frozen=True, slots=True)
class Garment:
    """A garment that should be worn.

    Attributes:
        colours: Its colours (n, 3) in CIELAB, its background left out; None when its image is not at hand.
    """

    part: Part
    colours: Floats | None


@dataclass(frozen=True, slots=True)
class Reference:
    """The inputs of one look, ready to be compared with.

    Attributes:
        model: The model's picture; None when it is not at hand.
        size: Width and height in pixels of the model's picture as it was sent; None when not known.
        zones: Where the model's picture may change; None without one.
        garments: What should be worn.
    """

    model: View | None
    size: tuple[int, int] | None
    zones: Zones | None
    garments: tuple[Garment, ...]

    @classmethod
    def of(cls, inputs: Inputs, *, max_pixels: int) -> "Reference":
        """Read a look's inputs.

        Args:
            max_pixels: A picture of more is taken for one that cannot be read.
        """
        two = inputs.pants is not None if inputs.wears_pants is None else inputs.wears_pants
        with _one_reader:
            model, zones = _model(inputs.model, inputs.mask, max_pixels)
        garments = [Garment(Part.UPPER if two else Part.WHOLE, _colours(inputs.tops, max_pixels))]
        if two:
            garments.append(Garment(Part.LOWER, _colours(inputs.pants, max_pixels)))
        size = inputs.model_size or (None if model is None else model.size)
        return cls(model, size, zones, tuple(garments))

    def place_of(self, garment: Garment, worn: Bools) -> Bools | None:
        """Say where a garment is to be looked for.

        Args:
            worn: Where a picture differs from the model's, as far as a garment can be there.

        Returns:
            Its part of that; None when there is next to nothing.
        """
        figure = None if self.zones is None else self.zones.figure
        body = worn if figure is None else figure
        place = worn & rows_between(body, *_SHARES[garment.part]) if is_some(body) else worn
        return place if is_some(place) else None

    def covered(self, garment: Garment, worn: Bools) -> float | None:
        """Say what share of its part of the person a garment covers, as far as `worn` tells; None if none is found."""
        if self.zones is None or self.zones.figure is None:
            return None
        part = rows_between(self.zones.figure, *_SHARES[garment.part])
        person = self.zones.figure & self.zones.wearable & part
        return float(worn[person].mean()) if is_some(person) else None


@lru_cache(maxsize=_MODELS_KEPT)
def _model(content: bytes | None, mask: bytes | None, max_pixels: int) -> tuple[View | None, Zones | None]:
    """The model's picture and where it may change."""
    model = _view(content, max_pixels)
    if model is None:
        return None, None
    where = _view(mask, max_pixels, model.size)
    painted = None if where is None else where.grey > _WHITE
    if painted is not None and float(painted.mean()) < _MASK_NAMES_NOTHING:
        painted = None
    return model, zones_of(model.lab, painted)


@lru_cache(maxsize=_GARMENTS_KEPT)
def _colours(content: bytes | None, max_pixels: int) -> Floats | None:
    """The colours of a garment."""
    view = _view(content, max_pixels)
    if view is None:
        return None
    view = view_of(view.image, compared_size(view.size, _GARMENT_SIDE_PX))
    garment = thing_before_ground(view.lab, on_floor=False)
    return seen_from_afar(view.lab, middle(view.lab) if garment is None else garment)


def _view(content: bytes | None, max_pixels: int, size: tuple[int, int] | None = None) -> View | None:
    if content is None:
        return None
    try:
        picture, own_size = shrunk(content, max_pixels=max_pixels)
    except UnreadableError:
        return None
    return view_of(picture, size or compared_size(own_size))
