"""The gate that every submission of a connection passes right before its intent, whichever process it is in.

It holds the pace (so many submissions a second), slows everybody down when the vendor throttles one of us, keeps the
vendor from having more in flight than agreed, and lets nobody through while a stop holds. Whoever has to wait for more
than moments is put into the line; see ``turns``. All of it is PostgreSQL's rows and PostgreSQL's clock, so that the
clocks of the workers need not agree.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from damo_tryon.errors import ImageRefusedError, ThrottledError
from tryon_catalogue.ledger.tables import paces
from tryon_catalogue.submission.errors import NotYetError
from tryon_catalogue.submission.stops import kind_of, lift_stops, set_stop, stop_before
from tryon_catalogue.submission.turns import (
    LONGEST_HOLD,
    LONGEST_SLEEP,
    Places,
    clock,
    get_in_line,
    is_promised,
    leave_line,
    longest_to_slot,
    read_traffic,
    seconds_until,
    unless_too_far,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from damo_tryon.errors import TryOnError
    from tryon_catalogue.settings import Settings
    from tryon_catalogue.submission.journal import Batch

log = logging.getLogger(__name__)

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why a batch does not get through just now.

    Attributes:
        reason: In words.
        seconds: After how many it is over, where that is known.
    """

    reason: str
    seconds: float = inf


class Gate:
    """The gate of one connection, as the task of one batch sees it.

    Args:
        backfill: Whether it is of a backfill, which goes behind the nights.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        engine: Engine,
        conn_id: str,
        settings: Settings,
        batch: Batch,
        *,
        backfill: bool = False,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.conn_id = conn_id
        self._engine = engine
        self._vendor = settings.vendor
        self._places = Places.of(settings)
        self._batch_id = batch.id
        self._backfill = backfill
        self._sleep = sleep
        self._row = paces.c.conn_id == conn_id
        self._probing = False

    def take_turn(self, run_id: str) -> None:
        """Take this batch's turn to submit, after moments where it comes so soon.

        Raises:
            StoppedError: A stop holds for this run.
            NotYetError: It is not its turn. It stands in the line now.
        """
        left = LONGEST_SLEEP
        while True:
            with self._engine.begin() as connection:
                connection.execute(insert(paces).values(conn_id=self.conn_id).on_conflict_do_nothing())
                self._lock(connection)
                obstacle = self._obstacle(connection, run_id)
                seconds = self._reserve(connection, left) if obstacle is None else obstacle.seconds
                if seconds > left:
                    get_in_line(connection, self.conn_id, self._batch_id, backfill=self._backfill)
            if seconds > left:
                raise NotYetError(
                    obstacle.reason if obstacle else f"others submit over {self.conn_id} before it"
                )
            if seconds > 0:
                self._sleep(seconds)
            if obstacle is None:
                return
            left -= seconds

    def leave(self) -> None:
        """Say that the batch has nothing to wait for any more."""
        with self._engine.begin() as connection:
            leave_line(connection, self._batch_id)

    def admit(self, connection: Connection, run_id: str) -> bool:
        """Look once more, in the transaction of the intent; False when another turn has to be taken.

        Until the transaction ends, nobody else of this connection is admitted.

        Args:
            connection: In the transaction that claims the looks.

        Raises:
            StoppedError: A stop holds for this run.
        """
        self._lock(connection)
        if self._obstacle(connection, run_id) is not None:
            return False
        leave_line(connection, self._batch_id)
        return True

    def got_through(self, run_id: str) -> None:
        """Say that the vendor took a submission, or looked at its images, as it does while nothing is wrong."""
        with self._engine.begin() as connection:
            connection.execute(update(paces).where(self._row, paces.c.strikes > 0).values(strikes=0))
            if self._probing:
                stop, holds = stop_before(connection, self.conn_id, run_id)
                if stop is not None and not holds:
                    lift_stops(connection, run_id, conn_id=self.conn_id, learned_before=stop.set_at)
                    log.info("The stop of %s is lifted: a submission got through", self.conn_id)
        self._probing = False

    def learn(self, error: TryOnError, run_id: str) -> None:
        """Let everybody know what a refusal means for them."""
        if isinstance(error, ThrottledError):
            throttle(self._engine, self.conn_id, error)
        elif isinstance(error, ImageRefusedError):
            self.got_through(run_id)
        elif (kind := kind_of(error)) is not None:
            set_stop(self._engine, self.conn_id, kind, error, run_id)

    def _lock(self, connection: Connection) -> None:
        connection.execute(select(paces.c.conn_id).where(self._row).with_for_update())

    def _obstacle(self, connection: Connection, run_id: str) -> _Obstacle | None:
        stop, holds = stop_before(connection, self.conn_id, run_id)
        if stop is not None and holds:
            raise stop.error()
        traffic = read_traffic(connection, self.conn_id, self._vendor, beside=self._batch_id)
        if traffic.pause > 0:
            reason = f"the vendor throttles us over {self.conn_id}, for {traffic.pause:.0f} seconds more"
            return _Obstacle(reason, traffic.pause)
        promised = is_promised(connection, self._batch_id)
        before = 0 if promised else traffic.promised + traffic.nights
        if self._backfill and traffic.nights:
            return _Obstacle(f"a night waits to submit over {self.conn_id}")
        if self._backfill and not promised:
            before += traffic.backfills
        if (stop is not None or traffic.strikes) and (traffic.sending or before):
            return _Obstacle(f"another submission tries whether {self.conn_id} takes any")
        bound = self._places.for_a(backfill=self._backfill)
        if bound and traffic.in_flight + before >= bound:
            return _Obstacle(f"{bound} submissions are in flight over {self.conn_id}, or go first")
        self._probing = stop is not None
        return None

    def _reserve(self, connection: Connection, within: float) -> float:
        """Take the next slot of the rate.

        Args:
            connection: In the transaction that holds the pace's row.
            within: The slot is taken when it comes in so many seconds.

        Returns:
            The seconds until it comes.
        """
        slot = func.greatest(
            unless_too_far(paces.c.next_submission_at, longest_to_slot(self._vendor)),
            unless_too_far(paces.c.held_until, LONGEST_HOLD),
            clock,
        )
        seconds = max(0.0, connection.execute(select(seconds_until(slot)).where(self._row)).scalar_one())
        if seconds <= within:
            step = timedelta(seconds=1 / self._vendor.submissions_per_second)
            connection.execute(update(paces).where(self._row).values(next_submission_at=slot + step))
        return seconds


def throttle(engine: Engine, conn_id: str, error: ThrottledError) -> None:
    """Hold everybody back who submits over a connection: for longer each time, until a submission gets through."""
    row = paces.c.conn_id == conn_id
    with engine.begin() as connection:
        connection.execute(insert(paces).values(conn_id=conn_id).on_conflict_do_nothing())
        paused, strikes = connection.execute(
            select(
                func.coalesce(unless_too_far(paces.c.held_until, LONGEST_HOLD) > clock, False),
                paces.c.strikes,
            )
            .where(row)
            .with_for_update()
        ).one()
        seconds = min(error.retry_after or 0.0, LONGEST_HOLD.total_seconds())
        if not paused:  # what is refused while we hold was sent before: it is the same strike
            strikes += 1
            at_most = min(LONGEST_PAUSE, SHORTEST_PAUSE * 2.0 ** min(strikes, 10))
            seconds = max(seconds, at_most * random.uniform(0.5, 1))  # noqa: S311  # no secret
        until = func.greatest(
            unless_too_far(paces.c.held_until, LONGEST_HOLD), clock + timedelta(seconds=seconds)
        )
        connection.execute(update(paces).where(row).values(strikes=strikes, held_until=until))
    log.warning("Throttled over %s (strike %d): all wait %.1f seconds", conn_id, strikes, seconds)
