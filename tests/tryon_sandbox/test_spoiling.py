"""What each way of spoiling makes of a good picture."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tryon_sandbox.rendering import render
from tryon_sandbox.spoiling import Sitting, Spoiling, spoilt

CHEST = (180, 180, 220, 250)


@pytest.fixture
def sitting(draw: Any) -> Sitting:
    """A red shirt and blue trousers on a person, to be drawn properly."""
    how = partial(render, fit_type="FULL_BODY", number=0)
    return Sitting(draw.person(), draw.shirt(), draw.shirt((20, 40, 150)), None, how)


def content_of(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "JPEG")
    return content.getvalue()


def mean(picture: Image.Image) -> Any:
    return np.asarray(picture.convert("RGB"), dtype=np.float32).mean(axis=(0, 1))


@pytest.mark.parametrize("how", [each for each in Spoiling if each is not Spoiling.NOT_A_PICTURE])
def test_every_way_gives_another_jpeg_and_the_same_one_again(how: Spoiling, sitting: Sitting) -> None:
    good = content_of(sitting.drawn())

    bad = spoilt(how, good, lambda: sitting)

    assert bad != good
    assert bad == spoilt(how, good, lambda: sitting)
    assert Image.open(io.BytesIO(bad)).format == "JPEG"


@pytest.mark.parametrize(
    "colour", [(200, 30, 40), (240, 240, 240), (20, 20, 25), (60, 160, 40), (250, 110, 230), (128, 128, 128)]
)
def test_the_wrong_garment_is_of_a_colour_far_from_the_right_one(
    draw: Any, colour: tuple[int, int, int]
) -> None:
    how = partial(render, fit_type="HALF_BODY", number=0)
    sitting = Sitting(draw.person(), draw.shirt(colour), None, None, how)

    right = sitting.drawn()
    wrong = Image.open(io.BytesIO(spoilt(Spoiling.WRONG_GARMENT, content_of(right), lambda: sitting)))

    assert np.abs(mean(wrong.crop(CHEST)) - mean(right.crop(CHEST))).max() > 60


@pytest.mark.parametrize("how", [Spoiling.BLANK, Spoiling.TINY, Spoiling.CROPPED, Spoiling.NOT_A_PICTURE])
def test_what_a_picture_was_drawn_from_is_asked_for_only_when_it_is_needed(
    how: Spoiling, sitting: Sitting
) -> None:
    def nobody_knows() -> Sitting:
        raise LookupError

    assert spoilt(how, content_of(sitting.drawn()), nobody_knows)
