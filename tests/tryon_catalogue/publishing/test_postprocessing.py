"""What is done to a picture between the vendor and the ledger, and how often it is decoded for that."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from damo_tryon.contract import FitType
from tryon_catalogue.looks import Look
from tryon_catalogue.pictures.fetch import SMALL_PX, measured
from tryon_catalogue.publishing.postprocessing import Finisher, Made
from tryon_catalogue.settings import Settings

MADE = Made(
    key="0123456789" + "a" * 54,
    look=Look(FitType.HALF_BODY, 1, "anna", "https://shop.example/anna.jpg", "https://shop.example/top.jpg"),
    result_key="key",
    sku="A-1",
    title="Tee",
    collection="autumn",
    digests=(None, None, None, None),
    model_size=(900, 1200),
)


def picture(kind: str, size: tuple[int, int] = (900, 1200), **options: Any) -> bytes:
    image = Image.new("RGB", size, (230, 225, 220))
    for step in range(0, min(size), 40):
        ImageDraw.Draw(image).line((step, 0, size[0], size[1] - step), (step % 256, 60, 90), 5)
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_is_decoded_once_for_all_that_is_done_to_it(
    kind: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    really = Image.open

    def count(file: Any, *arguments: Any, **options: Any) -> Image.Image:
        opened.append(file)
        return really(file, *arguments, **options)

    monkeypatch.setattr(Image, "open", count)
    fetched = measured("https://vendor.example/1", picture(kind), 10**7)
    (row,) = Finisher(settings).finish(MADE, [fetched]).rows

    assert len(opened) == 1
    assert (row["width"], row["height"]) == (900, 1200)
    assert row["verdict"]["size"]["value"] == 900
    with really(row["thumbnail"]) as small:
        assert small.size == (384, 512)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_is_decoded_no_larger_than_is_needed(kind: str) -> None:
    small = measured("https://vendor.example/1", picture(kind, (2400, 3200)), 10**7).small

    assert SMALL_PX <= max(small.size) < 2 * SMALL_PX


def test_a_picture_that_lies_on_its_side_is_judged_and_shown_upright(settings: Settings) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = measured("https://vendor.example/1", picture("JPEG", (1200, 900), exif=exif), 10**7)
    (row,) = Finisher(settings).finish(MADE, [lying]).rows

    assert row["verdict"]["shape"] == {"value": 0.0, "limit": 0.03, "passed": True}
    with Image.open(row["thumbnail"]) as small:
        assert small.size == (384, 512)


def test_words_that_are_drawn_into_a_picture_are_in_its_small_copy(settings: Settings) -> None:
    def small_of(mark: str) -> bytes:
        labels = settings.labels.model_copy(update={"mark": mark})
        finisher = Finisher(settings.model_copy(update={"labels": labels}))
        (row,) = finisher.finish(MADE, [measured("https://vendor.example/1", picture("JPEG"), 10**7)]).rows
        return Path(row["thumbnail"]).read_bytes()

    assert small_of("") != small_of("AI")
