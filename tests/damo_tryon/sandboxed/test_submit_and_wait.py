"""Operator, sensor and trigger together against the stand-in vendor; its own books say what was paid for."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from damo_tryon.errors import InDoubtError, OutcomeUnknownError
from damo_tryon.operators import TryOnSubmitOperator
from damo_tryon.sensors import TryOnResultSensor
from damo_tryon.triggers import TryOnResultTrigger

HERE = Path(__file__).parent
_numbers = itertools.count(1)


class TaskInstance:
    """Keeps task state over tries, and takes XComs."""

    dag_id, run_id, task_id, map_index = "shop", "night", "submit", None

    def __init__(self) -> None:
        self.state: dict[str, str] = {}
        self.xcoms: dict[str, Any] = {}

    def get(self, key: str, default: object = None) -> object:
        return json.loads(self.state[key]) if key in self.state else default

    def set(self, key: str, value: object, *, retention: object = None) -> None:
        self.state[key] = json.dumps(value)

    def xcom_push(self, key: str, value: object) -> None:
        self.xcoms[key] = value

    def submit(self, tasks: list[dict[str, str]], **settings: Any) -> list[str]:
        operator = TryOnSubmitOperator(task_id="submit", tasks=tasks, fit_type="HALF_BODY", **settings)
        return operator.execute({"ti": self, "task_state_store": self})


@pytest.fixture
def ti() -> TaskInstance:
    return TaskInstance()


def looks(pictures: str, *tops: str) -> list[dict[str, str]]:
    """Looks never seen before, their tops showing what their names begin with."""
    return [
        {"model_image": f"{pictures}/good-model", "tops_image": f"{pictures}/{top}-{next(_numbers)}"}
        for top in tops
    ]


def tops(tasks: list[dict[str, str]]) -> set[str]:
    return {task["tops_image"] for task in tasks}


def paid_for(sandbox: Any, tasks: list[dict[str, str]]) -> list[int]:
    charged = sandbox.charged()
    return [charged.get(task["tops_image"], 0) for task in tasks]


async def wait_for(keys: list[str]) -> dict[str, Any]:
    """Look, defer, poll as the triggerer would, and resume."""
    sensor = TryOnResultSensor(task_id="wait", result_keys=keys, deferrable=True, timeout=30)
    try:
        return sensor.execute({})
    except TaskDeferred as deferred:
        path, arguments = deferred.trigger.serialize()
        assert path.endswith("TryOnResultTrigger")
        quick = {**arguments, "first_poll_after": 0.02, "longest_interval": 0.1}
        (event,) = [event async for event in TryOnResultTrigger(**json.loads(json.dumps(quick))).run()]
        return sensor.execute_complete({}, event.payload)


async def test_looks_become_pictures_and_each_is_paid_for_once(
    ti: TaskInstance, sandbox: Any, pictures: str
) -> None:
    tasks = looks(pictures, *["good"] * 12)
    keys = ti.submit(tasks)
    assert len(keys) == 2
    assert (await wait_for(keys))["counts"]["SUCCESS"] == 12
    assert ti.submit(tasks) == keys  # the task is cleared and runs again
    assert paid_for(sandbox, tasks) == [1] * 12


def test_among_ten_looks_two_bad_ones_are_found_and_eight_go_through(
    ti: TaskInstance, sandbox: Any, pictures: str
) -> None:
    tasks = looks(pictures, *["good"] * 3, "missing", *["good"] * 4, "small", "good")
    assert ti.submit(tasks)
    assert {entry["index"]: entry["code"] for entry in ti.xcoms["refused"]} == {3: 23500006, 8: 23500007}
    assert paid_for(sandbox, tasks) == [1, 1, 1, 0, 1, 1, 1, 1, 0, 1]


def test_a_lost_answer_is_a_doubt_and_no_second_charge(ti: TaskInstance, sandbox: Any, pictures: str) -> None:
    tasks = looks(pictures, "good", "good")
    sandbox.suffer({"kind": "lose_answer", "path": "submit"})
    with pytest.raises(OutcomeUnknownError):
        ti.submit(tasks)
    for _ in range(2):
        with pytest.raises(InDoubtError):
            ti.submit(tasks)
    assert paid_for(sandbox, tasks) == [1, 1]


def test_throttling_is_waited_out_and_costs_nothing(ti: TaskInstance, sandbox: Any, pictures: str) -> None:
    tasks = looks(pictures, "good")
    sandbox.suffer({"kind": "throttle", "path": "submit"})
    assert ti.submit(tasks)
    assert paid_for(sandbox, tasks) == [1]


async def test_a_sub_task_that_fails_is_counted(ti: TaskInstance, sandbox: Any, pictures: str) -> None:
    sandbox.suffer({"kind": "fail_sub_task", "index": 0})
    keys = ti.submit(looks(pictures, "good", "good"))
    counts = (await wait_for(keys))["counts"]
    assert (counts["SUCCESS"], counts["FAILED"]) == (1, 1)


async def test_a_vendor_that_breaks_off_some_queries_is_borne(
    ti: TaskInstance, sandbox: Any, pictures: str
) -> None:
    keys = ti.submit(looks(pictures, "good"))
    sandbox.suffer({"kind": "close", "path": "query", "times": 3})
    assert (await wait_for(keys))["counts"]["SUCCESS"] == 1


def test_in_a_real_airflow_a_retry_sends_only_what_the_first_try_did_not(
    sandbox: Any, pictures: str, tmp_path: Path
) -> None:
    tasks = looks(pictures, *["good"] * 11)
    last = tasks[-1]["tops_image"]
    # The package is used up when the second submission comes, and has been filled up when the task is tried again.
    sandbox.suffer({"kind": "refuse", "code": 23500003, "times": 1, "containing": last})
    done = subprocess.run(
        [sys.executable, str(HERE / "run_in_airflow.py")],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "LOOKS": json.dumps(tasks),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["states"] == {"submit": "success", "wait": "success"}
    assert seen["tries"] == 2
    assert (seen["summary"]["submissions"], seen["summary"]["counts"]["SUCCESS"]) == (2, 11)
    assert paid_for(sandbox, tasks) == [1] * 11
    (kept,) = seen["kept"]
    assert (kept["task"], kept["expires"]) == ("submit", "None")
    assert sandbox.appcode not in kept["value"]
