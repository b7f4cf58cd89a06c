"""How fast each server is asked for pictures: as fast as it answers, and slower once it says that it is too much.

A server that answers 429, or 503 with ``Retry-After``, is left alone for as long as it says and is asked less often
from then on; each good answer makes it a little faster again. A server that answered before and takes no connection
now is treated alike. Whoever fetches for a run shares one `Paces`. It belongs to one thread at a time, and outlives an
event loop.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from yarl import URL

Server = tuple[str, str, int]
"""Scheme, host and port."""

FIRST_INTERVAL: Final = 0.05
"""Seconds between two requests after the first refusal; each further one doubles them."""
LONGEST_INTERVAL: Final = 2.0
LONGEST_PAUSE: Final = 60.0
"""Seconds for which a server is left alone that does not say for how long; the first time it is one."""

_FASTER: Final = 0.98
"""By what an interval becomes shorter with each good answer."""
_NO_INTERVAL: Final = 0.005
_TOO_MANY_REQUESTS: Final = 429
_UNAVAILABLE: Final = 503
_SECONDS: Final = re.compile(r"\d{1,9}")


def server_of(address: URL) -> Server:
    """Give the server that an address is asked of."""
    return (address.scheme, (address.raw_host or "").lower(), address.port or 0)


def is_busy(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer says that it is too much, or not the time, and nothing against the file."""
    return status == _TOO_MANY_REQUESTS or (status == _UNAVAILABLE and "Retry-After" in headers)


def seconds_asked_for(header: str | None) -> float | None:
    """Read ``Retry-After``: seconds, or a date of HTTP.

    Returns:
        Seconds from now, never less than 0; None where it says nothing that can be understood.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


@dataclass(slots=True)
class _Line:
    """The line before one server. Times are of the monotonic clock.

    Attributes:
        opens: When the next request may go.
        interval: Seconds between two requests.
        slowed_at: When it was last made slower.
        refusals: In a row, without a good answer between them.
        answered: Whether it ever gave an answer.
        said: What it said when it was last slowed down.
    """

    opens: float = 0.0
    interval: float = 0.0
    slowed_at: float = float("-inf")
    refusals: int = 0
    answered: bool = False
    said: str = ""


class Paces:
    """The pace of each server that is asked, as it was learnt so far."""

    def __init__(self) -> None:
        self._lines: dict[Server, _Line] = {}

    def has_answered(self, server: Server) -> bool:
        """Whether the server ever gave an answer."""
        return self._line(server).answered

    def what_it_said(self, server: Server) -> str:
        """Give what the server said when it was last slowed down."""
        return self._line(server).said

    def seconds_until_open(self, servers: Iterable[Server]) -> float:
        """Give the seconds until the first of some servers may be asked."""
        now = time.monotonic()
        return max(0.0, min((self._line(server).opens - now for server in servers), default=0.0))

    async def turn(self, server: Server, patience: float) -> float | None:
        """Wait until a server may be asked.

        Args:
            patience: The longest wait, in seconds.

        Returns:
            When the request goes, for `slow_down`; None where the wait would be longer.
        """
        line = self._line(server)
        until = time.monotonic() + patience
        while line.opens > (now := time.monotonic()):
            if line.opens > until:
                return None
            mine = line.opens
            line.opens += line.interval
            await asyncio.sleep(mine - now)
            if line.slowed_at < now:  # nobody was told to wait meanwhile
                return time.monotonic()
        line.opens = max(line.opens, now + line.interval)
        return now

    def slow_down(self, server: Server, asked_at: float, said: str, retry_after: float | None = None) -> None:
        """Leave a server alone for a while, and ask it less often from then on.

        Args:
            asked_at: When the request went that was too much. One that was under way when the server was last
                slowed down says nothing new.
            said: What it said, for people.
            retry_after: Seconds for which it asks to be left alone; None where it does not say.
        """
        line, now = self._line(server), time.monotonic()
        line.answered, line.said = True, said
        if asked_at >= line.slowed_at:
            line.interval = min(max(FIRST_INTERVAL, 2 * line.interval), LONGEST_INTERVAL)
            line.slowed_at = now
            line.refusals += 1
        if retry_after is None:
            retry_after = min(2.0 ** (line.refusals - 1), LONGEST_PAUSE)
        line.opens = max(line.opens, now + retry_after)

    def speed_up(self, server: Server) -> None:
        """Count an answer that was none of being busy."""
        line = self._line(server)
        line.answered, line.refusals = True, 0
        line.interval = 0.0 if line.interval < _NO_INTERVAL else line.interval * _FASTER

    def _line(self, server: Server) -> _Line:
        return self._lines.setdefault(server, _Line())
