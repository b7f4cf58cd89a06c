"""Child processes with all their descendants: found by their mark, ended in order."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.guards import GUARD
from tryon_demo.local.processes import (
    HOME_MARK,
    ManagedProcess,
    ProcessFailedError,
    end_all,
    inherited_environment,
    kill_all,
    marked_processes,
)

Start = Callable[[str], ManagedProcess]

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
ORDERLY = """
import signal, sys, time
def leave(number, frame):
    print('left in order', flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print('up', flush=True)
time.sleep(600)
"""
ASKED_TWICE = """
import signal, sys, time
def first(number, frame):
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
signal.signal(signal.SIGTERM, first)
print('up', flush=True)
while True:
    time.sleep(600)
"""
WITH_GRANDCHILD = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, '-c', {STUBBORN!r}], start_new_session=True)
time.sleep(600)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a Python program as a managed process and wait until it, or a child of it, has said that it is up."""

    def start_program(program: str) -> ManagedProcess:
        process = ManagedProcess(
            "worker",
            [sys.executable, "-c", program],
            home=tmp_path,
            log_path=tmp_path / "logs" / "worker.log",
            env=inherited_environment(),
        )
        process.start()
        process.wait_until(lambda: "up" in process.output(), timeout=GUARD, description="it was up")
        return process

    yield start_program
    kill_all(lambda: marked_processes(tmp_path))


def test_a_process_that_leaves_when_asked_is_not_killed(start: Start) -> None:
    process = start(ORDERLY)
    process.end(grace=20)
    assert process.returncode == 0
    assert "left in order" in process.output()


def test_a_process_that_takes_its_time_is_asked_twice(start: Start) -> None:
    process = start(ASKED_TWICE)
    process.end(grace=4)
    assert process.returncode == 0


def test_a_process_that_does_not_listen_is_killed_after_the_grace(start: Start) -> None:
    process = start(STUBBORN)
    process.end(grace=0.1)
    assert process.returncode == -signal.SIGKILL


def test_grandchildren_in_sessions_of_their_own_are_ended_too(start: Start, tmp_path: Path) -> None:
    process = start(WITH_GRANDCHILD)
    assert len(process.family()) == 2
    process.end(grace=5)
    assert marked_processes(tmp_path) == []


def test_a_shot_process_leaves_its_family_which_is_found_again(start: Start) -> None:
    process = start(WITH_GRANDCHILD)
    process.send(signal.SIGKILL)
    assert process.pid is None
    orphans = process.family()
    assert len(orphans) == 1
    process.end(grace=0)
    assert not psutil.pid_exists(orphans[0].pid) or orphans[0].status() == psutil.STATUS_ZOMBIE


def test_only_processes_with_the_mark_of_this_home_are_found(start: Start, tmp_path: Path) -> None:
    process = start(SLEEPER)
    assert [found.pid for found in marked_processes(tmp_path)] == [process.pid]
    assert marked_processes(tmp_path, name="another") == []
    assert marked_processes(tmp_path / "elsewhere") == []


def test_ending_twice_or_never_started_is_nothing(start: Start, tmp_path: Path) -> None:
    process = start(SLEEPER)
    end_all([process], grace=5)
    end_all([process], grace=5)
    never = ManagedProcess("never", ["false"], home=tmp_path, log_path=tmp_path / "never.log", env={})
    end_all([never], grace=5)
    assert never.returncode is None
    assert never.output() == ""


def test_a_process_that_ends_before_it_is_ready_is_reported_with_its_log(start: Start) -> None:
    with pytest.raises(ProcessFailedError, match=r"worker ended with 3 before it was up.*\n.*no such thing"):
        start("import sys; print('no such thing'); sys.exit(3)")


def test_a_process_that_is_never_ready_is_reported(start: Start) -> None:
    process = start(SLEEPER)
    with pytest.raises(ProcessFailedError, match="not yet: the moon is full"):
        process.wait_until(lambda: False, timeout=0.1, description="the moon is full")
    with pytest.raises(ProcessFailedError, match=r"was not done after 0 s"):
        process.wait_for_success(timeout=0.1)


def test_output_is_that_of_the_last_start_alone(start: Start, tmp_path: Path) -> None:
    process = start("import os, time; print('up', os.getpid(), flush=True); time.sleep(600)")
    first = process.pid
    process.end(grace=5)
    process.start()
    process.wait_until(lambda: "up" in process.output(), timeout=GUARD, description="it was up again")
    assert str(first) not in process.output()
    assert str(first) in process.log_path.read_text()


def test_the_first_json_line_is_found_among_others(start: Start) -> None:
    process = start("print('{broken'); print('{\"url\": 1}'); print('{\"url\": 2}'); print('up', flush=True)")
    assert process.first_json_line() == {"url": 1}


def test_the_environment_of_children_holds_no_settings_of_another_airflow_or_of_a_real_shop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", "http://:real@vendor")
    monkeypatch.setenv("AIRFLOW_HOME", "/somewhere")
    monkeypatch.setenv("TRYON_CATALOGUE__TABLE", "shop.products")
    monkeypatch.setenv("tryon_catalogue__key", "style_no")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("no_proxy", "intranet")
    environment = inherited_environment()
    assert not [name for name in environment if name.upper().startswith(("AIRFLOW", "TRYON_"))]
    assert environment["no_proxy"] == "intranet,127.0.0.1,localhost"
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert HOME_MARK not in environment
