"""Draw a person in other clothes: the sandbox's picture of a look.

The garment is cut from its plain background, bent row by row so that it follows the body (sleeves over arms,
legs over legs), and laid on the person with a soft shadow. It is a stand-in's picture, good enough to see at a
glance which garment is on whom, and it is marked as such. It must not know jobs, URLs or the vendor's rules, and
it takes any picture: where no figure can be found, an upright person in the middle is assumed.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from tryon_sandbox.cutting import Bools, Cutout, Floats, Outline, cut, flat_rgba, outline, smooth

MARK = "SANDBOX"

_WORK_SIDE_PX = 1400  # larger pictures are dressed at this size, and enlarged again
_GARMENT_SIDE_PX = 1000  # a garment covers but a part of the picture
_FULL_BODY = "FULL_BODY"
_SLEEVE_EASE = 1.14  # a sleeve is at least this much wider than the arm in it
_BODY_EASE = 1.05
_LEG_EASE = 1.10
_MASK_EASE = 0.86
_SHOULDER_SHARE = 0.196  # where shoulders stand on an upright body, from the crown down
_TROUSER_SHAPE = 1.9  # a lower garment this many times higher than wide has legs that end at the ankle
_ANKLE_SHARE = 0.943

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Figure:
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

    def share(self, rows: Numbers) -> Numbers:
        """The inverse of `at`."""
        return np.asarray((rows - self.shoulder_y) / self.height + _SHOULDER_SHARE)


@dataclass(frozen=True, slots=True)
class _Place:
    """How a garment's pixels come to lie on the person: x' = axis + (x - from_axis) * scale_x, y likewise."""

    scale_x: float
    scale_y: float
    from_axis: float
    axis: float
    shift_y: float


@dataclass(frozen=True, slots=True)
class _Variation:
    """What sets one picture of a look apart from the next."""

    ground: tuple[float, float, float]
    light: float
    scale: float
    shift: float


_VARIATIONS = (
    _Variation((1.0, 1.0, 1.0), 0.0, 1.0, 0.0),
    _Variation((1.0, 0.93, 0.85), 0.16, 1.012, 0.002),
    _Variation((0.85, 0.92, 1.0), -0.16, 0.99, -0.002),
    _Variation((0.88, 0.96, 0.87), 0.08, 1.02, 0.004),
)


def render(
    model: Image.Image,
    tops: Image.Image,
    pants: Image.Image | None,
    mask: Image.Image | None,
    *,
    fit_type: str,
    number: int,
) -> Image.Image:
    """Draw `model` wearing the garments.

    Arguments:
        model: the person's picture, any mode.
        tops: the upper or the whole-body garment, best on a plain background.
        pants: the lower garment, or None.
        mask: where to paint (white), in the model's size; None leaves the place to the figure.
        fit_type: "HALF_BODY" or "FULL_BODY" (vendor document, section 5.1); without `pants` a full-body garment
            is a long one.
        number: which of the up to four pictures of a look, from 0; each looks a little different.
    Returns:
        An RGB picture of the model's size, marked "SANDBOX".
    """
    person = Image.new("RGB", model.size, (255, 255, 255))
    rgba = flat_rgba(model)
    person.paste(rgba, mask=rgba.getchannel("A"))
    variation = _VARIATIONS[number % len(_VARIATIONS)]
    shrink = min(1.0, _WORK_SIDE_PX / max(person.size))
    work = person.resize(_scaled(person.size, shrink), Image.Resampling.LANCZOS) if shrink < 1 else person
    body = cut(flat_rgba(work))
    figure = _figure(None if body is None else outline(body.alpha), work.size)
    clip = None if mask is None else _clip(mask, work.size)
    layer = _dressed(work.size, figure, _garments(tops, pants, fit_type), clip, variation)
    picture = _painted(work, None if body is None else body.alpha, layer, variation)
    if shrink < 1:
        picture = picture.resize(person.size, Image.Resampling.LANCZOS)
    return _marked(picture)


@dataclass(frozen=True, slots=True)
class _Garment:
    """A cut garment and the part of the body it is for, as shares of the person's height."""

    cutout: Cutout
    line: Outline
    lower: bool
    begin: float
    end_least: float
    end_most: float


def _garments(tops: Image.Image, pants: Image.Image | None, fit_type: str) -> list[_Garment]:
    """What is laid on, in the order it is laid: trousers first, so that the top falls over them."""
    laid = []
    if pants is not None:
        laid.append(_garment(pants, lower=True, begin=0.39, least=0.60, most=0.955))
    long = fit_type == _FULL_BODY and pants is None
    least, most = (0.60, 0.955) if long else (0.40, 0.62)
    laid.append(_garment(tops, lower=False, begin=0.166, least=least, most=most))
    return laid


def _garment(picture: Image.Image, *, lower: bool, begin: float, least: float, most: float) -> _Garment:
    rgba = flat_rgba(picture)
    shrink = min(1.0, _GARMENT_SIDE_PX / max(rgba.size))
    if shrink < 1:
        rgba = rgba.resize(_scaled(rgba.size, shrink), Image.Resampling.LANCZOS)
    cutout = cut(rgba)
    line = None if cutout is None else outline(cutout.alpha)
    if cutout is None or line is None:  # a photograph without a plain background: its middle, softly bordered
        cutout = Cutout(np.asarray(rgba.convert("RGB"), dtype=np.float32), _middle(rgba.size))
        line = outline(cutout.alpha)
    if line is None:
        raise ValueError(f"a garment's picture of {rgba.width} x {rgba.height} px is too small to be laid on")
    return _Garment(cutout, line, lower, begin, least, most)


def _middle(size: tuple[int, int]) -> Floats:
    picture = Image.new("L", size, 0)
    width, height = size
    box = (width * 0.16, height * 0.08, width * 0.84, height * 0.92)
    ImageDraw.Draw(picture).rounded_rectangle(box, radius=min(size) * 0.12, fill=255)
    soft = picture.filter(ImageFilter.GaussianBlur(min(size) * 0.012))
    return np.asarray(soft, dtype=np.float32) / 255


def _figure(line: Outline | None, size: tuple[int, int]) -> _Figure:
    width, height = size
    if line is None or line.bottom - line.top < height * 0.3:
        tall = min(height * 0.9, width * 1.9)
        shoulder_y = (height - tall) / 2 + tall * _SHOULDER_SHARE
        return _Figure(tall, width / 2, shoulder_y, tall * 0.25, tall * 0.17, None)
    visible = line.bottom - line.top
    whole = line.bottom < height * 0.985  # the feet are in the picture
    shoulder_y = _shoulder(line, line.top + visible * 0.12, line.top + visible * (0.25 if whole else 0.6))
    shoulder_width = line.width_at(shoulder_y)
    tall = (line.bottom - shoulder_y) / (1 - _SHOULDER_SHARE) if whole else max(visible, shoulder_width * 3.7)
    at = int(np.argmin(np.abs(line.rows - shoulder_y)))
    axis = float(line.edges[at, 0] + line.edges[at, 5]) / 2
    chest = line.core_at(shoulder_y + tall * 0.10)
    chest = float(np.clip(chest, shoulder_width * 0.55, shoulder_width * 0.9))
    return _Figure(tall, axis, shoulder_y, shoulder_width, chest, line)


def _shoulder(line: Outline, begin: float, end: float) -> float:
    """The row at which the slope from the neck ends: below it the silhouette widens no faster than an arm."""
    inside = (line.rows >= begin) & (line.rows <= end)
    rows, widths = line.rows[inside], (line.edges[:, 5] - line.edges[:, 0])[inside]
    if rows.size < 6:
        return (begin + end) / 2
    rate = np.gradient(widths, rows)
    steep = np.flatnonzero(rate > 1.3)
    return float(rows[steep[-1]]) if steep.size else float(rows[0] + (rows[-1] - rows[0]) * 0.5)


def _place(garment: _Garment, figure: _Figure, variation: _Variation) -> _Place:
    line = garment.line
    tall = line.bottom - line.top
    if garment.lower:
        waist = max(line.width_at(line.top + tall * 0.04), 1.0)
        body = figure.chest_width if figure.line is None else figure.line.core_at(figure.at(garment.begin + 0.015))
        scale = min(body, figure.chest_width) * 1.04 / waist
        scale = scale_y = _within(scale, garment, figure, tall)
        if tall > _TROUSER_SHAPE * (line.edges[:, 3] - line.edges[:, 2]).max():
            scale_y = (_ANKLE_SHARE - garment.begin) * figure.height / tall
        return _Place(scale, scale_y, line.axis, figure.axis, figure.at(garment.begin) - line.top * scale_y)
    if line.hanging:
        slope_end = _shoulder(line, line.top, line.top + tall * (0.2 if garment.end_least > 0.5 else 0.33))
        scale = figure.shoulder_width * 1.05 / max(line.width_at(slope_end), 1.0)
        kept = _within(scale, garment, figure, tall)
        shift = figure.shoulder_y - figure.height * 0.004 - slope_end * kept
    else:
        chest = max(line.width_at(line.top + tall * (0.2 if garment.end_least > 0.5 else 0.36)), 1.0)
        kept = _within(figure.chest_width * 1.08 / chest, garment, figure, tall)
        shift = figure.at(garment.begin) - line.top * kept
    kept *= variation.scale
    return _Place(kept, kept, line.axis, figure.axis, shift + variation.shift * figure.height)


def _within(scale: float, garment: _Garment, figure: _Figure, tall: float) -> float:
    """Hold a scale to hems that a garment of this kind can have."""
    least = (garment.end_least - garment.begin) * figure.height / tall
    most = (garment.end_most - garment.begin) * figure.height / tall
    return float(np.clip(scale, least, most))


def _boxed(garment: _Garment, line: Outline, begin: float, end: float) -> _Place:
    """Fit a garment to the box of a mask, between two shares of its height."""
    own, tall = garment.line, line.bottom - line.top
    wide = float(line.edges[:, 5].max() - line.edges[:, 0].min())
    own_wide = max(float(own.edges[:, 5].max() - own.edges[:, 0].min()), 1.0)
    scale_y = tall * (end - begin) / max(own.bottom - own.top, 1.0)
    centre = float(line.edges[:, 5].max() + line.edges[:, 0].min()) / 2
    return _Place(wide / own_wide, scale_y, own.axis, centre, line.top + tall * begin - own.top * scale_y)


def _clip(mask: Image.Image, size: tuple[int, int]) -> Floats:
    """Where a mask lets paint through: white, with a soft border."""
    grey = flat_rgba(mask).convert("L").resize(size, Image.Resampling.BILINEAR)
    soft = grey.point(lambda level: 255 if level > 127 else 0).filter(ImageFilter.GaussianBlur(max(size) * 0.0012))
    return np.asarray(soft, dtype=np.float32) / 255


def _dressed(
    size: tuple[int, int], figure: _Figure, garments: list[_Garment], clip: Floats | None, variation: _Variation
) -> Floats:
    """All garments in one premultiplied layer (h, w, 4): colours in 0..255, coverage in 0..1."""
    layer = np.zeros((size[1], size[0], 4), dtype=np.float32)
    box = None if clip is None else outline(clip)
    if clip is not None and box is None:
        return layer  # an all-black mask: nothing is to be replaced
    for garment in garments:
        if box is None:
            place, body = _place(garment, figure, variation), figure
        else:
            begin, end = ((0.4, 1.0) if garment.lower else (0.0, 0.5)) if len(garments) > 1 else (0.0, 1.0)
            place, body = _boxed(garment, box, begin, end), replace(figure, line=box, ease=_MASK_EASE)
        _lay(layer, garment, place, body)
    return layer if clip is None else layer * clip[..., None]


def _lay(layer: Floats, garment: _Garment, place: _Place, figure: _Figure) -> None:
    """Lay one garment over what `layer` holds, row by row."""
    height, width = layer.shape[:2]
    source = np.dstack([garment.cutout.rgb * garment.cutout.alpha[..., None], garment.cutout.alpha])
    line = garment.line
    first = max(0, int(line.top * place.scale_y + place.shift_y))
    last = min(height, int(line.bottom * place.scale_y + place.shift_y) + 1)
    rows = np.arange(first, last)
    above = np.clip((rows + 0.5 - place.shift_y) / place.scale_y - 0.5, 0, source.shape[0] - 1.001)
    own, target = _controls(garment, place, figure, rows, above)
    xs = np.arange(width) + 0.5
    for index, row in enumerate(rows):
        y = int(above[index])
        part = above[index] - y
        u = np.interp(xs, target[index], own[index]) - 0.5
        inside = np.flatnonzero((u > 0) & (u < source.shape[1] - 1.001))
        if inside.size == 0:
            continue
        line_of = source[y] * (1 - part) + source[y + 1] * part
        at = u[inside].astype(np.intp)
        share = (u[inside] - at)[:, None].astype(np.float32)
        pixels = line_of[at] * (1 - share) + line_of[at + 1] * share
        under = layer[row, inside]
        layer[row, inside] = pixels + under * (1 - pixels[:, 3:])


def _controls(
    garment: _Garment, place: _Place, figure: _Figure, rows: Numbers, above: Numbers
) -> tuple[Numbers, Numbers]:
    """For each row, places in the garment's picture and where on the person's they come to lie."""
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
    own: Numbers, plain: Numbers, body: Numbers, garment: _Garment, *, even: int, slack: float
) -> Numbers:
    """How far each edge of the garment moves so that every part lies over, and covers, its part of the body.

    Arguments:
        own, plain, body: edges in the garment's picture, the same laid on the person unbent, and the body's.
        even: over how many rows the movement is evened out.
        slack: share of the usual ease.
    """
    moved = np.zeros_like(plain)
    if garment.lower:
        pairs = ((0, 1, _LEG_EASE), (2, 3, _LEG_EASE))
    elif garment.line.hanging:
        pairs = ((0, 1, _SLEEVE_EASE), (2, 3, _BODY_EASE), (4, 5, _SLEEVE_EASE))
    else:
        pairs = ((2, 3, _BODY_EASE),)
    for left, right, ease in pairs:
        width, wide = plain[:, right] - plain[:, left], body[:, right] - body[:, left]
        free = _free(own, left) & _free(body, left) if len(pairs) == 3 else np.True_
        worn = np.flatnonzero((own[:, right] - own[:, left] > 3) & (wide > 3) & free)
        if worn.size < 4 * even:  # a short sleeve tells too little of how the arm in it runs
            continue
        worn = worn[: max(4, worn.size - worn.size // 14)]  # a slanted hem's last rows are no measure of its width
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


def _weight(garment: _Garment, figure: _Figure, rows: Numbers) -> Numbers:
    """How far a row follows the body: not at all at the collar, wholly from the armpits down to the hip."""
    share = figure.share(rows)
    if garment.lower:
        return np.asarray(np.clip((share - 0.40) / 0.06, 0, 1) * np.clip((0.99 - share) / 0.03, 0, 1))
    begin = 0.20 if garment.line.hanging else 0.25
    return np.asarray(np.clip((share - begin) / 0.06, 0, 1) * np.clip((0.56 - share) / 0.06, 0, 1))


def _painted(work: Image.Image, body: Floats | None, layer: Floats, variation: _Variation) -> Image.Image:
    """Lay the garments' layer on the person: tinted ground, contact shadow, light."""
    pixels = np.asarray(work, dtype=np.float32)
    height, width = layer.shape[:2]
    cover = layer[..., 3]
    tint = np.array(variation.ground, dtype=np.float32)
    ground = np.full((height, width), 0.5, dtype=np.float32) if body is None else 1 - np.maximum(body, cover)
    pixels = pixels * (1 - ground[..., None] * (1 - tint))
    shade = Image.fromarray((cover * 255).astype(np.uint8))
    shade = ImageChops.offset(shade, 0, max(1, height // 170)).filter(ImageFilter.GaussianBlur(height / 150))
    shadow = np.asarray(shade, dtype=np.float32) / 255 * (1 - cover) * (0.34 if body is None else 0.34 * body)
    pixels = pixels * (1 - shadow[..., None])
    pixels = pixels * (1 - cover[..., None]) + layer[..., :3]
    if variation.light:
        pixels = pixels * (1 + variation.light * np.linspace(1, -1, width, dtype=np.float32) * 0.6)[None, :, None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _marked(picture: Image.Image) -> Image.Image:
    """Write the sandbox's mark into the lower right corner."""
    size = max(12, round(min(picture.size) * 0.021))
    font = ImageFont.load_default(size)
    gap = size * 0.18
    wide = sum(font.getlength(letter) + gap for letter in MARK) - gap
    high, edge = size * 1.9, size * 1.1
    box_wide = wide + size * 1.5
    left, top = picture.width - edge - box_wide, picture.height - edge - high
    draw = ImageDraw.Draw(picture, "RGBA")
    box = (left, top, left + box_wide, top + high)
    draw.rounded_rectangle(box, radius=high / 2, fill=(24, 26, 32, 170))
    x = left + size * 0.75
    for letter in MARK:
        draw.text((x, top + high / 2), letter, font=font, fill=(255, 255, 255, 240), anchor="lm")
        x += font.getlength(letter) + gap
    return picture


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
