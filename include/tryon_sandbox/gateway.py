"""The gateway's doorkeeping: who calls, is the request whole, is it fresh.

Works on a plain request value, before any JSON is read. The rules are those of
the API gateway's public documentation; the code is the sandbox's own.

About nonces. The document says each request's nonce may not repeat. Public clients of this API are seen to
build their headers once and to send one nonce with a submission and with every query after it, under AppCode
and without a timestamp, and they are answered. So under AppCode only an exact replay of a submission (same
nonce, same path, same body) is refused by default, and `strict_nonce` follows the document to the letter.
Signed requests are always held to it: there the nonce is what the signature stands on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol
from urllib.parse import parse_qsl

from tryon_sandbox.codes import GatewayRefusal, VendorCode, VendorRefusal
from tryon_sandbox.settings import Credentials

MAX_BODY_BYTES = 8 * 1024 * 1024
"""The gateway refuses a larger request body."""

FRESHNESS_SECONDS = 15 * 60
"""How far a timestamp may be off, and how long a nonce is remembered."""

_NEVER_SIGNED = frozenset(
    {
        "x-ca-signature",
        "x-ca-signature-headers",
        "accept",
        "content-md5",
        "content-type",
        "date",
    }
)
_DIGESTS = {"HmacSHA256": hashlib.sha256, "HmacSHA1": hashlib.sha1}
_FORM = "application/x-www-form-urlencoded"


class NonceSeen(Enum):
    """What the memory of nonces knows about one."""

    NEW = auto()
    REUSED = auto()
    REPLAYED = auto()
    """Same nonce, same path, same body."""


class NonceMemory(Protocol):
    """Remembers nonces; noting one and judging it is a single step."""

    def note_nonce(self, nonce: str, path: str, body_digest: str, *, now: float, life: float) -> NonceSeen:
        """Record one use of a nonce and say what was known of it before."""
        ...


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """A request as the gateway sees it. `headers` are keyed by lower-case names; `path` has no query."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def string_to_sign(request: GatewayRequest, signed_names: Sequence[str]) -> str:
    """Rebuild what the caller should have signed.

    Args:
        signed_names: Header names as the caller listed them, in any order and case; names that never belong
            to the signature are passed over.
    """
    lines = [
        request.method.upper(),
        *(request.headers.get(name, "") for name in ("accept", "content-md5", "content-type", "date")),
    ]
    names = sorted(name for name in signed_names if name.lower() not in _NEVER_SIGNED)
    lines += [f"{name}:{request.headers.get(name.lower(), '')}" for name in names]
    return "\n".join([*lines, _path_and_parameters(request)])


def _path_and_parameters(request: GatewayRequest) -> str:
    parameters = list(request.query)
    if request.headers.get("content-type", "").lower().startswith(_FORM):
        parameters += parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    first_of_each: dict[str, str] = {}
    for name, value in parameters:
        first_of_each.setdefault(name, value)
    if not first_of_each:
        return request.path
    shown = "&".join(f"{name}={value}" if value else name for name, value in sorted(first_of_each.items()))
    return f"{request.path}?{shown}"


def sign(text: str, secret: str, method: str = "HmacSHA256") -> str:
    """The base64 signature of a string to sign; `method` is HmacSHA256 or HmacSHA1 (KeyError otherwise)."""
    mac = hmac.new(secret.encode(), text.encode("utf-8", "replace"), _DIGESTS[method])
    return base64.b64encode(mac.digest()).decode()


class Gateway:
    """Lets a request through, or raises what the caller is to be told.

    Args:
        credentials: The only account there is.
        nonces: Where used nonces are kept.
        strict_nonce: Refuse every reuse under AppCode too.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        credentials: Credentials,
        nonces: NonceMemory,
        *,
        strict_nonce: bool,
        clock: Callable[[], float],
    ) -> None:
        self._credentials = credentials
        self._nonces = nonces
        self._strict_nonce = strict_nonce
        self._clock = clock

    def admit(self, request: GatewayRequest, *, changes_something: bool) -> bool:
        """Check a request and remember its nonce; True for a signed one.

        Args:
            changes_something: True for a submission, whose exact replay is refused under AppCode.

        Raises:
            GatewayRefusal: The gateway's own errors.
            VendorRefusal: 23500001, when no credentials were offered at all.
        """
        signed = self._authenticate(request)
        self._check_body(request)
        if "content-type" not in request.headers:
            raise GatewayRefusal("I400MH", "Header `Content-Type` is Required")
        self._check_timestamp(request, required=signed)
        self._check_nonce(request, strict=signed or self._strict_nonce, replay_matters=changes_something)
        return signed

    def _authenticate(self, request: GatewayRequest) -> bool:
        """Check the credentials; True when they were a signature."""
        authorization = request.headers.get("authorization")
        if authorization is not None:
            self._check_appcode(authorization)
            return False
        if "x-ca-key" in request.headers or "x-ca-signature" in request.headers:
            self._check_signature(request)
            return True
        raise VendorRefusal(VendorCode.NOT_AUTHORISED)

    def _check_appcode(self, authorization: str) -> None:
        scheme, separator, code = authorization.partition(" ")
        if scheme != "APPCODE" or not separator or not code:
            raise GatewayRefusal("A400AC")
        if not hmac.compare_digest(code.encode(), self._credentials.appcode.encode()):
            raise GatewayRefusal("A401AC")

    def _check_signature(self, request: GatewayRequest) -> None:
        headers = request.headers
        key = headers.get("x-ca-key", "")
        if not hmac.compare_digest(key.encode(), self._credentials.appkey.encode()):
            raise GatewayRefusal("A400IK")
        offered = headers.get("x-ca-signature", "")
        if not offered:
            raise GatewayRefusal(None, "Empty Signature")
        method = headers.get("x-ca-signature-method", "HmacSHA256")
        if method not in _DIGESTS:
            raise GatewayRefusal("A403IS", "Invalid Signature Method")
        listed = [name.strip() for name in headers.get("x-ca-signature-headers", "").split(",")]
        as_listed = [name for name in listed if name]
        candidates = [string_to_sign(request, names) for names in (as_listed, [n.lower() for n in as_listed])]
        secret = self._credentials.appsecret
        if not any(
            hmac.compare_digest(sign(c, secret, method).encode(), offered.encode()) for c in candidates
        ):
            shown = candidates[0].replace("\n", "#")
            raise GatewayRefusal("A403IS", f"Invalid Signature, Server StringToSign:`{shown}`")

    @staticmethod
    def _check_body(request: GatewayRequest) -> None:
        offered = request.headers.get("content-md5")
        if offered is None:
            return
        try:
            digest = base64.b64decode(offered, validate=True)
        except binascii.Error:
            digest = b""
        if digest != hashlib.md5(request.body, usedforsecurity=False).digest():
            raise GatewayRefusal("I400I5")

    def _check_timestamp(self, request: GatewayRequest, *, required: bool) -> None:
        offered = request.headers.get("x-ca-timestamp")
        if offered is None:
            if required:
                raise GatewayRefusal("I400MH", "Header `X-Ca-Timestamp` is Required")
            return
        if not (offered.isascii() and offered.isdigit() and len(offered) <= 16):
            raise GatewayRefusal(None, "Invalid Timestamp")
        if abs(int(offered) / 1000 - self._clock()) > FRESHNESS_SECONDS:
            raise GatewayRefusal(None, "Timestamp Expired")

    def _check_nonce(self, request: GatewayRequest, *, strict: bool, replay_matters: bool) -> None:
        nonce = request.headers.get("x-ca-nonce", "")
        if not nonce:
            raise GatewayRefusal("I400NC")
        seen = self._nonces.note_nonce(
            nonce,
            request.path,
            hashlib.sha256(request.body).hexdigest(),
            now=self._clock(),
            life=FRESHNESS_SECONDS,
        )
        replayed = seen is NonceSeen.REPLAYED and replay_matters
        if replayed or (strict and seen is not NonceSeen.NEW):
            raise GatewayRefusal(None, "Nonce Used", status=403)
