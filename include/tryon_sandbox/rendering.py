"""Draw a person in other clothes: the sandbox's picture of a look.

The garment is cut from its plain background, bent row by row so that it follows the body (sleeves over arms,
legs over legs), and laid on the person with a soft shadow. It is a stand-in's picture, good enough to see at a
glance which garment is on whom, and it is marked as such. Any picture will do: where no figure can be found, an
upright person in the middle is assumed.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from tryon_sandbox.cutting import Cutout, Floats, cut, flat_rgba, outline
from tryon_sandbox.fitting import Figure, Garment, Place, bend, find_figure, place_in, place_on

MARK = "SANDBOX"

_WORK_SIDE_PX = 1400  # larger pictures are dressed at this size, and enlarged again
_GARMENT_SIDE_PX = 1000  # a garment covers but a part of the picture
_FULL_BODY = "FULL_BODY"
_SHADOW = 0.34  # how dark a garment's shadow on the person is
_MASK_TELLS_NOTHING = 0.6  # a mask white over more than this share of the picture does not say where
_DITHER = np.random.default_rng(0).random((64, 64, 1), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _Variation:
    """What sets one picture of a look apart from the next: the wall's tint and how much more light falls left."""

    ground: tuple[float, float, float]
    light: float


_VARIATIONS = (
    _Variation((1.0, 1.0, 1.0), 0.0),
    _Variation((1.0, 0.93, 0.85), 0.10),
    _Variation((0.85, 0.92, 1.0), -0.10),
    _Variation((0.88, 0.96, 0.87), 0.05),
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

    Args:
        model: The person's picture, any mode.
        tops: The upper or the whole-body garment, best on a plain background.
        pants: The lower garment, or None.
        mask: Where to paint (white), in the model's size; None leaves the place to the figure.
        fit_type: "HALF_BODY" or "FULL_BODY" (vendor document, section 5.1); without `pants` a full-body garment
            is a long one.
        number: Which of the up to four pictures of a look, from 0; each looks a little different.
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
    figure = find_figure(None if body is None else outline(body.alpha), work.size)
    clip = None if mask is None else _clip(mask, work.size)
    layer = _dressed(work.size, figure, _garments(tops, pants, fit_type), clip)
    picture = _painted(work, None if body is None else _standing(body, figure), layer, variation)
    if shrink < 1:
        picture = picture.resize(person.size, Image.Resampling.LANCZOS)
    return _marked(picture)


def _garments(tops: Image.Image, pants: Image.Image | None, fit_type: str) -> list[Garment]:
    """What is laid on, in the order it is laid: trousers first, so that the top falls over them."""
    laid = []
    if pants is not None:
        laid.append(_garment(pants, lower=True, begin=0.39, least=0.60, most=0.955))
    long = fit_type == _FULL_BODY and pants is None
    least, most = (0.60, 0.955) if long else (0.40, 0.62)
    laid.append(_garment(tops, lower=False, begin=0.166, least=least, most=most))
    return laid


def _garment(picture: Image.Image, *, lower: bool, begin: float, least: float, most: float) -> Garment:
    rgba = flat_rgba(picture)
    shrink = min(1.0, _GARMENT_SIDE_PX / max(rgba.size))
    if shrink < 1:
        rgba = rgba.resize(_scaled(rgba.size, shrink), Image.Resampling.LANCZOS)
    cutout = cut(rgba)
    line = None if cutout is None else outline(cutout.alpha)
    if cutout is None or line is None:  # a photograph without a plain background: its middle, softly bordered
        cutout = Cutout(np.asarray(rgba.convert("RGB"), dtype=np.float32), _middle(rgba.size))
        line = outline(cutout.alpha)
    if line is None:  # as thin as a thread: drawn out to a square
        square = rgba.resize((_GARMENT_SIDE_PX, _GARMENT_SIDE_PX), Image.Resampling.BILINEAR)
        return _garment(square, lower=lower, begin=begin, least=least, most=most)
    return Garment(cutout, line, lower, begin, least, most)


def _middle(size: tuple[int, int]) -> Floats:
    picture = Image.new("L", size, 0)
    width, height = size
    box = (width * 0.16, height * 0.08, width * 0.84, height * 0.92)
    ImageDraw.Draw(picture).rounded_rectangle(box, radius=min(size) * 0.12, fill=255)
    soft = picture.filter(ImageFilter.GaussianBlur(min(size) * 0.012))
    return _shares(soft)


def _clip(mask: Image.Image, size: tuple[int, int]) -> Floats:
    """Where a mask lets paint through: white, with a soft border."""
    grey = flat_rgba(mask).convert("L").resize(size, Image.Resampling.BILINEAR)
    soft = grey.point(lambda level: 255 if level > 127 else 0).filter(
        ImageFilter.GaussianBlur(max(size) * 0.0012)
    )
    return _shares(soft)


def _dressed(size: tuple[int, int], figure: Figure, garments: list[Garment], clip: Floats | None) -> Floats:
    """All garments in one premultiplied layer (h, w, 4): colours in 0..255, coverage in 0..1."""
    layer = np.zeros((size[1], size[0], 4), dtype=np.float32)
    box = None if clip is None else outline(clip)
    if clip is not None and box is None:
        return layer  # an all-black mask: nothing is to be replaced
    everywhere = clip is not None and float(clip.mean()) > _MASK_TELLS_NOTHING
    for garment in garments:
        if box is None or everywhere:
            place, body = place_on(garment, figure), figure
        else:
            begin, end = ((0.4, 1.0) if garment.lower else (0.0, 0.5)) if len(garments) > 1 else (0.0, 1.0)
            place, body = place_in(garment, box, begin, end), figure.masked(box)
        _lay(layer, garment, place, body)
    return layer if clip is None else layer * clip[..., None]


def _lay(layer: Floats, garment: Garment, place: Place, figure: Figure) -> None:
    """Lay one garment over what `layer` holds, row by row."""
    height, width = layer.shape[:2]
    source = np.dstack([garment.cutout.rgb * garment.cutout.alpha[..., None], garment.cutout.alpha])
    line = garment.line
    first = max(0, int(line.top * place.scale_y + place.shift_y))
    last = min(height, int(line.bottom * place.scale_y + place.shift_y) + 1)
    rows = np.arange(first, last)
    above = np.clip((rows + 0.5 - place.shift_y) / place.scale_y - 0.5, 0, source.shape[0] - 1.001)
    own, target = bend(garment, place, figure, rows, above)
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


def _standing(body: Cutout, figure: Figure) -> Floats:
    """The person's coverage without the wall seen between the legs and without the shadow on the floor.

    That shadow is the floor in its own hue, only darker.
    """
    alpha = body.alpha.copy()
    low = _row(figure.at(0.55), len(alpha))
    wall = np.median(body.rgb[low:, : max(2, alpha.shape[1] // 40)], axis=1)[:, None, :]
    ratio = body.rgb[low:] / np.maximum(wall, 1)
    least, most = ratio.min(axis=2), ratio.max(axis=2)
    bare = (most < 1.02) & (least > 0.98)
    floor = _row(figure.at(0.92), len(alpha)) - low
    bare[floor:] |= ((most < 1.01) & (least > 0.5) & (most - least < 0.035))[floor:]
    alpha[low:][bare] = 0
    return alpha


def _row(y: float, height: int) -> int:
    return max(0, min(height - 1, int(y)))


def _painted(work: Image.Image, body: Floats | None, layer: Floats, variation: _Variation) -> Image.Image:
    """Lay the garments' layer on the person: tinted ground, contact shadow, light."""
    pixels = np.array(work, dtype=np.float32)
    height, width = layer.shape[:2]
    cover = layer[..., 3]
    if variation is not _VARIATIONS[0]:
        ground = (
            np.full((height, width), 0.5, dtype=np.float32) if body is None else 1 - np.maximum(body, cover)
        )
        pixels *= 1 - ground[..., None] * (1 - np.array(variation.ground, dtype=np.float32))
    worn = np.flatnonzero(cover.any(axis=1))
    if worn.size:
        part = slice(max(0, worn[0] - height // 30), worn[-1] + height // 30)
        cover = cover[part]
        shade = Image.fromarray((cover * 255).astype(np.uint8))
        shade = ImageChops.offset(shade, 0, max(1, height // 170)).filter(
            ImageFilter.GaussianBlur(height / 150)
        )
        shadow = np.asarray(shade, dtype=np.float32) * (_SHADOW / 255) * (1 if body is None else body[part])
        pixels[part] *= ((1 - shadow * (1 - cover)) * (1 - cover))[..., None]
        pixels[part] += layer[part, :, :3]
    if variation.light:
        pixels *= (1 + variation.light * np.linspace(1, -1, width, dtype=np.float32))[None, :, None]
        pixels += np.tile(_DITHER, (height // 64 + 1, width // 64 + 1, 1))[:height, :width] - 0.5
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


def _shares(grey: Image.Image) -> Floats:
    """Levels 0..255 as shares 0..1."""
    return np.asarray(np.asarray(grey, dtype=np.float32) / np.float32(255), dtype=np.float32)


def _scaled(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
