"""The gate that every submission of a connection passes right before its intent, whichever process it is in.

It holds the pace (so many submissions a second), slows everybody down when the vendor throttles one of us, keeps the
vendor from having more in flight than agreed, and lets nobody through while a stop holds. All of it is PostgreSQL's
rows and PostgreSQL's clock, so that the clocks of the workers need not agree.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, DateTime, Float, extract, func, select, type_coerce, update
from sqlalchemy.dialects.postgresql import insert

from damo_tryon.contract import Answer
from damo_tryon.errors import (
    ImageRefusedError,
    JobFailedError,
    ThrottledError,
    TryOnError,
    UnknownResultKeyError,
)
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import paces, submissions
from tryon_catalogue.submission.errors import BusyError, StillThrottledError
from tryon_catalogue.submission.stops import kind_of, lift_stops, set_stop, stop_before

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from tryon_catalogue.settings import VendorSettings

log = logging.getLogger(__name__)

Ask = Callable[[str], Answer]
"""``DamoTryOnHook.query``: free, and it changes nothing."""

SHORTEST_HOLD, LONGEST_HOLD = 1.0, 60.0
# What the vendor asks for is honoured, but a strange header is not to hold up a night.
LONGEST_HOLD_ASKED_FOR = 600.0
# A call that was begun so long ago is over: its process has died.
LONGEST_CALL: Final = timedelta(minutes=5)
SECONDS_BETWEEN_LOOKS_AT_A_PROBE = 1.0
MOST_ASKED_AT_ONCE = 100

# Not now(), which is when the transaction began: it may have waited for a row since.
_clock: ColumnElement[object] = func.clock_timestamp(type_=DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why nobody gets through just now.

    Attributes:
        seconds: After how many it is worth looking again.
        error: What is raised when that takes too long.
        full: Whether the vendor has as much in flight as it may.
    """

    seconds: float
    error: TryOnError
    full: bool = False


class Gate:
    """The gate of one connection, as one task sees it.

    Args:
        conn_id: The vendor's Airflow connection.
        vendor: pace, limit and patience.
        ask: Tells whether what is in flight has ended.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        engine: Engine,
        conn_id: str,
        vendor: VendorSettings,
        ask: Ask,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.conn_id = conn_id
        self._engine = engine
        self._vendor = vendor
        self._ask = ask
        self._sleep = sleep
        self._row = paces.c.conn_id == conn_id
        self._waited = 0.0
        self._probing = False

    def take_turn(self, run_id: str) -> None:
        """Wait until it is this task's turn to submit.

        Args:
            run_id: The run that submits.

        Raises:
            StoppedError: A stop holds for this run.
            StillThrottledError: The vendor has throttled us for longer than our patience.
            BusyError: The others took longer than our patience.
        """
        while True:
            with self._engine.begin() as connection:
                connection.execute(insert(paces).values(conn_id=self.conn_id).on_conflict_do_nothing())
                obstacle = self._obstacle(connection, run_id)
                seconds = None if obstacle else self._reserve(connection)
            if obstacle is None:
                if seconds is None:
                    raise BusyError(f"the next free moment of {self.conn_id} is too far away")
                self._wait(seconds, BusyError(f"others submit over {self.conn_id}"))
                return
            if obstacle.full:
                self._see_what_has_ended()
            self._wait(obstacle.seconds, obstacle.error)

    def admit(self, connection: Connection, run_id: str) -> bool:
        """Look once more, in the transaction of the intent; False when another turn has to be taken.

        Until the transaction ends, nobody else of this connection is admitted.

        Args:
            connection: In the transaction that claims the looks.
            run_id: The run that submits.

        Raises:
            StoppedError: A stop holds for this run.
        """
        connection.execute(select(paces.c.conn_id).where(self._row).with_for_update())
        return self._obstacle(connection, run_id) is None

    def got_through(self, run_id: str) -> None:
        """Say that the vendor took a submission, or looked at its images, as it does while nothing is wrong."""
        self._waited = 0.0
        with self._engine.begin() as connection:
            connection.execute(update(paces).where(self._row, paces.c.strikes > 0).values(strikes=0))
            if self._probing:
                stop, holds = stop_before(connection, self.conn_id, run_id)
                if stop is not None and not holds:
                    lift_stops(connection, run_id, conn_id=self.conn_id, learned_before=stop.set_at)
                    log.info("The stop of %s is lifted: a submission got through", self.conn_id)
        self._probing = False

    def learn(self, error: TryOnError, run_id: str) -> None:
        """Let everybody know what a refusal means for them.

        Args:
            error: The refusal.
            run_id: The run that got it.
        """
        if isinstance(error, ThrottledError):
            self._hold(error)
        elif isinstance(error, ImageRefusedError):
            self.got_through(run_id)
        elif (kind := kind_of(error)) is not None:
            set_stop(self._engine, self.conn_id, kind, error, run_id)

    def _obstacle(self, connection: Connection, run_id: str) -> _Obstacle | None:
        stop, holds = stop_before(connection, self.conn_id, run_id)
        if stop is not None and holds:
            raise stop.error()
        held = connection.execute(select(_seconds(paces.c.held_until - _clock)).where(self._row)).scalar_one()
        if held is not None and held > 0:
            return _Obstacle(held, StillThrottledError(f"over {self.conn_id}, {held:.0f} seconds to go"))
        being_sent = self._count(connection, SubmissionState.SUBMITTING, LONGEST_CALL)
        if stop is not None and being_sent:
            return _Obstacle(SECONDS_BETWEEN_LOOKS_AT_A_PROBE, stop.error())
        self._probing = stop is not None
        most = self._vendor.max_in_flight
        # What is older than anybody waits for is nothing the vendor is still working on.
        longest = timedelta(minutes=self._vendor.wait_minutes)
        if most and being_sent + self._count(connection, SubmissionState.SUBMITTED, longest) >= most:
            return _Obstacle(
                self._vendor.first_poll_seconds,
                BusyError(f"{most} submissions are in flight over {self.conn_id}"),
                full=True,
            )
        return None

    def _count(self, connection: Connection, state: SubmissionState, younger_than: timedelta) -> int:
        return connection.execute(
            select(func.count()).where(
                *self._in_flight(state), submissions.c.intended_at > _clock - younger_than
            )
        ).scalar_one()

    def _in_flight(self, state: SubmissionState) -> tuple[ColumnElement[bool], ...]:
        return (
            submissions.c.conn_id == self.conn_id,
            submissions.c.state == state.value,
            submissions.c.ended_at.is_(None),
        )

    def _reserve(self, connection: Connection) -> float | None:
        """Take the next slot; returns the seconds until it comes, None when that is beyond our patience."""
        slot = func.greatest(paces.c.next_submission_at, paces.c.held_until, _clock)
        step = timedelta(seconds=1 / self._vendor.submissions_per_second)
        left = timedelta(seconds=self._vendor.patience_seconds - self._waited)
        return connection.execute(
            update(paces)
            .where(self._row, slot <= _clock + left)
            .values(next_submission_at=slot + step)
            .returning(_seconds(paces.c.next_submission_at - step - _clock))
        ).scalar_one_or_none()

    def _wait(self, seconds: float, error: TryOnError) -> None:
        # A little later than the others, so that those who wait for one thing do not all come at once.
        seconds = max(0.0, seconds) * random.uniform(1, 1.2)  # noqa: S311  # no secret
        if self._waited + seconds > self._vendor.patience_seconds:
            raise error
        self._waited += seconds
        self._sleep(seconds)

    def _hold(self, error: ThrottledError) -> None:
        """Hold everybody back: for longer each time, until a submission gets through."""
        with self._engine.begin() as connection:
            held, strikes = connection.execute(
                select(func.coalesce(paces.c.held_until > _clock, False), paces.c.strikes)
                .where(self._row)
                .with_for_update()
            ).one()
            seconds = min(error.retry_after or 0.0, LONGEST_HOLD_ASKED_FOR)
            if not held:  # what is refused while we hold was sent before: it is the same strike
                strikes += 1
                at_most = min(LONGEST_HOLD, SHORTEST_HOLD * 2.0 ** min(strikes, 10))
                seconds = max(seconds, at_most * random.uniform(0.5, 1))  # noqa: S311  # no secret
            until = func.greatest(paces.c.held_until, _clock + timedelta(seconds=seconds))
            connection.execute(update(paces).where(self._row).values(strikes=strikes, held_until=until))
        log.warning("Throttled over %s (strike %d): all wait %.1f seconds", self.conn_id, strikes, seconds)

    def _see_what_has_ended(self) -> None:
        """Ask what is in flight whether it has ended: only asking makes room while nobody collects.

        One task asks for all of them; the others find its answers in the ledger.
        """
        pause = timedelta(seconds=self._vendor.first_poll_seconds)
        nobody_has = func.coalesce(paces.c.looked_at <= _clock - pause, True)
        with self._engine.begin() as connection:
            ours = connection.execute(
                update(paces).where(self._row, nobody_has).values(looked_at=_clock).returning(paces.c.conn_id)
            ).one_or_none()
            if ours is None:
                return
            keys = connection.execute(
                select(submissions.c.result_key)
                .where(*self._in_flight(SubmissionState.SUBMITTED))
                .order_by(submissions.c.id)
                .limit(MOST_ASKED_AT_ONCE)
            ).scalars()
        for key in keys.all():
            try:
                ended = self._ask(key).ended
            except (UnknownResultKeyError, JobFailedError):
                ended = True
            except TryOnError as error:
                log.warning("Whether anything in flight has ended is not known: %s", error)
                return
            if ended:
                with self._engine.begin() as connection:
                    connection.execute(
                        update(submissions).where(submissions.c.result_key == key).values(ended_at=_clock)
                    )


def _seconds(interval: ColumnElement[object]) -> ColumnElement[float]:
    return type_coerce(extract("epoch", interval), Float)
