from __future__ import annotations

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from damo_tryon.errors import (
    CredentialsError,
    MalformedRequestError,
    NotConnectedError,
    OutcomeUnknownError,
    PackageUsedUpError,
    ThrottledError,
)
from tryon_catalogue.submission.errors import BusyError, StillThrottledError, StoppedError
from tryon_catalogue.workflow.operators import SUBMIT_BATCH_RETRY_POLICY


@pytest.mark.parametrize(
    "error",
    [
        StoppedError("no"),
        CredentialsError("no"),
        PackageUsedUpError("no"),
        MalformedRequestError("no"),
        OutcomeUnknownError("no"),
    ],
)
def test_what_a_retry_cannot_help_fails_at_once(error: Exception) -> None:
    assert SUBMIT_BATCH_RETRY_POLICY.evaluate(error, 1, 3).action is RetryAction.FAIL


@pytest.mark.parametrize(
    ("error", "minutes"),
    [
        (BusyError("no"), 1),
        (NotConnectedError("no"), 2),
        (ThrottledError("no"), 5),
        (StillThrottledError("no"), 5),
    ],
)
def test_what_passes_by_itself_comes_back_after_as_long_as_it_takes(error: Exception, minutes: int) -> None:
    decision = SUBMIT_BATCH_RETRY_POLICY.evaluate(error, 1, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is not None
    assert decision.retry_delay.total_seconds() == minutes * 60
