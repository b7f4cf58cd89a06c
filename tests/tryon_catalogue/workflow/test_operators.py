from __future__ import annotations

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from damo_tryon.errors import (
    CredentialsError,
    MalformedRequestError,
    NotConnectedError,
    OutcomeUnknownError,
    PackageUsedUpError,
)
from tryon_catalogue.submission.errors import StoppedError
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


def test_a_vendor_that_is_not_reached_is_tried_again_after_two_minutes() -> None:
    decision = SUBMIT_BATCH_RETRY_POLICY.evaluate(NotConnectedError("no"), 1, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is not None
    assert decision.retry_delay.total_seconds() == 120
