"""What is measured of a result picture: one function, one figure. No limit is known here, and no words.

Pictures come as `View`s of one size; `verdict` sees to that.
"""

from typing import Final

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from tryon_catalogue.publishing.judgement.colour import Bools, Floats, difference, to_lab

_COLOUR_STEP: Final = 5.0
"""Colours nearer than this (CIELAB) count as one and the same."""
_WINDOW_PX: Final = 3
"""Structures are compared in windows of 2 x this + 1 pixels."""
_STEADY: Final = (6.5, 58.5)
"""Constants of the structural similarity for 8 bits: (0.01 x 255)² and (0.03 x 255)²."""
_ALL_BUT_A_HUNDREDTH: Final = 99
_MAP_SIDE: Final = 56
_STEPS: Final = tuple(round(0.5 + step * 0.04, 2) for step in range(13))
"""Shares of a side that a cropped picture may have left, as far as they are tried: 0.50 to 0.98."""
_REACH_SHARE: Final = 0.018
"""How far, by the longer side, a part is looked for around its place."""
_FAINT_STEP: Final = 1.0
_BETTER: Final = 0.2
"""A part must fit the picture so much better than the whole does (correlation) to be believed."""


class View:
    """A picture at the size at which pictures are compared.

    What is made of it is made once, when it is first asked for. Not by ``functools.cached_property``, which before
    Python 3.12 lets only one thread make anything for any picture.

    Args:
        image: In RGB.
    """

    __slots__ = ("_grey", "_grey_image", "_lab", "image")

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self._lab: Floats | None = None
        self._grey: Floats | None = None
        self._grey_image: Image.Image | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image.size

    @property
    def lab(self) -> Floats:
        """Its colours in CIELAB (h, w, 3), softened a little, for fine grain is no difference."""
        if self._lab is None:
            self._lab = to_lab(np.asarray(self.image.filter(ImageFilter.BoxBlur(1))))
        return self._lab

    @property
    def grey(self) -> Floats:
        """Its levels of grey, 0..255 (h, w)."""
        if self._grey is None:
            self._grey = np.asarray(self.grey_image, dtype=np.float32)
        return self._grey

    @property
    def grey_image(self) -> Image.Image:
        """It without colours."""
        if self._grey_image is None:
            self._grey_image = self.image.convert("L")
        return self._grey_image


def detail(picture: View) -> float:
    """Give the mean step in grey levels from a pixel to the next."""
    grey = picture.grey
    steps = np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()
    return float(steps) / 2


def share_of_one_colour(picture: View) -> float:
    """Give the share of the picture in its most frequent colour."""
    lab = picture.lab[::2, ::2].reshape(-1, 3)
    boxes = np.floor(lab / (_COLOUR_STEP * 2)).astype(np.int32) + 32
    index = (boxes[:, 0] * 64 + boxes[:, 1]) * 64 + boxes[:, 2]
    commonest = int(np.argmax(np.bincount(index)))
    centre = lab[index == commonest].mean(axis=0)
    return float((difference(lab, centre) < _COLOUR_STEP).mean())


def likeness(first: View, second: View, region: Bools) -> float:
    """Give the mean structural similarity of a region: 1 for the same, about 0 for something else altogether."""
    box = _box_of(region)
    first_levels, second_levels = first.grey[box], second.grey[box]
    mean, other_mean, square, other_square, both = _blurred(
        np.stack(
            [
                first_levels,
                second_levels,
                first_levels * first_levels,
                second_levels * second_levels,
                first_levels * second_levels,
            ]
        )
    )
    spread = square - mean * mean + other_square - other_mean * other_mean
    light = (2 * mean * other_mean + _STEADY[0]) / (mean**2 + other_mean**2 + _STEADY[0])
    structure = (2 * (both - mean * other_mean) + _STEADY[1]) / (spread + _STEADY[1])
    return float((light * structure)[region[box]].mean())


def settled(reference: View, picture: View, region: Bools) -> View:
    """Give the picture moved by the few pixels that lay a region best on the reference's.

    A picture that was made anew may sit a little to the side; that is no other face.
    """
    rows, columns = _box_of(region)
    reach = round(max(reference.size) * _REACH_SHARE)
    height, width = reference.grey.shape
    around = (
        slice(max(0, rows.start - reach), min(height, rows.stop + reach)),
        slice(max(0, columns.start - reach), min(width, columns.stop + reach)),
    )
    part = _steps(reference.grey[rows, columns])
    if min(part.shape[:2]) < 2:
        return picture
    fits = _fits(_steps(picture.grey[around]), part)
    down, across = np.unravel_index(int(np.argmax(fits)), fits.shape)
    move_x = columns.start - around[1].start - int(across)
    move_y = rows.start - around[0].start - int(down)
    return View(ImageChops.offset(picture.image, move_x, move_y))


def apart(first: View, second: View) -> float:
    """Give the 99th percentile of two pictures' distances in CIELAB, pixel by pixel.

    The same picture saved anew differs a little everywhere, another picture of the same look much in few places.
    """
    return float(np.percentile(difference(first.lab, second.lab), _ALL_BUT_A_HUNDREDTH))


def visible_share(model: View, picture: View) -> float:
    """Say how much of the model's picture, as a share of its height, is left in a picture drawn out from a part.

    The picture, made smaller step by step, is laid on each place of the model's, and their edges are compared.

    Returns:
        1.0 where no part fits clearly better than the whole.
    """
    whole = _edges(model, 1.0)
    best_share, best = 1.0, float(_fits(whole, _edges(picture, 1.0)).max()) + _BETTER
    # No part correlates better than wholly: nearly all good pictures are done here.
    for share in _STEPS if best < 1 else ():
        fit = float(_fits(whole, _edges(picture, share)).max())
        if fit > best:
            best_share, best = share, fit
    return best_share


def _edges(view: View, share: float) -> Floats:
    """The steps of a picture at a share of the size at which whole pictures' steps are compared."""
    scale = _MAP_SIDE / max(view.size) * share
    size = (max(4, round(view.size[0] * scale)), max(4, round(view.size[1] * scale)))
    return _steps(np.asarray(view.grey_image.resize(size, Image.Resampling.BOX), dtype=np.float32))


def _steps(grey: Floats) -> Floats:
    """Steps of lightness down and across (h, w, 2)."""
    down, across = np.gradient(grey)
    steps = np.stack([down, across], axis=-1)
    # A loud pattern must not drown the outline of the person: long steps count by their root.
    length = np.sqrt(np.einsum("yxc,yxc->yx", steps, steps))[..., None]
    return np.asarray(steps / np.sqrt(length + _FAINT_STEP), dtype=np.float32)


def _fits(whole: Floats, part: Floats) -> Floats:
    """The correlation, -1..1, of a part with each place of the whole where it can lie (down, across)."""
    places = np.lib.stride_tricks.sliding_window_view(whole, part.shape[:2], axis=(0, 1))
    rows = places.reshape(places.shape[0] * places.shape[1], -1)
    joint = np.einsum("pk,k->p", rows, np.moveaxis(part, -1, 0).ravel()).reshape(places.shape[:2])
    energy = np.square(whole).sum(axis=-1)
    for axis, window in enumerate(part.shape[:2]):
        energy = _sums(energy, axis, window)
    return np.asarray(joint / np.sqrt(energy * float(np.square(part).sum()) + 1e-6), dtype=np.float32)


def _box_of(region: Bools) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _blurred(values: Floats) -> Floats:
    """Means (n, h, w) over a square window about each pixel; at the border, over what of it is inside."""
    window = 2 * _WINDOW_PX + 1
    sums = np.pad(values, [(0, 0), (_WINDOW_PX, _WINDOW_PX), (_WINDOW_PX, _WINDOW_PX)])
    for axis in (1, 2):
        sums = _sums(sums, axis, window)
    down, across = (
        _sums(np.pad(np.ones(size, dtype=np.float32), _WINDOW_PX), 0, window) for size in values.shape[1:]
    )
    return np.asarray(sums / (down[:, None] * across), dtype=np.float32)


def _sums(values: Floats, axis: int, window: int) -> Floats:
    """Sums over so many values in a row, one for each place where they lie inside."""
    doubled = values.swapaxes(0, axis)
    places = len(doubled) - window + 1
    sums: Floats | None = None
    begin, size = 0, 1
    # Of sums over 1, 2, 4 ... values, those that a window is put together from.
    while True:
        if window & size:
            part = doubled[begin : begin + places]
            sums = part if sums is None else sums + part
            begin += size
        if 2 * size > window:
            break
        doubled = doubled[:-size] + doubled[size:]
        size *= 2
    return np.asarray(sums, dtype=np.float32).swapaxes(0, axis)
