from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from tryon_catalogue.reporting.report.thumbnails import (
    ThumbnailRequest,
    Thumbnails,
    place_of_input,
    reader_of,
    shrink,
)
from tryon_catalogue.settings import ArchiveSettings

SIZE = (96, 128)


def encoded(image: Image.Image, kind: str = "PNG", **more: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **more)
    return target.getvalue()


def seen(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(value - other) < 12 for value, other in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK", "I;16"])
def test_every_kind_of_image_becomes_a_small_one_of_the_size_asked_for(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert seen(shrink(encoded(Image.new(mode, (900, 1200)), kind), SIZE)).size == SIZE


def test_a_wide_image_stays_whole_on_its_own_ground() -> None:
    image = Image.new("RGB", (800, 200), (30, 90, 160))
    image.paste((220, 30, 30), (300, 50, 500, 150))
    small = seen(shrink(encoded(image), SIZE))
    assert near(small.getpixel((2, 2)), (30, 90, 160))
    assert near(small.getpixel((48, 64)), (220, 30, 30))


def test_what_is_transparent_becomes_white() -> None:
    small = seen(shrink(encoded(Image.new("RGBA", (300, 400), (0, 0, 0, 0))), SIZE))
    assert near(small.getpixel((48, 64)), (255, 255, 255))


def test_a_photograph_taken_sideways_is_upright() -> None:
    image = Image.new("RGB", (400, 300), (255, 255, 255))
    image.paste((200, 0, 0), (0, 0, 200, 300))
    exif = Image.Exif()
    exif[0x0112] = 6
    small = seen(shrink(encoded(image, "JPEG", exif=exif, quality=95), SIZE))
    assert near(small.getpixel((48, 10)), (200, 0, 0))
    assert near(small.getpixel((48, 120)), (255, 255, 255))


def test_the_first_place_that_can_be_read_counts_and_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    good, broken = tmp_path / "good.png", tmp_path / "broken.png"
    good.write_bytes(encoded(Image.new("RGB", (300, 400))))
    broken.write_bytes(b"<html>")
    places = (str(tmp_path / "missing.png"), str(broken), f"file://{good}")
    found, lost = ThumbnailRequest(places, "a", SIZE), ThumbnailRequest(places[:2], "b", SIZE)

    made = Thumbnails(reader_of(ArchiveSettings())).of([found, lost, found])

    assert list(made) == [found]


def test_the_same_image_is_read_once() -> None:
    asked: list[str] = []

    def read(place: str) -> bytes:
        asked.append(place)
        return encoded(Image.new("RGB", (300, 400)))

    thumbnails = Thumbnails(read)
    first = thumbnails.of([ThumbnailRequest(("here",), "a", SIZE)])
    second = thumbnails.of([ThumbnailRequest(("elsewhere",), "a", SIZE)])
    assert (list(first.values()), asked) == (list(second.values()), ["here"])


def test_inputs_and_pictures_are_read_from_object_storage_too() -> None:
    from airflow.sdk import ObjectStoragePath

    archive = ArchiveSettings(path="memory://report-archive")
    place = place_of_input(archive, "a" * 64)
    ObjectStoragePath(place).write_bytes(encoded(Image.new("RGB", (300, 400))))
    assert Thumbnails(reader_of(archive)).of([ThumbnailRequest((place,), "a" * 64, SIZE)])
