"""The vendor's operator and sensor, fed from the ledger by a batch's id.

They carry an id in, and result keys and counts out; looks stay in the ledger.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule
from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from damo_tryon.errors import (
    CredentialsError,
    InDoubtError,
    MalformedRequestError,
    NotConnectedError,
    OutcomeUnknownError,
    PackageUsedUpError,
    TryOnError,
)
from damo_tryon.names import DEFAULT_CONN_ID, XCOM_CONN_ID
from damo_tryon.operators import TryOnResultsLink
from damo_tryon.sensors import OnAllFailed, TryOnResultSensor
from tryon_catalogue.submission.errors import BusyError, NotYetError, StoppedError
from tryon_catalogue.workflow.context import is_backfill, mover_of, open_ledger, request_of
from tryon_catalogue.workflow.result_trigger import BatchResultTrigger
from tryon_catalogue.workflow.tasks import alert_of_run
from tryon_catalogue.workflow.turn_trigger import TurnTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context
    from sqlalchemy import Engine

    from damo_tryon.contract import Answer, FitType, TryOnTask
    from damo_tryon.hooks import DamoTryOnHook
    from damo_tryon.submitting import Send

log = logging.getLogger(__name__)

SUBMIT_BATCH_RETRY_POLICY: Final = ExceptionRetryPolicy(
    [
        RetryRule(
            [StoppedError, CredentialsError, PackageUsedUpError, MalformedRequestError],
            RetryAction.FAIL,
            reason="no submission will get through before a person has acted; the looks stay planned",
        ),
        RetryRule(
            [InDoubtError, OutcomeUnknownError],
            RetryAction.FAIL,
            reason="answers stay away, and each that does may be paid for; the rest stays planned",
        ),
        RetryRule(NotConnectedError, RetryAction.RETRY, timedelta(minutes=2), "the vendor is not reached"),
    ]
)
"""What is in vain fails at once; what passes by itself comes back after as long as that usually takes."""

LONGEST_WAIT_SECONDS: Final = 24 * 3600.0
"""For a turn: by then there is another night, which takes up what is planned."""
BACKSTOP: Final = timedelta(minutes=10)
"""After the deadline, when Airflow ends a trigger that says nothing."""

# As patient as the hook is by itself.
CONNECT_ATTEMPTS, LONGEST_CONNECT_WAIT = 6, 30.0


class SubmitBatchOperator(BaseOperator):
    """Submits every look of a batch that is still planned, each exactly once.

    A later try goes on where an earlier one stopped. Looks in doubt are left to a person. Where it is not the batch's
    turn the task waits in the triggerer, as long as it takes: that is no failure, and no try.

    Args:
        batch_id: The batch's id in the ledger. Templated.

    Raises:
        damo_tryon.errors.TryOnError: The vendor refused a call as a whole, or answers stay away, or the turn to
            submit has not come in a day; ``tryon_catalogue.submission.errors`` has the latter.
    """

    template_fields: Sequence[str] = ("batch_id",)
    operator_extra_links = (TryOnResultsLink(),)
    ui_color = "#d9efe4"

    def __init__(self, *, batch_id: int, conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**{"retry_policy": SUBMIT_BATCH_RETRY_POLICY, **kwargs})
        self.batch_id = batch_id
        self.conn_id = conn_id

    def execute(self, context: Context) -> list[str]:
        """Submit, and return the result keys that are not collected yet, for the page of results."""
        return self._submit(context, time.time() + LONGEST_WAIT_SECONDS)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> list[str]:
        """Go on where the turn was waited for.

        Args:
            event: Of the trigger: whether the turn has come, and until when it may be waited for.
        """
        if not event["came"]:
            raise BusyError(f"batch {self.batch_id} has waited for {LONGEST_WAIT_SECONDS / 3600:.0f} hours")
        return self._submit(context, float(event["deadline"]))

    def _submit(self, context: Context, deadline: float) -> list[str]:
        # Heavy imports wait until the task runs: the DAG file imports this module each time it is parsed.
        from damo_tryon.hooks import ONCE, DamoTryOnHook
        from tryon_catalogue.errors import plain_errors
        from tryon_catalogue.submission.batch import submit_batch
        from tryon_catalogue.submission.gate import Gate
        from tryon_catalogue.submission.journal import load_batch
        from tryon_catalogue.submission.uncollected import uncollected_submissions

        settings, engine = open_ledger()
        settings = request_of(context).within_budget(settings)
        batch = load_batch(engine, self.batch_id)
        if self.conn_id != DEFAULT_CONN_ID:
            context["ti"].xcom_push(XCOM_CONN_ID, self.conn_id)
        # Throttling is the gate's, which slows down every process: the hook is to leave it alone.
        hook = DamoTryOnHook(self.conn_id, retry=ONCE)
        hook.get_conn()  # an unusable connection is to be found out before there is any intent
        gate = Gate(engine, self.conn_id, settings, batch, backfill=is_backfill(context))
        try:
            with plain_errors(TryOnError):
                done = submit_batch(
                    engine,
                    _connecting(hook),
                    batch,
                    mover_of(context),
                    settings.price,
                    budget=settings.budget,
                    gate=gate,
                )
        except NotYetError as reason:
            self.log.info("Batch %d waits for its turn: %s", batch.id, reason)
            self._wait(deadline, backfill=is_backfill(context))
        except TryOnError:
            gate.leave()
            raise
        finally:
            # A doubt or a stop is told of now: the night may go on for hours.
            alert_of_run(settings, engine, batch.run_id, context)
        gate.leave()
        self.log.info(
            "Batch %d: %d looks accepted, %d refused, %d in doubt",
            batch.id,
            done.accepted,
            done.rejected,
            done.in_doubt,
        )
        return [submission.result_key for submission in uncollected_submissions(engine, batch.id)]

    def _wait(self, deadline: float, *, backfill: bool) -> NoReturn:
        self.defer(
            trigger=TurnTrigger(
                conn_id=self.conn_id, batch_id=self.batch_id, backfill=backfill, deadline=deadline
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=max(0.0, deadline - time.time())) + BACKSTOP,
        )


def _connecting(hook: DamoTryOnHook) -> Send:
    """Give the hook's ``submit``, which tries again while no connection comes about: nothing is sent then."""
    patiently = Retrying(
        stop=stop_after_attempt(CONNECT_ATTEMPTS),
        wait=wait_random_exponential(max=LONGEST_CONNECT_WAIT),
        retry=retry_if_exception_type(NotConnectedError),
        before_sleep=before_sleep_log(log, logging.WARNING),
        reraise=True,
    )

    def send(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        return patiently(hook.submit, tasks, fit_type, inference_num)

    return send


class WaitForBatchSensor(TryOnResultSensor):
    """Waits until the vendor has ended everything of a batch that is paid for, whatever became of its submitting.

    Args:
        batch_id: The batch's id in the ledger. Templated.
        kwargs: What ``TryOnResultSensor`` takes, but for the result keys.
    """

    template_fields: Sequence[str] = ("batch_id", "conn_id")
    trigger_class = BatchResultTrigger

    def __init__(self, *, batch_id: int, **kwargs: Any) -> None:
        # That all failed is for the account to judge, which sees the whole run.
        super().__init__(
            result_keys=[], **{"deferrable": True, "on_all_failed": OnAllFailed.CONTINUE, **kwargs}
        )
        self.batch_id = batch_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Look up the batch's open result keys in the ledger, then wait for them."""
        from tryon_catalogue.submission.readiness import expect

        settings, engine = open_ledger()
        self._find(engine)
        longest = timedelta(minutes=settings.vendor.wait_minutes)
        if self.result_keys and (ready := expect(engine, self.conn_id, self.result_keys, longest)):
            self.first_poll_after = ready.first_poll_after
            self.seconds_per_task = ready.seconds_per_picture
        return super().execute(context)

    def saw_end(self, moment: float) -> None:
        """Note in the ledger what has ended, which makes room at the vendor.

        Args:
            moment: When it was seen, in seconds since the epoch.
        """
        from tryon_catalogue.submission.turns import note_ended

        _, engine = open_ledger()
        self._find(engine)
        note_ended(engine, dict.fromkeys(self.result_keys, datetime.fromtimestamp(moment, UTC)))

    def _find(self, engine: Engine) -> None:
        from tryon_catalogue.submission.journal import load_batch
        from tryon_catalogue.submission.uncollected import uncollected_submissions

        uncollected = uncollected_submissions(engine, load_batch(engine, self.batch_id).id)
        if uncollected:
            # The settings may name another connection by now, whose account does not know the key.
            self.conn_id = uncollected[0].conn_id
        self.result_keys: list[str] = [
            submission.result_key for submission in uncollected if submission.conn_id == self.conn_id
        ]
