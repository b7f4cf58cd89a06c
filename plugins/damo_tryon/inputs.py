"""What a DAG author or a template wrote, read into typed values, with an error that names the place.

After templating a number can be text, a list can be JSON, and a mapped task's output is a list of lists. Of
Airflow this module knows the lazy list of a mapped task's outputs only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from damo_tryon.contract import (
    MAX_INFERENCE_NUM,
    MIN_INFERENCE_NUM,
    FitType,
    TryOnTask,
    url_problem,
)
from damo_tryon.errors import MalformedRequestError

_NOTHING: Final = frozenset({"None", "null"})
_AS_JSON: Final = "Pass the XCom itself (task.output), or add the filter tojson to the template."


def tasks_in(value: object) -> tuple[TryOnTask, ...]:
    """Read the tasks of a submission.

    Args:
        value: A sequence of ``TryOnTask``s or of mappings with their fields, or such a list as JSON text.

    Raises:
        MalformedRequestError: It is something else, or a task breaks a rule of the vendor's document
            (sections 4.2 and 5.1); all such tasks are named with index and field.
    """
    items = _list_in(value, "tasks")
    tasks: list[TryOnTask] = []
    problems: list[str] = []
    for index, item in enumerate(items):
        try:
            tasks.append(item if isinstance(item, TryOnTask) else TryOnTask.model_validate(item))
        except ValidationError as error:
            problems.extend(f"tasks[{index}]{problem}" for problem in _problems(error, item))
    if problems:
        raise MalformedRequestError(
            "; ".join(problems),
            proved_not_accepted=True,
            next_step="Correct these and clear the task; nothing was sent.",
        )
    return tuple(tasks)


def fit_type_in(value: object) -> FitType:
    """Read a fit type.

    Raises:
        MalformedRequestError: It is none of the vendor's (section 5.1, data.fit_type).
    """
    try:
        return FitType(str(value).strip().upper())
    except ValueError as error:
        raise _unexpected("fit_type", value, " or ".join(FitType)) from error


def inference_num_in(value: object) -> int:
    """Read a number of pictures, also from text.

    Raises:
        MalformedRequestError: It is not a whole number from 1 to 4 (section 5.1, data.inference_num).
    """
    expected = f"a whole number from {MIN_INFERENCE_NUM} to {MAX_INFERENCE_NUM}"
    text = str(value).strip()
    if not text.isdecimal() or not MIN_INFERENCE_NUM <= int(text) <= MAX_INFERENCE_NUM:
        raise _unexpected("inference_num", value, expected)
    return int(text)


def keys_in(value: object) -> tuple[str, ...]:
    """Read result keys.

    Args:
        value: A key, a JSON list of keys, or a sequence of keys or of such sequences. The words that a template makes
            of nothing ("None", "null") are no key.

    Raises:
        MalformedRequestError: Something else is in it.
    """
    if isinstance(value, str) and not value.lstrip().startswith("["):
        key = value.strip()
        if key in _NOTHING:
            raise _unexpected(
                "result_keys", value, "a result key", "A task that was skipped has no output to pass on."
            )
        return (key,) if key else ()
    return tuple(key for item in _list_in(value, "result_keys") for key in keys_in(item))


def _list_in(value: object, name: str) -> Iterable[object]:
    if isinstance(value, str):
        try:
            value = json.loads(value or "[]")
        except json.JSONDecodeError as error:
            raise _unexpected(name, value, "a list, or one as JSON text", _AS_JSON) from error
    if not isinstance(value, Sequence):
        raise _unexpected(name, value, "a list", "A task that was skipped has no output to pass on.")
    from airflow.sdk.execution_time.lazy_sequence import LazyXComSequence

    # Sliced, a mapped task's outputs are one request in all; of what map, zip and concat make of them, a slice is
    # something else or nothing.
    return value[:] if isinstance(value, LazyXComSequence) else list(value)


def _problems(error: ValidationError, item: object) -> Iterable[str]:
    for problem in error.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in problem["loc"])
        given = item.get(place) if isinstance(item, Mapping) else None
        # The URL itself is not repeated: its query may be a signature.
        message = (url_problem(given) if isinstance(given, str) else None) or problem["msg"]
        yield f"{f'.{place}' if place else ''} {message}"


def _unexpected(
    name: str, value: object, expected: str, next_step: str = "Correct the task's arguments."
) -> MalformedRequestError:
    given = f"{value[:40]!r}" if isinstance(value, str) else f"{value!r}" if isinstance(value, int) else ""
    return MalformedRequestError(
        f"{name} is {given or type(value).__name__}, expected {expected}",
        proved_not_accepted=True,
        next_step=next_step,
    )
