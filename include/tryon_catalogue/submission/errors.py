"""Why a submission may not be sent right now, although nothing is wrong with it.

Each says what to do next, as the vendor's errors do; none of them has sent anything. DAG files import it each time they
are parsed.
"""

from __future__ import annotations

from damo_tryon.errors import ThrottledError, TryOnError


class StoppedError(TryOnError):
    """A task has learned that nothing will get through over this connection; the others do not try."""

    meaning = "Submissions are stopped"
    default_next_step = (
        "Put right what the vendor says; then the next run tries again by itself, and so does this one after "
        "`tryon resume`. The looks are planned still, and what is submitted is collected all the same."
    )
    default_proved_not_accepted = True


class BusyError(TryOnError):
    """Other submissions of the same connection are before this one, and they took longer than our patience."""

    meaning = "Nothing was sent, because the connection is busy with other submissions"
    default_next_step = (
        "The task comes back by itself. If this lasts, see [vendor] max_in_flight, submissions_per_second and "
        "patience_seconds."
    )
    default_proved_not_accepted = True
    temporary = True


class StillThrottledError(ThrottledError):
    """The vendor has throttled us for longer than our patience."""

    default_next_step = (
        "The task comes back by itself. If this lasts, lower [vendor] submissions_per_second or "
        "max_in_flight."
    )
    default_proved_not_accepted = True
