"""What is behind an address: images, and servers that answer in ways of their own."""

from __future__ import annotations

import gzip
import io
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from tests.tryon_catalogue.pictures.files import drawn, encoded

PNG = encoded(drawn())

Page = bytes | Callable[[BaseHTTPRequestHandler], None]


def answering(
    status: int = 200, body: bytes | Callable[[], bytes] = b"", **headers: str
) -> Callable[[], Callable[[BaseHTTPRequestHandler], None]]:
    """A page that answers in a way of its own; underscores in a header's name are hyphens.

    The body may be made when it is asked for.
    """

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body() if callable(body) else body)

    return lambda: answer


def endless(request: BaseHTTPRequestHandler) -> None:
    """A body without an end."""
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"\xff\xd8\xff" + b"x" * 60_000)


def slow(request: BaseHTTPRequestHandler) -> None:
    """A body that comes a byte at a time, for longer than anybody waits."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(PNG)))
    request.end_headers()
    nobody = threading.Event()
    for place in range(250):
        nobody.wait(0.01)
        request.wfile.write(PNG[place : place + 1])


def talkative(request: BaseHTTPRequestHandler) -> None:
    """A body of which half was promised."""
    half = len(PNG) // 2
    request.send_response(200)
    request.send_header("Content-Length", str(half))
    request.end_headers()
    request.wfile.write(PNG[:half])
    # Sent along, the rest would spoil the whole answer: the client ends when it has what was promised.
    request.rfile.read()
    request.wfile.write(PNG[half:])


def gzip_bomb() -> bytes:
    """A hundred megabytes of nothing, packed."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        for _ in range(100):
            file.write(b"\0" * 1_000_000)
    return packed.getvalue()
