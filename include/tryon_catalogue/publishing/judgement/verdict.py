"""The verdict on a look's pictures: whether each passes, how good it is, and which one is best."""

from collections.abc import Sequence
from dataclasses import dataclass

from tryon_catalogue.publishing.judgement.checks import Check, CheckResult
from tryon_catalogue.publishing.judgement.examination import examine
from tryon_catalogue.publishing.judgement.measures import View
from tryon_catalogue.publishing.judgement.pictures import Shrunk
from tryon_catalogue.publishing.judgement.reference import Inputs, Reference
from tryon_catalogue.settings.judgement import JudgementSettings


@dataclass(frozen=True, slots=True)
class Score:
    """What was found in one picture.

    Attributes:
        number: Its place among the look's pictures, from 0.
        checks: One result for each `Check`, in that order.
    """

    number: int
    checks: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether no check speaks against it."""
        return all(result.passed is not False for result in self.checks)

    @property
    def overall(self) -> float:
        """How good it is, 0..1: at least 0.5 exactly when it passed."""
        graded = [result.quality for result in self.checks if result.quality is not None]
        return sum(graded) / len(graded) if self.passed else min(graded)

    @property
    def reasons(self) -> tuple[str, ...]:
        """For each check it did not pass: what was measured, the limit, and what to do."""
        return tuple(result.text for result in self.checks if result.passed is False)

    def result_of(self, check: Check) -> CheckResult:
        """Give what one check found."""
        return next(result for result in self.checks if result.check is check)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found in a look's pictures.

    Attributes:
        scores: One for each picture, in the pictures' order.
    """

    scores: tuple[Score, ...]

    @property
    def passed(self) -> bool:
        """Whether every picture of the look passed, and there is one."""
        return bool(self.scores) and all(score.passed for score in self.scores)

    @property
    def best_first(self) -> tuple[int, ...]:
        """The pictures' numbers, the best first; of equals, the earlier."""
        ranked = sorted(self.scores, key=lambda score: (not score.passed, -score.overall, score.number))
        return tuple(score.number for score in ranked)


def judge(inputs: Inputs, pictures: Sequence[bytes | Shrunk], settings: JudgementSettings) -> Judgement:
    """Judge the pictures of one look.

    Args:
        inputs: What the look was made from.
        pictures: Its result pictures: the bytes of each, or what somebody has decoded.

    Returns:
        What was found; nothing is raised for a picture or an input that cannot be read.
    """
    reference = Reference.of(inputs, max_pixels=settings.max_pixels)
    scores: list[Score] = []
    earlier: list[View] = []
    for number, content in enumerate(pictures):
        view, results = examine(content, reference, earlier, settings)
        scores.append(Score(number, results))
        if view is not None:
            earlier.append(view)
    return Judgement(tuple(scores))
