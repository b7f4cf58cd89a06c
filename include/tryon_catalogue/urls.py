"""The one form in which a picture's URL is checked, stored, and sent to its server and to the vendor.

It is made where a URL comes in, from the export or the settings, and never again. So what is checked is what is sent.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from yarl import URL

_TO_ENCODE: Final = re.compile(r"[^\x00-\x7f]+|%(?![0-9A-Fa-f]{2})")


def canonical_url(url: str) -> str:
    """Write a URL in ASCII: its host as IDNA has it, all else percent-encoded UTF-8.

    A URL in ASCII is left byte for byte as it is, for a server may have signed it so.

    Returns:
        The URL; unchanged where it cannot be written in ASCII, for it is no URL then.
    """
    if url.isascii():
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        ours = host if host.isascii() else URL(f"http://{host}/").raw_host or ""
        if ours != host:
            # What a host may be called has no capitals: the name stands in the URL as it was typed.
            at = parts.netloc.rpartition("@")[2]
            port = at.rpartition(":")[2] if ":" in at else None
            login = parts.netloc[: len(parts.netloc) - len(at)]
            place = ours if port is None else f"{ours}:{port}"
            url = url.replace(parts.netloc, f"{login}{place}", 1)
        return _TO_ENCODE.sub(_encoded, url)
    except ValueError:  # UnicodeError, of letters that no UTF-8 and no host name has, is one
        return url


def encoded_target(target: str) -> str:
    """Write what a redirect names in ASCII, byte for byte as the server sent it.

    Args:
        target: A ``Location`` as the HTTP client gives it: bytes that are no UTF-8 are surrogates.
    """
    return "".join(
        chr(byte) if 0x20 < byte < 0x7F else f"%{byte:02X}"
        for byte in target.encode("utf-8", "surrogateescape")
    )


def _encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode())
