"""Pictures to be judged: the demo's looks as the sandbox draws them, and every way in which it spoils them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from PIL import Image

from tryon_catalogue.publishing.judgement import Inputs
from tryon_sandbox.plain import render_plain
from tryon_sandbox.rendering import render
from tryon_sandbox.settings import Pictures
from tryon_sandbox.spoiling import Sitting, Spoiling, spoilt

SAMPLES: Final = Path(__file__).resolve().parents[4] / "include" / "samples"
RENDERERS: Final = {Pictures.DRAWN: render, Pictures.PLAIN: render_plain}
MODELS: Final = {"women": ("model-mei.jpg", "model-amara.jpg"), "men": ("model-leo.jpg", "model-ravi.jpg")}
THUMBNAIL_PX: Final = 512
FULL_SIZE: Final = (900, 1200)
"""That of the samples' models: the sandbox draws pictures of the model's own size."""
QUICK_SIZE: Final = (450, 600)
"""Tests draw on smaller pictures than the samples are, which takes a fraction of the time."""


@dataclass(frozen=True)
class Look:
    """A look of the demo: file names of its images."""

    sku: str
    model: str
    tops: str
    pants: str | None
    mask: str | None

    def __str__(self) -> str:
        return f"{self.sku}-{self.model.removeprefix('model-').removesuffix('.jpg')}"

    @property
    def fit_type(self) -> str:
        return "FULL_BODY" if self.sku.startswith(("DR", "SU")) else "HALF_BODY"


def all_looks() -> list[Look]:
    """The looks that the demo's catalogue comes to."""
    looks: dict[tuple[str, str], Look] = {}
    with (SAMPLES / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            names = {key: row[key] for key in ("image_url", "pants_url", "mask_url", "model_url")}
            if not (SAMPLES / "images" / (names["image_url"] or "none")).is_file():
                continue
            for model in [names["model_url"]] if names["model_url"] else MODELS[row["gender"]]:
                look = Look(
                    row["sku"],
                    model,
                    names["image_url"],
                    names["pants_url"] or None,
                    names["mask_url"] or None,
                )
                looks.setdefault((look.sku, look.model), look)
    return list(looks.values())


LOOKS: Final = all_looks()
ONE_A_GARMENT: Final = list({look.sku: look for look in LOOKS}.values())


@lru_cache(maxsize=64)
def image(name: str) -> Image.Image:
    """One of the samples."""
    with Image.open(SAMPLES / "images" / name) as picture:
        picture.load()
        return picture.copy()


@lru_cache(maxsize=64)
def thumbnail(name: str) -> bytes:
    """A sample as the archive keeps inputs: a small JPEG."""
    small = image(name).convert("RGB")
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    return jpeg(small, 85)


def jpeg(picture: Image.Image, quality: int = 88) -> bytes:
    """A file's bytes."""
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=quality)
    return content.getvalue()


def opened(content: bytes) -> Image.Image:
    """The picture in a file."""
    return Image.open(io.BytesIO(content)).convert("RGB")


def inputs_of(look: Look, size: tuple[int, int] = QUICK_SIZE) -> Inputs:
    """What is at hand of a look when its pictures come."""
    return Inputs(
        model=thumbnail(look.model),
        tops=thumbnail(look.tops),
        pants=thumbnail(look.pants) if look.pants else None,
        mask=thumbnail(look.mask) if look.mask else None,
        model_size=size,
    )


def sitting(look: Look, style: Pictures, number: int, size: tuple[int, int] = QUICK_SIZE) -> Sitting:
    """What the sandbox draws a picture from."""
    return Sitting(
        sized(look.model, size),
        sized(look.tops, size),
        sized(look.pants, size) if look.pants else None,
        sized(look.mask, size) if look.mask else None,
        partial(RENDERERS[style], fit_type=look.fit_type, number=number),
    )


@lru_cache(maxsize=64)
def sized(name: str, size: tuple[int, int]) -> Image.Image:
    """A sample as it would be had the models' pictures that size; a mask stays black and white."""
    crisp = name.startswith("mask")
    own, scale = image(name), size[1] / FULL_SIZE[1]
    return own.resize(
        (round(own.width * scale), round(own.height * scale)),
        Image.Resampling.NEAREST if crisp else Image.Resampling.LANCZOS,
    )


@lru_cache(maxsize=512)
def good(
    look: Look, style: Pictures = Pictures.DRAWN, number: int = 0, size: tuple[int, int] = QUICK_SIZE
) -> bytes:
    """A result picture as it should be."""
    return jpeg(sitting(look, style, number, size).drawn())


@lru_cache(maxsize=512)
def bad(
    look: Look,
    how: Spoiling,
    style: Pictures = Pictures.DRAWN,
    size: tuple[int, int] = QUICK_SIZE,
) -> bytes:
    """The same picture, spoilt."""
    from_what: Callable[[], Sitting] = partial(sitting, look, style, 0, size)
    return spoilt(how, good(look, style, 0, size), from_what)
