"""Why a submission may not be sent right now, although nothing is wrong with it.

Each says what to do next, as the vendor's errors do; none of them has sent anything. DAG files import it each time they
are parsed.
"""

from __future__ import annotations

from damo_tryon.errors import TryOnError


class StoppedError(TryOnError):
    """A task has learned that nothing will get through over this connection; the others do not try."""

    meaning = "Submissions are stopped"
    default_next_step = (
        "Put right what the vendor says; then the next run tries again by itself, and so does this one after "
        "`tryon resume`. The looks are planned still, and what is submitted is collected all the same."
    )
    default_proved_not_accepted = True


class NotYetError(Exception):
    """It is not this batch's turn to submit: it stands in the line, and is to be waited for. Says why."""


class BusyError(TryOnError):
    """The turn to submit did not come in all the time that a run may take."""

    meaning = "Nothing was sent, because the turn to submit did not come"
    default_next_step = (
        "The looks are planned still, and the next run takes them up. See what is in flight with `tryon status`, and "
        "[vendor] max_in_flight and submissions_per_second."
    )
    default_proved_not_accepted = True
    temporary = True
