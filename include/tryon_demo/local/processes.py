"""Child processes that die with us: started with a mark in their environment, found by it, ended in order.

A process group is not enough to find what a child has started: Airflow gives each task a group of its own. The
environment is inherited by all of them and survives the death of whoever started them, so that the next start
finds what a killed one left behind. Names and command lines are never trusted.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil

HOME_MARK: Final = "TRYON_STACK_HOME"
"""Environment variable that holds the home of the stack a process belongs to."""
NAME_MARK: Final = "TRYON_STACK_PROCESS"
"""Environment variable that holds the name under which the stack started the process or its ancestor."""

POLL_SECONDS: Final = 0.05
_LOG_TAIL_LINES = 40
_NOT_OURS: Final = re.compile(r"AIRFLOW|TRYON_", re.IGNORECASE)  # settings are read whatever their case


class ProcessFailedError(RuntimeError):
    """A process ended too early or did not become ready; the message ends with the tail of its log."""


class ManagedProcess:
    """One child process, its log file, and everything it starts in turn.

    Args:
        name: Short and unique within the home, such as `scheduler`.
        home: The home of the stack, and the folder the child works in.
        log_path: Standard output and error are appended to this file.
        env: The whole environment, to which the marks are added.
    """

    def __init__(
        self, name: str, argv: Sequence[str], *, home: Path, log_path: Path, env: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log_path = log_path
        self.argv = list(argv)
        self._home = home
        # setproctitle writes over the environment of a process unless it is told not to.
        self.env = {**env, HOME_MARK: str(home), NAME_MARK: name, "SPT_NOENV": "1"}
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self.started_at = datetime.now(UTC)

    def __repr__(self) -> str:
        return f"ManagedProcess({self.name!r}, pid={self.pid}, returncode={self.returncode})"

    @property
    def pid(self) -> int | None:
        """The child's pid while it runs, else None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def returncode(self) -> int | None:
        """How the child ended, minus the number of the signal if by one; None before that."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the child; nothing to do while it runs."""
        if self.pid is not None:
            return
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.started_at = datetime.now(UTC)
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - the stack's own command lines
                self.argv,
                cwd=self._home,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C in the terminal is for us, who then end it in order
            )

    def output(self) -> str:
        """What the child and its own children have written since it was last started."""
        with suppress(FileNotFoundError), self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")
        return ""

    def first_json_line(self) -> dict[str, Any] | None:
        """The first line of the output that is a JSON object: how some programs say where they listen."""
        for line in self.output().splitlines():
            if line.startswith("{"):
                with suppress(json.JSONDecodeError):
                    value: dict[str, Any] = json.loads(line)
                    return value
        return None

    def wait_until(
        self, ready: Callable[[], bool], *, timeout: float, description: str, every: float = POLL_SECONDS
    ) -> None:
        """Poll a condition that the child is to bring about.

        Args:
            timeout: Seconds.
            description: Completes "ended before" in the error.
            every: Seconds from one look to the next.

        Raises:
            ProcessFailedError: The child ended first, or the time is over.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            if self.returncode is not None:
                raise self._failure(f"ended with {self.returncode} before {description}")
            if time.monotonic() > deadline:
                raise self._failure(f"runs, but after {timeout:.0f} s not yet: {description}")
            time.sleep(every)

    def wait_for_success(self, *, timeout: float) -> None:
        """Wait until the child has ended by itself.

        Raises:
            ProcessFailedError: It ended with an error, or not within `timeout` seconds.
        """
        if self._process is None:
            raise ProcessFailedError(f"{self.name} was never started")
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise self._failure(f"was not done after {timeout:.0f} s") from error
        if code != 0:
            raise self._failure(f"ended with {code}")

    def send(self, signal_number: signal.Signals) -> None:
        """Send a signal to the child alone, not to what it has started; after SIGKILL, wait for its end."""
        if self._process is None or self.pid is None:
            return
        self._process.send_signal(signal_number)
        if signal_number is signal.SIGKILL:
            self._process.wait()

    def family(self) -> list[psutil.Process]:
        """The child and everything that descends from it, also when the child itself is gone."""
        return marked_processes(self._home, name=self.name)

    def end(self, *, grace: float) -> None:
        """End the child and its whole family: SIGTERM, up to `grace` seconds, SIGKILL for what is left."""
        end_all([self], grace=grace)

    def _failure(self, problem: str) -> ProcessFailedError:
        tail = "\n".join(self.output().splitlines()[-_LOG_TAIL_LINES:]) or "(it wrote nothing)"
        return ProcessFailedError(f"{self.name} {problem}. The log {self.log_path} ends with:\n{tail}")


def inherited_environment() -> dict[str, str]:
    """Our own environment, as far as it is meant for what we start.

    The person's AIRFLOW* and TRYON_* variables are left out: they are another Airflow's, and a real shop's.
    """
    inherited = {name: value for name, value in os.environ.items() if not _NOT_OURS.match(name)}
    # Without compiled files each Airflow process compiles some 2,000 modules, and takes twice as long to start.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    inherited["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
    for name in ("NO_PROXY", "no_proxy"):  # a proxy of the person's is not for what listens on this machine
        inherited[name] = ",".join(filter(None, [inherited.get(name), "127.0.0.1", "localhost"]))
    return inherited


def end_all(processes: Iterable[ManagedProcess], *, grace: float) -> None:
    """End several children and their families at the same time.

    A child gets SIGTERM, and once more when half of the time is over: Airflow's processes take the second one as
    "do not wait for what is under way", and still sign off in their database, which a killed one does not.

    Args:
        grace: Seconds until SIGKILL for whatever still lives.
    """
    ended = list(processes)
    for _ in range(2):
        for process in ended:
            process.send(signal.SIGTERM)
        deadline = time.monotonic() + grace / 2
        while any(process.pid is not None for process in ended) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    for process in ended:
        process.send(signal.SIGKILL)
        kill_all(process.family)


def kill_all(find: Callable[[], list[psutil.Process]]) -> None:
    """SIGKILL what `find` finds until it finds nothing: a dying process may have started one more."""
    while found := find():
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        wait_until_gone(found, timeout=5)


def marked_processes(home: Path, *, name: str | None = None) -> list[psutil.Process]:
    """Our user's live processes that belong to the stack of this home, or to one named process of it."""
    marks = {HOME_MARK: str(home)} | ({NAME_MARK: name} if name is not None else {})
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # gone meanwhile, or another user's
            if process.pid == os.getpid() or process.uids().real != os.getuid() or not lives(process):
                continue
            environment = process.environ()
            if all(environment.get(mark) == value for mark, value in marks.items()):
                found.append(process)
    return found


def lives(process: psutil.Process) -> bool:
    """Whether a process runs; one that has ended and waits for its parent to notice does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(processes: Iterable[psutil.Process], *, timeout: float) -> None:
    """Wait up to `timeout` seconds until all these processes have ended."""
    deadline = time.monotonic() + timeout
    waited_for = list(processes)
    while any(lives(process) for process in waited_for) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
