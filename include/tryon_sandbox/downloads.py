"""Fetching what is behind a URL, bounded in time, bytes and redirects.

Every server has a few places and a line before them, so that a dead one holds up no other. One event loop in a
thread of its own: there the time a download may take holds for the whole of it, response headers and redirects
included, while a socket's own timeout begins anew with every byte.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from enum import Enum, auto
from weakref import WeakValueDictionary

import aiohttp
from yarl import URL

MOST_REDIRECTS = 3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AT_ONCE = 5
"""Asked of one server. One that is as small as Python's own takes five connections at a time, and lets the sixth
wait for a second."""
_AT_ONCE_IN_ALL = 200
"""Asked of all servers together, for the sake of this process."""
_PATIENCE_IN_LINE = 1.5
"""Times the time-out. More than one: a few dead URLs of a server that lives otherwise do not take the others' turn
away. Less than two: of what is asked at once of a dead server, nothing waits longer than twice the time-out."""
_UNREACHABLE = (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, OSError, ValueError)
"""What a download raises; ValueError for a host name that cannot be encoded."""


class NoDownload(Enum):
    """Why there are no bytes."""

    UNREACHABLE = auto()
    """No answer, another one than 200, too many redirects, not whole in time, or of a server that is silent."""
    TOO_LARGE = auto()


class _Server:
    """One server: what is asked of it, and what waits in line to be.

    A small server answers one after another. So the time that a download has is counted anew when one that was asked
    before it ends; and the line breaks up when nothing has ended for a multiple of that time.

    Args:
        timeout: Seconds.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._asked: list[asyncio.Timeout] = []
        self._line: list[asyncio.Timeout] = []

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the places, after a wait in line. Raises TimeoutError when the line breaks up."""
        async with asyncio.timeout(_PATIENCE_IN_LINE * self._timeout) as end:
            self._line.append(end)
            try:
                await self._places.acquire()
            finally:
                self._line.remove(end)
        try:
            yield
        finally:
            self._places.release()

    @asynccontextmanager
    async def time(self) -> AsyncIterator[None]:
        """The time for one download that has a place. Raises TimeoutError when it is over."""
        async with asyncio.timeout(self._timeout) as end:
            self._asked.append(end)
            try:
                yield
            finally:
                position = self._asked.index(end)
                del self._asked[position]
                if not end.expired():
                    _count_anew(self._asked[position:], self._timeout)
                    _count_anew(self._line, _PATIENCE_IN_LINE * self._timeout)


def _count_anew(ends: Iterable[asyncio.Timeout], seconds: float) -> None:
    when = asyncio.get_running_loop().time() + seconds
    for end in ends:
        if not end.expired():
            end.reschedule(when)


class Downloads:
    """Downloads, some of them at once; safe to use from many threads.

    Args:
        keep: Puts what has arrived where it is to stay, and gives its name; called in a worker thread.
        timeout: Seconds one download may take from asking to its last byte, not counting those in which its server
            was busy with others that were asked before.
        most_bytes: What is larger is not read to its end.
    """

    def __init__(self, keep: Callable[[bytes], str], *, timeout: float, most_bytes: int) -> None:
        self._keep = keep
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox-download")
        self._thread.start()
        self._servers: WeakValueDictionary[tuple[str | None, int | None], _Server] = WeakValueDictionary()
        self._places = asyncio.Semaphore(_AT_ONCE_IN_ALL)
        self._session = asyncio.run_coroutine_threadsafe(_open_session(), self._loop).result()

    def close(self) -> None:
        """Give up what is still being downloaded. A second time does nothing."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._give_up(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self, url: str) -> Future[str | NoDownload]:
        """Begin a download; its future gives the name of what was kept."""
        return asyncio.run_coroutine_threadsafe(self._fetch(url), self._loop)

    async def _fetch(self, url: str) -> str | NoDownload:
        try:
            place = _as_written(url)
            server = self._server(place)
            async with server.place(), self._places, server.time():
                content = await self._read(place)
        except _UNREACHABLE:
            return NoDownload.UNREACHABLE
        return content if isinstance(content, NoDownload) else await asyncio.to_thread(self._keep, content)

    def _server(self, url: URL) -> _Server:
        return self._servers.setdefault((url.host, url.port), _Server(self._timeout))

    async def _read(self, url: URL) -> bytes | NoDownload:
        # Redirects are followed here, because the library would write their addresses anew.
        for _ in range(1 + MOST_REDIRECTS):
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status == 200:
                    return await self._content(response)
                if response.status not in _REDIRECTS or "Location" not in response.headers:
                    return NoDownload.UNREACHABLE
                url = url.join(_as_written(response.headers["Location"]))
        return NoDownload.UNREACHABLE

    async def _content(self, response: aiohttp.ClientResponse) -> bytes | NoDownload:
        content = bytearray()
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > self._most_bytes:
                return NoDownload.TOO_LARGE
        return bytes(content)

    async def _give_up(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._session.close()


def _as_written(url: str) -> URL:
    """A URL that is asked for character by character, as far as it may be: a server may have signed it so."""
    return URL(url, encoded=url.isascii() and " " not in url)


async def _open_session() -> aiohttp.ClientSession:
    """A session made inside the loop. A proxy of the environment is not used: it could not reach this machine."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
    )
