"""Preflight's look at the images: each address fetched once, each image held to the rules, a few at a time.

One image's trouble is that image's finding and nothing else's. However many are requested, only those that are being
checked are in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from tryon_catalogue.pictures.fetch import BadUrlError, BusyError, FetchError, TooLargeError
from tryon_catalogue.pictures.kinds import WEBP
from tryon_catalogue.pictures.rules import (
    MAX_PIXELS,
    Finding,
    ImageFacts,
    ImageRole,
    ImageRule,
    examine_image,
    finding,
)

if TYPE_CHECKING:
    from tryon_catalogue.pictures.fetch import FetchedInput, Fetcher
    from tryon_catalogue.pictures.pace import Server

MAX_INPUT_BYTES = 8_000_000
"""Largest file that is fetched: somewhat more than the vendor takes, so that its true size can be told."""
WEB_PAGE: Final = "web page (HTML)"

_GONE: Final = frozenset({404, 410})
_REFUSING: Final = frozenset({401, 403, 407})
_OTHER_NAMES: Final = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class PreflightLimits:
    """How much is done at once, and with what.

    Attributes:
        concurrency: Addresses fetched at once; as many files are in memory at most.
        decoders: Images decoded at once, which is what takes memory and time.
        max_bytes: The largest file that is fetched. A larger one is rejected without being seen whole, so
            it has to be larger than the vendor's limit where oversized images are to be repaired.
        max_pixels: Width times height; an image that has more is rejected without being decoded.
        repair: Whether a copy that keeps the rules is made of an image that breaks them, where one can be.
    """

    concurrency: int = 16
    decoders: int = 2
    max_bytes: int = MAX_INPUT_BYTES
    max_pixels: int = MAX_PIXELS
    repair: bool = False


class Known(Protocol):
    """What is known of an image from the last time."""

    @property
    def etag(self) -> str | None:
        """What the server called the version."""

    @property
    def last_modified(self) -> str | None:
        """Since when the server had the version, in its words."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """A copy of an image that keeps the rules.

    Attributes:
        content: The copy's bytes, JPEG or PNG.
        facts: The copy's own.
    """

    content: bytes
    facts: ImageFacts


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found at one address for one role.

    Attributes:
        url: The address, as it was requested.
        role: What its image is to be.
        unchanged: The server says that it is still the version that is known; all below is empty then.
        facts: Of the image; None when there was none to look at.
        findings: Of the image, or of the address where there is no image; those that reject first.
        etag: What the server calls the version.
        last_modified: Since when the server has the version, in its words.
        thumbnail: A small JPEG of it; None where it could not be decoded.
        repaired: A copy that keeps the rules; None where none was asked for, needed or possible.
        busy: The server that had no time for the address; None where there was an answer.
    """

    url: str
    role: ImageRole
    unchanged: bool = False
    facts: ImageFacts | None = None
    findings: tuple[Finding, ...] = ()
    etag: str | None = None
    last_modified: str | None = None
    thumbnail: bytes | None = None
    repaired: Repaired | None = None
    busy: Server | None = None

    @property
    def rejection(self) -> Finding | None:
        """The first finding that rejects; None when the image may go to the vendor, or is unchanged."""
        return next((finding for finding in self.findings if finding.rejects), None)


async def check_urls(
    requested: Iterable[tuple[str, ImageRole]],
    known: Mapping[tuple[str, ImageRole], Known],
    fetcher: Fetcher,
    limits: PreflightLimits | None = None,
) -> AsyncIterator[Checked]:
    """Fetch and check every requested image.

    An address is fetched once, in however many roles it is requested. When the same version of it is known in
    all of them, the server is asked only whether it has another one by now.

    Args:
        requested: Addresses, each with what its image is to be; the same ones may come again.
        known: What is known from the last time. Leave out what is to be looked at anew.
        limits: How much at once; careful ones when not given.

    Yields:
        Each address and role once, as soon as it is ready. Whoever takes them slowly slows the fetching down.
    """
    limits = limits or PreflightLimits()
    roles_of: dict[str, dict[ImageRole, None]] = {}
    for url, role in requested:
        roles_of.setdefault(url, {})[role] = None
    running: set[asyncio.Task[list[Checked]]] = set()
    decoders = ThreadPoolExecutor(limits.decoders, thread_name_prefix="image-check")
    desk = _Desk(fetcher, limits, decoders)
    try:
        for url, roles in roles_of.items():
            if len(running) >= limits.concurrency:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    for checked in task.result():
                        yield checked
            version = _common_version([known.get((url, role)) for role in roles])
            running.add(asyncio.create_task(desk.look_at(url, tuple(roles), version)))
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                for checked in task.result():
                    yield checked
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        decoders.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Version:
    etag: str | None = None
    last_modified: str | None = None


_NO_VERSION = _Version()


def _common_version(known: list[Known | None]) -> _Version:
    """An address that is new in one of its roles has to be fetched, whatever is known in the other."""
    versions = {
        _NO_VERSION if image is None else _Version(image.etag, image.last_modified) for image in known
    }
    return versions.pop() if len(versions) == 1 else _NO_VERSION


@dataclass(frozen=True, slots=True)
class _Desk:
    fetcher: Fetcher
    limits: PreflightLimits
    decoders: ThreadPoolExecutor

    async def look_at(self, url: str, roles: tuple[ImageRole, ...], version: _Version) -> list[Checked]:
        try:
            fetched = await self.fetcher.fetch_input(
                url,
                etag=version.etag,
                last_modified=version.last_modified,
                max_bytes=self.limits.max_bytes,
            )
        except FetchError as error:
            busy = error.server if isinstance(error, BusyError) else None
            return [Checked(url, role, findings=(_finding_of(error),), busy=busy) for role in roles]
        if fetched is None:
            return [Checked(url, role, unchanged=True) for role in roles]
        loop = asyncio.get_running_loop()
        return [
            await loop.run_in_executor(self.decoders, self._examined, url, role, fetched) for role in roles
        ]

    def _examined(self, url: str, role: ImageRole, fetched: FetchedInput) -> Checked:
        facts, thumbnail = examine_image(fetched.content, role, max_pixels=self.limits.max_pixels)
        return Checked(
            url=url,
            role=role,
            facts=facts,
            findings=tuple(_as_it_happened(found, facts, url, fetched.led_to) for found in facts.findings),
            etag=fetched.etag,
            last_modified=fetched.last_modified,
            thumbnail=thumbnail,
            repaired=self._repaired(fetched.content, facts) if self.limits.repair else None,
        )

    def _repaired(self, content: bytes, facts: ImageFacts) -> Repaired | None:
        from tryon_catalogue.pictures.repair import repair

        copy = repair(content, facts, max_pixels=self.limits.max_pixels)
        if copy is None:
            return None
        return Repaired(copy, examine_image(copy, facts.role, max_pixels=self.limits.max_pixels)[0])


def _finding_of(error: FetchError) -> Finding:
    if isinstance(error, TooLargeError):
        measured = f"more than {error.limit:,} bytes" if error.size is None else f"{error.size:,} bytes"
        return finding(ImageRule.TOO_MANY_BYTES, measured)
    if isinstance(error, BusyError):
        return finding(ImageRule.BUSY, f"the URL {error.problem}")
    rule = ImageRule.BAD_URL if isinstance(error, BadUrlError) else ImageRule.UNREACHABLE
    return finding(rule, f"the URL {error.problem}", advice=_advice_on(error.status))


def _advice_on(status: int | None) -> str | None:
    if status in _GONE:
        return "Put the image back where the URL says, or correct the URL in the catalogue."
    if status in _REFUSING:
        return (
            "The vendor has no login either: give a URL that anybody may open. Where only programs are turned away, "
            "set [fetch] user_agent."
        )
    return None


def _as_it_happened(found: Finding, facts: ImageFacts, url: str, led_to: str | None) -> Finding:
    """Say of what is no picture what it is instead, and how that comes about."""
    if found.rule is not ImageRule.FORMAT:
        return found
    if facts.format == WEB_PAGE:
        measured = (
            f"the URL leads to a page, perhaps a login ({led_to})" if led_to else "the URL is that of a page"
        )
        advice = (
            "Open the URL in a private browser window to see the page. Give the URL of the image itself, which needs "
            "no login."
        )
        return replace(found, measured=measured, advice=advice)
    if facts.format == WEBP and urlsplit(url).path.lower().endswith(_OTHER_NAMES):
        advice = (
            "The server may make WebP of it on the way: switch that off for this URL. Or save the image as JPEG or "
            "PNG."
        )
        return replace(found, advice=advice)
    return found
