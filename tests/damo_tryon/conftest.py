"""A scripted HTTP server on a real socket, and an Airflow connection that points to it."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.guards import GUARD

MODEL = "https://img.example/model.jpg"
TOPS = "https://img.example/tops.jpg"
PANTS = "https://img.example/pants.jpg"
RESULT_KEY = "0123456789abcdef0123456789abcdef"
APP_CODE = "code-of-the-tests"


def envelope(
    code: int | str = 0, message: str = "success", request_id: str = "request-1", **data: Any
) -> bytes:
    """The JSON envelope of an answer."""
    fields = {"code": code, "message": message, "requestId": request_id, "success": str(code) == "0"}
    return json.dumps(fields | ({"data": data} if data else {})).encode()


def accepted(result_key: str = RESULT_KEY, status: str = "WAITING") -> bytes:
    """The envelope of a submission of one task."""
    sub_task = {"status": status, "model_image": MODEL, "tops_image": TOPS, "results": []}
    return envelope(result_key=result_key, task_list=[sub_task])


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came: header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    client_port: int


Act = Callable[[BaseHTTPRequestHandler], None]


class ScriptedServer(ThreadingHTTPServer):
    """Answers each request with the next act of its script and remembers what it received."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: deque[Act] = deque()
        self.received: list[Received] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: broken connections are what these tests are about."""

    def then_drip(self, *, every: float) -> None:
        """Answer the next request a byte at a time, without an end, as long as somebody listens.

        Args:
            every: Seconds between two bytes.
        """

        def act(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(10**9))
            handler.end_headers()
            with suppress(ConnectionError):
                while not self.released.wait(every):
                    handler.wfile.write(b"x")

        self.script.append(act)

    def then_answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Answer the next request properly."""

        def act(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in (headers or {}).items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.script.append(act)

    def then_close(self) -> None:
        """Read the next request and close the connection without a word."""
        self.script.append(lambda handler: setattr(handler, "close_connection", True))

    def then_close_within_body(self, body: bytes) -> None:
        """Promise the whole body to the next request and send half of it."""

        def act(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[: len(body) // 2])
            handler.close_connection = True

        self.script.append(act)

    def then_break_a_chunk(self, after: threading.Event | None = None) -> None:
        """Begin a chunked answer to the next request, then send a chunk whose length is no number.

        Args:
            after: What has to happen between the two, if anything.
        """

        def act(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(200)
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            if after is not None:
                after.wait(GUARD)
            handler.wfile.write(b"zz\r\nhello\r\n0\r\n\r\n")
            handler.close_connection = True

        self.script.append(act)

    def then_stay_silent(self) -> None:
        """Read the next request and say nothing until the test ends."""

        def act(handler: BaseHTTPRequestHandler) -> None:
            self.released.wait(timeout=30)
            handler.close_connection = True

        self.script.append(act)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(self.path, headers, body, self.client_address[1]))
        self.server.script.popleft()(self)

    def log_message(self, *_args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server."""
    with ScriptedServer() as scripted:
        thread = threading.Thread(target=scripted.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield scripted
        scripted.released.set()
        scripted.shutdown()
        thread.join()


Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Define the Airflow connection ``damo_tryon``: host, then other fields, ``extra`` as a dict."""
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)

    def define(host: str, **fields: Any) -> None:
        connection = {"conn_type": "damo_tryon", "host": host, "password": APP_CODE} | fields
        monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", json.dumps(connection))

    return define
