"""What is measured in pictures, on pictures of which the answer is known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from tests.tryon_catalogue.publishing.judgement.studio import SAMPLES
from tryon_catalogue.publishing.judgement import measures
from tryon_catalogue.publishing.judgement.colour import distance_of_colours, seen_from_afar, to_lab
from tryon_catalogue.publishing.judgement.measures import View
from tryon_catalogue.publishing.judgement.pictures import (
    UnreadableError,
    compared_size,
    shape_difference,
    shrunk,
)
from tryon_catalogue.publishing.judgement.regions import (
    changed,
    filled,
    thing_before_ground,
    zones_of,
)


def sample(name: str) -> View:
    with Image.open(SAMPLES / "images" / name) as picture:
        return View(picture.convert("RGB").resize((288, 384), Image.Resampling.BOX))


def everywhere(view: View) -> np.ndarray:
    return np.ones(view.grey.shape, dtype=np.bool_)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.2)),
        ((0, 0, 255), (32.3, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_colours_have_their_known_place_in_cielab(
    rgb: tuple[int, int, int], lab: tuple[float, float, float]
) -> None:
    assert to_lab(np.array([[rgb]], dtype=np.uint8))[0, 0] == pytest.approx(lab, abs=0.05)


def test_a_fine_pattern_seen_from_afar_is_the_mean_of_its_colours() -> None:
    stripes = np.zeros((120, 120, 3), dtype=np.float32)
    stripes[::2] = 100
    colours = seen_from_afar(stripes, np.ones((120, 120), dtype=np.bool_))

    assert colours == pytest.approx(np.full_like(colours, 50), abs=7)


@settings(deadline=None)
@given(seed=st.integers(0, 1000), size=st.integers(2, 60))
def test_colours_are_no_distance_from_themselves_and_some_from_others(seed: int, size: int) -> None:
    colours = np.random.default_rng(seed).normal(40, 8, (size, 3)).astype(np.float32)

    missing, strange = distance_of_colours(colours, colours)
    assert missing < 9
    assert strange == 0
    far = distance_of_colours(colours, colours + np.array([0, 200, 0], dtype=np.float32))
    assert min(far) > 100


def test_one_plane_has_no_detail_and_one_colour() -> None:
    plane, noisy = View(Image.new("RGB", (64, 64), (90, 120, 90))), sample("breton-tee.jpg")

    assert (measures.detail(plane), measures.share_of_one_colour(plane)) == (0, 1)
    assert measures.detail(noisy) > 1
    assert measures.share_of_one_colour(noisy) < 0.9


def test_a_picture_is_like_itself_and_not_like_another() -> None:
    one, other = sample("model-mei.jpg"), sample("breton-tee.jpg")

    assert measures.likeness(one, one, everywhere(one)) == pytest.approx(1)
    assert measures.likeness(one, other, everywhere(one)) < 0.9
    assert measures.apart(one, one) == 0
    assert measures.apart(one, other) > 20


@settings(max_examples=12, deadline=None)
@given(across=st.integers(-5, 5), down=st.integers(-5, 5))
def test_a_head_is_found_again_a_few_pixels_aside(across: int, down: int) -> None:
    model = sample("model-amara.jpg")
    head = zones_of(model.lab, None).head
    assert head is not None
    moved = View(ImageChops.offset(model.image, across, down))

    assert measures.likeness(model, measures.settled(model, moved, head), head) > 0.99


@pytest.mark.parametrize("share", [0.55, 0.62, 0.7, 0.8])
@pytest.mark.parametrize("corner", [(0.0, 0.0), (0.5, 0.5), (0.5, 1.0)])
def test_what_is_left_of_a_cropped_picture_is_measured(share: float, corner: tuple[float, float]) -> None:
    model = sample("model-leo.jpg")
    width, height = model.size
    left, top = (1 - share) * width * corner[0], (1 - share) * height * corner[1]
    part = (left, top, left + share * width, top + share * height)
    cropped = View(model.image.resize(model.size, Image.Resampling.BICUBIC, part))

    assert measures.visible_share(model, cropped) == pytest.approx(share, abs=0.05)


def test_a_whole_picture_is_not_taken_for_a_part() -> None:
    assert measures.visible_share(sample("model-leo.jpg"), sample("model-leo.jpg")) == 1


def test_pictures_are_made_ready_by_several_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together = Barrier(2)

    def wait_for_the_other(rgb: np.ndarray) -> np.ndarray:
        together.wait(timeout=60)
        return to_lab(rgb)

    monkeypatch.setattr(measures, "to_lab", wait_for_the_other)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda view: view.lab, [sample("model-mei.jpg"), sample("model-leo.jpg")]))

    assert [lab.shape for lab in found] == [(384, 288, 3)] * 2


@settings(max_examples=20, deadline=None)
@given(window=st.integers(1, 40), size=st.integers(40, 60), axis=st.integers(0, 1))
def test_sums_over_a_window_are_those_of_its_values(window: int, size: int, axis: int) -> None:
    values = np.random.default_rng(size).normal(0, 9, (size, size)).astype(np.float32)
    expected = np.lib.stride_tricks.sliding_window_view(values, window, axis=axis).sum(axis=-1)

    assert measures._sums(values, axis, window) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", ["mei", "amara", "leo", "ravi", "elin"])
def test_person_and_head_are_found_before_a_plain_wall(name: str) -> None:
    zones = zones_of(sample(f"model-{name}.jpg").lab, None)

    assert zones.figure is not None
    assert zones.head is not None
    rows = np.flatnonzero(zones.head.any(axis=1))
    assert 0.04 < rows[0] / 384 < 0.08
    assert 0.12 < rows[-1] / 384 < 0.17
    assert not (zones.wearable & zones.head).any()
    assert not (zones.wearable & zones.background).any()


def test_a_white_garment_is_told_from_a_nearly_white_ground_by_its_outline() -> None:
    picture = Image.new("RGB", (200, 200), (246, 246, 244))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((50, 40, 150, 160), fill=(246, 246, 244), outline=(205, 205, 205), width=5)

    garment = thing_before_ground(to_lab(np.asarray(picture)), on_floor=False)

    assert garment is not None
    assert garment[100, 100]
    assert not garment[20, 20]
    assert 0.25 < garment.mean() < 0.35


def test_nothing_is_told_from_a_busy_ground_or_from_nothing() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (100, 80, 3), dtype=np.uint8)

    assert thing_before_ground(to_lab(noise), on_floor=True) is None
    assert thing_before_ground(to_lab(np.full((100, 80, 3), 200, dtype=np.uint8)), on_floor=True) is None


def test_another_tint_of_the_wall_is_no_change_and_another_garment_is() -> None:
    model = sample("model-ravi.jpg")
    zones = zones_of(model.lab, None)
    tinted = np.asarray(model.image) * np.where(zones.figure[..., None], 1, np.array([0.9, 0.95, 1]))
    dressed = tinted.copy()
    dressed[100:180, 100:190] = (20, 90, 40)

    same = changed(model.lab, View(Image.fromarray(tinted.astype(np.uint8))).lab, zones)
    other = changed(model.lab, View(Image.fromarray(dressed.astype(np.uint8))).lab, zones)

    assert same.mean() < 0.01
    assert other[105:175, 105:185].all()


def test_holes_of_a_region_are_closed_and_bays_are_not() -> None:
    region = np.zeros((40, 40), dtype=np.bool_)
    region[10:30, 10:30] = True
    region[15:20, 15:20] = False
    region[22:26, 20:40] = False

    closed = filled(region)

    assert closed[15:20, 15:20].all()
    assert not closed[22:26, 20:40].any()


def test_a_picture_lying_on_its_side_is_set_upright() -> None:
    picture = Image.new("RGB", (300, 200), (10, 20, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    content = BytesIO()
    picture.save(content, "JPEG", exif=exif)

    upright, size = shrunk(content.getvalue(), max_pixels=10**6)

    assert size == (200, 300)
    assert upright.height > upright.width


def test_what_is_no_picture_says_so_without_naming_objects_in_memory() -> None:
    with pytest.raises(UnreadableError, match="no kind of picture"):
        shrunk(b"<html>", max_pixels=10**6)


@given(width=st.integers(1, 5000), height=st.integers(1, 5000), factor=st.integers(1, 5))
def test_shapes_are_the_same_at_any_size(width: int, height: int, factor: int) -> None:
    assert shape_difference((width, height), (width * factor, height * factor)) == pytest.approx(0, abs=1e-9)
    assert shape_difference((width, height), (height, width)) >= 0
    assert max(compared_size((width, height))) == 384
