"""The life of an accepted submission: its charge, its statuses, its pictures and their links.

The timetable of a sub-task is fixed when it is accepted: it starts as soon as one of the places for running
sub-tasks is free and runs for the set latency. Its status is then read off the clock, so there is nothing to
tick and a restart changes nothing. Pictures are drawn in worker threads meanwhile; a sub-task whose picture
is late stays RUNNING.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import logging
import uuid
from bisect import insort
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from PIL import Image

from tryon_sandbox.calls import Fate
from tryon_sandbox.charging import ChargedLook, Tariff
from tryon_sandbox.codes import VendorCode, VendorRefusal
from tryon_sandbox.files import PictureFiles
from tryon_sandbox.images import TaskImages, open_picture
from tryon_sandbox.plain import render_plain
from tryon_sandbox.rendering import render
from tryon_sandbox.rules import SubmissionBody, Task
from tryon_sandbox.settings import Pictures, SandboxSettings
from tryon_sandbox.spoiling import Sitting
from tryon_sandbox.state import Job, Store, SubTask, Totals

_log = logging.getLogger(__name__)

_JPEG_QUALITY = 88
_DRAWERS = 2
_TOKEN_MAC_LENGTH = 24
_RENDERERS = {Pictures.DRAWN: render, Pictures.PLAIN: render_plain}


class Status(StrEnum):
    """Where a sub-task is (document, section 5.1)."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Link:
    """One result picture's place on the sandbox, good until `expires_at` (seconds since the epoch)."""

    token: str
    number: int
    expires_at: float


class LinkExpiredError(Exception):
    """The link was good once."""


class LinkUnknownError(Exception):
    """The sandbox never gave out such a link, or the job has no such picture."""


class JobBook:
    """Accepts submissions, tells how they stand, and hands out their pictures.

    Args:
        settings: Latency, concurrency, credits, what is charged and the life of links.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, settings: SandboxSettings, store: Store, files: PictureFiles, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._store = store
        self._files = files
        self._clock = clock
        self._link_secret = store.secret("links", lambda: uuid.uuid4().hex).encode()
        self._tariff = Tariff(settings.use, settings.failed)
        self._drawers = ThreadPoolExecutor(_DRAWERS, thread_name_prefix="sandbox-draw")
        for result_key, position in store.undrawn():
            self._draw_later(result_key, position)

    def close(self) -> None:
        """Stop drawing. What is undrawn is drawn by the next sandbox with the same state."""
        self._drawers.shutdown(wait=True, cancel_futures=True)

    def accept(
        self,
        submission: SubmissionBody,
        images: Sequence[TaskImages | None],
        fate_of: Callable[[Sequence[Task]], Fate],
    ) -> Job:
        """Take a submission and charge it, or refuse it whole.

        Args:
            images: The digests of each task's images; None for a task bound to fail for one of them.
            fate_of: Asked once the credits suffice; says what becomes of it.

        Raises:
            VendorRefusal: 23500003, when the credits left do not cover all of it. Nothing is charged then.
        """
        looks = len(submission.tasks)
        uses = self._tariff.uses(Totals(1, looks, looks * submission.inference_num))
        with self._store.transaction():
            left = self.credits_left()
            if left is not None and uses > left:
                raise VendorRefusal(VendorCode.CREDITS_EXHAUSTED)
            fate = fate_of(submission.tasks)
            now = self._clock()
            # Read anew each time: a submission that is not accepted after all has taken no place.
            free_at = sorted(self._store.latest_ends(self._settings.concurrency))
            sub_tasks = []
            for position, (task, digests) in enumerate(zip(submission.tasks, images, strict=True)):
                starts_at, ends_at = self._take_place(now, free_at, fate.slowness)
                fails = digests is None or position in fate.failing
                sub_tasks.append(SubTask(task, starts_at, ends_at, fails, digests))
            job = Job(uuid.uuid4().hex, submission.fit_type, submission.inference_num, now, tuple(sub_tasks))
            self._store.add_job(job)
        for position, sub_task in enumerate(job.sub_tasks):
            if not sub_task.fails:
                self._draw_later(job.result_key, position)
        return job

    def find(self, result_key: str) -> Job:
        """The job of a result key. Raises VendorRefusal 23500008 when there is none."""
        job = self._store.job(result_key)
        if job is None:
            raise VendorRefusal(VendorCode.UNKNOWN_RESULT_KEY)
        return job

    def status(self, sub_task: SubTask) -> Status:
        """Where a sub-task stands now."""
        now = self._clock()
        if now < sub_task.starts_at:
            return Status.WAITING
        if now < sub_task.ends_at:
            return Status.RUNNING
        if sub_task.fails:
            return Status.FAILED
        return Status.RUNNING if sub_task.pictures is None else Status.SUCCESS

    def links(self, job: Job, position: int, life: float) -> tuple[Link, ...]:
        """Fresh links to a sub-task's pictures, good for `life` seconds; older ones keep their own time."""
        expires_at = self._clock() + life
        stem = f"{job.result_key}-{position}-{int(expires_at * 1000):x}"
        token = f"{stem}-{self._mac(stem)}"
        return tuple(Link(token, number, expires_at) for number in range(1, job.inference_num + 1))

    def picture(self, token: str, number: int) -> bytes:
        """The JPEG behind a link.

        Raises:
            LinkExpiredError: Its time is over.
            LinkUnknownError: It was never given out.
            FileNotFoundError: The picture's file is gone.
        """
        pictures = self._behind(token)[1].pictures
        if pictures is None or not 1 <= number <= len(pictures):
            raise LinkUnknownError(token)
        return self._files.read(pictures[number - 1])

    def sitting(self, token: str, number: int) -> Sitting:
        """What the picture behind a link was drawn from. Raises as `picture` does."""
        job, sub_task = self._behind(token)
        if sub_task.images is None:
            raise LinkUnknownError(token)
        return self._sitting(sub_task.images, job.fit_type, number - 1)

    def credits_left(self) -> int | None:
        """Uses left in the account; None when it never runs out. As the bill has them, without reading every look."""
        if self._settings.credits is None:
            return None
        with self._store.transaction():
            used = self._tariff.uses(self._store.accepted())
            if self._tariff.gives_back:
                used -= self._tariff.uses(self._store.failed(self._clock()))
        return max(0, self._settings.credits - used)

    def bill(self) -> list[ChargedLook]:
        """Every look that was accepted, and what was charged for it."""
        return self._tariff.bill(self._store.accepted_looks(self._clock()))

    def _behind(self, token: str) -> tuple[Job, SubTask]:
        """The sub-task that a link is to, with its job. Raises as `picture` does."""
        stem, _, mac = token.rpartition("-")
        if not hmac.compare_digest(mac.encode(), self._mac(stem).encode()):
            raise LinkUnknownError(token)
        result_key, position, expires = stem.split("-")
        if self._clock() * 1000 >= int(expires, 16):
            raise LinkExpiredError(token)
        job = self._store.job(result_key)
        if job is None:
            raise LinkUnknownError(token)
        return job, job.sub_tasks[int(position)]

    def _take_place(self, now: float, free_at: list[float], slowness: float) -> tuple[float, float]:
        """Start and end of one more sub-task; takes a place off those whose ends are listed, earliest first."""
        starts_at = now
        if self._settings.concurrency and len(free_at) >= self._settings.concurrency:
            starts_at = max(now, free_at.pop(0))
        ends_at = starts_at + self._settings.latency * slowness
        insort(free_at, ends_at)
        return starts_at, ends_at

    def _mac(self, stem: str) -> str:
        return hmac.new(self._link_secret, stem.encode(), hashlib.sha256).hexdigest()[:_TOKEN_MAC_LENGTH]

    def _draw_later(self, result_key: str, position: int) -> None:
        future = self._drawers.submit(self._draw, result_key, position)
        future.add_done_callback(partial(self._drawn, result_key, position))

    def _drawn(self, result_key: str, position: int, future: Future[None]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            _log.error("sub-task %s of %s could not be drawn", position, result_key, exc_info=error)
            self._store.set_failed(result_key, position)

    def _draw(self, result_key: str, position: int) -> None:
        job = self.find(result_key)
        images = job.sub_tasks[position].images
        if images is None:
            return
        digests = [self._picture_of(images, job.fit_type, number) for number in range(job.inference_num)]
        self._store.set_pictures(result_key, position, digests)

    def _picture_of(self, images: TaskImages, fit_type: str, number: int) -> str:
        style = self._settings.pictures
        inputs = (
            style,
            images.model,
            images.tops,
            images.pants or "",
            images.mask or "",
            fit_type,
            str(number),
        )
        render_key = hashlib.sha256("|".join(inputs).encode()).hexdigest()
        digest = self._store.render(render_key)
        if digest is None or not self._files.path(digest).exists():
            picture = self._sitting(images, fit_type, number).drawn()
            content = io.BytesIO()
            picture.save(content, "JPEG", quality=_JPEG_QUALITY)
            digest = self._files.put(content.getvalue())
            self._store.add_render(render_key, digest)
        return digest

    def _sitting(self, images: TaskImages, fit_type: str, number: int) -> Sitting:
        return Sitting(
            self._open(images.model),
            self._open(images.tops),
            self._open(images.pants) if images.pants else None,
            self._open(images.mask) if images.mask else None,
            partial(_RENDERERS[self._settings.pictures], fit_type=fit_type, number=number),
        )

    def _open(self, digest: str) -> Image.Image:
        return open_picture(self._files.path(digest))
