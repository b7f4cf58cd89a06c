"""Colours in CIELAB: looked up, and as near to the formula as is said."""

from __future__ import annotations

import numpy as np
import pytest

from tryon_catalogue.publishing.judgement.colour import to_lab


@pytest.mark.parametrize("levels", [range(0, 256, 5), range(24)], ids=["of every kind", "dark"])
def test_colours_are_within_six_hundredths_of_the_formula(levels: range) -> None:
    each = np.array(levels, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(each, each, each), axis=-1).reshape(-1, 1, 3)
    shares = rgb / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    x, y, z = np.moveaxis(linear @ np.array(to_xyz).T / [0.95047, 1, 1.08883], -1, 0)
    x, y, z = (np.where(one > 0.008856, np.cbrt(one), 7.787 * one + 16 / 116) for one in (x, y, z))
    exact = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)

    assert np.abs(to_lab(rgb) - exact).max() <= 0.06
