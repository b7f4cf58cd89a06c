"""How looks are submitted once: intent before money, and a refused submission is split down to its bad look.

Pure logic over a ``send`` function and a ``Journal``. A contract of the import linter keeps Airflow
out of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from damo_tryon.contract import Answer, FitType, Submission, TryOnTask
from damo_tryon.errors import ImageRefusedError, InDoubtError, OutcomeUnknownError, TryOnError
from damo_tryon.journal import Journal, Memory, MemoryState

log = logging.getLogger(__name__)

Send = Callable[[Sequence[TryOnTask], FitType, int], Answer]
"""``DamoTryOnHook.submit``, or something that behaves like it."""

_LOOKS_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Accepted:
    """A submission that the vendor has.

    Attributes:
        submission: What was accepted, possibly a part of what was asked for.
        result_key: The vendor's key for its results.
        reused: Whether the key was remembered from an earlier try, so that nothing was sent now.
    """

    submission: Submission
    result_key: str
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A submission that was refused for one of its images.

    Attributes:
        submission: What was refused; a single look wherever splitting was asked for.
        error: The refusal, with the vendor's code.
    """

    submission: Submission
    error: ImageRefusedError


@dataclass(frozen=True, slots=True)
class InDoubt:
    """A submission that may or may not have been accepted.

    Attributes:
        submission: What is in doubt.
        error: Why, and what to do about it: OutcomeUnknownError when it was sent just now, InDoubtError when
            an earlier try began it and nothing was sent now.
    """

    submission: Submission
    error: InDoubtError | OutcomeUnknownError


Outcome = Accepted | Refused | InDoubt


@dataclass(frozen=True, slots=True)
class Split:
    """What came of one submission that was split where the vendor refused it.

    Attributes:
        accepted: The accepted parts, in the order of their looks; one when nothing was refused.
        refused: The refused looks, each alone, in order.
    """

    accepted: tuple[Accepted, ...]
    refused: tuple[Refused, ...]


def submit_once(send: Send, journal: Journal, submission: Submission) -> Accepted | Refused:
    """Submit unless an earlier try already did, and leave a memory of it whatever happens.

    Args:
        send: The call that costs money; it is made at most once.
        journal: What remembers. A result key in it is reused; a refusal in it is free to go on.

    Raises:
        InDoubtError: An earlier try left an intent without an outcome. Nothing was sent.
        OutcomeUnknownError: It was sent and its outcome is unknown. It is not sent again by itself.
        TryOnError: The vendor's refusal of the call as a whole: credentials, package, throttling, a malformed
            request, no connection. It is proved that nothing was accepted.
    """
    return _settle(send, journal, submission, journal.recall(submission))


def submit_split(send: Send, journal: Journal, submission: Submission) -> Split:
    """Submit; where an image is refused, halve until the bad look stands alone and the good ones are through.

    One bad look among n costs at most 2*log2(n)+2 calls (7 for one among ten). No look is accepted twice.

    Args:
        journal: What remembers; each part is a submission of its own to it.

    Raises:
        InDoubtError, OutcomeUnknownError: As for ``submit_once``, at the first part in doubt. Parts behind it
            are not sent; parts before it are in the journal. ``outcomes`` yields a doubt instead.
        TryOnError: As for ``submit_once``.
    """
    accepted: list[Accepted] = []
    refused: list[Refused] = []
    for outcome in outcomes(send, journal, submission):
        match outcome:
            case Accepted():
                accepted.append(outcome)
            case Refused():
                refused.append(outcome)
            case InDoubt():
                raise outcome.error
    return Split(tuple(accepted), tuple(refused))


def outcomes(send: Send, journal: Journal, submission: Submission) -> Iterator[Outcome]:
    """Yield what comes of each part of a submission, in the order of its looks, as soon as it is known.

    Lazy: nothing is sent until the next outcome is asked for, so stopping the iteration stops sending.

    Raises:
        TryOnError: The vendor's refusal of a call as a whole, as for ``submit_once``.
    """
    return _outcomes(send, journal, submission, holds_a_bad_look=False)


def _outcomes(
    send: Send, journal: Journal, submission: Submission, *, holds_a_bad_look: bool
) -> Iterator[Outcome]:
    """Settle one part; ``holds_a_bad_look`` says that sending it whole is known to be in vain."""
    memory = journal.recall(submission)
    alone = len(submission.tasks) == 1
    if alone or not _in_vain(memory, holds_a_bad_look):
        try:
            outcome = _settle(send, journal, submission, memory)
        except (InDoubtError, OutcomeUnknownError) as error:
            yield InDoubt(submission, error)
            return
        # A single look is sent even where its group proved it bad: it is to have a code of its own.
        if alone or isinstance(outcome, Accepted):
            yield outcome
            return
    first, second = _halves(submission)
    first_is_through = True
    for part in _outcomes(send, journal, first, holds_a_bad_look=False):
        first_is_through = first_is_through and isinstance(part, Accepted)
        yield part
    # The whole was refused and the first half is through, so what was refused is in the second.
    yield from _outcomes(send, journal, second, holds_a_bad_look=first_is_through)


def _in_vain(memory: Memory | None, holds_a_bad_look: bool) -> bool:
    """Say whether to split without sending the whole first."""
    if memory is None:
        return holds_a_bad_look
    # A group once refused for an image is never sent whole again: parts of it may have been accepted since.
    return memory.refused_for_an_image or (memory.state is MemoryState.REFUSED and holds_a_bad_look)


def _halves(submission: Submission) -> tuple[Submission, Submission]:
    # The smaller half first: of three looks, finding the bad one then takes three calls instead of four.
    middle = len(submission.tasks) // 2
    first = submission.model_copy(update={"tasks": submission.tasks[:middle]})
    return first, submission.model_copy(update={"tasks": submission.tasks[middle:]})


def _settle(
    send: Send, journal: Journal, submission: Submission, memory: Memory | None
) -> Accepted | Refused:
    match remembered(submission, memory):
        case InDoubt(error=error):
            raise error
        case Accepted() as accepted:
            log.info("Reusing result key %s for %s", accepted.result_key, looks_of(submission))
            return accepted
    journal.intend(submission)
    try:
        answer = send(submission.tasks, submission.fit_type, submission.inference_num)
    except ImageRefusedError as error:
        if len(submission.tasks) == 1:
            error.next_step = _NEXT_STEP_FOR_ONE_LOOK
        journal.refused(submission, error)
        return Refused(submission, error)
    except TryOnError as error:
        if error.proved_not_accepted:
            journal.refused(submission, error)
            raise
        journal.unanswered(submission, error)
        raise _fresh_doubt(submission, error) from error
    # Logged first: should the journal fail now, the key that was paid for is at least here.
    log.info("The vendor accepted %s: result key %s", looks_of(submission), answer.result_key)
    journal.accepted(submission, answer)
    return Accepted(submission, answer.result_key)


def remembered(submission: Submission, memory: Memory | None) -> Accepted | InDoubt | None:
    """Say what a memory makes of a submission without sending anything.

    Args:
        submission: What is to be submitted.
        memory: What ``journal.recall`` returned for it.

    Returns:
        None when the submission is free to be sent: it was never begun, or it was refused.
    """
    if memory is None or memory.state is MemoryState.REFUSED:
        return None
    if memory.state is MemoryState.ACCEPTED and memory.result_key is not None:
        return Accepted(submission, memory.result_key, reused=True)
    return InDoubt(submission, _remembered_doubt(submission, memory))


def looks_of(submission: Submission) -> str:
    """Name the looks of a submission for a log or an error: the first few, without what URLs keep secret."""
    named = [
        f"{_plain(task.tops_image)} on {_plain(task.model_image)}" for task in submission.tasks[:_LOOKS_NAMED]
    ]
    count = len(submission.tasks)
    more = f" and {count - _LOOKS_NAMED} more" if count > _LOOKS_NAMED else ""
    return f"{count} look{'s' if count > 1 else ''} ({'; '.join(named)}{more})"


def _plain(url: str) -> str:
    # A query can be a signature that opens a bucket; user and password can stand before the host.
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _fresh_doubt(submission: Submission, error: TryOnError) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"{looks_of(submission)}: {error.message or error.meaning}",
        code=error.code,
        request_id=error.request_id,
        next_step=_NEXT_STEP,
    )


def _remembered_doubt(submission: Submission, memory: Memory) -> InDoubtError:
    reason = memory.message or "the process ended between the intent and the answer"
    return InDoubtError(
        f"{looks_of(submission)}: {reason}",
        code=memory.code,
        request_id=memory.request_id,
        next_step=_NEXT_STEP,
    )


_NEXT_STEP_FOR_ONE_LOOK: Final = (
    "Replace the images of this look; the vendor's document, section 4, says what an image must be."
)
_NEXT_STEP: Final = (
    "Compare the vendor's bill with what was sent; only then say that these looks may be sent again. "
    "Until somebody does, they are not."
)
