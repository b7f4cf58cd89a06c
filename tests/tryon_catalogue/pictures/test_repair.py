"""A copy that keeps the rules, of an image that breaks them."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import pytest
from PIL import Image, ImageChops, ImageFilter

from tests.tryon_catalogue.pictures.cases import FILES, Case
from tests.tryon_catalogue.pictures.files import (
    SIZE,
    drawn,
    encoded,
    jpeg_padded_to,
    mask,
    noise,
    padded_to,
    see_through,
    several,
    turned_by_exif,
    with_one_pixel,
    written_png,
)
from tryon_catalogue.pictures.repair import repair
from tryon_catalogue.pictures.rules import ImageRole, check_image

PICTURE, MASK = ImageRole.PICTURE, ImageRole.MASK
LIMIT = 5_000_000


def repaired(content: bytes, role: ImageRole = PICTURE) -> Image.Image | None:
    """Repair a file; gives the copy, which keeps every rule."""
    copy = repair(content, check_image(content, role))
    if copy is None:
        return None
    assert check_image(copy, role).rejection is None
    image = Image.open(io.BytesIO(copy))
    image.load()
    return image


def photograph(size: tuple[int, int] = SIZE) -> Image.Image:
    """Make an image of many colours that run into each other."""
    return noise(size).filter(ImageFilter.GaussianBlur(2))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two images, in levels of 255."""
    histogram = ImageChops.difference(one.convert("L"), other.convert("L")).histogram()
    return sum(level * count for level, count in enumerate(histogram)) / (one.width * one.height)


@pytest.mark.parametrize("case", FILES, ids=lambda case: f"{case.role.value}: {case.name}")
def test_whatever_comes_of_a_case_of_the_table_keeps_every_rule_and_no_side_grows(case: Case) -> None:
    assert case.page is not None
    content = case.page()
    assert isinstance(content, bytes)
    before = check_image(content, case.role)

    copy = repair(content, before)

    if copy is not None:
        after = check_image(copy, case.role)
        assert after.rejection is None
        assert after.format in {"JPEG", "PNG"}
        if before.width is not None:
            assert {after.width, after.height} == {before.width, before.height}
    if not before.findings:
        assert copy is None


def test_a_photograph_saved_as_a_large_png_becomes_a_jpeg_of_the_same_size() -> None:
    large = photograph((1500, 1250))
    content = encoded(large, compress_level=0)
    assert len(content) > LIMIT

    copy = repaired(content)

    assert copy is not None
    assert (copy.format, copy.size) == ("JPEG", large.size)
    assert difference(copy, large) < 3


def test_a_drawing_saved_as_a_large_png_stays_exactly_as_it_is() -> None:
    drawing = drawn((1500, 2000))
    content = encoded(drawing, compress_level=0)
    assert len(content) > LIMIT

    copy = repaired(content)

    assert copy is not None
    assert copy.format == "PNG"
    assert copy.convert("RGB").tobytes() == drawing.tobytes()


def test_a_large_png_keeps_its_transparency_where_it_can() -> None:
    copy = repaired(padded_to(LIMIT + 1, encoded(see_through())))
    assert copy is not None
    assert (copy.format, copy.mode) == ("PNG", "RGBA")


def test_a_large_transparent_photograph_is_laid_on_white() -> None:
    large = noise((1500, 1250)).convert("RGBA")
    large.paste((0, 0, 0, 0), (0, 0, 200, 200))
    copy = repaired(encoded(large))
    assert copy is not None
    assert copy.format == "JPEG"
    corner = copy.getpixel((100, 100))
    assert isinstance(corner, tuple)
    assert min(corner) > 245


def test_a_jpeg_of_too_many_bytes_is_written_anew() -> None:
    copy = repaired(jpeg_padded_to(LIMIT + 1))
    assert copy is not None
    assert (copy.format, copy.size) == ("JPEG", SIZE)


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA", "P", "1", "I;16"])
def test_a_png_of_too_many_bytes_is_written_anew_in_every_mode(mode: str) -> None:
    content = written_png(*SIZE, bits=16) if mode == "I;16" else encoded(photograph().convert(mode))
    assert repaired(padded_to(LIMIT + 1, content)) is not None


@pytest.mark.parametrize(("image", "expected"), [(photograph, "JPEG"), (drawn, "PNG"), (see_through, "PNG")])
def test_a_webp_becomes_what_the_vendor_takes(image: Callable[[], Image.Image], expected: str) -> None:
    copy = repaired(encoded(image(), "WEBP", lossless=True))
    assert copy is not None
    assert (copy.format, copy.size) == (expected, SIZE)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_an_image_that_exif_turns_is_turned_for_good(orientation: int, kind: str) -> None:
    copy = repaired(turned_by_exif(orientation, kind=kind))
    assert copy is not None
    assert copy.size == (SIZE if orientation == 3 else SIZE[::-1])
    assert copy.getexif().get(0x0112, 1) == 1


def test_a_colour_profile_goes_along() -> None:
    profile = b"a profile of colours " * 20
    content = turned_by_exif(6)
    with Image.open(io.BytesIO(content)) as image:
        content = encoded(image, "JPEG", exif=image.getexif(), icc_profile=profile)
    copy = repaired(content)
    assert copy is not None
    assert copy.info["icc_profile"] == profile


def test_a_mask_stays_black_and_white() -> None:
    for content in (padded_to(LIMIT + 1, encoded(mask())), encoded(mask(), "WEBP", lossless=True)):
        copy = repaired(content, MASK)
        assert copy is not None
        assert copy.convert("L").tobytes() == mask().tobytes()


@pytest.mark.parametrize(
    ("content", "role"),
    [
        pytest.param(encoded(drawn()), PICTURE, id="a good image needs none"),
        pytest.param(encoded(see_through()), PICTURE, id="a warning alone needs none"),
        pytest.param(encoded(drawn((300, 400))), PICTURE, id="too small"),
        pytest.param(encoded(drawn((300, 400)), "WEBP"), PICTURE, id="a small WebP"),
        pytest.param(several("WEBP"), PICTURE, id="an animated WebP"),
        pytest.param(several("GIF"), PICTURE, id="a GIF"),
        pytest.param(encoded(drawn(), "WEBP")[:300], PICTURE, id="half a WebP"),
        pytest.param(encoded(drawn())[:500], PICTURE, id="half a PNG"),
        pytest.param(b"", PICTURE, id="nothing"),
        pytest.param(encoded(with_one_pixel(mask(), 128)), MASK, id="a grey mask"),
        pytest.param(encoded(mask(), "WEBP", quality=10), MASK, id="a mask with WebP's greys"),
        pytest.param(padded_to(LIMIT + 1, encoded(drawn())), MASK, id="a photograph for a mask"),
    ],
)
def test_where_more_is_wrong_or_nothing_is_there_is_no_copy(content: bytes, role: ImageRole) -> None:
    assert repaired(content, role) is None


def test_what_has_too_many_pixels_is_not_decoded() -> None:
    content = encoded(drawn(), "WEBP")
    assert repair(content, check_image(content, PICTURE), max_pixels=SIZE[0] * SIZE[1] - 1) is None


def test_what_stays_too_large_at_the_lowest_quality_has_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    content = padded_to(LIMIT + 1, encoded(noise((400, 500))))
    assert repaired(content) is not None
    monkeypatch.setattr("tryon_catalogue.pictures.repair.MAX_IMAGE_BYTES", 10_000)
    assert repaired(content) is None


def test_what_is_longer_than_a_jpeg_can_be_has_no_copy() -> None:
    long = Image.frombytes("L", (66_000, 400), random.Random(1).randbytes(66_000 * 400))
    assert repaired(encoded(long, compress_level=0)) is None
