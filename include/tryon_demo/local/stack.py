"""Everything on one machine: PostgreSQL, Airflow's four processes, and whatever else is put beside them.

What `make demo` and the end-to-end tests start. All of it lives below one folder, the home, and dies with the
process that holds the stack; what a killed holder left behind is ended by the next start on the same home.
DAGs, connections and side processes are the caller's.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil

from tryon_demo.local.airflow import (
    COMMANDS,
    DATABASE_SETTINGS,
    USER,
    AirflowSecrets,
    AirflowSetup,
    is_migrated,
    remember_migration,
)
from tryon_demo.local.api import AirflowApi, AirflowApiError, Component
from tryon_demo.local.locks import FolderLock
from tryon_demo.local.ports import listens, named_port
from tryon_demo.local.postgres import LocalPostgres
from tryon_demo.local.processes import (
    HOME_MARK,
    NAME_MARK,
    POLL_SECONDS,
    ManagedProcess,
    end_all,
    inherited_environment,
    kill_all,
    marked_processes,
)
from tryon_demo.local.signals import leaving_in_order, not_hurried

API_SERVER: Final = "api-server"
_MIGRATION: Final = "db-migrate"
_LOOK_SECONDS: Final = 0.3  # looking is work for the API server, which is busy starting
_COMPONENTS: Final[Mapping[str, Component]] = {
    "scheduler": Component.SCHEDULER,
    "dag-processor": Component.DAG_PROCESSOR,
    "triggerer": Component.TRIGGERER,
}


class StackError(RuntimeError):
    """The stack was asked for something it cannot do; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class TaskProcess:
    """The operating system's side of a running task.

    Attributes:
        process: Runs the task's code.
        supervisor: Airflow's process above it, which reports how the task went. A worker that dies takes both.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    process: psutil.Process
    supervisor: psutil.Process | None


@dataclass(frozen=True, slots=True)
class _Member:
    process: ManagedProcess
    ready: Callable[[ManagedProcess], object]
    timeout: float
    every: float

    def wait(self) -> None:
        self.process.wait_until(
            lambda: bool(self.ready(self.process)),
            timeout=self.timeout,
            description="it was ready",
            every=self.every,
        )


class LocalStack:
    """PostgreSQL from the first moment, Airflow from `start_airflow` on; all ended when the `with` block is left.

    Between the two, side processes can be started whose addresses Airflow's environment needs.

    Args:
        home: The folder of this stack; made when missing. One live stack at a time.
        dags_folder: Where the DAG files are.
        plugins_folder: Airflow's plugins folder; None for none.
        env: Environment variables for Airflow: AIRFLOW_CONN_*, AIRFLOW__* and any other. The connection
            `catalogue_db` is there without asking.
        airflow_port: Of the API server; 0 for a free one.
        start_timeout: Seconds Airflow may take until it is ready.
        grace: Seconds between SIGTERM and SIGKILL when the stack ends.
        durable: False lets PostgreSQL skip what only a power cut needs. For tests.
    """

    def __init__(
        self,
        home: Path,
        *,
        dags_folder: Path,
        plugins_folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        airflow_port: int = 0,
        start_timeout: float = 600.0,
        grace: float = 8.0,
        durable: bool = True,
    ) -> None:
        self.home = home.absolute()
        self.postgres = LocalPostgres(
            self.home / "postgres", durable=durable, env={HOME_MARK: str(self.home), NAME_MARK: "postgres"}
        )
        self._dags_folder = dags_folder
        self._plugins_folder = plugins_folder
        self._env = dict(env or {})
        self._requested_port = airflow_port
        self._start_timeout = start_timeout
        self._grace = grace
        self._lock = FolderLock(self.home)
        self._signals = ExitStack()
        self._members: dict[str, _Member] = {}
        self._setup: AirflowSetup | None = None
        self._api: AirflowApi | None = None

    # -- life ------------------------------------------------------------------------------------------------

    def __enter__(self) -> LocalStack:
        """Take the home, end what is left there, start PostgreSQL with its databases.

        Raises:
            FolderInUseError: A live process holds a stack in this home.
            PortTakenError: The port named for the API server is taken.
            LocalPostgresError: PostgreSQL did not start.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock.take()
        self._signals.enter_context(leaving_in_order())
        try:
            kill_all(lambda: marked_processes(self.home))
            self._prepare()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything: what starts tasks first, what tasks lean on after it, PostgreSQL last."""
        self._close()

    def start_airflow(self, env: Mapping[str, str] | None = None) -> AirflowApi:
        """Start the four processes and wait until all of them work.

        Args:
            env: More environment variables, over those of the constructor.

        Raises:
            ProcessFailedError: One ended or was not ready in time; with the tail of its log.
            StackError: They were started before.
        """
        setup = self._prepared()
        if API_SERVER in self._members:
            raise StackError("Airflow was started already: use `restart` for a single process")
        whole = setup.environment(self._connections() | self._env | dict(env or {}))
        if not is_migrated(setup):
            migration = self._managed(_MIGRATION, setup.command("db", "migrate"), whole)
            # Nobody waits for it to be ready, but it is ended with the others should we be told to leave now.
            self._members[_MIGRATION] = _Member(migration, bool, self._start_timeout, _LOOK_SECONDS)
            migration.start()
            migration.wait_for_success(timeout=self._start_timeout)
            remember_migration(setup)
        for name, command in COMMANDS.items():
            ready = self._api_answers if name == API_SERVER else self._gives_signs_of_life
            process = self._managed(name, setup.command(*command), whole)
            self._members[name] = _Member(process, ready, self._start_timeout, _LOOK_SECONDS)
            process.start()
        for name in COMMANDS:
            self._members[name].wait()
        return self.api

    def spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        ready: Callable[[ManagedProcess], object],
        env: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> ManagedProcess:
        """Start a process beside Airflow and wait until it is ready.

        Args:
            name: A new one; its log is `logs/NAME.log`.
            ready: Asked again and again until what it returns is true, such as `ManagedProcess.first_json_line`.
            timeout: Seconds until it has to be ready.

        Raises:
            ProcessFailedError: It ended or was not ready in time; with the tail of its log.
        """
        if name in self._members:
            raise StackError(f"there is a process {name} already: restart it, or choose another name")
        process = self._managed(name, argv, inherited_environment() | dict(env or {}))
        self._members[name] = _Member(process, ready, timeout, POLL_SECONDS)
        process.start()
        self._members[name].wait()
        return process

    def serve_folder(self, name: str, folder: Path, *, port: int) -> str:
        """Serve the files of a folder by HTTP on 127.0.0.1, and return the URL of the folder."""
        argv = [
            sys.executable,
            "-m",
            "http.server",
            "--bind",
            "127.0.0.1",
            "--directory",
            str(folder),
            str(port),
        ]
        self.spawn(name, argv, ready=lambda process: listens(port))
        return f"http://127.0.0.1:{port}"

    # -- single processes ------------------------------------------------------------------------------------

    @property
    def names(self) -> Sequence[str]:
        """The names of the started processes."""
        return list(self._members)

    def process(self, name: str) -> ManagedProcess:
        """One of the started processes by its name."""
        if name not in self._members:
            raise StackError(
                f"no process {name} was started here; there are: {', '.join(self._members) or 'none'}"
            )
        return self._members[name].process

    def kill(self, name: str, signal_number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one process alone; what it has started lives on, as after a crash."""
        self.process(name).send(signal_number)

    def kill_family(self, name: str) -> None:
        """SIGKILL one process and everything it has started, as when its machine is lost."""
        kill_all(self.process(name).family)

    def start(self, name: str) -> None:
        """Start a process that has ended, leaving alone what it had started, and wait until it is ready."""
        process = self.process(name)
        process.start()
        self._members[name].wait()

    def restart(self, name: str, argv: Sequence[str] | None = None) -> None:
        """End a process and everything it has started in order, start it anew, and wait until it is ready.

        Args:
            argv: Another program and arguments than before.
        """
        process = self.process(name)
        process.end(grace=self._grace)
        if argv is not None:
            process.argv = list(argv)
        self.start(name)

    def task_processes(self) -> list[TaskProcess]:
        """The processes of the tasks that run now, as far as they are here and ours."""
        family = {process.pid: process for process in marked_processes(self.home)}
        found = []
        for task in self.api.task_instances(states=["running"]):
            if task.pid is None or (process := family.get(task.pid)) is None:
                continue
            with suppress(psutil.NoSuchProcess):
                place = (task.dag_id, task.run_id, task.task_id, task.map_index, task.try_number)
                found.append(TaskProcess(*place, process, family.get(process.ppid())))
        return found

    # -- addresses -------------------------------------------------------------------------------------------

    @property
    def logs(self) -> Path:
        """The folder with one log file for each process."""
        return self.home / "logs"

    @property
    def airflow_url(self) -> str:
        """Where a person finds Airflow's pages."""
        return self._prepared().url

    @property
    def airflow_user(self) -> str:
        """The name to log in with there."""
        return USER

    @property
    def airflow_password(self) -> str:
        """The password to log in with there; the same at every start of this home."""
        return self._prepared().secrets.password

    @property
    def catalogue_url(self) -> str:
        """SQLAlchemy URL of the database for the shop's table and the ledger."""
        return self.postgres.url("catalogue")

    @property
    def api(self) -> AirflowApi:
        """Airflow's REST API as the admin."""
        if self._api is None:
            secret = self._prepared().secrets.password
            self._api = AirflowApi(self.airflow_url, user=USER, password=secret)
        return self._api

    def wait_for_dags(self, *dag_ids: str, timeout: float = 60.0) -> None:
        """Wait until DAGs have been read and can be triggered.

        Raises:
            StackError: They are not after `timeout` seconds; with the stack traces of files that cannot be read.
        """
        deadline = time.monotonic() + timeout
        while missing := set(dag_ids) - self.api.dag_ids():
            if errors := self.api.import_errors():
                raise StackError(
                    "\n".join(f"{file} cannot be read:\n{trace}" for file, trace in errors.items())
                )
            if time.monotonic() > deadline:
                raise StackError(
                    f"no DAG {', '.join(sorted(missing))} in {self._dags_folder} after {timeout:.0f} s; "
                    f"see {self.process('dag-processor').log_path}"
                )
            time.sleep(_LOOK_SECONDS)

    # -- inside ----------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        port = named_port(self._requested_port, "the Airflow pages")
        self.postgres.start()
        self.postgres.create_database("catalogue")
        self._setup = AirflowSetup(
            home=self.home,
            dags_folder=self._dags_folder,
            plugins_folder=self._plugins_folder,
            database_url=self.postgres.create_database("airflow", settings=DATABASE_SETTINGS),
            port=port,
            secrets=AirflowSecrets.of(self.home),
        )

    def _prepared(self) -> AirflowSetup:
        if self._setup is None:
            raise StackError("the stack is not started: use it in a `with` block")
        return self._setup

    def _managed(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> ManagedProcess:
        return ManagedProcess(name, argv, home=self.home, log_path=self.logs / f"{name}.log", env=env)

    def _connections(self) -> dict[str, str]:
        connection = {
            "conn_type": "postgres",
            "host": str(self.postgres.socket_folder),
            "login": "postgres",
            "schema": "catalogue",
        }
        return {"AIRFLOW_CONN_CATALOGUE_DB": json.dumps(connection)}

    def _api_answers(self, process: ManagedProcess) -> bool:
        return self.api.answers(timeout=self._start_timeout)

    def _gives_signs_of_life(self, process: ManagedProcess) -> bool:
        try:
            sign = self.api.heartbeat(_COMPONENTS[process.name])
        except AirflowApiError as error:
            if error.status is None or error.status >= 500:  # the API server is on its way up or down
                return False
            raise
        return sign is not None and sign >= process.started_at  # an earlier sign is another process's

    def _close(self) -> None:
        with not_hurried():
            if self._api is not None:
                self._api.close()  # a server that is told to end waits for its connections
            starters = [self._members[name].process for name in _COMPONENTS if name in self._members]
            others = [member.process for member in self._members.values() if member.process not in starters]
            end_all(starters, grace=self._grace)
            end_all(others, grace=self._grace)
            self.postgres.stop()
            kill_all(lambda: marked_processes(self.home))
            self._lock.release()
        self._signals.close()
