"""Running a sandbox: in the foreground for people, in a thread for tests.

The socket is bound here, before uvicorn sees it, so the address that is told is the real one and a caller
that knows it is already let in.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType

import requests
import uvicorn

from tryon_sandbox.app import create_app
from tryon_sandbox.connection import SeverableProtocol
from tryon_sandbox.faults import FAULT_LIST, Fault
from tryon_sandbox.sandbox import Sandbox
from tryon_sandbox.settings import Credentials, SandboxSettings
from tryon_sandbox.wire import ChargesReport

_BACKLOG = 1024
_GRACE_SECONDS = 3
_CONTROL_TIMEOUT = 30


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def url_of(bound: socket.socket) -> str:
    """The http address of a listening socket."""
    host, port = bound.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - it is compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class SandboxServer(uvicorn.Server):
    """uvicorn's server that ends with a clean return on SIGINT and SIGTERM.

    uvicorn raises the signal again once it has shut down, which would kill the process before the sandbox has
    closed its state.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(sandbox),
                http=SeverableProtocol,
                ws="none",
                lifespan="on",
                log_level="warning",
                access_log=False,
                backlog=_BACKLOG,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                timeout_keep_alive=75,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal; put the old handlers back afterwards. In a thread, leave signals alone."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(_signal: int, _frame: FrameType | None) -> None:
            self.should_exit = True

        before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox being served in a thread of this process.

    Attributes:
        url: Its address, without a slash at the end.
        credentials: What it lets in.
    """

    url: str
    credentials: Credentials
    sandbox: Sandbox = field(repr=False)

    def charges(self) -> ChargesReport:
        """Its charges, asked over HTTP as anybody else would."""
        response = requests.get(f"{self.url}/_sandbox/charges", timeout=_CONTROL_TIMEOUT)
        response.raise_for_status()
        return ChargesReport.model_validate(response.json())

    def set_faults(self, *faults: dict[str, object]) -> None:
        """Replace its faults; each as in JSON, for example `{"kind": "lose_answer", "path": "submit"}`.

        Raises:
            pydantic.ValidationError: A fault is not one.
        """
        self.sandbox.plan.replace(FAULT_LIST.validate_python(list(faults)))


@contextlib.contextmanager
def running(
    settings: SandboxSettings | None = None,
    *,
    faults: Sequence[Fault] = (),
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float] = time.time,
) -> Iterator[RunningSandbox]:
    """Serve a sandbox in a thread for as long as the block lasts.

    Args:
        settings: How it behaves; the defaults when not given.
        faults: What is to go wrong from the beginning.
        host, port: Where to listen; port 0 takes a free one.
        clock: Seconds since the epoch, for all its timings.
    """
    bound = listen(host, port)
    with Sandbox(settings or SandboxSettings(), faults, clock=clock) as sandbox:
        server = SandboxServer(sandbox)
        thread = threading.Thread(target=server.run, args=([bound],), name="sandbox-server")
        thread.start()
        try:
            yield RunningSandbox(url_of(bound), sandbox.credentials, sandbox)
        finally:
            server.should_exit = True
            thread.join()
