"""Tiny pictures and exports made of them, served to the sandbox by HTTP.

Each garment has a top of its own with bytes of its own, so each is a look of its own by URL and by content.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

COLUMNS = (
    "sku",
    "title",
    "collection",
    "category",
    "gender",
    "image_url",
    "pants_url",
    "mask_url",
    "model_url",
)
SMALLEST_SIDE = 400
PERSON = "person.jpg"
COLLECTION = "faults"


@dataclass(frozen=True, slots=True)
class Garment:
    """One row of an export: one garment on one person, so one look.

    Attributes:
        sku: Its number.
        top: URL of its picture.
        collection: It belongs to.
    """

    sku: str
    top: str
    collection: str


class Wardrobe:
    """A folder of pictures behind an address.

    Args:
        folder: Is filled.
        url: Under which the folder is served.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / PERSON).write_bytes(_jpeg(_person()))
        self._top = _jpeg(_shirt(SMALLEST_SIDE))

    def folder_url(self, name: str) -> str:
        """Give what the URLs of one export's tops begin with, and no other's."""
        return f"{self.url}/{name}/"

    def make_export(
        self, name: str, count: int, collections: Sequence[str] = (COLLECTION,)
    ) -> tuple[Garment, ...]:
        """Put the pictures of a new export on the shelf.

        Args:
            name: Of the export; its tops are in a folder of that name.
            count: Of garments.
            collections: Which they belong to, in turns.
        """
        folder = self._folder / name
        folder.mkdir()
        garments = []
        for number in range(count):
            # What follows the picture's end makes its bytes its own; readers stop at the end.
            (folder / f"{number}.jpg").write_bytes(self._top + f"{name} {number}".encode())
            collection = collections[number % len(collections)]
            top = f"{self.folder_url(name)}{number}.jpg"
            garments.append(Garment(f"{name}-{number:03}", top, collection))
        return tuple(garments)

    def csv_of(self, garments: Sequence[Garment]) -> str:
        """Write garments as an export."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for garment in garments:
            person = f"{self.url}/{PERSON}"
            writer.writerow(
                [garment.sku, garment.sku, garment.collection, "tshirt", "women", garment.top, "", "", person]
            )
        return text.getvalue()


def _jpeg(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=60)
    return content.getvalue()


def _person() -> Image.Image:
    picture = Image.new("RGB", (SMALLEST_SIDE, 520), (236, 236, 232))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((164, 26, 236, 104), fill=(190, 140, 110))
    draw.rectangle((140, 94, 260, 286), fill=(90, 90, 110))
    draw.rectangle((146, 286, 254, 500), fill=(40, 40, 60))
    return picture


def _shirt(side: int) -> Image.Image:
    picture = Image.new("RGB", (side, side), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((side * 0.3, side * 0.15, side * 0.7, side * 0.9), fill=(180, 30, 40))
    draw.rectangle((side * 0.12, side * 0.15, side * 0.88, side * 0.35), fill=(180, 30, 40))
    return picture
