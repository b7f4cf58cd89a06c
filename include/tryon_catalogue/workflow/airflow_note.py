"""Putting a note on a DAG run, where the Airflow UI shows it.

A task cannot do it by itself: of all that Airflow lets a running task say, no message sets a note, and a task is
kept from the metadata database. Airflow's public REST API is the supported way, so it takes a connection with a
user who may edit DAG runs. A note is a service to people: when it cannot be put, the run goes on.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import requests
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

if TYPE_CHECKING:
    from airflow.sdk import Connection

log = logging.getLogger(__name__)

TIMEOUT_SECONDS: Final = 10.0


class NoteError(Exception):
    """A note could not be put; says why and what to do."""


def put_note(conn_id: str | None, dag_id: str, run_id: str, markdown: str) -> bool:
    """Put a note on a run in place of the one it has; log a warning when that cannot be done.

    Args:
        conn_id: Connection of type http to Airflow's API server: its address in the host (and port), a user's name in
            the login and his password in the password; or no login and a bearer token in the password. None or "": no
            note is wanted.
        markdown: At most 1,000 characters.

    Returns:
        Whether the note is there now.
    """
    if not conn_id:
        return False
    try:
        _put(_connection(conn_id), dag_id, run_id, markdown)
    except (NoteError, requests.RequestException) as error:
        log.warning("The note on the run could not be put. %s", _problem(error, conn_id))
        return False
    return True


def _connection(conn_id: str) -> Connection:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise NoteError(f"There is no connection {conn_id}; add it, or take [notes] conn_id away.") from None


def _put(connection: Connection, dag_id: str, run_id: str, markdown: str) -> None:
    host = connection.host or ""
    base = host if "://" in host else f"{connection.schema or 'http'}://{host}"
    if connection.port:
        base = f"{base}:{connection.port}"
    base = base.rstrip("/")
    with requests.Session() as session:
        token = _token(session, base, connection)
        response = session.patch(
            f"{base}/api/v2/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}",
            params={"update_mask": "note"},
            json={"note": markdown},
            auth=_Bearer(token),
            timeout=TIMEOUT_SECONDS,
        )
    _hold_to_ok(response, "the note")


def _token(session: requests.Session, base: str, connection: Connection) -> str:
    if not connection.login:
        return connection.password or ""
    response = session.post(
        f"{base}/auth/token",
        json={"username": connection.login, "password": connection.password},
        timeout=TIMEOUT_SECONDS,
    )
    _hold_to_ok(response, "the login")
    token: str = response.json().get("access_token", "")
    return token


def _hold_to_ok(response: requests.Response, what: str) -> None:
    if not response.ok:
        raise NoteError(f"Airflow's API refused {what} with HTTP status {response.status_code}.")


def _problem(error: NoteError | requests.RequestException, conn_id: str) -> str:
    # Not the text of an error of requests, which shows addresses and what is in them.
    problem = (
        str(error)
        if isinstance(error, NoteError)
        else f"Airflow's API gave no answer ({type(error).__name__})."
    )
    return f"{problem} See the connection {conn_id}; the account is in this task's log all the same."


class _Bearer(requests.auth.AuthBase):
    """Sends the token, and keeps requests from putting a netrc's password in its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
