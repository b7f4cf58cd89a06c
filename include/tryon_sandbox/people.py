"""A stand-in's rough idea of how many people a picture shows. It recognises nobody.

The vendor finds people; this module only looks for upright figures standing apart from each other before a plain
background, so that 23500015 and 23500016 have causes a test can draw. A picture with nothing in it has no
people. Two or more tall figures with bare background between them are too many. Everything else, any real
photograph with a busy background included, counts as one person.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

_GRID = 96
"""The picture is looked at on a grid this many cells wide and high."""
_DIFFERENT = 40
"""A cell whose colour is this far (of 255, in any channel) from the background's belongs to a figure."""
_PLAIN_BORDER = 0.9
"""A background is plain when this share of the picture's border has its colour."""
_NEARLY_BLANK = 0.004
"""A picture with less than this share of figure has nothing in it."""
_FIGURE_HEIGHT = 0.55
"""A figure must span at least this share of the height to be a person: more than an arm or a bag does."""
_FIGURE_AREA = 0.02
"""And cover at least this share of the picture."""


def count_people(picture: Image.Image) -> int:
    """0 for a nearly blank picture, 2 or more for figures side by side on a plain background, else 1."""
    figure, background_is_plain = _figure_cells(picture)
    if figure.mean() < _NEARLY_BLANK:
        return 0
    if not background_is_plain:
        return 1
    return max(1, sum(_is_person_sized(part) for part in _side_by_side(figure)))


def _figure_cells(picture: Image.Image) -> tuple[npt.NDArray[np.bool_], bool]:
    small = picture.convert("RGB").resize((_GRID, _GRID), Image.Resampling.BOX)
    cells = np.asarray(small, dtype=np.int16)
    border = np.concatenate([cells[0], cells[-1], cells[1:-1, 0], cells[1:-1, -1]])
    background = np.median(border, axis=0)
    off_border = np.abs(border - background).max(axis=1)
    far = np.abs(cells - background).max(axis=2) > _DIFFERENT
    return far, bool((off_border <= _DIFFERENT).mean() >= _PLAIN_BORDER)


def _side_by_side(figure: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.bool_]]:
    """The picture cut along its bare columns. What is one above the other (head, shorts) stays together."""
    columns = np.flatnonzero(figure.any(axis=0))
    runs = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    return [figure[:, run] for run in runs]


def _is_person_sized(part: npt.NDArray[np.bool_]) -> bool:
    rows = np.flatnonzero(part.any(axis=1))
    height = (rows[-1] - rows[0] + 1) / _GRID
    return bool(height >= _FIGURE_HEIGHT and part.sum() / _GRID**2 >= _FIGURE_AREA)
