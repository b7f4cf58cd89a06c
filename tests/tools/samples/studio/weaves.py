"""Patterns of cloth: functions from places on the cloth (in units) to colours.

Each maker takes colours and measures and returns a weave. It must not know what is cut from the cloth.
"""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw
from tests.tools.samples.studio.brush import Colour, Floats, Weave


def _tone(colour: Colour) -> Floats:
    return np.array(colour, dtype=np.float32)


def _mix(first: Colour, second: Colour, share: Floats) -> Floats:
    return np.asarray(_tone(first) + (_tone(second) - _tone(first)) * share[..., None], dtype=np.float32)


@cache
def _grain(seed: int) -> Floats:
    return np.random.default_rng(seed).normal(0, 1, (512, 512)).astype(np.float32)


def _noise(u: Floats, v: Floats, seed: int, fine: float = 1.0) -> Floats:
    grain = _grain(seed)
    return grain[(v * fine).astype(np.int64) % 512, (u * fine).astype(np.int64) % 512]


def plain(colour: Colour, *, grain: float = 0.008) -> Weave:
    """One colour, with next to no grain."""

    def cloth(u: Floats, v: Floats) -> Floats:
        return _mix(colour, (255, 255, 255), np.abs(_noise(u, v, 1, 2.0)) * grain)

    return cloth


def stripes(ground: Colour, stripe: Colour, *, every: float, wide: float, sag: float = 0.0) -> Weave:
    """Stripes across; `sag` units lower at u = 0 than at 100 units beside it, as on a rounded body."""

    def cloth(u: Floats, v: Floats) -> Floats:
        at = (v + sag * (np.minimum(np.abs(u), 140) / 100) ** 2) % every
        return _mix(ground, stripe, (at < wide).astype(np.float32))

    return cloth


def pinstripes(ground: Colour, stripe: Colour, *, every: float, wide: float) -> Weave:
    """Thin stripes down."""

    def cloth(u: Floats, v: Floats) -> Floats:
        return _mix(ground, stripe, ((u % every) < wide).astype(np.float32) + 0 * v)

    return cloth


def dots(ground: Colour, dot: Colour, *, every: float, radius: float) -> Weave:
    """Dots in staggered rows."""

    def cloth(u: Floats, v: Floats) -> Floats:
        row = np.floor(v / every)
        x = (u + (row % 2) * every / 2) % every - every / 2
        y = v % every - every / 2
        return _mix(ground, dot, (x * x + y * y < radius * radius).astype(np.float32))

    return cloth


def gingham(ground: Colour, check: Colour, *, every: float) -> Weave:
    """Even checks: half tone where one stripe lies, full where two cross."""

    def cloth(u: Floats, v: Floats) -> Floats:
        across = ((u % every) < every / 2).astype(np.float32)
        down = ((v % every) < every / 2).astype(np.float32)
        return _mix(ground, check, across * 0.5 + down * 0.5)

    return cloth


def tartan(ground: Colour, band: Colour, line: Colour, *, every: float) -> Weave:
    """Wide bands crossed by thin lines."""

    def cloth(u: Floats, v: Floats) -> Floats:
        bands = (((u % every) < every * 0.45).astype(np.float32) + ((v % every) < every * 0.45)) * 0.5
        thin = ((((u + every * 0.3) % every) < 1.7) | (((v + every * 0.3) % every) < 1.7)).astype(np.float32)
        colours = _mix(ground, band, bands.astype(np.float32))
        return np.asarray(colours + (_tone(line) - colours) * (thin * 0.75)[..., None], dtype=np.float32)

    return cloth


def blocks(*bands: tuple[float, Colour]) -> Weave:
    """Broad fields of colour: each (v from which it reigns, colour), from top to bottom."""

    def cloth(u: Floats, v: Floats) -> Floats:
        colours = np.broadcast_to(_tone(bands[0][1]), (*np.broadcast(u, v).shape, 3)).astype(np.float32)
        for begin, colour in bands[1:]:
            colours = np.where((v + 0 * u >= begin)[..., None], _tone(colour), colours)
        return colours

    return cloth


def knitted(base: Weave, *, stitch: float = 5.0, relief: float = 0.17) -> Weave:
    """Any cloth as a knit: columns of small v-shaped stitches."""

    def cloth(u: Floats, v: Floats) -> Floats:
        column = (u % stitch) / stitch - 0.5
        wave = (v + np.abs(column) * stitch * 1.1) % (stitch * 0.8) / (stitch * 0.8)
        shade = 1 - relief * (np.abs(wave - 0.5) * 1.4 + (np.abs(column) > 0.42) * 0.5)
        return np.asarray(base(u, v) * shade[..., None] + 6, dtype=np.float32)

    return cloth


def cabled(colour: Colour, *, every: float = 52.0) -> Weave:
    """An Aran knit: twisted cables between columns of rib."""

    def cloth(u: Floats, v: Floats) -> Floats:
        x = (u + every / 2) % every - every / 2
        swing = np.sin(v / 11) * every * 0.12
        first, second = np.abs(x - swing), np.abs(x + swing)
        over = np.sin(v / 11 + np.pi / 2) > 0
        near = np.where(over, first, second)
        cable = np.clip(1 - np.minimum(first, second) / (every * 0.13), 0, 1)
        groove = np.clip(1 - np.abs(near - every * 0.145) / 2.4, 0, 1)
        rib = (np.abs(np.abs(x) - every * 0.40) < 2.0) * 0.22 + (
            np.abs(np.abs(x) - every * 0.31) < 1.0
        ) * 0.26
        purl = (np.sin(v * 1.25) * np.sin(u * 1.25) > 0.2) * 0.06
        shade = 0.9 + cable * 0.14 - groove * 0.2 - rib - purl
        return np.asarray((_tone(colour) * shade[..., None]).clip(0, 255), dtype=np.float32)

    return cloth


def ribbed(colour: Colour, *, every: float = 5.0) -> Weave:
    """A ribbed band."""

    def cloth(u: Floats, v: Floats) -> Floats:
        return np.asarray(
            _tone(colour) * (0.93 + 0.1 * np.sin(u * 2 * np.pi / every) + 0 * v)[..., None], dtype=np.float32
        )

    return cloth


def denim(colour: Colour) -> Weave:
    """Twill with the uneven wear of washed denim."""

    def cloth(u: Floats, v: Floats) -> Floats:
        twill = np.sin((u + v) * 2.6) * 0.035
        worn = _noise(u, v, 3, 1.6) * 0.03 + _noise(u, v * 0.2, 5, 1.0) * 0.028
        return np.asarray((_tone(colour) * (1 + twill + worn)[..., None]).clip(0, 255), dtype=np.float32)

    return cloth


def tweed(ground: Colour, *flecks: Colour) -> Weave:
    """Boucle: a coarse check of mixed yarns."""

    def cloth(u: Floats, v: Floats) -> Floats:
        colours = np.broadcast_to(_tone(ground), (*np.broadcast(u, v).shape, 3)).astype(np.float32)
        for index, fleck in enumerate(flecks):
            lines = ((u + index * 7) % 21 < 2.6) | ((v + index * 7) % 21 < 2.6)
            yarn = (_noise(u, v, 11 + index, 0.7) > 0.1) & lines
            yarn |= _noise(u, v, 21 + index, 0.55) > 1.75
            colours = np.where(yarn[..., None], _tone(fleck), colours)
        return np.asarray(
            (colours * (1 + _noise(u, v, 31, 0.9) * 0.05)[..., None]).clip(0, 255), dtype=np.float32
        )

    return cloth


def floral(
    ground: Colour, petals: tuple[Colour, ...], heart: Colour, leaf: Colour, *, seed: int = 6
) -> Weave:
    """Scattered flowers and leaves, repeating every 150 units."""
    repeat, fine = 150, 8
    side = repeat * fine
    tile = Image.new("RGB", (side, side), ground)
    draw = ImageDraw.Draw(tile)
    rng = np.random.default_rng(seed)
    placed: list[tuple[float, float, float]] = []

    def blob(x: float, y: float, radius: float, colour: Colour) -> None:
        for dx in (-side, 0, side):
            for dy in (-side, 0, side):
                draw.ellipse(
                    (x + dx - radius, y + dy - radius, x + dx + radius, y + dy + radius), fill=colour
                )

    for _ in range(900):
        x, y, size = (
            rng.uniform(0, side),
            rng.uniform(0, side),
            rng.choice([15.0, 11.0, 7.0, 4.0]) * fine * 0.9,
        )
        gaps = [
            np.hypot((x - px + side / 2) % side - side / 2, (y - py + side / 2) % side - side / 2) - p
            for px, py, p in placed
        ]
        if gaps and min(gaps) < size * 1.12 + fine:
            continue
        placed.append((x, y, size))
        turn = rng.uniform(0, 2 * np.pi)
        if size < 5 * fine:
            blob(x, y, size * 0.4, petals[-1])
            continue
        for t in (turn, turn + 2.3):
            for k in np.linspace(0.7, 1.15, 6):
                blob(
                    x + np.cos(t) * size * k,
                    y + np.sin(t) * size * k,
                    size * 0.2 * (1.25 - abs(k - 0.9) * 2),
                    leaf,
                )
        petal = petals[int(rng.integers(len(petals)))]
        dim: Colour = (int(petal[0] * 0.86), int(petal[1] * 0.82), int(petal[2] * 0.84))
        for k in range(5):
            t = turn + k * 2 * np.pi / 5
            blob(x + np.cos(t) * size * 0.46, y + np.sin(t) * size * 0.46, size * 0.4, petal)
        for k in range(5):
            t = turn + k * 2 * np.pi / 5
            blob(x + np.cos(t) * size * 0.3, y + np.sin(t) * size * 0.3, size * 0.13, dim)
        blob(x, y, size * 0.2, heart)
    pixels = np.asarray(tile, dtype=np.float32)

    def cloth(u: Floats, v: Floats) -> Floats:
        return pixels[(v * fine).astype(np.int64) % side, (u * fine).astype(np.int64) % side]

    return cloth
