"""Reading a ``damo_tryon`` connection: every form it may have, and plain words for every fault."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Connection

from damo_tryon.auth import AppCode, Signature, SignatureMethod, Stage
from damo_tryon.connection import TryOnConnection
from damo_tryon.errors import ConnectionSettingsError, CredentialsError

NOTHING: dict[str, Any] = {"conn_id": "c", "host": None, "schema": None, "port": None, "login": None}


def read(extra: dict[str, object] | None = None, **fields: Any) -> TryOnConnection:
    return TryOnConnection.read(SimpleNamespace(**NOTHING | {"password": "s3cret"} | fields), extra or {})


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({}, "https://damotryon.market.alicloudapi.com"),
        ({"host": "damotryon.market.alicloudapi.com"}, "https://damotryon.market.alicloudapi.com"),
        ({"host": "https://tryon.example/"}, "https://tryon.example"),
        ({"host": "http://127.0.0.1:8123"}, "http://127.0.0.1:8123"),
        ({"host": "http://127.0.0.1", "port": 8123}, "http://127.0.0.1:8123"),
        ({"host": "http://127.0.0.1:8123", "port": 8123}, "http://127.0.0.1:8123"),
        ({"host": "127.0.0.1:8123", "schema": "http"}, "http://127.0.0.1:8123"),
        ({"host": "127.0.0.1", "schema": "http", "port": 1}, "http://127.0.0.1:1"),
        ({"host": "[::1]", "port": 1}, "https://[::1]:1"),
        ({"schema": "http"}, "http://damotryon.market.alicloudapi.com"),
    ],
)
def test_a_host_may_be_given_in_every_usual_way(fields: dict[str, Any], base_url: str) -> None:
    assert read(**fields).base_url == base_url


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"host": "ftp://tryon.example"}, "scheme 'ftp'"),
        ({"host": "tryon.example", "schema": "gopher"}, "scheme 'gopher'"),
        ({"host": "https://tryon.example/api"}, "without path"),
        ({"host": "https://user:pw@tryon.example"}, "without path or user name"),
        ({"host": "https://"}, "must be a host name"),
        ({"host": "try on"}, "must be a host name"),
        ({"host": "tryon.example:port"}, "not a host name or URL"),
        ({"host": "https://:s3cret@tryon.example:44x"}, "not a host name or URL"),
        ({"host": "tryon..example"}, "not a host name or URL"),
        ({"host": f"{'a' * 64}.example"}, "not a host name or URL"),
        ({"host": "tryon.example:1", "port": 2}, "port is 2 and the host says 1"),
        ({"password": None}, "password is empty; it must hold the AppCode"),
        ({"password": "", "login": "key"}, "password is empty; it must hold the AppSecret"),
        ({"password": "APPCODE s3cret"}, "without the word APPCODE"),
        ({"extra": {"auth": "basic"}}, "extra 'auth' is 'basic'; expected one of appcode, signature"),
        ({"extra": {"auth": "signature"}}, "the AppKey is empty"),
        ({"extra": {"signature_method": "MD5"}, "login": "key"}, "HmacSHA256, HmacSHA1"),
        ({"extra": {"stage": "DEV"}, "login": "key"}, "RELEASE, PRE, TEST"),
        ({"extra": {"stage": ["TEST"]}, "login": "key"}, "RELEASE, PRE, TEST"),
        ({"extra": {"stage": "TEST"}}, "takes a signature"),
        ({"extra": {"signature_method": "MD5"}}, "HmacSHA256, HmacSHA1"),
        ({"extra": {"read_timeout": 0}}, "expected seconds above 0"),
        ({"extra": {"read_timeout": "long"}}, "extra 'read_timeout' is 'long'"),
        ({"extra": {"connect_timeout": True}}, "extra 'connect_timeout' is True"),
        ({"extra": {"connect_timeout": "nan"}}, "expected seconds"),
        ({"extra": {"internal_error_is_refusal": "perhaps"}}, "expected true or false"),
        ({"extra": {"read_timout": 5}}, "extra 'read_timout' is unknown; known are auth, connect_timeout"),
    ],
)
def test_every_fault_names_the_field_and_what_was_expected(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConnectionSettingsError) as caught:
        read(**fields)
    text = str(caught.value)
    assert expected in text
    assert "connection 'c'" in text
    assert "s3cret" not in text
    assert caught.value.proved_not_accepted


def test_a_bad_connection_stops_a_run_as_bad_credentials_do() -> None:
    assert issubclass(ConnectionSettingsError, CredentialsError)


def test_a_password_alone_is_an_app_code_and_with_a_login_an_app_secret() -> None:
    assert read().credentials == AppCode("s3cret")
    assert read(login="key").credentials == Signature("key", "s3cret")


def test_the_extra_may_say_how_to_authenticate() -> None:
    assert read({"auth": "AppCode"}, login="key").credentials == AppCode("s3cret")
    extra: dict[str, object] = {"auth": "signature", "signature_method": "hmacsha1", "stage": "test"}
    assert read(extra, login="key").credentials == Signature(
        "key", "s3cret", method=SignatureMethod.HMAC_SHA1, stage=Stage.TEST
    )


def test_timeouts_and_the_switch_are_read_and_empty_extras_are_absent() -> None:
    settings = read({"connect_timeout": 2, "read_timeout": "2.5", "auth": "", "stage": None})
    assert (settings.connect_timeout, settings.read_timeout) == (2.0, 2.5)
    assert not settings.internal_error_is_refusal
    assert read({"internal_error_is_refusal": True}).internal_error_is_refusal


@pytest.mark.parametrize("login", [None, "key"])
def test_a_repr_of_the_settings_shows_no_secret(login: str | None) -> None:
    assert "s3cret" not in repr(read(login=login))


@pytest.mark.parametrize("host", ["http://127.0.0.1:8123", "https://tryon.example", "tryon.example"])
def test_a_connection_survives_airflows_own_uri(host: str) -> None:
    whole = Connection(
        conn_id="c", conn_type="damo_tryon", host=host, password="s3cret", extra='{"stage": ""}'
    )
    through = Connection(conn_id="c", uri=whole.get_uri())
    expected = TryOnConnection.read(whole, whole.extra_dejson)
    assert TryOnConnection.read(through, through.extra_dejson) == expected
