"""Why a picture could not be fetched. Each says which address and what was wrong, without what is secret in it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tryon_catalogue.pictures.pace import Server


def shown(url: str) -> str:
    """Give an address without login and query, which is where a signed link keeps its signature."""
    bare = url.partition("?")[0].partition("#")[0]
    try:
        parts = urlsplit(bare)
    except ValueError:
        return "(an address that cannot be read)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class FetchError(Exception):
    """A picture could not be fetched within the limits; says which address and what was wrong.

    Args:
        url: The address as it was asked for; kept without its query.
        problem: What was wrong, in plain words.
        expired: True when the server says that the address is not, or no longer, good (403, 404, 410)
        status: The HTTP status that was the problem; None where it was another one.
    """

    def __init__(self, url: str, problem: str, *, expired: bool = False, status: int | None = None) -> None:
        super().__init__(shown(url), problem)
        self.url = shown(url)
        self.problem = problem
        self.expired = expired
        self.status = status

    def __str__(self) -> str:
        """Return the address, without its query, and the problem."""
        return f"{self.url}: {self.problem}"


class BrokenTransferError(FetchError):
    """The transfer broke, or the server could not serve just now: it may well go through the next time."""


class BusyError(FetchError):
    """The server asked to be left alone for longer than there was time for. Nothing is wrong with the file.

    Args:
        url: The address as it was asked for; kept without its query.
        problem: What the server said.
        server: The one that is busy; behind a redirect another than the address names.
    """

    def __init__(self, url: str, problem: str, server: Server) -> None:
        super().__init__(url, problem)
        self.server = server


class BadUrlError(FetchError):
    """The URL itself is at fault: nothing was asked for."""


class TooLargeError(FetchError):
    """The file has more bytes than were allowed.

    Args:
        url: The address as it was asked for; kept without its query.
        limit: Bytes that were allowed.
        size: Bytes of the file by the server's word; None when it was only found too large.
    """

    def __init__(self, url: str, limit: int, size: int | None = None) -> None:
        super().__init__(url, f"is larger than {limit:,} bytes")
        self.limit = limit
        self.size = size
