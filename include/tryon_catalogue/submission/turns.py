"""Turns: which batches wait to submit over a connection, in which order, and which of them may go now.

A batch that finds the gate closed takes a place in the line, a row of the ledger. Whoever waits for it in the
triggerer looks now and then, for all that wait there together, and lets as many go as there is room for: nights
before backfills, and among equals who asked first. All clocks are PostgreSQL's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Float,
    bindparam,
    case,
    delete,
    extract,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import batches, paces, runs, stops, submissions, turns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from tryon_catalogue.settings import Settings, VendorSettings

# Not now(), which is when the transaction began: it may have waited for a row since.
clock: Final[ColumnElement[datetime]] = func.clock_timestamp(type_=DateTime(timezone=True))

LONGEST_SLEEP: Final = 5.0
"""Seconds that a worker sleeps for a turn at most: less than it takes to wait elsewhere and be started again."""
LONGEST_HOLD: Final = timedelta(minutes=10)
"""What the vendor asks for is honoured, but a strange header is not to hold up a night."""
LONGEST_CALL: Final = timedelta(minutes=5)
"""A call that was begun so long ago is over: its process has died."""
LONGEST_SILENCE: Final = timedelta(seconds=90)
"""A batch in the line that nobody has looked after for so long is waited for by nobody."""
LONGEST_ABSENCE: Final = timedelta(hours=1)
"""One that nobody has looked after for so long loses its place in the line."""
LIFE_OF_A_PROMISE: Final = timedelta(minutes=2)
"""A batch that was let go and has not submitted by then has lost its place: its task is gone, or stands in a queue."""
LEAD_SECONDS: Final = 5.0
"""From letting a batch go to its call, about: Airflow has to start its task."""
QUIET_BEFORE_ASKING: Final = timedelta(seconds=60)
MOST_ASKED_AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True)
class Places:
    """How many submissions may be at the vendor at once; 0 for any number.

    Attributes:
        all: Of nights and backfills together.
        backfills: A backfill submits only below so many of them, the nights' among them.
    """

    all: int
    backfills: int

    @classmethod
    def of(cls, settings: Settings) -> Places:
        """Read them from the settings."""
        most = settings.vendor.max_in_flight
        return cls(
            most, min(settings.backfill.max_in_flight or most, most or settings.backfill.max_in_flight)
        )

    def for_a(self, *, backfill: bool) -> int:
        """Give the bound of a night or of a backfill."""
        return self.backfills if backfill else self.all


@dataclass(frozen=True, slots=True)
class Traffic:
    """What goes on over a connection.

    Attributes:
        pause: Seconds for which nobody submits, because the vendor throttles us.
        strikes: Pauses since the last acceptance.
        slot: Seconds until the rate lets the next submission go.
        sending: Submissions that are being sent.
        in_flight: Submissions that the vendor has, and those that are being sent.
        promised: Batches that were let go and have not submitted yet.
        nights: Batches of nights in the line that were not let go yet.
        backfills: The same of backfills.
        hopeless: Batches in the line that a stop holds for: they have nothing to wait for.
    """

    pause: float
    strikes: int
    slot: float
    sending: int
    in_flight: int
    promised: int
    nights: int
    backfills: int
    stopped: bool
    hopeless: int

    def room(self, places: Places, per_second: float) -> int:
        """Say how many more batches may be let go now."""
        if self.pause > 0 or self.slot > LEAD_SECONDS:
            return 0
        if self.strikes or self.stopped:  # one tries whether the vendor takes anything
            return int(not self.sending and not self.promised)
        by_rate = int((LEAD_SECONDS - max(0.0, self.slot)) * per_second) + 1 - self.promised
        bound = places.all if self.nights else places.for_a(backfill=True)
        by_places = bound - self.in_flight - self.promised if bound else by_rate
        return max(0, min(by_rate, by_places))


def read_traffic(
    connection: Connection, conn_id: str, vendor: VendorSettings, *, beside: int | None = None
) -> Traffic:
    """Read what goes on over a connection, in one statement.

    Args:
        beside: The batch that asks, which is not counted among those in the line.
    """
    return _traffic_of(connection.execute(select(*_traffic_columns(conn_id, vendor, beside))).one())


def _traffic_columns(
    conn_id: str, vendor: VendorSettings, beside: int | None = None
) -> tuple[ColumnElement[Any], ...]:
    in_line = (turns.c.conn_id == conn_id, *(() if beside is None else (turns.c.batch_id != beside,)))
    longest = timedelta(minutes=vendor.wait_minutes)
    sending = _in_flight(conn_id, SubmissionState.SUBMITTING, LONGEST_CALL)
    # What is older than anybody waits for is nothing the vendor is still working on.
    accepted = _in_flight(conn_id, SubmissionState.SUBMITTED, longest)
    stop = select(stops.c.id).where(stops.c.conn_id == conn_id, stops.c.lifted_at.is_(None))
    return (
        _pace(conn_id, seconds_until(unless_too_far(paces.c.held_until, LONGEST_HOLD))).label("pause"),
        _pace(conn_id, paces.c.strikes).label("strikes"),
        _pace(
            conn_id, seconds_until(unless_too_far(paces.c.next_submission_at, longest_to_slot(vendor)))
        ).label("slot"),
        sending.label("sending"),
        (sending + accepted).label("in_flight"),
        _count(*in_line, _is_promised()).label("promised"),
        _count(*in_line, _waits(), ~turns.c.backfill).label("nights"),
        _count(*in_line, _waits(), turns.c.backfill).label("backfills"),
        stop.exists().label("stopped"),
        _count(*in_line, _waits(), _is_stopped(conn_id)).label("hopeless"),
    )


def _traffic_of(row: Any) -> Traffic:
    return Traffic(
        pause=row.pause or 0.0,
        strikes=row.strikes or 0,
        slot=row.slot or 0.0,
        sending=row.sending,
        in_flight=row.in_flight,
        promised=row.promised,
        nights=row.nights,
        backfills=row.backfills,
        stopped=row.stopped,
        hopeless=row.hopeless,
    )


def is_promised(connection: Connection, batch_id: int) -> bool:
    """Say whether a batch was let go and has kept its place since."""
    return (
        connection.execute(
            select(turns.c.batch_id).where(turns.c.batch_id == batch_id, _is_promised())
        ).one_or_none()
        is not None
    )


def get_in_line(connection: Connection, conn_id: str, batch_id: int, *, backfill: bool) -> None:
    """Let a batch wait, where it waited before if it did."""
    waits = {"conn_id": conn_id, "backfill": backfill, "seen_at": clock, "promised_at": None}
    connection.execute(
        insert(turns)
        .values(batch_id=batch_id, **waits)
        .on_conflict_do_update(index_elements=["batch_id"], set_=waits)
    )


def leave_line(connection: Connection, batch_id: int) -> None:
    """Let a batch wait no longer: it submits, or has nothing to submit."""
    connection.execute(delete(turns).where(turns.c.batch_id == batch_id))


@dataclass(frozen=True, slots=True)
class Waiter:
    """One batch that is waited for in this process."""

    batch_id: int
    backfill: bool


class Line:
    """The line of one connection, as those see it who wait in one process."""

    def __init__(self, engine: Engine, conn_id: str, settings: Settings) -> None:
        self._engine = engine
        self._conn_id = conn_id
        self._vendor = settings.vendor
        self._places = Places.of(settings)

    def look(self, mine: Collection[int]) -> tuple[Traffic, frozenset[int]]:
        """Look once, in one statement.

        Args:
            mine: The batches that are waited for here.

        Returns:
            What goes on, and which of the batches were let go.
        """
        promised = (
            select(func.array_agg(turns.c.batch_id))
            .where(turns.c.batch_id.in_(mine), turns.c.promised_at.is_not(None))
            .scalar_subquery()
            .label("let_go")
        )
        with self._engine.connect() as connection:
            row = connection.execute(select(*_traffic_columns(self._conn_id, self._vendor), promised)).one()
        return _traffic_of(row), frozenset(row.let_go or ())

    def stay(self, waiters: Sequence[Waiter]) -> None:
        """Say that these are still waited for; one that the line has lost is put into it again."""
        with self._engine.begin() as connection:
            connection.execute(
                insert(turns)
                .values(
                    [
                        {
                            "batch_id": waiter.batch_id,
                            "conn_id": self._conn_id,
                            "backfill": waiter.backfill,
                            "seen_at": clock,
                        }
                        for waiter in waiters
                    ]
                )
                .on_conflict_do_update(index_elements=["batch_id"], set_={"seen_at": clock})
            )

    def may_let_go(self, traffic: Traffic) -> bool:
        """Say whether there is somebody in the line to let go."""
        return bool(traffic.hopeless or (traffic.nights + traffic.backfills and self._room(traffic)))

    def is_full(self, traffic: Traffic) -> bool:
        """Say whether the vendor has as many submissions as it may have from those in the line."""
        bound = self._places.for_a(backfill=not traffic.nights)
        return bool(bound) and traffic.in_flight >= bound

    def let_go(self) -> frozenset[int]:
        """Let as many go as there is room for, in the order of the line.

        Those of runs that a stop holds for are all let go: they have nothing to wait for, and learn it at the gate.

        Returns:
            Ids of the batches.
        """
        with self._engine.begin() as connection:
            connection.execute(
                select(paces.c.conn_id).where(paces.c.conn_id == self._conn_id).with_for_update()
            )
            connection.execute(
                delete(turns).where(
                    turns.c.conn_id == self._conn_id, turns.c.seen_at < clock - LONGEST_ABSENCE
                )
            )
            traffic = read_traffic(connection, self._conn_id, self._vendor)
            hopeless = (turns.c.conn_id == self._conn_id) & _is_stopped(self._conn_id)
            stopped = self._promise(connection, hopeless) if traffic.hopeless else frozenset()
            chosen = (
                select(turns.c.batch_id)
                .where(turns.c.conn_id == self._conn_id, _waits())
                .order_by(turns.c.backfill, turns.c.asked_at, turns.c.batch_id)
                .limit(self._room(traffic))
            )
            if traffic.nights:
                chosen = chosen.where(~turns.c.backfill)
            return stopped | self._promise(connection, turns.c.batch_id.in_(chosen))

    def silent_keys(self) -> Sequence[str]:
        """Give the oldest result keys to ask for where nothing has been seen to end for long; empty otherwise.

        Who collects sees what has ended. This is for when nobody does: a run has died, or those who collect stand
        behind those who wait.
        """
        with self._engine.begin() as connection:
            ours = connection.execute(
                update(paces)
                .where(
                    paces.c.conn_id == self._conn_id,
                    func.coalesce(~_lately(paces.c.looked_at, QUIET_BEFORE_ASKING), True),
                )
                .values(looked_at=clock)
                .returning(paces.c.conn_id)
            ).one_or_none()
            recent = select(submissions.c.id).where(
                submissions.c.conn_id == self._conn_id, submissions.c.ended_at > clock - QUIET_BEFORE_ASKING
            )
            if ours is None or connection.execute(select(recent.exists())).scalar_one():
                return ()
            return (
                connection.execute(
                    select(submissions.c.result_key)
                    .where(*_open(self._conn_id, SubmissionState.SUBMITTED))
                    .order_by(submissions.c.id)
                    .limit(MOST_ASKED_AT_ONCE)
                )
                .scalars()
                .all()
            )

    def note_ended(self, ended: Mapping[str, datetime]) -> None:
        """Note what was seen to have ended; see ``note_ended``."""
        note_ended(self._engine, ended)

    def _room(self, traffic: Traffic) -> int:
        return traffic.room(self._places, self._vendor.submissions_per_second)

    def _promise(self, connection: Connection, which: ColumnElement[bool]) -> frozenset[int]:
        return frozenset(
            connection.execute(
                update(turns)
                .where(which, turns.c.promised_at.is_(None))
                .values(promised_at=clock)
                .returning(turns.c.batch_id)
            ).scalars()
        )


def note_ended(engine: Engine, ended: Mapping[str, datetime]) -> None:
    """Note what was seen to have ended at the vendor; what is known to have ended keeps its moment.

    Args:
        ended: Result key -> when it was seen.
    """
    if not ended:
        return
    with engine.begin() as connection:
        connection.execute(
            update(submissions)
            .where(submissions.c.result_key == bindparam("key"), submissions.c.ended_at.is_(None))
            .values(ended_at=func.least(bindparam("moment", type_=clock.type), clock)),
            [{"key": key, "moment": moment} for key, moment in ended.items()],
        )


def seconds_until(moment: ColumnElement[datetime] | ColumnElement[datetime | None]) -> ColumnElement[float]:
    """Give the seconds from now, by PostgreSQL's clock, to a moment; negative when it is over."""
    return type_coerce(extract("epoch", moment - clock), Float)


def unless_too_far(
    moment: ColumnElement[datetime] | ColumnElement[datetime | None], longest: timedelta
) -> ColumnElement[datetime]:
    """Give a moment that is waited for; now, where it lies further ahead than anybody is ever told to wait.

    Then the clock was put back since, and the night is not to wait until it is as late once more.
    """
    return case((moment > clock + longest, clock), else_=moment)


def longest_to_slot(vendor: VendorSettings) -> timedelta:
    """Give the longest time until a submission's turn by the rate: nobody takes one that is further ahead."""
    return timedelta(seconds=LONGEST_SLEEP + 1 / vendor.submissions_per_second)


def _pace(conn_id: str, what: ColumnElement[Any]) -> ColumnElement[Any]:
    return select(what).where(paces.c.conn_id == conn_id).scalar_subquery()


def _count(*which: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count()).select_from(turns).where(*which).scalar_subquery()


def _is_stopped(conn_id: str) -> ColumnElement[bool]:
    stopped = (
        select(batches.c.id)
        .join(runs, runs.c.id == batches.c.run_id)
        .join(stops, stops.c.conn_id == conn_id)
        .where(
            stops.c.lifted_at.is_(None), or_(runs.c.planned_at.is_(None), stops.c.set_at > runs.c.planned_at)
        )
    )
    return turns.c.batch_id.in_(stopped)


def _waits() -> ColumnElement[bool]:
    return turns.c.promised_at.is_(None) & _lately(turns.c.seen_at, LONGEST_SILENCE)


def _is_promised() -> ColumnElement[bool]:
    return func.coalesce(_lately(turns.c.promised_at, LIFE_OF_A_PROMISE), False)


def _lately(moment: ColumnElement[datetime], age: timedelta) -> ColumnElement[bool]:
    # What lies ahead is from before the clock was put back.
    return moment.between(clock - age, clock + age)


def _open(conn_id: str, state: SubmissionState) -> tuple[ColumnElement[bool], ...]:
    return (
        submissions.c.conn_id == conn_id,
        submissions.c.state == state.value,
        submissions.c.ended_at.is_(None),
    )


def _in_flight(conn_id: str, state: SubmissionState, younger_than: timedelta) -> ColumnElement[int]:
    which = (*_open(conn_id, state), _lately(submissions.c.intended_at, younger_than))
    return select(func.count()).select_from(submissions).where(*which).scalar_subquery()
