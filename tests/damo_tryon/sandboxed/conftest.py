"""The stand-in vendor in a process of its own, and pictures on a real socket for it to fetch."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from PIL import Image, ImageDraw
from tests.guards import GUARD


def _picture(width: int, height: int, figures: int) -> bytes:
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for number in range(figures):
        left = width * (2 * number + 1) / (2 * figures + 1)
        draw.rectangle((left, height * 0.1, left + width / (2 * figures + 1), height * 0.95), fill="#335577")
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


# What a path shows is its beginning: any name may follow, so that each look can have pictures of its own. The name
# is in their bytes as well, behind the picture, for it is by those that the sandbox knows a look.
_PICTURES = {
    "good": _picture(480, 640, 1),
    "crowd": _picture(640, 640, 2),
    "nobody": _picture(480, 640, 0),
    "small": _picture(100, 100, 1),
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        picture = _PICTURES.get(self.path.strip("/").split("-")[0])
        if picture is not None:
            picture += self.path.encode()
        self.send_response(404 if picture is None else 200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(picture or b"")))
        self.end_headers()
        self.wfile.write(picture or b"")

    def log_message(self, *_args: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="session")
def pictures() -> Iterator[str]:
    """Base URL of the pictures: /good-1, /crowd-1, /nobody-1, /small-1; anything else is missing."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running stand-in vendor."""

    url: str
    appcode: str

    def charged(self) -> dict[str, int]:
        """The URL of each accepted look's top, with the number of times it was accepted."""
        report = requests.get(f"{self.url}/_sandbox/charges", timeout=GUARD).json()
        return {look["tops_image"]: look["times"] for look in report["looks"]}

    def suffer(self, *faults: dict[str, object]) -> None:
        """Replace the faults that are to come."""
        requests.put(f"{self.url}/_sandbox/faults", json=list(faults), timeout=GUARD).raise_for_status()


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    """One process for all tests here."""
    options = ["--json", "--port", "0", "--latency", "0.2", "--submit-rate", "0", "--query-rate", "0"]
    command = [sys.executable, "-m", "tryon_sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        yield Sandbox(started["url"], started["appcode"])
        process.terminate()


@pytest.fixture
def sandbox(sandbox_process: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The stand-in vendor without faults, behind the connection ``damo_tryon``."""
    sandbox_process.suffer()
    connection = {"conn_type": "damo_tryon", "host": sandbox_process.url, "password": sandbox_process.appcode}
    monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", json.dumps(connection))
    return sandbox_process
