"""Fetching pictures from addresses that come from outside, within limits.

Size, time, redirects, pixels and the addresses that may be connected to are all bounded, because a URL in an
export or in an answer is somebody else's word. The address is checked where the connection is made, so a name
that resolves to a private address is refused, a redirect to one as well. It knows no ledger and no vendor.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import ipaddress
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tryon_catalogue.settings import FetchSettings

REDIRECTS = frozenset({301, 302, 303, 307, 308})
FORMATS = ("JPEG", "PNG")


class FetchError(Exception):
    """A picture could not be fetched within the limits; says which address, what was wrong, what to do.

    :param url: the address as it was asked for
    :param problem: what was wrong, in plain words
    :param expired: True when the server says that the address is no longer valid (403, 404, 410)
    """

    def __init__(self, url: str, problem: str, *, expired: bool = False) -> None:
        super().__init__(url, problem)
        self.url = url
        self.problem = problem
        self.expired = expired

    def __str__(self) -> str:
        return f"{shown(self.url)}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A picture that was fetched and could be read.

    :param content: the file's bytes
    :param sha256: digest of the bytes, hex
    :param format: ``JPEG`` or ``PNG``, by content
    :param width: pixels
    :param height: pixels
    """

    content: bytes
    sha256: str
    format: str
    width: int
    height: int


def shown(url: str) -> str:
    """Give an address without its query, which is where a signed link keeps its signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _is_private(address: str) -> bool:
    return not ipaddress.ip_address(address).is_global


class _PublicResolver(AbstractResolver):
    """Resolves names and leaves out every address that is not public."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [one for one in found if not _is_private(one["host"])]
        if not public:
            raise OSError(f"{host} resolves to a private address, which [fetch] allow_private does not allow")
        return public

    async def close(self) -> None:
        await self._resolver.close()


class Fetcher:
    """Fetches pictures through one pool of connections. Make one with ``open_fetcher``."""

    def __init__(self, session: aiohttp.ClientSession, limits: FetchSettings) -> None:
        self._session = session
        self._limits = limits

    async def fetch(self, url: str) -> Fetched:
        """Fetch one picture and read its header.

        :param url: an http or https address
        :raises FetchError: not reachable, not allowed, too large, too slow, or not a JPEG or PNG picture
        """
        try:
            async with asyncio.timeout(self._limits.timeout_seconds):
                content = await self._content(url)
        except TimeoutError as error:
            raise FetchError(url, f"took longer than {self._limits.timeout_seconds:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise FetchError(url, f"could not be fetched ({error})") from error
        return await asyncio.to_thread(self._measured, url, content)

    async def _content(self, url: str) -> bytes:
        address = url
        for _ in range(self._limits.max_redirects + 1):
            self._check_address(url, address)
            async with self._session.get(address, allow_redirects=False) as answer:
                if answer.status in REDIRECTS and (target := answer.headers.get("Location")):
                    address = urljoin(address, target)
                    continue
                if answer.status != 200:
                    expired = answer.status in {403, 404, 410}
                    raise FetchError(url, f"answered HTTP {answer.status}", expired=expired)
                return await self._bounded_body(url, answer)
        raise FetchError(url, f"redirects more than {self._limits.max_redirects} times")

    def _check_address(self, url: str, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise FetchError(url, "leads to something that is not an http or https address")
        # The client connects to a bare IP address without asking the resolver.
        try:
            private = _is_private(parts.hostname)
        except ValueError:
            return
        if private and not self._limits.allow_private:
            raise FetchError(url, "leads to a private address, which [fetch] allow_private does not allow")

    async def _bounded_body(self, url: str, answer: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for piece in answer.content.iter_chunked(65_536):
            body += piece
            if len(body) > self._limits.max_bytes:
                raise FetchError(url, f"is larger than {self._limits.max_bytes:,} bytes")
        return bytes(body)

    def _measured(self, url: str, content: bytes) -> Fetched:
        from PIL import Image  # noqa: PLC0415  # heavy

        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                width, height, kind = picture.width, picture.height, str(picture.format)
                if width * height > self._limits.max_pixels:
                    raise FetchError(
                        url, f"has {width} x {height} pixels, more than {self._limits.max_pixels:,}"
                    )
                picture.load()  # a cut-off file shows only here
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise FetchError(url, f"is not a whole JPEG or PNG picture ({error})") from error
        return Fetched(content, hashlib.sha256(content).hexdigest(), kind, width, height)


@asynccontextmanager
async def open_fetcher(limits: FetchSettings) -> AsyncIterator[Fetcher]:
    """Open a fetcher for as long as the block lasts.

    :param limits: the ``[fetch]`` section of the settings
    """
    options: dict[str, Any] = {} if limits.allow_private else {"resolver": _PublicResolver()}
    connector = aiohttp.TCPConnector(limit=16, **options)
    # Without auto_decompress a small compressed body cannot grow beyond the limit on bytes.
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, headers={"Accept-Encoding": "identity"}
    ) as session:
        yield Fetcher(session, limits)
