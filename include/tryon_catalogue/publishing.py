"""Publishing a batch: collect what the vendor made, judge, label and archive it at once, write it to the catalogue.

The vendor's links die, so a picture is fetched in the same breath in which its link is read. A look's pictures,
its state and the shop's row change in one transaction, so the catalogue never says more or less than the
ledger. It must not know Airflow or how the vendor is asked; the task hands over the query.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from damo_tryon.contract import Answer, SubTaskStatus
from damo_tryon.errors import (
    CredentialsError,
    JobFailedError,
    NotConnectedError,
    PackageUsedUpError,
    ThrottledError,
    TryOnError,
)
from tryon_catalogue.catalogue import Catalogue, RowRefusedError
from tryon_catalogue.fetch import FetchError, open_fetcher
from tryon_catalogue.finishing import Finished, Finisher, Made
from tryon_catalogue.labels import LabelError
from tryon_catalogue.ledger.journal import look_of, sent_tasks, waits_for
from tryon_catalogue.ledger.moves import move
from tryon_catalogue.ledger.pictures import keep_pictures
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import (
    garment_looks,
    images,
    looks,
    submission_looks,
    submissions,
)
from tryon_catalogue.looks import LookState
from tryon_catalogue.settings.judgement import Below

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from tryon_catalogue.fetch import Fetcher
    from tryon_catalogue.ledger.journal import Batch
    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.looks import Look
    from tryon_catalogue.settings import Settings

log = logging.getLogger(__name__)

Query = Callable[[str], Answer]
"""``DamoTryOnHook.query``: the vendor's answer for a result key."""
QueryOver = Callable[[str], Query]
"""The query over an Airflow connection: a result key is known to the account that has paid for it, and to no other."""

HOPELESS = (CredentialsError, PackageUsedUpError, ThrottledError, NotConnectedError)
"""What one query was answered every other would be: the hook has been patient, and the next try goes on."""

NOT_ENDED = tuple(state.value for state in LookState if not state.ended)
FAILED_REASON = "the vendor's model could not make this picture (sub-task FAILED; it gives no reason)"


class PublishError(Exception):
    """Some looks of a batch could not be published in this try; the others are. Says which and why.

    :param problems: one sentence a look or submission
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        listed = "\n".join(f"- {problem}" for problem in self.problems)
        return (
            f"{len(self.problems)} could not be published; everything paid for is in the ledger and the next "
            f"try goes on from there:\n{listed}"
        )


@dataclass(slots=True)
class Published:
    """What came of publishing a batch in this try.

    :param published: looks whose pictures are archived and in the catalogue
    :param review: looks whose pictures are archived and wait for a person's eye
    :param failed: looks that the vendor could not make
    :param waiting: looks that the vendor has not ended
    :param problems: what could not be published, one sentence each
    """

    published: int = 0
    review: int = 0
    failed: int = 0
    waiting: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Submission:
    """A submission that is paid for and not collected yet."""

    id: int
    result_key: str
    conn_id: str


@dataclass(frozen=True, slots=True)
class _Paid:
    """A look of a submission."""

    made: Made
    state: LookState
    moved_at: datetime
    ours: bool
    results: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The look's key."""
        return self.made.key

    @property
    def look(self) -> Look:
        """What was asked for."""
        return self.made.look

    @property
    def open(self) -> bool:
        """Whether it is this submission that the look waits for."""
        return self.ours and self.state in {LookState.SUBMITTED, LookState.SUCCEEDED}

    def problem(self, words: str, *, expired: bool = False) -> _Problem:
        """Say what keeps the look from being published."""
        return _Problem(
            f"look {self.key[:10]} (sku {self.made.sku or 'of no garment now'}): {words}", expired
        )


@dataclass(frozen=True, slots=True)
class _Problem:
    """What keeps something from being published.

    :param words: a sentence
    :param expired: True when a link had died, so that a fresh one may help
    """

    words: str
    expired: bool = False


class Publisher:
    """Publishes submissions. One for each task.

    :param engine: the ledger's
    :param settings: where pictures are kept, what is written to the catalogue
    :param query_over: gives what asks the vendor for a result key, by the connection that its submission went over
    :param by: who moves the looks
    :raises tryon_catalogue.catalogue.CatalogueError: the shop's table is not as the settings say
    """

    def __init__(self, engine: Engine, settings: Settings, query_over: QueryOver, by: Mover) -> None:
        self._engine = engine
        self._settings = settings
        self._query_over = functools.cache(query_over)
        self._by = by
        self._finisher = Finisher(settings)
        with engine.connect() as connection:
            self._catalogue = Catalogue(connection, settings.catalogue)

    def publish_batch(self, batch: Batch) -> Published:
        """Collect, archive and write back everything of a batch that the vendor has ended.

        One submission's or look's trouble does not keep the others back.

        :param batch: whose submissions
        :returns: counts, and what could not be published
        :raises damo_tryon.errors.TryOnError: one of ``HOPELESS``: no other submission could be asked for either
        """
        done = Published()
        with self._engine.connect() as connection:
            found = connection.execute(
                select(submissions.c.id, submissions.c.result_key, submissions.c.conn_id)
                .where(
                    submissions.c.batch_id == batch.id,
                    submissions.c.state == SubmissionState.SUBMITTED.value,
                )
                .order_by(submissions.c.id)
            ).all()
        for row in found:
            submission = _Submission(row.id, row.result_key, row.conn_id)
            problems = self._publish(submission, done)
            self._close(submission)
            for problem in problems:
                log.error("%s", problem.words)
            done.problems += [problem.words for problem in problems]
        return done

    def _publish(self, submission: _Submission, done: Published) -> list[_Problem]:
        """Publish what a submission has ready; returns what kept some of it back."""
        try:
            waiting, problems = self._try(submission, done)
            if any(problem.expired for problem in problems):
                # Each answer carries fresh links; what is published by now is left alone.
                waiting, problems = self._try(submission, done)
        except HOPELESS:
            raise
        except JobFailedError as error:
            every = self._looks_of(submission)
            return self._record_failed([one for one in every if one.open], done, str(error), error.code)
        except TryOnError as error:
            return [_Problem(str(error))]
        done.waiting += waiting
        return problems

    def _try(self, submission: _Submission, done: Published) -> tuple[int, list[_Problem]]:
        """Ask once and publish what can be published; returns how many looks wait, and the problems."""
        every = self._looks_of(submission)
        answer = self._query_over(submission.conn_id)(submission.result_key)
        sub_tasks = answer.matched_to(sent_tasks(self._engine, submission.id))
        seen = [(one, sub_task) for one, sub_task in zip(every, sub_tasks, strict=True) if one.open]
        made = [replace(one, results=sub.results) for one, sub in seen if sub.status is SubTaskStatus.SUCCESS]
        failed = [one for one, sub in seen if sub.status is SubTaskStatus.FAILED]
        # What the vendor said is the truth whatever happens next: committed before anything is fetched.
        with self._engine.begin() as connection:
            move(connection, looks.c.key.in_([one.key for one in made]), LookState.SUCCEEDED, self._by)
        problems = self._record_failed(failed, done, FAILED_REASON)
        problems += asyncio.run(self._publish_looks(made, done))
        return len(seen) - len(made) - len(failed), problems

    def _looks_of(self, submission: _Submission) -> list[_Paid]:
        # A look of several garments is named after the first of them.
        first = (
            select(
                garment_looks.c.look_key,
                func.min(garment_looks.c.sku).label("garment_sku"),
                func.min(garment_looks.c.title).label("garment_title"),
                func.min(garment_looks.c.collection).label("garment_collection"),
            )
            .group_by(garment_looks.c.look_key)
            .subquery()
        )
        # Whatever its address, the same bytes have the same size.
        size = (
            select(func.jsonb_build_array(images.c.width, images.c.height))
            .where(images.c.sha256 == looks.c.model_sha256)
            .limit(1)
            .scalar_subquery()
        )
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(
                    looks,
                    first.c.garment_sku,
                    first.c.garment_title,
                    first.c.garment_collection,
                    size.label("model_size"),
                    waits_for(submissions.c.id == submission.id).label("ours"),
                )
                .join(submission_looks, submission_looks.c.look_key == looks.c.key)
                .outerjoin(first, first.c.look_key == looks.c.key)
                .where(submission_looks.c.submission_id == submission.id)
                .order_by(submission_looks.c.position)
            ).all()
        return [
            _Paid(_made(row, submission.result_key), LookState(row.state), row.moved_at, row.ours)
            for row in rows
        ]

    def _record_failed(
        self, failed: Sequence[_Paid], done: Published, reason: str, code: int | str | None = None
    ) -> list[_Problem]:
        if not failed:
            return []
        with self._engine.begin() as connection:
            moved = move(
                connection,
                looks.c.key.in_([one.key for one in failed]),
                LookState.FAILED,
                self._by,
                from_states=[LookState.SUBMITTED],
                reason=reason,
                vendor_code=code,
            )
            self._catalogue.write_garments(connection, _skus(connection, moved))
        done.failed += len(moved)
        return [
            one.problem("the vendor had made its pictures and now says that it failed; ask its support")
            for one in failed
            if one.state is LookState.SUCCEEDED
        ]

    async def _publish_looks(self, made: Sequence[_Paid], done: Published) -> list[_Problem]:
        writing = asyncio.Lock()  # one connection to the database is enough for one task
        async with open_fetcher(self._settings.fetch) as fetcher:
            outcomes = await asyncio.gather(
                *(self._publish_look(one, fetcher, writing, done) for one in made)
            )
        return [outcome for outcome in outcomes if outcome is not None]

    async def _publish_look(
        self, one: _Paid, fetcher: Fetcher, writing: asyncio.Lock, done: Published
    ) -> _Problem | None:
        try:
            fetched = await asyncio.to_thread(self._finisher.kept, one.made)
            if fetched is None:
                fetched = await asyncio.gather(*(fetcher.fetch(url) for url in one.results))
            finished = await asyncio.to_thread(self._finisher.finish, one.made, fetched)
        except FetchError as error:
            if not self._given_up(one):
                return one.problem(str(error), expired=error.expired)
            finished = Finished(doubts=f"its pictures could not be fetched for too long: {error}")
        except LabelError as error:
            return one.problem(str(error))
        except OSError as error:
            return one.problem(f"could not be archived ({error}); see [archive] path and the room there")
        try:
            async with writing:
                await asyncio.to_thread(self._record, one, finished, done)
        except RowRefusedError as error:
            return one.problem(str(error))
        return None

    def _given_up(self, one: _Paid) -> bool:
        age = datetime.now(UTC) - one.moved_at
        return one.state is LookState.SUCCEEDED and age > timedelta(hours=self._settings.fetch.give_up_hours)

    def _record(self, one: _Paid, finished: Finished, done: Published) -> None:
        """Commit a look's pictures, its state and the shop's row together, unless another try has."""
        review = bool(finished.doubts) and (
            not finished.rows or self._settings.judgement.below is Below.REVIEW
        )
        to = LookState.REVIEW if review else LookState.PUBLISHED
        with self._engine.begin() as connection:
            if not move(
                connection,
                looks.c.key == one.key,
                to,
                self._by,
                from_states=[LookState.SUCCEEDED],
                reason=finished.doubts or None,
            ):
                return
            keep_pictures(connection, one.key, finished.rows, shown=not review)
            self._catalogue.write_look(connection, one.key)
        done.review += review
        done.published += not review

    def _close(self, submission: _Submission) -> None:
        """Call a submission collected once each of its looks has an end, or waits for a newer submission."""
        open_looks = (
            select(func.count())
            .select_from(looks)
            .where(waits_for(submissions.c.id == submission.id), looks.c.state.in_(NOT_ENDED))
        )
        with self._engine.begin() as connection:
            if not connection.execute(open_looks).scalar_one():
                connection.execute(
                    update(submissions)
                    .where(submissions.c.id == submission.id)
                    .values(state=SubmissionState.COLLECTED.value, collected_at=func.now())
                )


def _made(row: Any, result_key: str) -> Made:
    return Made(
        key=row.key,
        look=look_of(row),
        result_key=result_key,
        sku=row.garment_sku or "",
        title=row.garment_title or "",
        collection=row.garment_collection or "",
        digests=(row.model_sha256, row.tops_sha256, row.pants_sha256, row.mask_sha256),
        model_size=None if row.model_size is None else (row.model_size[0], row.model_size[1]),
    )


def _skus(connection: Connection, look_keys: Sequence[str]) -> list[str]:
    return list(
        connection.execute(
            select(garment_looks.c.sku).where(garment_looks.c.look_key.in_(look_keys)).distinct()
        ).scalars()
    )
