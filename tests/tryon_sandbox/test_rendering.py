"""The sandbox's pictures: what is painted, where, and that any picture can be dressed."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tryon_sandbox.rendering import render

WALL = (228, 226, 222)
SKIN = (196, 144, 112)
SIZE = (480, 640)


def a_person() -> Image.Image:
    """An upright figure on a plain wall, arms a little away from the body."""
    picture = Image.new("RGB", SIZE, WALL)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((210, 40, 270, 125), fill=SKIN)
    draw.rectangle((226, 115, 254, 142), fill=SKIN)
    draw.polygon([(226, 136), (254, 136), (300, 158), (288, 320), (192, 320), (180, 158)], fill=(90, 96, 104))
    draw.polygon([(180, 158), (206, 170), (160, 330), (136, 324)], fill=SKIN)
    draw.polygon([(300, 158), (274, 170), (320, 330), (344, 324)], fill=SKIN)
    draw.polygon(
        [(192, 318), (288, 318), (276, 600), (248, 600), (240, 360), (232, 600), (204, 600)],
        fill=(70, 74, 96),
    )
    return picture


def a_shirt(colour: tuple[int, int, int], ground: tuple[int, int, int] = (244, 243, 240)) -> Image.Image:
    picture = Image.new("RGB", (500, 500), ground)
    outline = [
        (200, 60), (300, 60), (385, 95), (440, 300), (395, 312), (352, 180),
        (352, 430), (148, 430), (148, 180), (105, 312), (60, 300), (115, 95),
    ]  # fmt: skip
    ImageDraw.Draw(picture).polygon(outline, fill=colour)
    return picture


def a_dress(colour: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGB", (450, 600), (244, 243, 240))
    outline = [(180, 40), (270, 40), (285, 150), (265, 240), (350, 560), (100, 560), (185, 240), (165, 150)]
    ImageDraw.Draw(picture).polygon(outline, fill=colour)
    return picture


def trousers(colour: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGB", (450, 600), (244, 243, 240))
    outline = [(150, 40), (300, 40), (310, 560), (250, 560), (225, 180), (200, 560), (140, 560)]
    ImageDraw.Draw(picture).polygon(outline, fill=colour)
    return picture


def share_of(picture: Image.Image, colour: tuple[int, int, int], box: tuple[int, int, int, int]) -> float:
    part = np.asarray(picture.crop(box), dtype=np.int16)
    return float((np.abs(part - colour).max(axis=2) < 40).mean())


RED, BLUE = (200, 40, 40), (40, 60, 190)
CHEST, SHINS, FACE = (215, 190, 265, 290), (206, 500, 230, 580), (225, 60, 255, 110)


def test_a_half_body_garment_covers_the_chest_and_leaves_face_and_legs() -> None:
    picture = render(a_person(), a_shirt(RED), None, None, fit_type="HALF_BODY", number=0)

    assert share_of(picture, RED, CHEST) > 0.95
    assert share_of(picture, RED, FACE) == 0
    assert share_of(picture, RED, SHINS) == 0


def test_the_sleeves_lie_over_the_arms() -> None:
    picture = render(a_person(), a_shirt(RED), None, None, fit_type="HALF_BODY", number=0)

    assert share_of(picture, RED, (160, 240, 172, 250)) > 0.9
    assert share_of(picture, RED, (308, 240, 320, 250)) > 0.9


def test_a_full_body_garment_without_trousers_reaches_below_the_knees() -> None:
    picture = render(a_person(), a_dress(RED), None, None, fit_type="FULL_BODY", number=0)

    assert share_of(picture, RED, CHEST) > 0.95
    assert share_of(picture, RED, (215, 400, 265, 440)) > 0.95
    assert share_of(picture, RED, FACE) == 0


def test_trousers_cover_the_legs_and_the_top_falls_over_them() -> None:
    picture = render(a_person(), a_shirt(RED), trousers(BLUE), None, fit_type="FULL_BODY", number=0)

    assert share_of(picture, RED, CHEST) > 0.95
    assert share_of(picture, BLUE, (210, 500, 228, 560)) > 0.9


def test_nothing_is_painted_outside_a_mask() -> None:
    mask = Image.new("L", SIZE, 0)
    ImageDraw.Draw(mask).rectangle((190, 170, 290, 300), fill=255)
    bare = np.asarray(a_person(), dtype=np.int16)

    picture = render(a_person(), a_shirt(RED), None, mask, fit_type="HALF_BODY", number=0)

    assert share_of(picture, RED, CHEST) > 0.9
    painted = np.abs(np.asarray(picture, dtype=np.int16) - bare).max(axis=2) > 90
    assert not painted[:160].any()
    assert not painted[310:580].any()


def test_a_black_mask_leaves_the_person_as_photographed() -> None:
    picture = render(a_person(), a_shirt(RED), None, Image.new("L", SIZE, 0), fit_type="HALF_BODY", number=0)

    untouched = (0, 0, SIZE[0], 560)
    assert picture.crop(untouched).tobytes() == a_person().crop(untouched).tobytes()


def test_each_picture_of_a_look_differs_visibly_and_is_the_same_when_drawn_again() -> None:
    def drawn(number: int) -> np.ndarray:
        picture = render(a_person(), a_shirt(RED), None, None, fit_type="HALF_BODY", number=number)
        return np.asarray(picture, dtype=np.int16)

    pictures = [drawn(number) for number in range(4)]

    for first, second in itertools.combinations(pictures, 2):
        assert np.abs(first - second).mean() > 3
    assert (drawn(2) == pictures[2]).all()


def test_every_picture_is_marked_in_its_corner() -> None:
    picture = render(a_person(), a_shirt(RED), None, None, fit_type="HALF_BODY", number=0)

    corner = np.asarray(picture.crop((360, 590, 480, 640)), dtype=np.int16)
    assert (corner.max(axis=2) < 130).mean() > 0.05
    assert (corner.min(axis=2) > 235).any()


def test_a_white_garment_on_a_nearly_white_ground_stays_whole() -> None:
    picture = render(
        a_person(), a_shirt((255, 255, 255), (236, 235, 232)), None, None, fit_type="HALF_BODY", number=0
    )

    assert share_of(picture, (250, 250, 250), CHEST) > 0.95


def test_a_garment_cut_free_by_transparency_keeps_its_shape() -> None:
    free = a_shirt(RED).convert("RGBA")
    ground = Image.new("L", free.size, 0)
    ground.paste(255, mask=a_shirt((0, 0, 0)).convert("L").point(lambda level: 255 if level < 100 else 0))
    free.putalpha(ground)

    picture = render(a_person(), free, None, None, fit_type="HALF_BODY", number=0)

    assert share_of(picture, RED, CHEST) > 0.95
    assert share_of(picture, RED, FACE) == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_any_mode_of_picture_can_be_dressed(mode: str) -> None:
    model = Image.new(mode, (400, 500)) if mode == "I;16" else a_person().convert(mode)

    picture = render(model, a_shirt(RED), None, None, fit_type="HALF_BODY", number=1)

    assert (picture.size, picture.mode) == (model.size, "RGB")


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    sides=st.tuples(st.integers(400, 640), st.integers(400, 640)),
    grain=st.sampled_from([1, 3, 12, 60]),
    dressed=st.sampled_from([("HALF_BODY", False), ("FULL_BODY", False), ("FULL_BODY", True)]),
    number=st.integers(0, 3),
)
def test_no_picture_is_too_odd_to_be_dressed(
    seed: int, sides: tuple[int, int], grain: int, dressed: tuple[str, bool], number: int
) -> None:
    rng = np.random.default_rng(seed)

    def odd() -> Image.Image:
        colours = rng.integers(0, 256, (grain + 1, grain, 3), dtype=np.uint8)
        return Image.fromarray(colours).resize(sides, Image.Resampling.BICUBIC)

    fit_type, with_trousers = dressed
    picture = render(
        odd(), odd(), odd() if with_trousers else None, odd().convert("L") if seed % 2 else None,
        fit_type=fit_type, number=number,
    )  # fmt: skip

    assert (picture.size, picture.mode) == (sides, "RGB")


@pytest.mark.parametrize("size", [(400, 12_000), (12_000, 400)])
def test_a_picture_as_thin_as_a_thread_can_be_dressed_and_worn(size: tuple[int, int]) -> None:
    thread = Image.new("RGB", size, (120, 90, 60))

    assert render(thread, a_shirt(RED), None, None, fit_type="HALF_BODY", number=0).size == size
    assert render(a_person(), thread, thread, None, fit_type="FULL_BODY", number=0).size == SIZE
