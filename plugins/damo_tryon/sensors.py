"""The sensor that waits for results: it looks once, then defers to ``TryOnResultTrigger``, or pokes.

It turns the trigger's event into a summary or a typed error. It returns counts only: pictures are fetched by
whoever publishes them, for their links die.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.configuration import conf
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryPolicy, RetryRule
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException
from airflow.sdk.observability import stats

from damo_tryon.contract import SubTaskStatus
from damo_tryon.errors import (
    AllFailedError,
    CredentialsError,
    MalformedRequestError,
    PackageUsedUpError,
    ResultTimeoutError,
    TryOnError,
)
from damo_tryon.inputs import keys_in
from damo_tryon.names import DEFAULT_CONN_ID
from damo_tryon.triggers import FIRST_POLL_AFTER, TryOnResultTrigger, at_least_one
from damo_tryon.watching import Reason, ResultEvent, Watch

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.xcom_arg import XComArg

RESULT_RETRY_POLICY: Final = ExceptionRetryPolicy(
    [
        RetryRule(
            [CredentialsError, PackageUsedUpError, MalformedRequestError],
            RetryAction.FAIL,
            reason="no further query will get through before a person has acted",
        ),
        RetryRule(
            [AllFailedError, ResultTimeoutError],
            RetryAction.FAIL,
            reason="waiting again would show the same",
        ),
    ]
)
"""Stops at once where a retry is in vain; everything else goes by the task's own ``retries``."""

METRIC_POLLS: Final = "damo_tryon.polls"
"""Counter of Airflow's metrics: queries that waiting took."""
METRIC_RESULT_KEYS: Final = "damo_tryon.result_keys"
"""Counter of Airflow's metrics: result keys that were waited for."""

_BACKSTOP: Final = 120.0  # seconds after the deadline at which Airflow ends a trigger that says nothing


class OnAllFailed(StrEnum):
    """What a sensor does when everything has ended and there is not one picture."""

    FAIL = "fail"
    CONTINUE = "continue"


class TryOnResultSensor(BaseSensorOperator):
    """Waits until every sub-task of one or more submissions has ended.

    Returns (as XCom) ``{"submissions": 2, "failed_jobs": 0, "counts": {"SUCCESS": 11, "FAILED": 1, ...}}``;
    counts are sub-tasks. Some FAILED sub-tasks are a fact in the summary and no error.

    Args:
        result_keys: One result key or many, usually ``submit.output``; lists of lists (from a mapped submit
            task) are flattened, and so is a JSON list in a string. Templated. None listed: nothing to wait
            for, the task succeeds at once.
        conn_id: Id of the Airflow connection. Templated.
        deferrable: Wait in the triggerer. Default: ``[operators] default_deferrable``.
        poke_interval: Seconds between the first looks; deferred at least 5.
        exponential_backoff: Whether the interval grows from look to look.
        max_wait: Seconds of the longest interval; None for no limit.
        timeout: Seconds after which to give up, counted from the start of the try. Deferred, the deadline is
            absolute and survives restarts of the triggerer.
        on_all_failed: "fail" or "continue" when all have ended and none succeeded.
        first_poll_after: Seconds after which the results may be ready, where that is known: deferred, nobody looks
            before. None: one looks at once.
        seconds_per_task: How long the vendor takes for one sub-task, where that is known: deferred, it looks again
            somewhat before what is left should have ended.
        max_concurrency: Queries under way at once, at most, when deferred.
        max_bad_polls: Polls of one key in a row that may fail before giving up. With ``mode="reschedule"`` each look is
            a process of its own, which knows of no earlier one: only ``timeout`` ends a wait there.
        retry_policy: Default ``RESULT_RETRY_POLICY``; None for Airflow's plain retries.
        kwargs: What ``BaseSensorOperator`` takes. ``soft_fail`` skips when the time is over,
            ``never_fail`` on any error of the vendor; ``mode`` and ``silent_fail`` count when not deferred.

    Raises:
        ValueError: ``max_concurrency`` or ``max_bad_polls`` is below 1.
        ResultTimeoutError: Not all ended in time. They go on at the vendor and are paid for.
        AllFailedError: All ended and not one picture was made.
        UnknownResultKeyError: The vendor has no record of a key (23500008).
        CredentialsError, PackageUsedUpError: Asking again is in vain.
        TryOnError: Another refusal, or the last of too many failed polls.
    """

    template_fields: Sequence[str] = ("result_keys", "conn_id")
    ui_color = "#e8e3f5"
    trigger_class: ClassVar[type[TryOnResultTrigger]] = TryOnResultTrigger

    def __init__(
        self,
        *,
        result_keys: str | Sequence[str] | XComArg,
        conn_id: str = DEFAULT_CONN_ID,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: timedelta | float = FIRST_POLL_AFTER,
        exponential_backoff: bool = True,
        max_wait: timedelta | float | None = 60.0,
        timeout: timedelta | float = 3600.0,
        on_all_failed: OnAllFailed | str = OnAllFailed.FAIL,
        first_poll_after: float | None = None,
        seconds_per_task: float = 0.0,
        max_concurrency: int = 5,
        max_bad_polls: int = 5,
        retry_policy: RetryPolicy | None = RESULT_RETRY_POLICY,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            poke_interval=poke_interval,
            exponential_backoff=exponential_backoff,
            max_wait=max_wait,
            timeout=timeout,
            retry_policy=retry_policy,
            **kwargs,
        )
        at_least_one(max_concurrency=max_concurrency, max_bad_polls=max_bad_polls)
        self.result_keys = result_keys
        self.conn_id = conn_id
        self.deferrable = deferrable
        self.on_all_failed = OnAllFailed(on_all_failed)
        self.first_poll_after = first_poll_after
        self.seconds_per_task = seconds_per_task
        self.max_concurrency = max_concurrency
        self.max_bad_polls = max_bad_polls
        self._watch: Watch | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once, unless it is too early for that; return the summary, or defer, or poke on."""
        if not self.deferrable:
            return self._poke_on(context)
        deadline = time.time() + self.timeout
        early = self.first_poll_after is not None and self._watching().pending
        looked = PokeReturnValue(is_done=False) if early else self.poke(context)
        if not looked.is_done:
            stats.incr(METRIC_POLLS, self._watching().polls)  # the trigger counts its own
            self.defer(
                trigger=self._trigger(deadline),
                method_name="execute_complete",
                # Only for a trigger that never comes back: the trigger ends by itself at the deadline.
                timeout=timedelta(seconds=self.timeout + _BACKSTOP),
            )
        return dict(looked.xcom_value or {})

    def execute_complete(self, context: Context, event: object = None) -> dict[str, Any]:
        """Turn the trigger's event into the summary or a typed error.

        Args:
            event: The trigger's event, not yet checked.
        """
        del context
        seen = ResultEvent.read(event)
        self._count(seen)
        if seen.reason is not Reason.ENDED:
            self._fail(seen.to_error())
        self.saw_end(seen.seen_at)
        return self._finish(seen)

    def saw_end(self, moment: float) -> None:
        """Hear when all submissions were seen to have ended. Override it to remember that.

        Args:
            moment: In seconds since the epoch.
        """

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the submissions in order, up to the first that has not ended: that is enough to know."""
        del context
        watch = self._watching()
        from damo_tryon.hooks import ONCE, DamoTryOnHook

        hook = DamoTryOnHook(self.conn_id, retry=ONCE)  # the next look is the retry
        while pending := watch.pending:
            try:
                watch.saw(pending[0], hook.query(pending[0]))
            except TryOnError as error:
                if stopped := watch.failed(pending[0], error):
                    self._count(stopped)
                    self._fail(stopped.to_error())
                self.log.warning("Result key %s is asked for again later. %s", pending[0], error)
            if watch.pending == pending:
                return PokeReturnValue(is_done=False)
        ended = watch.ended()
        self._count(ended)
        self.saw_end(time.time())
        return PokeReturnValue(is_done=True, xcom_value=self._finish(ended))

    def _poke_on(self, context: Context) -> dict[str, Any]:
        try:
            return dict(super().execute(context) or {})
        except AirflowSensorTimeout:
            watch = self._watching()
            if not watch.pending:  # all have ended, and silent_fail kept to itself that all failed
                return self._finish(watch.ended())
            late = watch.late(f"in {self.timeout:.0f} s")
            self._count(late)
            self._fail(late.to_error())

    def _watching(self) -> Watch:
        if self._watch is None:
            self._watch = Watch(keys_in(self.result_keys), self.max_bad_polls)
        return self._watch

    def _trigger(self, deadline: float) -> TryOnResultTrigger:
        longest = self.max_wait.total_seconds() if self.max_wait else self.timeout
        interval = max(FIRST_POLL_AFTER, self.poke_interval)
        known = self.first_poll_after is not None
        return self.trigger_class(
            conn_id=self.conn_id,
            result_keys=self._watching().keys,
            deadline=deadline,
            first_poll_after=max(interval, self.first_poll_after or 0.0),
            interval=interval if known else None,
            seconds_per_task=self.seconds_per_task,
            growth=1.5 if self.exponential_backoff else 1.0,
            longest_interval=longest,
            max_concurrency=self.max_concurrency,
            max_bad_polls=self.max_bad_polls,
        )

    @staticmethod
    def _count(event: ResultEvent) -> None:
        # Once for a wait and not for each query: the triggerer, which asks, is not to be slowed down by it.
        stats.incr(METRIC_POLLS, event.polls)
        stats.incr(METRIC_RESULT_KEYS, event.submissions)

    def _finish(self, event: ResultEvent) -> dict[str, Any]:
        counts = {str(status): count for status, count in event.counts.items()}
        summary = {"submissions": event.submissions, "failed_jobs": event.failed_jobs, "counts": counts}
        self.log.info("All %d submissions have ended: %s", event.submissions, summary)
        succeeded = event.counts.get(SubTaskStatus.SUCCESS, 0)
        if event.submissions and not succeeded and self.on_all_failed is OnAllFailed.FAIL:
            failed = event.counts.get(SubTaskStatus.FAILED, 0)
            self._fail(
                AllFailedError(
                    f"of {event.submissions} submissions {failed} sub-tasks ended FAILED"
                    f"{f', {event.failed_jobs} submissions failed as a whole' if event.failed_jobs else ''}"
                )
            )
        return summary

    def _fail(self, error: TryOnError) -> NoReturn:
        late = isinstance(error, ResultTimeoutError)
        if self.never_fail or (self.soft_fail and late):
            raise AirflowSkipException(str(error)) from error
        raise error
