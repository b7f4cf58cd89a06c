"""One HTTP attempt over a real socket: what is sent, and what a failure proves."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import itertools
import os
import socket
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from aiohttp import ClientResponse
from aiohttp.connector import Connection
from aiohttp.http_parser import HttpResponseParserPy
from tests.damo_tryon.conftest import Connect, ScriptedServer
from tests.guards import GUARD

from damo_tryon import transport
from damo_tryon.answers import Call
from damo_tryon.errors import NotConnectedError, OutcomeUnknownError, PollFailedError, TryOnError
from damo_tryon.transport import Attempt, apost, new_session, post, shared_session

BODY = '{"data":{"name":"衣"}}'.encode()


@pytest.fixture(autouse=True)
def _no_proxies(connect: Connect) -> None:
    """The environment of whoever runs the tests names no proxy to them."""


def attempt(
    url: str, *, call: Call = Call.SUBMIT, patience: float = GUARD, connect_within: float = GUARD
) -> Attempt:
    headers = {"Accept": "application/json", "Content-Type": "application/json", "Authorization": "APPCODE x"}
    return Attempt(
        url=url, headers=headers, body=BODY, connect_timeout=connect_within, read_timeout=patience, call=call
    )


async def arrived(server: ScriptedServer) -> None:
    """Wait until the server has read a request: who asked may have given up before."""
    async with asyncio.timeout(GUARD):
        while not server.received:  # noqa: ASYNC110  # the server is a thread of its own
            await asyncio.sleep(0.01)


def send(given: Attempt) -> transport.Reply:
    with new_session() as session:
        return post(session, given)


async def failure(given: Attempt, *, asynchronous: bool) -> TryOnError:
    with pytest.raises(TryOnError) as caught:
        await apost(given) if asynchronous else await asyncio.to_thread(send, given)
    return caught.value


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_exact_bytes_and_headers_are_sent_once(server: ScriptedServer, asynchronous: bool) -> None:
    server.then_answer(403, b'{"x": 1}', {"X-Ca-Error-Code": "T429ID"})
    given = attempt(server.url + "/api")
    reply = await apost(given) if asynchronous else await asyncio.to_thread(send, given)
    assert (reply.status, reply.body, reply.headers["x-ca-error-code"]) == (403, b'{"x": 1}', "T429ID")
    (request,) = server.received
    assert (request.path, request.body) == ("/api", BODY)
    assert request.headers["content-length"] == str(len(BODY))
    assert "transfer-encoding" not in request.headers
    assert {name: request.headers[name.lower()] for name in given.headers} == given.headers


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_is_an_answer_and_is_not_followed(
    server: ScriptedServer, status: int, asynchronous: bool
) -> None:
    server.then_answer(status, b"", {"Location": server.url + "/elsewhere"})
    given = attempt(server.url + "/api")
    reply = await apost(given) if asynchronous else await asyncio.to_thread(send, given)
    assert reply.status == status
    assert len(server.received) == 1


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_refused_connection_proves_that_nothing_was_sent(asynchronous: bool) -> None:
    error = await failure(attempt(f"http://127.0.0.1:{closed_port()}/"), asynchronous=asynchronous)
    assert type(error) is NotConnectedError
    assert "111" in str(error)  # the system's own reason is told
    assert error.proved_not_accepted


async def test_a_query_proves_nothing_about_a_submission_and_names_its_result_key() -> None:
    given = dataclasses.replace(
        attempt(f"http://127.0.0.1:{closed_port()}/"), call=Call.QUERY, result_key="k"
    )
    for asynchronous in (False, True):
        error = await failure(given, asynchronous=asynchronous)
        assert (type(error), error.proved_not_accepted, error.result_key) == (NotConnectedError, False, "k")


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_unknown_host_proves_that_nothing_was_sent(asynchronous: bool) -> None:
    error = await failure(attempt("http://no-such-host.invalid/"), asynchronous=asynchronous)
    assert type(error) is NotConnectedError


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_failed_tls_handshake_proves_that_nothing_was_sent(
    server: ScriptedServer, asynchronous: bool
) -> None:
    url = server.url.replace("http://", "https://")
    assert type(await failure(attempt(url), asynchronous=asynchronous)) is NotConnectedError
    assert server.received == []


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_connect_time_out_proves_that_nothing_was_sent(asynchronous: bool) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # fill the queue of connections that nobody accepts
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        given = attempt(f"http://127.0.0.1:{port}/", connect_within=0.3)
        error = await failure(given, asynchronous=asynchronous)
        for one in waiting:
            one.close()
    assert type(error) is NotConnectedError


async def test_a_proxy_that_cannot_be_reached_proves_that_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    for asynchronous in (False, True):
        error = await failure(attempt("https://tryon.example/"), asynchronous=asynchronous)
        assert type(error) is NotConnectedError


async def test_the_password_of_a_proxy_stays_out_of_errors(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for proxy in (
        server.url.replace("//", "//user:s3cret@"),
        "http://user:s3cret@a..b:1",
        "user:s3cret@nowhere.invalid:1",
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        for asynchronous in (False, True):
            error = await failure(attempt("https://tryon.example/"), asynchronous=asynchronous)
            assert "s3cret" not in str(error)


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example"])
async def test_an_address_that_none_can_have_proves_that_nothing_was_sent(host: str) -> None:
    for asynchronous in (False, True):
        error = await failure(attempt(f"http://{host}/"), asynchronous=asynchronous)
        assert type(error) is NotConnectedError


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_querys_answer_that_comes_a_byte_at_a_time_is_given_up(
    server: ScriptedServer, asynchronous: bool
) -> None:
    server.then_drip(every=0.1)
    given = attempt(server.url, call=Call.QUERY, patience=0.3, connect_within=2.0)  # both count, for a query
    error = await failure(given, asynchronous=asynchronous)
    assert type(error) is PollFailedError


def test_a_submissions_answer_is_waited_for_as_long_as_it_comes(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each look at the clock is an hour after the one before; the sockets' own time-outs do not look at it.
    hours = itertools.count(0, 3600)
    monkeypatch.setattr(transport, "time", SimpleNamespace(monotonic=lambda: float(next(hours))))
    server.then_answer(200, b"x" * 200_000)
    assert send(attempt(server.url)).body == b"x" * 200_000
    server.then_answer(200, b"x" * 200_000)
    with pytest.raises(PollFailedError):  # a query's is not, by this same clock
        send(attempt(server.url, call=Call.QUERY))


LOST = [
    ("then_close", ()),
    ("then_close_within_body", (b'{"code": 0, "data": {"result_key": "k"}}',)),
    ("then_break_a_chunk", ()),
    ("then_stay_silent", ()),
]
ENDED_BY_PATIENCE = (
    "then_break_a_chunk",
    "then_stay_silent",
)  # aiohttp may wait for more where a chunk is broken


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(("act", "arguments"), LOST)
async def test_an_answer_that_is_lost_after_sending_proves_nothing(
    server: ScriptedServer, act: str, arguments: tuple[bytes, ...], asynchronous: bool
) -> None:
    getattr(server, act)(*arguments)
    call = Call.QUERY if asynchronous else Call.SUBMIT
    patience = 0.3 if act in ENDED_BY_PATIENCE else GUARD
    error = await failure(
        attempt(server.url + "/api", call=call, patience=patience, connect_within=2.0),
        asynchronous=asynchronous,
    )
    assert type(error) is (PollFailedError if asynchronous else OutcomeUnknownError)
    assert not error.proved_not_accepted
    await arrived(server)
    assert len(server.received) == 1


async def test_a_chunk_that_is_none_is_a_lost_answer_also_to_aiohttps_parser_in_python(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers_read = threading.Event()
    start = ClientResponse.start

    async def start_and_say(response: ClientResponse, connection: Connection) -> ClientResponse:
        started = await start(response, connection)
        headers_read.set()
        return started

    monkeypatch.setattr(ClientResponse, "start", start_and_say)
    monkeypatch.setattr("aiohttp.client_proto.HttpResponseParser", HttpResponseParserPy)
    server.then_break_a_chunk(after=headers_read)
    error = await failure(attempt(server.url, call=Call.QUERY), asynchronous=True)
    assert type(error) is PollFailedError
    assert "TransferEncodingError" in str(error)


def test_a_tls_error_after_the_body_began_proves_nothing(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same exception type as for a failed handshake; only the watched body tells the two apart.
    def break_off(_session: object, request: requests.PreparedRequest, **_options: object) -> None:
        request.body.read()  # type: ignore[union-attr] # the watched body
        raise requests.exceptions.SSLError("bad record mac")

    monkeypatch.setattr(requests.Session, "send", break_off)
    with pytest.raises(OutcomeUnknownError, match="bad record mac"):
        send(attempt(server.url))


def test_a_netrc_file_does_not_replace_the_authorization(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.then_answer(200)
    send(attempt(server.url))
    assert server.received[0].headers["authorization"] == "APPCODE x"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_no_cookie_is_kept_from_one_call_to_the_next(
    server: ScriptedServer, asynchronous: bool
) -> None:
    for _ in range(2):
        server.then_answer(200, b"", {"Set-Cookie": "lane=1"})
        given = attempt(server.url)
        await apost(given) if asynchronous else await asyncio.to_thread(post, shared_session(), given)
    assert "cookie" not in server.received[1].headers


async def test_calls_of_one_event_loop_share_a_connection(server: ScriptedServer) -> None:
    for _ in range(3):
        server.then_answer(200)
        await apost(attempt(server.url))
    assert len({request.client_port for request in server.received}) == 1


@pytest.mark.parametrize("call", Call)
def test_the_shared_session_shares_a_connection_and_new_ones_do_not(
    server: ScriptedServer, call: Call
) -> None:
    for _ in range(6):
        server.then_answer(200, b"{}")
    for _ in range(3):
        post(shared_session(), attempt(server.url, call=call))
        send(attempt(server.url, call=call))
    assert len({request.client_port for request in server.received}) == 4


def test_an_event_loop_that_ends_leaves_no_open_session_behind(server: ScriptedServer) -> None:
    server.then_answer(200)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(apost(attempt(server.url)))
        gc.collect()
    assert [str(warning.message) for warning in caught if "nclosed" in str(warning.message)] == []


def test_a_forked_child_opens_a_session_of_its_own() -> None:
    ours = id(shared_session())
    keep = shared_session()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # the test process has threads; the child does little
        child = os.fork()
    if child == 0:
        os.write(writing, b"own" if shared_session() is not keep else b"same")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 10) == b"own"
    assert id(shared_session()) == ours
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_missing_bundle_of_certificates_proves_that_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asynchronous: bool
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "no-such-bundle.pem"))
    error = await failure(attempt("https://127.0.0.1:1/"), asynchronous=asynchronous)
    assert type(error) is NotConnectedError


def test_the_repr_of_an_attempt_shows_no_credentials() -> None:
    assert "APPCODE" not in repr(attempt("https://tryon.example/"))
