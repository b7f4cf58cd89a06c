from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tryon_catalogue.workflow.airflow_note import put_note

TOKEN, PASSWORD = "a.bearer.token", "the password of the tests"


class AirflowStandIn(ThreadingHTTPServer):
    """The two calls of Airflow's REST API that a note takes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.notes: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: AirflowStandIn

    def do_POST(self) -> None:
        sent = self._body()
        good = self.path == "/auth/token" and sent == {"username": "notes", "password": PASSWORD}
        self._answer(201 if good else 401, {"access_token": TOKEN} if good else {"detail": "no"})

    def do_PATCH(self) -> None:
        sent = self._body()
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, {"detail": "no"})
            return
        self.server.notes[self.path] = sent["note"]
        self._answer(200, {})

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def airflow() -> Iterator[AirflowStandIn]:
    with AirflowStandIn() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def connect(airflow: AirflowStandIn, monkeypatch: pytest.MonkeyPatch) -> Any:
    def go(**fields: object) -> None:
        connection = {"conn_type": "http", "host": airflow.url, **fields}
        monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", json.dumps(connection))

    return go


def test_a_note_is_put_on_the_run_with_a_user_and_password(airflow: AirflowStandIn, connect: Any) -> None:
    connect(login="notes", password=PASSWORD)
    assert put_note("airflow_api", "tryon_nightly", "manual__2026-11-20T00:00:00+00:00", "**done**")
    assert airflow.notes == {
        "/api/v2/dags/tryon_nightly/dagRuns/manual__2026-11-20T00%3A00%3A00%2B00%3A00?update_mask=note": "**done**"
    }


def test_a_token_will_do_in_place_of_a_user(airflow: AirflowStandIn, connect: Any) -> None:
    connect(host="127.0.0.1", port=airflow.server_port, password=TOKEN)
    assert put_note("airflow_api", "d", "r", "x")


def test_without_a_connection_in_the_settings_no_note_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    assert not put_note(None, "d", "r", "x")
    assert not caplog.records


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"login": "notes", "password": "wrong"}, "refused the login with HTTP status 401"),
        ({"password": f"not {TOKEN}"}, "refused the note with HTTP status 401"),
        ({"host": "http://127.0.0.1:1", "password": TOKEN}, "gave no answer (ConnectionError)"),
        ({"host": "", "password": TOKEN}, "gave no answer (InvalidURL)"),
    ],
    ids=["wrong password", "wrong token", "not there", "no host"],
)
def test_a_note_that_cannot_be_put_is_a_warning_and_tells_no_secret(
    connect: Any, caplog: pytest.LogCaptureFixture, fields: dict[str, Any], words: str
) -> None:
    connect(**fields)
    assert not put_note("airflow_api", "d", "r", "x")
    (warning,) = [one.getMessage() for one in caplog.records if one.name.endswith("airflow_note")]
    assert words in warning
    assert "airflow_api" in warning
    assert TOKEN not in warning


def test_a_missing_connection_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert not put_note("nowhere", "d", "r", "x")
    assert "There is no connection nowhere" in caplog.text
