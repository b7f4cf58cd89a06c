"""What the states of looks and submissions mean: the one table that everything which lists states is made from.

The states of a look and its moves are in ``looks``. A new state needs a row here, with every column, and with that
whoever counts, colours, orders or describes states knows it. DAG files import this module: it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from tryon_catalogue.looks import LookState


class Paid(StrEnum):
    """Whether the vendor is paid. The values are what people read."""

    NO = "no"
    PERHAPS = "perhaps"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class Tone:
    """The colour of a state, by what it asks of people.

    Attributes:
        name: In a style sheet.
        light: On a light page, as CSS has it.
        dark: On a dark page.
        terminal: In a terminal, by the name that Rich has for it; empty for the terminal's own.
    """

    name: str
    light: str
    dark: str
    terminal: str


GOOD: Final = Tone("good", "#227a52", "#6fd3a2", "green")
WARN: Final = Tone("warn", "#94600a", "#f0bc6a", "yellow")
BAD: Final = Tone("bad", "#b23434", "#ff9a93", "red")
DOUBT: Final = Tone("doubt", "#764aa8", "#c9a6f2", "yellow")
OTHER: Final = Tone("other", "#546074", "#a9b6cc", "")
TONES: Final = (GOOD, WARN, BAD, DOUBT, OTHER)


@dataclass(frozen=True, slots=True)
class LookFacts:
    """What there is to say of a state of a look.

    Attributes:
        meaning: In a line, for people.
        paid: Whether a look that stands there is paid for.
        person: Whether nothing goes on before a person has decided.
        retried: Whether a person may have it planned again as it is: it ended without a picture.
        row_order: A garment has one row in the shop's table and perhaps several looks: the row tells of the lowest.
        tone: Its colour.
        fade: How opaque the colour is where it fills a field, up to 1: it tells states of one colour apart.
    """

    meaning: str
    paid: Paid
    person: bool
    retried: bool
    row_order: int
    tone: Tone
    fade: float


LOOK_STATES: Final[Mapping[LookState, LookFacts]] = MappingProxyType(
    {
        LookState.PUBLISHED: LookFacts(
            meaning="in the catalogue",
            paid=Paid.YES,
            person=False,
            retried=False,
            row_order=9,
            tone=GOOD,
            fade=1,
        ),
        LookState.REVIEW: LookFacts(
            meaning="paid for, and a person decides: see `tryon review`",
            paid=Paid.YES,
            person=True,
            retried=False,
            row_order=2,
            tone=WARN,
            fade=1,
        ),
        LookState.IN_DOUBT: LookFacts(
            meaning="sent, and the answer never came: a person decides",
            paid=Paid.PERHAPS,
            person=True,
            retried=False,
            row_order=1,
            tone=DOUBT,
            fade=1,
        ),
        LookState.FAILED: LookFacts(
            meaning="the vendor could not make it, or it was given up",
            paid=Paid.PERHAPS,
            person=False,
            retried=True,
            row_order=7,
            tone=BAD,
            fade=1,
        ),
        LookState.REJECTED: LookFacts(
            meaning="refused for what it is; nothing was paid",
            paid=Paid.NO,
            person=False,
            retried=True,
            row_order=8,
            tone=BAD,
            fade=0.7,
        ),
        LookState.SUCCEEDED: LookFacts(
            meaning="made, not yet in the catalogue",
            paid=Paid.YES,
            person=False,
            retried=False,
            row_order=6,
            tone=OTHER,
            fade=1,
        ),
        LookState.SUBMITTED: LookFacts(
            meaning="paid for, being made by the vendor",
            paid=Paid.YES,
            person=False,
            retried=False,
            row_order=5,
            tone=OTHER,
            fade=0.75,
        ),
        LookState.SUBMITTING: LookFacts(
            meaning="being sent right now",
            paid=Paid.PERHAPS,
            person=False,
            retried=False,
            row_order=4,
            tone=OTHER,
            fade=0.75,
        ),
        LookState.PLANNED: LookFacts(
            meaning="known and wanted, not sent",
            paid=Paid.NO,
            person=False,
            retried=False,
            row_order=3,
            tone=OTHER,
            fade=0.45,
        ),
    }
)
"""Every state of a look, in the order in which people are shown them: ends first, then what is under way."""

SHOWN: Final = tuple(LOOK_STATES)
"""The states in the order in which people are shown them."""
ENDED: Final = tuple(state for state in SHOWN if state.ended)
"""States in which nothing more happens to a look by itself."""
NOT_ENDED: Final = tuple(state for state in SHOWN if not state.ended)
"""States in which something is still to happen to a look, be it by a person."""
NEED_A_PERSON: Final = tuple(state for state in SHOWN if LOOK_STATES[state].person)
MAY_BE_RETRIED: Final = tuple(state for state in SHOWN if LOOK_STATES[state].retried)
TROUBLE: Final = tuple(state for state in SHOWN if LOOK_STATES[state].tone not in {GOOD, OTHER})
"""What people have to know of first, the most urgent before the others."""
UNCOLLECTED: Final = tuple(state for state in NOT_ENDED if LOOK_STATES[state].paid is Paid.YES)
"""Looks that are paid for and whose pictures are still to come."""
UNANSWERED: Final = tuple(state for state in NOT_ENDED if LOOK_STATES[state].paid is Paid.PERHAPS)
"""Looks that were begun to be sent, and nobody knows yet whether the vendor has them."""
ROW_ORDER: Final = tuple(sorted(SHOWN, key=lambda state: LOOK_STATES[state].row_order))
"""A garment's row in the shop's table tells of the first of these that one of its looks stands in."""


def in_words(state: LookState | str) -> str:
    """Give a state as people read it.

    Args:
        state: Of a look or a submission, as the ledger stores it.
    """
    return str(state).replace("_", " ").lower()


class SubmissionState(StrEnum):
    """Where one call of ``submit`` stands. The values are what the ledger stores."""

    SUBMITTING = "SUBMITTING"
    """The intent is committed; the answer is not known."""
    SUBMITTED = "SUBMITTED"
    """The vendor has it: there is a result key."""
    REFUSED = "REFUSED"
    """It is proved that the vendor does not have it."""
    IN_DOUBT = "IN_DOUBT"
    """It was sent, or about to be, and its answer never came."""
    WRITTEN_OFF = "WRITTEN_OFF"
    """It was in doubt, and a person or a setting has decided to go on as if the vendor did not have it."""
    COLLECTED = "COLLECTED"
    """Every look of it has an end."""


SUBMISSION_STATES: Final[Mapping[SubmissionState, Paid]] = MappingProxyType(
    {
        SubmissionState.SUBMITTING: Paid.PERHAPS,
        SubmissionState.SUBMITTED: Paid.YES,
        SubmissionState.REFUSED: Paid.NO,
        # Nobody knows whether what is in doubt is charged, nor what was written off.
        SubmissionState.IN_DOUBT: Paid.PERHAPS,
        SubmissionState.WRITTEN_OFF: Paid.PERHAPS,
        SubmissionState.COLLECTED: Paid.YES,
    }
)
"""Every state of a submission, and whether it is paid for."""


def _with(*paid: Paid) -> tuple[SubmissionState, ...]:
    return tuple(state for state in SubmissionState if SUBMISSION_STATES[state] in paid)


PAID: Final = _with(Paid.YES)
"""Submissions that are paid for: the vendor has accepted them, and each has a result key."""
MAY_COST: Final = _with(Paid.YES, Paid.PERHAPS)
"""Submissions that count against the limits."""
UNSETTLED: Final = _with(Paid.PERHAPS)
"""Submissions of which an answer may still tell whether they are paid for, whatever a person has decided meanwhile."""
