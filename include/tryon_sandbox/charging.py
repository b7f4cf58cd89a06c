"""What the vendor charges for the looks that it accepted.

The vendor's document says neither what one use is nor whether a look that FAILED costs any, so both are settings.
A look is known by the bytes of its pictures and where they lie: what follows the question mark in an address, such
as a signature, makes no other look of it. How often the same bytes were charged, wherever they lay, is reported
beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from tryon_sandbox.images import TaskImages
from tryon_sandbox.rules import Task
from tryon_sandbox.settings import FailedLooks, Use
from tryon_sandbox.state import AcceptedLook, Totals


@dataclass(frozen=True, slots=True)
class ChargedLook:
    """One look and how often it was accepted and charged.

    Attributes:
        fit_type, inference_num: As it was sent.
        images: Digests of its pictures; None where they never came.
        task: The URLs it was first sent with.
        urls: Every URL it was ever sent with.
        result_keys: Of the submissions it was accepted in.
        charged: How often it was charged.
        uses: Charged for it in all. A use that is a whole submission is the first look's.
    """

    fit_type: str
    inference_num: int
    images: TaskImages | None
    task: Task
    urls: tuple[str, ...]
    result_keys: tuple[str, ...]
    charged: int
    uses: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """What is charged.

    Attributes:
        failed: What a look costs that FAILED. A use that is a whole submission is charged all the same.
    """

    use: Use
    failed: FailedLooks

    def uses(self, of: Totals) -> int:
        """How many uses a total is charged as."""
        return {Use.PICTURE: of.pictures, Use.LOOK: of.looks, Use.SUBMISSION: of.submissions}[self.use]

    @property
    def gives_back(self) -> bool:
        """Whether the uses of a look are given back that FAILED."""
        return self.failed is FailedLooks.FREE and self.use is not Use.SUBMISSION

    def bill(self, accepted: Iterable[AcceptedLook]) -> list[ChargedLook]:
        """Every look that was ever accepted, and its charges; the first accepted first."""
        same: dict[Hashable, list[AcceptedLook]] = {}
        for look in accepted:
            places = tuple(url.partition("?")[0] for url in look.task.urls)
            identity = (look.images, places) if look.images else look.task
            same.setdefault((look.fit_type, look.inference_num, identity), []).append(look)
        return [self._line(looks) for looks in same.values()]

    def _line(self, looks: list[AcceptedLook]) -> ChargedLook:
        first = looks[0]
        charged = [look for look in looks if self._is_charged(look)]
        return ChargedLook(
            first.fit_type,
            first.inference_num,
            first.images,
            first.task,
            tuple(dict.fromkeys(url for look in looks for url in look.task.urls)),
            tuple(look.result_key for look in looks),
            len(charged),
            sum(self._uses_of(look) for look in charged),
        )

    def _is_charged(self, look: AcceptedLook) -> bool:
        return not (look.failed and self.gives_back)

    def _uses_of(self, look: AcceptedLook) -> int:
        return self.uses(Totals(1 if look.position == 0 else 0, 1, look.inference_num))


def most_for_same_pictures(bill: Sequence[ChargedLook]) -> int:
    """How often a look of the same bytes was charged at most, wherever they lay."""
    times: Counter[Hashable] = Counter()
    for look in bill:
        times[look.fit_type, look.inference_num, look.images or look.task] += look.charged
    return max(times.values(), default=0)
