"""The hook over a real socket: what it sends, what it repeats, what it never repeats, what it tells."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from typing import Any

import pytest
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import Connection
from tests.damo_tryon.conftest import (
    APP_CODE,
    MODEL,
    PANTS,
    RESULT_KEY,
    TOPS,
    Connect,
    ScriptedServer,
    accepted,
    envelope,
)

from damo_tryon.contract import FitType, SubTaskStatus, TryOnTask
from damo_tryon.errors import (
    ConnectionSettingsError,
    CredentialsError,
    ImageRefusedError,
    MalformedRequestError,
    MismatchedAnswerError,
    NotConnectedError,
    OutcomeUnknownError,
    PollFailedError,
    ThrottledError,
    TryOnError,
    UnknownResultKeyError,
    VendorInternalError,
)
from damo_tryon.hooks import DamoTryOnHook, RetryPolicy

TASK = TryOnTask(model_image=MODEL, tops_image=TOPS)
ScriptedAnswer = tuple[int, bytes, dict[str, str]]
IMPATIENT = RetryPolicy(attempts=3, first_wait=0.001, longest_wait=0.002)


@pytest.fixture
def hook(server: ScriptedServer, connect: Connect) -> DamoTryOnHook:
    connect(server.url)
    return DamoTryOnHook(retry=IMPATIENT)


@pytest.fixture
def silence(server: ScriptedServer, connect: Connect) -> None:
    """The vendor says nothing to the next request, and the connection does not bear that for long."""
    connect(server.url, extra={"read_timeout": 0.3})
    server.then_stay_silent()


def submission_failure(hook: DamoTryOnHook) -> TryOnError:
    with pytest.raises(TryOnError) as caught:
        hook.submit([TASK], FitType.HALF_BODY)
    return caught.value


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_it_is_an_http_hook_with_a_connection_type_of_its_own() -> None:
    assert issubclass(DamoTryOnHook, HttpHook)
    assert (DamoTryOnHook.conn_type, DamoTryOnHook.default_conn_name) == ("damo_tryon", "damo_tryon")
    assert DamoTryOnHook().http_conn_id == "damo_tryon"


def test_a_submission_is_sent_as_the_document_says(hook: DamoTryOnHook, server: ScriptedServer) -> None:
    server.then_answer(200, accepted())
    dressed = TryOnTask(model_image=MODEL, tops_image=TOPS, pants_image=PANTS)
    answer = hook.submit([dressed, TASK], "FULL_BODY", inference_num=3)
    assert (answer.result_key, answer.request_id) == (RESULT_KEY, "request-1")
    (request,) = server.received
    assert request.path == "/api/v1/tryon/submit"
    assert json.loads(request.body) == {
        "data": {
            "fit_type": "FULL_BODY",
            "inference_num": 3,
            "task_list": [
                {"model_image": MODEL, "tops_image": TOPS, "pants_image": PANTS},
                {"model_image": MODEL, "tops_image": TOPS},
            ],
        }
    }
    assert request.headers["authorization"] == f"APPCODE {APP_CODE}"
    assert request.headers["content-type"].startswith("application/json")
    assert request.headers["accept"] == "application/json"
    assert request.headers["x-ca-nonce"]
    assert request.headers["connection"] == "close"


def test_a_query_is_sent_as_the_document_says(hook: DamoTryOnHook, server: ScriptedServer) -> None:
    server.then_answer(200, accepted(status="SUCCESS"))
    assert hook.query(RESULT_KEY).counts[SubTaskStatus.SUCCESS] == 1
    (request,) = server.received
    assert request.path == "/api/v1/tryon/query"
    assert json.loads(request.body) == {"data": {"result_key": RESULT_KEY}}


async def test_a_query_from_an_event_loop_asks_the_same(hook: DamoTryOnHook, server: ScriptedServer) -> None:
    server.then_answer(200, accepted())
    server.then_answer(200, accepted())
    by_loop = await hook.async_query(RESULT_KEY)
    assert by_loop == await asyncio.to_thread(hook.query, RESULT_KEY)
    first, second = server.received
    assert (first.path, first.body) == (second.path, second.body)
    assert first.headers["x-ca-nonce"] != second.headers["x-ca-nonce"]


def test_a_login_means_a_signature_and_never_basic_authentication(
    server: ScriptedServer, connect: Connect
) -> None:
    connect(server.url, login="the-key", password="the-secret", extra={"signature_method": "HmacSHA1"})
    server.then_answer(200, accepted())
    DamoTryOnHook().submit([TASK], FitType.HALF_BODY)
    headers = server.received[0].headers
    assert "authorization" not in headers
    assert (headers["x-ca-key"], headers["x-ca-signature-method"]) == ("the-key", "HmacSHA1")
    assert "the-secret" not in str(headers)


def test_no_extra_of_the_connection_becomes_a_header(server: ScriptedServer, connect: Connect) -> None:
    connect(server.url, extra={"auth": "appcode", "read_timeout": 5, "stage": "RELEASE"})
    server.then_answer(200, accepted())
    DamoTryOnHook().submit([TASK], FitType.HALF_BODY)
    assert {"auth", "read_timeout", "stage"}.isdisjoint(server.received[0].headers)


THROTTLES = [
    (403, envelope(23500004, "Request was denied due to request throttling."), {}),
    (403, b"", {"X-Ca-Error-Code": "T429PR"}),
    (429, b"", {"X-Ca-Error-Message": "Throttled by APP Flow Control", "Retry-After": "0"}),
]


@pytest.mark.parametrize("answer", THROTTLES)
def test_a_throttled_submission_is_sent_again_with_a_new_nonce(
    hook: DamoTryOnHook, server: ScriptedServer, answer: ScriptedAnswer
) -> None:
    server.then_answer(*answer)
    server.then_answer(*answer)
    server.then_answer(200, accepted())
    assert hook.submit([TASK], FitType.HALF_BODY).result_key == RESULT_KEY
    assert len({request.headers["x-ca-nonce"] for request in server.received}) == 3
    assert len({request.body for request in server.received}) == 1


def test_throttling_that_lasts_is_raised_after_the_last_attempt(
    hook: DamoTryOnHook, server: ScriptedServer
) -> None:
    for _ in range(3):
        server.then_answer(*THROTTLES[0])
    error = submission_failure(hook)
    assert isinstance(error, ThrottledError)
    assert error.proved_not_accepted
    assert len(server.received) == 3


def test_a_submission_that_cannot_be_connected_is_tried_again(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    connect(f"http://127.0.0.1:{free_port()}")
    caplog.set_level(logging.WARNING)
    hook = DamoTryOnHook(retry=IMPATIENT)
    hook._log = logging.getLogger("tests.hook")
    error = submission_failure(hook)
    assert isinstance(error, NotConnectedError)
    assert error.proved_not_accepted
    assert caplog.text.count("nothing was sent") == 2
    assert "submit, attempt 2 of 3, is repeated in" in caplog.text


def test_a_wait_asked_for_is_kept_within_the_longest_wait(
    hook: DamoTryOnHook, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    for seconds in ("2", "86400"):
        server.then_answer(429, b"", {"Retry-After": seconds})
    server.then_answer(200, accepted())
    DamoTryOnHook(retry=RetryPolicy(attempts=3, first_wait=1, longest_wait=30)).submit([TASK], "HALF_BODY")
    assert 2 <= waits[0] <= 3
    assert waits[1] == 30


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((401, envelope(23500001), {}), CredentialsError),
        ((403, envelope(23500005), {}), ImageRefusedError),
        ((400, envelope("23500013"), {}), MalformedRequestError),
        ((400, b"", {"X-Ca-Error-Message": "Nonce Used"}), MalformedRequestError),
        ((500, envelope(23500000), {}), VendorInternalError),
        ((500, b"", {"X-Ca-Error-Code": "X500ER"}), OutcomeUnknownError),
        ((502, b"<html>", {}), OutcomeUnknownError),
        ((200, b"{", {"X-Ca-Error-Message": "OK"}), OutcomeUnknownError),
    ],
)
def test_every_other_answer_to_a_submission_is_raised_at_once(
    hook: DamoTryOnHook, server: ScriptedServer, answer: ScriptedAnswer, kind: type[TryOnError]
) -> None:
    server.then_answer(*answer)
    assert type(submission_failure(hook)) is kind
    assert len(server.received) == 1


@pytest.mark.parametrize("silent", [False, True])
def test_a_submission_whose_answer_is_lost_is_never_sent_again(
    hook: DamoTryOnHook, server: ScriptedServer, request: pytest.FixtureRequest, silent: bool
) -> None:
    request.getfixturevalue("silence") if silent else server.then_close()
    error = submission_failure(hook)
    assert type(error) is OutcomeUnknownError
    assert not error.proved_not_accepted
    assert len(server.received) == 1


def test_a_submission_does_not_use_a_connection_that_a_query_left_open(
    hook: DamoTryOnHook, server: ScriptedServer
) -> None:
    for body in (accepted(), accepted(), accepted(), accepted()):
        server.then_answer(200, body)
    hook.query(RESULT_KEY)
    hook.query(RESULT_KEY)
    hook.submit([TASK], FitType.HALF_BODY)
    hook.submit([TASK], FitType.HALF_BODY)
    ports = [request.client_port for request in server.received]
    assert ports[0] == ports[1]
    assert len(set(ports)) == 3


def test_the_connection_may_say_that_an_internal_error_is_a_refusal(
    server: ScriptedServer, connect: Connect
) -> None:
    connect(server.url, extra={"internal_error_is_refusal": True})
    server.then_answer(500, envelope(23500000))
    assert submission_failure(DamoTryOnHook()).proved_not_accepted
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("submission", "expected"),
    [
        (([], "HALF_BODY", 1), "tasks"),
        (([TASK] * 11, "HALF_BODY", 1), "tasks"),
        (([TASK], "HALF_BODY", 5), "inference_num"),
        (([TASK], "UPPER", 1), "fit_type: Input should be 'HALF_BODY' or 'FULL_BODY'"),
    ],
)
def test_a_submission_that_breaks_a_rule_is_refused_here(
    hook: DamoTryOnHook, server: ScriptedServer, submission: tuple[Any, ...], expected: str
) -> None:
    with pytest.raises(MalformedRequestError, match=expected) as caught:
        hook.submit(*submission)
    assert caught.value.proved_not_accepted
    assert server.received == []


def test_a_query_is_repeated_on_whatever_may_pass(hook: DamoTryOnHook, server: ScriptedServer) -> None:
    server.then_close()
    server.then_answer(502)
    server.then_answer(200, accepted())
    assert hook.query(RESULT_KEY).result_key == RESULT_KEY
    assert len({request.headers["x-ca-nonce"] for request in server.received}) == 3


def test_a_query_that_keeps_failing_is_raised(hook: DamoTryOnHook, server: ScriptedServer) -> None:
    for _ in range(3):
        server.then_answer(200, b"{")
    with pytest.raises(PollFailedError):
        hook.query(RESULT_KEY)
    assert len(server.received) == 3


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (envelope(23500008), UnknownResultKeyError),
        (envelope(23500001), CredentialsError),
        (accepted("another-key"), MismatchedAnswerError),
    ],
)
def test_a_query_is_not_repeated_on_what_stays(
    hook: DamoTryOnHook, server: ScriptedServer, body: bytes, kind: type[TryOnError]
) -> None:
    server.then_answer(400, body)
    with pytest.raises(kind):
        hook.query(RESULT_KEY)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("act", "arguments", "kind"),
    [
        ("then_close", (), PollFailedError),
        ("then_answer", (503, b"", {"X-Ca-Error-Code": "D503CB"}), PollFailedError),
        ("then_answer", (500, envelope(23500000)), VendorInternalError),
        ("then_answer", (500, envelope(23500011)), TryOnError),
    ],
)
async def test_a_query_from_an_event_loop_is_made_once(
    hook: DamoTryOnHook, server: ScriptedServer, act: str, arguments: tuple[Any, ...], kind: type[TryOnError]
) -> None:
    getattr(server, act)(*arguments)
    with pytest.raises(kind):
        await hook.async_query(RESULT_KEY)
    assert len(server.received) == 1


@pytest.mark.usefixtures("silence")
async def test_a_query_from_an_event_loop_that_gets_no_answer_is_made_once(
    hook: DamoTryOnHook, server: ScriptedServer
) -> None:
    with pytest.raises(PollFailedError):
        await hook.async_query(RESULT_KEY)
    assert len(server.received) == 1


def test_a_connection_test_asks_for_a_key_that_cannot_exist(
    hook: DamoTryOnHook, server: ScriptedServer
) -> None:
    server.then_answer(400, envelope(23500008))
    assert hook.test_connection() == (
        True,
        "The vendor answered and accepted the credentials; nothing was spent.",
    )
    assert [request.path for request in server.received] == ["/api/v1/tryon/query"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((401, envelope(23500001), {}), "did not accept our credentials"),
        ((400, b"", {"X-Ca-Error-Message": "Invalid AppCode"}), "Invalid AppCode"),
        ((403, b"", {"X-Ca-Error-Code": "B403MQ"}), "before it is paid"),
        ((502, b"", {}), "no readable answer"),
    ],
)
def test_a_failed_connection_test_says_why_in_plain_words(
    hook: DamoTryOnHook, server: ScriptedServer, answer: ScriptedAnswer, expected: str
) -> None:
    server.then_answer(*answer)
    passed, message = hook.test_connection()
    assert not passed
    assert expected in message


def test_airflows_own_connection_test_reaches_the_hook(server: ScriptedServer) -> None:
    server.then_answer(400, envelope(23500008))
    connection = Connection(conn_id="not_saved", conn_type="damo_tryon", host=server.url, password=APP_CODE)
    assert connection.test_connection()[0]


def test_a_missing_connection_says_how_to_create_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_NOWHERE", raising=False)
    with pytest.raises(ConnectionSettingsError, match="airflow connections add nowhere") as caught:
        DamoTryOnHook("nowhere").submit([TASK], FitType.HALF_BODY)
    assert caught.value.proved_not_accepted


async def test_a_missing_connection_is_told_in_an_event_loop_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_NOWHERE", raising=False)
    with pytest.raises(ConnectionSettingsError, match="airflow connections add nowhere"):
        await DamoTryOnHook("nowhere").async_query(RESULT_KEY)


def test_the_session_it_hands_out_carries_no_credentials(hook: DamoTryOnHook, server: ScriptedServer) -> None:
    session = hook.get_conn({"Authorization": "APPCODE x"})
    assert "Authorization" not in session.headers
    assert hook.base_url == server.url


def test_nothing_that_is_logged_or_raised_holds_a_secret(
    server: ScriptedServer, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    for login in ("", "the-key"):
        connect(server.url, login=login, password="s3cret-s3cret")
        hook = DamoTryOnHook(retry=IMPATIENT)
        hook._log = logging.getLogger("tests.hook")  # Airflow's own would mask the secret
        server.then_answer(*THROTTLES[0])
        server.then_answer(200, accepted())
        hook.submit([TASK], FitType.HALF_BODY)
        server.then_close()
        error = submission_failure(hook)
        texts += [str(error), repr(error), repr(vars(error)), repr(vars(hook))]
    assert RESULT_KEY in caplog.text
    assert "s3cret" not in caplog.text + "".join(texts)
