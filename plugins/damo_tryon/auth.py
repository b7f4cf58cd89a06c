"""The two ways to tell the vendor's gateway who is calling: an AppCode, or a signature.

Both give the headers of ONE HTTP attempt: the nonce may be used once, so the headers of an attempt that
failed are never used again. Secrets are kept out of every repr and every error text.

Sources: vendor document, section 5.1 (AppCode, nonce); the gateway's public documentation (signature).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

ACCEPT: Final = "application/json"
"""Sent explicitly: a client's default ``*/*`` is not what was signed."""
CONTENT_TYPE: Final = "application/json; charset=UTF-8"

_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e]+")


class SignatureMethod(StrEnum):
    """Digest of the signature, under the gateway's name for it."""

    HMAC_SHA256 = "HmacSHA256"
    HMAC_SHA1 = "HmacSHA1"


_DIGESTS: Final = {SignatureMethod.HMAC_SHA256: "sha256", SignatureMethod.HMAC_SHA1: "sha1"}


class Stage(StrEnum):
    """Environment of the gateway that is called."""

    RELEASE = "RELEASE"
    PRE = "PRE"
    TEST = "TEST"


class Credentials(Protocol):
    """Whatever can make the headers of one HTTP attempt."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must stand in no text that is kept."""

    def headers(
        self, method: str, path: str, body: bytes, *, now: float | None = None, nonce: str | None = None
    ) -> dict[str, str]:
        """Return the headers of one HTTP attempt: authentication, nonce, Accept and Content-Type.

        Args:
            method: HTTP method in capitals.
            path: Path of the URL, which has no query.
            body: The exact bytes that will be sent.
            now: Seconds since 1970; the clock by default.
            nonce: A value never used before; a random one by default.
        """


@dataclass(frozen=True, slots=True)
class AppCode:
    """Simple authentication: ``Authorization: APPCODE <code>`` (vendor document, section 5.1).

    Attributes:
        code: The AppCode, without the word APPCODE.

    Raises:
        ValueError: The code cannot stand in a header. The text does not show it.
    """

    code: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what the HTTP library would refuse later, with the secret in its error text."""
        if not _HEADER_SAFE.fullmatch(self.code):
            raise ValueError(
                "the AppCode is empty or holds blanks or characters beyond ASCII; "
                "give the code alone, without the word APPCODE before it"
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """The AppCode."""
        return (self.code,)

    def headers(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        now: float | None = None,
        nonce: str | None = None,
    ) -> dict[str, str]:
        """Return the headers of one HTTP attempt; see ``Credentials.headers``."""
        return {
            "Accept": ACCEPT,
            "Content-Type": CONTENT_TYPE,
            "Authorization": f"APPCODE {self.code}",
            "X-Ca-Nonce": nonce or str(uuid.uuid4()),
        }


@dataclass(frozen=True, slots=True)
class Signature:
    """Authentication by signature: the secret itself never travels.

    Attributes:
        app_key: The AppKey, which names the caller.
        app_secret: The AppSecret, which signs.
        method: Digest of the signature.
        stage: Environment of the gateway.

    Raises:
        ValueError: The key cannot stand in a header, or the secret is empty. The text shows neither.
    """

    app_key: str
    app_secret: str = field(repr=False)
    method: SignatureMethod = SignatureMethod.HMAC_SHA256
    stage: Stage = Stage.RELEASE

    def __post_init__(self) -> None:
        """Refuse what could only fail later and less plainly."""
        if not _HEADER_SAFE.fullmatch(self.app_key):
            raise ValueError("the AppKey is empty or holds blanks or characters beyond ASCII")
        if not self.app_secret:
            raise ValueError("the AppSecret is empty")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The AppSecret."""
        return (self.app_secret,)

    def headers(
        self, method: str, path: str, body: bytes, *, now: float | None = None, nonce: str | None = None
    ) -> dict[str, str]:
        """Return the headers of one HTTP attempt; see ``Credentials.headers``."""
        plain = {
            "Accept": ACCEPT,
            "Content-MD5": content_md5(body),
            "Content-Type": CONTENT_TYPE,
        }
        signed = {
            "x-ca-key": self.app_key,
            "x-ca-nonce": nonce or str(uuid.uuid4()),
            "x-ca-signature-method": self.method.value,
            "x-ca-stage": self.stage.value,
            "x-ca-timestamp": str(int((time.time() if now is None else now) * 1000)),
        }
        text = string_to_sign(method, path, plain | signed, signed)
        return {
            **plain,
            **signed,
            "X-Ca-Signature-Headers": ",".join(sorted(signed)),
            "X-Ca-Signature": self.sign(text),
        }

    def sign(self, text: str) -> str:
        """Return base64(HMAC(AppSecret, text)).

        Args:
            text: What ``string_to_sign`` returned.
        """
        mac = hmac.new(self.app_secret.encode(), text.encode(), _DIGESTS[self.method])
        return base64.b64encode(mac.digest()).decode()


def content_md5(body: bytes) -> str:
    """Return the ``Content-MD5`` of a body that is not a form: base64 of the MD5 of its raw bytes."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def string_to_sign(method: str, path: str, headers: Mapping[str, str], signed: Iterable[str]) -> str:
    """Return the text that the gateway builds on its side, too, and whose HMAC is the signature.

    Args:
        method: HTTP method in capitals.
        path: Path of the URL. The vendor's two calls have no query and no form; a JSON body is not part of
            the text but for its MD5.
        headers: The headers sent. Accept, Content-MD5, Content-Type and Date have places of their own,
            which stay as empty lines where a header is absent.
        signed: Names, as written in ``X-Ca-Signature-Headers``, of the headers that are signed besides.
    """
    fixed = [method, *(headers.get(name, "") for name in ("Accept", "Content-MD5", "Content-Type", "Date"))]
    named = [f"{name}:{headers[name]}" for name in sorted(signed)]
    return "\n".join([*fixed, *named, path])
