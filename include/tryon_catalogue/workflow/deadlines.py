"""The hour by which a night is to be done, through Airflow's deadlines.

When a run is made, the scheduler asks ``DoneBy`` for its deadline; when that has passed and the run is not green, it
has ``tell_late`` run by the executor, in a process like a task's. Neither needs a task of the run to be alive. The
DAG files and, for ``night_plugin``, every process of Airflow import this module: it imports nothing heavy.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import BaseDeadlineReference, DeadlineAlert

from tryon_catalogue.settings import load_settings
from tryon_catalogue.workflow.hours import next_time, utc_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

CAUGHT_UP_AFTER: Final = timedelta(days=1)
"""A run that was due so long before it is made is caught up on: nobody waits for it at the hour."""
GREEN: Final = "success"
BACKFILL: Final = "backfill"


class DoneBy(BaseDeadlineReference):
    """The first time after a run is due at which it is so late in the day.

    Backfills, and nights that are caught up on, have no deadline.

    Args:
        hour: Hour and minute, in UTC.
    """

    required_kwargs: ClassVar[set[str]] = {"dag_id", "run_id"}

    def __init__(self, hour: time) -> None:
        self.hour = hour

    def serialize_reference(self) -> dict[str, Any]:
        """Return what Airflow keeps of it."""
        return {**super().serialize_reference(), "hour": self.hour.isoformat("minutes")}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> DoneBy:
        """Make it from what Airflow has kept."""
        return cls(time.fromisoformat(reference_data["hour"]))

    def _evaluate_with(self, *, session: Session, dag_id: str, run_id: str) -> datetime | None:
        """Give the deadline of a run that is being made: what Airflow asks for."""
        from airflow.models import DagRun
        from sqlalchemy import select

        run = session.execute(
            select(DagRun.run_type, DagRun.run_after).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        ).one()
        return self.deadline_of(run.run_type, run.run_after, datetime.now(UTC))

    def deadline_of(self, run_type: str, due: datetime, now: datetime) -> datetime | None:
        """Give the deadline of a run.

        Args:
            run_type: Airflow's word for why there is the run.
        """
        if run_type == BACKFILL or due < now - CAUGHT_UP_AFTER:
            return None
        return next_time(self.hour, due)


def deadline_at(hour: time | None) -> DeadlineAlert | None:
    """Make what a DAG is given to be done by an hour; None for none.

    Args:
        hour: Hour and minute, in UTC.
    """
    if hour is None:
        return None
    return DeadlineAlert(
        reference=DoneBy(hour),
        interval=timedelta(0),
        callback=SyncCallback(tell_late),
        name=f"done by {hour:%H:%M} UTC",
    )


def tell_late(context: Mapping[str, Any]) -> None:
    """Tell that a run is not done in time. Airflow calls it; nobody is asked where nobody is to be told.

    What keeps the ledger from being asked costs its memory of what was told, not the message: Airflow gives such a
    process none of the connections that it stores itself.

    Args:
        context: Airflow's: the run and the deadline, as plain values.
    """
    from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError
    from sqlalchemy.exc import SQLAlchemyError

    from tryon_catalogue.errors import LedgerUnavailableError, plain_errors
    from tryon_catalogue.ledger.database import engine_from_connection
    from tryon_catalogue.reporting import alerts

    run = context["dag_run"]
    settings = load_settings()
    if settings.alerts.notifier is None or run["state"] == GREEN:
        return
    due = datetime.fromisoformat(str(context["deadline"]["deadline_time"]))
    message = alerts.undone_alert(f"{run['dag_id']}/{run['dag_run_id']}", utc_text(due), str(run["state"]))
    try:
        with plain_errors():
            alerts.send_late(engine_from_connection(settings), settings.alerts, message, context)
    # A connection that is refused is an OSError, one that is no address a ValueError; one that is not there, or
    # cannot be asked for, an error of Airflow's.
    except (
        LedgerUnavailableError,
        SQLAlchemyError,
        AirflowException,
        AirflowRuntimeError,
        OSError,
        ValueError,
    ) as error:
        log.warning("It is told without the ledger, which will not remember it: %s", error)
        alerts.send_unrecorded(settings.alerts, message, context)
