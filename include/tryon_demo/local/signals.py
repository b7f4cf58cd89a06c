"""Signal handling of a process with children: it ends them in order, and a second signal does not interrupt that."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ASK_TO_LEAVE = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def leaving_in_order() -> Iterator[None]:
    """Within the block SIGTERM and a closed terminal raise SystemExit, as Ctrl-C raises KeyboardInterrupt.

    Without this they would end the process on the spot, and nobody would end its children.
    """

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    with _handling(_ASK_TO_LEAVE, leave):
        yield


@contextmanager
def not_hurried() -> Iterator[None]:
    """Within the block a further Ctrl-C or SIGTERM changes nothing: the children are being ended already."""
    with _handling((signal.SIGINT, *_ASK_TO_LEAVE), signal.SIG_IGN):
        yield


@contextmanager
def _handling(
    signals: tuple[signal.Signals, ...],
    handler: Callable[[int, FrameType | None], NoReturn] | signal.Handlers,
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
