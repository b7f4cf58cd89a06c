"""Where in a picture things are: a thing before a plain ground, a person's head, what changed, what must stay.

Everything is found by colour and shape alone, nothing is recognised. What cannot be told is None, and whoever asked has
to do without.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from tryon_catalogue.publishing.judgement.colour import Bools, Floats, difference

_BORDER_SHARE: Final = 0.03
_GROUND_LEVELS: Final = 9.0
"""A colour this far (CIELAB) from the ground's belongs to the thing before it."""
_OFF_GROUND: Final = (5.4, 9.0)
"""Where the ground has little noise of its own, a smaller distance will do."""
_PLAIN_SHARE: Final = 0.85
_LEAST_THING: Final = 0.01
_MOST_THING: Final = 0.95
_COARSE: Final = 2
"""Outlines are found on every second pixel: fine enough, and quick."""
_CHANGED_LEVELS: Final = 11.0
_MOST_NEW_LIGHT: Final = 16.0
_FITS: Final = 3
_FEW_PIXELS: Final = 60
_HEAD_OF_PERSON: Final = 0.1
"""What of a whole person is surely head, when no neck shows."""
_ABOVE_NECK: Final = 0.8
"""A collar may cover the lower part of a neck, and the chin's shadow."""
_ROOM: Final = 0.3
"""A garment may stand off the body to each side by so much of the person's width."""


@dataclass(frozen=True, slots=True)
class Zones:
    """Where a model's picture may change and where it must stay, each (h, w).

    Attributes:
        figure: The person, or None when the ground is not plain.
        head: What of it is surely head, or None.
        background: What no garment can cover.
        wearable: What a garment can cover.
        masked: Whether a mask says so.
    """

    figure: Bools | None
    head: Bools | None
    background: Bools
    wearable: Bools
    masked: bool


def thing_before_ground(lab: Floats, *, on_floor: bool) -> Bools | None:
    """Tell a thing from the plain ground that it lies or stands before.

    Args:
        lab: The picture (h, w, 3) in CIELAB.
        on_floor: Whether the thing may be cut off by the picture's lower edge, as a person is.

    Returns:
        Which pixels are the thing, its holes filled; None when the ground is not plain or there is no thing.
    """
    small = lab[::_COARSE, ::_COARSE]
    height, width = small.shape[:2]
    edge = max(2, round(min(height, width) * _BORDER_SHARE))
    border = np.zeros((height, width), dtype=np.bool_)
    border[:edge] = True
    border[:, :edge] = border[:, -edge:] = True
    if not on_floor:
        border[-edge:] = True
    off = difference(small, _ground(small, border))
    if float((off[border] < _GROUND_LEVELS).mean()) < _PLAIN_SHARE:
        return None
    noise = float(np.percentile(off[border], 80))
    wall = _widened(off > float(np.clip(3 * noise, *_OFF_GROUND)))
    thing = ~_widened(_flooded(~wall, border))
    if not _LEAST_THING < float(thing.mean()) < _MOST_THING:
        return None
    return _enlarged(thing, (lab.shape[0], lab.shape[1]))


def middle(lab: Floats) -> Bools:
    """The middle of a picture, where a garment is that cannot be told from its ground."""
    height, width = lab.shape[:2]
    region = np.zeros((height, width), dtype=np.bool_)
    region[height // 4 : height - height // 4, width // 3 : width - width // 3] = True
    return region


def zones_of(model: Floats, mask: Bools | None) -> Zones:
    """Find out where a garment may go on a model.

    Args:
        model: The model's picture (h, w, 3) in CIELAB.
        mask: Where the vendor was told to paint (h, w), or None.
    """
    figure = thing_before_ground(model, on_floor=True)
    head = None if figure is None else _head(figure)
    if mask is not None:
        wearable = _widened(mask)
        kept_head = None if head is None or not is_some(head & ~wearable) else head & ~wearable
        return Zones(figure, kept_head, ~wearable, wearable, masked=True)
    height, width = model.shape[:2]
    wearable = np.zeros((height, width), dtype=np.bool_)
    if figure is None:
        wearable[round(height * 0.15) :, round(width * 0.12) : width - round(width * 0.12)] = True
        return Zones(None, None, ~wearable, wearable, masked=False)
    rows, columns = np.flatnonzero(figure.any(axis=1)), np.flatnonzero(figure.any(axis=0))
    room = round((columns[-1] - columns[0] + 1) * _ROOM)
    begin = rows[0] if head is None else int(np.flatnonzero(head.any(axis=1))[-1]) + 1
    wearable[begin:, max(0, columns[0] - room) : columns[-1] + room + 1] = True
    background = ~wearable
    background[rows[0] :, columns[0] : columns[-1] + 1] = False
    return Zones(figure, head, background, wearable, masked=False)


def changed(model: Floats, picture: Floats, zones: Zones) -> Bools:
    """Tell where a picture shows something else than the model's.

    A wall in a slightly other tint, or light that falls a little differently, is no change.

    Args:
        model, picture: Of one size, in CIELAB (h, w, 3), both softened a little.
        zones: Of the model's picture.
    """
    as_it_was = difference(picture, model)
    in_new_light = difference(picture, model + _new_light(model, picture, zones.background))
    return np.asarray(np.minimum(as_it_was, in_new_light) > _CHANGED_LEVELS)


def filled(region: Bools) -> Bools:
    """Close a region's holes: what it encloses belongs to it."""
    small = region[::_COARSE, ::_COARSE]
    edge = np.zeros_like(small)
    edge[0] = edge[-1] = edge[:, 0] = edge[:, -1] = True
    return region | _enlarged(~_flooded(~small, edge), region.shape)


def rows_between(body: Bools, begin: float, end: float) -> Bools:
    """All columns of the rows from one share of a body's height to another, 0 its top row and 1 its last."""
    rows = np.flatnonzero(body.any(axis=1))
    tall = rows[-1] - rows[0] + 1
    part = np.zeros_like(body)
    part[rows[0] + round(tall * begin) : rows[0] + round(tall * end)] = True
    return part


def is_some(region: Bools) -> bool:
    """Whether a region is large enough for anything to be measured in it."""
    return int(region.sum()) >= _FEW_PIXELS


def _new_light(model: Floats, picture: Floats, background: Bools) -> Floats:
    """How the background's colour moved, from the left to the right of the picture (1, w, 3)."""
    width = model.shape[1]
    moved = picture - model
    sides = []
    for half in (slice(0, width // 2), slice(width // 2, width)):
        shifts = moved[:, half][background[:, half]]
        # Each axis in one piece: laid across the others, its middle takes several times as long to find.
        axes = np.ascontiguousarray(shifts.T)
        sides.append(np.median(axes, axis=1, overwrite_input=True) if len(shifts) else np.zeros(3))
    across = np.linspace(-0.5, 1.5, width)[:, None]  # a side's median is that of its own middle
    light = sides[0] * (1 - across) + sides[1] * across
    return np.asarray(np.clip(light, -_MOST_NEW_LIGHT, _MOST_NEW_LIGHT)[None], dtype=np.float32)


def _ground(lab: Floats, border: Bools) -> Floats:
    """The ground everywhere, as a smooth surface through the border; what stands out of it does not count."""
    height, width = border.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), y, y**2, y**3, y**4, x, x * y, x * y**2, x**2], axis=-1)
    sides, colours = terms[border], lab[border]
    taken = np.ones(len(sides), dtype=np.bool_)
    for _ in range(_FITS):
        inside = sides[taken]
        squares, products = (
            np.einsum("pi,pj->ij", inside, inside),
            np.einsum("pi,pc->ic", inside, colours[taken]),
        )
        known = np.linalg.solve(squares + 1e-3 * np.eye(len(squares)), products).astype(np.float32)
        near = difference(colours, np.einsum("pi,ic->pc", sides, known)) < _GROUND_LEVELS
        if int(near.sum()) < len(near) // 2:
            break
        taken = near
    return np.asarray(np.einsum("yxi,ic->yxc", terms, known), dtype=np.float32)


def _head(figure: Bools) -> Bools | None:
    """What of a figure is surely head: down to just above the neck, the narrowest place above the shoulders."""
    height = len(figure)
    rows = np.flatnonzero(figure.sum(axis=1) >= max(2, figure.shape[1] * 0.02))
    if rows.size < height * 0.2:
        return None
    top, tall = int(rows[0]), int(rows[-1] - rows[0] + 1)
    whole = rows[-1] < height - 2
    widths = figure[top : top + tall].sum(axis=1).astype(np.float32)
    least, most = (0.07, 0.2) if whole else (0.1, 0.55)
    begin, end = round(tall * least), max(round(tall * most), round(tall * least) + 1)
    neck = begin + int(np.argmin(widths[begin:end]))
    narrow = widths[neck] <= 0.85 * widths[:neck].max(initial=0)
    if narrow and widths[neck : neck + round(tall * 0.2)].max() >= 1.4 * widths[neck]:
        last = top + round(neck * _ABOVE_NECK)
    elif whole:
        last = top + round(tall * _HEAD_OF_PERSON)
    else:
        return None
    head = np.zeros_like(figure)
    head[top:last] = figure[top:last]
    return head if is_some(head) else None


def _flooded(free: Bools, seeds: Bools) -> Bools:
    """What of `free` can be reached from a seed, by sweeps in all four directions until nothing is added."""
    reached = free & seeds
    before = -1
    while (now := int(reached.sum())) != before:
        before = now
        for turned in (0, 1, 2, 3):
            reached = np.rot90(_swept(np.rot90(free, turned), np.rot90(reached, turned)), -turned)
    return reached


def _swept(free: Bools, reached: Bools) -> Bools:
    """One sweep from left to right: whatever is free is reached from the nearest seed if no wall is between."""
    at = np.arange(free.shape[1], dtype=np.int32)
    wall = np.maximum.accumulate(np.where(free, np.int32(-1), at), axis=1)
    seed = np.maximum.accumulate(np.where(reached, at, np.int32(-1)), axis=1)
    return np.asarray(free & (seed > wall))


def _enlarged(small: Bools, shape: tuple[int, ...]) -> Bools:
    """What was found on every `_COARSE`th pixel, in the shape of the whole picture."""
    whole = np.repeat(np.repeat(small, _COARSE, axis=0), _COARSE, axis=1)
    return np.asarray(whole[: shape[0], : shape[1]])


def _widened(region: Bools) -> Bools:
    """A region and the pixels next to it."""
    grey = Image.fromarray(region.astype(np.uint8) * 255)
    return np.asarray(np.asarray(grey.filter(ImageFilter.MaxFilter(3))) > 0)
