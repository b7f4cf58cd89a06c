"""The operators of a batch, fed from the ledger by its id: make its pictures, or collect what is paid for.

A batch is one task from its turn to its pictures in the catalogue. Whatever it waits for it waits for in the triggerer,
and a worker sees it twice: to submit, and to publish. In place of three mapped tasks one does it, because Airflow's
scheduler looks at each mapped task that is not yet due in every round: of a thousand batches that is what a night is
bound by. They carry an id in and result keys out; looks stay in the ledger.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

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
    ResultTimeoutError,
    TryOnError,
)
from damo_tryon.operators import TryOnResultsLink
from damo_tryon.results_note import leave_note
from damo_tryon.sensors import OnAllFailed, TryOnResultSensor
from tryon_catalogue.submission.errors import BusyError, NotYetError, StoppedError
from tryon_catalogue.workflow import tasks
from tryon_catalogue.workflow.context import is_backfill, mover_of, open_ledger, request_of, run_id_of
from tryon_catalogue.workflow.result_trigger import BatchResultTrigger, failure_in
from tryon_catalogue.workflow.turn_trigger import TurnTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context
    from sqlalchemy import Engine

    from damo_tryon.contract import Answer, FitType, TryOnTask
    from damo_tryon.hooks import DamoTryOnHook
    from damo_tryon.submitting import Send
    from damo_tryon.triggers import TryOnResultTrigger

log = logging.getLogger(__name__)

BATCH_RETRY_POLICY: Final = ExceptionRetryPolicy(
    [
        RetryRule(
            [StoppedError, CredentialsError, PackageUsedUpError, MalformedRequestError],
            RetryAction.FAIL,
            reason="nothing will get through before a person has acted; what is not sent stays planned",
        ),
        RetryRule(
            [InDoubtError, OutcomeUnknownError],
            RetryAction.FAIL,
            reason="answers stay away, and each that does may be paid for; the rest stays planned",
        ),
        RetryRule(ResultTimeoutError, RetryAction.FAIL, reason="waiting again would show the same"),
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


class CollectBatchOperator(TryOnResultSensor):
    """Waits until the vendor has ended everything of a batch that is paid for, then publishes it.

    What there is, is published, also when the waiting was in vain.

    Args:
        batch_id: The batch's id in the ledger. Templated.
        late_fails: Whether a vendor that takes longer than ``timeout`` fails the task, or ends it all the same because
            somebody comes again anyway.
        kwargs: What ``TryOnResultSensor`` takes, but for the result keys.

    Raises:
        damo_tryon.errors.TryOnError: The waiting failed; what could be published is.
        tryon_catalogue.publishing.publisher.PublishError: Something could not be published in this try.
    """

    template_fields: Sequence[str] = ("batch_id", "conn_id")
    operator_extra_links = (TryOnResultsLink(),)
    trigger_class = BatchResultTrigger

    def __init__(self, *, batch_id: int, late_fails: bool = True, **kwargs: Any) -> None:
        # That all failed is for the account to judge, which sees the whole run.
        fixed = {
            "deferrable": True,
            "on_all_failed": OnAllFailed.CONTINUE,
            "retry_policy": BATCH_RETRY_POLICY,
        }
        super().__init__(result_keys=[], **{**fixed, **kwargs})
        self.batch_id = batch_id
        self.late_fails = late_fails
        self._failure: TryOnError | None = None

    def execute(self, context: Context) -> list[str]:  # type: ignore[override]  # keys, for the page of results
        """Wait for what is paid for and publish it; return the result keys, for the page of results."""
        return self.collect(context, None)

    def execute_complete(self, context: Context, event: object = None) -> list[str]:  # type: ignore[override]  # as above
        """Publish what was waited for.

        Args:
            event: Of the trigger, with the failure of what came before it.
        """
        self._failure, seen = failure_in(event)
        self._find(open_ledger()[1])
        try:
            super().execute_complete(context, seen)
        except TryOnError as error:
            self._failed(error)
        return self._publish(context)

    def collect(self, context: Context, failure: TryOnError | None) -> list[str]:
        """Wait for the batch's open result keys, then publish.

        Args:
            failure: What submitting failed with; it is raised when everything paid for is published.
        """
        from damo_tryon.hooks import DamoTryOnHook
        from tryon_catalogue.submission.readiness import expect

        self._failure = failure
        settings, engine = open_ledger()
        self._find(engine)
        if self.result_keys:
            # Before it waits: the page of results shows what becomes of them.
            leave_note(context["ti"], DamoTryOnHook(self.conn_id), self.result_keys)
            longest = timedelta(minutes=settings.vendor.wait_minutes)
            if ready := expect(engine, self.conn_id, self.result_keys, longest):
                self.first_poll_after = ready.first_poll_after
                self.seconds_per_task = ready.seconds_per_picture
            try:
                super().execute(context)
            except TryOnError as error:
                self._failed(error)
        return self._publish(context)

    def saw_end(self, moment: float) -> None:
        """Note in the ledger what has ended, which makes room at the vendor.

        Args:
            moment: When it was seen, in seconds since the epoch.
        """
        from tryon_catalogue.submission.turns import note_ended

        note_ended(open_ledger()[1], dict.fromkeys(self.result_keys, datetime.fromtimestamp(moment, UTC)))

    def _failed(self, error: TryOnError) -> None:
        if isinstance(error, ResultTimeoutError) and not self.late_fails:
            self.log.warning("%s", error)
        else:
            self._failure = self._failure or error

    def _publish(self, context: Context) -> list[str]:
        try:
            tasks.publish(self.batch_id, context)
        except Exception:
            if self._failure is None:
                raise
            self.log.exception("Batch %s is not published either; the recovery does it", self.batch_id)
        if self._failure is not None:
            raise self._failure
        return self.result_keys

    def _trigger(self, deadline: float) -> TryOnResultTrigger:
        trigger = super()._trigger(deadline)
        if isinstance(trigger, BatchResultTrigger):
            trigger.carry(self._failure)
        return trigger

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


class MakeBatchOperator(CollectBatchOperator):
    """Submits every look of a batch that is still planned, each exactly once, then collects it.

    A later try goes on where an earlier one stopped. Looks in doubt are left to a person. Where it is not the batch's
    turn the task waits in the triggerer, as long as it takes: that is no failure, and no try. When submitting fails,
    what is paid for is collected all the same, and the task fails with that error in the end.

    Raises:
        damo_tryon.errors.TryOnError: The vendor refused a call as a whole, or answers stay away, or the turn to
            submit has not come in a day (``tryon_catalogue.submission.errors``), or the waiting failed.
    """

    ui_color = "#d9efe4"

    def execute(self, context: Context) -> list[str]:  # type: ignore[override]  # keys, for the page of results
        """Submit, wait and publish; return the result keys that were collected, for the page of results."""
        return self._make(context, time.time() + LONGEST_WAIT_SECONDS)

    def turn_came(self, context: Context, event: dict[str, Any]) -> list[str]:
        """Go on where the turn was waited for.

        Args:
            event: Of the trigger: whether the turn has come, and until when it may be waited for.
        """
        if event["came"]:
            return self._make(context, float(event["deadline"]))
        hours = LONGEST_WAIT_SECONDS / 3600
        return self.collect(context, BusyError(f"batch {self.batch_id} has waited for {hours:.0f} hours"))

    def submit(self, context: Context, deadline: float) -> None:
        """Submit, or defer until it is the batch's turn.

        Args:
            deadline: Until when a turn may be waited for, in seconds since the epoch.
        """
        # Heavy imports wait until the task runs: the DAG file imports this module each time it is parsed.
        from damo_tryon.hooks import ONCE, DamoTryOnHook
        from tryon_catalogue.errors import plain_errors
        from tryon_catalogue.submission.batch import submit_batch
        from tryon_catalogue.submission.gate import Gate
        from tryon_catalogue.submission.journal import load_batch

        settings, engine = open_ledger()
        settings = request_of(context).within_budget(settings)
        batch = load_batch(engine, self.batch_id)
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
            self._wait_for_turn(deadline, backfill=is_backfill(context))
        except TryOnError:
            gate.leave()
            raise
        finally:
            # A doubt or a stop is told of now: the night may go on for hours.
            tasks.alert_of_run(settings, engine, batch.run_id, context)
        gate.leave()
        self.log.info(
            "Batch %d: %d looks accepted, %d refused, %d in doubt",
            batch.id,
            done.accepted,
            done.rejected,
            done.in_doubt,
        )

    def _make(self, context: Context, deadline: float) -> list[str]:
        self._refuse_others(context)
        failure: TryOnError | None = None
        try:
            self.submit(context, deadline)
        except TryOnError as error:
            self.log.error("%s", error)
            failure = error
        return self.collect(context, failure)

    def _refuse_others(self, context: Context) -> None:
        """Refuse a batch of another run: its id comes by XCom, which people may write who may not clear that run."""
        from tryon_catalogue.errors import plain_errors
        from tryon_catalogue.submission.journal import load_batch

        with plain_errors(TryOnError):
            run_id = run_id_of(context)
            own = isinstance(self.batch_id, int) and (
                load_batch(open_ledger()[1], self.batch_id).run_id == run_id
            )
            if not own:
                raise MalformedRequestError(
                    f"batch {self.batch_id!r} is not one of the run {run_id}: somebody has changed the XCom of the "
                    "task `plan`",
                    proved_not_accepted=True,
                    next_step="Clear the task `plan`, which cuts the run's own batches.",
                )

    def _wait_for_turn(self, deadline: float, *, backfill: bool) -> NoReturn:
        self.defer(
            trigger=TurnTrigger(
                conn_id=self.conn_id, batch_id=self.batch_id, backfill=backfill, deadline=deadline
            ),
            method_name="turn_came",
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
