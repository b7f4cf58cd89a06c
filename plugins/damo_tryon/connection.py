"""The settings of a ``damo_tryon`` connection, read once and checked, from Airflow's untyped one.

Every fault is told with the field's name and what was expected there. This module imports no Airflow: it
reads any object that has a connection's fields.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn, Protocol, TypeVar
from urllib.parse import urlsplit

from damo_tryon.auth import AppCode, Credentials, Signature, SignatureMethod, Stage
from damo_tryon.contract import DEFAULT_HOST
from damo_tryon.errors import ConnectionSettingsError

DEFAULT_CONNECT_TIMEOUT: Final = 10.0
"""Seconds to wait for a connection; running out of them proves that nothing was sent."""
DEFAULT_READ_TIMEOUT: Final = 60.0
"""Seconds of silence to bear while waiting for an answer. Generous: a submission whose answer is given up
too early is in doubt."""
MAX_TIMEOUT: Final = 3600.0

_HOST: Final = re.compile(r"[A-Za-z0-9.\-_:\[\]]+")


class AuthKind(StrEnum):
    """How the gateway is told who is calling."""

    APPCODE = "appcode"
    SIGNATURE = "signature"


class ConnectionFields(Protocol):
    """The fields of an Airflow connection that are read here; its ``extra`` is handed over decoded."""

    @property
    def conn_id(self) -> str:
        """Its id."""

    @property
    def host(self) -> str | None:
        """Host, with or without scheme and port."""

    @property
    def schema(self) -> str | None:
        """Scheme, where the host names none."""

    @property
    def port(self) -> int | None:
        """Port."""

    @property
    def login(self) -> str | None:
        """AppKey, with a signature only."""

    @property
    def password(self) -> str | None:
        """AppCode or AppSecret."""


@dataclass(frozen=True, slots=True)
class TryOnConnection:
    """Everything that a call needs to know about where it goes and as whom.

    Attributes:
        base_url: Scheme, host and port, without a slash at the end.
        credentials: Who is calling; keeps its secret out of its repr.
        connect_timeout: Seconds to wait for a connection.
        read_timeout: Seconds of silence to bear while waiting for an answer.
        internal_error_is_refusal: Whether code 23500000 proves that nothing was accepted.
    """

    base_url: str
    credentials: Credentials
    connect_timeout: float = DEFAULT_CONNECT_TIMEOUT
    read_timeout: float = DEFAULT_READ_TIMEOUT
    internal_error_is_refusal: bool = False

    @classmethod
    def read(cls, fields: ConnectionFields, extra: Mapping[str, object]) -> TryOnConnection:
        """Read an Airflow connection.

        Args:
            extra: Its ``extra``, decoded. Known keys: auth, signature_method, stage, connect_timeout,
                read_timeout, internal_error_is_refusal. Empty values count as absent.

        Raises:
            ConnectionSettingsError: Something is missing, unknown or contradictory.
        """
        given = {key: value for key, value in extra.items() if value is not None and value != ""}
        return _Reader(fields, given).read()


_EXTRA_KEYS: Final = frozenset(
    {
        "auth",
        "signature_method",
        "stage",
        "connect_timeout",
        "read_timeout",
        "internal_error_is_refusal",
    }
)
_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class _Reader:
    fields: ConnectionFields
    extra: Mapping[str, object]

    def read(self) -> TryOnConnection:
        # An unknown key is refused rather than skipped: it is a misspelt one, and the HTTP provider's hook
        # would have made a request header of it.
        for key in sorted(set(self.extra) - _EXTRA_KEYS):
            self._refuse(f"extra {key!r} is unknown; known are {', '.join(sorted(_EXTRA_KEYS))}")
        return TryOnConnection(
            base_url=self._base_url(),
            credentials=self._credentials(),
            connect_timeout=self._seconds("connect_timeout", DEFAULT_CONNECT_TIMEOUT),
            read_timeout=self._seconds("read_timeout", DEFAULT_READ_TIMEOUT),
            internal_error_is_refusal=self._switch("internal_error_is_refusal"),
        )

    def _refuse(self, problem: str) -> NoReturn:
        raise ConnectionSettingsError(f"connection {self.fields.conn_id!r}: {problem}")

    def _base_url(self) -> str:
        host = (self.fields.host or DEFAULT_HOST).strip()
        address = host if "://" in host else f"{self.fields.schema or 'https'}://{host}"
        try:
            parts = urlsplit(address)
            name, port = parts.hostname, parts.port
            (name or "").encode("idna")  # what the resolver does with it
        except ValueError:
            # Without its text: a secret may have been put there by mistake.
            self._refuse("host is not a host name or URL: see its port and the parts between its dots")
        if parts.scheme not in {"http", "https"}:
            self._refuse(f"scheme {parts.scheme!r} is neither http nor https")
        if (
            not name
            or not _HOST.fullmatch(parts.netloc)
            or parts.path.strip("/")
            or parts.query
            or parts.fragment
        ):
            self._refuse("host must be a host name or http(s)://host[:port] alone, without path or user name")
        if self.fields.port and port and self.fields.port != port:
            self._refuse(f"port is {self.fields.port} and the host says {port}")
        own_port = f":{self.fields.port}" if self.fields.port and not port else ""
        return f"{parts.scheme}://{parts.netloc}{own_port}"

    def _credentials(self) -> Credentials:
        login, password = self.fields.login, self.fields.password
        kind = self._choice("auth", AuthKind, AuthKind.SIGNATURE if login else AuthKind.APPCODE)
        secret = "AppCode" if kind is AuthKind.APPCODE else "AppSecret"
        if not password:
            self._refuse(f"password is empty; it must hold the {secret}")
        try:
            method = self._choice("signature_method", SignatureMethod, SignatureMethod.HMAC_SHA256)
            stage = self._choice("stage", Stage, Stage.RELEASE)
            if kind is AuthKind.SIGNATURE:
                return Signature(login or "", password, method=method, stage=stage)
            if stage is not Stage.RELEASE:
                # The header that names the stage belongs to the signed ones: it would be lost, and RELEASE be charged.
                self._refuse(
                    f"extra 'stage' is {stage.value!r}, which takes a signature: AppKey and AppSecret"
                )
            return AppCode(password)
        except ValueError as error:
            self._refuse(f"{error} (login holds the AppKey, password the {secret})")

    def _choice(self, key: str, choices: type[_Word], default: _Word) -> _Word:
        value = str(self.extra.get(key, default)).strip().lower()
        found = {choice.value.lower(): choice for choice in choices}.get(value)
        if found is None:
            self._refuse(f"extra {key!r} is {self.extra[key]!r}; expected one of {', '.join(choices)}")
        return found

    def _seconds(self, key: str, default: float) -> float:
        given = self.extra.get(key, default)
        try:
            seconds = float(str(given))
        except ValueError:
            seconds = math.nan
        if isinstance(given, bool) or not 0 < seconds <= MAX_TIMEOUT:
            self._refuse(f"extra {key!r} is {given!r}; expected seconds above 0 and up to {MAX_TIMEOUT:g}")
        return seconds

    def _switch(self, key: str) -> bool:
        given = str(self.extra.get(key, False)).strip().lower()
        if given not in {"true", "false"}:
            self._refuse(f"extra {key!r} is {self.extra[key]!r}; expected true or false")
        return given == "true"
