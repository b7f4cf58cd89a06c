"""Judgement: when a result picture is good enough to be published without a person having seen it.

A section of the settings; ``settings`` puts them together and says where they are read.
"""

from enum import StrEnum

from pydantic import Field

from tryon_catalogue.settings.types import Section


class Below(StrEnum):
    """What becomes of a look with a picture that did not pass."""

    REVIEW = "review"
    """A bad picture is left out; with fewer than ``at_least`` good ones the look waits for a person."""
    PUBLISH = "publish"
    """It is published like any other; the ledger keeps what was found."""


class JudgementSettings(Section):
    """Our own check of the pictures that come back. Colours are distances in CIELAB, where 2 is just visible."""

    enabled: bool = Field(True, description="whether result pictures are judged at all")
    below: Below = Field(
        Below.REVIEW,
        description='"review": a bad picture is left out, and a look with too few good ones waits for a person; '
        '"publish": bad ones are published too',
    )
    at_least: int = Field(
        1, ge=1, le=4, description="good pictures of a look below which it waits for a person, or all it has"
    )
    min_side_px: int = Field(400, ge=1, description="pixels the shorter side of a picture must have")
    max_shape_difference: float = Field(
        0.03, ge=0, le=1, description="how far width by height may be from the model's picture's, as a share"
    )
    min_detail: float = Field(
        0.4, ge=0, description="mean step in lightness between neighbouring pixels; less is a blank picture"
    )
    max_one_colour: float = Field(
        0.97, gt=0, le=1, description="share of a picture that may be of one and the same colour"
    )
    min_changed: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of the picture, or of the mask, that must differ from the model's picture",
    )
    min_covered: float = Field(
        0.2,
        ge=0,
        le=1,
        description="share of the upper and of the lower body that each of two garments covers",
    )
    min_visible: float = Field(
        0.9, ge=0, le=1, description="share of the model's picture's height that must still be in the picture"
    )
    min_face: float = Field(0.7, ge=0, le=1, description="structural similarity of the head, 1 for the same")
    min_background: float = Field(
        0.75, ge=0, le=1, description="structural similarity of what no garment covers"
    )
    max_colour_distance: float = Field(
        14, gt=0, description="how far the garment's colours may be from those of what is worn"
    )
    min_sibling_difference: float = Field(
        5, ge=0, description="colour distance that two pictures of a look must have where they differ most"
    )
    max_pixels: int = Field(50_000_000, ge=1, description="pixels of a picture that is decoded at all")
