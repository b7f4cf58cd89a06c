"""Downloads share a server's places fairly, and no server's trouble is another's."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tryon_sandbox.downloads import Downloads, NoDownload


class Clock:
    """The time of downloads: it stands still until a test moves it on."""

    def __init__(self) -> None:
        self.now = 0.0

    def keep(self, downloads: Downloads) -> None:
        """Make it the time by which downloads are given up."""
        self._loop = downloads._loop
        self._loop.time = lambda: self.now

    def settle(self) -> None:
        """Let everything happen that needs no answer from a server."""
        for _ in range(50):
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result()

    def go_on_to(self, moment: float) -> None:
        """Move on, and let happen what is due."""
        self.settle()
        self.now = moment
        self.settle()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def download(clock: Clock) -> Iterator[Callable[[float], Downloads]]:
    """Downloads with a time-out by the test's clock, whose names are what has arrived."""
    with contextlib.ExitStack() as stack:

        def make(timeout: float) -> Downloads:
            made = Downloads(bytes.decode, timeout=timeout, most_bytes=1000)
            stack.callback(made.close)
            clock.keep(made)
            return made

        yield make


def ended(asked: Iterable[Future[str | NoDownload]]) -> int:
    return sum(each.done() for each in asked)


@pytest.fixture
def one_by_one(clock: Clock, wait_for: Callable[..., Any]) -> Iterator[tuple[str, list[Any]]]:
    """A server that takes two seconds for each answer, one after another; and the list of what was asked of it."""
    asked: list[Any] = []
    answered = itertools.count()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            before = next(answered)
            wait_for(lambda: ended(asked), lambda arrived: arrived == before)
            clock.now += 2
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_never_answers_is_given_up_after_twice_the_time_however_much_is_asked_of_it(
    download: Callable[[float], Downloads], clock: Clock, silent: str
) -> None:
    downloads = download(4)

    asked = [downloads.start(f"{silent}/{number}") for number in range(30)]

    clock.go_on_to(3.9)
    assert ended(asked) == 0
    for moment in (4, 6, 8):
        clock.go_on_to(moment)
    assert {each.result(10) for each in asked} == {NoDownload.UNREACHABLE}


def test_a_server_that_never_answers_holds_up_no_other(
    download: Callable[[float], Downloads], silent: str, shelf: Any
) -> None:
    downloads = download(5)
    dead = [downloads.start(f"{silent}/{number}") for number in range(30)]

    assert downloads.start(shelf.put(b"here")).result(10) == "here"
    assert ended(dead) == 0


def test_the_time_in_which_a_server_answers_what_was_asked_before_does_not_count(
    download: Callable[[float], Downloads], one_by_one: tuple[str, list[Any]]
) -> None:
    downloads, (server, asked) = download(8), one_by_one

    asked += [downloads.start(f"{server}/{number}") for number in range(12)]

    assert [each.result(10) for each in asked] == [f"/{number}" for number in range(12)]


def test_a_url_that_hangs_is_given_up_in_its_time_while_others_of_its_server_are_answered(
    download: Callable[[float], Downloads], clock: Clock, shelf: Any
) -> None:
    downloads, done = download(4), threading.Event()
    hanging = downloads.start(shelf.put(lambda _: done.wait()))
    for moment in range(4):
        clock.go_on_to(moment)
        assert downloads.start(shelf.put(b"here")).result(10) == "here"
        assert not hanging.done()
    clock.go_on_to(4)

    assert hanging.result(10) is NoDownload.UNREACHABLE
    done.set()


def test_urls_that_hang_do_not_take_the_turn_of_others_of_their_server(
    download: Callable[[float], Downloads], clock: Clock, shelf: Any
) -> None:
    downloads, done = download(8), threading.Event()
    hanging = [downloads.start(shelf.put(lambda _: done.wait())) for _ in range(5)]
    others = [downloads.start(shelf.put(b"here")) for _ in range(5)]
    clock.go_on_to(8)

    assert [each.result(10) for each in others] == ["here"] * 5
    assert [each.result(10) for each in hanging] == [NoDownload.UNREACHABLE] * 5
    done.set()


def test_one_server_is_asked_for_five_things_at_a_time(
    download: Callable[[float], Downloads], shelf: Any
) -> None:
    downloads, lock, five = download(5), threading.Lock(), threading.Barrier(5)
    now, most = 0, 0

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        five.wait()
        with lock:
            now -= 1
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    asked = [downloads.start(shelf.put(answer)) for _ in range(20)]

    assert {each.result(10) for each in asked} == {""}
    assert most == 5
