"""What must be remembered so that a submission is paid for once: a protocol, and one kept by Airflow.

The vendor has no idempotency key, no list and no balance call, so whoever submits has to remember, across
retries and dead workers, what was begun and what came of it. ``Journal`` is the protocol of such a memory;
``TaskStateJournal`` keeps it in the task state of Airflow 3.3. ``damo_tryon.submitting`` decides by it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from damo_tryon.contract import Answer, Submission
from damo_tryon.errors import VENDOR_CODES, ImageRefusedError, TryOnError

STORE_KEY: Final = "damo_tryon_journal"
"""The key of the task state under which ``TaskStateJournal`` keeps everything it remembers."""

_VERSION: Final = 1
_LOOK_DIGITS: Final = 16  # of a fingerprint's 64: enough within one task, and the record stays small
_MESSAGE_LENGTH: Final = 200


class MemoryState(StrEnum):
    """What is known of a submission that was begun."""

    INTENDED = "INTENDED"
    """It was about to be sent, perhaps was, and no outcome is known: it is in doubt."""
    ACCEPTED = "ACCEPTED"
    """The vendor has it, and it is paid for: there is a result key."""
    REFUSED = "REFUSED"
    """It is proved that the vendor does not have it: it may be sent."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What an earlier try left about one submission.

    Attributes:
        state: What is known of it.
        result_key: The vendor's result key, exactly when the state is ACCEPTED.
        code: The vendor's or the gateway's code, where an error was the outcome.
        message: The error's message, shortened.
        request_id: The vendor's id of the HTTP call.
    """

    state: MemoryState
    result_key: str | None = None
    code: int | str | None = None
    message: str = ""
    request_id: str | None = None

    @property
    def refused_for_an_image(self) -> bool:
        """Whether it was refused for one of its images, so that only parts of it can go through."""
        if self.state is not MemoryState.REFUSED or not isinstance(self.code, int):
            return False
        rule = VENDOR_CODES.get(self.code)
        return rule is not None and issubclass(rule.error, ImageRefusedError)


class Journal(Protocol):
    """The memory that ``damo_tryon.submitting`` writes before and after each call.

    A submission is known by ``Submission.fingerprint()``. Every method returns only when what it wrote
    survives the death of this process. An exception out of ``intend`` keeps the submission from being sent
    and reaches the caller as it is; that is the place to raise one's own "somebody else has it".
    """

    def recall(self, submission: Submission) -> Memory | None:
        """Return what is known of a submission, or None when it was never begun.

        A submission of one look is also to be found inside the larger one it was accepted or left in doubt
        with: a list that is put together differently the next time must not pay for the look again.
        """

    def intend(self, submission: Submission) -> None:
        """Commit that the submission is about to be sent. Called right before the call."""

    def accepted(self, submission: Submission, answer: Answer) -> None:
        """Commit that the vendor accepted it, with the answer's result key."""

    def refused(self, submission: Submission, error: TryOnError) -> None:
        """Commit that it is proved not to have been accepted."""

    def unanswered(self, submission: Submission, error: TryOnError) -> None:
        """Commit that it was sent and what is known of the failure. It stays INTENDED."""


def single_looks(submission: Submission) -> Iterator[Submission]:
    """Yield a submission of its own for each look of a submission, in order."""
    for task in submission.tasks:
        yield submission.model_copy(update={"tasks": (task,)})


class StateStore(Protocol):
    """The part of ``context["task_state_store"]`` that is used here.

    Airflow's accessor writes through the execution API and returns after the API server has committed; a
    write of a try that is no longer the running one is refused there and raises.
    """

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default."""

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Write the value of a key."""


class TaskStateJournal:
    """A journal in Airflow's task state: it outlives retries, clears and dead workers of one task instance.

    All of it stands under one key, as JSON of about 400 bytes a submission (Airflow warns above 64 KB). It
    holds digests, states, codes, the vendor's words, result keys and the wording of ``resend_word``; never a
    URL of ours, never a secret.
    What ends it: deleting the key, and Airflow's setting ``[state_store] clear_on_success``, with which a
    task that is cleared after its success pays again.

    Args:
        store: ``context["task_state_store"]``.
        retention: How long Airflow keeps the record after its last change; None for Airflow's own setting,
            ``airflow.sdk.execution_time.context.NEVER_EXPIRE`` for as long as the DAG run's rows.
        resend_word: A person's word, in any wording, that what is in doubt may be sent again. It is spent by
            sending: what is intended under it is noted with it, and is not forgotten for the sake of the same
            word, however often the task is tried. Another wording is another word. None: no such word.

    Raises:
        ValueError: The stored record is of another version.
    """

    def __init__(
        self, store: StateStore, *, retention: timedelta | None = None, resend_word: str | None = None
    ) -> None:
        self._store = store
        self._retention = retention
        self._resend_word = resend_word
        self._entries: dict[str, dict[str, Any]] = self._read()

    def recall(self, submission: Submission) -> Memory | None:
        """Return what is known of a submission; see ``Journal.recall``."""
        memories = [_memory(entry) for entry in self._candidates(submission) if not self._forgets(entry)]
        return min(memories, key=lambda memory: _PRECEDENCE[memory.state], default=None)

    def intend(self, submission: Submission) -> None:
        """Commit the intent; see ``Journal.intend``."""
        self._write(submission, self._intended())

    def accepted(self, submission: Submission, answer: Answer) -> None:
        """Commit the result key; see ``Journal.accepted``."""
        self._write(submission, {"state": MemoryState.ACCEPTED.value, "result_key": answer.result_key})

    def refused(self, submission: Submission, error: TryOnError) -> None:
        """Commit the refusal; see ``Journal.refused``."""
        self._write(submission, {"state": MemoryState.REFUSED.value, **_details_of(error)})

    def unanswered(self, submission: Submission, error: TryOnError) -> None:
        """Commit what is known of the doubt; see ``Journal.unanswered``."""
        self._write(submission, {**self._intended(), **_details_of(error)})

    def _intended(self) -> dict[str, Any]:
        spent = {"resend_word": self._resend_word} if self._resend_word else {}
        return {"state": MemoryState.INTENDED.value, **spent}

    def _forgets(self, entry: Mapping[str, Any]) -> bool:
        """Whether a ``resend_word`` that this entry has not used lets it be sent again."""
        return (
            self._resend_word is not None
            and entry["state"] == MemoryState.INTENDED
            and entry.get("resend_word") != self._resend_word
        )

    def _candidates(self, submission: Submission) -> Iterator[Mapping[str, Any]]:
        if entry := self._entries.get(submission.fingerprint()):
            yield entry
        if len(submission.tasks) == 1:
            look = _digest(submission)
            for entry in self._entries.values():
                # A refused group says nothing about one of its looks.
                if look in entry["looks"] and entry["state"] != MemoryState.REFUSED:
                    yield entry

    def _read(self) -> dict[str, dict[str, Any]]:
        record = self._store.get(STORE_KEY)
        if record is None:
            return {}
        version = record.get("version") if isinstance(record, dict) else None
        if version != _VERSION:
            raise ValueError(
                f"The task state {STORE_KEY!r} holds a record of version {version!r}; this release reads "
                f"version {_VERSION}. Compare it with the vendor's bill, delete the key, then clear the task."
            )
        return dict(record["submissions"])

    def _write(self, submission: Submission, entry: Mapping[str, Any]) -> None:
        looks = [_digest(single) for single in single_looks(submission)]
        self._entries[submission.fingerprint()] = {**entry, "looks": looks}
        record = {"version": _VERSION, "submissions": self._entries}
        self._store.set(STORE_KEY, record, retention=self._retention)


# What was paid for counts before what is in doubt, and both before what was refused.
_PRECEDENCE: Final = {MemoryState.ACCEPTED: 0, MemoryState.INTENDED: 1, MemoryState.REFUSED: 2}


def _digest(single: Submission) -> str:
    return single.fingerprint()[:_LOOK_DIGITS]


def _details_of(error: TryOnError) -> dict[str, Any]:
    details = {"code": error.code, "message": error.message[:_MESSAGE_LENGTH], "request_id": error.request_id}
    return {name: value for name, value in details.items() if value}


def _memory(entry: Mapping[str, Any]) -> Memory:
    return Memory(
        state=MemoryState(entry["state"]),
        result_key=entry.get("result_key"),
        code=entry.get("code"),
        message=entry.get("message", ""),
        request_id=entry.get("request_id"),
    )
