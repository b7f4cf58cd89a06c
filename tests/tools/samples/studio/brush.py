"""A small drawing kit: smooth outlines, soft shading and woven patterns on a supersampled sheet.

It knows curves, masks and colours. It must not know bodies or garments.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Floats = NDArray[np.floating]
Points = list[tuple[float, float]]
Colour = tuple[int, int, int]
Weave = Callable[[Floats, Floats], Floats]  # places (u, v) on the cloth -> colours (..., 3) in 0..255

LARGEST_BYTES = 190_000  # a picture of the samples is no larger
FINENESS = 3  # a sheet is drawn this many times larger than it is saved


def curve(*points: tuple[float, float], steps: int = 14) -> Points:
    """A smooth open line through all points (Catmull-Rom); two points give a straight line."""
    known = np.array([points[0], *points, points[-1]], dtype=np.float64)
    line: Points = []
    for a, b, c, d in zip(known, known[1:], known[2:], known[3:], strict=False):
        for t in np.linspace(0, 1, steps, endpoint=False):
            spot = 0.5 * (
                2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
            )
            line.append((float(spot[0]), float(spot[1])))
    return [*line, points[-1]]


def mirrored(points: Sequence[tuple[float, float]]) -> Points:
    """The line on the other side of the axis x = 0, running back."""
    return [(-x, y) for x, y in reversed(points)]


def flipped(points: Sequence[tuple[float, float]]) -> Points:
    """The line on the other side of the axis x = 0, in the same order."""
    return [(-x, y) for x, y in points]


def symmetric(half: Sequence[tuple[float, float]]) -> Points:
    """A closed outline from its right half, which runs from the axis to the axis."""
    return [*half, *mirrored(half)]


def ellipse(x: float, y: float, wide: float, high: float, turn: float = 0.0) -> Points:
    """An ellipse around (x, y) with half axes `wide` and `high`, turned by `turn` degrees."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    u, v = np.cos(angle) * wide, np.sin(angle) * high
    return [(float(x + a * cos - b * sin), float(y + a * sin + b * cos)) for a, b in zip(u, v, strict=True)]


def tube(
    middle: Sequence[tuple[float, float]],
    halves: Sequence[float],
    *,
    start: float = 0.0,
    end: float = 1.0,
    rounded: bool = False,
) -> Points:
    """The outline of a limb or sleeve: a middle line with half widths at its points, cut to start..end (0..1)."""
    fine = np.array(curve(*middle))
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(fine, axis=0).T))])
    length /= length[-1]
    at = np.linspace(start, end, 60)
    xs, ys = np.interp(at, length, fine[:, 0]), np.interp(at, length, fine[:, 1])
    knots = [float(length[min(i * 14, len(length) - 1)]) for i in range(len(middle))]
    knots[-1] = 1.0
    smooth = np.array(curve(*zip(knots, halves, strict=True)))
    half = np.interp(at, smooth[:, 0], smooth[:, 1])
    dx, dy = np.gradient(xs), np.gradient(ys)
    norm = np.hypot(dx, dy)
    nx, ny = -dy / norm, dx / norm
    left = [(float(a), float(b)) for a, b in zip(xs + nx * half, ys + ny * half, strict=True)]
    right = [(float(a), float(b)) for a, b in zip(xs - nx * half, ys - ny * half, strict=True)]
    cap: Points = []
    if rounded:
        turn = float(np.degrees(np.arctan2(ny[0], nx[0])))
        dome = np.radians(np.linspace(turn + 180, turn, 24))
        cap = [(float(xs[0] + np.cos(t) * half[0]), float(ys[0] + np.sin(t) * half[0])) for t in dome]
    return [*left, *reversed(right), *cap]


@dataclass(frozen=True, slots=True)
class Mask:
    """A soft shape on the sheet: coverage 0..1 with the place of its upper left corner."""

    left: int
    top: int
    cover: Floats

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the sheet that the mask lies on."""
        return (
            slice(self.top, self.top + self.cover.shape[0]),
            slice(self.left, self.left + self.cover.shape[1]),
        )

    def times(self, amount: float) -> "Mask":
        """The same shape, fainter."""
        return Mask(self.left, self.top, self.cover * np.float32(amount))

    def on(self, other: "Mask") -> Floats:
        """The coverage of this mask seen through the window of `other`."""
        seen = np.zeros_like(other.cover)
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + self.cover.shape[0], other.top + other.cover.shape[0])
        right = min(self.left + self.cover.shape[1], other.left + other.cover.shape[1])
        if bottom > top and right > left:
            seen[top - other.top : bottom - other.top, left - other.left : right - other.left] = self.cover[
                top - self.top : bottom - self.top, left - self.left : right - self.left
            ]
        return seen

    def within(self, other: "Mask") -> "Mask":
        """What both cover."""
        return Mask(self.left, self.top, self.cover * other.on(self))

    def without(self, other: "Mask") -> "Mask":
        """What this covers and `other` does not."""
        return Mask(self.left, self.top, self.cover * (1 - other.on(self)))


class Sheet:
    """A picture being drawn, in the units of the drawing: pixels of the saved picture before `zoom`.

    Arguments:
        size: width and height in pixels of the saved picture.
        ground: colours of the background at its top and bottom.
        zoom: pixels per unit.
        axis, top: where the drawing's x = 0 and y = 0 lie, in pixels of the saved picture.
    """

    def __init__(
        self, size: tuple[int, int], ground: Sequence[Colour], *, zoom: float = 1.0, axis: float, top: float
    ) -> None:
        self.size = size
        self.zoom = zoom * FINENESS
        self.origin = (axis * FINENESS, top * FINENESS)
        rows = np.linspace(0, 1, size[1] * FINENESS, dtype=np.float32)
        stops = np.linspace(0, 1, len(ground))
        shades = np.stack([np.interp(rows, stops, [c[i] for c in ground]) for i in range(3)], axis=1)
        self.pixels: Floats = np.repeat(shades[:, None, :], size[0] * FINENESS, axis=1).astype(np.float32)

    def shape(self, *outlines: Sequence[tuple[float, float]], blur: float = 0.0) -> Mask:
        """The mask of one or more closed outlines together, its border softened by `blur` units."""
        spread = blur * self.zoom
        scaled = [
            [(x * self.zoom + self.origin[0], y * self.zoom + self.origin[1]) for x, y in o] for o in outlines
        ]
        every = np.array([p for o in scaled for p in o])
        pad = int(spread * 2.5) + 3
        low = np.maximum(np.floor(every.min(axis=0)).astype(int) - pad, 0)
        limit = np.array([self.pixels.shape[1], self.pixels.shape[0]])
        high = np.minimum(np.ceil(every.max(axis=0)).astype(int) + pad, limit)
        wide, high_px = (int(n) for n in np.maximum(high - low, 1))
        picture = Image.new("L", (wide, high_px), 0)
        draw = ImageDraw.Draw(picture)
        for outline in scaled:
            draw.polygon([(x - low[0], y - low[1]) for x, y in outline], fill=255)
        if spread > 0:
            picture = picture.filter(ImageFilter.GaussianBlur(spread))
        return Mask(int(low[0]), int(low[1]), np.asarray(picture, dtype=np.float32) / 255)

    def softened(self, mask: Mask, blur: float, shift: tuple[float, float] = (0.0, 0.0)) -> Mask:
        """The mask blurred by `blur` units and moved by `shift` units, in a window grown to hold it."""
        spread = blur * self.zoom
        pad = int(spread * 2.5) + 2
        grown = np.pad(mask.cover, pad)
        picture = Image.fromarray((grown * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(spread))
        left = mask.left - pad + round(shift[0] * self.zoom)
        top = mask.top - pad + round(shift[1] * self.zoom)
        cover = np.asarray(picture, dtype=np.float32) / 255
        cut_top, cut_left = max(0, -top), max(0, -left)
        bottom = self.pixels.shape[0] - top
        right = self.pixels.shape[1] - left
        return Mask(left + cut_left, top + cut_top, cover[cut_top:bottom, cut_left:right])

    def paint(self, mask: Mask, colour: Colour, amount: float = 1.0) -> None:
        """Lay an even colour over the mask."""
        cover = (mask.cover * amount)[..., None]
        part = self.pixels[mask.box]
        part += (np.array(colour, dtype=np.float32) - part) * cover

    def weave(
        self, mask: Mask, cloth: Weave, *, turn: float = 0.0, pivot: tuple[float, float] = (0, 0)
    ) -> None:
        """Lay a pattern over the mask, turned by `turn` degrees around `pivot` (in units)."""
        rows, columns = mask.box
        y = (np.arange(rows.start, rows.stop, dtype=np.float32) - self.origin[1]) / self.zoom - pivot[1]
        x = (np.arange(columns.start, columns.stop, dtype=np.float32) - self.origin[0]) / self.zoom - pivot[0]
        cos, sin = np.float32(np.cos(np.radians(turn))), np.float32(np.sin(np.radians(turn)))
        u, v = x[None, :] * cos + y[:, None] * sin, -x[None, :] * sin + y[:, None] * cos
        part = self.pixels[mask.box]
        part += (cloth(u, v) - part) * mask.cover[..., None]

    def darken(self, mask: Mask, amount: float, tint: Colour = (62, 48, 70)) -> None:
        """Lay a shadow: multiply towards `tint` by `amount` (0..1)."""
        part = self.pixels[mask.box]
        part *= 1 - (mask.cover * amount)[..., None] * (1 - np.array(tint, dtype=np.float32) / 255)

    def lighten(self, mask: Mask, amount: float, tint: Colour = (255, 248, 236)) -> None:
        """Lay a light: move towards `tint` by `amount` (0..1)."""
        self.paint(mask, tint, amount)

    def round_off(self, mask: Mask, depth: float, dark: float, light: float = 0.0) -> None:
        """Give a flat shape volume, lit from the upper left: a broad shade right and below, a light rim left."""
        shade = self.softened(mask, depth, (-depth * 0.9, -depth * 0.35))
        self.darken(Mask(mask.left, mask.top, mask.cover * (1 - shade.on(mask))), dark)
        rim = self.softened(mask, depth * 0.45, (depth * 0.3, depth * 0.25))
        self.lighten(Mask(mask.left, mask.top, mask.cover * (1 - rim.on(mask))), light)
        edge = self.softened(mask, 1.3)
        self.darken(Mask(mask.left, mask.top, mask.cover * np.clip(1.0 - edge.on(mask), 0, 1)), 0.42)

    def stroke(
        self, line: Sequence[tuple[float, float]], width: float, *, blur: float = 0.0, even: bool = False
    ) -> Mask:
        """The mask of a brush stroke along `line`: `width` units at its middle, tapered unless `even`."""
        spots = np.array(line)
        dx, dy = np.gradient(spots[:, 0]), np.gradient(spots[:, 1])
        norm = np.maximum(np.hypot(dx, dy), 1e-6)
        along = np.linspace(0, 1, len(spots))
        half = (
            np.full(len(spots), width / 2)
            if even
            else np.sin(np.pi * along) ** 0.7 * width / 2 + width * 0.04
        )
        nx, ny = -dy / norm * half, dx / norm * half
        left = list(zip(spots[:, 0] + nx, spots[:, 1] + ny, strict=True))
        right = list(zip(spots[:, 0] - nx, spots[:, 1] - ny, strict=True))
        return self.shape([(float(x), float(y)) for x, y in [*left, *reversed(right)]], blur=blur)

    def fold(self, inside: Mask, *line: tuple[float, float], width: float = 9.0, dark: float = 0.34) -> None:
        """A crease in cloth: a soft dark stroke with a faint light beside it."""
        path = curve(*line)
        self.darken(self.stroke(path, width, blur=width * 0.26).within(inside), dark)
        beside = [(x - width * 0.55, y - width * 0.2) for x, y in path]
        self.lighten(self.stroke(beside, width * 0.7, blur=width * 0.28).within(inside), dark * 0.42)

    def seam(self, inside: Mask, line: Points, *, width: float = 1.3, dark: float = 0.5) -> None:
        """A seam or edge of cloth: an even thin dark line."""
        self.darken(self.stroke(line, width, even=True, blur=0.25).within(inside), dark)

    def stitches(self, inside: Mask, line: Points, colour: Colour, *, amount: float = 0.8) -> None:
        """Top-stitching: a dashed thin line."""
        fine = np.array(line)
        length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(fine, axis=0).T))])
        for begin in np.arange(0, float(length[-1]) - 2.4, 4.2):
            ends = np.array([begin, begin + 1.2, begin + 2.4])
            dash = list(
                zip(np.interp(ends, length, fine[:, 0]), np.interp(ends, length, fine[:, 1]), strict=True)
            )
            spots = [(float(x), float(y)) for x, y in dash]
            self.paint(self.stroke(spots, 0.9, even=True).within(inside), colour, amount)

    def picture(self) -> Image.Image:
        """The drawing at the size it is saved in."""
        full = Image.fromarray(self.pixels.clip(0, 255).astype(np.uint8))
        return full.reduce(FINENESS)

    def save(self, path: Path) -> None:
        """Write the drawing as JPEG, as finely as `LARGEST_BYTES` allows."""
        picture = self.picture()
        for quality in range(91, 60, -3):
            picture.save(path, "JPEG", quality=quality, optimize=True, subsampling=0)
            if path.stat().st_size <= LARGEST_BYTES:
                return
