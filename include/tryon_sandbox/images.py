"""Fetching the images of a submission and holding them to the vendor's rules (document, section 4.1).

Every download is bounded in bytes, time and redirects, and what is decoded in pixels. URLs of this very machine
are served like any other: the sandbox is a tool for one machine, and its images usually stand beside it.
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from PIL import Image, ImageOps

from tryon_sandbox.codes import VendorCode
from tryon_sandbox.downloads import Downloads, NoDownload
from tryon_sandbox.files import PictureFiles
from tryon_sandbox.people import count_people
from tryon_sandbox.rules import Task, url_is_valid

MOST_BYTES = 5_000_000
"""The document says 5M; the smaller reading."""
LEAST_SIDE = 400
MOST_PIXELS = 40_000_000
"""More is not decoded. No rule of the document: a guard for the machine the sandbox runs on."""
FORMATS = frozenset({"JPEG", "PNG", "MPO"})
"""By content. MPO is how the library names a JPEG that carries further pictures."""

_CACHE_SWEEP_AT = 2000
_CODES = {
    NoDownload.UNREACHABLE: VendorCode.URL_NOT_ACCESSIBLE,
    NoDownload.TOO_LARGE: VendorCode.IMAGE_UNFIT,
}
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What the image library raises for bytes that are no proper picture."""


@dataclass(frozen=True, slots=True)
class TaskImages:
    """The digests of one task's images, all of them fit. None where the task gave no such image."""

    model: str
    tops: str
    pants: str | None
    mask: str | None


@dataclass(frozen=True, slots=True)
class _Measured:
    width: int
    height: int


class ImageDesk:
    """Fetches and judges images; safe to use from many threads.

    Args:
        files: Where the bytes are kept.
        timeout: Seconds one image may take from asking to its last byte.
        cache: Seconds a URL is not asked again after its image arrived. Bytes behind a URL may change, so it is short;
            what did not arrive may do so the next moment, and is asked for again.
    """

    def __init__(self, files: PictureFiles, *, timeout: float, cache: float) -> None:
        self._files = files
        self._cache = cache
        self._downloads = Downloads(files.put, timeout=timeout, most_bytes=MOST_BYTES)
        self._lock = threading.Lock()
        self._fetched: dict[str, tuple[float, Future[str | NoDownload]]] = {}

    def close(self) -> None:
        """Give up what is still being downloaded."""
        self._downloads.close()

    def examine(self, tasks: Sequence[Task]) -> list[TaskImages | VendorCode]:
        """Fetch and judge the images of each task: its digests, or the code of its first unfit image."""
        fetched = self._fetch_all(url for task in tasks for url in task.urls)
        return [self._examine_task(task, fetched) for task in tasks]

    def _examine_task(self, task: Task, fetched: Mapping[str, str | VendorCode]) -> TaskImages | VendorCode:
        digests: dict[str, str] = {}
        for url in task.urls:
            digest = fetched.get(url, VendorCode.URL_NOT_ACCESSIBLE)
            if isinstance(digest, VendorCode):
                return digest
            if isinstance(_measure(self._files.path(digest)), VendorCode):
                return VendorCode.IMAGE_UNFIT
            digests[url] = digest
        model = digests[task.model_image]
        people = _people(self._files.path(model))
        if people != 1:
            return VendorCode.TOO_MANY_PEOPLE if people else VendorCode.NO_PEOPLE
        mask = digests[task.mask_image] if task.mask_image else None
        if mask is not None and not self._mask_fits(mask, model):
            return VendorCode.IMAGE_UNFIT
        pants = digests[task.pants_image] if task.pants_image else None
        return TaskImages(model, digests[task.tops_image], pants, mask)

    def _mask_fits(self, mask: str, model: str) -> bool:
        mask_path = self._files.path(mask)
        return _measure(mask_path) == _measure(self._files.path(model)) and _is_black_and_white(mask_path)

    def _fetch_all(self, urls: Iterable[str]) -> dict[str, str | VendorCode]:
        """What is behind each URL, all of them asked at once: its digest, or the code it is refused with."""
        downloads = {url: self._fetch(url) for url in dict.fromkeys(urls) if url_is_valid(url)}
        found = {url: future.result() for url, future in downloads.items()}
        return {url: _CODES[got] if isinstance(got, NoDownload) else got for url, got in found.items()}

    def _fetch(self, url: str) -> Future[str | NoDownload]:
        with self._lock:
            now = time.monotonic()
            kept_until, kept = self._fetched.get(url, (0.0, None))
            if kept is not None and now < kept_until:
                return kept
            if len(self._fetched) > _CACHE_SWEEP_AT:
                self._fetched = {u: entry for u, entry in self._fetched.items() if now < entry[0]}
            future = self._downloads.start(url)
            self._fetched[url] = (math.inf, future)
        future.add_done_callback(partial(self._arrived, url))
        return future

    def _arrived(self, url: str, future: Future[str | NoDownload]) -> None:
        arrived = not future.cancelled() and future.exception() is None and isinstance(future.result(), str)
        with self._lock:
            self._fetched[url] = (time.monotonic() + self._cache if arrived else 0.0, future)


def open_picture(path: Path) -> Image.Image:
    """A fully decoded picture, turned as its EXIF data says. Raises one of `_UNREADABLE` for what is none."""
    with warnings.catch_warnings(), Image.open(path) as picture:
        if picture.format not in FORMATS or picture.width * picture.height > MOST_PIXELS:
            raise ValueError(f"not a JPEG or PNG of at most {MOST_PIXELS} pixels")
        try:
            return ImageOps.exif_transpose(picture)
        except SyntaxError:  # its EXIF data is none: it is whole, and nothing says how to turn it
            return picture.copy()


# What is behind a path never changes, for its name is the digest of the bytes: remembering is safe.


@lru_cache(maxsize=8192)
def _measure(path: Path) -> _Measured | VendorCode:
    try:
        picture = open_picture(path)
    except _UNREADABLE:
        return VendorCode.IMAGE_UNFIT
    if min(picture.size) < LEAST_SIDE:
        return VendorCode.IMAGE_UNFIT
    return _Measured(picture.width, picture.height)


@lru_cache(maxsize=8192)
def _people(path: Path) -> int:
    return count_people(open_picture(path))


@lru_cache(maxsize=8192)
def _is_black_and_white(path: Path) -> bool:
    counts = open_picture(path).convert("L").histogram()
    return not any(counts[1:255])
