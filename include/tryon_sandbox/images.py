"""Fetching the images of a submission and holding them to the vendor's rules (document, section 4.1).

Every download is bounded in bytes, time, redirects and pixels. URLs of this very machine are served like any
other: the sandbox is a tool for one machine, and its images usually stand beside it.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import requests
import urllib3
from PIL import Image

from tryon_sandbox.codes import VendorCode
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
MOST_REDIRECTS = 3

_CHUNK = 64 * 1024
_DOWNLOADS_AT_ONCE = 16
_CACHE_SWEEP_AT = 2000
_UNREACHABLE = (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError)
"""What a download raises; UnicodeError for a host name that cannot be encoded."""
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

    Arguments:
        files: where the bytes are kept.
        timeout: seconds one image may take from asking to its last byte.
        cache: seconds a URL is not asked again. Bytes behind a URL may change, so it is short.
    """

    def __init__(self, files: PictureFiles, *, timeout: float, cache: float) -> None:
        self._files = files
        self._timeout = timeout
        self._cache = cache
        self._pool = ThreadPoolExecutor(_DOWNLOADS_AT_ONCE, thread_name_prefix="sandbox-download")
        self._lock = threading.Lock()
        self._fetched: dict[str, tuple[float, Future[str | VendorCode]]] = {}
        self._sessions = threading.local()

    def close(self) -> None:
        """Give up what is still being downloaded."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def examine(self, tasks: Sequence[Task]) -> list[TaskImages | VendorCode]:
        """Fetch and judge the images of each task: its digests, or the code of its first unfit image."""
        self._fetch_all(url for task in tasks for url in task.urls)
        return [self._examine_task(task) for task in tasks]

    def _examine_task(self, task: Task) -> TaskImages | VendorCode:
        digests: dict[str, str] = {}
        for url in task.urls:
            digest = self._fetch(url).result()
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

    def _fetch_all(self, urls: Iterable[str]) -> None:
        for future in [self._fetch(url) for url in urls]:
            future.result()

    def _fetch(self, url: str) -> Future[str | VendorCode]:
        now = time.monotonic()
        with self._lock:
            kept_until, future = self._fetched.get(url, (0.0, None))
            if future is not None and (now < kept_until or not future.done()):
                return future
            if len(self._fetched) > _CACHE_SWEEP_AT:
                self._fetched = {u: entry for u, entry in self._fetched.items() if now < entry[0]}
            future = self._pool.submit(self._download, url)
            self._fetched[url] = (now + self._cache, future)
            return future

    def _download(self, url: str) -> str | VendorCode:
        if not url_is_valid(url):
            return VendorCode.URL_NOT_ACCESSIBLE
        deadline = time.monotonic() + self._timeout
        try:
            with self._session().get(url, stream=True, timeout=self._timeout) as response:
                if response.status_code != requests.codes.ok:
                    return VendorCode.URL_NOT_ACCESSIBLE
                content = bytearray()
                # read1 gives what has arrived; waiting for a full chunk, a dripping server outlives any limit.
                while chunk := response.raw.read1(_CHUNK, decode_content=True):
                    content += chunk
                    if len(content) > MOST_BYTES:
                        return VendorCode.IMAGE_UNFIT
                    if time.monotonic() > deadline:
                        return VendorCode.URL_NOT_ACCESSIBLE
        except _UNREACHABLE:
            return VendorCode.URL_NOT_ACCESSIBLE
        return self._files.put(bytes(content))

    def _session(self) -> requests.Session:
        """One session a thread. A proxy of the environment is not used: it could not reach this machine."""
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            session.max_redirects = MOST_REDIRECTS
            session.headers["Accept-Encoding"] = "identity"
            self._sessions.session = session
        return session


def open_picture(path: Path) -> Image.Image:
    """A fully decoded picture. Raises one of OSError, SyntaxError, ValueError for what is none."""
    with warnings.catch_warnings(), Image.open(path) as picture:
        if picture.format not in FORMATS or picture.width * picture.height > MOST_PIXELS:
            raise ValueError(f"not a JPEG or PNG of at most {MOST_PIXELS} pixels")
        picture.load()
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
