"""The whole stack: what it starts works, and what it started is gone afterwards, however it ended."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

from tests.guards import GUARD
from tryon_demo.local.api import AirflowApi, AirflowApiError, RunState
from tryon_demo.local.locks import FolderInUseError
from tryon_demo.local.ports import free_port, remembered_port
from tryon_demo.local.postgres import LocalPostgres
from tryon_demo.local.processes import ManagedProcess, lives, marked_processes
from tryon_demo.local.stack import LocalStack, StackError

DAGS = """
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import dag, task


@dag(schedule=None, params={"word": "hello"})
def echo():
    @task
    def say(params=None):
        print("said", params["word"])
        return params["word"]

    wait = TimeDeltaSensor(task_id="wait", delta=timedelta(seconds=6), deferrable=True)
    wait >> say() >> BashOperator(task_id="shell", bash_command="echo $AIRFLOW_VAR_GREETING")


@dag(schedule=None, params={"gate": ""})
def gated():
    @task
    def hold(params=None):
        import time

        while not Path(params["gate"]).exists():
            time.sleep(0.1)

    hold()


echo()
gated()
"""
HOLDER = """
import signal, sys, time
from pathlib import Path
from tryon_demo.local.stack import LocalStack
signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts the tests in the background has it ignored
with LocalStack(Path(sys.argv[1]), dags_folder=Path(sys.argv[2]), durable=False) as stack:
    stack.serve_folder("images", Path(sys.argv[2]), port=int(sys.argv[3]))
    print("up", flush=True)
    time.sleep(600)
"""
POOLS_LOCKED = """
SELECT activity.pid FROM pg_stat_activity AS activity JOIN pg_locks AS held ON held.pid = activity.pid
WHERE held.relation = 'slot_pool'::regclass AND held.mode = 'RowShareLock' AND held.granted
AND activity.state = 'idle in transaction' AND activity.datname = 'airflow'
"""


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dags")
    (folder / "dags.py").write_text(DAGS)
    return folder


def hold(home: Path, dags: Path, port: int) -> subprocess.Popen[str]:
    """Another process that holds a stack of this home."""
    command = [sys.executable, "-c", HOLDER, str(home), str(dags), str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_until(condition: Callable[[], bool], *, timeout: float, every: float = 0.25) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(every)


def postgres_runs(home: Path) -> bool:
    """Whether a PostgreSQL server of this home answers; as root it is another user's, without our mark."""
    with socket.socket(socket.AF_UNIX) as caller:
        try:
            caller.connect(str(LocalPostgres(home / "postgres").socket_folder / ".s.PGSQL.5432"))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def stop_with_pools_locked(stack: LocalStack) -> None:
    """Hold the scheduler up in the middle of a transaction in which it has locked the pools."""
    engine = create_engine(stack.postgres.url("airflow"), isolation_level="AUTOCOMMIT")

    def stopped_there() -> bool:
        stack.kill("scheduler", signal.SIGSTOP)
        with engine.connect() as connection:
            if connection.execute(text(POOLS_LOCKED)).first():
                return True
        stack.kill("scheduler", signal.SIGCONT)
        return False

    try:
        wait_until(stopped_there, timeout=GUARD, every=0.05)
    finally:
        engine.dispose()


# -- without Airflow ---------------------------------------------------------------------------------------


def test_side_processes_are_served_restarted_and_ended(tmp_path: Path, dags: Path) -> None:
    home = tmp_path / "home"
    with LocalStack(home, dags_folder=dags, durable=False) as stack:
        url = stack.serve_folder("images", dags, port=remembered_port(home, "images"))
        assert urllib.request.urlopen(f"{url}/dags.py").read().decode() == DAGS  # noqa: S310 - our own address
        first = stack.process("images").pid
        stack.restart("images")
        assert stack.process("images").pid != first
        (tmp_path / "word").write_text("served from another folder")
        *options, _, port = stack.process("images").argv
        stack.restart("images", [*options, str(tmp_path), port])
        assert urllib.request.urlopen(f"{url}/word").read() == b"served from another folder"  # noqa: S310 - as above
        stack.kill_family("images")
        assert stack.process("images").family() == []
        stack.start("images")
        with pytest.raises(StackError, match="there is a process images already"):
            stack.spawn("images", ["true"], ready=ManagedProcess.first_json_line)
        with pytest.raises(StackError, match="no process sandbox was started here; there are: images"):
            stack.kill("sandbox")
        assert postgres_runs(home)
    assert marked_processes(home) == []
    assert not postgres_runs(home)


def test_an_error_in_the_block_ends_everything(tmp_path: Path, dags: Path) -> None:
    def fail() -> None:
        with LocalStack(tmp_path, dags_folder=dags, durable=False) as stack:
            stack.serve_folder("images", dags, port=free_port())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert marked_processes(tmp_path) == []
    assert not postgres_runs(tmp_path)


@pytest.mark.parametrize("asked_by", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_holder_that_is_told_to_stop_leaves_nothing(
    tmp_path: Path, dags: Path, asked_by: signal.Signals
) -> None:
    with hold(tmp_path, dags, free_port()) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "up\n"
        holder.send_signal(asked_by)
        assert holder.wait(GUARD) != 0
    assert marked_processes(tmp_path) == []
    assert not postgres_runs(tmp_path)


def test_a_home_in_use_is_refused_and_what_a_killed_holder_left_is_ended(tmp_path: Path, dags: Path) -> None:
    with hold(tmp_path, dags, free_port()) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "up\n"
        with (
            pytest.raises(FolderInUseError, match=f"number {holder.pid}"),
            LocalStack(tmp_path, dags_folder=dags),
        ):
            pass
        left_behind = marked_processes(tmp_path, name="images")
        assert len(left_behind) == 1
        holder.kill()
    assert lives(left_behind[0])
    with LocalStack(tmp_path, dags_folder=dags, durable=False) as stack:
        assert not lives(left_behind[0])
        assert stack.postgres.running
    assert not postgres_runs(tmp_path)


# -- with Airflow ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, dags: Path) -> Iterator[LocalStack]:
    home = tmp_path_factory.mktemp("stack")
    environment = {"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False", "AIRFLOW_VAR_GREETING": "good day"}
    with LocalStack(home, dags_folder=dags, env=environment, durable=False) as started:
        started.start_airflow()
        started.wait_for_dags("echo", "gated")
        yield started
    assert marked_processes(home) == []
    assert not postgres_runs(home)


@pytest.fixture
def api(stack: LocalStack) -> AirflowApi:
    return stack.api


@pytest.mark.e2e
def test_a_dag_runs_through_deferral_task_and_shell(api: AirflowApi) -> None:
    run = api.trigger_dag("echo", conf={"word": "good evening"})
    ended = api.wait_for_run("echo", run.run_id, timeout=GUARD)
    assert ended.state is RunState.SUCCESS
    assert {task.task_id: task.state for task in api.task_instances("echo", run.run_id)} == {
        "wait": "success",
        "say": "success",
        "shell": "success",
    }
    assert api.xcom("echo", run.run_id, "say") == "good evening"
    assert "good day" in api.log("echo", run.run_id, "shell")
    assert run.run_id in [found.run_id for found in api.dag_runs("echo")]


@pytest.mark.e2e
def test_a_running_task_is_found_shot_cleared_and_marked(stack: LocalStack, tmp_path: Path) -> None:
    api = stack.api
    run = api.trigger_dag("gated", conf={"gate": str(tmp_path / "gate")})
    wait_until(lambda: bool(stack.task_processes()), timeout=GUARD)
    [task] = stack.task_processes()
    assert (task.dag_id, task.run_id, task.task_id, task.map_index) == ("gated", run.run_id, "hold", -1)
    assert task.supervisor is not None
    assert task.supervisor.pid in {found.pid for found in stack.process("scheduler").family()}
    task.process.kill()
    assert api.wait_for_run("gated", run.run_id, timeout=GUARD).state is RunState.FAILED
    api.clear("gated", run.run_id, ["hold"])
    wait_until(lambda: bool(stack.task_processes()), timeout=GUARD)
    (tmp_path / "gate").touch()
    assert api.wait_for_run("gated", run.run_id, timeout=GUARD).state is RunState.SUCCESS
    api.mark_task("gated", run.run_id, "hold", "failed")
    assert [found.state for found in api.task_instances("gated", run.run_id)] == ["failed"]


@pytest.mark.e2e
@pytest.mark.long
def test_a_scheduler_shot_with_the_pools_locked_is_followed_by_one_that_goes_on(
    stack: LocalStack, tmp_path: Path
) -> None:
    api = stack.api
    run = api.trigger_dag("gated", conf={"gate": str(tmp_path / "gate")})
    wait_until(lambda: bool(stack.task_processes()), timeout=GUARD)
    [task] = stack.task_processes()
    stop_with_pools_locked(stack)
    stack.kill("scheduler")
    assert lives(task.process)
    stack.start("scheduler")
    assert lives(task.process)
    next_run = api.trigger_dag("gated", conf={"gate": str(tmp_path / "gate")})
    (tmp_path / "gate").touch()
    assert api.wait_for_run("gated", run.run_id, timeout=GUARD).state is RunState.SUCCESS
    assert api.wait_for_run("gated", next_run.run_id, timeout=GUARD).state is RunState.SUCCESS
    assert task.supervisor is not None
    assert lives(task.supervisor)  # an orphan now; the end of the stack takes it along


@pytest.mark.e2e
def test_pools_are_created_and_changed(api: AirflowApi) -> None:
    api.set_pool("vendor", 2, include_deferred=True)
    api.set_pool("vendor", 3, include_deferred=True)
    with pytest.raises(AirflowApiError, match="404"):
        api.xcom("echo", "never", "say")


@pytest.mark.e2e
def test_a_broken_dag_file_is_reported_with_its_stack_trace(stack: LocalStack, dags: Path) -> None:
    broken = dags / "broken.py"
    broken.write_text("from airflow.sdk import dag\n1 / 0\n")
    try:
        with pytest.raises(StackError, match=r"broken\.py cannot be read:\n(.*\n)*.*ZeroDivisionError"):
            stack.wait_for_dags("never", timeout=GUARD)
    finally:
        broken.unlink()


@pytest.mark.e2e
def test_a_wrong_password_is_refused_without_being_shown(stack: LocalStack) -> None:
    stranger = AirflowApi(stack.airflow_url, user="admin", password="guessed")
    with pytest.raises(AirflowApiError, match="check user and password") as caught:
        stranger.dag_ids()
    assert "guessed" not in str(caught.value) + repr(stranger)
    stranger.close()


@pytest.mark.e2e
def test_airflow_listens_on_this_machine_only(stack: LocalStack) -> None:
    listening = {
        connection.laddr.ip
        for process in marked_processes(stack.home)
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    assert (stack.home / "secrets.json").stat().st_mode & 0o077 == 0
