"""The table of figures in the documents: every look of the demo, good and spoilt in every way."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.tryon_catalogue.publishing.judgement.studio import (
    FULL_SIZE,
    LOOKS,
    Look,
    bad,
    good,
    inputs_of,
    jpeg,
    opened,
)
from tryon_catalogue.publishing.judgement import Check, Score, judge
from tryon_catalogue.settings.judgement import JudgementSettings
from tryon_sandbox.settings import Pictures
from tryon_sandbox.spoiling import Spoiling

DOCUMENT: Final = Path(__file__).resolve().parents[4] / "include" / "docs" / "judgement.md"
KEYS: Final = {
    Check.SHAPE: "max_shape_difference",
    Check.SIZE: "min_side_px",
    Check.DETAIL: "min_detail",
    Check.ONE_COLOUR: "max_one_colour",
    Check.CHANGED: "min_changed",
    Check.EACH_PUT_ON: "min_covered",
    Check.VISIBLE: "min_visible",
    Check.FACE: "min_face",
    Check.BACKGROUND: "min_background",
    Check.COLOURS: "max_colour_distance",
    Check.SIBLING: "min_sibling_difference",
}
"""The keys of ``[judgement]`` that set the checks' limits; whether a file can be read has none."""
PICTURES_OF_A_LOOK: Final = {Pictures.DRAWN: 4, Pictures.PLAIN: 2}
UNITS: Final = {
    Check.READABLE: "1 for yes",
    Check.SHAPE: "width by height, share off the model's",
    Check.SIZE: "pixels of the shorter side",
    Check.DETAIL: "levels of grey from pixel to pixel",
    Check.ONE_COLOUR: "share of the picture",
    Check.CHANGED: "share of the picture, or of its mask",
    Check.EACH_PUT_ON: "share of its part of the person, the smaller of two",
    Check.VISIBLE: "share of the model's picture",
    Check.FACE: "structural similarity",
    Check.BACKGROUND: "structural similarity",
    Check.COLOURS: "distance in CIELAB, lightness at 0.6",
    Check.SIBLING: "distance in CIELAB, the highest hundredth",
}
OTHER_PERSON: Final = "the right garment on another person"
OTHER_GARMENT: Final = "another garment of the catalogue on the right person"
WORDS: Final = """# Judging result pictures

Each picture that comes back is held to the look's own inputs before it is published, with the limits of `[judgement]`
in the settings: `tryon_catalogue.publishing.judgement`. It is arithmetic on small copies of the pictures. It recognises
nobody and nothing, needs no model and no network, and a picture that passes may still be ugly.

How it is told: the person is cut from a plain background, and the head is what is above the neck. What differs from the
model's picture, but for its light, is what was put on. A mask says so instead where there is one. The garment is cut
from its background too, and its colours are looked for in what was put on. An input that is not at hand, or a person
who cannot be told from a busy background, makes a check "not measured", which speaks neither for nor against.

What it cannot see: hands with six fingers, a logo that reads wrong, a pattern in the right colours. Of two garments
in much the same colours it takes one for the other, as the last row below says.

The limits are set on the sandbox's pictures, which are drawn and clean, with room for another light. After the first
real nights, look at what came to review and set them again: each has a key of `[judgement]`, named in the first table;
`min_` is the least that passes, `max_` the most.

The figures below are written by a test (`TRYON_WRITE_JUDGEMENT_TABLE=1 make test
PYTEST_ARGS=tests/tryon_catalogue/publishing/judgement`), from the demo's 27 looks in the sandbox's two ways to draw.
"""


@dataclass(frozen=True)
class Figures:
    """What was measured."""

    good: dict[Pictures, list[Score]]
    spoilt: dict[tuple[str, str], list[Score]]
    cpu_seconds: list[float]


def measure() -> Figures:
    """Judge everything. Takes minutes, most of them for drawing."""
    limits = JudgementSettings()
    passed: dict[Pictures, list[Score]] = {style: [] for style in PICTURES_OF_A_LOOK}
    spoilt: dict[tuple[str, str], list[Score]] = {}
    for look in LOOKS:
        inputs = inputs_of(look, FULL_SIZE)
        for style, count in PICTURES_OF_A_LOOK.items():
            pictures = [good(look, style, number, FULL_SIZE) for number in range(count)]
            passed[style] += judge(inputs, pictures, limits).scores
            for how in Spoiling:
                scores = judge(inputs, [bad(look, how, style, FULL_SIZE)], limits).scores
                spoilt.setdefault((f"`{how.value}`", style.value), []).extend(scores)
        for name, other in others(look):
            scores = judge(inputs, [good(other, Pictures.DRAWN, 0, FULL_SIZE)], limits).scores
            spoilt.setdefault((name, Pictures.DRAWN.value), []).extend(scores)
    return Figures(passed, spoilt, list(cpu_seconds()))


def others(look: Look) -> Iterator[tuple[str, Look]]:
    """The looks whose pictures a vendor that mixed something up might send for this one."""
    for other in LOOKS:
        if other.model == look.model and other.tops != look.tops:
            yield OTHER_GARMENT, other
        if other.model != look.model and other.tops == look.tops:
            yield OTHER_PERSON, other


def cpu_seconds() -> Iterator[float]:
    """What judging one picture of 512 pixels takes, reading the look's inputs included."""
    for look in LOOKS:
        small = opened(good(look, Pictures.DRAWN, 0, FULL_SIZE)).resize((384, 512))
        inputs, content = inputs_of(look, FULL_SIZE), jpeg(small)
        begin = time.process_time()
        judge(inputs, [content], JudgementSettings())
        yield time.process_time() - begin


def write(figures: Figures) -> None:
    """Write the document."""
    DOCUMENT.parent.mkdir(exist_ok=True)
    parts = [WORDS, *_good_lines(figures), "", *_spoilt_lines(figures), "", _speed(figures), ""]
    DOCUMENT.write_text("\n".join(parts), encoding="utf-8")


def _good_lines(figures: Figures) -> Iterator[str]:
    yield "## Good pictures: least, median, most\n"
    names = " | ".join(
        f"{style.value}, {len(scores)} pictures, {sum(score.passed for score in scores)} passed"
        for style, scores in figures.good.items()
    )
    yield f"| check | key | measured in | limit | {names} |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for check in Check:
        every = {
            style: [score.result_of(check) for score in scores] for style, scores in figures.good.items()
        }
        limit = next(iter(every.values()))[0].limit
        cells = [_spread([one.value for one in found if one.value is not None]) for found in every.values()]
        key = f"`{KEYS[check]}`" if check in KEYS else "none"
        yield f"| {check.value} | {key} | {UNITS[check]} | {limit:g} | {' | '.join(cells)} |"


def _spread(values: list[float]) -> str:
    if not values:
        return "not measured"
    least, middle, most = (f"{value:.3g}" for value in (min(values), statistics.median(values), max(values)))
    return f"{least} / {middle} / {most}"


def _spoilt_lines(figures: Figures) -> Iterator[str]:
    yield "## Spoilt pictures: caught\n"
    yield "| what came | drawn | caught | by |"
    yield "| --- | --- | --- | --- |"
    for (name, style), scores in figures.spoilt.items():
        failed = [one.check.value for score in scores for one in score.checks if one.passed is False]
        by = ", ".join(f"{check.value} {failed.count(check)}" for check in Check if check in failed)
        caught = sum(not score.passed for score in scores)
        yield f"| {name} | {style} | {caught} of {len(scores)} | {by} |"


def _speed(figures: Figures) -> str:
    median, most = statistics.median(figures.cpu_seconds), max(figures.cpu_seconds)
    return (
        "One picture of 512 pixels, with reading the look's inputs, takes "
        f"{median:.2f} s of one core (median; the longest {most:.2f} s)."
    )


def rows_of_document() -> dict[str, list[str]]:
    """Read the document's tables: the first cell of each row -> the other cells, a row each."""
    rows: dict[str, list[str]] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("| "):
            first, *rest = (cell.strip() for cell in line.strip("| ").split("|"))
            rows.setdefault(first, []).append(" | ".join(rest))
    return rows
