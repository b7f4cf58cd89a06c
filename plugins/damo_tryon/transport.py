"""One HTTP attempt, and the proof of whether anything was sent when it fails.

Whether a failed submission may be sent again hangs on one question: can the vendor have seen the request?
The type of a library's exception does not answer it (a TLS error, say, can come before the request or after
it). So the synchronous path watches the body instead: the HTTP library takes bytes from it only once it has
a connection and has written the headers, and a body of which nothing was taken cannot have been accepted.

One pool of connections serves a process (``requests``) or an event loop (``aiohttp``).
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Final

import aiohttp
import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy
from urllib3.exceptions import HTTPError

from damo_tryon.answers import Call, Reply
from damo_tryon.errors import NotConnectedError, TryOnError
from damo_tryon.redaction import NO_SECRETS, Redaction

_AT_ONCE: Final = 65_536
_MAX_REASON: Final = 300
_USER_INFO: Final = re.compile(r"\S*@")  # of a proxy, whose password stands in its URL


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP POST.

    Attributes:
        url: Full URL.
        headers: Every header that matters, authentication included.
        body: The exact bytes; a signature covers them.
        connect_timeout: Seconds to wait for a connection.
        read_timeout: Seconds of silence to bear while waiting for the answer. A query's answer is given up,
            silent or not, when it is not whole within both time-outs together.
        call: Which of the two calls it is; that decides what a lost answer means.
        result_key: The key that a query asks for, to be named in its errors.
        redaction: Takes the secrets of the headers out of what comes back.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)  # they hold the AppCode
    body: bytes
    connect_timeout: float
    read_timeout: float
    call: Call
    result_key: str | None = None
    redaction: Redaction = NO_SECRETS

    def not_sent(self, reason: str) -> TryOnError:
        """Return the error for an attempt of which nothing reached the vendor."""
        proved = self.call is Call.SUBMIT
        return NotConnectedError(self._kept(reason), proved_not_accepted=proved, result_key=self.result_key)

    def lost(self, reason: str) -> TryOnError:
        """Return the error for an attempt that was, or may have been, sent and got no answer."""
        return self.call.unanswered(self._kept(reason), result_key=self.result_key)

    def _kept(self, reason: str) -> str:
        return self.redaction.line(reason, _MAX_REASON)


class WatchedBody(io.BytesIO):
    """A request body that remembers whether the HTTP library began to send it."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.begun = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, and remember that they were asked for."""
        self.begun = True
        return super().read(size)


class OwnHeaders(requests.auth.AuthBase):
    """No authentication beyond the attempt's own headers.

    Without it ``requests`` looks the host up in ~/.netrc and overwrites the Authorization header.
    """

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave the request as it is."""
        return request


def new_session() -> requests.Session:
    """Return a session that sends each request once, keeps no cookies and adds no authentication.

    Proxies and the bundle of certificates come from the environment, as ``requests`` reads it.
    """
    session = requests.Session()
    session.auth = OwnHeaders()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(max_retries=0)  # urllib3 cannot know which request is safe to send again
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


@lru_cache(maxsize=1)
def shared_session() -> requests.Session:
    """Return this process's session, for calls that are free to repeat."""
    return new_session()


# A forked child must not write to its parent's sockets.
os.register_at_fork(after_in_child=shared_session.cache_clear)


def post(session: requests.Session, attempt: Attempt) -> Reply:
    """Send one attempt and return its answer, whatever it says; redirects are not followed.

    A submission's answer is worth money, and is waited for as long as it goes on coming. A query is free to repeat:
    it ends at the first byte, or silence, after both time-outs together. Headers that come a byte at a time are
    the exception, for they are read by the library, which bounds each silence and not their sum.

    Raises:
        NotConnectedError: Nothing of the body was sent.
        OutcomeUnknownError: Some of a submission was sent and no whole answer came.
        PollFailedError: The same of a query.
    """
    body = WatchedBody(attempt.body)
    give_up_at = time.monotonic() + attempt.connect_timeout + attempt.read_timeout
    try:
        response = session.post(
            attempt.url,
            data=body,
            headers=dict(attempt.headers),
            timeout=(attempt.connect_timeout, attempt.read_timeout),
            allow_redirects=False,
            stream=attempt.call is Call.QUERY,
        )
        content = _read_until(give_up_at, response) if attempt.call is Call.QUERY else response.content
    # Every error of requests is an OSError, and so is a missing bundle of certificates; urllib3's for an address that
    # none can have is a ValueError, and those of a body that is read past requests are its own.
    except (OSError, ValueError, HTTPError) as error:
        # Not "from error": what a library quotes of an answer has not passed the redaction.
        raise (attempt.lost if body.begun else attempt.not_sent)(_reason(error)) from None
    return Reply.of(response.status_code, response.headers, content, attempt.redaction)


def _read_until(give_up_at: float, response: requests.Response) -> bytes:
    content = bytearray()
    with response:
        # Whatever has come: ``iter_content`` would wait until a whole chunk is there.
        while some := response.raw.read1(_AT_ONCE, decode_content=True):
            content += some
            if time.monotonic() > give_up_at:
                raise TimeoutError("the answer had begun, and was not whole in the time it is given")
    return bytes(content)


async def apost(attempt: Attempt) -> Reply:
    """Do as ``post`` does, without blocking the event loop, for calls that are free to repeat.

    Raises:
        NotConnectedError: No connection came about.
        PollFailedError: One did, and no whole answer came.
    """
    session = await _session_of_running_loop()
    settings = shared_session().merge_environment_settings(attempt.url, {}, False, None, None)
    try:
        tls = _tls(settings["verify"])
    except OSError as error:
        raise attempt.not_sent(f"the certificates to trust cannot be read: {_reason(error)}") from error
    try:
        async with session.post(
            attempt.url,
            data=attempt.body,
            headers=attempt.headers,
            # In all, too: the answer is small, and one that comes a byte at a time is none.
            timeout=aiohttp.ClientTimeout(
                total=attempt.connect_timeout + attempt.read_timeout,
                sock_connect=attempt.connect_timeout,
                sock_read=attempt.read_timeout,
            ),
            allow_redirects=False,
            proxy=select_proxy(attempt.url, settings["proxies"]),
            ssl=tls,
        ) as response:
            return Reply.of(response.status, response.headers, await response.read(), attempt.redaction)
    except (
        aiohttp.ClientConnectorError,
        aiohttp.ConnectionTimeoutError,
        aiohttp.ClientSSLError,
        aiohttp.ClientHttpProxyError,
        ValueError,  # an address that none can have
    ) as error:
        raise attempt.not_sent(_reason(error)) from None
    # Without its compiled parser aiohttp raises what is wrong with a body as it is, and not as a ClientError.
    except (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, TimeoutError, OSError) as error:
        raise attempt.lost(_reason(error)) from None


_LOOP_SESSIONS: Final[
    dict[asyncio.AbstractEventLoop, tuple[AsyncGenerator[aiohttp.ClientSession], aiohttp.ClientSession]]
] = {}


async def _session_of_running_loop() -> aiohttp.ClientSession:
    loop = asyncio.get_running_loop()
    if loop not in _LOOP_SESSIONS:
        keeper = _keep_session(loop)
        _LOOP_SESSIONS[loop] = (keeper, await anext(keeper))
    return _LOOP_SESSIONS[loop][1]


async def _keep_session(loop: asyncio.AbstractEventLoop) -> AsyncGenerator[aiohttp.ClientSession]:
    # A generator, because an event loop closes its asynchronous generators before it ends: that is the one
    # moment at which the session can be closed properly and is sure not to be wanted any more.
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                yield session
    finally:
        _LOOP_SESSIONS.pop(loop, None)


@lru_cache(maxsize=4)
def _tls(verify: bool | str) -> ssl.SSLContext:
    # The same certificates as the synchronous path: those the environment names, else requests' own.
    certificates = Path(verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH)
    if certificates.is_dir():
        return ssl.create_default_context(capath=certificates)
    return ssl.create_default_context(cafile=certificates)


def _reason(error: Exception) -> str:
    # The innermost error says it best: requests wraps urllib3's, aiohttp the operating system's.
    cause = getattr(error.args[0], "reason", error) if error.args else error
    text = f"{type(error).__name__}: {getattr(cause, 'os_error', cause)}"
    return _USER_INFO.sub("", text)
