from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageFilter, ImageStat

from tests.tryon_catalogue.publishing.labels.files import JPEGS, PNGS, drawing, exif, profile, saved
from tryon_catalogue.publishing.labels import Label, LabelError, label, marks, read_label
from tryon_catalogue.publishing.labels.marks import FONT, HEIGHT, SMALLEST_SIDE, check_mark, mark

WORDS = ["AI生成", "AI-generated", "由人工智能生成合成", "圖片由AI生成，僅供參考", "Généré par l’IA"]
FONTS = Path(marks.__file__).parent / "fonts"
READABLE = 4.5  # contrast that the web's accessibility guidelines ask of text


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def changed(before: Image.Image, after: Image.Image, least: int = 24) -> tuple[int, int, int, int]:
    """The box in which two pictures differ visibly."""
    box = (
        ImageChops.difference(before, after).convert("L").point(lambda value: 255 * (value > least)).getbbox()
    )
    assert box is not None
    return box


def luminance(pixel: tuple[int, ...]) -> float:
    parts = [value / 255 for value in pixel[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


BACKGROUNDS = {
    "white": Image.new("RGB", (600, 800), "white"),
    "black": Image.new("RGB", (600, 800), "black"),
    "grey": Image.new("RGB", (600, 800), (128, 128, 128)),
    "red": Image.new("RGB", (600, 800), (255, 0, 0)),
    "noise": Image.effect_noise((600, 800), 120).convert("RGB"),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("background", BACKGROUNDS.values(), ids=BACKGROUNDS.keys())
def test_words_can_be_read_on_any_background(background: Image.Image, words: str, kind: str) -> None:
    picture = opened(mark(saved(background, kind, quality=90), words))
    wide, high = picture.size
    corner = picture.crop((wide // 3, round(high * 0.85), wide, high))
    white = [pixel for pixel in corner.get_flattened_data() if min(pixel) > 235]
    # The plate below the letters, after some smoothing of what shines through.
    smooth = picture.filter(ImageFilter.BoxBlur(3))
    plate = [smooth.getpixel((x, high - 20)) for x in range(wide - 60, wide - 30)]
    assert len(white) > 100
    contrasts = [(luminance((235,) * 3) + 0.05) / (luminance(pixel) + 0.05) for pixel in plate]
    assert min(contrasts) > READABLE


@pytest.mark.parametrize("size", [(400, 400), (600, 800), (1500, 2000), (2000, 900)])
@pytest.mark.parametrize("words", ["AI生成", "AI-generated"])
def test_words_are_as_high_as_the_rule_asks_and_in_the_lower_right_corner(
    size: tuple[int, int], words: str
) -> None:
    before = Image.new("RGB", size, "black")
    after = opened(mark(saved(before, "PNG"), words))
    left, top, right, bottom = changed(before, after)
    assert bottom - top >= HEIGHT * min(size) - 1
    assert right - left < 0.5 * size[0]
    assert left > size[0] / 2
    assert top > size[1] * 0.85
    assert right < size[0]
    assert bottom < size[1]


def test_words_too_wide_for_the_picture_are_made_smaller() -> None:
    before = Image.new("RGB", (400, 400), "white")
    left, _, right, _ = changed(before, opened(mark(saved(before, "PNG"), "AI生成" * 12)))
    assert 0 < left < right < 400


@pytest.mark.parametrize("name", [name for name in JPEGS if "several" not in name])
def test_a_jpeg_is_as_it_was_outside_the_mark(name: str) -> None:
    before, after = opened(JPEGS[name]), opened(mark(JPEGS[name], "AI"))
    if name == "Exif and profile":
        before = before.transpose(Image.Transpose.ROTATE_270)
    assert after.size == before.size
    upper = (0, 0, before.width, before.height // 2)
    difference = ImageChops.difference(before.crop(upper), after.crop(upper))
    assert max(high for _, high in difference.getextrema()) <= 16
    assert max(ImageStat.Stat(difference).mean) < 1


@pytest.mark.parametrize("name", PNGS)
def test_every_build_of_png_can_be_marked(name: str) -> None:
    if name == "interlaced":
        with pytest.raises(LabelError, match="too small"):
            mark(PNGS[name], "AI")
        return
    before, after = opened(PNGS[name]), opened(mark(PNGS[name], "AI"))
    upper = (0, 0, before.width, before.height // 2)
    difference = ImageChops.difference(before.crop(upper), after.crop(upper))
    assert max(high for _, high in difference.getextrema()) <= 1
    changed(before, after)


def test_what_else_a_file_has_stays_and_a_label_too() -> None:
    words = Label("DAMO", "A-1")
    for kind in ("JPEG", "PNG"):
        plain = saved(drawing(), kind, exif=exif(), icc_profile=profile())
        marked = mark(label(plain, words), "AI")
        with Image.open(io.BytesIO(marked)) as picture:
            assert picture.format == kind
            assert picture.getexif()[0x010F] == "Camera"
            assert picture.info["icc_profile"] == profile()
        assert read_label(marked) == words


def test_the_mark_stands_below_right_as_a_turned_picture_is_seen() -> None:
    wide = Image.new("RGB", (400, 300), "black")
    with Image.open(io.BytesIO(mark(saved(wide, "JPEG", exif=exif(6)), "AI"))) as picture:
        assert picture.size == (300, 400)
        assert picture.getexif().get(0x0112, 1) == 1
        left, top, _, _ = changed(Image.new("RGB", (300, 400)), picture.convert("RGB"))
    assert left > 150
    assert top > 300


def test_transparency_stays() -> None:
    clear = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    with Image.open(io.BytesIO(mark(saved(clear, "PNG"), "AI生成"))) as picture:
        assert picture.mode == "RGBA"
        assert picture.getpixel((10, 10))[3] == 0
        assert picture.getchannel("A").getextrema() == (0, 255)


def test_a_character_that_the_font_lacks_is_named() -> None:
    with pytest.raises(LabelError, match=r"has no 龘 👗; name one that does as \[labels\] mark_font"):
        check_mark("AI 龘龘👗")
    check_mark("AI 生成")


@pytest.mark.parametrize("words", ["", " ", "AI\n生成", "\u200b"])
def test_words_that_nobody_sees_are_refused(words: str) -> None:
    with pytest.raises(LabelError, match="one line of visible characters"):
        check_mark(words)


def test_a_font_of_ones_own_is_used(tmp_path: Path) -> None:
    font = tmp_path / "font.ttf"
    font.write_bytes((FONTS / FONT).read_bytes())
    assert mark(PNGS["plain"], "AI", str(font)) == mark(PNGS["plain"], "AI")


@pytest.mark.parametrize("content", [None, b"no font"])
def test_a_font_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    font = tmp_path / "font.ttf"
    if content is not None:
        font.write_bytes(content)
    with pytest.raises(LabelError, match=r"mark_font: .*font\.ttf"):
        check_mark("AI", str(font))


@pytest.mark.parametrize("content", [b"", b"text", saved(drawing(), "GIF"), JPEGS["baseline"][:900]])
def test_what_is_no_whole_picture_cannot_be_marked(content: bytes) -> None:
    with pytest.raises(LabelError, match="not a whole JPEG or PNG picture"):
        mark(content, "AI")


def test_a_picture_too_small_to_read_it_on_is_not_marked() -> None:
    with pytest.raises(LabelError, match=f"at least {SMALLEST_SIDE} pixels"):
        mark(saved(drawing((SMALLEST_SIDE - 1, 300)), "PNG"), "AI")


def test_the_font_ships_with_its_licence() -> None:
    assert "SIL OPEN FONT LICENSE" in (FONTS / "OFL.txt").read_text().upper()
    assert (FONTS / FONT).stat().st_size < 100_000
