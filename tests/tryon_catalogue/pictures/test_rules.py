"""From a file's bytes to facts and findings."""

from __future__ import annotations

import contextlib
import hashlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from tests.tryon_catalogue.pictures.cases import FILES, Case
from tests.tryon_catalogue.pictures.files import (
    SIZE,
    drawn,
    encoded,
    mask,
    noise,
    padded_to,
    see_through,
    several,
    turned_by_exif,
    written_png,
)
from tryon_catalogue.pictures.kinds import kind_of
from tryon_catalogue.pictures.rules import (
    ImageFacts,
    ImageRole,
    ImageRule,
    check_image,
    examine_image,
    mask_size_problem,
    thumbnail,
)
from tryon_sandbox import images as sandbox_images

PICTURE, MASK = ImageRole.PICTURE, ImageRole.MASK
PNG = encoded(drawn())


def rules_of(facts: ImageFacts) -> list[ImageRule]:
    """The rules that are broken, those that reject first."""
    return [finding.rule for finding in facts.findings]


@pytest.mark.parametrize("case", FILES, ids=lambda case: f"{case.role.value}: {case.name}")
def test_each_file_of_the_table_is_judged_by_its_content_alone(case: Case) -> None:
    assert case.page is not None
    content = case.page()
    assert isinstance(content, bytes)

    facts = check_image(content, case.role)

    expected = None if case.rule is ImageRule.MASK_SIZE else case.rule  # which takes two images
    assert (facts.rejection and facts.rejection.rule) == expected
    assert {finding.rule for finding in facts.warnings} == case.warns
    assert (facts.sha256, facts.bytes) == (hashlib.sha256(content).hexdigest(), len(content))


def test_facts_tell_format_size_and_digest() -> None:
    facts = check_image(PNG, PICTURE)
    assert facts == ImageFacts(PICTURE, hashlib.sha256(PNG).hexdigest(), "PNG", len(PNG), *SIZE, ())


def test_the_measures_are_those_stored_in_the_file() -> None:
    facts = check_image(turned_by_exif(6), PICTURE)
    assert (facts.width, facts.height) == SIZE


@pytest.mark.parametrize(
    ("content", "role", "measured", "limit"),
    [
        (padded_to(5_000_001), PICTURE, "5,000,001 bytes", "at most 5,000,000 bytes"),
        (encoded(drawn((399, 533))), PICTURE, "399 x 533 pixels", "at least 400 pixels on each side"),
        (encoded(drawn(), "GIF"), PICTURE, "a file of the kind GIF", "JPEG or PNG"),
        (b"<html>sorry", PICTURE, "a file of the kind web page (HTML)", "JPEG or PNG"),
        (b"\0\1\2\3", PICTURE, "a file of an unknown kind", "JPEG or PNG"),
        (b"", PICTURE, "an empty file", "JPEG or PNG"),
        (PNG[:-800], PICTURE, "a PNG file that cannot be read", "to its end"),
        (written_png(7_000, 6_000, bits=1), PICTURE, "7,000 x 6,000 pixels", "at most 40,000,000 pixels"),
        (encoded(mask((400, 500), white=128)), MASK, "12,500 of 200,000 pixels", "pure black (0)"),
        (turned_by_exif(8), PICTURE, "EXIF orientation 8", "upright"),
        (several("MPO"), PICTURE, "3 images", "one image"),
        (encoded(drawn((800, 400))), PICTURE, "one side 2.00 times as long as the other", "3:4 or 4:3"),
        (encoded(drawn((800, 800))), PICTURE, "800 x 800 pixels, a square", "3:4 or 4:3"),
    ],
)
def test_a_finding_says_what_was_measured_what_the_limit_is_and_what_to_do(
    content: bytes, role: ImageRole, measured: str, limit: str
) -> None:
    finding = check_image(content, role).findings[0]
    assert measured in finding.measured
    assert limit in finding.limit
    assert finding.advice.endswith(".")


def test_several_things_may_be_wrong_at_once_and_what_rejects_comes_first() -> None:
    image = encoded(see_through((300, 900)))
    found = check_image(padded_to(5_100_000, image), PICTURE)
    assert rules_of(found) == [
        ImageRule.TOO_MANY_BYTES,
        ImageRule.TOO_SMALL,
        ImageRule.TRANSPARENT,
        ImageRule.SHAPE,
    ]


def test_the_guard_against_too_many_pixels_can_be_set_and_holds_exactly() -> None:
    pixels = SIZE[0] * SIZE[1]
    assert check_image(PNG, PICTURE, max_pixels=pixels).rejection is None
    assert rules_of(check_image(PNG, PICTURE, max_pixels=pixels - 1)) == [ImageRule.TOO_MANY_PIXELS]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_every_turn_of_exif_is_said_and_undone_in_the_small_copy(orientation: int) -> None:
    upright = drawn((400, 500))
    upright.paste("red", (0, 0, 100, 100))
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(upright.transpose(stored), "JPEG", exif=exif, quality=95)

    assert rules_of(check_image(content, PICTURE)) == [ImageRule.ROTATED]

    with Image.open(io.BytesIO(thumbnail(content))) as small:
        assert small.size == (400, 500)
        red, green, _ = small.getpixel((50, 50))  # type: ignore[misc]  # three colours
        assert red > 200
        assert green < 60
        assert small.getexif().get(0x0112) is None


class TestTheSmallCopy:
    """What people look at, and what a result is compared with."""

    @pytest.mark.parametrize(
        ("size", "small"),
        [((1600, 1200), (512, 384)), ((600, 900), (341, 512)), ((400, 300), (400, 300))],
    )
    @pytest.mark.parametrize("kind", ["JPEG", "PNG"])
    def test_is_a_jpeg_that_is_never_enlarged(
        self, size: tuple[int, int], small: tuple[int, int], kind: str
    ) -> None:
        with Image.open(io.BytesIO(thumbnail(encoded(drawn(size), kind)))) as copy:
            assert copy.format == "JPEG"
            assert max(abs(copy.width - small[0]), abs(copy.height - small[1])) <= 1

    def test_has_the_side_that_is_asked_for(self) -> None:
        with Image.open(io.BytesIO(thumbnail(PNG, 100))) as copy:
            assert max(copy.size) == 100

    def test_is_on_white_where_the_image_is_transparent(self) -> None:
        with Image.open(io.BytesIO(thumbnail(encoded(see_through())))) as copy:
            corner = copy.getpixel((3, 3))
            assert isinstance(corner, tuple)
            assert min(corner) > 245

    def test_keeps_the_brightness_of_16_bits(self) -> None:
        with Image.open(io.BytesIO(thumbnail(written_png(*SIZE, bits=16)))) as copy:
            level = copy.convert("L").getpixel((200, 200))
            assert isinstance(level, int | float)
            assert abs(level - 0x60) <= 2

    @pytest.mark.parametrize("mode", ["CMYK", "L", "1", "P"])
    def test_is_made_of_every_mode(self, mode: str) -> None:
        content = encoded(drawn(mode=mode), "JPEG" if mode == "CMYK" else "PNG")
        with Image.open(io.BytesIO(thumbnail(content))) as copy:
            assert (copy.mode, max(copy.size)) == ("RGB", 512)

    def test_comes_with_the_facts_even_of_an_image_that_is_rejected(self) -> None:
        facts, small = examine_image(encoded(drawn((399, 533))), PICTURE)
        assert facts.rejection is not None
        assert small is not None

    @pytest.mark.parametrize("content", [b"", b"GIF89a", PNG[:300], written_png(9_000, 9_000, bits=1)])
    def test_cannot_be_made_of_what_cannot_be_read(self, content: bytes) -> None:
        assert examine_image(content, PICTURE)[1] is None
        with pytest.raises(ValueError, match="no small copy"):
            thumbnail(content)


class TestAMaskSSize:
    """Exactly the size of the model's image, as stored (vendor document, section 5.1)."""

    def test_is_fine_when_it_is_the_model_s(self) -> None:
        assert mask_size_problem(check_image(encoded(mask()), MASK), check_image(PNG, PICTURE)) is None

    @pytest.mark.parametrize("size", [(451, 600), (450, 601), (600, 450), (900, 1200)])
    def test_is_a_problem_when_it_is_any_other(self, size: tuple[int, int]) -> None:
        found = mask_size_problem(check_image(encoded(mask(size)), MASK), check_image(PNG, PICTURE))
        assert found is not None
        assert (found.rule, found.rejects) == (ImageRule.MASK_SIZE, True)
        assert found.measured == f"{size[0]:,} x {size[1]:,} pixels"
        assert "450 x 600 pixels" in found.limit

    def test_is_not_asked_about_a_model_that_cannot_be_read(self) -> None:
        assert mask_size_problem(check_image(encoded(mask()), MASK), check_image(b"", PICTURE)) is None

    def test_follows_the_stored_pixels_of_a_model_that_exif_turns(self) -> None:
        model = check_image(turned_by_exif(6), PICTURE)
        assert mask_size_problem(check_image(encoded(mask()), MASK), model) is None


@pytest.mark.parametrize("change", [b"", b"\xef\xbb\xbf", b"\n  "])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"<!doctype HTML><p>", "web page (HTML)"),
        (b"<html lang=zh>", "web page (HTML)"),
        (b"<svg width='3'/>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML"),
        (b'{"error": "no such image"}', "JSON"),
        ("没有图片".encode(), "text"),
    ],
)
def test_what_servers_send_instead_of_an_image_is_called_by_its_name(
    change: bytes, text: bytes, kind: str
) -> None:
    assert kind_of(change + text) == kind


class TestWhateverIsInAFile:
    """Whatever a file holds, there are facts, and the vendor's stand-in takes what they call good."""

    @staticmethod
    def holds(folder: Path, content: bytes, role: ImageRole) -> bool:
        """Hold a file to both sets of rules; gives whether ours lets it through."""
        facts = check_image(content, role)
        taken = sandbox_takes(folder, content, role)
        if facts.rejection is None:
            assert taken, facts
        elif taken:
            # Only where the stand-in is more lenient than the document.
            assert facts.rejection.rule is ImageRule.MASK_GREY, facts
        return facts.rejection is None

    @pytest.mark.filterwarnings("ignore:Image appears to be a malformed MPO")
    @hypothesis_settings(max_examples=150, deadline=None)
    @given(
        kind=st.sampled_from(["PNG", "JPEG", "progressive", "MPO", "exif", "palette"]),
        keep=st.one_of(st.just(1.0), st.floats(0, 1)),
        flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), max_size=6),
        role=st.sampled_from(ImageRole),
    )
    def test_spoilt_files(
        self,
        kind: str,
        keep: float,
        flips: list[tuple[float, int]],
        role: ImageRole,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        content = bytearray(SPOILABLE[kind]())
        for place, change in flips:
            content[int(place * len(content))] ^= change
        self.holds(tmp_path_factory.getbasetemp(), bytes(content[: int(keep * len(content))]), role)

    @hypothesis_settings(max_examples=60, deadline=None)
    @given(
        size=st.tuples(st.integers(396, 404), st.integers(396, 404)),
        mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"]),
        kind=st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF"]),
        levels=st.tuples(st.sampled_from([0, 1, 128]), st.sampled_from([254, 255])),
        role=st.sampled_from(ImageRole),
    )
    def test_combinations_of_rules(
        self,
        *,
        size: tuple[int, int],
        mode: str,
        kind: str,
        levels: tuple[int, int],
        role: ImageRole,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        image = mask(size, black=levels[0], white=levels[1]).convert("RGB").convert(mode)
        content = b""
        for fallback in (mode, "RGB"):
            with contextlib.suppress(OSError, ValueError):  # not every kind of file has every mode
                content = content or encoded(image.convert(fallback), kind)
        fine = self.holds(tmp_path_factory.getbasetemp(), content, role)
        if role is PICTURE:
            assert fine is (kind in {"PNG", "JPEG"} and min(size) >= 400)


SPOILABLE: dict[str, Callable[[], bytes]] = {
    "PNG": lambda: encoded(drawn((400, 500))),
    "JPEG": lambda: encoded(drawn((400, 500)), "JPEG"),
    "progressive": lambda: encoded(noise((400, 400)), "JPEG", quality=10, progressive=True),
    "MPO": lambda: several("MPO", (400, 500)),
    "exif": lambda: turned_by_exif(6, (400, 500)),
    "palette": lambda: encoded(drawn((400, 500)).quantize(8), transparency=0),
}


def sandbox_takes(folder: Path, content: bytes, role: ImageRole) -> bool:
    """Ask the vendor's stand-in about a file alone."""
    if not content or len(content) > sandbox_images.MOST_BYTES:
        return False
    path = folder / hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    try:
        picture = sandbox_images.open_picture(path)
    except sandbox_images._UNREADABLE:
        return False
    if min(picture.size) < sandbox_images.LEAST_SIDE:
        return False
    return role is PICTURE or not any(picture.convert("L").histogram()[1:255])


def test_the_names_of_the_rules_cost_no_image_library() -> None:
    code = (
        "import sys; import tryon_catalogue.pictures.rules, tryon_catalogue.planning.preflight.images; "
        "print('PIL' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_is_said_of_a_square_names_the_shape_that_is_meant() -> None:
    (found,) = check_image(encoded(drawn((1000, 1000))), PICTURE).warnings
    assert f"{found.measured}: {found.advice}" == (
        "1,000 x 1,000 pixels, a square: The vendor recommends about 3:4 or 4:3. Crop the image if its results come "
        "out badly."
    )
