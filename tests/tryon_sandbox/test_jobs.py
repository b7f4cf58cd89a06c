"""The life of accepted submissions, by a clock of our own."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tryon_sandbox.calls import Fate
from tryon_sandbox.images import TaskImages
from tryon_sandbox.rules import SubmissionBody, Task
from tryon_sandbox.settings import FailedLooks
from tryon_sandbox.state import Job, SubTask


def statuses(caller: Any, key: str) -> list[str]:
    return [each["status"] for each in caller.states(key)]


def test_a_sub_task_runs_for_the_latency_and_ends_once_its_pictures_are_there(
    open_sandbox: Callable[..., Any], clock: Any
) -> None:
    caller = open_sandbox(latency=15, clock=clock)
    key = caller.submitted()

    assert statuses(caller, key) == ["RUNNING"]
    clock.now += 14.9
    (state,) = caller.states(key)
    assert (state["status"], state["results"]) == ("RUNNING", [])
    clock.now += 0.2
    assert [each["status"] for each in caller.ended(key)] == ["SUCCESS"]


def test_no_more_sub_tasks_run_than_there_are_places_and_the_others_wait(
    open_sandbox: Callable[..., Any], clock: Any
) -> None:
    caller = open_sandbox(latency=10, concurrency=5, clock=clock)
    first = caller.submitted(*[caller.task() for _ in range(4)])
    second = caller.submitted(*[caller.task() for _ in range(4)])

    assert Counter(statuses(caller, first) + statuses(caller, second)) == {"RUNNING": 5, "WAITING": 3}
    clock.now += 10
    caller.ended(first)
    assert Counter(statuses(caller, second)) == {"SUCCESS": 1, "RUNNING": 3}
    clock.now += 10
    assert {each["status"] for each in caller.ended(second)} == {"SUCCESS"}


def test_places_that_became_free_long_ago_are_not_saved_up(
    open_sandbox: Callable[..., Any], clock: Any
) -> None:
    caller = open_sandbox(latency=10, concurrency=1, clock=clock)
    caller.submitted()
    clock.now += 1000
    key = caller.submitted(caller.task(), caller.task())

    assert statuses(caller, key) == ["RUNNING", "WAITING"]


def test_a_submission_that_could_not_be_accepted_has_taken_no_place(
    open_sandbox: Callable[..., Any], clock: Any
) -> None:
    caller = open_sandbox(latency=10, concurrency=1, clock=clock)
    unfit: Any = None
    broken = SubmissionBody("HALF_BODY", 1, (Task(unfit, caller.wardrobe.shirt, None, None),))
    with pytest.raises(sqlite3.IntegrityError):
        caller.running.sandbox.jobs.accept(broken, [None], lambda _: Fate())

    assert statuses(caller, caller.submitted()) == ["RUNNING"]
    assert caller.running.charges().uses == 1


@pytest.mark.parametrize("failed", ["charged", "free"])
def test_to_accept_a_submission_is_no_more_work_when_many_were_accepted_before(
    open_sandbox: Callable[..., Any], failed: str
) -> None:
    sandbox = open_sandbox(credits=10**6, failed=FailedLooks(failed)).running.sandbox
    task = Task("http://pictures/model.png", "http://pictures/shirt.png", None, None)
    steps = []

    def work() -> int:
        """Steps the database takes."""
        steps.clear()
        sandbox.store._db.set_progress_handler(lambda: steps.append(1), 1)
        sandbox.jobs.accept(SubmissionBody("HALF_BODY", 1, (task,)), [None], lambda _: Fate())
        sandbox.store._db.set_progress_handler(None, 1)
        return len(steps)

    work()
    before = work()
    sub_task = SubTask(task, 0, 0, False, TaskImages("0" * 64, "1" * 64, None, None))
    for number in range(300):
        sandbox.store.add_job(Job(f"{number:032}", "HALF_BODY", 1, 0, (sub_task,) * 10))

    assert work() < before * 1.5
    assert sandbox.jobs.credits_left() == 10**6 - sandbox.charges().uses


def test_a_result_key_nobody_was_given_is_unknown(shared: Any, refused: Callable[..., None]) -> None:
    message = "No records found related to the specified resultKey parameter."
    for key in ("0" * 32, "111111", "衣"):
        refused(shared.query(key), 400, 23500008, message)


@pytest.mark.parametrize("number", [1, 4])
def test_there_are_as_many_results_as_were_asked_for(shared: Any, number: int) -> None:
    (state,) = shared.ended(shared.submitted(number=number))

    assert len(state["results"]) == number == len(set(state["results"]))


def test_an_answer_without_pants_does_not_echo_any(shared: Any) -> None:
    (state,) = shared.states(shared.submitted())

    assert set(state) == {"status", "results", "model_image", "tops_image"}
