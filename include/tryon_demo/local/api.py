"""Airflow's public REST API (v2), as far as starting, watching and steering runs needs it.

For the demo and for tests that do by machine what a person does in the pages: trigger, clear, mark, answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote

import requests

_TIMEOUT_SECONDS = 30.0
_PAGE = 100  # the API's own maximum
_POLL_SECONDS = 0.5
_POLL_SHARE = 10  # it is not asked for more than a tenth of the time


class RunState(StrEnum):
    """States of a DAG run."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in (RunState.SUCCESS, RunState.FAILED)


class Component(StrEnum):
    """What the health report speaks of."""

    SCHEDULER = "scheduler"
    TRIGGERER = "triggerer"
    DAG_PROCESSOR = "dag_processor"


@dataclass(frozen=True, slots=True)
class DagRun:
    """One run of a DAG."""

    dag_id: str
    run_id: str
    state: RunState
    logical_date: datetime | None
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """One task of one run; `map_index` is -1 where the task is not mapped, `state` None before it is scheduled."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    state: str | None
    try_number: int
    pid: int | None
    hostname: str | None
    start: datetime | None
    end: datetime | None


class AirflowApiError(RuntimeError):
    """Airflow refused a request or could not be reached; `status` is the HTTP status, None when not reached."""

    def __init__(self, message: str, *, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class RunTimeoutError(RuntimeError):
    """A run did not end in time; the message lists its tasks' states."""


class AirflowApi:
    """A session with one API server, logged in as one user.

    Args:
        url: Such as `http://127.0.0.1:8080`.
        password: Kept out of every message.
    """

    def __init__(self, url: str, *, user: str, password: str) -> None:
        self.url: Final = url.rstrip("/")
        self._user = user
        self._password = password
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor a netrc of the person is meant for this address

    def __repr__(self) -> str:
        return f"AirflowApi({self.url!r}, user={self._user!r})"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def answers(self, *, timeout: float = _TIMEOUT_SECONDS) -> bool:
        """Whether the server is up, and ready for tasks.

        The first request to the part that tasks speak to costs seven seconds of work, in which the server answers
        nobody, and a task gives up after five. So that request is made here, before there is a task.

        Args:
            timeout: Seconds it may take to answer.
        """
        try:
            return self._session.get(f"{self.url}/execution/health", timeout=timeout).ok
        except requests.RequestException:
            return False

    def heartbeat(self, component: Component) -> datetime | None:
        """When the component last gave a sign of life; None when it never did or counts as dead."""
        health: Mapping[str, Mapping[str, str | None]] = self._call("GET", "monitor/health")
        report = health.get(component.value) or {}
        return (
            _time(report.get(f"latest_{component.value}_heartbeat"))
            if report["status"] == "healthy"
            else None
        )

    def import_errors(self) -> dict[str, str]:
        """The stack trace of each DAG file that could not be read, by file name."""
        return {
            error["filename"]: error["stack_trace"] for error in self._pages("importErrors", "import_errors")
        }

    def set_pool(
        self, name: str, slots: int, *, description: str = "", include_deferred: bool = False
    ) -> None:
        """Create a pool, or change it when it exists.

        Args:
            include_deferred: Whether deferred tasks hold their slots.
        """
        pool = {
            "name": name,
            "slots": slots,
            "description": description,
            "include_deferred": include_deferred,
        }
        try:
            self._call("POST", "pools", json=pool)
        except AirflowApiError as error:
            if error.status != requests.codes.conflict:
                raise
            self._call("PATCH", f"pools/{_part(name)}", json=pool)

    def dag_ids(self) -> set[str]:
        """The DAGs that can be triggered now."""
        return {dag["dag_id"] for dag in self._pages("dags", "dags")}

    def unpause(self, dag_id: str) -> None:
        """Let the DAG's runs be scheduled."""
        self._call("PATCH", f"dags/{_part(dag_id)}", json={"is_paused": False})

    def trigger_dag(
        self,
        dag_id: str,
        *,
        logical_date: datetime | None = None,
        conf: Mapping[str, Any] | None = None,
        run_id: str | None = None,
        **moments: datetime,
    ) -> DagRun:
        """Start a run, as a person does by Trigger; the DAG has to be unpaused for it to go on.

        Args:
            logical_date: With a time zone; None for a run that stands for no date.
            conf: Values of the DAG's params.
            run_id: Made by Airflow when None.
            moments: Its `run_after`, or its `data_interval_start` and `data_interval_end`.
        """
        body = {
            **{name: moment.isoformat() for name, moment in moments.items()},
            "logical_date": logical_date.isoformat() if logical_date else None,
            "conf": dict(conf or {}),
            "dag_run_id": run_id,
        }
        return _run(self._call("POST", f"dags/{_part(dag_id)}/dagRuns", json=body))

    def dag_run(self, dag_id: str, run_id: str) -> DagRun:
        """One run as it stands."""
        return _run(self._call("GET", _run_path(dag_id, run_id)))

    def dag_runs(self, dag_id: str) -> list[DagRun]:
        """All runs of a DAG."""
        return [_run(run) for run in self._pages(f"dags/{_part(dag_id)}/dagRuns", "dag_runs")]

    def wait_for_run(self, dag_id: str, run_id: str, *, timeout: float) -> DagRun:
        """Wait until a run has ended, well or badly.

        Raises:
            RunTimeoutError: It has not after `timeout` seconds.
        """
        begun = asked = time.monotonic()
        while not (run := self.dag_run(dag_id, run_id)).state.ended:
            if (now := time.monotonic()) > begun + timeout:
                states = [(t.task_id, t.map_index, t.state) for t in self.task_instances(dag_id, run_id)]
                raise RunTimeoutError(f"{dag_id} {run_id} is {run.state} after {timeout:.0f} s: {states}")
            # Airflow reads every task of a run to answer: asking often would slow down a large one.
            time.sleep(max(_POLL_SECONDS, _POLL_SHARE * (now - asked)))
            asked = time.monotonic()
        return run

    def mark_run(self, dag_id: str, run_id: str, state: RunState) -> None:
        """Do what Mark success or Mark failed does to a run."""
        self._call("PATCH", _run_path(dag_id, run_id), json={"state": state.value})

    def clear_run(self, dag_id: str, run_id: str, *, only_failed: bool = False) -> None:
        """Do what Clear does to a whole run."""
        body = {"dry_run": False, "only_failed": only_failed}
        self._call("POST", f"{_run_path(dag_id, run_id)}/clear", json=body)

    def task_instances(
        self, dag_id: str = "~", run_id: str = "~", *, states: Sequence[str] = ()
    ) -> list[TaskInstance]:
        """The tasks of a run.

        Args:
            dag_id: `~` for every DAG.
            run_id: `~` for every run.
            states: Only tasks in these states; all when empty.
        """
        found = self._pages(
            f"{_run_path(dag_id, run_id)}/taskInstances", "task_instances", state=list(states)
        )
        return [_task(task) for task in found]

    def clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str | tuple[str, int]], *, downstream: bool = True
    ) -> None:
        """Do what Clear does to tasks: they run again, whatever came of them.

        Args:
            task_ids: Names, or name and map index.
            downstream: Whether what follows them runs again too.
        """
        body = {
            "dry_run": False,
            "only_failed": False,
            "dag_run_id": run_id,
            "task_ids": [task if isinstance(task, str) else list(task) for task in task_ids],
            "include_downstream": downstream,
        }
        self._call("POST", f"dags/{_part(dag_id)}/clearTaskInstances", json=body)

    def mark_task(self, dag_id: str, run_id: str, task_id: str, state: str, *, map_index: int = -1) -> None:
        """Do what Mark success (`success`) or Mark failed (`failed`) does to a task."""
        self._call("PATCH", _task_path(dag_id, run_id, task_id, map_index), json={"new_state": state})

    def answer(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        chosen: Sequence[str],
        *,
        values: Mapping[str, Any] | None = None,
        map_index: int = -1,
    ) -> None:
        """Answer a task that waits for a person.

        Args:
            values: What the person filled in.
        """
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{_part(task_id)}/{map_index}/hitlDetails"
        self._call("PATCH", path, json={"chosen_options": list(chosen), "params_input": dict(values or {})})

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", *, map_index: int = -1
    ) -> Any:
        """A value that a task has pushed.

        Raises:
            AirflowApiError: With status 404 when there is none.
        """
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{_part(task_id)}/xcomEntries/{_part(key)}"
        return self._call("GET", path, params={"map_index": map_index})["value"]

    def extra_links(self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1) -> dict[str, Any]:
        """The addresses behind a task's own buttons, by their names; None for one that has nothing yet."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{_part(task_id)}/links"
        return dict(self._call("GET", path, params={"map_index": map_index})["extra_links"])

    def log(self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1) -> str:
        """What a try of a task has logged, one event a line."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{_part(task_id)}/logs/{try_number}"
        answer = self._call("GET", path, params={"map_index": map_index, "full_content": True})
        return "\n".join(_log_line(event) for event in answer["content"])

    def _pages(self, path: str, key: str, **params: object) -> Iterator[Any]:
        offset = 0
        while True:
            page = self._call("GET", path, params={**params, "limit": _PAGE, "offset": offset})
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        json: Mapping[str, object] | None = None,
    ) -> Any:
        url = f"{self.url}/api/v2/{path}"
        if "Authorization" not in self._session.headers:
            self._log_in()
        response = self._send(method, url, params, json)
        if response.status_code == requests.codes.unauthorized:  # the token has run out
            self._log_in()
            response = self._send(method, url, params, json)
        if not response.ok:
            raise AirflowApiError(
                f"{method} {path}: Airflow answered {response.status_code}: {response.text[:1000]}",
                status=response.status_code,
            )
        return response.json() if response.content else None

    def _log_in(self) -> None:
        credentials = {"username": self._user, "password": self._password}
        response = self._send("POST", f"{self.url}/auth/token", None, credentials)
        if not response.ok:
            raise AirflowApiError(
                f"{self.url} does not let {self._user} in ({response.status_code}): check user and password",
                status=response.status_code,
            )
        self._session.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    def _send(
        self, method: str, url: str, params: Mapping[str, Any] | None, json: Mapping[str, object] | None
    ) -> requests.Response:
        try:
            return self._session.request(method, url, params=params, json=json, timeout=_TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise AirflowApiError(f"{method} {url}: not reached: {error}", status=None) from error


def _part(text: str) -> str:
    return quote(text, safe="~")


def _run_path(dag_id: str, run_id: str) -> str:
    return f"dags/{_part(dag_id)}/dagRuns/{_part(run_id)}"


def _task_path(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    path = f"{_run_path(dag_id, run_id)}/taskInstances/{_part(task_id)}"
    return path if map_index < 0 else f"{path}/{map_index}"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _run(answer: Mapping[str, Any]) -> DagRun:
    return DagRun(
        dag_id=answer["dag_id"],
        run_id=answer["dag_run_id"],
        state=RunState(answer["state"]),
        logical_date=_time(answer["logical_date"]),
        start=_time(answer["start_date"]),
        end=_time(answer["end_date"]),
    )


def _task(answer: Mapping[str, Any]) -> TaskInstance:
    return TaskInstance(
        dag_id=answer["dag_id"],
        run_id=answer["dag_run_id"],
        task_id=answer["task_id"],
        map_index=answer["map_index"],
        state=answer["state"],
        try_number=answer["try_number"],
        pid=answer["pid"],
        hostname=answer["hostname"],
        start=_time(answer["start_date"]),
        end=_time(answer["end_date"]),
    )


def _log_line(event: Mapping[str, Any] | str) -> str:
    if isinstance(event, str):
        return event
    details = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("event", "timestamp"))
    return f"{event.get('timestamp') or ''} {event['event']} {details}".strip()
