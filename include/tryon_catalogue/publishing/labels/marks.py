"""Visible marks: a few words in the lower right corner of a picture, for markets that ask for them.

White words on a darkened plate, so that they can be read on any picture. They are as high as China's rule for
generated pictures asks, 5 per cent of the shorter side (GB 45438-2025). Drawing means compressing
again: a JPEG keeps its own tables, so that little is lost outside the plate. A mark is put in before the
label.
"""

from __future__ import annotations

import io
import math
from importlib import resources
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps

from tryon_catalogue.pictures.opening import open_picture
from tryon_catalogue.publishing.labels.errors import LabelError
from tryon_catalogue.publishing.labels.forms import form_of

FONT = "NotoSansSC-SemiBold-marks.ttf"
HEIGHT = 0.05
"""Of the words, as a part of the picture's shorter side; less only where they would be too wide."""
WIDEST = 0.9
"""Of the plate, as a part of the picture's width."""
SMALLEST_SIDE = 100
"""Pixels. On a smaller picture nobody could read it."""
PLATE = 0.65
"""How dark the plate is: white words on it have a contrast of 7 to 1 at least, whatever is below."""

KEEPING: dict[str, Any] = {"quality": "keep", "optimize": True}
FINE: dict[str, Any] = {"quality": 95, "subsampling": "4:4:4", "optimize": True}
"""How a JPEG is compressed when its own tables do not fit what was drawn in."""

_ORIENTATION = 0x0112
_MEASURED_AT = 200  # pixels; a font's letters grow evenly
_NO_CHARACTER = "\U0010ffff"  # no font has it: it is drawn as the box for what is missing
_MODES = frozenset({"L", "RGB", "RGBA"})


def mark(content: bytes, text: str, font: str | None = None) -> bytes:
    """Draw words into the lower right corner of a picture, as it is seen: turned as its Exif data says.

    Args:
        content: A JPEG or PNG file's bytes.
        text: One line, such as ``AI生成``.
        font: Path of a TrueType or OpenType font; the project's own when not given.

    Returns:
        The marked picture in the same format, compressed again; with its Exif data, colour profile and XMP.

    Raises:
        LabelError: The font cannot be read or lacks a character, or the file is no picture that can be marked.
    """
    measured = _font(font, _MEASURED_AT)
    _check_characters(measured, text)
    try:
        with open_picture(content) as picture:
            picture.load()
            marked = _marked(picture, measured, text)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise LabelError(f"could not be marked: not a whole JPEG or PNG picture ({error})") from error
    form = form_of(content)
    packet = form.find_packet(content)
    return marked if packet is None else bytes(form.put_packet(marked, packet))


def check_mark(text: str, font: str | None = None) -> None:
    """Say at once, before any picture is there, whether words can be drawn.

    Args:
        text: One line.
        font: Path of a font; the project's own when not given.

    Raises:
        LabelError: The font cannot be read or lacks a character.
    """
    _check_characters(_font(font, _MEASURED_AT), text)


def _font(path: str | None, size: int) -> ImageFont.FreeTypeFont:
    try:
        if path is not None:
            return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
        own = resources.files(__package__).joinpath("fonts", FONT).read_bytes()
        return ImageFont.truetype(io.BytesIO(own), size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise LabelError(f"[labels] mark_font: {path} is no font that can be read ({error})") from error


def _check_characters(font: ImageFont.FreeTypeFont, text: str) -> None:
    if not text.strip() or not text.isprintable():
        raise LabelError("[labels] mark: one line of visible characters is expected")
    missing = _shape(font, _NO_CHARACTER)
    lacking = sorted(
        {character for character in text if character != " " and _shape(font, character) == missing}
    )
    if lacking:
        raise LabelError(
            f"[labels] mark: the font has no {' '.join(lacking)}; name one that does as [labels] mark_font"
        )


def _shape(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    return bytes(font.getmask(character))


def _marked(picture: Image.Image, measured: ImageFont.FreeTypeFont, text: str) -> bytes:
    if min(picture.size) < SMALLEST_SIDE:
        wide, high = picture.size
        raise LabelError(f"too small to be marked: {wide} x {high}, at least {SMALLEST_SIDE} pixels a side")
    options = _options(picture)
    canvas = _canvas(picture)
    _draw(canvas, measured, text)
    if picture.format != "PNG":
        # Its own tables and sampling again: blocks without a change come out nearly as they went in.
        options |= KEEPING if canvas is picture and picture.format == "JPEG" else FINE
    if options.get("exif") is not None and canvas is not picture:
        options["exif"] = canvas.getexif().tobytes()  # a picture that was turned says so no more
    file = io.BytesIO()
    canvas.save(file, "PNG" if picture.format == "PNG" else "JPEG", **options)
    return file.getvalue()


def _options(picture: Image.Image) -> dict[str, Any]:
    """Give what of the file besides its pixels is to be written again."""
    kept = {name: picture.info.get(name) for name in ("exif", "icc_profile", "dpi")}
    if picture.format != "PNG":
        kept["progressive"] = "progressive" in picture.info
    if picture.mode not in _MODES:
        kept["icc_profile"] = None  # it is for other colours than will be written
    return {name: value for name, value in kept.items() if value is not None}


def _canvas(picture: Image.Image) -> Image.Image:
    """Give a picture to draw in: the given one if at all possible, for the sake of its JPEG tables."""
    canvas = picture
    if picture.getexif().get(_ORIENTATION, 1) != 1:
        canvas = ImageOps.exif_transpose(picture)
    if canvas.mode not in _MODES:
        canvas = canvas.convert("RGBA" if picture.has_transparency_data else "RGB")
    return canvas


def _draw(canvas: Image.Image, measured: ImageFont.FreeTypeFont, text: str) -> None:
    left, top, right, bottom = measured.getbbox(text)
    high = math.ceil(HEIGHT * min(canvas.size))
    padding = math.ceil(high * 0.4)
    margin = math.ceil(high * 0.5)
    room = WIDEST * canvas.width - 2 * padding
    size = math.ceil(_MEASURED_AT * min(high / (bottom - top), room / (right - left)))
    font = measured.font_variant(size=size)
    left, top, right, bottom = font.getbbox(text)
    wide, tall = math.ceil(right - left) + 2 * padding, math.ceil(bottom - top) + 2 * padding
    x, y = canvas.width - margin - wide, canvas.height - margin - tall
    plate = Image.new("L", (wide, tall), 0)
    ImageDraw.Draw(plate).rounded_rectangle((0, 0, wide - 1, tall - 1), padding, fill=round(255 * PLATE))
    letters = Image.new("L", (wide, tall), 0)
    ImageDraw.Draw(letters).text((padding - left, padding - top), text, fill=255, font=font)
    canvas.paste("black", (x, y), plate)
    canvas.paste("white", (x, y), letters)
