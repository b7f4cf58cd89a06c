"""The endpoint and the stage of a call, by which faults are chosen, and what a fault makes of what is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Endpoint(StrEnum):
    """What a request is for."""

    SUBMIT = "submit"
    QUERY = "query"
    RESULT = "result"


class Stage(StrEnum):
    """How far a request has come when a fault may fire."""

    ARRIVAL = "arrival"
    """Nothing was read or checked."""
    ADMITTED = "admitted"
    """The gateway let it in; nothing is accepted or looked up."""
    ACCEPTING = "accepting"
    """A submission passed every check and is about to be charged."""
    ANSWERING = "answering"
    """All is done (a submission is accepted and charged) but nothing is sent yet."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an accepted submission.

    Attributes:
        failing: Positions of the sub-tasks that are to end FAILED.
        slowness: A sub-task runs so many times as long as it usually does.
    """

    failing: frozenset[int] = frozenset()
    slowness: float = 1.0

    def with_(self, other: Fate) -> Fate:
        """Let both happen."""
        return Fate(self.failing | other.failing, self.slowness * other.slowness)
