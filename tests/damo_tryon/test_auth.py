"""Headers of one HTTP attempt, held against the gateway's published vectors."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from damo_tryon.auth import (
    AppCode,
    Credentials,
    Signature,
    SignatureMethod,
    Stage,
    content_md5,
    string_to_sign,
)

SIGNER = Signature("appKey", "appSecret")
BOTH: list[Credentials] = [AppCode("c0de"), SIGNER]


def test_the_published_vector_with_signed_headers() -> None:
    signed = {
        "x-ca-key": "appKey",
        "x-ca-nonce": "787dd0c2-7bd8-41cd-9c19-62c05ea524a2",
        "x-ca-timestamp": "1646365291734",
    }
    headers = {"Accept": "application/json", "Content-Type": "application/json", **signed}
    text = string_to_sign("GET", "/Third/Tools/checkSign", headers, signed)
    assert text == (
        "GET\napplication/json\n\napplication/json\n\nx-ca-key:appKey\n"
        "x-ca-nonce:787dd0c2-7bd8-41cd-9c19-62c05ea524a2\nx-ca-timestamp:1646365291734\n/Third/Tools/checkSign"
    )
    assert SIGNER.sign(text) == "EdJSFAMOWyXZOpXhevZnjuS0ZafnwnCqaSk5hz+tXo8="


def test_the_published_vector_without_signed_headers() -> None:
    text = string_to_sign("GET", "/Third/Tools/checkSign", {"Accept": "application/json"}, ())
    assert SIGNER.sign(text) == "ZpJhkHdtjLTJiR6CJWHL8ikLtPB2z6CoztG21wG3PT4="


def test_the_published_vector_of_the_md5() -> None:
    assert content_md5(b'{"test":"ok"}') == "b969h28MOfCVGrra1smdCg=="


@pytest.mark.parametrize(
    ("method", "digest"),
    [(SignatureMethod.HMAC_SHA256, hashlib.sha256), (SignatureMethod.HMAC_SHA1, hashlib.sha1)],
)
def test_a_signature_covers_what_is_sent(method: SignatureMethod, digest: Any) -> None:
    signer = Signature("key", "secret", method=method, stage=Stage.PRE)
    headers = signer.headers("POST", "/api/v1/tryon/submit", b"{}", now=1646365291.7341, nonce="n-1")
    names = headers["X-Ca-Signature-Headers"].split(",")
    assert names == sorted(names)
    expected_text = "\n".join(
        [
            "POST",
            "application/json",
            "mZFLkyvTelC5g8XnyQrpOw==",
            "application/json; charset=UTF-8",
            "",
            "x-ca-key:key",
            "x-ca-nonce:n-1",
            f"x-ca-signature-method:{method}",
            "x-ca-stage:PRE",
            "x-ca-timestamp:1646365291734",
            "/api/v1/tryon/submit",
        ]
    )
    mac = hmac.new(b"secret", expected_text.encode(), digest)
    assert headers["X-Ca-Signature"] == base64.b64encode(mac.digest()).decode()


def test_an_app_code_goes_into_the_authorization_header_alone() -> None:
    headers = AppCode("c0de").headers("POST", "/x", b"{}")
    assert headers.pop("Authorization") == "APPCODE c0de"
    assert "c0de" not in str(headers)


@pytest.mark.parametrize("credentials", BOTH)
def test_every_attempt_has_a_nonce_of_its_own_and_says_what_it_accepts(credentials: Credentials) -> None:
    attempts = [credentials.headers("POST", "/x", b"{}") for _ in range(50)]
    folded = [{name.lower(): value for name, value in headers.items()} for headers in attempts]
    assert len({headers["x-ca-nonce"] for headers in folded}) == 50
    assert {headers["Accept"] for headers in attempts} == {"application/json"}


@pytest.mark.parametrize("secretive", [AppCode("s3cret"), Signature("key", "s3cret")])
def test_no_repr_shows_a_secret(secretive: object) -> None:
    assert "s3cret" not in repr(secretive) + str(secretive)


@pytest.mark.parametrize("code", ["", "APPCODE s3cret", "s3cret\n", "s3cret模"])
def test_a_code_that_cannot_stand_in_a_header_is_refused_without_being_shown(code: str) -> None:
    with pytest.raises(ValueError, match="AppCode") as caught:
        AppCode(code)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("key", "secret"), [("", "s3cret"), ("a key", "s3cret"), ("key", "")])
def test_an_incomplete_key_pair_is_refused_without_being_shown(key: str, secret: str) -> None:
    with pytest.raises(ValueError, match=r"AppKey|AppSecret") as caught:
        Signature(key, secret)
    assert "s3cret" not in str(caught.value)


@given(st.binary(max_size=200), st.text(min_size=1, max_size=30))
def test_the_headers_of_a_signature_are_ascii_and_never_hold_the_secret(body: bytes, secret: str) -> None:
    headers = Signature("key", f"<{secret}>").headers("POST", "/x", body)
    for name, value in headers.items():
        assert re.fullmatch(r"[\x20-\x7e]*", name + value)
        assert f"<{secret}>" not in value
