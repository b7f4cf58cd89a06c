"""Stops: one task has learned that the vendor takes nothing, so that no other task has to learn it as well.

A stop belongs to a connection and holds for runs that were planned before it was learned. A run planned later tries
with one submission: when that gets through the stop is lifted, else it is renewed and holds for that run too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from damo_tryon.errors import ConnectionSettingsError, CredentialsError, PackageUsedUpError
from tryon_catalogue.ledger.tables import runs, stops
from tryon_catalogue.submission.errors import StoppedError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine

    from damo_tryon.errors import TryOnError


class StopKind(StrEnum):
    """What has to be put right. The values are what the ledger stores."""

    CREDENTIALS = "credentials"
    PACKAGE = "package"


STOPPING: Final[dict[type[TryOnError], StopKind]] = {
    CredentialsError: StopKind.CREDENTIALS,
    PackageUsedUpError: StopKind.PACKAGE,
}
"""Which of the vendor's answers every other submission would get as well."""


@dataclass(frozen=True, slots=True)
class Stop:
    """What was learned.

    Attributes:
        conn_id: The Airflow connection it was learned over.
        kind: What has to be put right.
        reason: The vendor's answer in words.
        vendor_code: Its code, where it gave one.
        set_at: When it was learned last.
        set_by: The run that learned it.
    """

    conn_id: str
    kind: StopKind
    reason: str
    vendor_code: str | None
    request_id: str | None
    set_at: datetime
    set_by: str

    def error(self) -> StoppedError:
        """Give the error for a task that may not submit because of this."""
        return StoppedError(
            f"run {self.set_by} learned over the connection {self.conn_id} at {self.set_at:%Y-%m-%d %H:%M} "
            f"that {self.reason}",
            code=self.vendor_code,
            request_id=self.request_id,
        )


def kind_of(error: TryOnError) -> StopKind | None:
    """Say what kind of stop an error means; None when others need not be stopped for it.

    A connection that contradicts itself is no stop: each task finds that out by itself, before it sends anything.
    """
    if isinstance(error, ConnectionSettingsError):
        return None
    return next((kind for meaning, kind in STOPPING.items() if isinstance(error, meaning)), None)


def set_stop(engine: Engine, conn_id: str, kind: StopKind, error: TryOnError, run_id: str) -> None:
    """Record or renew a stop.

    Args:
        kind: See ``kind_of``.
    """
    learned = {
        "kind": kind.value,
        "reason": f"{error.meaning}: {error.message}" if error.message else error.meaning,
        "vendor_code": None if error.code is None else str(error.code),
        "request_id": error.request_id,
        # Later than every plan there is, also where the clock was put back since: it holds for all of them.
        "set_at": func.greatest(
            func.clock_timestamp(),
            select(func.max(runs.c.planned_at)).scalar_subquery() + timedelta(microseconds=1),
        ),
        "set_by": run_id,
    }
    row = insert(stops).values(conn_id=conn_id, **learned)
    renewed = {name: row.excluded[name] for name in learned}
    with engine.begin() as connection:
        connection.execute(
            row.on_conflict_do_update(
                index_elements=["conn_id"], index_where=stops.c.lifted_at.is_(None), set_=renewed
            )
        )


def active_stops(connection: Connection) -> tuple[Stop, ...]:
    """Read the stops that nobody has lifted, by connection."""
    rows = connection.execute(select(stops).where(stops.c.lifted_at.is_(None)).order_by(stops.c.conn_id))
    return tuple(
        Stop(
            row.conn_id,
            StopKind(row.kind),
            row.reason,
            row.vendor_code,
            row.request_id,
            row.set_at,
            row.set_by,
        )
        for row in rows
    )


def stop_before(connection: Connection, conn_id: str, run_id: str) -> tuple[Stop | None, bool]:
    """Read the stop of a connection, and say whether a run was planned before it was learned.

    Returns:
        The stop or None, and whether it holds for the run; where it does not, the run may try.
    """
    stop = next((stop for stop in active_stops(connection) if stop.conn_id == conn_id), None)
    if stop is None:
        return None, False
    planned_at = connection.execute(select(runs.c.planned_at).where(runs.c.id == run_id)).scalar_one()
    return stop, planned_at is None or stop.set_at > planned_at


def newer_than_stops() -> ColumnElement[datetime]:
    """Give the moment at which a run has its plan: what was learned before may have been put right since."""
    return func.greatest(func.now(), select(func.max(stops.c.set_at)).scalar_subquery())


def lift_stops(
    connection: Connection, by: str, *, conn_id: str | None = None, learned_before: datetime | None = None
) -> list[str]:
    """Lift stops: a person's word, or a submission that got through.

    Args:
        connection: In a transaction; the caller commits.
        by: Who lifts them: a person's name or a run's id.
        conn_id: Of this connection only.
        learned_before: Only those that were learned before this moment.

    Returns:
        The connections that submit again.
    """
    which: list[ColumnElement[bool]] = [stops.c.lifted_at.is_(None)]
    if conn_id is not None:
        which.append(stops.c.conn_id == conn_id)
    if learned_before is not None:
        which.append(stops.c.set_at <= learned_before)
    return sorted(
        connection.execute(
            update(stops).where(*which).values(lifted_at=func.now(), lifted_by=by).returning(stops.c.conn_id)
        ).scalars()
    )
