"""Cut a thing out of a plain background, and read the outline of what was cut.

The sandbox uses it on garments and on persons alike. A picture that cannot be cut gives
None.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

_OUTLINE_SIDE_PX = 360  # outlines are read off a picture no longer than this: enough, and quick
_MAX_SWEEPS = 200
_BORDER_SHARE = 0.03  # how much of each side is taken for background
_PLAIN_DEVIATION = 12.0  # mean difference, in levels of 255, up to which a border counts as plain
_EDGE_LEVELS = 12.0  # a soft edge goes from clear to opaque over at least so many levels of difference


@dataclass(frozen=True, slots=True)
class Cutout:
    """A thing without its background: colours (h, w, 3) in 0..255 and coverage (h, w) in 0..1."""

    rgb: Floats
    alpha: Floats


@dataclass(frozen=True, slots=True)
class Outline:
    """A silhouette row by row, in pixels of the picture it was read from.

    `edges` is (rows, 6): outer and inner edge of what hangs on the left (a sleeve, an arm), left and right edge
    of the core (the body), inner and outer edge of what hangs on the right. Rows without something hanging
    repeat the place where it begins. `gap` is (rows, 2): the inner edges of two legs, equal where there is none.
    `hanging` says whether anything hangs on both sides.
    """

    top: float
    bottom: float
    axis: float
    rows: Floats
    edges: Floats
    gap: Floats
    hanging: bool

    def width_at(self, y: float) -> float:
        """Width of the whole silhouette at row `y`."""
        return float(np.interp(y, self.rows, self.edges[:, 5] - self.edges[:, 0]))

    def core_at(self, y: float) -> float:
        """Width of the core at row `y`."""
        return float(np.interp(y, self.rows, self.edges[:, 3] - self.edges[:, 2]))


def flat_rgba(picture: Image.Image) -> Image.Image:
    """Return `picture` in RGBA, whatever its mode was."""
    if picture.mode == "RGBA":
        return picture
    if picture.mode in {"LA", "PA", "La", "RGBa"} or "transparency" in picture.info:
        return picture.convert("RGBA")
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, dtype=np.float32)
        span = max(float(values.max()), 1.0)
        return Image.fromarray((values / span * 255).clip(0, 255).astype(np.uint8)).convert("RGBA")
    return picture.convert("RGB").convert("RGBA")


def cut(picture: Image.Image) -> Cutout | None:
    """Cut what stands before a plain background, or stands free already by transparency.

    Args:
        picture: An RGBA picture.
    Returns:
        The cut-out, as large as the picture; None when the background is not plain or holds nothing.
    """
    pixels = np.asarray(picture, dtype=np.float32)
    rgb, given = pixels[..., :3], np.asarray(pixels[..., 3] / np.float32(255), dtype=np.float32)
    if float(np.mean(given < 0.1)) > 0.03:
        return Cutout(rgb, given) if float(given.max()) > 0.5 else None
    height, width = given.shape
    scale = min(1.0, _OUTLINE_SIDE_PX / max(height, width))
    small_size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = np.asarray(picture.convert("RGB").resize(small_size, Image.Resampling.BOX), dtype=np.float32)
    ground = _background(small)
    difference = _furthest(small - ground)
    edge = max(2, round(small_size[0] * _BORDER_SHARE))
    border = np.concatenate(
        [difference[:, :edge].ravel(), difference[:, -edge:].ravel(), difference[:2].ravel()]
    )
    if float(border.mean()) > _PLAIN_DEVIATION or _uneven(ground) > _PLAIN_DEVIATION:
        return None
    threshold = float(np.clip(2.5 * np.percentile(border, 90), 6.0, 30.0))
    ground_like = difference < threshold
    barrier = _closed(~ground_like)
    solid = _largest(~_reached(~barrier, _border_of(difference)))
    slits = barrier & _reached(ground_like, ~solid)
    if not 0.01 < float(solid.mean()) < 0.97:
        return None
    return _soft_cutout(rgb, ground, solid & ~slits, difference, threshold)


def outline(alpha: Floats) -> Outline | None:
    """Read the silhouette of a coverage, None when there is next to nothing."""
    height, width = alpha.shape
    factor = max(1.0, max(height, width) / _OUTLINE_SIDE_PX)
    size = (max(4, round(width / factor)), max(4, round(height / factor)))
    small = Image.fromarray((alpha * 255).astype(np.uint8)).resize(size, Image.Resampling.BOX)
    solid = np.asarray(small) > 127
    filled = np.flatnonzero(solid.sum(axis=1) >= 2)
    if filled.size < 8:
        return None
    top, bottom = int(filled[0]), int(filled[-1])
    across = np.flatnonzero(solid[top : top + max(4, (bottom - top) // 3)].any(axis=0))
    axis = float(across[0] + across[-1] + 1) / 2
    rows = np.arange(top, bottom + 1)
    edges, gap = _rows_of(solid[top : bottom + 1], axis)
    hanging = _settle(edges)
    step_x, step_y = width / size[0], height / size[1]
    return Outline(
        top=top * step_y,
        bottom=(bottom + 1) * step_y,
        axis=axis * step_x,
        rows=((rows + 0.5) * step_y).astype(np.float32),
        edges=(smooth(edges) * step_x).astype(np.float32),
        gap=(smooth(gap) * step_x).astype(np.float32),
        hanging=hanging,
    )


def _background(small: Floats) -> Floats:
    """Estimate the background everywhere from the left and right border, so that a lit wall is plain too."""
    width = small.shape[1]
    edge = max(2, round(width * _BORDER_SHARE))
    left, right = np.median(small[:, :edge], axis=1), np.median(small[:, -edge:], axis=1)
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    return np.asarray(left[:, None, :] * (1 - across) + right[:, None, :] * across, dtype=np.float32)


def _uneven(ground: Floats) -> float:
    """How far the sides' colours stray, in levels, from a wall whose light changes evenly from top to bottom."""
    rows = np.linspace(-1, 1, len(ground))
    sides = np.concatenate([ground[:, 0], ground[:, -1]], axis=1)
    even = np.polynomial.polynomial.polyval(rows, np.polynomial.polynomial.polyfit(rows, sides, 3)).T
    return float(np.abs(sides - even).mean())


def _border_of(picture: Floats) -> Bools:
    border = np.zeros(picture.shape, dtype=np.bool_)
    border[0], border[-1], border[:, 0], border[:, -1] = True, True, True, True
    return border


def _reached(free: Bools, seeds: Bools) -> Bools:
    """What of `free` hangs together with a seed: a flood fill by sweeps along rows and columns."""
    reached = free & seeds
    count = -1
    for _ in range(_MAX_SWEEPS):
        reached = _swept(free, reached)
        reached = _swept(free.T, reached.T).T
        if (now := int(reached.sum())) == count:
            break
        count = now
    return reached


def _swept(free: Bools, reached: Bools) -> Bools:
    starts = np.ones(free.shape, dtype=np.bool_)
    starts[:, 1:] = free[:, 1:] != free[:, :-1]
    segment = np.cumsum(starts.ravel())
    hit = np.bincount(segment, weights=reached.ravel()) > 0
    return np.asarray((hit[segment].reshape(free.shape)) & free)


def _largest(solid: Bools) -> Bools:
    """The largest connected part, so that a speck or a label in the corner is no part of the figure."""
    rest, best = solid.copy(), np.zeros_like(solid)
    for _ in range(6):
        if int(rest.sum()) <= int(best.sum()):
            break
        row = int(np.argmax(rest.sum(axis=1)))
        seeds = np.zeros_like(solid)
        seeds[row, int(np.argmax(rest[row]))] = True
        part = _reached(rest, seeds)
        if int(part.sum()) > int(best.sum()):
            best = part
        rest &= ~part
    return best


def _soft_cutout(rgb: Floats, ground: Floats, solid: Bools, contrast: Floats, threshold: float) -> Cutout:
    """Coverage is how far a border pixel has gone from the background's colour to that of the cloth beside it."""
    size = (rgb.shape[1], rgb.shape[0])
    near = Image.fromarray(contrast.clip(0, 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(5))
    span = np.maximum(_resized(np.asarray(near, dtype=np.float32), size) * 0.85 - threshold, _EDGE_LEVELS)
    outside = _enlarged(_grown(solid), size) < 0.5
    alpha = (_enlarged(~_grown(_grown(~solid)), size) > 0.5).astype(np.float32)
    rows, columns = np.nonzero((alpha == 0) & ~outside)  # the border alone needs a closer look
    behind = np.stack([_resized(ground[..., c], size)[rows, columns] for c in range(3)], axis=1)
    here = rgb[rows, columns]
    difference = _furthest(here - behind)
    soft = np.clip((difference - threshold * 0.8) / span[rows, columns], 0, 1).astype(np.float32)
    cover = np.maximum(soft, 0.25)[:, None]
    clean = rgb.copy()
    clean[rows, columns] = np.clip((here - behind * (1 - cover)) / cover, 0, 255)
    alpha[rows, columns] = soft
    return Cutout(clean, alpha)


def _furthest(difference: Floats) -> Floats:
    """The largest of the three channels' differences (a plain `max` over so short an axis is slow)."""
    far = np.abs(difference)
    return np.maximum(np.maximum(far[..., 0], far[..., 1]), far[..., 2])


def _resized(values: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BILINEAR), dtype=np.float32)


def _closed(solid: Bools) -> Bools:
    """Without cracks one pixel wide, through which a background as light as the cloth would leak in."""
    return ~_grown(~_grown(solid))


def _grown(solid: Bools) -> Bools:
    grown = solid.copy()
    grown[1:] |= solid[:-1]
    grown[:-1] |= solid[1:]
    grown[:, 1:] |= solid[:, :-1]
    grown[:, :-1] |= solid[:, 1:]
    return grown


def _enlarged(solid: Bools, size: tuple[int, int]) -> Floats:
    picture = Image.fromarray(solid.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(np.asarray(picture, dtype=np.float32) / np.float32(255), dtype=np.float32)


def _rows_of(solid: Bools, axis: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    edges = np.full((len(solid), 6), np.nan)
    gap = np.full((len(solid), 2), axis)
    padded = np.zeros((len(solid), solid.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = solid
    turns = np.diff(padded, axis=1)
    reach = solid.shape[1] * 0.1
    beside = 3.0  # a gap this near to the axis is still in the middle
    started = False
    for index, turn in enumerate(turns):
        begins, ends = np.flatnonzero(turn == 1), np.flatnonzero(turn == -1)
        if begins.size == 0:
            continue
        holds = (begins < axis - beside) & (ends > axis + beside)
        if not holds.any():  # two legs, or an open neck: what is next to the axis on either side
            left, right = np.flatnonzero(ends <= axis + beside), np.flatnonzero(begins >= axis - beside)
            if left.size and axis - ends[left[-1]] < reach:
                holds[left[-1]] = True
            if right.size and begins[right[0]] - axis < reach:
                holds[right[0]] = True
            if left.size and right.size and holds[left[-1]] and holds[right[0]]:
                gap[index] = ends[left[-1]], begins[right[0]]
        if not holds.any() and not started:  # a wide open neck: the shoulders belong to the body
            holds[:] = True
        started = started or bool(holds.any())
        kept = np.flatnonzero(holds)
        if kept.size == 0:  # sleeves that reach lower than the hem
            left, right = np.flatnonzero(ends <= axis), np.flatnonzero(begins >= axis)
            if left.size:
                edges[index, :2] = begins[left[0]], ends[left[-1]]
            if right.size:
                edges[index, 4:] = begins[right[0]], ends[right[-1]]
            continue
        edges[index, 2], edges[index, 3] = begins[kept[0]], ends[kept[-1]]
        if kept[0] > 0:
            widest = int(np.argmax((ends - begins)[: kept[0]]))
            edges[index, :2] = begins[widest], ends[widest]
        if kept[-1] < len(begins) - 1:
            widest = kept[-1] + 1 + int(np.argmax((ends - begins)[kept[-1] + 1 :]))
            edges[index, 4:] = begins[widest], ends[widest]
    return edges, gap


def _settle(edges: NDArray[np.float64]) -> bool:
    """Fill the rows where nothing hangs: above the armpit hold it there, below the last row likewise.

    Whether something hangs on both sides is returned.
    """
    count = len(edges)
    index = np.arange(count)
    core = np.isfinite(edges[:, 2])
    for column in (2, 3):
        edges[:, column] = np.interp(index, index[core], edges[core, column])
    hanging = True
    for outer, inner, body in ((0, 1, 2), (5, 4, 3)):
        hung = _longest_run(np.isfinite(edges[:, outer]))
        if hung.sum() < max(3, count * 0.02) or np.argmax(hung) > count * 0.75:  # a frayed hem is no sleeve
            edges[:, outer] = edges[:, body]
            edges[:, inner] = edges[:, body]
            hanging = False
            continue
        first, last = int(np.argmax(hung)), count - 1 - int(np.argmax(hung[::-1]))
        armpit = (edges[first, inner] + edges[first, body]) / 2
        outside = edges[:, body].copy()
        edges[hung, outer] = _filled(edges[hung, outer])
        edges[hung, inner] = _filled(edges[hung, inner])
        above = index < first
        edges[above, outer] = outside[above]  # there the core run reached out to the sleeve's outer edge
        edges[above, inner] = armpit
        edges[above, body] = armpit
        edges[index > last, outer] = edges[index > last, body]
        edges[index > last, inner] = edges[index > last, body]
    edges[:] = np.sort(edges, axis=1)
    return hanging


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    index, known = np.arange(len(values)), np.isfinite(values)
    return np.asarray(np.interp(index, index[known], values[known]))


def _longest_run(marked: Bools, bridge: int = 3) -> Bools:
    """The longest stretch of marked rows, over breaks of up to `bridge` rows: an arm, and not a bow at the waist."""
    places = np.flatnonzero(marked)
    kept = np.zeros_like(marked)
    if places.size:
        parts = np.split(places, np.flatnonzero(np.diff(places) > bridge + 1) + 1)
        longest = max(parts, key=len)
        kept[longest[0] : longest[-1] + 1] = True
    return kept


def smooth(values: NDArray[np.float64], reach: int = 2) -> NDArray[np.float64]:
    """Even out every column by a moving mean over `reach` rows either side; ends are held."""
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    window = 2 * reach + 1
    total = np.cumsum(np.vstack([np.zeros((1, values.shape[1])), padded]), axis=0)
    return np.asarray((total[window:] - total[:-window]) / window)
