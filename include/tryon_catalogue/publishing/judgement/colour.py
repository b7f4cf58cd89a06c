"""Colours as eyes tell them apart: CIELAB, and how far two sets of colours are from each other."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_LIGHTNESS_WEIGHT: Final = 0.6
"""A garment on a person lies in another light than on a table: lightness counts for less than hue."""
_CELLS: Final = 14
"""Colours are compared from afar, in so many cells along the longer side, so that a fine pattern, which a smaller
picture blends, looks the same near and far."""
_FULL_CELL: Final = 0.5
_TRUSTED_SHARE: Final = 0.4
"""Beside the garment, what changed holds bared skin and shadows: so much of it has to show the garment's colours."""
_NEAREST_SHARE: Final = 0.03
"""A colour has arrived where at least this share of the cells shows it."""

_LINEAR: Final = np.where(
    np.arange(256) <= 0.04045 * 255,
    np.arange(256) / 255 / 12.92,
    ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4,
).astype(np.float32)
_TO_XYZ: Final = (  # sRGB to CIE XYZ, each divided by the white point D65: the shares of red, green and blue
    (0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883),
)
_FINE: Final = 1 << 16
_SHARES: Final = np.arange(_FINE) / (_FINE - 1)
_ROOT: Final = np.where(_SHARES > 0.008856, np.cbrt(_SHARES), 7.787 * _SHARES + 16 / 116).astype(np.float32)
"""CIELAB's root of each share, 0..1, looked up: to compute it for each pixel takes most of the time of judging."""


def to_lab(rgb: NDArray[np.uint8]) -> Floats:
    """Give sRGB pixels (h, w, 3) in CIELAB: lightness 0..100 and two axes of hue, to within 0.06."""
    red, green, blue = (_LINEAR.take(rgb[..., channel]) for channel in range(3))
    roots = []
    for of_red, of_green, of_blue in _TO_XYZ:
        share = red * np.float32(of_red * (_FINE - 1))
        share += green * np.float32(of_green * (_FINE - 1))
        share += blue * np.float32(of_blue * (_FINE - 1))
        share += np.float32(0.5)
        roots.append(_ROOT.take(np.minimum(share, _FINE - 1, out=share).astype(np.int32)))
    lab = np.empty(rgb.shape, dtype=np.float32)
    np.multiply(roots[1], 116, out=lab[..., 0])
    lab[..., 0] -= 16
    np.multiply(roots[0] - roots[1], 500, out=lab[..., 1])
    np.multiply(roots[1] - roots[2], 200, out=lab[..., 2])
    return lab


def difference(first: Floats, second: Floats) -> Floats:
    """Give the distance of two pictures in CIELAB, pixel by pixel (h, w)."""
    apart = first - second
    squares = np.einsum("...c,...c->...", apart, apart)
    return np.asarray(np.sqrt(squares, out=squares), dtype=np.float32)


def seen_from_afar(lab: Floats, region: Bools) -> Floats:
    """Give the colours of a region as mean colours of coarse cells.

    Args:
        lab: The picture (h, w, 3).
        region: Which of its pixels count (h, w); at least one.

    Returns:
        One row for each cell that lies mostly inside the region (cells, 3).
    """
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    inside = region[box]
    step = max(1.0, max(inside.shape) / _CELLS)
    across = (np.arange(inside.shape[1]) / step).astype(np.intp)
    down = (np.arange(inside.shape[0]) / step).astype(np.intp)
    cell = (down[:, None] * (across[-1] + 1) + across)[inside]
    count = np.bincount(cell)
    sums = np.stack([np.bincount(cell, weights=lab[box][inside][:, axis]) for axis in range(3)], axis=1)
    full = count >= min(count.max(), step * step) * _FULL_CELL
    return np.asarray(sums[full] / count[full, None], dtype=np.float32)


def distance_of_colours(expected: Floats, found: Floats) -> tuple[float, float]:
    """Say how far the colours of a thing are from those of the place where it should be.

    Args:
        expected: Colours of the thing (n, 3), by `seen_from_afar`.
        found: Colours of the place (m, 3).

    Returns:
        How far, on average, the thing's colours are from the nearest ones of the place; and how far those of
        the place that are nearest to the thing's are from them. Both in CIELAB, lightness counting for less.
    """
    weights = np.array([_LIGHTNESS_WEIGHT, 1, 1], dtype=np.float32)
    apart = difference((expected * weights)[:, None, :], (found * weights)[None, :, :])
    at = min(len(found) - 1, int(len(found) * _NEAREST_SHARE))
    arrived = np.partition(apart, at, axis=1)[:, at]
    belongs = np.sort(apart.min(axis=0))[: max(1, round(len(found) * _TRUSTED_SHARE))]
    return float(arrived.mean()), float(belongs.mean())
