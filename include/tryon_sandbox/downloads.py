"""Fetching what is behind a URL, bounded in time, bytes and redirects. Knows nothing of pictures or rules.

One event loop in a thread of its own: there the time a download may take holds for the whole of it, response
headers and redirects included, while a socket's own timeout begins anew with every byte.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum, auto

import aiohttp
from yarl import URL

MOST_REDIRECTS = 3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AT_ONCE = 5
"""A server that is as small as Python's own takes five connections at a time, and lets the sixth wait for a second."""
_UNREACHABLE = (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, OSError, ValueError)
"""What a download raises; ValueError for a host name that cannot be encoded."""


class NoDownload(Enum):
    """Why there are no bytes."""

    UNREACHABLE = auto()
    """No answer, another one than 200, too many redirects, or not whole in time."""
    TOO_LARGE = auto()


class Downloads:
    """Downloads, some of them at once; safe to use from many threads.

    Arguments:
        keep: puts what has arrived where it is to stay, and gives its name; called in a worker thread.
        timeout: seconds one download may take from asking to its last byte.
        most_bytes: what is larger is not read to its end.
    """

    def __init__(self, keep: Callable[[bytes], str], *, timeout: float, most_bytes: int) -> None:
        self._keep = keep
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox-download")
        self._thread.start()
        self._places = asyncio.Semaphore(_AT_ONCE)
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
        async with self._places:
            try:
                async with asyncio.timeout(self._timeout):
                    content = await self._read(_as_written(url))
            except _UNREACHABLE:
                return NoDownload.UNREACHABLE
        return content if isinstance(content, NoDownload) else await asyncio.to_thread(self._keep, content)

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
