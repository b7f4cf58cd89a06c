"""What a gateway echoes of a request: no secret of the connection stays in a text that is kept."""

from __future__ import annotations

import base64
import html
import json
import re
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import quote

import pytest
from tests.damo_tryon.conftest import MODEL, RESULT_KEY, TOPS, Connect, ScriptedServer, envelope
from tests.damo_tryon.test_operators import TaskInstance, looks, make

from damo_tryon.contract import FitType, TryOnTask
from damo_tryon.errors import OutcomeUnknownError, TryOnError
from damo_tryon.hooks import ONCE, DamoTryOnHook
from damo_tryon.redaction import MAX_TEXT, REDACTED, Redaction, redaction_of

SECRET = "83359fd73fe94948385f570e3c139105"
AWKWARD = 'pa"ss/w+rd&<ü>% of the shop'
TASK = TryOnTask(model_image=MODEL, tops_image=TOPS)


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


def in_base64(text: str, before: str) -> str:
    return base64.b64encode(f"{before}{text}".encode()).decode()


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "in small letters": str.lower,
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded, each character": lambda text: "".join(f"%{octet:02X}" for octet in text.encode()),
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON within JSON": lambda text: json.dumps(json.dumps(text))[1:-1],
    "JSON with slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "as Unicode escapes": escaped,
    "HTML": html.escape,
    "HTML with numbers": lambda text: "".join(f"&#{ord(character)};" for character in text),
    "folded": lambda text: f"{text[:9]}\r\n {text[9:]}",
    "with what nobody sees": "\u200b".join,
    **{
        f"base64 behind {before!r}": lambda text, before=before: in_base64(text, before)  # type: ignore[misc]
        for before in ("", "a", "key:", "APPCODE ")
    },
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"key:{text}".encode()).decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", [SECRET, AWKWARD])
def test_a_secret_is_taken_out_however_it_is_spelt(secret: str, spelling: str) -> None:
    spelt = SPELLINGS[spelling](secret)
    line = redaction_of(secret).line(f'before "Authorization": "APPCODE {spelt}", behind')
    found = re.fullmatch(r'before "Authorization": "APPCODE (\S{0,12})\[secret\](\S{0,4})", behind', line)
    assert found, line
    if "base64" not in spelling:  # which may begin with a name and end with a fill
        assert "".join(found.groups()).strip('\\"') == ""


def test_a_secret_that_somebody_cut_off_is_taken_out() -> None:
    assert redaction_of(SECRET).line(f"APPCODE {SECRET[:20]}... (cut)") == f"APPCODE {REDACTED} (cut)"
    assert redaction_of(SECRET).line(f"about {SECRET[:7]}") == f"about {SECRET[:7]}"


def test_a_secret_at_the_end_of_what_is_read_is_not_cut_in_two() -> None:
    for length in range(19_950, 20_010):
        line = redaction_of(SECRET).line("%41" * (length // 3) + SECRET * 3, 30_000)
        assert SECRET[:6] not in line


def test_a_short_secret_is_taken_out_as_a_word_and_leaves_other_words_alone() -> None:
    line = redaction_of("test").line("the latest of APPCODE test, tests")
    assert line == f"the latest of APPCODE {REDACTED}, tests"


@pytest.mark.parametrize(
    "digest", ["GGvzXKQOwnmMkpqKEmUVv3cxa9zrGHUTGa/kHTS+kxQ=", "3nybhbi3iqa8ino29wqQcBydtNk="]
)
def test_a_signature_is_taken_out_too(digest: str) -> None:
    assert redaction_of(SECRET).line(f"X-Ca-Signature: {digest}!") == f"X-Ca-Signature: {REDACTED}!"
    assert redaction_of(SECRET).line(quote(digest, safe="")) == REDACTED


@pytest.mark.parametrize(
    "text",
    [
        "Invalid AppCode",
        "Throttled by INNER DOMAIN Flow Control",
        "The image url provided is invalid or non-accessible: https://shop.example/a/b/c.jpg?x=1%20y",
        "7FB7A2D4-8C4E-4C6F-9B61-0DDF9A8F3F5B",
        "Content-MD5: rL0Y20zC+Fzt72VPzMSk2A==",
        "人脸检测失败",
    ],
)
def test_other_words_stay_as_they_are(text: str) -> None:
    assert redaction_of(SECRET).line(text) == text


def test_a_line_is_short_and_has_nothing_that_a_terminal_or_a_database_obeys() -> None:
    line = redaction_of(SECRET).line("a\x1b[31m\x9b2J\u202eb\x00\ud800c\r\nd " + "e" * 1_000_000)
    assert line.startswith("a[31m2Jbc d e")
    assert len(line) == MAX_TEXT
    assert line.isprintable()


def test_its_repr_tells_nothing() -> None:
    assert SECRET not in repr(Redaction((SECRET,)))


Echo = Callable[[BaseHTTPRequestHandler, str], None]


def answer(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def in_envelope(handler: BaseHTTPRequestHandler, echo: str) -> None:
    answer(handler, 400, envelope(23500009, f"bad request: {echo}", request_id=echo), {})


def in_gateway_headers(handler: BaseHTTPRequestHandler, echo: str) -> None:
    one_line = " ".join(echo.split())
    names = ("X-Ca-Error-Message", "X-Ca-Error-Code", "X-Ca-Request-Id")
    answer(handler, 403, b"", dict.fromkeys(names, one_line))


def in_foreign_json(handler: BaseHTTPRequestHandler, echo: str) -> None:
    answer(handler, 502, json.dumps({"message": echo, "requestId": echo}).encode(), {})


def in_page(handler: BaseHTTPRequestHandler, echo: str) -> None:
    answer(handler, 502, f"<h1>Bad gateway</h1><pre>{echo}</pre>".encode(), {"X-Ca-Request-Id": "r"})


def in_status_line(handler: BaseHTTPRequestHandler, echo: str) -> None:
    handler.wfile.write(f"GATEWAY {echo}\r\n\r\n".encode())
    handler.close_connection = True


def in_task_list(handler: BaseHTTPRequestHandler, echo: str) -> None:
    task = {"status": echo, "model_image": MODEL, "tops_image": TOPS}
    answer(handler, 200, envelope(result_key=RESULT_KEY, task_list=[task]), {})


def in_result_key(handler: BaseHTTPRequestHandler, echo: str) -> None:
    answer(handler, 200, envelope(result_key=" ".join(echo.split()), task_list=[]), {})


ECHOES = [in_envelope, in_gateway_headers, in_foreign_json, in_page, in_status_line, in_result_key]
WAYS = {
    "AppCode": {"password": SECRET},
    "signature": {"login": "204012345", "password": SECRET},
}


def script(server: ScriptedServer, echo: Echo) -> list[str]:
    """Echo the next request's credentials; gives what is secret of them, once it came."""
    secrets = [SECRET]

    def act(handler: BaseHTTPRequestHandler) -> None:
        sent = {
            name: handler.headers[name]
            for name in ("Authorization", "X-Ca-Signature")
            if handler.headers[name]
        }
        secrets.extend(value for name, value in sent.items() if name == "X-Ca-Signature")
        basic = base64.b64encode(f"204012345:{SECRET}".encode()).decode()
        lines = [
            *(f"{name}: {value}" for name, value in sent.items()),
            f"Proxy-Authorization: Basic {basic}",
            SECRET,
        ]
        secrets.append(basic)
        echo(handler, " \r\n ".join(lines))

    server.script.append(act)
    return secrets


def everything_of(error: BaseException) -> str:
    """All that a log would hold of an error: its fields and its stack trace."""
    return repr(vars(error)) + "".join(traceback.format_exception(error))


def assert_none_of(secrets: list[str], text: str) -> None:
    for secret in secrets:
        assert secret not in text
        assert secret.lower() not in text.lower()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("echo", ECHOES)
def test_an_echo_leaves_no_secret_in_the_error_of_a_submission(
    server: ScriptedServer, connect: Connect, caplog: pytest.LogCaptureFixture, echo: Echo, way: str
) -> None:
    connect(server.url, **WAYS[way])
    secrets = script(server, echo)
    with pytest.raises(TryOnError) as caught:
        DamoTryOnHook(retry=ONCE).submit([TASK], FitType.HALF_BODY)
    assert_none_of(secrets, everything_of(caught.value) + caplog.text)


@pytest.mark.parametrize("echo", [*ECHOES, in_task_list])
async def test_an_echo_leaves_no_secret_in_the_error_of_a_query(
    server: ScriptedServer, connect: Connect, caplog: pytest.LogCaptureFixture, echo: Echo
) -> None:
    connect(server.url, **WAYS["signature"])
    secrets = script(server, echo)
    with pytest.raises(TryOnError) as caught:
        await DamoTryOnHook(retry=ONCE).async_query(RESULT_KEY)
    assert_none_of(secrets, everything_of(caught.value) + caplog.text)


def test_an_answer_that_was_accepted_keeps_no_secret_in_its_request_id(
    server: ScriptedServer, connect: Connect
) -> None:
    connect(server.url, password=SECRET)
    server.then_answer(200, envelope(request_id=f"r APPCODE {SECRET}", result_key=RESULT_KEY, task_list=[]))
    accepted = DamoTryOnHook().submit([TASK], FitType.HALF_BODY)
    assert (accepted.result_key, accepted.request_id) == (RESULT_KEY, f"r APPCODE {REDACTED}")


@pytest.mark.parametrize("key", [f"k-{SECRET}", "k\x1b[2J", "k" * 1001])
def test_a_result_key_that_cannot_be_kept_is_a_doubt_and_never_sent_again(
    server: ScriptedServer, connect: Connect, key: str
) -> None:
    connect(server.url, password=SECRET)
    server.then_answer(200, envelope(result_key=key, task_list=[]))
    with pytest.raises(OutcomeUnknownError, match="cannot be kept") as caught:
        DamoTryOnHook().submit([TASK], FitType.HALF_BODY)
    assert not caught.value.proved_not_accepted
    assert len(server.received) == 1
    assert_none_of([key], everything_of(caught.value))


@pytest.mark.parametrize("echo", ECHOES)
def test_what_an_operator_keeps_and_logs_of_an_echo_holds_no_secret(
    server: ScriptedServer, connect: Connect, caplog: pytest.LogCaptureFixture, echo: Echo
) -> None:
    connect(server.url, password=SECRET)
    secrets = script(server, echo)
    task_instance = TaskInstance()
    caplog.set_level("DEBUG")
    with pytest.raises(TryOnError) as caught:
        task_instance.run(make(looks("a")))
    kept: list[Any] = [task_instance.state, task_instance.xcoms, everything_of(caught.value), caplog.text]
    assert_none_of(secrets, str(kept))
