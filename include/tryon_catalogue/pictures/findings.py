"""What can be wrong with an image of the shop, and the words for it: what there should be and what to do.

The words are for the people who keep the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from damo_tryon.contract import MAX_IMAGE_BYTES, MIN_SIDE_PX


class ImageRole(StrEnum):
    """What an image is to be: rules differ."""

    PICTURE = "picture"
    """A person or a garment."""
    MASK = "mask"
    """Says with black and white where a person's picture may change."""


class ImageRule(StrEnum):
    """What can be wrong with an image. The values are stored and counted; words stand beside them."""

    UNCHECKED = "unchecked"
    """Never held to the rules."""
    BAD_URL = "bad_image_url"
    UNREACHABLE = "unreachable"
    BUSY = "server_busy"
    """Nothing is known to be wrong with it: its server had no time."""
    EMPTY = "empty_file"
    FORMAT = "image_format"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_SMALL = "too_small"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MUCH_WORK = "too_much_work"
    NOT_WHOLE = "not_whole"
    MASK_GREY = "mask_grey"
    MASK_SIZE = "mask_size"
    # From here on warnings.
    SHAPE = "shape"
    ROTATED = "rotated"
    SEVERAL_IMAGES = "several_images"
    PRINT_COLOURS = "print_colours"
    DEPTH = "depth"
    TRANSPARENT = "transparent"
    MASK_EMPTY = "mask_empty"
    MASK_DEPTH = "mask_depth"
    # Found by the person check alone, which says which of them reject.
    NOBODY = "nobody"
    SEVERAL_PEOPLE = "several_people"
    LYING = "lying"
    SMALL_PERSON = "small_person"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with an image, in words for the people who keep the catalogue.

    Attributes:
        limit: What there should be.
        advice: What to do.
        rejects: Whether the image may not go to the vendor; otherwise it is a warning.
    """

    rule: ImageRule
    measured: str
    limit: str
    advice: str
    rejects: bool


@dataclass(frozen=True, slots=True)
class _Words:
    limit: str
    advice: str
    rejects: bool = True


_WORDS: Final[Mapping[ImageRule, _Words]] = MappingProxyType(
    {
        # Vendor document, sections 4.2 and 5.1.
        ImageRule.BAD_URL: _Words(
            "an http or https URL without blanks or a login, in letters that a URL can have",
            "Correct the URL in the catalogue.",
        ),
        # Section 5.1: a download link that can be accessed.
        ImageRule.UNREACHABLE: _Words(
            "an image that anybody can download from this URL",
            "Open the URL in a private browser window. Correct it, or put the image back where it says.",
        ),
        ImageRule.BUSY: _Words(
            "a server that has time for us",
            "Nothing is wrong with the row, and the next run tries it again. Where it happens often, ask whoever runs "
            "the server for more, or set [preflight] at_once lower.",
        ),
        ImageRule.EMPTY: _Words("a JPEG or PNG image", "Upload the image again."),
        # Section 4.1, and so are the next two.
        ImageRule.FORMAT: _Words(
            "a JPEG or PNG image (what is in the file counts, not its name)",
            "Save the image as JPEG or PNG in an image editor; renaming it does not help.",
        ),
        ImageRule.TOO_MANY_BYTES: _Words(
            f"at most {MAX_IMAGE_BYTES:,} bytes",
            "Save the image with more compression, or as JPEG instead of PNG.",
        ),
        ImageRule.TOO_SMALL: _Words(
            f"at least {MIN_SIDE_PX} pixels on each side",
            "Upload a larger original; enlarging a small image does not make it better.",
        ),
        # Not in the document: limits of our own.
        ImageRule.TOO_MANY_PIXELS: _Words(
            "a number of pixels that can be checked safely",
            "Save the image smaller: 3,000 pixels on the longer side are plenty.",
        ),
        ImageRule.TOO_MUCH_WORK: _Words(
            "a file that can be decoded in a moment",
            "Open the image in an image editor and save it anew, then upload that.",
        ),
        ImageRule.NOT_WHOLE: _Words(
            "a file that can be read to its end", "The file is damaged or cut off. Upload the image again."
        ),
        # Section 5.1, mask_image, and so is the next.
        ImageRule.MASK_GREY: _Words(
            "only pure black (0) and pure white (255)",
            "Save the mask as PNG in pure black and white: without soft edges, greys, colours, or JPEG.",
        ),
        ImageRule.MASK_SIZE: _Words(
            "exactly the size of the model's image",
            "Export the mask again at exactly the pixel size of the model's image.",
        ),
        # Section 4.1 recommends 4:3 and does not say which way round.
        ImageRule.SHAPE: _Words(
            "about 3:4 or 4:3 (recommended)",
            "The vendor recommends about 3:4 or 4:3. Crop the image if its results come out badly.",
            False,
        ),
        # Section 4.1 asks for a person who stands upright; whether the vendor reads EXIF is not said.
        ImageRule.ROTATED: _Words(
            "stored upright", "Open the image in an image editor and save it the right way up.", False
        ),
        # The document is silent on all that follow.
        ImageRule.SEVERAL_IMAGES: _Words(
            "one image in the file", "Check that the first image of the file is the one that is meant.", False
        ),
        ImageRule.PRINT_COLOURS: _Words(
            "screen colours (RGB)", "Save the image in RGB, or its colours may come out wrong.", False
        ),
        ImageRule.DEPTH: _Words("8 bits a colour", "Save the image with 8 bits a colour.", False),
        ImageRule.TRANSPARENT: _Words(
            "no transparency", "Put the image on a white ground, or the vendor chooses one.", False
        ),
        ImageRule.MASK_EMPTY: _Words(
            "black and white both", "Check the mask: as it is, it marks everything or nothing.", False
        ),
        ImageRule.MASK_DEPTH: _Words(
            "8 bits a pixel, without a palette", "Save the mask as 8-bit greyscale PNG.", False
        ),
        # Section 4.1 asks for one person who stands upright and takes up two thirds; section 6 has codes for the
        # first two.
        ImageRule.NOBODY: _Words(
            "one whole or half person",
            "Take a picture in which one person is well seen from the front. If somebody is, take the rule out of "
            "[preflight] person_check_rejects.",
        ),
        ImageRule.SEVERAL_PEOPLE: _Words(
            "one person", "Crop the picture to the one person, or take another.", False
        ),
        ImageRule.LYING: _Words(
            "a person who stands upright", "Turn the picture upright, or take another.", False
        ),
        ImageRule.SMALL_PERSON: _Words(
            "a person who takes up at least two thirds of the picture",
            "Crop the picture closer to the person.",
            False,
        ),
    }
)


def finding(
    rule: ImageRule, measured: str, *, limit: str | None = None, advice: str | None = None
) -> Finding:
    """Put a finding in words.

    Args:
        limit: What there should be, where it is more than the rule's own words say.
        advice: What to do, where the rule's own words do not fit what happened.
    """
    texts = _WORDS[rule]
    return Finding(rule, measured, limit or texts.limit, advice or texts.advice, texts.rejects)
