"""Fetching pictures and images from addresses that come from outside, within limits.

Size, time, redirects, pixels and the addresses that may be connected to are all bounded, because a URL in an
answer is foreign input. The address is checked where the name is resolved, and again where the connection is made, so a
name that resolves to a private address is refused, and a redirect to one as well. Of a result the picture is fetched;
of an input, whose file is yet to be held to the rules, the bytes.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import ipaddress
import re
import socket
import time
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential
from yarl import URL

from damo_tryon.contract import url_problem
from tryon_catalogue.pictures.addresses import is_public
from tryon_catalogue.pictures.fetch_errors import (
    BadUrlError,
    BrokenTransferError,
    BusyError,
    FetchError,
    TooLargeError,
    shown,
)
from tryon_catalogue.pictures.pace import Paces, Server, is_busy, seconds_asked_for, server_of
from tryon_catalogue.urls import canonical_url, encoded_target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from PIL import Image

    from tryon_catalogue.settings import FetchSettings

__all__ = [
    "BadUrlError",
    "BrokenTransferError",
    "BusyError",
    "FetchError",
    "Fetched",
    "FetchedInput",
    "Fetcher",
    "Manners",
    "TooLargeError",
    "measured",
    "open_fetcher",
    "shown",
]

ACCEPT = "image/jpeg, image/png"
"""What the vendor takes. A server that chooses the format by it sends no WebP."""
ANYTHING = "*/*"
"""What is asked for where a server has neither by its own word (406): it may be wrong about its file."""
CONNECTIONS = 16
ATTEMPTS = 3
LONGEST_PAUSE_SECONDS = 2.0
SMALL_PX = 512

_T = TypeVar("_T")

_OK = 200
_NOT_MODIFIED = 304
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_ACCEPTABLE = 406
_EXPIRED = frozenset({403, 404, 410})  # what object stores say of a signed link whose time is over
_GONE = frozenset({404, 410})
_REFUSING = frozenset({401, 403, 407})
_PASSING = frozenset({408, 500, 502, 503, 504})
_REFUSED_CONNECTION = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})
_DEFLATED = frozenset({"gzip", "x-gzip", "deflate"})
_EITHER_DEFLATE = 47  # zlib's word for: gzip or deflate, whichever it is
# What a server called a version goes into a header of ours, and into the ledger, the next time.
_VERSION = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")


@dataclass(frozen=True, slots=True)
class FetchedInput:
    """A file of the shop's, whatever it is.

    Attributes:
        etag: What the server calls this version of it; None when it does not say.
        last_modified: Since when the server has this version, in its words; None when it does not say.
        led_to: Where a redirect led, without its query; None without one.
    """

    content: bytes
    etag: str | None
    last_modified: str | None
    led_to: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A picture that was fetched and could be read.

    Attributes:
        sha256: Digest of the bytes, hex.
        format: ``JPEG`` or ``PNG``, by content.
        width: Pixels.
        height: Pixels.
        small: It decoded, upright, with `SMALL_PX` pixels along the longer side or somewhat more.
    """

    content: bytes
    sha256: str
    format: str
    width: int
    height: int
    small: Image.Image = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Manners:
    """How servers are asked.

    Attributes:
        paces: How fast; given to several fetchers where they ask for one run.
        headers: Host -> what it is sent beside the usual. Secrets: no other host is sent them.
        longest_wait: Seconds; a server that asks for a longer pause is called busy at once. None where the whole
            time of a file may be waited.
    """

    paces: Paces = field(default_factory=Paces)
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    longest_wait: float | None = None


class Fetcher:
    """Fetches pictures, a few at a time. Make one with ``open_fetcher``."""

    def __init__(self, session: aiohttp.ClientSession, limits: FetchSettings, manners: Manners) -> None:
        self._session = session
        self._limits = limits
        self._manners = manners
        self._paces = manners.paces

    async def fetch(self, url: str) -> Fetched:
        """Fetch one picture whole; a broken transfer is tried again within the time there is.

        Args:
            url: An http or https address.

        Raises:
            BusyError: Its server asks for more time than there is.
            FetchError: Not reachable, not allowed, too large, too slow, or not a JPEG or PNG picture.
        """
        return await self._in_time(self._picture, url)

    async def fetch_input(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None, max_bytes: int
    ) -> FetchedInput | None:
        """Fetch a file whole, whatever it is; with the limits of ``fetch`` but for its size.

        Args:
            url: An address that the vendor could take.
            etag: What the server called the version that is known.
            last_modified: Since when the server had the version that is known.
            max_bytes: The largest file, unpacked if the server packed it for the way.

        Returns:
            The file; None when it is still the version that is known.

        Raises:
            BadUrlError: The vendor cannot take this URL, or it holds a login.
            TooLargeError: More than ``max_bytes``.
            BusyError: Its server asks for more time than there is.
            FetchError: Not reachable, not allowed, or too slow.
        """
        problem = _input_url_problem(url)
        if problem is not None:
            raise BadUrlError(url, problem)
        known = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        headers = {name: value for name, value in known.items() if value is not None}
        return await self._in_time(self._input, url, headers, max_bytes)

    async def _in_time(self, attempt: Callable[..., Awaitable[_T]], url: str, *arguments: object) -> _T:
        """Try a few times where a transfer broke; all attempts together have the time of one file."""
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(BrokenTransferError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE_SECONDS),
            reraise=True,
        )
        deadline = time.monotonic() + self._limits.timeout_seconds
        try:
            async with asyncio.timeout(self._limits.timeout_seconds):
                return await attempts(attempt, url, deadline, *arguments)
        except TimeoutError as error:
            raise FetchError(url, f"took longer than {self._limits.timeout_seconds:g} s") from error

    async def _picture(self, url: str, deadline: float) -> Fetched:
        async with self._answer(url, deadline) as answer:
            self._check_status(url, answer)
            content = await self._bounded_body(url, answer, self._limits.max_bytes)
        return await asyncio.to_thread(measured, url, content, self._limits.max_pixels)

    async def _input(
        self, url: str, deadline: float, headers: Mapping[str, str], max_bytes: int
    ) -> FetchedInput | None:
        async with self._answer(url, deadline, headers) as answer:
            if answer.status == _NOT_MODIFIED and headers:
                return None
            self._check_status(url, answer)
            size = answer.content_length
            if size is not None and size > max_bytes:
                raise TooLargeError(url, max_bytes, size)
            body = await self._bounded_body(url, answer, max_bytes)
            packed = answer.headers.get("Content-Encoding", "identity").strip().lower()
            place, asked = shown(str(answer.url)), shown(url)
            return FetchedInput(
                content=_unpacked(url, body, packed, max_bytes),
                etag=_version(answer.headers.get("ETag")),
                last_modified=_version(answer.headers.get("Last-Modified")),
                led_to=None if place == asked else place,
            )

    @asynccontextmanager
    async def _answer(
        self, url: str, deadline: float, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Follow redirects within the limits, to the answer that is none."""
        try:
            address, redirects, accept = self._address(url, url), 0, ACCEPT
            while redirects <= self._limits.max_redirects:
                server = server_of(address)
                asked_at = await self._turn(url, server, deadline)
                sent = {**(headers or {}), "Accept": accept, **self._headers_for(address)}
                try:
                    async with self._session.get(address, allow_redirects=False, headers=sent) as answer:
                        if is_busy(answer.status, answer.headers):
                            pause = seconds_asked_for(answer.headers.get("Retry-After"))
                            self._paces.slow_down(server, asked_at, f"HTTP {answer.status}", pause)
                            continue
                        self._paces.speed_up(server)
                        if answer.status in _REDIRECTS and (target := answer.headers.get("Location")):
                            address = self._address(url, encoded_target(target), base=address)
                            redirects += 1
                            continue
                        if answer.status == _NOT_ACCEPTABLE and accept != ANYTHING:
                            accept = ANYTHING
                            continue
                        yield answer
                        return
                except aiohttp.ClientConnectorError as error:
                    if error.errno not in _REFUSED_CONNECTION or not self._paces.has_answered(server):
                        raise
                    self._paces.slow_down(server, asked_at, "no connection")
        except _PrivateAddressError as error:
            raise FetchError(url, str(error)) from error
        except aiohttp.InvalidURL:  # its own words repeat the whole address
            raise FetchError(url, "is, or leads to, something that is not an address") from None
        except (aiohttp.ClientError, OSError) as error:
            raise BrokenTransferError(
                url, f"could not be fetched ({error or type(error).__name__})"
            ) from error
        raise FetchError(url, f"redirects more than {self._limits.max_redirects} times")

    async def _turn(self, url: str, server: Server, deadline: float) -> float:
        """Wait until a server may be asked, as far as there is time."""
        patience = deadline - time.monotonic()
        if self._manners.longest_wait is not None:
            patience = min(patience, self._manners.longest_wait)
        turn = await self._paces.turn(server, patience)
        if turn is None:
            said = self._paces.what_it_said(server)
            raise BusyError(url, f"is on a server that is busy ({server[1]}: {said})", server)
        return turn

    def _headers_for(self, address: URL) -> Mapping[str, str]:
        """Give what one host alone is sent; in the open only where private addresses are allowed, in a test."""
        if address.scheme != "https" and not self._limits.allow_private:
            return {}
        return self._manners.headers.get((address.raw_host or "").lower(), {})

    def _check_status(self, url: str, answer: aiohttp.ClientResponse) -> None:
        if answer.status == _OK:
            return
        problem = f"answered HTTP {answer.status}"
        if answer.status in _PASSING:
            raise BrokenTransferError(url, problem)
        if answer.status in _GONE:
            problem = f"{problem}: there is nothing, or no longer"
        elif answer.status in _REFUSING:
            problem = f"{problem}: it wants a login, or turns us away"
        raise FetchError(url, problem, expired=answer.status in _EXPIRED, status=answer.status)

    def _address(self, url: str, text: str, base: URL | None = None) -> URL:
        """Read an address byte for byte, its host as the HTTP client will: full-width digits are an IP address."""
        try:
            written = URL(canonical_url(text), encoded=True)
            address = base.join(written) if base else written
            host = URL(str(address)).raw_host
        except ValueError:
            raise FetchError(url, "is, or leads to, something that is not an address") from None
        if address.scheme not in {"http", "https"} or not host:
            raise FetchError(url, "is, or leads to, something that is not an http or https address")
        # The client connects to a bare IP address without asking the resolver.
        if not self._limits.allow_private and _is_ip_address(host) and _is_private(host):
            raise _PrivateAddressError(host)
        return address

    async def _bounded_body(self, url: str, answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
        body = bytearray()
        async for piece in answer.content.iter_chunked(65_536):
            body += piece
            if len(body) > max_bytes:
                raise TooLargeError(url, max_bytes)
        return bytes(body)


def measured(url: str, content: bytes, max_pixels: int) -> Fetched:
    """Read a picture to its last byte, and decode it as large as whoever looks at it needs.

    Args:
        url: Where it is from, for the errors.
        max_pixels: The most pixels, width times height.

    Raises:
        FetchError: It has too many pixels, or takes too long to decode.
        BrokenTransferError: It is not a whole JPEG or PNG picture.
    """
    from PIL import Image

    from tryon_catalogue.pictures.opening import TooMuchWorkError, open_picture
    from tryon_catalogue.pictures.reading import decode_small

    try:
        with open_picture(content) as picture:
            width, height = picture.size
            if width * height > max_pixels:
                raise FetchError(url, f"has {width} x {height} pixels, more than {max_pixels:,}")
            # A JPEG that carries further pictures (MPO) is a JPEG.
            kind = "PNG" if picture.format == "PNG" else "JPEG"
            small = decode_small(picture, SMALL_PX)
    except Image.DecompressionBombError as error:
        raise FetchError(url, f"has too many pixels ({error})") from error
    except TooMuchWorkError as error:
        raise FetchError(url, str(error)) from error
    except (OSError, SyntaxError, ValueError) as error:
        # A body that was cut off somewhere on the way looks like this as well.
        raise BrokenTransferError(url, f"is not a whole JPEG or PNG picture ({error})") from error
    return Fetched(content, hashlib.sha256(content).hexdigest(), kind, width, height, small)


@asynccontextmanager
async def open_fetcher(
    limits: FetchSettings,
    resolver: AbstractResolver | None = None,
    connections: int = CONNECTIONS,
    manners: Manners | None = None,
) -> AsyncIterator[Fetcher]:
    """Open a fetcher for as long as the block lasts.

    Args:
        limits: The ``[fetch]`` section of the settings.
        resolver: How host names become addresses; the system's way when not given.
        connections: How many are open at once; waiting for one counts towards the time of a file.
        manners: How servers are asked; as fast as they answer, when not given.
    """
    resolver = resolver or ThreadedResolver()
    connector = aiohttp.TCPConnector(
        limit=connections,
        resolver=resolver if limits.allow_private else _PublicResolver(resolver),
        socket_factory=None if limits.allow_private else _public_socket,
        force_close=True,  # a second attempt is to meet a fresh connection
    )
    options: dict[str, Any] = {
        # Without auto_decompress a small compressed body cannot grow beyond the limit on bytes.
        "auto_decompress": False,
        "headers": {"Accept-Encoding": "identity", "User-Agent": limits.user_agent},
        "timeout": aiohttp.ClientTimeout(total=None),  # ``fetch`` keeps the time
        "cookie_jar": aiohttp.DummyCookieJar(),
    }
    async with aiohttp.ClientSession(connector=connector, **options) as session:
        yield Fetcher(session, limits, manners or Manners())


class _PrivateAddressError(Exception):
    """A name leads to a private address. No OSError, which the HTTP client would take for a failed look-up."""

    def __init__(self, host: str) -> None:
        super().__init__(f"leads to the private address {host}, which [fetch] allow_private does not allow")


class _PublicResolver(AbstractResolver):
    """Resolves names and leaves out every address that is not public."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        public = [address for address in found if not _is_private(address["host"])]
        if not public:
            raise _PrivateAddressError(f"of {host}")
        return public

    async def close(self) -> None:
        await self._resolver.close()


def _input_url_problem(url: str) -> str | None:
    problem = url_problem(url)
    if problem is None and "@" in urlsplit(url).netloc:
        return "holds a login, which would be handed to the vendor; give one that needs none"
    return problem


def _unpacked(url: str, body: bytes, packed: str, max_bytes: int) -> bytes:
    """Some servers pack a file that was asked for as it is, and whoever fetches it unpacks it."""
    if packed in {"", "identity"}:
        return body
    if packed not in _DEFLATED:
        raise FetchError(url, f"was sent packed as {packed[:40]!r} to a client that asked for it as it is")
    unpacking = zlib.decompressobj(_EITHER_DEFLATE)
    try:
        content = unpacking.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise BrokenTransferError(url, f"was sent packed and cannot be unpacked ({error})") from error
    if len(content) > max_bytes:
        raise TooLargeError(url, max_bytes)
    if not unpacking.eof:
        raise BrokenTransferError(url, "was sent packed and ends too early")
    return content


def _version(header: str | None) -> str | None:
    return header if header is not None and _VERSION.fullmatch(header) else None


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_private(address: str) -> bool:
    return not is_public(address)


def _public_socket(found: tuple[Any, ...]) -> socket.socket:
    """Make the socket for an address that is about to be connected to, however that was found."""
    family, kind, protocol, _, address = found
    host = address[0]
    if not _is_ip_address(host) or _is_private(host):
        raise _PrivateAddressError(host)
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made
