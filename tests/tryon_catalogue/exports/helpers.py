"""What the tests of reading exports share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tryon_catalogue.exports import Chunk, ExportError, Garment, Rejection, read_export
from tryon_catalogue.settings import ExportSettings

SAMPLES = Path(__file__).with_name("samples")
TOP = "https://images.example.com/top.jpg"
PLAIN: dict[str, Any] = {"path": "-", "columns": {"tops_image": "image_url", "title": "title"}}
HEADER = "sku,title,category,image_url"


def outcomes(chunks: Iterable[Chunk]) -> tuple[list[Garment], list[Rejection]]:
    """Put chunks together, and hold each to its count of rows."""
    garments: list[Garment] = []
    rejections: list[Rejection] = []
    for chunk in chunks:
        accounted = len(chunk.garments) + len(chunk.rejections) + chunk.further
        assert chunk.rows == accounted + sum(chunk.left_out.values())
        garments += chunk.garments
        rejections += chunk.rejections
    return garments, rejections


def read(path: object, **settings: Any) -> tuple[list[Garment], list[Rejection]]:
    """Read with some keys of [export]."""
    return outcomes(read_export(str(path), ExportSettings(**{**PLAIN, **settings})))


def read_sample(name: str, **settings: Any) -> tuple[list[Garment], list[Rejection]]:
    """Read one of the samples with its shop's preset."""
    given = {"path": "-", "shop": name.partition(".")[0], **settings}
    return outcomes(read_export(SAMPLES / name, ExportSettings(**given)))


def refused(path: object, **settings: Any) -> str:
    """Say why an export cannot be read."""
    with pytest.raises(ExportError) as caught:
        read(path, **settings)
    return str(caught.value)
