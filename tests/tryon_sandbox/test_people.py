"""The rough idea of people."""

from __future__ import annotations

import random
from typing import Any

import pytest
from PIL import Image, ImageDraw

from tryon_sandbox.people import count_people


@pytest.mark.parametrize("people", [1, 2, 3])
@pytest.mark.parametrize("size", [(900, 1200), (1200, 900), (400, 400)])
def test_upright_figures_on_a_plain_background_are_counted(
    draw: Any, people: int, size: tuple[int, int]
) -> None:
    assert count_people(draw.person(size, people=people)) == people


def test_a_plain_colour_and_a_speck_on_it_are_nobody() -> None:
    speck = Image.new("RGB", (600, 800), (250, 250, 250))
    ImageDraw.Draw(speck).rectangle((10, 10, 30, 30), fill=(0, 0, 0))

    assert count_people(Image.new("RGBA", (600, 800), (10, 20, 30, 255))) == 0
    assert count_people(speck) == 0


def test_a_busy_background_counts_as_one_person() -> None:
    noise = Image.frombytes("RGB", (400, 400), random.Random(2).randbytes(480_000))

    assert count_people(noise) == 1


def test_a_bag_beside_a_person_is_no_second_person(draw: Any) -> None:
    picture = draw.person((600, 800))
    ImageDraw.Draw(picture).rectangle((20, 600, 120, 760), fill=(120, 60, 20))

    assert count_people(picture) == 1


def test_parts_of_one_person_one_above_the_other_are_one_person() -> None:
    picture = Image.new("RGB", (900, 1200), (225, 225, 225))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((400, 50, 500, 180), fill=(90, 50, 30))  # a head, then a top in the background's colour
    for left in (250, 610):
        draw.rectangle((left, 280, left + 40, 640), fill=(90, 50, 30))
    draw.rectangle((340, 540, 560, 1120), fill=(40, 50, 60))

    assert count_people(picture) == 1
