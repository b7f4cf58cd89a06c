"""The trigger: its pace, its patience, its deadline, and what it stores. Clocks are made up, sockets are real."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import BaseHook
from airflow.sdk.module_loading import import_string

from damo_tryon.contract import Answer, SubTask, SubTaskStatus
from damo_tryon.errors import CredentialsError, NotConnectedError, PollFailedError, ThrottledError
from damo_tryon.triggers import FIRST_POLL_AFTER, LAST_ROUND, Clock, TryOnResultTrigger
from damo_tryon.watching import Reason, ResultEvent

START = 1_000_000.0


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = START
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep)


Script = dict[str, list[str | Exception]]


class Vendor:
    """Answers each key's polls from a list; the last entry is repeated."""

    def __init__(self, script: Script, time: Time | None = None) -> None:
        self.script = script
        self.time = time
        self.polls: list[str] = []
        self.moments: list[float] = []
        self.at_once = 0
        self.most_at_once = 0

    async def query(self, result_key: str) -> Answer:
        self.polls.append(result_key)
        if self.time is not None:
            self.moments.append(self.time.now)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        steps = self.script[result_key]
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        return Answer(result_key=result_key, sub_tasks=(SubTask(status=SubTaskStatus(step)),))


def make(time: Time, keys: list[str], timeout: float = 10_000.0, **settings: Any) -> TryOnResultTrigger:
    made = TryOnResultTrigger(conn_id="damo_tryon", result_keys=keys, deadline=START + timeout, **settings)
    made.clock = time.clock
    return made


RunWith = Callable[[TryOnResultTrigger, Vendor], Any]


@pytest.fixture
def run_with(monkeypatch: pytest.MonkeyPatch) -> RunWith:
    """Run a trigger against a scripted vendor and return its one event."""

    async def run(made: TryOnResultTrigger, vendor: Vendor) -> ResultEvent:
        monkeypatch.setattr(
            "damo_tryon.hooks.DamoTryOnHook.async_query", lambda _hook, key: vendor.query(key)
        )
        events = [event async for event in made.run()]
        assert len(events) == 1
        return ResultEvent.read(events[0].payload)

    return run


async def test_it_fires_once_when_every_submission_has_ended(run_with: RunWith) -> None:
    vendor = Vendor({"a": ["WAITING", "SUCCESS"], "b": ["RUNNING", "RUNNING", "FAILED"]})
    event = await run_with(make(Time(), ["a", "b"]), vendor)
    assert event.reason is Reason.ENDED
    assert event.submissions == 2
    assert event.counts[SubTaskStatus.SUCCESS] == 1
    assert event.counts[SubTaskStatus.FAILED] == 1


async def test_a_key_that_has_ended_is_not_asked_for_again(run_with: RunWith) -> None:
    vendor = Vendor({"a": ["SUCCESS"], "b": ["RUNNING", "RUNNING", "SUCCESS"]})
    await run_with(make(Time(), ["a", "b"]), vendor)
    assert vendor.polls == ["a", "b", "b", "b"]


async def test_the_first_poll_comes_late_enough_for_the_scheduler_and_the_interval_grows_to_a_limit(
    run_with: RunWith,
) -> None:
    time = Time()
    await run_with(make(time, ["a"]), Vendor({"a": ["RUNNING"] * 20 + ["SUCCESS"]}))
    assert FIRST_POLL_AFTER <= time.slept[0] <= FIRST_POLL_AFTER * 1.25
    assert all(5 <= slept <= 60 for slept in time.slept)
    assert time.slept[2] > time.slept[0]
    assert min(time.slept[-5:]) >= 48


async def test_triggers_deferred_together_do_not_ask_together(run_with: RunWith) -> None:
    firsts = set()
    for _ in range(20):
        time = Time()
        await run_with(make(time, ["a"]), Vendor({"a": ["SUCCESS"]}))
        firsts.add(time.slept[0])
    assert len(firsts) > 10


async def test_at_the_deadline_it_asks_once_more_and_then_says_what_is_missing(run_with: RunWith) -> None:
    time = Time()
    vendor = Vendor({"a": ["SUCCESS"], "b": ["RUNNING"]}, time)
    event = await run_with(make(time, ["a", "b"], timeout=100), vendor)
    assert event.reason is Reason.DEADLINE
    assert event.error == "ResultTimeoutError"
    assert event.message == "1 of 2 submissions have not ended by 1970-01-12T13:48:20+00:00: b"
    assert event.counts[SubTaskStatus.SUCCESS] == 1
    assert vendor.moments[-1] == START + 100


async def test_a_restart_after_the_deadline_does_not_extend_it_but_still_looks(run_with: RunWith) -> None:
    time = Time()
    event = await run_with(make(time, ["a"], timeout=-50), Vendor({"a": ["SUCCESS"]}))
    assert event.reason is Reason.ENDED
    assert time.slept == [FIRST_POLL_AFTER]


async def test_even_a_short_deadline_leaves_the_scheduler_its_time_before_the_first_poll(
    run_with: RunWith,
) -> None:
    time = Time()
    await run_with(make(time, ["a"], timeout=1, first_poll_after=0.5), Vendor({"a": ["SUCCESS"]}))
    assert time.slept == [FIRST_POLL_AFTER]


async def test_polls_that_do_not_come_back_do_not_outlast_the_deadline(
    run_with: RunWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, loop = asyncio.Event(), asyncio.get_running_loop()
    later = loop.time() + LAST_ROUND + 10

    class Silent(Vendor):
        async def query(self, result_key: str) -> Answer:
            if result_key == "silent":
                await answered.wait()
                monkeypatch.setattr(loop, "time", lambda: later)
                await asyncio.Event().wait()
            answer = await super().query(result_key)
            answered.set()
            return answer

    event = await run_with(
        make(Time(), ["a", "silent"], timeout=1), Silent({"a": ["SUCCESS"], "silent": ["SUCCESS"]})
    )
    assert event.reason is Reason.DEADLINE
    assert "1 of 2 submissions have not ended" in event.message
    assert event.counts[SubTaskStatus.SUCCESS] == 1


@pytest.mark.parametrize("name", ["max_concurrency", "max_bad_polls"])
def test_a_number_with_which_it_would_wait_for_ever_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0, expected 1 or more"):
        make(Time(), ["a"], **{name: 0})


async def test_a_connection_that_cannot_be_read_for_a_moment_is_a_bad_poll(
    monkeypatch: pytest.MonkeyPatch, server: Any, connect: Callable[..., None]
) -> None:
    connect(server.url)
    answered = {"code": 0, "data": {"result_key": "a", "task_list": [{"status": "SUCCESS"}]}}
    server.then_answer(200, json.dumps(answered).encode())
    read, outages = BaseHook.aget_connection, iter([RuntimeError("the API server restarts, s3cret")])

    async def aget_connection(conn_id: str) -> Any:
        for outage in outages:
            raise outage
        return await read(conn_id)

    monkeypatch.setattr(BaseHook, "aget_connection", aget_connection)
    made = make(Time(), ["a"], max_bad_polls=2)
    events = [event async for event in made.run()]
    event = ResultEvent.read(events[0].payload)
    assert (event.reason, event.polls) == (Reason.ENDED, 2)


async def test_no_more_queries_than_allowed_are_under_way_at_once(run_with: RunWith) -> None:
    keys = [f"key{number}" for number in range(20)]
    vendor = Vendor({key: ["SUCCESS"] for key in keys})
    await run_with(make(Time(), keys, max_concurrency=3), vendor)
    assert vendor.most_at_once == 3


async def test_a_few_bad_polls_are_borne(run_with: RunWith) -> None:
    bad: list[str | Exception] = [PollFailedError("broken"), NotConnectedError("refused")] * 2
    event = await run_with(make(Time(), ["a"]), Vendor({"a": [*bad, "SUCCESS"]}))
    assert event.reason is Reason.ENDED


async def test_too_many_bad_polls_in_a_row_end_it_with_the_last_error(run_with: RunWith) -> None:
    vendor = Vendor({"a": [PollFailedError("broken", request_id="r9")], "b": ["RUNNING"]})
    event = await run_with(make(Time(), ["a", "b"], max_bad_polls=3), vendor)
    assert (event.reason, event.error) == (Reason.TOO_MANY_BAD_POLLS, "PollFailedError")
    assert (event.result_key, event.request_id) == ("a", "r9")
    assert vendor.polls.count("a") == 3


async def test_bad_credentials_end_it_at_once_and_no_further_key_is_asked_for(run_with: RunWith) -> None:
    vendor = Vendor({"a": [CredentialsError("no", code="A401AC", request_id="r1")], "b": ["RUNNING"]})
    event = await run_with(make(Time(), ["a", "b"], max_concurrency=1), vendor)
    assert (event.reason, event.error, event.code) == (Reason.REFUSED, "CredentialsError", "A401AC")
    assert vendor.polls == ["a"]


async def test_throttling_slows_all_keys_of_the_trigger_and_is_no_bad_poll(run_with: RunWith) -> None:
    time = Time()
    throttled: list[str | Exception] = [ThrottledError("slow down", code=23500004)] * 6
    vendor = Vendor({"a": [*throttled, "SUCCESS"], "b": ["SUCCESS"]}, time)
    event = await run_with(make(time, ["a", "b"], max_concurrency=1, max_bad_polls=2), vendor)
    assert event.reason is Reason.ENDED
    assert vendor.polls == ["a"] * 7 + ["b"]  # "b" waits while "a" is throttled
    assert time.slept[1] >= 10
    assert time.slept[2] >= 20


async def test_the_time_the_vendor_asks_for_is_waited(run_with: RunWith) -> None:
    time = Time()
    script: Script = {"a": [ThrottledError("slow down", retry_after=300.0), "SUCCESS"]}
    await run_with(make(time, ["a"]), Vendor(script))
    assert time.slept[1] == 300.0


async def test_throttling_does_not_outlast_the_deadline(run_with: RunWith) -> None:
    time = Time()
    vendor = Vendor({"a": [ThrottledError("slow down", retry_after=5_000.0)]})
    event = await run_with(make(time, ["a"], timeout=600), vendor)
    assert event.reason is Reason.DEADLINE
    assert time.now == START + 600


def test_it_is_made_again_from_what_is_stored_and_no_secret_is_among_it(
    connect: Callable[..., None],
) -> None:
    connect("https://vendor.test", password="s3cr3t")
    made = TryOnResultTrigger(
        conn_id="other",
        result_keys=("a", "b"),
        deadline=START,
        first_poll_after=7.0,
        growth=2.0,
        longest_interval=30.0,
        max_concurrency=2,
        max_bad_polls=9,
    )
    path, arguments = made.serialize()
    stored = json.dumps(arguments)
    restored = import_string(path)(**json.loads(stored))
    assert restored.serialize() == (path, json.loads(stored))
    assert "s3cr3t" not in stored


async def test_it_reads_the_connection_in_the_triggerer_and_polls_over_a_real_socket(
    server: Any, connect: Callable[..., None]
) -> None:
    connect(server.url)
    for status in ("WAITING", "SUCCESS"):
        task = {"status": status, "model_image": "m", "tops_image": "t", "results": []}
        data = {"result_key": "key", "task_list": [task]}
        server.then_answer(200, json.dumps({"code": 0, "requestId": "r", "data": data}).encode())
    made = TryOnResultTrigger(
        conn_id="damo_tryon",
        result_keys=["key"],
        deadline=Clock().now() + 30,
        first_poll_after=0.01,
        longest_interval=0.02,
    )
    events = [event async for event in made.run()]
    assert ResultEvent.read(events[0].payload).counts[SubTaskStatus.SUCCESS] == 1
    assert len(server.received) == 2


async def test_what_has_begun_is_asked_for_again_before_what_is_left_should_have_ended(
    run_with: RunWith,
) -> None:
    time = Time()
    made = make(time, ["a"], first_poll_after=100, interval=5, seconds_per_task=40)
    vendor = Vendor({"a": ["WAITING", "RUNNING", "SUCCESS"]}, time)
    await run_with(made, vendor)
    first, second, third = (moment - START for moment in vendor.moments)
    assert first == 100
    assert second - first == 40
    assert third - second == 24


async def test_a_throttled_poll_slows_down_every_trigger_of_the_process_and_is_passed_on(
    run_with: RunWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[ThrottledError] = []

    async def hear(_self: TryOnResultTrigger, error: ThrottledError) -> None:
        heard.append(error)

    monkeypatch.setattr(TryOnResultTrigger, "throttled", hear)
    time = Time()
    slow = ThrottledError("slow down", code=23500004, retry_after=300)
    vendor = Vendor({"a": [slow, "SUCCESS"], "b": ["SUCCESS"]}, time)
    await run_with(make(time, ["a"]), vendor)
    assert heard == [slow]
    held_until = vendor.moments[0] + 300
    time.now = vendor.moments[0] + 1  # another trigger begins to wait while the first is held
    vendor.moments.clear()
    await run_with(make(time, ["b"]), vendor)
    assert vendor.moments[0] >= held_until


async def test_another_connection_is_not_slowed_down(run_with: RunWith) -> None:
    time = Time()
    slow = ThrottledError("slow down", code=23500004, retry_after=300)
    vendor = Vendor({"a": [slow, "SUCCESS"], "b": ["SUCCESS"]}, time)
    await run_with(make(time, ["a"]), vendor)
    time.now = vendor.moments[0] + 1
    other = TryOnResultTrigger(conn_id="another", result_keys=["b"], deadline=START + 10_000)
    other.clock = time.clock
    vendor.moments.clear()
    before = time.now
    await run_with(other, vendor)
    assert vendor.moments[0] - before < 10
