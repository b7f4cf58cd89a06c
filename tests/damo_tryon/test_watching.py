"""When there is nothing left to wait for, and what crosses from the triggerer to the worker."""

from __future__ import annotations

import json

import pytest

from damo_tryon import errors
from damo_tryon.contract import Answer, SubTask, SubTaskStatus
from damo_tryon.errors import (
    CredentialsError,
    JobFailedError,
    PollFailedError,
    ResultTimeoutError,
    ThrottledError,
    TryOnError,
    UnknownResultKeyError,
)
from damo_tryon.watching import Reason, ResultEvent, Watch


def answer(result_key: str, *statuses: str) -> Answer:
    sub_tasks = tuple(SubTask(status=SubTaskStatus(status)) for status in statuses)
    return Answer(result_key=result_key, sub_tasks=sub_tasks)


def test_a_submission_is_pending_until_each_of_its_sub_tasks_has_ended() -> None:
    watch = Watch(["a", "b", "a"])
    assert watch.keys == ("a", "b")
    watch.saw("a", answer("a", "SUCCESS", "RUNNING"))
    assert watch.pending == ("a", "b")
    watch.saw("a", answer("a", "SUCCESS", "FAILED"))
    assert watch.pending == ("b",)


def test_an_answer_without_sub_tasks_has_not_ended() -> None:
    watch = Watch(["a"])
    watch.saw("a", answer("a"))
    assert watch.pending == ("a",)


def test_the_counts_are_those_last_seen_over_all_keys() -> None:
    watch = Watch(["a", "b"])
    watch.saw("a", answer("a", "RUNNING", "WAITING"))
    watch.saw("a", answer("a", "SUCCESS", "FAILED"))
    watch.saw("b", answer("b", "SUCCESS"))
    assert watch.ended().counts == {"WAITING": 0, "RUNNING": 0, "SUCCESS": 2, "FAILED": 1}


def test_a_job_that_failed_as_a_whole_is_a_fact_and_the_others_go_on() -> None:
    watch = Watch(["a", "b"])
    assert watch.failed("a", JobFailedError("failed", code=23500011)) is None
    assert watch.pending == ("b",)
    assert watch.ended().failed_jobs == 1


@pytest.mark.parametrize(
    "error",
    [
        CredentialsError("no", code="A401AC", request_id="r1"),
        UnknownResultKeyError("no records", code=23500008, request_id="r1"),
    ],
)
def test_where_asking_again_is_in_vain_the_first_error_stops(error: TryOnError) -> None:
    event = Watch(["a"]).failed("a", error)
    assert event is not None
    assert (event.reason, event.code, event.request_id, event.result_key) == (
        Reason.REFUSED,
        error.code,
        "r1",
        "a",
    )


def test_bad_polls_are_borne_until_there_are_too_many_in_a_row_of_one_key() -> None:
    watch = Watch(["a", "b"], max_bad_polls=3)
    bad = PollFailedError("broken", request_id="r1")
    assert [watch.failed(key, bad) for key in ("a", "b", "a", "b")] == [None] * 4
    watch.saw("a", answer("a", "RUNNING"))  # and the count of "a" begins anew
    assert watch.failed("a", bad) is None
    event = watch.failed("b", bad)
    assert event is not None
    assert (event.reason, event.error, event.result_key) == (
        Reason.TOO_MANY_BAD_POLLS,
        "PollFailedError",
        "b",
    )


def test_throttling_is_no_bad_poll() -> None:
    watch = Watch(["a"], max_bad_polls=1)
    assert all(watch.failed("a", ThrottledError("slow")) is None for _ in range(20))


def test_when_the_time_is_over_the_event_names_what_has_not_ended() -> None:
    watch = Watch(["a", "b"])
    watch.saw("a", answer("a", "SUCCESS"))
    error = watch.late("in 60 s").to_error()
    assert isinstance(error, ResultTimeoutError)
    assert error.message == "1 of 2 submissions have not ended in 60 s: b"
    assert error.result_key == "b"


STOPPING = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, TryOnError)
    and not issubclass(kind, JobFailedError | ThrottledError)  # neither stops a watch
]


@pytest.mark.parametrize("kind", STOPPING)
def test_every_error_comes_through_the_triggerer_as_what_it_was(kind: type[TryOnError]) -> None:
    sent = Watch(["key"], max_bad_polls=1).failed("key", kind("words", code=23500008, request_id="r1"))
    assert sent is not None
    received = ResultEvent.read(json.loads(json.dumps(sent.model_dump(mode="json")))).to_error()
    assert type(received) is kind
    assert (received.message, received.code, received.request_id, received.result_key) == (
        "words",
        23500008,
        "r1",
        "key",
    )


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        "ENDED",
        {"reason": "FINISHED", "submissions": 1, "counts": {}},
        {"reason": "ENDED", "counts": {}},
        {"reason": "ENDED", "submissions": 1, "counts": {"DONE": 1}},
        {"reason": "ENDED", "submissions": 1, "counts": {}, "error": "CredentialsError"},
        {"reason": "REFUSED", "submissions": 1, "counts": {}},
        {"reason": "REFUSED", "submissions": 1, "counts": {}, "error": "NoSuchError"},
        {"reason": "ENDED", "submissions": 1, "counts": {}, "new_field": 1},
    ],
)
def test_an_event_that_cannot_be_read_is_an_error_that_says_what_to_do(payload: object) -> None:
    with pytest.raises(PollFailedError, match=r"event cannot be read: .*same release"):
        ResultEvent.read(payload)
