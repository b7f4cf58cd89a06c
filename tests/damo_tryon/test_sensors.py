"""The sensor: its first look, its deferral, and what it makes of the trigger's event."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferralTimeout, TaskDeferred

from damo_tryon.contract import Answer, SubTask, SubTaskStatus
from damo_tryon.errors import (
    AllFailedError,
    CredentialsError,
    MalformedRequestError,
    PackageUsedUpError,
    PollFailedError,
    ResultTimeoutError,
    ThrottledError,
    TryOnError,
    UnknownResultKeyError,
)
from damo_tryon.sensors import RESULT_RETRY_POLICY, TryOnResultSensor
from damo_tryon.triggers import TryOnResultTrigger
from damo_tryon.watching import Watch

Tell = Callable[..., None]


def make(result_keys: Any = "key", **settings: Any) -> TryOnResultSensor:
    return TryOnResultSensor(task_id="wait", result_keys=result_keys, **settings)


def run(sensor: TryOnResultSensor) -> Any:
    return sensor.execute({})


@pytest.fixture
def tell(server: Any, connect: Callable[..., None]) -> Tell:
    """Let the vendor's next answer to a query be sub-tasks of these statuses, or an error's code."""
    connect(server.url)

    def script(result_key: str, *statuses: str, code: int = 0, http_status: int = 200) -> None:
        task_list = [{"status": status, "model_image": "m", "tops_image": "t"} for status in statuses]
        body = {"code": code, "message": "words", "requestId": "r1"}
        data = {} if code else {"data": {"result_key": result_key, "task_list": task_list}}
        server.then_answer(http_status, json.dumps(body | data).encode())

    return script


def event_of(*statuses: str) -> object:
    watch = Watch(["key"])
    sub_tasks = tuple(SubTask(status=SubTaskStatus(status)) for status in statuses)
    watch.saw("key", Answer(result_key="key", sub_tasks=sub_tasks))
    return watch.ended().model_dump(mode="json")


def event_with(error: TryOnError) -> object:
    event = Watch(["key"], max_bad_polls=1).failed("key", error)
    assert event is not None
    return event.model_dump(mode="json")


@pytest.mark.parametrize("deferrable", [True, False])
def test_what_has_ended_at_the_first_look_needs_no_waiting(tell: Tell, deferrable: bool) -> None:
    tell("k1", "SUCCESS", "FAILED")
    tell("k2", "SUCCESS")
    assert run(make(["k1", "k2"], deferrable=deferrable)) == {
        "submissions": 2,
        "failed_jobs": 0,
        "counts": {"WAITING": 0, "RUNNING": 0, "SUCCESS": 2, "FAILED": 1},
    }


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("nothing", [[], "", "[]", [[], []]])
def test_nothing_to_wait_for_succeeds_at_once_without_asking(deferrable: bool, nothing: object) -> None:
    summary = run(make(nothing, deferrable=deferrable))
    assert summary["submissions"] == 0
    assert sum(summary["counts"].values()) == 0


def test_the_first_look_stops_at_the_first_submission_that_has_not_ended(tell: Tell, server: Any) -> None:
    tell("k1", "SUCCESS")
    tell("k2", "RUNNING")
    with pytest.raises(TaskDeferred) as deferred:
        run(make(["k1", "k2", "k3"], deferrable=True, timeout=600))
    assert len(server.received) == 2
    trigger = deferred.value.trigger
    assert isinstance(trigger, TryOnResultTrigger)
    assert trigger.result_keys == ["k1", "k2", "k3"]


def test_it_defers_with_an_absolute_deadline_and_a_later_backstop(tell: Tell) -> None:
    tell("key", "RUNNING")
    before = time.time()
    with pytest.raises(TaskDeferred) as deferred:
        run(make(deferrable=True, timeout=timedelta(minutes=10), poke_interval=2, max_wait=30))
    trigger = deferred.value.trigger
    assert isinstance(trigger, TryOnResultTrigger)
    assert before + 600 <= trigger.deadline <= time.time() + 600
    assert deferred.value.timeout > timedelta(minutes=10)
    assert deferred.value.method_name == "execute_complete"
    assert trigger.first_poll_after == 5.0  # sooner would overtake the scheduler
    assert trigger.longest_interval == 30


def test_a_first_look_that_gets_no_answer_is_no_failure(server: Any, connect: Callable[..., None]) -> None:
    connect(server.url)
    server.then_close()
    with pytest.raises(TaskDeferred):
        run(make(deferrable=True))


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize(
    ("code", "http_status", "kind"),
    [
        (23500001, 401, CredentialsError),
        (23500003, 403, PackageUsedUpError),
        (23500008, 400, UnknownResultKeyError),
    ],
)
def test_a_first_look_that_is_refused_raises_the_typed_error(
    tell: Tell, deferrable: bool, code: int, http_status: int, kind: type[TryOnError]
) -> None:
    tell("key", code=code, http_status=http_status)
    with pytest.raises(kind, match=r"result key key") as caught:
        run(make(deferrable=deferrable))
    assert (caught.value.code, caught.value.request_id) == (code, "r1")


def test_not_deferred_it_pokes_until_all_has_ended(tell: Tell, server: Any) -> None:
    for status in ("WAITING", "RUNNING", "SUCCESS"):
        tell("key", status)
    summary = run(make(deferrable=False, poke_interval=0.01, exponential_backoff=False))
    assert summary["counts"]["SUCCESS"] == 1
    assert len(server.received) == 3


def test_not_deferred_it_raises_the_same_error_when_the_time_is_over(tell: Tell) -> None:
    tell("key", "RUNNING")
    with pytest.raises(ResultTimeoutError, match="1 of 1 submissions have not ended in 0 s: key"):
        run(make(deferrable=False, timeout=0))


def test_not_deferred_an_answer_that_comes_a_byte_at_a_time_does_not_hold_it_beyond_its_time(
    server: Any, connect: Any
) -> None:
    connect(server.url, extra={"connect_timeout": 0.3, "read_timeout": 0.3})
    server.then_drip(every=0.1)
    with pytest.raises(ResultTimeoutError):
        run(make(deferrable=False, timeout=0))


def test_not_deferred_it_bears_some_bad_polls_and_not_too_many(server: Any, connect: Any) -> None:
    connect(server.url)
    for _ in range(3):
        server.then_close()
    with pytest.raises(PollFailedError):
        run(make(deferrable=False, poke_interval=0.01, exponential_backoff=False, max_bad_polls=3))
    assert len(server.received) == 3


def test_some_failed_sub_tasks_are_a_fact_and_no_error() -> None:
    summary = make().execute_complete({}, event_of("SUCCESS", "FAILED"))
    assert summary["counts"] == {"WAITING": 0, "RUNNING": 0, "SUCCESS": 1, "FAILED": 1}


def test_all_failed_is_an_error_unless_the_setting_says_otherwise() -> None:
    with pytest.raises(AllFailedError, match="of 1 submissions 2 sub-tasks ended FAILED"):
        make().execute_complete({}, event_of("FAILED", "FAILED"))
    summary = make(on_all_failed="continue").execute_complete({}, event_of("FAILED"))
    assert summary["counts"]["FAILED"] == 1


@pytest.mark.parametrize(
    "error",
    [
        CredentialsError("no", code="A401AC", request_id="r1"),
        UnknownResultKeyError("no records", code=23500008, request_id="r1"),
        PollFailedError("broken", request_id="r1"),
    ],
)
def test_an_error_seen_in_the_triggerer_is_raised_as_its_own_type(error: TryOnError) -> None:
    with pytest.raises(type(error), match="key") as caught:
        make().execute_complete({}, event_with(error))
    assert (caught.value.code, caught.value.request_id, caught.value.result_key) == (error.code, "r1", "key")


ENDED = {"reason": "ENDED", "submissions": 1}


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"status": "success"},
        ENDED | {"counts": {"SUCCESS": -3}},
        ENDED | {"counts": {"WAITING": 1, "SUCCESS": 1}},
    ],
)
def test_an_event_that_cannot_be_read_is_a_clear_error(event: object) -> None:
    with pytest.raises(PollFailedError, match="same release"):
        make().execute_complete({}, event)


def test_soft_fail_skips_when_the_time_is_over_and_only_then() -> None:
    late = Watch(["key"]).late("in 1 s").model_dump(mode="json")
    with pytest.raises(AirflowSkipException):
        make(soft_fail=True).execute_complete({}, late)
    with pytest.raises(CredentialsError):
        make(soft_fail=True).execute_complete({}, event_with(CredentialsError("no")))


def test_never_fail_skips_on_every_error_of_the_vendor() -> None:
    with pytest.raises(AirflowSkipException, match="credentials"):
        make(never_fail=True).execute_complete({}, event_with(CredentialsError("no")))


def test_what_skips_when_deferred_skips_when_not(tell: Tell) -> None:
    tell("key", "RUNNING")
    with pytest.raises(AirflowSkipException):
        run(make(deferrable=False, timeout=0, never_fail=True))


def test_a_sensor_that_keeps_errors_to_itself_still_says_that_all_failed(tell: Tell) -> None:
    tell("key", "FAILED")
    with pytest.raises(AllFailedError):
        run(make(deferrable=False, timeout=0.2, poke_interval=0.05, silent_fail=True))


def test_without_a_longest_interval_the_interval_grows_on() -> None:
    assert make(max_wait=None, timeout=7200)._trigger(0.0).longest_interval == 7200


@pytest.mark.parametrize("name", ["max_concurrency", "max_bad_polls"])
def test_a_number_with_which_it_would_wait_for_ever_is_refused_when_the_dag_is_read(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0"):
        make(**{name: 0})


def test_the_backstop_ends_a_trigger_that_never_came_back() -> None:
    sensor = make(deferrable=True)
    with pytest.raises(Exception, match="Trigger timeout") as caught:
        sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, {})
    assert isinstance(caught.value.__cause__, TaskDeferralTimeout)


def test_the_keys_are_templated_and_may_be_the_output_of_a_mapped_task(tell: Tell) -> None:
    sensor = make("{{ keys | tojson }}")
    sensor.render_template_fields({"keys": ["k1", "k2"]})
    tell("k1", "SUCCESS")
    tell("k2", "SUCCESS")
    assert run(sensor)["submissions"] == 2


def test_an_upstream_without_output_is_a_clear_error() -> None:
    with pytest.raises(MalformedRequestError, match="skipped"):
        run(make(None))


def test_waiting_for_a_tasks_output_puts_the_sensor_behind_it() -> None:
    from damo_tryon.operators import TryOnSubmitOperator

    with DAG("d"):
        submit = TryOnSubmitOperator(task_id="submit", tasks=[], fit_type="HALF_BODY")
        wait = make(submit.output)
    assert wait.upstream_task_ids == {"submit"}


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (CredentialsError("no"), RetryAction.FAIL),
        (PackageUsedUpError("no"), RetryAction.FAIL),
        (AllFailedError("no"), RetryAction.FAIL),
        (ResultTimeoutError("no"), RetryAction.FAIL),
        (UnknownResultKeyError("no"), RetryAction.DEFAULT),
        (PollFailedError("no"), RetryAction.DEFAULT),
        (ThrottledError("no"), RetryAction.DEFAULT),
        (ValueError("no"), RetryAction.DEFAULT),
    ],
)
def test_a_retry_that_is_in_vain_is_not_made(error: Exception, action: RetryAction) -> None:
    assert RESULT_RETRY_POLICY.evaluate(error, 1, 3).action is action


@pytest.mark.parametrize("map_it", [True, False])
def test_the_retry_policy_is_the_default_also_of_a_mapped_sensor(map_it: bool) -> None:
    with DAG("d"):
        if map_it:
            task: Any = TryOnResultSensor.partial(task_id="wait").expand(result_keys=["k1", "k2"])
        else:
            task = make(["k1"])
    assert task.retry_policy is RESULT_RETRY_POLICY


def test_an_unknown_choice_is_refused_when_the_dag_is_read() -> None:
    with pytest.raises(ValueError, match="perhaps"):
        make(on_all_failed="perhaps")


def test_where_it_is_known_when_results_come_nobody_looks_before(
    server: Any, connect: Callable[..., None]
) -> None:
    connect(server.url)
    with pytest.raises(TaskDeferred) as deferred:
        run(make(deferrable=True, first_poll_after=90.0, seconds_per_task=3.0))
    assert server.received == []
    trigger = deferred.value.trigger
    assert isinstance(trigger, TryOnResultTrigger)
    assert (trigger.first_poll_after, trigger.interval, trigger.seconds_per_task) == (90.0, 5.0, 3.0)


def test_a_result_that_should_be_there_is_looked_for_as_soon_as_the_scheduler_allows(
    server: Any, connect: Callable[..., None]
) -> None:
    connect(server.url)
    with pytest.raises(TaskDeferred) as deferred:
        run(make(deferrable=True, first_poll_after=0.0))
    assert deferred.value.trigger.first_poll_after == 5.0
