"""The vendor's document in code: its paths, its limits and the shapes of what is sent and answered.

Sections are those of the vendor's document ("AI model (virtual try-on) interface guide"). Requests are
strict: what breaks a documented rule cannot be built. Answers are lenient: unknown fields are ignored and
what the document leaves open is read as meaning as little as possible.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from damo_tryon.errors import MismatchedAnswerError

DEFAULT_HOST: Final = "damotryon.market.alicloudapi.com"
"""Where the service answers (section 5.1)."""
SUBMIT_PATH: Final = "/api/v1/tryon/submit"
"""Path of the call that costs money (section 5.1)."""
QUERY_PATH: Final = "/api/v1/tryon/query"
"""Path of the call that is free to repeat (section 5.2)."""

MAX_TASKS: Final = 10
"""Most tasks of one submission (section 5.1, note on task_list)."""
MIN_INFERENCE_NUM: Final = 1
"""Fewest pictures of one task (section 5.1)."""
MAX_INFERENCE_NUM: Final = 4
"""Most pictures of one task (section 5.1)."""
MIN_SIDE_PX: Final = 400
"""Shortest allowed side of an image, in pixels (section 4.1)."""
MAX_IMAGE_BYTES: Final = 5_000_000
"""Largest image file, in bytes: "5M" read as the smaller of its two meanings (section 4.1)."""
IMAGE_FORMATS: Final = ("JPEG", "PNG")
"""Image formats by content; JPG is JPEG (section 4.1)."""

_FINGERPRINT_VERSION: Final = "damo-tryon-submission-1"

# Ideographs with their extensions, phonetic symbols, Chinese punctuation and full-width forms.
_CHINESE: Final = re.compile(
    "[\u2e80-\u2fdf\u3000-\u303f\u3100-\u312f\u31a0-\u31ef\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]"
)
_BLANK_OR_CONTROL: Final = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff]")


class FitType(StrEnum):
    """Kind of garment a submission dresses the model in (section 5.1, data.fit_type)."""

    HALF_BODY = "HALF_BODY"
    """One garment of the upper half: a jumper, a shirt."""
    FULL_BODY = "FULL_BODY"
    """Jacket with trousers, or a dress (which goes in as tops_image alone)."""


class SubTaskStatus(StrEnum):
    """Where one sub-task stands (section 5.1, data.task_list.status)."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"

    @property
    def ended(self) -> bool:
        """Whether the status can no longer change."""
        return self in {SubTaskStatus.SUCCESS, SubTaskStatus.FAILED}


def url_problem(url: str) -> str | None:
    """Say in plain words why the vendor cannot take an image URL.

    Rules: http or https (section 5.1) and no Chinese characters (section 4.2); beyond them only what makes
    the text no URL at all. Percent-encoded Chinese is ASCII and therefore fine.

    Returns:
        The reason as a clause ("holds Chinese characters ..."), or None when the URL is fine.
    """
    if not url:
        return "is empty; give the image's http or https URL"
    if found := _CHINESE.search(url):
        return f"holds Chinese characters (first: {found.group()}); percent-encode them"
    if _BLANK_OR_CONTROL.search(url):
        return "holds blanks or control characters; percent-encode them"
    return _address_problem(url)


def _address_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port  # reading the port checks it
    except ValueError as error:
        return f"is not a URL ({error})"
    if parts.scheme not in {"http", "https"}:
        return "is neither an http nor an https URL"
    return None if host else "names no host"


def _checked_url(url: str) -> str:
    if problem := url_problem(url):
        raise ValueError(f"the URL {url!r} {problem}")
    return url


def _empty_is_absent(value: object) -> object:
    return None if value == "" else value


ImageUrl = Annotated[str, AfterValidator(_checked_url)]
OptionalImageUrl = Annotated[ImageUrl | None, BeforeValidator(_empty_is_absent)]


class TryOnTask(BaseModel):
    """One task of a submission: garments, and the model to be dressed in them (section 5.1).

    Attributes:
        model_image: URL of the picture of the person.
        tops_image: URL of the top, or of the dress. The document's table calls this field ``ops_image``;
            its own examples and the service call it ``tops_image``, and so it is sent.
        pants_image: URL of the trousers or skirt; an empty string counts as absent.
        mask_image: URL of a 0/255 mask of the size of model_image; an empty string counts as absent.

    Raises:
        pydantic.ValidationError: A URL breaks a rule of the document (see ``url_problem``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_image: ImageUrl
    tops_image: ImageUrl
    pants_image: OptionalImageUrl = None
    mask_image: OptionalImageUrl = None

    def to_wire(self) -> dict[str, str]:
        """Return the task as the document names its fields; absent images are left out."""
        return self.model_dump(exclude_none=True)


class Submission(BaseModel):
    """One call of ``submit``: what is paid for together (section 5.1).

    Attributes:
        fit_type: Kind of garment, the same for every task.
        inference_num: Pictures of each task, 1 to 4, the same for every task.
        tasks: 1 to 10 tasks, in the order in which the answer will list its sub-tasks.

    Raises:
        pydantic.ValidationError: A value breaks a rule of the document.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fit_type: FitType
    inference_num: Annotated[int, Field(strict=True, ge=MIN_INFERENCE_NUM, le=MAX_INFERENCE_NUM)] = 1
    tasks: Annotated[tuple[TryOnTask, ...], Field(min_length=1, max_length=MAX_TASKS)]

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object of the request's body (section 5.1, request body example)."""
        return {
            "data": {
                "fit_type": self.fit_type.value,
                "inference_num": self.inference_num,
                "task_list": [task.to_wire() for task in self.tasks],
            }
        }

    def fingerprint(self) -> str:
        """Return the SHA-256, in hex, of the submission's content.

        Two submissions have the same fingerprint when the vendor would be sent the same thing; the order of
        the tasks counts, for the answer is matched by it.
        """
        canonical = json.dumps([_FINGERPRINT_VERSION, self.to_wire()], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def _folded_status(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _missing_is_empty(value: object) -> object:
    return "" if value is None else value


class SubTask(BaseModel):
    """One element of ``task_list`` in an answer (section 5.1 and 5.2).

    A sub-task has neither an id nor an error of its own: ``Answer.matched_to`` says whose it is, and a
    FAILED one comes without a reason.

    Attributes:
        status: Where it stands.
        results: URLs of its pictures; always empty unless the status is SUCCESS. The document's text says
            so while its example shows URLs beside WAITING, so URLs beside any other status are dropped.
        model_image: The echoed URL of the model picture, "" when it was not echoed.
        tops_image: The echoed URL of the top, "" when it was not echoed.
        pants_image: The echoed URL of the trousers or skirt, if any.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: Annotated[SubTaskStatus, BeforeValidator(_folded_status)]
    results: tuple[str, ...] = ()
    model_image: Annotated[str, BeforeValidator(_missing_is_empty)] = ""
    tops_image: Annotated[str, BeforeValidator(_missing_is_empty)] = ""
    pants_image: Annotated[str | None, BeforeValidator(_empty_is_absent)] = None

    @field_validator("results", mode="before")
    @classmethod
    def _urls_of_a_success(cls, value: object, known: ValidationInfo) -> tuple[str, ...]:
        # ``status`` is declared, and therefore read, before ``results``.
        if known.data.get("status") is not SubTaskStatus.SUCCESS or not isinstance(value, list | tuple):
            return ()
        return tuple(item for item in value if isinstance(item, str) and item)

    def echoes(self, task: TryOnTask) -> bool:
        """Say whether the echoed URLs are those of a task that was sent (the mask is never echoed)."""
        return (self.model_image, self.tops_image, self.pants_image) == (
            task.model_image,
            task.tops_image,
            task.pants_image,
        )


class Answer(BaseModel):
    """What ``submit`` and ``query`` answer when nothing went wrong (sections 5.1 and 5.2).

    Attributes:
        result_key: The vendor's id of the accepted submission, an opaque string.
        sub_tasks: One for each task sent, in the same order. Empty when the answer to a submission named a
            result key beside a list that could not be read: the key was paid for and is not thrown away.
        request_id: The vendor's id of this HTTP call, for its support.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    result_key: Annotated[str, Field(min_length=1)]
    sub_tasks: tuple[SubTask, ...] = ()
    request_id: str | None = None

    @property
    def ended(self) -> bool:
        """Whether there are sub-tasks and none of them can change any more."""
        return bool(self.sub_tasks) and all(sub_task.status.ended for sub_task in self.sub_tasks)

    @property
    def counts(self) -> dict[SubTaskStatus, int]:
        """Number of sub-tasks of each status, zeros included."""
        found = Counter(sub_task.status for sub_task in self.sub_tasks)
        return {status: found[status] for status in SubTaskStatus}

    def matched_to(self, tasks: Sequence[TryOnTask]) -> tuple[SubTask, ...]:
        """Return the sub-tasks in the order of the tasks that were sent.

        A sub-task carries no id, so it belongs to a task when it stands at its position AND echoes its
        URLs. Anything else is raised, never guessed about: a wrong guess would label a garment with the
        picture of another.

        Args:
            tasks: The tasks of the submission, in the order sent.

        Raises:
            MismatchedAnswerError: The number of sub-tasks differs, or one echoes other URLs.
        """
        if len(self.sub_tasks) != len(tasks):
            raise MismatchedAnswerError(
                f"{len(tasks)} tasks were sent and {len(self.sub_tasks)} sub-tasks came back",
                request_id=self.request_id,
                result_key=self.result_key,
            )
        for position, (sub_task, task) in enumerate(zip(self.sub_tasks, tasks, strict=True), start=1):
            if not sub_task.echoes(task):
                raise MismatchedAnswerError(
                    f"sub-task {position} of {len(tasks)} echoes other image URLs than the task sent there",
                    request_id=self.request_id,
                    result_key=self.result_key,
                )
        return self.sub_tasks

    @classmethod
    def from_wire(cls, data: Mapping[str, object], request_id: str | None = None) -> Answer:
        """Read the ``data`` object of an answer's envelope.

        Args:
            data: The object, with ``result_key`` and ``task_list``.
            request_id: The envelope's ``requestId``.

        Raises:
            pydantic.ValidationError: No result key, no list, or a status the document does not know.
        """
        return cls.model_validate(
            {
                "result_key": data.get("result_key"),
                "sub_tasks": data.get("task_list"),
                "request_id": request_id,
            }
        )
