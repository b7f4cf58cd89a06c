"""One sandbox, put together from its parts: the account, the memory, the rules of passage, the jobs."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tryon_sandbox.calls import Endpoint
from tryon_sandbox.charging import most_for_same_pictures
from tryon_sandbox.codes import VendorCode, VendorRefusal
from tryon_sandbox.fault_plan import FaultPlan
from tryon_sandbox.faults import Fault
from tryon_sandbox.files import PictureFiles
from tryon_sandbox.gateway import Gateway
from tryon_sandbox.images import ImageDesk, TaskImages
from tryon_sandbox.jobs import JobBook
from tryon_sandbox.limits import RateLimit
from tryon_sandbox.rules import read_query, read_submission
from tryon_sandbox.settings import BadImage, Credentials, SandboxSettings
from tryon_sandbox.state import Job, Store
from tryon_sandbox.wire import CallCounts, ChargedLookReport, ChargesReport


class Sandbox:
    """The stand-in vendor without its HTTP clothes. A context manager: leaving it stops its threads.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        settings: SandboxSettings,
        faults: Sequence[Fault] = (),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.plan = FaultPlan(faults, seed=settings.seed)
        self.store = Store(settings.state)
        self.credentials = Credentials(
            appcode=settings.appcode or self.store.secret("appcode", lambda: secrets.token_hex(16)),
            appkey=settings.appkey or self.store.secret("appkey", _nine_digits),
            appsecret=settings.appsecret or self.store.secret("appsecret", lambda: secrets.token_hex(16)),
        )
        self.gateway = Gateway(self.credentials, self.store, strict_nonce=settings.strict_nonce, clock=clock)
        self._limits = {
            Endpoint.SUBMIT: RateLimit(settings.submit_rate, clock),
            Endpoint.QUERY: RateLimit(settings.query_rate, clock),
        }
        self._scratch = None if settings.state else tempfile.TemporaryDirectory(prefix="tryon-sandbox-")
        files = PictureFiles(_pictures_folder(settings.state, self._scratch))
        self._images = ImageDesk(files, timeout=settings.image_timeout, cache=settings.image_cache)
        self.jobs = JobBook(settings, self.store, files, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop every thread and close the state. Temporary pictures are removed."""
        self._images.close()
        self.jobs.close()
        self.store.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def check_rate(self, endpoint: Endpoint) -> None:
        """Count a call against its rate. Raises VendorRefusal 23500004 when there are too many."""
        if not self._limits[endpoint].try_pass():
            raise VendorRefusal(VendorCode.THROTTLED)

    def submit(self, body: bytes) -> Job:
        """Accept the body of a `submit` call. Takes as long as the images take to arrive.

        Raises:
            VendorRefusal: With the document's code. Nothing is charged then.
        """
        submission = read_submission(body)
        verdicts = self._images.examine(submission.tasks)
        images: list[TaskImages | None] = []
        for verdict in verdicts:
            if isinstance(verdict, VendorCode):
                if self.settings.bad_image is BadImage.REFUSE:
                    raise VendorRefusal(verdict)
                images.append(None)
            else:
                images.append(verdict)
        return self.jobs.accept(submission, images, self.plan.fate)

    def query(self, body: bytes) -> Job:
        """The job asked for in the body of a `query` call. Raises VendorRefusal with the document's code."""
        return self.jobs.find(read_query(body))

    def charges(self) -> ChargesReport:
        """What was accepted and charged so far."""
        with self.store.transaction():
            bill = self.jobs.bill()
            return ChargesReport(
                uses=sum(look.uses for look in bill),
                submissions=self.store.accepted().submissions,
                max_times_one_look_was_charged=max((look.charged for look in bill), default=0),
                max_times_the_same_pictures_were_charged=most_for_same_pictures(bill),
                looks=[
                    ChargedLookReport(
                        fit_type=look.fit_type,
                        inference_num=look.inference_num,
                        model_image=look.task.model_image,
                        tops_image=look.task.tops_image,
                        pants_image=look.task.pants_image,
                        mask_image=look.task.mask_image,
                        urls=list(look.urls),
                        times=len(look.result_keys),
                        charged=look.charged,
                        uses=look.uses,
                        result_keys=list(look.result_keys),
                    )
                    for look in bill
                ],
                calls=CallCounts(**{each.value: self.store.counted(_calls(each)) for each in Endpoint}),
                nonces_reused=self.store.counted("nonces_reused"),
                credits_left=self.jobs.credits_left(),
            )

    def count_call(self, endpoint: Endpoint) -> None:
        """Count a call that reached the sandbox, whatever becomes of it."""
        self.store.count(_calls(endpoint))


def _nine_digits() -> str:
    return str(secrets.randbelow(9 * 10**8) + 10**8)


def _calls(endpoint: Endpoint) -> str:
    return f"calls:{endpoint.value}"


def _pictures_folder(state: Path | None, scratch: tempfile.TemporaryDirectory[str] | None) -> Path:
    if scratch is not None:
        return Path(scratch.name)
    if state is None:
        raise ValueError("a sandbox without a state file needs a temporary folder")
    return state.with_name(f"{state.name}.pictures")
