"""The table of figures of the person check: people drawn and photographed, as they should be and spoilt."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from PIL import Image

from tryon_catalogue.pictures.rules import ImageRule, thumbnail
from tryon_catalogue.planning.preflight import person_check
from tryon_catalogue.planning.preflight.person_check import PersonCheck

ROOT: Final = Path(__file__).resolve().parents[4]
DOCUMENT: Final = ROOT / "include" / "docs" / "person-check.md"
DRAWINGS: Final = ROOT / "include" / "samples" / "images"
START, END = "<!-- figures -->\n", "<!-- end of the figures -->\n"
SWITCH: Final = "TRYON_WRITE_PERSON_TABLE"

ONE_PERSON: Final = ("astronaut.png", "camera.png", "grace_hopper.jpg")
SEVERAL: Final = ("bus.jpg", "t1.jpg", "zidane.jpg")
NOBODY: Final = ("chelsea.png", "coffee.png")


def models() -> list[Path]:
    """The drawn people."""
    return sorted(DRAWINGS.glob("model-*.jpg"))


def garments() -> list[Path]:
    """Drawn garments, which show nobody."""
    return sorted(set(DRAWINGS.glob("*.jpg")) - set(models()))


def opened(path: Path) -> Image.Image:
    """A picture, as RGB."""
    with Image.open(path) as picture:
        return picture.convert("RGB")


def small_copy(picture: Image.Image) -> bytes:
    """What preflight keeps of a picture."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    return thumbnail(content.getvalue())


def upper_part(picture: Image.Image) -> Image.Image:
    """From the head to the hips of a whole person."""
    return picture.crop((0, 0, picture.width, picture.height * 55 // 100))


def headless(picture: Image.Image) -> Image.Image:
    """From the shoulders down."""
    return picture.crop((0, picture.height // 5, picture.width, picture.height))


def lying(picture: Image.Image) -> Image.Image:
    """Turned by a quarter."""
    return picture.transpose(Image.Transpose.ROTATE_90)


def upside_down(picture: Image.Image) -> Image.Image:
    """Turned by a half."""
    return picture.transpose(Image.Transpose.ROTATE_180)


def far_away(picture: Image.Image) -> Image.Image:
    """A third as large, on its own ground."""
    ground = Image.new("RGB", picture.size, picture.getpixel((2, 2)))
    small = picture.resize((picture.width // 3, picture.height // 3))
    ground.paste(small, ((ground.width - small.width) // 2, (ground.height - small.height) // 2))
    return ground


def doubled(picture: Image.Image) -> Image.Image:
    """Beside itself."""
    both = Image.new("RGB", (picture.width * 2, picture.height))
    both.paste(picture, (0, 0))
    both.paste(picture, (picture.width, 0))
    return both


SPOILT: Final = MappingProxyType(
    {
        "turned by a quarter": (lying, ImageRule.LYING),
        "turned by a half": (upside_down, ImageRule.LYING),
        "a third as large": (far_away, ImageRule.SMALL_PERSON),
        "beside itself": (doubled, ImageRule.SEVERAL_PEOPLE),
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """Some pictures that ought to end alike, and how they ended."""

    what: str
    expected: ImageRule | None
    rules: tuple[frozenset[ImageRule], ...]
    of_best: tuple[float, ...]
    milliseconds: tuple[float, ...]

    @property
    def right(self) -> int:
        """Pictures that ended as they should."""
        if self.expected is None:
            return sum(not found for found in self.rules)
        return sum(self.expected in found for found in self.rules)

    @property
    def rejected(self) -> int:
        """Pictures that the default settings reject."""
        return sum(ImageRule.NOBODY in found for found in self.rules)

    def __str__(self) -> str:
        others = sorted({rule.value for found in self.rules for rule in found} - {self.expected})
        return (
            f"| {self.what} | {self.expected or 'nothing'} | {self.right} of {len(self.rules)} | "
            f"{', '.join(others) or '-'} | {self.rejected} | {min(self.of_best):.2f} to {max(self.of_best):.2f} |"
        )


def measured(check: PersonCheck, what: str, pictures: list[Image.Image], rule: ImageRule | None) -> Row:
    """Check pictures that ought to end alike."""
    rules, best, times = [], [], []
    for picture in pictures:
        copy = small_copy(picture)
        started = time.perf_counter()
        rules.append(frozenset(one.rule for one in check.findings(copy)))
        times.append((time.perf_counter() - started) * 1000)
        with Image.open(io.BytesIO(copy)) as small:
            best.append(max((one.score for one in check.detector.people(small)), default=0.0))
    return Row(what, rule, tuple(rules), tuple(best), tuple(times))


def rows(check: PersonCheck, photographs: Path) -> Iterator[Row]:
    """Measure everything."""
    drawn = [opened(path) for path in models()]
    photographed = [opened(photographs / name) for name in ONE_PERSON]
    for who, people in (("drawn people", drawn), ("photographs of one person", photographed)):
        yield measured(check, who, people, None)
        for how, (change, rule) in SPOILT.items():
            yield measured(check, f"{who}, {how}", [change(one) for one in people], rule)
    yield measured(check, "drawn people, head to hips", [upper_part(one) for one in drawn], None)
    yield measured(check, "drawn people, shoulders to feet", [headless(one) for one in drawn], None)
    several = [opened(photographs / name) for name in SEVERAL]
    yield measured(check, "photographs of several people", several, ImageRule.SEVERAL_PEOPLE)
    nobody = [opened(photographs / name) for name in NOBODY]
    yield measured(check, "photographs of a cat and of a cup", nobody, ImageRule.NOBODY)
    yield measured(check, "drawn garments", [opened(one) for one in garments()], ImageRule.NOBODY)
    yield measured(check, "one colour all over", [Image.new("RGB", (900, 1200), "grey")], ImageRule.NOBODY)


def write(check: PersonCheck, photographs: Path) -> None:
    """Write the document's table anew."""
    found = list(rows(check, photographs))
    times = [one for row in found for one in row.milliseconds]
    lines = [
        "| pictures | should find | did | found besides | rejected by default | score of the surest find |",
        "| --- | --- | --- | --- | --- | --- |",
        *map(str, found),
        "",
        f"{len(times)} pictures; {statistics.median(times):.0f} ms each (median, one thread, copies of 512 pixels).",
        f"Limits: somebody from {person_check.ANYBODY:g}, one of several from {person_check.SURELY:g}, lying from",
        f"{person_check.LYING:g} degrees or {person_check.SURER:g} times as sure of the turned picture, small below",
        f"{person_check.MIN_HEIGHT:.2f} of the height.",
        "",
    ]
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{START}\n" + "\n".join(lines) + f"\n{END}{after}", encoding="utf-8")


def rows_of_document() -> dict[str, list[str]]:
    """The table's cells by the first one, as they are written."""
    table = DOCUMENT.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|" in line
    ]
    return {row[0]: row[1:] for row in cells[2:]}
