"""Authentication, freshness and wholeness of requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tryon_sandbox.codes import GatewayRefusal
from tryon_sandbox.gateway import Gateway, GatewayRequest, NonceSeen, sign, string_to_sign
from tryon_sandbox.settings import Credentials

SUBMIT = "/api/v1/tryon/submit"
QUERY = "/api/v1/tryon/query"
ASKED = json.dumps({"data": {"result_key": "0" * 32}}).encode()


def request_of(headers: dict[str, str], **more: Any) -> GatewayRequest:
    return GatewayRequest(
        **(
            {"method": "GET", "path": "/Third/Tools/checkSign", "query": [], "body": b""}
            | more
            | {"headers": headers}
        )
    )


@pytest.mark.parametrize(
    ("headers", "signed", "signature"),
    [
        (
            {
                "accept": "application/json",
                "content-type": "application/json",
                "x-ca-key": "appKey",
                "x-ca-nonce": "787dd0c2-7bd8-41cd-9c19-62c05ea524a2",
                "x-ca-timestamp": "1646365291734",
            },
            ["x-ca-timestamp", "x-ca-key", "x-ca-nonce", "accept"],
            "EdJSFAMOWyXZOpXhevZnjuS0ZafnwnCqaSk5hz+tXo8=",
        ),
        ({"accept": "application/json"}, [], "ZpJhkHdtjLTJiR6CJWHL8ikLtPB2z6CoztG21wG3PT4="),
    ],
)
def test_published_vectors_are_signed_alike(
    headers: dict[str, str], signed: list[str], signature: str
) -> None:
    assert sign(string_to_sign(request_of(headers), signed), "appSecret") == signature


def test_parameters_of_query_and_form_are_sorted_into_the_path_unencoded_and_empty_ones_stay_bare() -> None:
    request = request_of(
        {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"},
        method="POST",
        path="/p",
        query=[("b", "2 3"), ("a", "")],
        body=b"c=%E8%A1%A3&a=x",
    )

    assert string_to_sign(request, ["X-B", "X-A"]).endswith("\nX-A:\nX-B:\n/p?a&b=2 3&c=衣")


def test_a_json_body_never_enters_the_string_to_sign() -> None:
    whole = request_of({"content-type": "application/json"}, method="POST", path="/p", body=b"a=b")

    assert string_to_sign(whole, []) == "POST\n\n\napplication/json\n\n/p"


def test_both_signature_methods_are_accepted(shared: Any, refused: Callable[..., None]) -> None:
    for method in ("HmacSHA256", "HmacSHA1"):
        response = shared.post(QUERY, ASKED, shared.signed_headers(QUERY, ASKED, method=method))
        refused(response, 400, 23500008)


def test_a_signature_over_lower_cased_names_is_accepted_and_unsigned_ca_headers_are_allowed(
    shared: Any, refused: Callable[..., None]
) -> None:
    headers = shared.signed_headers(QUERY, ASKED)
    listed = headers["X-Ca-Signature-Headers"].split(",")
    request = GatewayRequest("POST", QUERY, [], {k.lower(): v for k, v in headers.items()}, ASKED)
    headers["X-Ca-Signature"] = sign(
        string_to_sign(request, [name.lower() for name in listed]), shared.running.credentials.appsecret
    )
    headers["X-Ca-Stage"] = "RELEASE"

    refused(shared.post(QUERY, ASKED, headers), 400, 23500008)


def test_a_wrong_signature_is_told_the_server_s_string_to_sign(
    shared: Any, gateway_error: Callable[..., str]
) -> None:
    headers = shared.signed_headers(QUERY, ASKED)
    timestamp = headers["X-Ca-Timestamp"]
    headers["X-Ca-Signature"] = "AAAA"

    message = gateway_error(shared.post(QUERY, ASKED, headers), 403, "A403IS")

    assert message.startswith("Invalid Signature, Server StringToSign:`POST#application/json#")
    assert f"#X-Ca-Timestamp:{timestamp}#{QUERY}`" in message


def test_a_wrong_string_to_sign_with_odd_letters_still_makes_a_proper_header(
    shared: Any, gateway_error: Callable[..., str]
) -> None:
    headers = shared.signed_headers(QUERY, ASKED, Accept="é\t") | {"X-Ca-Signature": "é"}
    raw = {name: value.encode("utf-8") for name, value in headers.items()}

    gateway_error(shared.post(QUERY + "?a=%0D%0Ab&衣=1", ASKED, raw), 403, "A403IS")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"X-Ca-Key": "1"}, (400, "A400IK", "Invalid AppKey")),
        ({"X-Ca-Signature": ""}, (400, None, "Empty Signature")),
        ({"X-Ca-Signature-Method": "HmacMD5"}, (403, "A403IS", "Invalid Signature Method")),
    ],
)
def test_a_signed_request_that_is_not_whole_is_refused(
    shared: Any,
    gateway_error: Callable[..., str],
    changes: dict[str, str],
    told: tuple[int, str | None, str],
) -> None:
    status, code, message = told
    headers = shared.signed_headers(QUERY, ASKED) | changes

    assert gateway_error(shared.post(QUERY, ASKED, headers), status, code) == message


@pytest.mark.parametrize(
    ("timestamp", "message"),
    [("1646365291734", "Timestamp Expired"), ("soon", "Invalid Timestamp"), ("-1", "Invalid Timestamp")],
)
def test_a_timestamp_that_is_off_or_none_is_refused(
    shared: Any, gateway_error: Callable[..., str], timestamp: str, message: str
) -> None:
    headers = shared.signed_headers(QUERY, ASKED, **{"X-Ca-Timestamp": timestamp})

    assert gateway_error(shared.post(QUERY, ASKED, headers), 400, None) == message


@pytest.mark.parametrize(("minutes", "passes"), [(14.9, True), (-14.9, True), (15.1, False), (-15.1, False)])
def test_a_timestamp_may_be_off_by_a_quarter_of_an_hour(
    open_sandbox: Callable[..., Any], clock: Any, minutes: float, passes: bool
) -> None:
    caller = open_sandbox(clock=clock)
    stamp = str(int((clock.now + minutes * 60) * 1000))
    headers = caller.signed_headers(QUERY, ASKED, **{"X-Ca-Timestamp": stamp})

    assert (caller.post(QUERY, ASKED, headers).content != b"") is passes


def test_no_credentials_at_all_get_the_vendor_s_401(shared: Any, refused: Callable[..., None]) -> None:
    headers = shared.headers()
    del headers["Authorization"]

    message = "Authorization required to perform current operation."
    refused(shared.post(QUERY, ASKED, headers), 401, 23500001, message)


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ("APPCODE wrong", 401, "A401AC"),
        ("APPCODE", 400, "A400AC"),
        ("Bearer {code}", 400, "A400AC"),
        ("APPCODE  {code}", 401, "A401AC"),
        ("appcode {code}", 400, "A400AC"),
    ],
)
def test_an_appcode_is_taken_only_as_the_document_writes_it(
    shared: Any, gateway_error: Callable[..., str], authorization: str, status: int, code: str
) -> None:
    headers = shared.headers(Authorization=authorization.format(code=shared.running.credentials.appcode))

    assert gateway_error(shared.post(QUERY, ASKED, headers), status, code) == "Invalid AppCode"


@pytest.mark.parametrize(
    ("missing", "code", "message"),
    [
        ("X-Ca-Nonce", "I400NC", "X-Ca-Nonce is required"),
        ("Content-Type", "I400MH", "Header `Content-Type` is Required"),
    ],
)
def test_a_required_header_that_is_missing_is_named(
    shared: Any, gateway_error: Callable[..., str], missing: str, code: str, message: str
) -> None:
    headers = shared.headers()
    del headers[missing]

    assert gateway_error(shared.post(QUERY, ASKED, headers), 400, code) == message


def test_signed_requests_need_nonce_and_timestamp(shared: Any, gateway_error: Callable[..., str]) -> None:
    account = shared.running.credentials
    for missing, code in (("X-Ca-Nonce", "I400NC"), ("X-Ca-Timestamp", "I400MH")):
        headers = shared.signed_headers(QUERY, ASKED)
        del headers[missing]
        listed = [name for name in headers["X-Ca-Signature-Headers"].split(",") if name != missing]
        request = GatewayRequest("POST", QUERY, [], {k.lower(): v for k, v in headers.items()}, ASKED)
        headers["X-Ca-Signature-Headers"] = ",".join(listed)
        headers["X-Ca-Signature"] = sign(string_to_sign(request, listed), account.appsecret)
        gateway_error(shared.post(QUERY, ASKED, headers), 400, code)


def test_a_content_md5_is_checked_where_it_is_sent(shared: Any, gateway_error: Callable[..., str]) -> None:
    for wrong in ("b969h28MOfCVGrra1smdCg==", "not base64!"):
        gateway_error(shared.post(QUERY, ASKED, shared.headers(**{"Content-MD5": wrong})), 400, "I400I5")
    right = shared.headers(**{"Content-MD5": "b969h28MOfCVGrra1smdCg=="})
    assert shared.post(QUERY, b'{"test":"ok"}', right).json()["code"] == "23500009"


def test_a_body_over_eight_megabytes_is_too_large(shared: Any, gateway_error: Callable[..., str]) -> None:
    limit = 8 * 1024 * 1024

    gateway_error(shared.post(SUBMIT, b"x" * (limit + 1)), 413, "I413RL")
    assert shared.post(SUBMIT, b"x" * limit).json()["code"] == "23500013"


def test_a_signed_nonce_is_good_for_one_request_in_a_quarter_of_an_hour(
    open_sandbox: Callable[..., Any], clock: Any, gateway_error: Callable[..., str]
) -> None:
    caller = open_sandbox(clock=clock)

    def ask(body: bytes) -> Any:
        stamp = str(int(clock.now * 1000))
        more = {"X-Ca-Nonce": "n-1", "X-Ca-Timestamp": stamp}
        return caller.post(QUERY, body, caller.signed_headers(QUERY, body, **more))

    assert ask(ASKED).json()["code"] == "23500008"
    assert gateway_error(ask(ASKED + b" "), 403, None) == "Nonce Used"
    clock.now += 15 * 60 + 1
    assert ask(ASKED).json()["code"] == "23500008"
    assert caller.running.charges().nonces_reused == 1


def test_under_appcode_only_an_exact_replay_of_a_submission_is_refused(
    caller: Any, gateway_error: Callable[..., str]
) -> None:
    headers = caller.headers()
    body = {"data": {"fit_type": "HALF_BODY", "task_list": [caller.task()]}}

    key = caller.post(SUBMIT, body, headers).json()["data"]["result_key"]
    asked = [caller.post(QUERY, {"data": {"result_key": key}}, headers).status_code for _ in range(2)]
    replay = caller.post(SUBMIT, body, headers)

    assert asked == [200, 200]
    assert gateway_error(replay, 403, None) == "Nonce Used"
    charges = caller.running.charges()
    assert (charges.submissions, charges.nonces_reused) == (1, 3)


def test_strictly_no_nonce_is_taken_twice_under_appcode_either(
    open_sandbox: Callable[..., Any], gateway_error: Callable[..., str]
) -> None:
    caller = open_sandbox(strict_nonce=True)
    headers = caller.headers()
    caller.post(SUBMIT, {"data": {"fit_type": "HALF_BODY", "task_list": [caller.task()]}}, headers)

    assert gateway_error(caller.post(QUERY, ASKED, headers), 403, None) == "Nonce Used"


class Forgetful:
    """A memory of nonces that has none."""

    def note_nonce(self, nonce: str, path: str, body_digest: str, *, now: float, life: float) -> NonceSeen:
        return NonceSeen.NEW


NAMES = st.lists(
    st.sampled_from(["X-Ca-Key", "x-ca-nonce", "X-CA-TIMESTAMP", "X-Ca-Stage", "Accept"]), unique=True
)


@given(names=NAMES, key=st.data())
def test_any_order_and_case_of_listed_names_verifies_and_any_changed_signed_header_does_not(
    names: list[str], key: st.DataObject
) -> None:
    gateway = Gateway(
        Credentials("c", "appKey", "appSecret"), Forgetful(), strict_nonce=False, clock=lambda: 1e9
    )
    headers = {
        "content-type": "application/json",
        "x-ca-key": "appKey",
        "x-ca-nonce": "n",
        "x-ca-timestamp": "1000000000000",
        "x-ca-stage": "RELEASE",
    }
    listed = key.draw(st.permutations(names))
    headers["x-ca-signature-headers"] = ",".join(listed)
    request = request_of(headers, method="POST")
    headers["x-ca-signature"] = sign(string_to_sign(request, sorted(names, reverse=True)), "appSecret")
    gateway.admit(request_of(headers, method="POST"), changes_something=True)

    if any(name.lower() == "x-ca-stage" for name in names):
        with pytest.raises(GatewayRefusal, match="Invalid Signature"):
            gateway.admit(request_of(headers | {"x-ca-stage": "PRE"}, method="POST"), changes_something=True)
