"""The ledger as the journal of submissions: the claim, the intent before the money, and what came of it.

``damo_tryon.submitting`` decides what to send; this module remembers it in PostgreSQL, across nights, hand-made runs
and backfills.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.exc import OperationalError
from tenacity import before_sleep_log, retry, retry_if_exception_type, stop_after_delay, wait_exponential

from damo_tryon.contract import FitType, TryOnTask
from damo_tryon.errors import VENDOR_CODES, ImageRefusedError
from damo_tryon.journal import Memory, MemoryState
from tryon_catalogue.budget.commitments import hold_to_limits
from tryon_catalogue.ledger.moves import Mover, move
from tryon_catalogue.ledger.states import UNANSWERED, UNSETTLED, SubmissionState
from tryon_catalogue.ledger.tables import batches, looks, submission_looks, submissions
from tryon_catalogue.looks import Look, LookState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection, Engine, Row

    from damo_tryon.contract import Answer, Submission
    from damo_tryon.errors import TryOnError
    from tryon_catalogue.settings import BudgetSettings, Price
    from tryon_catalogue.submission.gate import Gate

log = logging.getLogger(__name__)

IMAGE_REFUSALS: Final = [
    str(code) for code, rule in VENDOR_CODES.items() if issubclass(rule.error, ImageRefusedError)
]
"""The vendor's codes for an image that it does not take, as the ledger stores them."""

# After an acceptance the result key exists only in this process: a database that restarts is waited for.
SECONDS_TO_KEEP_TRYING = 120
_keep_trying = retry(
    retry=retry_if_exception_type(OperationalError),
    stop=stop_after_delay(SECONDS_TO_KEEP_TRYING),
    wait=wait_exponential(multiplier=0.2, max=5),
    before_sleep=before_sleep_log(log, logging.WARNING),
    reraise=True,
)


class ClaimLostError(Exception):
    """Another run has claimed a look of this submission; nothing was sent. Read the batch again and go on."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one mapped task carries.

    Attributes:
        id: Its id in the ledger.
        fit_type: Of all its looks.
        inference_num: Pictures of each of its looks.
    """

    id: int
    run_id: str
    fit_type: str
    inference_num: int


def load_batch(engine: Engine, batch_id: int) -> Batch:
    """Read a batch by its id.

    Raises:
        LookupError: When the ledger has no such batch.
    """
    with engine.connect() as connection:
        row = connection.execute(select(batches).where(batches.c.id == batch_id)).one_or_none()
    if row is None:
        raise LookupError(
            f"the ledger has no batch {batch_id}: it was planned in another database, or by hand; "
            "run the plan task of this run again"
        )
    return Batch(row.id, row.run_id, row.fit_type, row.inference_num)


def doubt_unanswered(engine: Engine, which: ColumnElement[bool], by: Mover) -> tuple[int, ...]:
    """Put in doubt what was begun to be sent and has no recorded outcome, because its process is dead.

    Should an answer come after all, the process that waited for it settles the doubt.

    Args:
        which: Condition on ``tables.submissions``: those that no living process attends to.

    Returns:
        Ids of the submissions put in doubt.
    """
    reason = "its process ended between the intent and the answer: nobody knows whether the vendor has it"
    with engine.begin() as connection:
        found = (
            connection.execute(
                update(submissions)
                .where(which, submissions.c.state == SubmissionState.SUBMITTING.value)
                .values(state=SubmissionState.IN_DOUBT.value, message=reason, answered_at=func.now())
                .returning(submissions.c.id)
            )
            .scalars()
            .all()
        )
        if found:
            move(
                connection,
                waits_for(submissions.c.id.in_(found)),
                LookState.IN_DOUBT,
                by,
                from_states=[LookState.SUBMITTING],
                reason=reason,
            )
    return tuple(sorted(found))


def waits_for(which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Select the looks whose newest submission is among those selected.

    A look that was sent again, by somebody's word, is no concern of its older submission any more.

    Args:
        which: Condition on ``tables.submissions``.

    Returns:
        Condition on ``tables.looks``.
    """
    newest = (
        select(func.max(submission_looks.c.submission_id))
        .where(submission_looks.c.look_key == looks.c.key)
        .correlate(looks)
        .scalar_subquery()
    )
    of_them = select(submission_looks.c.look_key).join(submissions).where(which)
    return looks.c.key.in_(of_them) & newest.in_(select(submissions.c.id).where(which))


class LedgerJournal:
    """Remembers the submissions of one batch; a ``damo_tryon.journal.Journal``.

    Args:
        price: What an accepted submission is expected to be charged.
    """

    def __init__(
        self, engine: Engine, batch: Batch, by: Mover, price: Price, budget: BudgetSettings, *, gate: Gate
    ) -> None:
        self._engine = engine
        self._batch = batch
        self._by = by
        self._price = price
        self._budget = budget
        self._gate = gate
        self._keys: dict[TryOnTask, str] = {}
        self._ids: dict[str, int] = {}

    def name_looks(self, keys: Mapping[TryOnTask, str]) -> None:
        """Say which look each task is, before it is submitted.

        Args:
            keys: Task -> look key.
        """
        self._keys.update(keys)

    def recall(self, submission: Submission) -> Memory | None:
        """Return the refusal of these very looks together in this batch, so that they are not sent together again.

        ``doubt_unanswered`` and the looks' states have settled whatever else earlier tries left.
        """
        if len(submission.tasks) == 1:
            return None
        sent = func.array_agg(aggregate_order_by(submission_looks.c.look_key, submission_looks.c.look_key))
        with self._engine.connect() as connection:
            codes = connection.execute(
                select(submissions.c.vendor_code)
                .join(submission_looks)
                .where(
                    submissions.c.batch_id == self._batch.id,
                    submissions.c.state == SubmissionState.REFUSED.value,
                    submissions.c.vendor_code.in_(IMAGE_REFUSALS),
                )
                .group_by(submissions.c.id)
                .having(sent == sorted(self._keys_of(submission)))
            ).scalars()
            code = codes.first()
        return None if code is None else Memory(MemoryState.REFUSED, code=int(code))

    def intend(self, submission: Submission) -> None:
        """Take the turn to submit; then claim the looks and commit the intent, in one transaction.

        Raises:
            ClaimLostError: When not all of them are still planned in this batch.
            tryon_catalogue.budget.commitments.LimitReachedError: There is no money for it.
            tryon_catalogue.submission.errors.StoppedError: The vendor takes nothing, as another task has learned.
            tryon_catalogue.submission.errors.NotYetError: It is not its turn; the batch stands in the line now.
        """
        while True:
            self._gate.take_turn(self._batch.run_id)
            with self._engine.begin() as connection:
                if self._gate.admit(connection, self._batch.run_id):
                    submission_id = self._claim(connection, submission)
                    break
        self._ids[submission.fingerprint()] = submission_id

    def _claim(self, connection: Connection, submission: Submission) -> int:
        keys = self._keys_of(submission)
        pictures = len(keys) * submission.inference_num
        amount = self._price.cost(looks=len(keys), pictures=pictures, submissions=1)
        hold_to_limits(connection, self._budget, self._batch.run_id, keys, amount)
        claimed = move(
            connection,
            looks.c.key.in_(keys) & (looks.c.batch_id == self._batch.id),
            LookState.SUBMITTING,
            self._by,
            from_states=[LookState.PLANNED],
        )
        if len(claimed) != len(keys):
            raise ClaimLostError(f"{len(keys) - len(claimed)} of {len(keys)} looks are taken")
        submission_id: int = connection.execute(
            insert(submissions)
            .values(
                batch_id=self._batch.id,
                run_id=self._batch.run_id,
                try_number=self._by.try_number,
                conn_id=self._gate.conn_id,
                state=SubmissionState.SUBMITTING.value,
                fit_type=submission.fit_type.value,
                inference_num=submission.inference_num,
                looks=len(keys),
                amount=amount,
            )
            .returning(submissions.c.id)
        ).scalar_one()
        connection.execute(
            insert(submission_looks),
            [
                {"submission_id": submission_id, "position": place, "look_key": key, **task.model_dump()}
                for place, (key, task) in enumerate(zip(keys, submission.tasks, strict=True))
            ],
        )
        return submission_id

    def accepted(self, submission: Submission, answer: Answer) -> None:
        """Commit the result key, and that the looks are paid for."""
        count = len(submission.tasks)
        charged = {"looks": count, "pictures": count * submission.inference_num, "submissions": 1}
        values = {"uses": self._price.uses(**charged), "amount": self._price.cost(**charged)}
        self._settle(
            submission,
            SubmissionState.SUBMITTED,
            LookState.SUBMITTED,
            {"result_key": answer.result_key, "request_id": answer.request_id, **values},
            look_values={"attempts": looks.c.attempts + 1},
        )
        self._gate.got_through(self._batch.run_id)

    def refused(self, submission: Submission, error: TryOnError) -> None:
        """Commit the refusal: a look refused alone for its images is REJECTED, any other may go again."""
        alone = len(submission.tasks) == 1 and isinstance(error, ImageRefusedError)
        self._settle(
            submission,
            SubmissionState.REFUSED,
            LookState.REJECTED if alone else LookState.PLANNED,
            _error_columns(error),
            error=error,
        )
        self._gate.learn(error, self._batch.run_id)

    def unanswered(self, submission: Submission, error: TryOnError) -> None:
        """Commit that the submission is in doubt."""
        self._settle(
            submission, SubmissionState.IN_DOUBT, LookState.IN_DOUBT, _error_columns(error), error=error
        )

    @_keep_trying
    def _settle(
        self,
        submission: Submission,
        state: SubmissionState,
        look_state: LookState,
        values: dict[str, Any],
        *,
        error: TryOnError | None = None,
        look_values: dict[str, Any] | None = None,
    ) -> None:
        submission_id = self._ids[submission.fingerprint()]
        ours = waits_for(submissions.c.id == submission_id)
        # What a person or a setting has decided meanwhile gives way to an answer, not to another doubt.
        unsettled = (SubmissionState.SUBMITTING,) if state is SubmissionState.IN_DOUBT else UNSETTLED
        with self._engine.begin() as connection:
            connection.execute(
                update(submissions)
                .where(submissions.c.id == submission_id, submissions.c.state.in_(unsettled))
                .values(state=state.value, answered_at=func.now(), **values)
            )
            if state is SubmissionState.SUBMITTED:
                # The answer came after somebody had declared it lost, and before the looks were sent again.
                late = "the vendor has it: its answer came late"
                move(
                    connection,
                    ours,
                    LookState.SUBMITTING,
                    self._by,
                    from_states=[LookState.PLANNED],
                    reason=late,
                )
            move(
                connection,
                ours,
                look_state,
                self._by,
                # A slow answer may come after a later try has put it in doubt.
                from_states=UNANSWERED,
                reason=str(error) if error else None,
                vendor_code=error.code if error else None,
                values=look_values,
            )

    def _keys_of(self, submission: Submission) -> list[str]:
        return [self._keys[task] for task in submission.tasks]


def _error_columns(error: TryOnError) -> dict[str, Any]:
    return {
        "vendor_code": None if error.code is None else str(error.code),
        "message": error.message,
        "request_id": error.request_id,
    }


def planned_looks(engine: Engine, batch: Batch, most: int) -> dict[str, Look]:
    """Read the next looks of a batch that are still to be sent, in the order of the export.

    Returns:
        Key -> look.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            select(looks)
            .where(looks.c.batch_id == batch.id, looks.c.state == LookState.PLANNED.value)
            .order_by(looks.c.position, looks.c.key)
            .limit(most)
        ).all()
    return {row.key: look_of(row) for row in rows}


def sent_tasks(engine: Engine, submission_id: int) -> tuple[TryOnTask, ...]:
    """Read what a submission sent, in the order sent: what the vendor's answer is matched to.

    Not the looks' own addresses, which a newer export may have replaced since.
    """
    with engine.connect() as connection:
        rows = connection.execute(
            select(*(submission_looks.c[name] for name in TryOnTask.model_fields))
            .where(submission_looks.c.submission_id == submission_id)
            .order_by(submission_looks.c.position)
        ).mappings()
        return tuple(TryOnTask(**row) for row in rows)


def look_of(row: Row[Any]) -> Look:
    """Make a look of a row of the table ``looks``."""
    return Look(
        fit_type=FitType(row.fit_type),
        inference_num=row.inference_num,
        model=row.model,
        model_image=row.model_image,
        tops_image=row.tops_image,
        pants_image=row.pants_image,
        mask_image=row.mask_image,
    )
