"""What of the vendor's and the gateway's words may be kept: one short line, printable, and without our secrets.

A gateway that echoes the headers of a request puts our credentials into its answer. Every text of an answer, and of an
error of the HTTP library, passes here before it becomes an error's message or a request id: those go to logs, to the
journal and to people.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

REDACTED: Final = "[secret]"
MAX_TEXT: Final = 500
"""Characters of a message that are kept."""
MAX_KEY: Final = 1_000
"""Characters of a result key that can be kept: an index of a database takes no much longer ones."""

_MOST_READ: Final = 20_000
_LONGEST_SPELLING: Final = 30  # of one character, with all its escapes
_ESCAPES: Final = r"\\{1,8}"
_SHORT: Final = 6
_TELLING: Final = 8
# A signature is used once, but only where the request arrived; base64 of HMAC-SHA256 or HMAC-SHA1.
_BASE64: Final = r"(?:[a-z0-9+/]|%2[bf]|\\/)"
_SIGNATURE: Final = rf"(?<![a-z0-9+/]){_BASE64}{{27}}(?:{_BASE64}{{16}})?(?:=|%3d|\\+u003d)"


class Redaction:
    """Makes text of the wire fit to be kept. Make one with ``redaction_of``.

    Args:
        secrets: What must not be kept: an AppCode, an AppSecret.
    """

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        patterns = [pattern for secret in secrets for pattern in _patterns(secret)]
        self._secrets = re.compile("|".join([*patterns, _SIGNATURE]), re.IGNORECASE)
        self._longest = _LONGEST_SPELLING * max(map(len, secrets), default=0)

    def __repr__(self) -> str:
        """Name it, and none of the secrets."""
        return f"{type(self).__name__}()"

    def line(self, text: str, longest: int = MAX_TEXT) -> str:
        """Give text in one line that may be kept.

        Args:
            longest: Characters at the most.
        """
        # What nobody sees goes first: it could stand between the characters of a secret.
        words = " ".join(text[:_MOST_READ].split())
        clean = self._secrets.sub(REDACTED, "".join(filter(str.isprintable, words)))
        if len(text) > _MOST_READ:  # the cut may have gone through a secret
            clean = clean[: -self._longest] if self._longest else clean
        return clean[:longest]

    def keeps(self, key: str) -> bool:
        """Say whether a result key can be kept exactly as it came."""
        return len(key) <= MAX_KEY and self.line(key, MAX_KEY) == key


@lru_cache(maxsize=16)
def redaction_of(*secrets: str) -> Redaction:
    """Give what takes these secrets out of text."""
    return Redaction(secrets)


NO_SECRETS: Final = redaction_of()
"""For what is sent without any."""


def _patterns(secret: str) -> Iterator[str]:
    """Give what a secret looks like in text: as it is, escaped in some way, cut off, or within base64."""
    if len(secret) < _SHORT:  # part of any word
        yield rf"(?<![a-z0-9]){_spelt(secret)}(?![a-z0-9])"
        return
    for form in (secret, *_within_base64(secret.encode())):
        yield _spelt(form)
        if len(form) > _TELLING:  # somebody on the way may have cut it off
            yield rf"{_spelt(form[: max(_TELLING, len(form) // 2)])}[^\s\"',;<>&]*"


def _spelt(text: str) -> str:
    """Give a pattern of a text in which each character may be escaped as URLs, JSON, Python or HTML do."""
    return rf"(?: |{_ESCAPES}[rnt])?".join(map(_spellings, text))


def _spellings(character: str) -> str:
    # Each way is matched by one branch alone, and has a bound: a hostile text costs no more time than another.
    code = ord(character)
    octets = "".join(rf"%(?:25){{0,3}}{octet:02x}" for octet in character.encode(errors="surrogatepass"))
    plain = {"+": "[+-]", "/": "[/_]"}.get(character, re.escape(character))  # base64 has two alphabets
    ways = [
        rf"\\{{0,8}}{plain}",
        octets,
        rf"{_ESCAPES}(?:u{code:04x}|x{code:02x})",
        rf"&#(?:0{{0,4}}{code}|x0{{0,4}}{code:x});?",
    ]
    if (named := html.escape(character)) != character:
        ways.append(named)
    return rf"(?:{'|'.join(ways)})"


def _within_base64(content: bytes) -> Iterator[str]:
    """Give the characters that base64 has for some bytes wherever they stand, such as behind a name and a colon."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + content).decode().rstrip("=")
        # The first and the last character may hold bits of what stands beside.
        yield encoded[(0, 2, 3)[before] : None if (before + len(content)) % 3 == 0 else -1]
