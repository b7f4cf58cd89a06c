"""What an HTTP answer means: envelope, gateway code, gateway message, HTTP status, in that order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from damo_tryon.answers import Reply, read_query_answer, read_submit_answer
from damo_tryon.contract import Answer
from damo_tryon.errors import (
    CredentialsError,
    ImageRefusedError,
    JobFailedError,
    MalformedRequestError,
    MismatchedAnswerError,
    OutcomeUnknownError,
    PackageUsedUpError,
    PersonCountError,
    PollFailedError,
    ThrottledError,
    TryOnError,
    UndefinedCodeError,
    UnknownResultKeyError,
    UnknownServiceError,
    VendorInternalError,
)

KEY = "0123456789abcdef0123456789abcdef"
GOOD_DATA = {"result_key": KEY, "task_list": [{"status": "WAITING", "model_image": "m", "tops_image": "t"}]}

# Vendor document, section 6: HTTP status, code, and the exception for it.
DOCUMENT = [
    (500, 23500000, VendorInternalError),
    (401, 23500001, CredentialsError),
    (404, 23500002, UnknownServiceError),
    (403, 23500003, PackageUsedUpError),
    (403, 23500004, ThrottledError),
    (403, 23500005, ImageRefusedError),
    (400, 23500006, ImageRefusedError),
    (400, 23500007, ImageRefusedError),
    (400, 23500008, UnknownResultKeyError),
    (400, 23500009, MalformedRequestError),
    (400, 23500010, UndefinedCodeError),
    (500, 23500011, JobFailedError),
    (400, 23500012, MalformedRequestError),
    (400, 23500013, MalformedRequestError),
    (400, 23500014, UnknownServiceError),
    (400, 23500015, PersonCountError),
    (400, 23500016, PersonCountError),
]

CREDENTIALS = ["A400AC", "A401AC", "A400IK", "A403IS", "I403AA"]
PACKAGE = ["B403MQ", "B403ME", "B403MI", "B403MO", "B403OD"]
THROTTLED = ["T429ID", "T429IN", "T429GR", "T429PA", "T429PR", "T429SR", "T429MR"]
MALFORMED = ["I400MH", "I400I5", "I400NC", "I404NF", "I400HD", "I413RL"]
FAILED = ["X500ER", "D502FC", "D503CB", "D503BB", "X503BZ", "D504RE", "D504CO", "D504TO"]
GATEWAY_CODES = [
    *((code, CredentialsError) for code in CREDENTIALS),
    *((code, PackageUsedUpError) for code in PACKAGE),
    *((code, ThrottledError) for code in THROTTLED),
    *((code, MalformedRequestError) for code in MALFORMED),
    *((code, OutcomeUnknownError) for code in FAILED),
]
GATEWAY_MESSAGES = [
    ("Invalid AppCode", CredentialsError),
    ("Invalid AppKey", CredentialsError),
    ("Invalid AppSecret", CredentialsError),
    ("Invalid Signature, Server StringToSign:`POST#application/json#`", CredentialsError),
    ("Empty Signature", CredentialsError),
    ("Unauthorized", CredentialsError),
    ("Api Market Subscription quota exhausted", PackageUsedUpError),
    ("Quota Exhausted", PackageUsedUpError),
    ("Quota Expired", PackageUsedUpError),
    ("User Arrears", PackageUsedUpError),
    ("Throttled by USER Flow Control", ThrottledError),
    ("Throttled by DOMAIN Flow Control", ThrottledError),
    ("Nonce Used", MalformedRequestError),
    ("Timestamp Expired", MalformedRequestError),
    ("Invalid Timestamp", MalformedRequestError),
    ("Internal Error", OutcomeUnknownError),
    ("Failed To Invoke Backend Service", OutcomeUnknownError),
]


def reply(status: int, body: bytes = b"", **headers: str) -> Reply:
    return Reply.of(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def refusal(status: int, code: Any, message: str | None = "the vendor's words") -> Reply:
    fields = {"code": code, "message": message, "requestId": "r-1", "success": False}
    return reply(status, json.dumps(fields).encode())


def success(data: Any = GOOD_DATA, code: Any = 0, **more: Any) -> Reply:
    return reply(200, json.dumps({"code": code, "data": data, "requestId": "r-1", **more}).encode())


def refused_submission(given: Reply, *, internal_error_is_refusal: bool = False) -> TryOnError:
    with pytest.raises(TryOnError) as caught:
        read_submit_answer(given, internal_error_is_refusal=internal_error_is_refusal)
    return caught.value


def refused_query(given: Reply) -> TryOnError:
    with pytest.raises(TryOnError) as caught:
        read_query_answer(given, KEY)
    return caught.value


@pytest.mark.parametrize("as_type", [int, str])
@pytest.mark.parametrize(("status", "code", "kind"), DOCUMENT)
def test_each_code_of_the_document_has_its_exception(
    status: int, code: int, kind: type, as_type: type
) -> None:
    error = refused_submission(refusal(status, as_type(code)))
    assert type(error) is kind
    assert (error.code, error.message, error.request_id) == (code, "the vendor's words", "r-1")
    assert error.proved_not_accepted is (code != 23500000)
    asked = refused_query(refusal(status, as_type(code)))
    assert type(asked) is kind
    assert (asked.proved_not_accepted, asked.result_key) == (False, KEY)


@given(st.sampled_from(DOCUMENT), st.integers(200, 599))
def test_the_code_decides_whatever_the_http_status_says(row: tuple[int, int, type], status: int) -> None:
    assert type(refused_submission(refusal(status, row[1]))) is row[2]


def test_a_code_in_the_envelope_comes_before_the_gateways_headers() -> None:
    both = reply(
        403, refusal(403, 23500005).body, X_Ca_Error_Code="T429ID", X_Ca_Error_Message="Quota Expired"
    )
    assert type(refused_submission(both)) is ImageRefusedError


def test_an_envelope_without_words_gets_those_of_the_document() -> None:
    assert refused_submission(refusal(400, 23500016, None)).message == "No people found in the image"


def test_a_setting_may_say_that_an_internal_error_is_a_refusal() -> None:
    assert refused_submission(refusal(500, 23500000), internal_error_is_refusal=True).proved_not_accepted
    lost = refused_submission(reply(500), internal_error_is_refusal=True)
    assert not lost.proved_not_accepted


@pytest.mark.parametrize("status", [200, 400, 403, 500])
@pytest.mark.parametrize(("code", "kind"), GATEWAY_CODES)
def test_each_gateway_code_has_its_exception(code: str, kind: type[TryOnError], status: int) -> None:
    error = refused_submission(reply(status, X_Ca_Error_Code=code, X_Ca_Request_Id="gw-1"))
    assert type(error) is kind
    assert (error.code, error.request_id) == (code, "gw-1")
    assert error.proved_not_accepted is (kind is not OutcomeUnknownError)


@pytest.mark.parametrize(("message", "kind"), GATEWAY_MESSAGES)
def test_each_gateway_message_has_its_exception(message: str, kind: type[TryOnError]) -> None:
    error = refused_submission(reply(403, X_Ca_Error_Message=message))
    assert type(error) is kind
    assert error.message == message


@pytest.mark.parametrize("code", FAILED)
def test_a_failed_gateway_is_only_a_bad_poll_for_a_query(code: str) -> None:
    error = refused_query(reply(502, X_Ca_Error_Code=code))
    assert (type(error), error.temporary) == (PollFailedError, True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, MalformedRequestError),
        (303, OutcomeUnknownError),
        (400, MalformedRequestError),
        (401, CredentialsError),
        (402, PackageUsedUpError),
        (403, CredentialsError),
        (404, MalformedRequestError),
        (408, OutcomeUnknownError),
        (413, MalformedRequestError),
        (429, ThrottledError),
        (500, OutcomeUnknownError),
        (502, OutcomeUnknownError),
        (503, OutcomeUnknownError),
        (504, OutcomeUnknownError),
    ],
)
def test_without_envelope_code_and_message_the_status_decides(status: int, kind: type[TryOnError]) -> None:
    error = refused_submission(reply(status, b"<html>"))
    assert type(error) is kind
    assert f"HTTP {status}" in str(error)
    assert error.proved_not_accepted is (kind is not OutcomeUnknownError)


@pytest.mark.parametrize("code", [504, "504", -1, 23600000, 10**17])
@pytest.mark.parametrize("status", [200, 408, 500, 502, 503, 504])
def test_a_code_that_is_none_of_the_vendors_proves_nothing_about_a_submission(
    status: int, code: object
) -> None:
    error = refused_submission(refusal(status, code, "upstream timed out"))
    assert (type(error), error.proved_not_accepted) == (OutcomeUnknownError, False)
    assert "upstream timed out" in str(error)
    assert type(refused_query(refusal(status, code))) is PollFailedError


@pytest.mark.parametrize("code", [200, 23500000, 23500004, 23500011, "23500010"])
def test_a_paid_result_key_is_kept_even_beside_a_code_that_is_none_of_success(code: object) -> None:
    assert read_submit_answer(success(code=code, success=False)).result_key == KEY


UNREADABLE = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"code": 0}',
    b'{"code": 0, "data": {}}',
    b'{"code": 0, "data": {"result_key": ""}}',
    b'{"code": 0, "data": {"result_key": null}}',
    b'{"code": "0", "data": []}',
    b'{"code": true}',
    b'{"success": true}',
]


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_200_that_nobody_can_read_leaves_a_submission_in_doubt(body: bytes) -> None:
    error = refused_submission(reply(200, body, X_Ca_Error_Message="OK"))
    assert type(error) is OutcomeUnknownError
    assert not error.proved_not_accepted


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_200_that_nobody_can_read_is_a_bad_poll_for_a_query(body: bytes) -> None:
    assert type(refused_query(reply(200, body, X_Ca_Error_Message="OK"))) is PollFailedError


@given(st.binary(max_size=60), st.integers(200, 599))
def test_no_answer_whatsoever_raises_anything_but_our_errors(body: bytes, status: int) -> None:
    refused_submission(reply(status, body))
    refused_query(reply(status, body))


@pytest.mark.parametrize("code", [0, "0"])
def test_a_success_is_read_with_a_code_of_either_type(code: object) -> None:
    answer = read_submit_answer(success(code=code, message="success", surprise=1))
    assert (answer.result_key, len(answer.sub_tasks), answer.request_id) == (KEY, 1, "r-1")
    assert read_query_answer(success(code=code), KEY) == answer


def test_a_200_may_carry_the_gateways_ok() -> None:
    assert read_submit_answer(reply(200, success().body, X_Ca_Error_Message="OK")).result_key == KEY


def test_the_gateways_request_id_stands_in_for_a_missing_one() -> None:
    body = json.dumps({"code": 0, "data": GOOD_DATA}).encode()
    assert read_submit_answer(reply(200, body, X_Ca_Request_Id="gw-1")).request_id == "gw-1"


@pytest.mark.parametrize("task_list", [None, {}, "x", [{"status": "QUEUED"}], [1], [{}]])
def test_a_paid_result_key_is_kept_even_beside_an_unreadable_list(task_list: object) -> None:
    given = success({"result_key": KEY, "task_list": task_list})
    assert read_submit_answer(given) == Answer(result_key=KEY, request_id="r-1")
    assert type(refused_query(given)) is PollFailedError


def test_a_result_key_without_any_code_counts_as_accepted() -> None:
    assert read_submit_answer(reply(200, json.dumps({"data": GOOD_DATA}).encode())).result_key == KEY


def test_an_answer_about_another_result_key_is_an_error() -> None:
    with pytest.raises(MismatchedAnswerError, match="another-key"):
        read_query_answer(success({**GOOD_DATA, "result_key": "another-key"}), KEY)


def test_a_query_answer_without_a_key_is_about_the_key_asked_for() -> None:
    assert read_query_answer(success({"task_list": GOOD_DATA["task_list"]}), KEY).result_key == KEY


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("-1", 0.0), ("soon", None), ("", None)])
def test_a_wait_in_seconds_is_read_from_a_throttled_answer(header: str, seconds: float | None) -> None:
    error = refused_submission(reply(429, Retry_After=header))
    assert isinstance(error, ThrottledError)
    assert error.retry_after == seconds


def test_a_long_message_is_cut_and_put_on_one_line() -> None:
    message = refused_submission(refusal(400, 23500013, "a\n b " * 1000)).message
    assert len(message) <= 500
    assert "\n" not in message
