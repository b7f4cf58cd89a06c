"""The vendor's rules for what a request body may hold (document, sections 4.2, 5.1 and 5.2).

Reads bytes, gives values, or raises the refusal with the document's code. It opens no connection: whether an
image can be fetched and is fit is another module's part. Nothing is shared with the client's own checks.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

from tryon_sandbox.codes import VendorCode, VendorRefusal

FIT_TYPES = frozenset({"HALF_BODY", "FULL_BODY"})
MOST_TASKS = 10
MOST_PICTURES = 4

_CHINESE = re.compile(
    r"[\u2e80-\u2fdf\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f"
    r"\uff00-\uffef\U00020000-\U0003ffff]"
)
_NEVER_IN_A_URL = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_NO_TEXT = re.compile(r"[\ud800-\udfff]")
"""Half a character, as JSON can have it: no text that could be stored or sent back."""
_RESULT_KEY = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Task:
    """One element of a submission's task_list, its URLs exactly as they were sent.

    `pants_image` and `mask_image` may be empty strings, which count as absent.
    """

    model_image: str
    tops_image: str
    pants_image: str | None
    mask_image: str | None

    @property
    def urls(self) -> tuple[str, ...]:
        """The images that were really given, in the document's order."""
        given = (self.model_image, self.tops_image, self.pants_image, self.mask_image)
        return tuple(url for url in given if url)


@dataclass(frozen=True, slots=True)
class SubmissionBody:
    """A well-formed body of `submit`."""

    fit_type: str
    inference_num: int
    tasks: tuple[Task, ...]


def read_submission(body: bytes) -> SubmissionBody:
    """The body of `submit` as values (document, section 5.1).

    Raises:
        VendorRefusal: 23500012 without a body, 23500009 when something required is missing or empty,
            23500013 when something is of the wrong type, out of its range, or there are more than 10 tasks.
    """
    data = _data_of(body)
    fit_type = _required_text(data, "fit_type")
    if fit_type not in FIT_TYPES:
        _illegal()
    number = data.get("inference_num")
    if number is None:
        number = 1
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_PICTURES:
        _illegal()
    listed = data.get("task_list")
    if listed is None or listed == []:
        raise VendorRefusal(VendorCode.PARAMETER_MISSING)
    if not isinstance(listed, list) or len(listed) > MOST_TASKS:
        _illegal()
    return SubmissionBody(fit_type, number, tuple(_task(element) for element in listed))


def read_query(body: bytes) -> str:
    """The result key asked for (document, section 5.2).

    Raises:
        VendorRefusal: As `read_submission`, and 23500008 for text that cannot be a result key.
    """
    key = _required_text(_data_of(body), "result_key")
    if not _RESULT_KEY.fullmatch(key):
        raise VendorRefusal(VendorCode.UNKNOWN_RESULT_KEY)
    return key


def url_is_valid(url: str) -> bool:
    """Whether a URL could be fetched at all: http or https, a host, no Chinese (document, section 4.2)."""
    if _CHINESE.search(url) or _NEVER_IN_A_URL.search(url):
        return False
    try:
        parts = urlsplit(url)
        usable_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and usable_port


def _data_of(body: bytes) -> dict[str, object]:
    if not body.strip():
        raise VendorRefusal(VendorCode.BODY_MISSING)
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested beyond reading
        _illegal()
    if whole is None:
        raise VendorRefusal(VendorCode.BODY_MISSING)
    if not isinstance(whole, dict):
        _illegal()
    data = whole.get("data")
    if data is None:
        raise VendorRefusal(VendorCode.PARAMETER_MISSING)
    if not isinstance(data, dict):
        _illegal()
    return data


def _task(element: object) -> Task:
    if not isinstance(element, dict):
        _illegal()
    # The document's table calls the field ops_image, its examples tops_image.
    tops = "ops_image" if "ops_image" in element and not element.get("tops_image") else "tops_image"
    task = Task(
        model_image=_required_text(element, "model_image"),
        tops_image=_required_text(element, tops),
        pants_image=_optional_text(element, "pants_image"),
        mask_image=_optional_text(element, "mask_image"),
    )
    if any(_NO_TEXT.search(url) for url in task.urls):
        _illegal()
    return task


def _required_text(holder: dict[str, object], name: str) -> str:
    value = _optional_text(holder, name)
    if not value:
        raise VendorRefusal(VendorCode.PARAMETER_MISSING)
    return value


def _optional_text(holder: dict[str, object], name: str) -> str | None:
    value = holder.get(name)
    if value is not None and not isinstance(value, str):
        _illegal()
    return value


def _illegal() -> NoReturn:
    raise VendorRefusal(VendorCode.PARAMETER_ILLEGAL)
