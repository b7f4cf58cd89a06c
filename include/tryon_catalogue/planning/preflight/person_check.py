"""Preflight's look at the people in a model's picture: nobody, several, lying, or too small.

It is an optional extra, for the detector weighs more than the rest of preflight. What is found is held to the vendor's
wishes (vendor document, section 4.1, and the codes 23500015 and 23500016 of section 6). Figures for the thresholds are
in docs/person-check.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from PIL import Image

from tryon_catalogue.pictures.findings import Finding, ImageRule, finding
from tryon_catalogue.pictures.kinds import JPEG
from tryon_catalogue.pictures.opening import open_picture

if TYPE_CHECKING:
    from tryon_catalogue.planning.preflight.person_detector import Person

PEOPLE_RULES: Final = frozenset(
    {ImageRule.NOBODY, ImageRule.SEVERAL_PEOPLE, ImageRule.LYING, ImageRule.SMALL_PERSON}
)
"""The rules that this check alone finds broken."""

ANYBODY: Final = 0.1
"""Score from which the best find counts as somebody: low, so that a doubtful person is not taken for nobody."""
SURELY: Final = 0.25
"""Score from which a find counts as one person among several."""
BESIDE: Final = 0.25
"""Share of the largest person's box from which another one counts: people far behind are no company."""
LYING: Final = 60.0
"""Degrees from upright. Nobody who stands or sits leans as far; 90 is lying."""
SURER: Final = 1.3
"""So many times surer of a picture that is turned, the detector saw somebody who lies or is upside down."""
MIN_HEIGHT: Final = 2 / 3
"""Share of the picture that a person should take up (vendor document, section 4.1), measured along the height."""


_TURNS: Final = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)


class PersonCheckMissingError(Exception):
    """The settings ask for the person check and this machine cannot do it; says what to do."""


class Detector(Protocol):
    """Whatever finds people."""

    def people(self, picture: Image.Image) -> Sequence[Person]:
        """Find the people in an upright RGB picture, the surest first."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the detector saw in one picture.

    Attributes:
        people: As they were found, the doubtful ones too.
        turned: Highest score of anybody when the picture is turned; 0 where there was no need to look.
    """

    people: Sequence[Person]
    turned: float = 0.0

    @property
    def main(self) -> Person | None:
        """The person that the picture is of: the one the detector is surest of; None for nobody."""
        return max(
            (person for person in self.people if person.score >= ANYBODY),
            key=lambda person: person.score,
            default=None,
        )


@dataclass(frozen=True, slots=True)
class PersonCheck:
    """The check, ready for pictures. Not to be used by two threads at the same time.

    Attributes:
        rejecting: Rules of which a broken one rejects; the others of `PEOPLE_RULES` warn.
    """

    detector: Detector
    rejecting: frozenset[ImageRule]

    def findings(self, small_copy: bytes) -> tuple[Finding, ...]:
        """Say what is wrong with the people in a model's picture; those that reject first.

        Args:
            small_copy: The picture's small copy as preflight keeps it: JPEG, upright.
        """
        with open_picture(small_copy, (JPEG,)) as picture:
            seen = self._look(picture.convert("RGB"))
        found = [replace(finding, rejects=finding.rule in self.rejecting) for finding in findings_of(seen)]
        return tuple(sorted(found, key=lambda finding: not finding.rejects))

    def _look(self, picture: Image.Image) -> Seen:
        """Look again at the picture turned, where too little of a body is seen to tell which way it is up."""
        seen = Seen(self.detector.people(picture))
        if seen.main is not None and seen.main.tilt is not None:
            return seen
        turned = (person for turn in _TURNS for person in self.detector.people(picture.transpose(turn)))
        return replace(seen, turned=max((person.score for person in turned), default=0.0))


def open_person_check(rejecting: Collection[str]) -> PersonCheck:
    """Load the detector.

    Args:
        rejecting: Values of the rules of which a broken one rejects.

    Raises:
        PersonCheckMissingError: When the extra is not installed, or not as it was measured.
    """
    from tryon_catalogue.planning.preflight.person_detector import DetectorMissingError, MoveNet

    try:
        detector = MoveNet()
    except DetectorMissingError as error:
        raise PersonCheckMissingError(
            f"[preflight] person_check is true, but people cannot be looked for on this machine: {error}, "
            "or set person_check = false"
        ) from error
    return PersonCheck(detector, frozenset(ImageRule(rule) for rule in rejecting))


def findings_of(seen: Seen) -> tuple[Finding, ...]:
    """Hold the people in one picture to the rules."""
    measures = ((rule, measure(seen)) for rule, measure in _MEASURES.items())
    return tuple(finding(rule, measured) for rule, measured in measures if measured is not None)


def without_people(rule: str | None, warnings: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Take what an earlier check of people found out of what is remembered of a picture.

    Args:
        rule: Value of the rule that the picture breaks; None for a good one.
        warnings: As they are remembered.

    Returns:
        What is left of both.
    """
    ours = tuple(finding(rule, "").advice for rule in PEOPLE_RULES)
    remaining = tuple(rule for rule in warnings if not rule.endswith(ours))
    return (None if rule in PEOPLE_RULES else rule), remaining


def _nobody(seen: Seen) -> str | None:
    return None if seen.main is not None or _lying(seen) is not None else "nobody was found in it"


def _several(seen: Seen) -> str | None:
    sure = [person for person in seen.people if person.score >= SURELY]
    largest = max((person.area for person in sure), default=0.0)
    count = sum(person.area >= BESIDE * largest for person in sure)
    return f"{count} people" if count > 1 else None


def _lying(seen: Seen) -> str | None:
    main = seen.main
    if main is not None and main.tilt is not None:
        return f"a person {main.tilt:.0f} degrees from upright" if main.tilt > LYING else None
    if seen.turned >= SURELY and seen.turned >= SURER * (main.score if main else 0.0):
        return "a person who is seen better when the picture is turned"
    return None


def _small(seen: Seen) -> str | None:
    main = seen.main
    # The height of somebody who lies says nothing; that they lie is said.
    if main is None or main.height >= MIN_HEIGHT or _lying(seen) is not None:
        return None
    return f"a person who takes up {main.height:.0%} of the picture's height"


_MEASURES: Final = MappingProxyType[ImageRule, Callable[[Seen], str | None]](
    {
        ImageRule.NOBODY: _nobody,
        ImageRule.SEVERAL_PEOPLE: _several,
        ImageRule.LYING: _lying,
        ImageRule.SMALL_PERSON: _small,
    }
)
