"""How many calls a second are let through."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable


class RateLimit:
    """At most `rate` calls in any one second; for a rate below one, one call in any 1/rate seconds.

    A refused call does not count, so a caller that keeps asking is let in as soon as there is room.

    Args:
        rate: Calls per second; 0 lets everything through.
        clock: Seconds from any fixed point.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._window = max(1.0, 1.0 / rate) if rate > 0 else 0.0
        self._most = max(1, math.floor(rate * self._window + 1e-9))
        self._unlimited = rate <= 0
        self._clock = clock
        self._let_through: deque[float] = deque()
        self._lock = threading.Lock()

    def try_pass(self) -> bool:
        """Let one call through, or say that there is no room for it now."""
        if self._unlimited:
            return True
        with self._lock:
            now = self._clock()
            while self._let_through and now - self._let_through[0] >= self._window:
                self._let_through.popleft()
            if len(self._let_through) >= self._most:
                return False
            self._let_through.append(now)
            return True
