"""Downloads share a server's places fairly, and no server's trouble is another's."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tryon_sandbox.downloads import Downloads, NoDownload


@pytest.fixture
def download() -> Iterator[Callable[[float], Downloads]]:
    """Downloads with a time-out, whose names are what has arrived."""
    with contextlib.ExitStack() as stack:

        def make(timeout: float) -> Downloads:
            made = Downloads(bytes.decode, timeout=timeout, most_bytes=1000)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def one_by_one() -> Iterator[str]:
    """A server that takes a fifth of a second for each answer, one after another."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(0.2)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_never_answers_is_given_up_after_twice_the_time_however_much_is_asked_of_it(
    download: Callable[[float], Downloads], silent: str
) -> None:
    downloads = download(0.4)
    began = time.monotonic()

    asked = [downloads.start(f"{silent}/{number}") for number in range(30)]

    assert {each.result(10) for each in asked} == {NoDownload.UNREACHABLE}
    assert 0.4 <= time.monotonic() - began < 1.8


def test_a_server_that_never_answers_holds_up_no_other(
    download: Callable[[float], Downloads], silent: str, shelf: Any
) -> None:
    downloads = download(5)
    for number in range(30):
        downloads.start(f"{silent}/{number}")

    assert downloads.start(shelf.put(b"here")).result(2) == "here"


def test_the_time_in_which_a_server_answers_what_was_asked_before_does_not_count(
    download: Callable[[float], Downloads], one_by_one: str
) -> None:
    downloads = download(0.8)

    asked = [downloads.start(f"{one_by_one}/{number}") for number in range(12)]

    assert [each.result(10) for each in asked] == [f"/{number}" for number in range(12)]


def test_a_url_that_hangs_is_given_up_in_its_time_while_others_of_its_server_are_answered(
    download: Callable[[float], Downloads], shelf: Any
) -> None:
    downloads, done = download(0.4), threading.Event()
    began = time.monotonic()
    hanging = downloads.start(shelf.put(lambda _: done.wait(10)))
    while not hanging.done() and time.monotonic() - began < 3:
        assert downloads.start(shelf.put(b"here")).result(10) == "here"
    done.set()

    assert time.monotonic() - began < 2
    assert hanging.result(10) is NoDownload.UNREACHABLE


def test_urls_that_hang_do_not_take_the_turn_of_others_of_their_server(
    download: Callable[[float], Downloads], shelf: Any
) -> None:
    downloads, done = download(0.8), threading.Event()
    hanging = [downloads.start(shelf.put(lambda _: done.wait(10))) for _ in range(5)]
    others = [downloads.start(shelf.put(b"here")) for _ in range(5)]

    assert [each.result(10) for each in others] == ["here"] * 5
    assert [each.result(10) for each in hanging] == [NoDownload.UNREACHABLE] * 5
    done.set()


def test_one_server_is_asked_for_five_things_at_a_time(
    download: Callable[[float], Downloads], shelf: Any
) -> None:
    downloads, lock = download(5), threading.Lock()
    now, most = 0, 0

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    asked = [downloads.start(shelf.put(answer)) for _ in range(20)]

    assert {each.result(10) for each in asked} == {""}
    assert most == 5
