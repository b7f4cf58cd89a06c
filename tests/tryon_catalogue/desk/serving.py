"""The desk as Airflow serves it, on a port of this machine, and browsers of people who are logged in."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
import uvicorn
from airflow.api_fastapi.app import create_auth_manager, get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi import FastAPI

from tests.guards import GUARD
from tryon_catalogue.desk.app import create_app
from tryon_catalogue.desk.desk_plugin import DESK_PATH

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
"""The browser of this machine."""
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def needs_a_browser() -> None:
    """Skip where there is no browser; fail in CI, where there has to be one."""
    if CHROMIUM:
        return
    if os.environ.get("NEEDS_BROWSER"):
        pytest.fail("there is no browser, which .ci/run installs where it is root: Debian's package chromium")
    pytest.skip("no browser: install Chromium (on Debian and Ubuntu: apt-get install chromium)")


def token_of(name: str, role: str | None) -> str:
    """Log somebody in: what Airflow puts into the cookie."""
    return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role))


@dataclass(frozen=True, slots=True)
class Served:
    """The running desk.

    Attributes:
        origin: Of the server: scheme, host and port.
    """

    origin: str

    @property
    def url(self) -> str:
        """Of the desk, without a slash at its end."""
        return f"{self.origin}{DESK_PATH}"

    def cookie(self, name: str, role: str | None) -> dict[str, Any]:
        """The cookie of somebody who is logged in, as a browser takes it."""
        return {"name": COOKIE_NAME_JWT_TOKEN, "value": token_of(name, role), "url": self.origin}


@contextmanager
def serve() -> Iterator[Served]:
    """Serve the desk for the block, below the path at which Airflow mounts it."""
    create_auth_manager()
    outside = FastAPI()
    outside.mount(DESK_PATH, create_app())
    server = uvicorn.Server(uvicorn.Config(outside, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + GUARD
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise RuntimeError("the server of the desk does not start")
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(GUARD)
