"""Where on a person a garment belongs, and how each of its rows bends to follow the body.

It works on outlines alone.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tryon_sandbox.cutting import Bools, Cutout, Outline, smooth

Numbers = NDArray[np.float64]

_SLEEVE_EASE = 1.14  # a sleeve is at least this much wider than the arm in it
_BODY_EASE = 1.05
_LEG_EASE = 1.10
_MASK_EASE = 0.86
_SHOULDER_SHARE = 0.196  # where shoulders stand on an upright body, from the crown down
_TROUSER_SHAPE = 1.9  # a lower garment this many times higher than wide has legs that end at the ankle
_ANKLE_SHARE = 0.943

# Which edges of a garment belong together (columns of an outline's `edges`, or of the legs'), and their ease.
_Pairs = tuple[tuple[int, int, float], ...]
_LEGS: _Pairs = ((0, 1, _LEG_EASE), (2, 3, _LEG_EASE))
_SLEEVED: _Pairs = ((0, 1, _SLEEVE_EASE), (2, 3, _BODY_EASE), (4, 5, _SLEEVE_EASE))
_SLEEVELESS: _Pairs = ((2, 3, _BODY_EASE),)


@dataclass(frozen=True, slots=True)
class Figure:
    """Where the person stands, in pixels, and the outline when one was found.

    `height` is that of the whole body, from crown to soles, hair and hats apart: it is reckoned from the shoulders.
    """

    height: float
    axis: float
    shoulder_y: float
    shoulder_width: float
    chest_width: float
    line: Outline | None
    ease: float = 1.0  # less where `line` is that of a mask, which has air in it already

    def at(self, share: float) -> float:
        """The row at `share` of the person's height, 0 the crown and 1 the soles."""
        return self.shoulder_y + self.height * (share - _SHOULDER_SHARE)

    def masked(self, box: Outline) -> "Figure":
        """The same person, to be covered where a mask says."""
        return replace(self, line=box, ease=_MASK_EASE)

    def share(self, rows: Numbers) -> Numbers:
        """The inverse of `at`."""
        return np.asarray((rows - self.shoulder_y) / self.height + _SHOULDER_SHARE)


@dataclass(frozen=True, slots=True)
class Place:
    """How a garment's pixels come to lie on the person: x' = axis + (x - from_axis) * scale_x, y likewise."""

    scale_x: float
    scale_y: float
    from_axis: float
    axis: float
    shift_y: float


@dataclass(frozen=True, slots=True)
class Garment:
    """A cut garment and the part of the body it is for, as shares of the person's height."""

    cutout: Cutout
    line: Outline
    lower: bool
    begin: float
    end_least: float
    end_most: float


def find_figure(line: Outline | None, size: tuple[int, int]) -> Figure:
    """Measure the person whose outline is `line` in a picture of `size`.

    Without an outline, or with one too low to be a person's, an upright person in the middle is assumed.
    """
    width, height = size
    if line is None or line.bottom - line.top < height * 0.3:
        tall = min(height * 0.9, width * 1.9)
        shoulder_y = (height - tall) / 2 + tall * _SHOULDER_SHARE
        return Figure(tall, width / 2, shoulder_y, tall * 0.25, tall * 0.17, None)
    visible = line.bottom - line.top
    whole = line.bottom < height * 0.985  # the feet are in the picture
    shoulder_y = _shoulder(line, line.top + visible * 0.12, line.top + visible * (0.25 if whole else 0.6))
    shoulder_width = line.width_at(shoulder_y)
    tall = (line.bottom - shoulder_y) / (1 - _SHOULDER_SHARE) if whole else max(visible, shoulder_width * 3.7)
    at = int(np.argmin(np.abs(line.rows - shoulder_y)))
    axis = float(line.edges[at, 0] + line.edges[at, 5]) / 2
    chest = line.core_at(shoulder_y + tall * 0.10)
    chest = float(np.clip(chest, shoulder_width * 0.55, shoulder_width * 0.9))
    return Figure(tall, axis, shoulder_y, shoulder_width, chest, line)


def _shoulder(line: Outline, begin: float, end: float) -> float:
    """The row at which the slope from the neck ends: below it the silhouette widens no faster than an arm."""
    inside = (line.rows >= begin) & (line.rows <= end)
    rows, widths = line.rows[inside], (line.edges[:, 5] - line.edges[:, 0])[inside]
    if rows.size < 6:
        return (begin + end) / 2
    rate = np.gradient(widths, rows)
    steep = np.flatnonzero(rate > 1.3)
    return float(rows[steep[-1]]) if steep.size else float(rows[0] + (rows[-1] - rows[0]) * 0.5)


def place_on(garment: Garment, figure: Figure) -> Place:
    """Fit a garment to a figure: shoulders to shoulders, or waist to waist."""
    line = garment.line
    tall = line.bottom - line.top
    if garment.lower:
        waist = max(line.width_at(line.top + tall * 0.04), 1.0)
        body = (
            figure.chest_width
            if figure.line is None
            else figure.line.core_at(figure.at(garment.begin + 0.015))
        )
        scale = min(body, figure.chest_width) * 1.04 / waist
        scale = scale_y = _within(scale, garment, figure, tall)
        if tall > _TROUSER_SHAPE * (line.edges[:, 3] - line.edges[:, 2]).max():
            scale_y = (_ANKLE_SHARE - garment.begin) * figure.height / tall
        return Place(scale, scale_y, line.axis, figure.axis, figure.at(garment.begin) - line.top * scale_y)
    if line.hanging:
        slope_end = _shoulder(line, line.top, line.top + tall * (0.2 if garment.end_least > 0.5 else 0.33))
        scale = figure.shoulder_width * 1.05 / max(line.width_at(slope_end), 1.0)
        kept = _within(scale, garment, figure, tall)
        shift = figure.shoulder_y - figure.height * 0.004 - slope_end * kept
    else:
        chest = max(line.width_at(line.top + tall * (0.2 if garment.end_least > 0.5 else 0.36)), 1.0)
        kept = _within(figure.chest_width * 1.08 / chest, garment, figure, tall)
        shift = figure.at(garment.begin) - line.top * kept
    return Place(kept, kept, line.axis, figure.axis, shift)


def _within(scale: float, garment: Garment, figure: Figure, tall: float) -> float:
    """Hold a scale to hems that a garment of this kind can have."""
    least = (garment.end_least - garment.begin) * figure.height / tall
    most = (garment.end_most - garment.begin) * figure.height / tall
    return float(np.clip(scale, least, most))


def place_in(garment: Garment, line: Outline, begin: float, end: float) -> Place:
    """Fit a garment to the box of a mask's outline, between two shares of the box's height."""
    own, tall = garment.line, line.bottom - line.top
    wide = float(line.edges[:, 5].max() - line.edges[:, 0].min())
    own_wide = max(float(own.edges[:, 5].max() - own.edges[:, 0].min()), 1.0)
    scale_y = tall * (end - begin) / max(own.bottom - own.top, 1.0)
    centre = float(line.edges[:, 5].max() + line.edges[:, 0].min()) / 2
    return Place(wide / own_wide, scale_y, own.axis, centre, line.top + tall * begin - own.top * scale_y)


def bend(
    garment: Garment, place: Place, figure: Figure, rows: Numbers, above: Numbers
) -> tuple[Numbers, Numbers]:
    """Say how the garment's edges move so that it follows the body.

    Args:
        rows: Rows of the person's picture.
        above: For each of them, the row of the garment's picture that comes to lie there.
    Returns:
        For each row, rising places in the garment's picture and where in the person's they come to lie.
    """
    line = garment.line
    own = _edges(line, above + 0.5, legs=garment.lower)
    plain = place.axis + (own - place.from_axis) * place.scale_x
    target = plain.copy()
    if figure.line is not None:
        body = _edges(figure.line, rows + 0.5, legs=garment.lower)
        even = max(2, round(figure.height * 0.014))
        pull = _pull(own, plain, body, garment, even=even, slack=figure.ease)
        target = plain + pull * _weight(garment, figure, rows)[:, None]
        for left in range(own.shape[1] - 1):  # what has no width on the garment gets none on the person
            empty = own[:, left + 1] - own[:, left] < 1.5
            core = np.where(left < 2, target[:, left + 1], target[:, left])
            target[empty, left] = target[empty, left + 1] = core[empty]
        for left in (1, 0):
            empty = own[:, left + 1] - own[:, left] < 1.5
            target[empty, left] = target[empty, left + 1]
    target = np.maximum.accumulate(target + np.arange(target.shape[1]) * 1e-3, axis=1)
    far = 4000.0
    own = np.column_stack([own[:, 0] - far / place.scale_x, own, own[:, -1] + far / place.scale_x])
    return own, np.column_stack([target[:, 0] - far, target, target[:, -1] + far])


def _edges(line: Outline, rows: Numbers, *, legs: bool) -> Numbers:
    columns = (
        [line.edges[:, 2], line.gap[:, 0], line.gap[:, 1], line.edges[:, 3]]
        if legs
        else [line.edges[:, column] for column in range(6)]
    )
    return np.column_stack([np.interp(rows, line.rows, column) for column in columns])


def _pull(
    own: Numbers, plain: Numbers, body: Numbers, garment: Garment, *, even: int, slack: float
) -> Numbers:
    """How far each edge of the garment moves so that every part lies over, and covers, its part of the body.

    Args:
        own, plain, body: Edges in the garment's picture, the same laid on the person unbent, and the body's.
        even: Over how many rows the movement is evened out.
        slack: Share of the usual ease.
    """
    moved = np.zeros_like(plain)
    pairs = _LEGS if garment.lower else _SLEEVED if garment.line.hanging else _SLEEVELESS
    for left, right, ease in pairs:
        width, wide = plain[:, right] - plain[:, left], body[:, right] - body[:, left]
        free = _free(own, left) & _free(body, left) if pairs is _SLEEVED else np.True_
        worn = np.flatnonzero((own[:, right] - own[:, left] > 3) & (wide > 3) & free)
        if worn.size < 4 * even:  # a short sleeve tells too little of how the arm in it runs
            continue
        worn = worn[
            : max(4, worn.size - worn.size // 14)
        ]  # a slanted hem's last rows are no measure of its width,
        near_end = worn[int(worn.size * 0.85)]  # nor is what hangs out below it
        worn = worn[(worn < near_end) | (width[worn] > 0.85 * width[near_end])]
        half = np.maximum(width, wide * ease * slack)[worn] / 2
        middle = ((body[:, left] + body[:, right]) / 2)[worn]
        every = np.arange(len(plain))
        moved[:, left] = np.interp(every, worn, middle - half - plain[worn, left])
        moved[:, right] = np.interp(every, worn, middle + half - plain[worn, right])
    if garment.lower:  # the inner seams part slowly below the crotch
        open_rows = np.flatnonzero(own[:, 2] - own[:, 1] > 1.5)
        crotch = open_rows[0] if open_rows.size else len(own)
        moved[:, 1:3] *= np.clip((np.arange(len(own)) - crotch) / (len(own) * 0.2), 0, 1)[:, None]
    if not garment.lower and not garment.line.hanging:
        moved[:, :2], moved[:, 4:] = moved[:, 2:3], moved[:, 3:4]
    return smooth(smooth(moved, even), even)


def _free(edges: Numbers, left: int) -> Bools:
    """In which rows the sleeve that begins at column `left` hangs free of the body."""
    if left == 2:
        return np.ones(len(edges), dtype=np.bool_)
    inner = 1 if left == 0 else 3
    return np.asarray(edges[:, inner + 1] - edges[:, inner] > 1.5)


def _weight(garment: Garment, figure: Figure, rows: Numbers) -> Numbers:
    """How far a row follows the body: not at all at the collar, wholly from the armpits down to the hip."""
    share = figure.share(rows)
    if garment.lower:
        return np.asarray(np.clip((share - 0.40) / 0.06, 0, 1) * np.clip((0.99 - share) / 0.03, 0, 1))
    begin = 0.20 if garment.line.hanging else 0.25
    return np.asarray(np.clip((share - begin) / 0.06, 0, 1) * np.clip((0.56 - share) / 0.06, 0, 1))
