"""Alerts to the person on duty: of doubts, stop signals, missing exports, late runs; each once for a run.

The notifier is a setting: any of Airflow's, built from its class path and arguments when there is a message. What was
sent stands in the ledger, so that retries, cleared tasks and recovery do not send it a second time. A
notifier that fails or hangs costs the run nothing: it is logged, and the next occasion tries again.
"""

from __future__ import annotations

import html
import logging
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseNotifier
from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert

from tryon_catalogue.budget.commitments import is_closed
from tryon_catalogue.ledger.tables import alerts, runs
from tryon_catalogue.submission.doubts import open_doubts
from tryon_catalogue.submission.stops import active_stops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Engine

    from tryon_catalogue.settings import AlertSettings
    from tryon_catalogue.submission.doubts import Doubt
    from tryon_catalogue.submission.stops import Stop

log = logging.getLogger(__name__)

STALE_AFTER: Final = timedelta(days=2)
"""No alert is sent of what is older, so that a new notifier does not begin with old troubles."""


class Event(StrEnum):
    """What an alert is about. The values are what the ledger stores."""

    DOUBT = "DOUBT"
    """Something was sent and its answer never came: a person decides."""
    STOP = "STOP"
    """The vendor takes nothing more before a person has acted: credentials, package."""
    APPROVAL = "APPROVAL"
    """A run waits in the Airflow UI until somebody says how much it may spend."""
    LATE = "LATE"
    """A run is not done in time: at the hour by which a night is to be done, or long after it began."""
    MISSING = "MISSING"
    """The export of a run has not come."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One message. In the notifier's arguments it is ``{{ alert.subject }}`` and so on.

    Attributes:
        event: What happened.
        run_id: The run it happened to.
        subject: One line.
        text: What happened and what to do, in plain lines.
    """

    event: Event
    run_id: str
    subject: str
    text: str

    @property
    def html(self) -> str:
        """The text for a notifier that sends HTML."""
        return f"<pre>{html.escape(self.text)}</pre>"


class AlertError(Exception):
    """A notifier could not be built or did not do its work; says why."""


def doubt_alert(run_id: str, doubts: Sequence[Doubt]) -> Alert:
    """Make the message that something of a run is in doubt.

    Args:
        doubts: Its submissions in doubt, one at least.
    """
    count = sum(doubt.looks for doubt in doubts)
    listed = "\n".join(f"{doubt.id}: {doubt.looks} looks, {doubt.message}" for doubt in doubts)
    return Alert(
        Event.DOUBT,
        run_id,
        f"Try-on: {count} looks in doubt",
        f"Run {run_id}: {count} looks were sent and nobody knows whether the vendor has them. They are not sent "
        f"again before somebody has decided: tryon doubts\n{listed}",
    )


def stop_alert(stop: Stop) -> Alert:
    """Make the message that the vendor takes nothing more before a person has acted."""
    return Alert(
        Event.STOP,
        stop.set_by,
        "Try-on: nothing more is sent before somebody acts",
        f"Run {stop.set_by} has stopped every submission. {stop.error()}",
    )


def late_alert(run_id: str, started: datetime) -> Alert:
    """Make the message that a run is not done in time."""
    return Alert(
        Event.LATE,
        run_id,
        "Try-on: a run is late",
        f"Run {run_id} began at {started:%Y-%m-%d %H:%M %Z} and has no account yet. See its tasks in the Airflow UI; "
        "what it has submitted is collected by tryon_recover whatever became of it.",
    )


def undone_alert(run_id: str, due: str, state: str) -> Alert:
    """Make the message that a run is not done at the hour by which it was to be.

    Args:
        due: The moment, in words.
        state: Airflow's word for where the run is.
    """
    return Alert(
        Event.LATE,
        run_id,
        "Try-on: a run is late",
        f"Run {run_id} was to be done by {due} ([night] done_by) and is {state}. See its tasks in the Airflow UI, and "
        "`tryon status`; what it has submitted is collected by tryon_recover whatever became of it.",
    )


def missing_alert(run_id: str, problem: str) -> Alert:
    """Make the message that there is no export for a run to read.

    Args:
        problem: Which export, and what to do.
    """
    return Alert(Event.MISSING, run_id, "Try-on: an export is missing", f"Run {run_id}: {problem}")


def of_run(engine: Engine, run_id: str) -> tuple[Alert, ...]:
    """Make the messages that one run gives reason for: its doubts, the stop it has learned of, no export."""
    return tuple(alert for alert in _standing(engine) if alert.run_id == run_id)


def of_all(engine: Engine, late_after: timedelta) -> tuple[Alert, ...]:
    """Make the messages that any run gives reason for, late ones included; sent already or not.

    Args:
        late_after: How long a run may take until it has its account.
    """
    with engine.connect() as connection:
        # One that was begun again after its account is not as late as its first beginning.
        began = case((runs.c.ended_at.is_(None), runs.c.started_at), else_=runs.c.opened_at)
        late = connection.execute(
            select(runs.c.id, began.label("began"))
            .where(
                ~is_closed(), began.between(func.now() - late_after - STALE_AFTER, func.now() - late_after)
            )
            .order_by(began)
        ).all()
    return (*_standing(engine), *(late_alert(row.id, row.began) for row in late))


def _standing(engine: Engine) -> list[Alert]:
    by_run: dict[str, list[Doubt]] = defaultdict(list)
    with engine.connect() as connection:
        for doubt in open_doubts(connection):
            by_run[doubt.run_id].append(doubt)
        stops = active_stops(connection)
        missing = connection.execute(
            select(runs.c.id, runs.c.problem)
            .where(
                runs.c.problem.is_not(None),
                runs.c.started_at > func.now() - STALE_AFTER,
                runs.c.backfill.is_(False),  # whoever started it looks at its dates; a season has many
            )
            .order_by(runs.c.started_at)
        ).all()
    return [
        *(doubt_alert(run_id, doubts) for run_id, doubts in by_run.items()),
        *map(stop_alert, stops),
        *(missing_alert(row.id, row.problem) for row in missing),
    ]


def send_once(engine: Engine, settings: AlertSettings, alert: Alert, context: Mapping[str, Any]) -> bool:
    """Send a message, unless there is no notifier or it was sent already. Never fails the task.

    Args:
        context: Airflow's, for what the notifier's templates name.

    Returns:
        Whether it was sent now.
    """
    if settings.notifier is None:
        return False
    try:
        # The row is committed once the notifier has done its work: one that fails is tried again another time,
        # and of two tasks with the same message the second waits here and sees that it is sent.
        with engine.begin() as connection:
            new = connection.execute(
                insert(alerts)
                .values(run_id=alert.run_id, event=alert.event.value, text=alert.text)
                .on_conflict_do_nothing()
                .returning(alerts.c.run_id)
            ).one_or_none()
            if new is not None:
                _notify(settings, alert, context)
    except AlertError as error:
        log.error("Nobody was told of %s in run %s. %s", alert.event.value, alert.run_id, error)
        return False
    return new is not None


def send_late(engine: Engine, settings: AlertSettings, alert: Alert, context: Mapping[str, Any]) -> bool:
    """Send the message that a run is late, unless its export has not come: that has an alert of its own.

    Args:
        context: See ``send_once``.

    Returns:
        Whether it was sent now.
    """
    with engine.connect() as connection:
        problem = connection.execute(
            select(runs.c.problem).where(runs.c.id == alert.run_id)
        ).scalar_one_or_none()
    return problem is None and send_once(engine, settings, alert, context)


def send_unrecorded(settings: AlertSettings, alert: Alert, context: Mapping[str, Any]) -> None:
    """Send a message without the ledger, which is not there to remember it. Never fails its caller.

    Args:
        context: See ``send_once``.
    """
    try:
        _notify(settings, alert, context)
    except AlertError as error:
        log.error("Nobody was told of %s in run %s. %s", alert.event.value, alert.run_id, error)


def _notify(settings: AlertSettings, alert: Alert, context: Mapping[str, Any]) -> None:
    """Build the notifier and call it, in a thread of its own: it is not ours, and may hang or raise anything."""

    def call() -> None:
        module, _, name = str(settings.notifier).rpartition(".")
        notifier = getattr(import_module(module), name)
        if not (isinstance(notifier, type) and issubclass(notifier, BaseNotifier)):
            raise AlertError(f"[alerts] notifier = {settings.notifier} is no Airflow notifier.")
        notifier(**settings.kwargs)({**context, "alert": alert})

    threads = ThreadPoolExecutor(1, thread_name_prefix="alert")
    try:
        error = threads.submit(call).exception(settings.timeout_seconds)
    except TimeoutError:
        raise AlertError(
            f"{settings.notifier} has not ended in {settings.timeout_seconds:g} s ([alerts] timeout_seconds)."
        ) from None
    finally:
        threads.shutdown(wait=False)
    if isinstance(error, AlertError):
        raise error
    if error is not None:
        raise AlertError(
            f"{settings.notifier} failed with {type(error).__name__}: {error}. Check [alerts] and its connection."
        )
