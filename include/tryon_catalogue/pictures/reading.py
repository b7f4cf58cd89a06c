"""What is in an image file: measured, decoded once to its last byte, and made small for people to look at.

It measures and does not judge: which of the measures break a rule is the business of ``rules``.
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from PIL import Image

from tryon_catalogue.pictures.kinds import JPEG, PNG, kind_of
from tryon_catalogue.pictures.opening import FORMATS, TooMuchWorkError, open_picture

READABLE: Final = FORMATS
UPRIGHT: Final = 1
"""The orientation of EXIF that says: as stored."""
BITS: Final = 8
"""Of one colour of one pixel, in all but a few files."""
SPOILT: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What the image library raises for spoilt files: its readers check little before they calculate."""

_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PNG_HEADER: Final = struct.Struct(">8xI4sIIB")
_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)
_THUMBNAIL_QUALITY: Final = 85
_TOO_MANY_PIXELS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True, slots=True)
class MaskContent:
    """The pixels of a mask.

    Attributes:
        black: Pixels that are 0.
        white: Pixels that are 255.
        other: Pixels that are neither; at least 1 when there is any.
    """

    black: int
    white: int
    other: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in a file. What could not be found has the value of an unremarkable image.

    Attributes:
        size: Bytes of the file.
        kind: As ``kind_of`` names it.
        width: Pixels as stored, before EXIF turns them; None when unknown.
        height: As ``width``.
        too_many_pixels: It was not decoded, for it is larger than was allowed.
        too_much_work: Why it was not decoded though it is not large, in words that follow "it"; None when it was.
        trouble: Why it could not be decoded to its end, in the image library's words; None when it could.
        mode: Colour mode as the image library names it.
        bits: Of one colour of one pixel.
        frames: Images in the file.
        orientation: Of EXIF, 1 to 8; 1 is upright.
        transparent: Some pixel is not opaque.
        mask: The pixels, when it was read as a mask.
        thumbnail: A small JPEG; None when there was nothing to decode.
    """

    size: int
    kind: str | None
    width: int | None = None
    height: int | None = None
    too_many_pixels: bool = False
    too_much_work: str | None = None
    trouble: str | None = None
    mode: str = "RGB"
    bits: int = BITS
    frames: int = 1
    orientation: int = UPRIGHT
    transparent: bool = False
    mask: MaskContent | None = None
    thumbnail: bytes | None = None


def read_image(content: bytes, *, as_mask: bool, max_pixels: int, longest: int) -> Reading:
    """Measure a file and decode it once.

    Args:
        as_mask: Whether its pixels are to be counted.
        max_pixels: Width times height; what has more is not decoded.
        longest: Side of the thumbnail, in pixels.
    """
    kind = kind_of(content)
    if kind not in READABLE:
        return Reading(len(content), kind)
    width, height, bits = _png_header(content) if kind == PNG else (None, None, BITS)
    if width == 0 or height == 0:
        return Reading(len(content), kind, width, height)
    try:
        with open_picture(content) as image:
            width, height = image.size
            if width * height > max_pixels:
                return Reading(len(content), kind, width, height, too_many_pixels=True)
            if kind == JPEG and not as_mask:
                # Decodes every byte into a smaller image, in a fraction of the memory.
                image.draft(image.mode, (longest, longest))
            image.load()  # a cut-off file shows only here
            plain = _plain(image)
            orientation = exif_orientation(image)
            return Reading(
                size=len(content),
                kind=kind,
                width=width,
                height=height,
                mode=image.mode,
                bits=bits,
                frames=getattr(image, "n_frames", 1),
                orientation=orientation,
                transparent=_is_transparent(plain),
                mask=_mask_content(plain) if as_mask else None,
                thumbnail=_small(plain, orientation, longest),
            )
    except _TOO_MANY_PIXELS:
        return Reading(len(content), kind, width, height, too_many_pixels=True)
    except SPOILT as error:
        heavy = isinstance(error, TooMuchWorkError)
        return Reading(
            len(content),
            kind,
            width,
            height,
            too_much_work=str(error) if heavy else None,
            trouble=None if heavy else _message_of(error),
        )


def small_jpeg(content: bytes, longest: int, max_pixels: int) -> bytes:
    """Make a small JPEG of a file: upright, on white where it is transparent, never larger than it was.

    Args:
        content: A JPEG or PNG file.
        longest: Side of the small image, in pixels.
        max_pixels: Width times height; what has more is not decoded.

    Raises:
        ValueError: The file cannot be decoded.
    """
    found = read_image(content, as_mask=False, max_pixels=max_pixels, longest=longest)
    if found.thumbnail is None:
        reason = found.trouble or found.too_much_work
        reason = reason or ("too many pixels" if found.too_many_pixels else "not a JPEG or PNG")
        raise ValueError(f"no small copy can be made of an image that cannot be read ({reason})")
    return found.thumbnail


def decode_small(image: Image.Image, longest: int) -> Image.Image:
    """Decode an image to its last byte, no larger than is needed, and turn it upright.

    Args:
        image: Just opened.
        longest: Side in pixels that is surely left of it, if it has so much.

    Returns:
        RGB or, where transparency is declared, RGBA.
    """
    scale = longest / max(image.size)
    least = (math.ceil(image.width * scale), math.ceil(image.height * scale))
    # A JPEG goes through every byte for a smaller image too, in a fraction of the time.
    image.draft("RGB", least)
    image.load()  # a cut-off file shows only here
    plain, orientation = _plain(image), exif_orientation(image)
    times = min(plain.width // least[0], plain.height // least[1])
    return upright(plain.reduce(times) if times > 1 else plain, orientation)


def small_copy(image: Image.Image, longest: int) -> bytes:
    """Make a small JPEG of an image that is decoded; see `small_jpeg`."""
    return _small(image.copy(), UPRIGHT, longest)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn an image as the orientation of EXIF says it is to be shown."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def on_white(image: Image.Image) -> Image.Image:
    """Lay a transparent image on white; any other is only made RGB."""
    plain = _plain(image)
    if plain.mode != "RGBA":
        return plain
    ground = Image.new("RGB", plain.size, _WHITE)
    ground.paste(plain, mask=plain.getchannel("A"))
    return ground


def _png_header(content: bytes) -> tuple[int | None, int | None, int]:
    """The image library hides the bits of colour images, and refuses a side of 0 without naming it."""
    if len(content) < _PNG_HEADER.size:
        return None, None, BITS
    _length, name, width, height, bits = _PNG_HEADER.unpack_from(content)
    return (width, height, bits) if name == b"IHDR" else (None, None, BITS)


def _plain(image: Image.Image) -> Image.Image:
    """Give RGB or, where transparency is declared, RGBA; eight bits, whatever the file has."""
    if image.mode == "I;16":
        # The library's own way cuts everything above 255 off instead of scaling it.
        return Image.frombytes("L", image.size, image.tobytes()[1::2]).convert("RGB")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def _is_transparent(plain: Image.Image) -> bool:
    if plain.mode != "RGBA":
        return False
    lowest = plain.getchannel("A").getextrema()[0]
    return isinstance(lowest, int) and lowest < 255


def exif_orientation(image: Image.Image) -> int:
    """Read how an image is to be turned when it is shown, 1 to 8; 1 where nothing is said that means anything."""
    found = image.getexif().get(_ORIENTATION, UPRIGHT)
    return found if found in _TURNS else UPRIGHT


def _mask_content(plain: Image.Image) -> MaskContent:
    opaque = plain.convert("RGB")
    colours = opaque.getcolors(2)  # None when there are more
    if colours is not None and all(colour in (_BLACK, _WHITE) for _, colour in colours):
        counts = {colour: count for count, colour in colours}
        return MaskContent(counts.get(_BLACK, 0), counts.get(_WHITE, 0), 0)
    levels = opaque.convert("L").histogram()
    # A colour such as the darkest blue has the lightness 0 and is not black.
    return MaskContent(levels[0], levels[255], max(1, sum(levels[1:255])))


def _small(plain: Image.Image, orientation: int, longest: int) -> bytes:
    """Shrinks the image that it is given, for a second large one would take as much memory again."""
    plain.thumbnail((longest, longest), Image.Resampling.BILINEAR, reducing_gap=2.0)
    small = upright(on_white(plain), orientation)
    small.info.clear()  # a comment would be written along
    content = io.BytesIO()
    small.save(content, JPEG, quality=_THUMBNAIL_QUALITY)
    return content.getvalue()


def _message_of(error: Exception) -> str:
    # The library names the object in memory, which tells a reader nothing.
    message = str(error).partition(" <_io.")[0]
    return message or type(error).__name__
