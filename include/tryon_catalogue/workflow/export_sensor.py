"""The first task of a night: waits for the export without a worker slot, and says when it did not come.

It looks once; an export that is there costs nothing more. One that is late is waited for in the triggerer, up to the
hour that the settings name. DAG files import this module: it imports nothing heavy.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseSensorOperator
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from tryon_catalogue.exports.errors import ExportError, ExportMissingError, ExportRefusedError
from tryon_catalogue.planning.request import RequestError
from tryon_catalogue.workflow import tasks
from tryon_catalogue.workflow.export_trigger import ExportTrigger
from tryon_catalogue.workflow.hours import next_time, utc_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from tryon_catalogue.settings import NightSettings

EXPORT_RETRY_POLICY: Final = ExceptionRetryPolicy(
    [
        RetryRule(
            [RequestError, ExportMissingError, ExportRefusedError],
            RetryAction.FAIL,
            reason="a person has to put it right",
        )
    ]
)
BACKSTOP: Final = timedelta(hours=6)
"""How long after the hour Airflow ends a trigger that says nothing. It says something at the hour; but should the
triggerer be away just then, the night still goes on with what is there when it is back."""


class ExportSensor(BaseSensorOperator):
    """Waits for the export that its run reads, and notes the run in the ledger before that.

    An export that the run names itself is not waited for, nor one whose hour was over before the run began, as it is
    for a backfill.

    Args:
        night: Until when it is waited for, and how often it is looked for.
        waits: False where somebody wants to know at once.

    Raises:
        tryon_catalogue.exports.ExportMissingError: It did not come in time.
        tryon_catalogue.exports.ExportError: There is no such storage, or the newest one cannot be opened.
        tryon_catalogue.planning.request.RequestError: The run is asked for what means nothing.
    """

    template_fields: Sequence[str] = ()
    ui_color = "#e8e3f5"

    def __init__(self, *, night: NightSettings, waits: bool = True, **kwargs: Any) -> None:
        super().__init__(
            **{"retry_policy": EXPORT_RETRY_POLICY, "poke_interval": night.look_every_seconds, **kwargs}
        )
        self.wait_until = night.wait_until if waits else None

    def execute(self, context: Context) -> None:
        """Look once, and go on, wait, or say that the export is missing."""
        from tryon_catalogue.errors import plain_errors
        from tryon_catalogue.exports.places import problem_with

        with plain_errors(RequestError, ExportError):
            begun = tasks.begin_run(context)
            export = begun.settings.export
            problem = problem_with(
                begun.run.export, export.conn_id, export.marker, export.roots if _is_named(context) else None
            )
            if problem is None:
                self.log.info("%s is there", begun.run.export)
                return
            until = self._until(context)
            if until is not None and until > datetime.now(UTC):
                self.log.info("%s; it is waited for until %s", problem, utc_text(until))
                self.defer(
                    trigger=ExportTrigger(
                        path=begun.run.export,
                        conn_id=export.conn_id,
                        marker=export.marker,
                        deadline=until.timestamp(),
                        interval=self.poke_interval,
                    ),
                    method_name="execute_complete",
                    timeout=until - datetime.now(UTC) + BACKSTOP,
                )
            missing = ExportMissingError(
                begun.run.export,
                f"{problem.args[1]}. {self._waited(context, until)} Once it is there, clear the task "
                f"{self.task_id} of this run: the run goes on from there.",
            )
            tasks.record_missing(begun, str(missing), context)
            raise missing

    def execute_complete(self, context: Context, event: object = None) -> None:
        """Look again, now that it is there or that the time is up.

        Args:
            event: Of the trigger; what it saw last is in its log, and seen again here.
        """
        del event
        self.execute(context)

    def _until(self, context: Context) -> datetime | None:
        """Until when the export of this run is waited for; None when it is not."""
        if self.wait_until is None or _is_named(context):
            return None
        dag_run = context["dag_run"]
        # Not from the moment it was started: a run for an old date, by hand or by a backfill, does not wait.
        return next_time(self.wait_until, dag_run.data_interval_end or dag_run.run_after)

    def _waited(self, context: Context, until: datetime | None) -> str:
        if until is not None:
            return f"It was to be there by {utc_text(until)} ([night] wait_until)."
        if _is_named(context):
            return "It was named for this run, and such an export is not waited for."
        return "It was not waited for."


def _is_named(context: Context) -> bool:
    return bool((context["params"] or {}).get("export"))
