"""The vendor's operator and sensor, fed from the ledger by a batch's id.

They carry an id in, and result keys and counts out; looks stay in the ledger.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowRescheduleException
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
    ThrottledError,
    TryOnError,
)
from damo_tryon.names import DEFAULT_CONN_ID, XCOM_CONN_ID
from damo_tryon.operators import TryOnResultsLink
from damo_tryon.sensors import OnAllFailed, TryOnResultSensor
from tryon_catalogue.submission.errors import BusyError, StoppedError
from tryon_catalogue.workflow.context import is_backfill, mover_of, open_ledger, request_of
from tryon_catalogue.workflow.tasks import alert_of_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from damo_tryon.contract import Answer, FitType, TryOnTask
    from damo_tryon.hooks import DamoTryOnHook
    from damo_tryon.submitting import Send
    from tryon_catalogue.settings import Settings, VendorSettings

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
        # The task has been patient itself before it raised one of these.
        RetryRule(ThrottledError, RetryAction.RETRY, timedelta(minutes=5), "the vendor throttles us"),
        RetryRule(BusyError, RetryAction.RETRY, timedelta(minutes=1), "other submissions are before us"),
        RetryRule(NotConnectedError, RetryAction.RETRY, timedelta(minutes=2), "the vendor is not reached"),
    ]
)
"""What is in vain fails at once; what passes by itself comes back after as long as that usually takes."""

BUSY_BACKFILL_PAUSE: Final = timedelta(minutes=1)

# As patient as the hook is by itself.
CONNECT_ATTEMPTS, LONGEST_CONNECT_WAIT = 6, 30.0


class SubmitBatchOperator(BaseOperator):
    """Submits every look of a batch that is still planned, each exactly once.

    A later try goes on where an earlier one stopped. Looks in doubt are left to a person.

    Args:
        batch_id: The batch's id in the ledger. Templated.
        conn_id: The vendor's Airflow connection.

    Raises:
        damo_tryon.errors.TryOnError: The vendor refused a call as a whole, or answers stay away, or the turn to
            submit does not come; ``tryon_catalogue.submission.errors`` has the latter.
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
        # Heavy imports wait until the task runs: the DAG file imports this module each time it is parsed.
        from damo_tryon.hooks import ONCE, DamoTryOnHook
        from tryon_catalogue.errors import told_plainly
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
        vendor = _beside_the_night(settings) if is_backfill(context) else settings.vendor
        gate = Gate(engine, self.conn_id, vendor, hook.query)
        try:
            with told_plainly(TryOnError):
                done = submit_batch(
                    engine,
                    _connecting(hook),
                    batch,
                    mover_of(context),
                    settings.price,
                    budget=settings.budget,
                    gate=gate,
                )
        except BusyError as busy:
            if not is_backfill(context):
                raise
            self.log.info("Batch %d comes back later, as often as it takes: %s", batch.id, busy)
            moment = datetime.now(UTC) + BUSY_BACKFILL_PAUSE
            raise AirflowRescheduleException(moment) from None  # type: ignore[no-untyped-call]  # Airflow's
        finally:
            # A doubt or a stop is told of now: the night may go on for hours.
            alert_of_run(settings, engine, batch.run_id, context)
        self.log.info(
            "Batch %d: %d looks accepted, %d refused, %d in doubt",
            batch.id,
            done.accepted,
            done.rejected,
            done.in_doubt,
        )
        return [submission.result_key for submission in uncollected_submissions(engine, batch.id)]


def _beside_the_night(settings: Settings) -> VendorSettings:
    """Leave the night the places at the vendor that a backfill is not to have."""
    most = settings.backfill.max_in_flight or settings.vendor.max_in_flight
    return settings.vendor.model_copy(update={"max_in_flight": most})


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

    def __init__(self, *, batch_id: int, **kwargs: Any) -> None:
        # That all failed is for the account to judge, which sees the whole run.
        super().__init__(
            result_keys=[], **{"deferrable": True, "on_all_failed": OnAllFailed.CONTINUE, **kwargs}
        )
        self.batch_id = batch_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Look up the batch's open result keys in the ledger, then wait for them."""
        from tryon_catalogue.submission.journal import load_batch
        from tryon_catalogue.submission.uncollected import uncollected_submissions

        _, engine = open_ledger()
        uncollected = uncollected_submissions(engine, load_batch(engine, self.batch_id).id)
        if uncollected:
            # The settings may name another connection by now, whose account does not know the key.
            self.conn_id = uncollected[0].conn_id
        self.result_keys = [one.result_key for one in uncollected if one.conn_id == self.conn_id]
        return super().execute(context)
