"""What a result picture is held to: the checks, their limits, and what a merchandiser is told of each.

A check is a line of `RULES`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from tryon_catalogue.settings.judgement import JudgementSettings


class Check(StrEnum):
    """What is looked at, in the order in which it is."""

    READABLE = "readable"
    SHAPE = "shape"
    SIZE = "size"
    DETAIL = "detail"
    ONE_COLOUR = "one_colour"
    CHANGED = "changed"
    EACH_PUT_ON = "each_put_on"
    VISIBLE = "visible"
    FACE = "face"
    BACKGROUND = "background"
    COLOURS = "colours"
    SIBLING = "sibling"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found in one picture.

    Attributes:
        value: What was measured, in the check's own unit; None when it was not.
        limit: What it was held to.
        passed: None when nothing was measured.
        quality: 0..1, at least 0.5 when passed; None when nothing was measured.
        text: What was measured, the limit, and what to do; or why nothing was measured.
    """

    check: Check
    value: float | None
    limit: float
    passed: bool | None
    quality: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Rule:
    """How a check's figure is taken.

    Attributes:
        limit: Finds the limit in the settings.
        at_least: Whether the figure must reach the limit, or must not exceed it.
        best: The figure that could not be better; None where there is no better or worse beyond the limit.
        measured: The figure in words, with ``{value}`` in it.
        limited: The limit in words, with ``{limit}`` in it.
        advice: What to do about a picture that does not pass.
    """

    limit: Callable[[JudgementSettings], float]
    at_least: bool
    best: float | None
    measured: str
    limited: str
    advice: str

    def passes(self, value: float, limit: float) -> bool:
        """Whether a figure is within the limit."""
        return value >= limit if self.at_least else value <= limit

    def quality(self, value: float, limit: float) -> float:
        """Grade a figure: 1 at the best, 0.5 at the limit, 0 at twice as far beyond it; steps where none is graded."""
        if self.best is None or self.best == limit:
            return 1.0 if self.passes(value, limit) else 0.0
        graded = 1 - 0.5 * (value - self.best) / (limit - self.best)
        # A rounding error must not put what passes below the half, nor what fails on it.
        least, most = (0.5, 1.0) if self.passes(value, limit) else (0.0, _JUST_BELOW_HALF)
        return min(max(graded, least), most)


_JUST_BELOW_HALF: Final = 0.499
_AGAIN: Final = "have the look made again"

RULES: Final[Mapping[Check, Rule]] = MappingProxyType(
    {
        Check.READABLE: Rule(
            limit=lambda _: 1,
            at_least=True,
            best=None,
            measured="the file can be read as a picture",
            limited="",
            advice=f"the file is damaged: {_AGAIN}",
        ),
        Check.SHAPE: Rule(
            limit=lambda settings: settings.max_shape_difference,
            at_least=False,
            best=None,
            measured="width by height is {value:.1%} off that of the model's picture",
            limited="at most {limit:.1%}",
            advice=f"something was cut off or squeezed: {_AGAIN}",
        ),
        Check.SIZE: Rule(
            limit=lambda settings: settings.min_side_px,
            at_least=True,
            best=None,
            measured="the shorter side has {value:.0f} pixels",
            limited="at least {limit:.0f}",
            advice=f"it is too small for the shop: {_AGAIN}",
        ),
        Check.DETAIL: Rule(
            limit=lambda settings: settings.min_detail,
            at_least=True,
            best=None,
            measured="neighbouring pixels differ by {value:.2f} levels of grey",
            limited="at least {limit:g}",
            advice=f"the picture is blank: {_AGAIN}",
        ),
        Check.ONE_COLOUR: Rule(
            limit=lambda settings: settings.max_one_colour,
            at_least=False,
            best=None,
            measured="{value:.1%} of the picture is of one colour",
            limited="at most {limit:.1%}",
            advice=f"there is next to nothing in the picture: {_AGAIN}",
        ),
        Check.CHANGED: Rule(
            limit=lambda settings: settings.min_changed,
            at_least=True,
            best=None,
            measured="{value:.1%} of the picture, or of its mask, differs from the model's own picture",
            limited="at least {limit:.1%}",
            advice=f"nothing was put on: {_AGAIN}, and look at the garment's image if it happens twice",
        ),
        Check.EACH_PUT_ON: Rule(
            limit=lambda settings: settings.min_covered,
            at_least=True,
            best=None,
            measured="of the two garments, the smaller covers {value:.0%} of its part of the person",
            limited="at least {limit:.0%}",
            advice=f"see whether both were put on, and {_AGAIN} if not",
        ),
        Check.VISIBLE: Rule(
            limit=lambda settings: settings.min_visible,
            at_least=True,
            best=None,
            measured="it fits the model's picture best as about {value:.0%} of it, drawn out to the size of the whole",
            limited="at least {limit:.0%}",
            advice=f"the person is cut off, or it is another picture altogether: {_AGAIN}",
        ),
        Check.FACE: Rule(
            limit=lambda settings: settings.min_face,
            at_least=True,
            best=1.0,
            measured="the head is {value:.0%} like the model's",
            limited="at least {limit:.0%}",
            advice=f"see whether it is the same person, and {_AGAIN} if not",
        ),
        Check.BACKGROUND: Rule(
            limit=lambda settings: settings.min_background,
            at_least=True,
            best=1.0,
            measured="what no garment covers is {value:.0%} like the model's picture",
            limited="at least {limit:.0%}",
            advice=f"see whether the background is still the same, and {_AGAIN} if not",
        ),
        Check.COLOURS: Rule(
            limit=lambda settings: settings.max_colour_distance,
            at_least=False,
            best=0.0,
            measured="the colours of the garment and of what is worn are {value:.1f} apart, where 2 is just visible",
            limited="at most {limit:g}",
            advice="lay the garment's image beside the picture: publish it if only the light differs, "
            f"and {_AGAIN} if it is another garment",
        ),
        Check.SIBLING: Rule(
            limit=lambda settings: settings.min_sibling_difference,
            at_least=True,
            best=None,
            measured="it differs from an earlier picture of this look by {value:.1f} where they differ most",
            limited="at least {limit:g}",
            advice="one picture came twice: leave one of them out",
        ),
    }
)
"""Every check there is."""


def compared(check: Check, value: float, settings: JudgementSettings, *, detail: str = "") -> CheckResult:
    """Compare a figure with the limit of its check.

    Args:
        detail: Added to the text when it does not pass.
    """
    rule = RULES[check]
    limit = rule.limit(settings)
    passed = rule.passes(value, limit)
    if check is Check.READABLE and not passed:
        text = f"the file cannot be read as a picture ({detail}); {rule.advice}"
    else:
        limited = f" ({rule.limited.format(limit=limit)})" if rule.limited else ""
        text = rule.measured.format(value=value) + limited + ("" if passed else f"; {rule.advice}")
    return CheckResult(check, value, limit, passed, rule.quality(value, limit), text)


def not_measured(check: Check, reason: str, settings: JudgementSettings) -> CheckResult:
    """Say that a check had nothing to go by, which speaks neither for nor against the picture."""
    return CheckResult(check, None, RULES[check].limit(settings), None, None, f"not measured: {reason}")
