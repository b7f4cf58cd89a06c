"""One look at a run: every look's model, garments and picture side by side, as one picture.

It is given bytes and text, wherever they are stored.
"""

import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]

_FONTS = (  # fonts that know Chinese, most handsome first; none is needed
    "NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/STHeiti Light.ttc",
    "C:/Windows/Fonts/msyh.ttc",
)
UNREADABLE = (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError)

_PAPER, _CARD, _INK, _SOFT, _LINE = (
    (246, 244, 240),
    (255, 255, 255),
    (32, 31, 36),
    (122, 118, 124),
    (228, 224, 217),
)
_EMPTY = (240, 237, 232)
_PANEL = (216, 288)
_GAP, _PADDING, _CAPTION, _MARGIN, _HEAD = 8, 18, 92, 56, 150
_COLUMNS = ((2, 1), (6, 2), (15, 3))  # up to so many rows, so many columns; more rows stand in four

_TONES: dict[str, Colour] = {
    "PUBLISHED": (34, 122, 82),
    "SUCCEEDED": (34, 122, 82),
    "REVIEW": (164, 106, 12),
    "IN_DOUBT": (118, 74, 168),
    "REJECTED": (178, 52, 52),
    "FAILED": (178, 52, 52),
}
_OTHER_TONE: Colour = (84, 96, 116)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One look on the sheet.

    Arguments:
        sku, title, model_name: of the garment and the model, as written in the export and the roster.
        state: the look's state, such as "PUBLISHED".
        reason: why it ended so, in words; empty when there is nothing to say.
        model_image, garment_images, pictures: encoded images; what is missing is shown as an empty field.
    """

    sku: str
    title: str
    model_name: str
    state: str
    reason: str
    model_image: bytes | None
    garment_images: tuple[bytes, ...]
    pictures: tuple[bytes, ...]


def write_contact_sheet(rows: Iterable[SheetRow], png: Path, *, title: str) -> None:
    """Write the sheet.

    Arguments:
        rows: the looks, in the order they are shown.
        png: where the one large image goes. Missing folders are made.
        title: the heading.
    Raises:
        OSError: the file cannot be written.
    """
    png.parent.mkdir(parents=True, exist_ok=True)
    _poster(list(rows), title).save(png, "PNG", optimize=True)


def _opened(image: bytes | None, size: tuple[int, int]) -> Image.Image | None:
    """The image in RGB, no larger than `size`; None when there is none or it cannot be read."""
    if image is None:
        return None
    try:
        with Image.open(io.BytesIO(image)) as opened:
            opened.draft("RGB", (size[0] * 2, size[1] * 2))
            rgba = opened.convert("RGBA")
    except UNREADABLE:
        return None
    rgba.thumbnail(size, Image.Resampling.LANCZOS)
    flat = Image.new("RGB", rgba.size, (255, 255, 255))
    flat.paste(rgba, mask=rgba.getchannel("A"))
    return flat


def _ground(picture: Image.Image) -> Colour:
    """The colour of an RGB picture's upper left corner."""
    red, green, blue = picture.crop((0, 0, 1, 1)).tobytes()
    return red, green, blue


def tally(rows: list[SheetRow]) -> str:
    """Say how many looks there are, and how many in each state."""
    counts = Counter(row.state for row in rows)
    looks = f"{len(rows)} look{'' if len(rows) == 1 else 's'}"
    return "  ·  ".join([looks, *(f"{count} {in_words(state)}" for state, count in counts.most_common())])


def in_words(state: str) -> str:
    """Give a state as people read it."""
    return state.replace("_", " ").lower()


# --- the PNG ---------------------------------------------------------------------------------------------------


def _poster(rows: list[SheetRow], title: str) -> Image.Image:
    columns = next((columns for most, columns in _COLUMNS if len(rows) <= most), 4)
    card = (3 * _PANEL[0] + 2 * _GAP + 2 * _PADDING, _PANEL[1] + _CAPTION + _PADDING)
    space = 26
    lines = max(1, -(-len(rows) // columns))
    size = (
        2 * _MARGIN + columns * card[0] + (columns - 1) * space,
        _HEAD + _MARGIN + lines * card[1] + (lines - 1) * space,
    )
    poster = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(poster)
    wide = size[0] - 2 * _MARGIN
    _text(draw, (_MARGIN, 42), title, size=44, colour=_INK, wide=wide)
    _text(draw, (_MARGIN, 108), tally(rows), size=20, colour=_SOFT, wide=wide)
    for index, row in enumerate(rows):
        left = _MARGIN + (index % columns) * (card[0] + space)
        top = _HEAD + (index // columns) * (card[1] + space)
        _card(poster, draw, row, (left, top), card)
    return poster


def _card(
    poster: Image.Image, draw: ImageDraw.ImageDraw, row: SheetRow, at: tuple[int, int], size: tuple[int, int]
) -> None:
    left, top = at
    draw.rounded_rectangle((left, top, left + size[0], top + size[1]), 18, fill=_CARD, outline=_LINE)
    x, y = left + _PADDING, top + _PADDING
    inner = size[0] - 2 * _PADDING
    if row.model_image is None and not row.garment_images and not row.pictures:
        draw.rounded_rectangle((x, y, x + inner, y + _PANEL[1]), 10, fill=_EMPTY)
        _text(
            draw,
            (x + 24, y + _PANEL[1] // 2 - 11),
            row.reason or "no images",
            size=19,
            colour=_SOFT,
            wide=inner - 48,
        )
    else:
        _panel(poster, (x, y), [row.model_image])
        _panel(poster, (x + _PANEL[0] + _GAP, y), list(row.garment_images) or [None])
        spot = (x + 2 * (_PANEL[0] + _GAP), y)
        _panel(poster, spot, [row.pictures[0] if row.pictures else None])
        if not row.pictures:
            missing = row.reason or "no picture"
            _text(
                draw,
                (spot[0] + 16, y + _PANEL[1] // 2 - 10),
                missing,
                size=17,
                colour=_SOFT,
                wide=_PANEL[0] - 32,
            )
    baseline = y + _PANEL[1] + 14
    chip = _chip(draw, (left + size[0] - _PADDING, baseline), row.state)
    _text(draw, (x, baseline), row.sku, size=23, colour=_INK, wide=inner - chip - 16)
    title, wide = row.title or row.reason, inner - 170
    _text(draw, (x, baseline + 34), title, size=18, colour=_INK, wide=wide, instead=row.sku)
    right = (left + size[0] - _PADDING, baseline + 34)
    _text(draw, right, row.model_name, size=17, colour=_SOFT, wide=150, anchor="ra", instead="model")


def _panel(poster: Image.Image, at: tuple[int, int], images: list[bytes | None]) -> None:
    """Fill one field with one image, or with two one above the other."""
    field = Image.new("RGB", _PANEL, _EMPTY)
    high = (_PANEL[1] - _GAP * (len(images) - 1)) // len(images)
    for index, image in enumerate(images):
        opened = _opened(image, (_PANEL[0] * 3, _PANEL[1] * 3))
        if opened is None:
            continue
        spot = Image.new("RGB", (_PANEL[0], high), _ground(opened))  # its own ground fills the field
        opened.thumbnail((_PANEL[0], high), Image.Resampling.LANCZOS)
        spot.paste(opened, ((_PANEL[0] - opened.width) // 2, (high - opened.height) // 2))
        field.paste(spot, (0, index * (high + _GAP)))
    mask = Image.new("L", (_PANEL[0] * 3, _PANEL[1] * 3), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, mask.width - 1, mask.height - 1), 30, fill=255)
    poster.paste(field, at, mask.resize(_PANEL, Image.Resampling.LANCZOS))


def _chip(draw: ImageDraw.ImageDraw, at: tuple[int, int], state: str) -> int:
    """Draw the state in a coloured pill that ends at `at`; returns its width."""
    tone = _TONES.get(state, _OTHER_TONE)
    font, word = _font(15), in_words(state)
    wide = round(font.getlength(word)) + 24
    pale: Colour = (228 + tone[0] // 10, 228 + tone[1] // 10, 228 + tone[2] // 10)
    draw.rounded_rectangle((at[0] - wide, at[1] - 2, at[0], at[1] + 26), 14, fill=pale)
    draw.text((at[0] - wide / 2, at[1] + 12), word, font=font, fill=tone, anchor="mm")
    return wide


def _text(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    words: str,
    *,
    size: int,
    colour: Colour,
    wide: int,
    anchor: str = "la",
    instead: str = "",
) -> None:
    font = _font(size)
    drawn = _fitting(_drawable(words, font, instead), font, wide)
    draw.text(at, drawn, font=font, fill=colour, anchor=anchor)


def _fitting(words: str, font: Font, wide: int) -> str:
    if font.getlength(words) <= wide:
        return words
    while words and font.getlength(words + "…") > wide:
        words = words[:-1]
    return words.rstrip() + "…"


def _drawable(words: str, font: Font, instead: str = "") -> str:
    """The words the font has letters for; a word with a missing letter is left out rather than drawn as boxes.

    Arguments:
        instead: what is drawn where nothing of the words can be.
    """
    known = " ".join(word for word in words.split() if all(_known(letter, font) for letter in word))
    return known if known or not words else instead


@cache
def _known(letter: str, font: Font) -> bool:
    return letter.isascii() or bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


@cache
def _font(size: int) -> Font:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
