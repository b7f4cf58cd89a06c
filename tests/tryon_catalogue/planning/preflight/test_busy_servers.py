"""Image servers that turn requests away, as shops have reported them; real ones, in the middle of a preflight."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.tryon_catalogue.vendor import figure
from tryon_catalogue.ledger.tables import images, rejections
from tryon_catalogue.planning.preflight.run import Preflight, preflight_run
from tryon_catalogue.planning.record import Plan, plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import Settings

HEADER = "sku,title,collection,category,image_url,pants_url,mask_url,model_url\n"
Answer = Callable[[BaseHTTPRequestHandler], None]
GOOD = figure((600, 800))


class ImageHost:
    """A shop's image server.

    Args:
        url: Its address.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answer: Answer = served
        self.asked: list[str] = []
        self.lock = threading.Lock()


def served(request: BaseHTTPRequestHandler) -> None:
    """Answer with a picture whose bytes are its own."""
    content = GOOD + request.path.encode()
    request.send_response(200)
    request.send_header("ETag", f'"{request.path}"')
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def turned_away(request: BaseHTTPRequestHandler, status: int = 429, after: str | None = "0") -> None:
    """Answer that it is too much."""
    request.send_response(status)
    if after is not None:
        request.send_header("Retry-After", after)
    request.send_header("Content-Length", "0")
    request.end_headers()


@contextmanager
def image_host() -> Iterator[ImageHost]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with host.lock:
                host.asked.append(self.path)
            host.answer(self)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        host = ImageHost(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield host
        server.shutdown()
        thread.join()


@pytest.fixture
def host() -> Iterator[ImageHost]:
    with image_host() as opened:
        yield opened


@pytest.fixture
def ours(settings: Settings, host: ImageHost, tmp_path: Path) -> Settings:
    models = tuple(
        model.model_copy(update={"image": f"{host.url}/{model.name}.png"}) for model in settings.roster.models
    )
    return settings.model_copy(
        update={
            "roster": settings.roster.model_copy(update={"models": models}),
            "archive": settings.archive.model_copy(update={"path": str(tmp_path / "archive")}),
            "preflight": settings.preflight.model_copy(update={"recheck_minutes": 0}),
        }
    )


@pytest.fixture
def night(engine: Engine, ours: Settings, host: ImageHost, tmp_path: Path) -> Callable[..., Any]:
    def run(count: int, run_id: str = "dag/1", **changes: Any) -> tuple[Preflight, Plan]:
        file = tmp_path / f"{run_id.replace('/', '-')}.csv"
        rows = (f"S{at},T,autumn,shirt,{host.url}/{at}.png,,,\n" for at in range(count))
        file.write_text(HEADER + "".join(rows))
        changed = ours.model_copy(update={"preflight": ours.preflight.model_copy(update=changes)})
        found = preflight_run(engine, changed, str(file))
        return found, plan_run(engine, changed, Run(run_id, str(file), date(2026, 11, 20)))

    return run


def rules(engine: Engine) -> list[str | None]:
    with engine.connect() as connection:
        return list(connection.execute(select(images.c.rule)).scalars())


def rejected(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(rejections)).all())


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_turns_requests_away_in_the_middle_costs_no_row(
    engine: Engine, night: Callable[..., Any], host: ImageHost, status: int
) -> None:
    def now_and_then(request: BaseHTTPRequestHandler) -> None:
        if 10 < len(host.asked) < 30:
            turned_away(request, status, "1")
        else:
            served(request)

    host.answer = now_and_then
    found, plan = night(40)
    assert (found.fetched, found.broken, found.busy, found.kept) == (41, 0, 0, 0)
    assert rejected(engine) == []
    assert plan.looks == 40


def test_what_is_asked_for_longer_than_a_picture_waits_is_asked_for_again_by_the_same_run(
    engine: Engine, night: Callable[..., Any], host: ImageHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tryon_catalogue.planning.preflight.run.LONGEST_WAIT", 0.0)
    host.answer = lambda request: turned_away(request, after="1") if len(host.asked) < 4 else served(request)
    found, _plan = night(5)
    assert (found.fetched, found.broken, found.busy) == (6, 0, 0)
    assert rules(engine) == [None] * 6


def test_a_limit_of_requests_a_second_is_learnt(
    engine: Engine, night: Callable[..., Any], host: ImageHost
) -> None:
    window: list[float] = []

    def limited(request: BaseHTTPRequestHandler) -> None:
        with host.lock:
            now = time.monotonic()
            window[:] = [at for at in window if at > now - 1]
            allowed = len(window) < 20
            if allowed:
                window.append(now)
        if allowed:
            served(request)
        else:
            turned_away(request, after="1")

    host.answer = limited
    found, _plan = night(60)
    assert (found.fetched, found.broken, found.busy) == (61, 0, 0)
    assert rejected(engine) == []


def test_what_was_known_as_good_is_kept_while_its_server_is_busy_and_the_rest_is_called_busy(
    engine: Engine, night: Callable[..., Any], host: ImageHost
) -> None:
    first, _plan = night(3)
    assert (first.fetched, first.broken) == (4, 0)
    host.answer = lambda request: turned_away(request, after="3600")
    found, plan = night(4, "dag/2", busy_minutes=1)
    assert (found.kept, found.busy, found.broken) == (4, 1, 0)
    assert plan.looks == 3
    (row,) = rejected(engine)
    assert (row.sku, row.rule) == ("S3", "server_busy")
    assert "busy" in row.reason
    assert "HTTP 429" in row.reason
    assert "Nothing is wrong with the row" in row.reason
    host.answer = served
    found, plan = night(4, "dag/3")
    assert (found.fetched, found.kept, found.busy, found.broken) == (5, 0, 0, 0)
    assert plan.looks == 4


def test_a_server_that_is_gone_from_the_beginning_is_unreachable_and_not_busy(
    engine: Engine, ours: Settings, tmp_path: Path
) -> None:
    with image_host() as gone:
        url = gone.url
    file = tmp_path / "export.csv"
    file.write_text(HEADER + f"S,T,autumn,shirt,{url}/a.png,,,\n")
    found = preflight_run(engine, ours, str(file))
    assert (found.broken, found.busy) == (1, 0)
    assert "unreachable" in rules(engine)
