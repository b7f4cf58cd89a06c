"""The state of several submissions that are waited for, and the event that carries it from trigger to sensor.

A ``Watch`` takes in answers and errors, one result key at a time, and says when there is nothing left to wait
for; a ``ResultEvent`` is what crosses from the triggerer to the worker. Pure logic, without
clocks or threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from damo_tryon import errors
from damo_tryon.contract import Answer, SubTaskStatus
from damo_tryon.errors import (
    JobFailedError,
    PollFailedError,
    ResultTimeoutError,
    ThrottledError,
    TryOnError,
)

_KEYS_NAMED: Final = 3


class Reason(StrEnum):
    """Why a trigger stopped waiting."""

    ENDED = "ENDED"
    """Every sub-task of every submission has ended."""
    DEADLINE = "DEADLINE"
    """The time given is over and at least one has not."""
    REFUSED = "REFUSED"
    """The vendor's answer says that asking again is in vain: credentials, package, an unknown result key."""
    TOO_MANY_BAD_POLLS = "TOO_MANY_BAD_POLLS"
    """One result key got no usable answer too many times in a row."""


class ResultEvent(BaseModel):
    """What a trigger tells its sensor; the same model writes and reads it, so that both agree on its shape.

    Attributes:
        reason: Why the trigger stopped.
        submissions: How many result keys were watched.
        failed_jobs: How many of them the vendor gave up as a whole (23500011), without a list of sub-tasks.
        counts: Sub-tasks of each status, over all result keys, as last seen.
        polls: Queries that were made to learn this, the failed ones included.
        seen_at: When the last of them was answered, in seconds since the epoch; 0 where that is not known.
        error: Class name of the error in ``damo_tryon.errors``; None exactly when the reason is ENDED.
        message: The error's message.
        code: The vendor's or the gateway's code.
        request_id: The vendor's id of the HTTP call that failed.
        result_key: The result key concerned, where it is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Reason
    submissions: int = Field(ge=0)
    failed_jobs: int = Field(default=0, ge=0)
    counts: dict[SubTaskStatus, Annotated[int, Field(ge=0)]]
    polls: int = Field(default=0, ge=0)
    seen_at: float = 0.0
    error: str | None = None
    message: str = ""
    code: int | str | None = None
    request_id: str | None = None
    result_key: str | None = None

    @model_validator(mode="after")
    def _names_an_error_exactly_when_there_is_one(self) -> ResultEvent:
        if (self.error is None) != (self.reason is Reason.ENDED):
            raise ValueError(f"an event with reason {self.reason} and error {self.error}")
        if self.error is not None and self.error not in _ERRORS:
            raise ValueError(f"an event with the unknown error {self.error}")
        if self.reason is Reason.ENDED and any(
            self.counts[status] for status in self.counts if not status.ended
        ):
            raise ValueError("an event that says all have ended, with sub-tasks that have not")
        return self

    @classmethod
    def read(cls, payload: object) -> ResultEvent:
        """Check what came out of the triggerer, which may run another release than this worker.

        Raises:
            PollFailedError: It is missing or not such an event.
        """
        try:
            return cls.model_validate(payload)
        except ValidationError as unreadable:
            problem = unreadable.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in problem["loc"])
            raise PollFailedError(
                f"the triggerer's event cannot be read: {f'{place}: ' if place else ''}{problem['msg']}",
                next_step="See that worker and triggerer run the same release, then clear the task: nothing "
                "is paid again.",
            ) from unreadable

    def to_error(self) -> TryOnError:
        """Return the typed error of an event whose reason is not ENDED."""
        kind = _ERRORS.get(self.error or "", TryOnError)
        return kind(self.message, code=self.code, request_id=self.request_id, result_key=self.result_key)


class Watch:
    """The state of several submissions as far as it is known.

    Args:
        result_keys: The keys to wait for; one listed twice is waited for once.
        max_bad_polls: How many polls of one key in a row may fail before it is given up. Throttling is not
            counted: it says nothing about the key.
    """

    def __init__(self, result_keys: Sequence[str], max_bad_polls: int = 5) -> None:
        self._answers: dict[str, Answer | None] = dict.fromkeys(result_keys)
        self._failed_jobs: set[str] = set()
        self._bad_polls: dict[str, int] = {}
        self._polls = 0
        self._max_bad_polls = max_bad_polls

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys watched, each once, in the order given."""
        return tuple(self._answers)

    @property
    def polls(self) -> int:
        """How many queries were taken in so far, the failed ones included."""
        return self._polls

    @property
    def pending(self) -> tuple[str, ...]:
        """The keys that have not ended, in the order given."""
        return tuple(
            key
            for key, answer in self._answers.items()
            if key not in self._failed_jobs and not (answer is not None and answer.ended)
        )

    @property
    def unfinished(self) -> int:
        """How many sub-tasks have not ended, of those that were seen."""
        return sum(
            not sub_task.status.ended
            for key in self.pending
            if (answer := self._answers[key]) is not None
            for sub_task in answer.sub_tasks
        )

    @property
    def begun(self) -> bool:
        """Whether some sub-task of a key that is pending has left the vendor's queue."""
        return any(
            sub_task.status is not SubTaskStatus.WAITING
            for key in self.pending
            if (answer := self._answers[key]) is not None
            for sub_task in answer.sub_tasks
        )

    def saw(self, result_key: str, answer: Answer) -> None:
        """Take in an answer."""
        self._polls += 1
        self._answers[result_key] = answer
        self._bad_polls.pop(result_key, None)

    def failed(self, result_key: str, error: TryOnError) -> ResultEvent | None:
        """Take in the error of one poll.

        Returns:
            The event to stop with, or None when it is worth asking again.
        """
        self._polls += 1
        if isinstance(error, JobFailedError):
            # A fact about this submission and no reason to leave the others: its sub-tasks have ended.
            self._failed_jobs.add(result_key)
            return None
        if isinstance(error, ThrottledError):
            return None
        if not error.temporary:
            return self._event(Reason.REFUSED, error, result_key)
        self._bad_polls[result_key] = self._bad_polls.get(result_key, 0) + 1
        if self._bad_polls[result_key] < self._max_bad_polls:
            return None
        return self._event(Reason.TOO_MANY_BAD_POLLS, error, result_key)

    def ended(self) -> ResultEvent:
        """Return the event for when nothing is pending."""
        return self._event(Reason.ENDED)

    def late(self, waited: str) -> ResultEvent:
        """Return the event for when the time is over.

        Args:
            waited: How long was waited, or until when, in words.
        """
        pending = self.pending
        named = ", ".join(pending[:_KEYS_NAMED]) + (", ..." if len(pending) > _KEYS_NAMED else "")
        error = ResultTimeoutError(
            f"{len(pending)} of {len(self._answers)} submissions have not ended {waited}: {named}",
            result_key=pending[0] if len(pending) == 1 else None,
        )
        return self._event(Reason.DEADLINE, error)

    def _event(
        self, reason: Reason, error: TryOnError | None = None, result_key: str | None = None
    ) -> ResultEvent:
        counts = dict.fromkeys(SubTaskStatus, 0)
        for answer in self._answers.values():
            for status, count in answer.counts.items() if answer else ():
                counts[status] += count
        return ResultEvent(
            reason=reason,
            submissions=len(self._answers),
            failed_jobs=len(self._failed_jobs),
            counts=counts,
            polls=self._polls,
            error=type(error).__name__ if error else None,
            message=error.message if error else "",
            code=error.code if error else None,
            request_id=error.request_id if error else None,
            result_key=result_key or (error.result_key if error else None),
        )


_ERRORS: Final = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, TryOnError)
}
