"""A real image server, real sandboxes on free ports, and a small caller of our own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import io
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
import requests
from PIL import Image, ImageDraw
from tests.guards import GUARD

from tryon_sandbox.server import RunningSandbox, running
from tryon_sandbox.settings import Pictures, SandboxSettings

T = TypeVar("T")

SUBMIT = "/api/v1/tryon/submit"
QUERY = "/api/v1/tryon/query"


def person(size: tuple[int, int] = (400, 520), *, people: int = 1) -> Image.Image:
    """Upright figures, side by side on a plain background."""
    picture = Image.new("RGB", size, (236, 236, 232))
    draw = ImageDraw.Draw(picture)
    width, height = size[0] / people, size[1]
    for at in range(people):
        middle = (at + 0.5) * width
        half = min(width, height * 0.6) * 0.2
        draw.ellipse(
            (middle - half * 0.6, height * 0.05, middle + half * 0.6, height * 0.2), fill=(190, 140, 110)
        )
        draw.rectangle((middle - half, height * 0.18, middle + half, height * 0.55), fill=(90, 90, 110))
        draw.rectangle(
            (middle - half * 0.9, height * 0.55, middle + half * 0.9, height * 0.96), fill=(40, 40, 60)
        )
    return picture


def shirt(colour: tuple[int, int, int] = (180, 30, 40), size: tuple[int, int] = (400, 400)) -> Image.Image:
    """A garment on white."""
    picture = Image.new("RGB", size, (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    width, height = size
    draw.rectangle((width * 0.3, height * 0.15, width * 0.7, height * 0.9), fill=colour)
    draw.rectangle((width * 0.12, height * 0.15, width * 0.88, height * 0.35), fill=colour)
    return picture


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    """A picture as a file's bytes."""
    content = io.BytesIO()
    picture.save(content, kind)
    return content.getvalue()


class Shelf:
    """What the image server gives out: bytes by path, or a function that answers the request itself."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.things: dict[str, bytes | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []

    def put(
        self, thing: bytes | Image.Image | Callable[[BaseHTTPRequestHandler], None], name: str = ""
    ) -> str:
        """Place something; gives its URL."""
        path = f"/{name or uuid.uuid4().hex}"
        self.things[path] = encoded(thing) if isinstance(thing, Image.Image) else thing
        return self.base + path


@pytest.fixture(scope="session")
def shelf() -> Iterator[Shelf]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there.asked.append(self.path)
            thing = there.things.get(self.path)
            if callable(thing):
                thing(self)
                return
            self.send_response(404 if thing is None else 200)
            self.send_header("Content-Length", str(len(thing or b"")))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the sandbox stops reading what is too large
                self.wfile.write(thing or b"")

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Quiet(("127.0.0.1", 0), Handler)
    there = Shelf(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield there
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that lets everybody connect and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as bound:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@dataclass(frozen=True)
class Wardrobe:
    """URLs of fit images."""

    model: str
    shirt: str
    trousers: str
    mask: str


@pytest.fixture(scope="session")
def wardrobe(shelf: Shelf) -> Wardrobe:
    mask = Image.new("L", (400, 520), 0)
    ImageDraw.Draw(mask).rectangle((100, 100, 300, 300), fill=255)
    return Wardrobe(
        model=shelf.put(person(), "model.png"),
        shirt=shelf.put(encoded(shirt(), "JPEG"), "shirt.jpg"),
        trousers=shelf.put(shirt((20, 40, 90)), "trousers.png"),
        mask=shelf.put(mask, "mask.png"),
    )


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@dataclass
class Caller:
    """Calls one sandbox the way a careful client does: a fresh nonce for every request."""

    running: RunningSandbox
    wardrobe: Wardrobe
    session: requests.Session = field(default_factory=requests.Session)

    def headers(self, **more: str) -> dict[str, str]:
        return {
            "Authorization": f"APPCODE {self.running.credentials.appcode}",
            "Content-Type": "application/json",
            "X-Ca-Nonce": uuid.uuid4().hex,
        } | more

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.session.post(
            self.running.url + path,
            data=raw,
            headers=self.headers() if headers is None else headers,
            timeout=GUARD,
        )

    def task(self, **changes: str | None) -> dict[str, str | None]:
        return {"model_image": self.wardrobe.model, "tops_image": self.wardrobe.shirt} | changes

    def submit(
        self, *tasks: dict[str, str | None], fit_type: str = "HALF_BODY", number: int = 1
    ) -> requests.Response:
        data = {"fit_type": fit_type, "inference_num": number, "task_list": list(tasks) or [self.task()]}
        return self.post(SUBMIT, {"data": data})

    def submitted(self, *tasks: dict[str, str | None], **more: Any) -> str:
        """The result key of a submission that is accepted."""
        response = self.submit(*tasks, **more)
        assert response.status_code == 200, response.text
        return str(response.json()["data"]["result_key"])

    def query(self, result_key: str) -> requests.Response:
        return self.post(QUERY, {"data": {"result_key": result_key}})

    def states(self, result_key: str) -> list[dict[str, Any]]:
        """The sub-tasks of an answer to query."""
        response = self.query(result_key)
        assert response.status_code == 200, response.text
        return list(response.json()["data"]["task_list"])

    def ended(self, result_key: str) -> list[dict[str, Any]]:
        """The sub-tasks once all of them have ended."""
        return eventually(
            lambda: self.states(result_key),
            lambda states: all(each["status"] in {"SUCCESS", "FAILED"} for each in states),
        )

    def signed_headers(
        self, path: str, body: bytes, *, method: str = "HmacSHA256", **more: str
    ) -> dict[str, str]:
        """Headers of a signed request; `more` replaces any of them before the signature is made."""
        account = self.running.credentials
        headers = {
            "Accept": "application/json",
            "Content-MD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
            "Content-Type": "application/json",
            "X-Ca-Key": account.appkey,
            "X-Ca-Nonce": str(uuid.uuid4()),
            "X-Ca-Signature-Method": method,
            "X-Ca-Timestamp": str(int(time.time() * 1000)),
        } | more
        signed = sorted(name for name in headers if name.startswith("X-Ca-"))
        text = "\n".join(
            ["POST", headers["Accept"], headers["Content-MD5"], headers["Content-Type"], ""]
            + [f"{name}:{headers[name]}" for name in signed]
            + [path]
        )
        digest = {"HmacSHA256": hashlib.sha256, "HmacSHA1": hashlib.sha1}[method]
        signature = hmac.new(account.appsecret.encode(), text.encode(), digest).digest()
        return headers | {
            "X-Ca-Signature-Headers": ",".join(signed),
            "X-Ca-Signature": base64.b64encode(signature).decode(),
        }


def eventually(ask: Callable[[], T], good: Callable[[T], bool], *, seconds: float = GUARD) -> T:
    """Ask until the answer is good."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        answer = ask()
        if good(answer):
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"still not so after {seconds} s: {answer}")
        pause.wait(0.02)


@contextlib.contextmanager
def sandbox_starter(wardrobe: Wardrobe) -> Iterator[Callable[..., Caller]]:
    """Starts sandboxes that are quick and unlimited unless told otherwise, and ends them all."""
    with contextlib.ExitStack() as stack:

        def start(*, clock: Callable[[], float] = time.time, **settings: Any) -> Caller:
            quick: dict[str, Any] = {
                "pictures": Pictures.PLAIN,
                "latency": 0,
                "submit_rate": 0,
                "query_rate": 0,
                "concurrency": 0,
            }
            served = stack.enter_context(running(SandboxSettings(**(quick | settings)), clock=clock))
            caller = Caller(served, wardrobe)
            stack.callback(caller.session.close)
            return caller

        yield start


@pytest.fixture
def open_sandbox(wardrobe: Wardrobe) -> Iterator[Callable[..., Caller]]:
    """Starts sandboxes for one test."""
    with sandbox_starter(wardrobe) as start:
        yield start


@pytest.fixture(scope="session")
def shared(wardrobe: Wardrobe) -> Iterator[Caller]:
    """A caller of one sandbox for all tests that leave it as they found it, charges apart."""
    with sandbox_starter(wardrobe) as start:
        yield start()


@pytest.fixture
def caller(open_sandbox: Callable[..., Caller]) -> Caller:
    """A caller of a quick sandbox without limits."""
    return open_sandbox()


def assert_refused(response: requests.Response, status: int, code: int, message: str | None = None) -> None:
    """An envelope as the document has it."""
    body = response.json()
    assert (response.status_code, body["code"], body["success"]) == (status, str(code), False)
    assert set(body) == {"code", "message", "requestId", "success"}
    assert message is None or body["message"] == message


def assert_gateway(response: requests.Response, status: int, code: str | None) -> str:
    """A gateway's error: nothing in the body, everything in headers. Gives the message."""
    assert (response.status_code, response.headers.get("X-Ca-Error-Code")) == (status, code)
    assert (response.content, response.headers["Content-Length"]) == (b"", "0")
    assert response.headers["X-Ca-Request-Id"]
    return response.headers["X-Ca-Error-Message"]


@pytest.fixture
def clock() -> Clock:
    """A clock of our own, for sandboxes that are to take no real time."""
    return Clock()


@pytest.fixture
def refused() -> Callable[..., None]:
    """Checks a refusal's envelope."""
    return assert_refused


@pytest.fixture
def gateway_error() -> Callable[..., str]:
    """Checks a gateway's error."""
    return assert_gateway


@pytest.fixture(scope="session")
def draw() -> SimpleNamespace:
    """The drawing functions, for tests that want pictures of their own."""
    return SimpleNamespace(person=person, shirt=shirt, encoded=encoded)


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., Any]:
    """Asks until the answer is good."""
    return eventually
