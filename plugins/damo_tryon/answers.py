"""Reads an HTTP answer into an ``Answer``, or into the error that its code stands for.

The order is the one that the service's behaviour asks for: a result key or a code of the vendor's in the JSON
envelope decides; else the gateway's ``X-Ca-Error-Code``; else the beginning of its ``X-Ca-Error-Message``; else the
HTTP status. The status alone never decides about an envelope: 403 alone has three meanings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Final

from pydantic import ValidationError

from damo_tryon.contract import Answer
from damo_tryon.errors import (
    GATEWAY_RULES,
    UNDEFINED_CODE,
    VENDOR_CODES,
    VENDOR_NUMBERS,
    GatewayRule,
    MismatchedAnswerError,
    OutcomeUnknownError,
    PollFailedError,
    ThrottledError,
    TryOnError,
    VendorInternalError,
)
from damo_tryon.redaction import NO_SECRETS, Redaction

_MAX_ID: Final = 200
_INTEGER: Final = re.compile(r"\s*-?\d{1,18}\s*")


class Call(Enum):
    """Which of the vendor's two calls was made."""

    SUBMIT = "submit"
    QUERY = "query"

    @property
    def unanswered(self) -> type[TryOnError]:
        """The error for a call that was sent and got no answer, or none that anybody can read."""
        return OutcomeUnknownError if self is Call.SUBMIT else PollFailedError


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer of the gateway or the service.

    Attributes:
        headers: Headers, names in lower case.
        body: The raw body, empty where the gateway refuses.
        redaction: Makes its text fit to be kept.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    redaction: Redaction = NO_SECRETS

    @classmethod
    def of(
        cls, status: int, headers: Mapping[str, str], body: bytes, redaction: Redaction = NO_SECRETS
    ) -> Reply:
        """Make a reply of headers in any spelling."""
        return cls(status, {name.lower(): value for name, value in headers.items()}, body, redaction)


@dataclass(frozen=True, slots=True)
class _Envelope:
    """What could be read of the body; every field may be missing (section 5.1).

    Attributes:
        code: 0 or one of the vendor's numbers; None for anything else, which somebody between wrote.
        message: The vendor's message, fit to be kept.
        request_id: The envelope's, else the gateway's, fit to be kept.
        data: The object with the result key and the sub-tasks, as they came.
    """

    code: int | None
    message: str
    request_id: str | None
    data: Mapping[str, object]

    @classmethod
    def of(cls, reply: Reply) -> _Envelope:
        """Read a reply's body; a body that is no JSON object gives an envelope without anything."""
        try:
            document = json.loads(reply.body)
        except (ValueError, RecursionError):  # no JSON, no text, or nested beyond reason
            document = None
        fields = document if isinstance(document, dict) else {}
        data, message = fields.get("data"), fields.get("message")
        request_id = _as_text(fields.get("requestId")) or reply.headers.get("x-ca-request-id") or ""
        return cls(
            code=_as_code(fields.get("code")),
            message=reply.redaction.line(message) if isinstance(message, str) else "",
            request_id=reply.redaction.line(request_id, _MAX_ID) or None,
            data=data if isinstance(data, dict) else {},
        )

    @property
    def result_key(self) -> str | None:
        """The result key, where one is named."""
        return _as_text(self.data.get("result_key"))

    @property
    def accepted(self) -> bool:
        """Whether this is the envelope of a call that succeeded."""
        return self.code == 0 or (self.code is None and self.result_key is not None)


def read_submit_answer(reply: Reply, *, internal_error_is_refusal: bool = False) -> Answer:
    """Read the answer to ``submit``.

    A result key is money: wherever one is given, an Answer is returned, be it beside an error's code or without
    sub-tasks. The query for it says what it is worth, and is free.

    Args:
        internal_error_is_refusal: Whether code 23500000 proves that nothing was accepted. The document does
            not say so, hence False.

    Raises:
        TryOnError: The subclass that says what the answer means.
    """
    envelope = _Envelope.of(reply)
    result_key = envelope.result_key
    if not result_key:
        if envelope.code != 0:
            raise _error_of(Call.SUBMIT, reply, envelope, internal_error_is_refusal=internal_error_is_refusal)
        raise OutcomeUnknownError(
            "the answer says success and names no result key", code=0, request_id=envelope.request_id
        )
    if not reply.redaction.keeps(result_key):
        raise OutcomeUnknownError(
            "the answer names a result key that cannot be kept: it is very long, not printable or holds a secret",
            request_id=envelope.request_id,
        )
    try:
        return Answer.from_wire({**envelope.data, "result_key": result_key}, envelope.request_id)
    except ValidationError:
        return Answer(result_key=result_key, request_id=envelope.request_id)


def read_query_answer(reply: Reply, result_key: str) -> Answer:
    """Read the answer to ``query``.

    Args:
        result_key: The key that was asked for; an answer without a key is taken to be about it.

    Raises:
        MismatchedAnswerError: The answer is about another key.
        TryOnError: The subclass that says what the answer means.
    """
    envelope = _Envelope.of(reply)
    if not envelope.accepted:
        raise _error_of(Call.QUERY, reply, envelope, result_key=result_key)
    answered = envelope.result_key or result_key
    if answered != result_key:
        raise MismatchedAnswerError(
            f"the query was answered for the result key {reply.redaction.line(answered)}",
            request_id=envelope.request_id,
            result_key=result_key,
        )
    try:
        return Answer.from_wire({**envelope.data, "result_key": answered}, envelope.request_id)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, problem["loc"])) for problem in error.errors()}))
        raise PollFailedError(
            f"the answer's task list cannot be read (at {fields})",
            request_id=envelope.request_id,
            result_key=result_key,
        ) from None  # it quotes the answer


def _error_of(
    call: Call,
    reply: Reply,
    envelope: _Envelope,
    *,
    result_key: str | None = None,
    internal_error_is_refusal: bool = False,
) -> TryOnError:
    if envelope.code is None:
        return _gateway_error(call, reply, envelope, result_key)
    rule = VENDOR_CODES.get(envelope.code, UNDEFINED_CODE)
    proved = rule.proves_refusal or (internal_error_is_refusal and rule.error is VendorInternalError)
    error = rule.error(
        envelope.message or rule.text,
        code=envelope.code,
        request_id=envelope.request_id,
        proved_not_accepted=call is Call.SUBMIT and proved,
        result_key=result_key,
    )
    return _with_retry_after(error, reply)


def _gateway_error(call: Call, reply: Reply, envelope: _Envelope, result_key: str | None) -> TryOnError:
    code = reply.headers.get("x-ca-error-code", "").strip()
    message = reply.redaction.line(reply.headers.get("x-ca-error-message", ""))
    if message.upper() == "OK":  # the gateway's greeting on a 200, no error
        message = ""
    rule = _gateway_rule(code, message, reply.status)
    refused = rule.error if rule else None
    error = (refused or call.unanswered)(
        message
        or envelope.message
        or f"HTTP {reply.status} and no envelope in {len(reply.body)} bytes of body",
        code=reply.redaction.line(code, _MAX_ID) or None,
        request_id=envelope.request_id,
        proved_not_accepted=call is Call.SUBMIT and refused is not None,
        result_key=result_key,
    )
    return _with_retry_after(error, reply)


def _gateway_rule(code: str, message: str, status: int) -> GatewayRule | None:
    lowered = message.lower()
    by_code = (rule for rule in GATEWAY_RULES if code in rule.codes)
    by_message = (rule for rule in GATEWAY_RULES if lowered.startswith(rule.message_starts))
    by_status = (rule for rule in GATEWAY_RULES if status in rule.statuses)
    return next(chain(by_code, by_message, by_status), None)


def _with_retry_after(error: TryOnError, reply: Reply) -> TryOnError:
    seconds = reply.headers.get("retry-after", "")
    if isinstance(error, ThrottledError) and _INTEGER.fullmatch(seconds):
        error.retry_after = max(0.0, float(seconds))
    return error


def _as_code(value: object) -> int | None:
    """Read a code of the vendor's: an integer by experience, a string by the document (section 5.1)."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    code = int(text) if _INTEGER.fullmatch(text) else None
    return code if code == 0 or code in VENDOR_NUMBERS else None


def _as_text(value: object) -> str | None:
    if isinstance(value, str) and value:
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
