"""Publishing a batch: collect what the vendor made, archive it at once, write it to the catalogue.

The vendor's links die, so a picture is fetched in the same breath in which its link is read. A look's pictures,
its state and the shop's row change in one transaction, so the catalogue never says more or less than the
ledger. It must not know Airflow or how the vendor is asked; the task hands over the query.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError

from damo_tryon.contract import Answer, SubTaskStatus
from damo_tryon.errors import (
    CredentialsError,
    JobFailedError,
    NotConnectedError,
    PackageUsedUpError,
    ThrottledError,
    TryOnError,
)
from tryon_catalogue.archive import Archive, PictureName
from tryon_catalogue.catalogue import Catalogue
from tryon_catalogue.fetch import FetchError, open_fetcher
from tryon_catalogue.ledger.journal import look_of, waits_for
from tryon_catalogue.ledger.moves import move
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import garment_looks, looks, pictures, submission_looks, submissions
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from tryon_catalogue.fetch import Fetched, Fetcher
    from tryon_catalogue.ledger.journal import Batch
    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.looks import Look
    from tryon_catalogue.settings import Settings

log = logging.getLogger(__name__)

Query = Callable[[str], Answer]
"""``DamoTryOnHook.query``: the vendor's answer for a result key."""

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
    :param failed: looks that the vendor could not make
    :param waiting: looks that the vendor has not ended
    :param problems: what could not be published, one sentence each
    """

    published: int = 0
    failed: int = 0
    waiting: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Submission:
    """A submission that is paid for and not collected yet."""

    id: int
    result_key: str


@dataclass(frozen=True, slots=True)
class _Paid:
    """A look of a submission, with the garment that its pictures are named after."""

    key: str
    look: Look
    state: LookState
    ours: bool
    sku: str
    collection: str
    results: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it is this submission that the look waits for."""
        return self.ours and self.state in {LookState.SUBMITTED, LookState.SUCCEEDED}

    def problem(self, words: str, *, expired: bool = False) -> _Problem:
        """Say what keeps the look from being published."""
        return _Problem(f"look {self.key[:10]} (sku {self.sku or 'of no garment now'}): {words}", expired)


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
    :param query: asks the vendor for a result key
    :param by: who moves the looks
    :raises tryon_catalogue.catalogue.CatalogueError: the shop's table is not as the settings say
    """

    def __init__(self, engine: Engine, settings: Settings, query: Query, by: Mover) -> None:
        self._engine = engine
        self._settings = settings
        self._query = query
        self._by = by
        self._archive = Archive(settings.archive)
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
                select(submissions.c.id, submissions.c.result_key)
                .where(
                    submissions.c.batch_id == batch.id,
                    submissions.c.state == SubmissionState.SUBMITTED.value,
                )
                .order_by(submissions.c.id)
            ).all()
        for row in found:
            submission = _Submission(row.id, row.result_key)
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
        sub_tasks = self._query(submission.result_key).matched_to([one.look.to_task() for one in every])
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
                func.min(garment_looks.c.sku).label("sku"),
                func.min(garment_looks.c.collection).label("collection"),
            )
            .group_by(garment_looks.c.look_key)
            .subquery()
        )
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(
                    looks,
                    first.c.sku,
                    first.c.collection,
                    waits_for(submissions.c.id == submission.id).label("ours"),
                )
                .join(submission_looks, submission_looks.c.look_key == looks.c.key)
                .outerjoin(first, first.c.look_key == looks.c.key)
                .where(submission_looks.c.submission_id == submission.id)
                .order_by(submission_looks.c.position)
            ).all()
        return [
            _Paid(row.key, look_of(row), LookState(row.state), row.ours, row.sku or "", row.collection or "")
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
        if len(one.results) != one.look.inference_num:
            return one.problem(
                f"{len(one.results)} pictures came, {one.look.inference_num} were asked and paid for; "
                "ask the vendor's support"
            )
        try:
            fetched = await asyncio.gather(*(fetcher.fetch(url) for url in one.results))
            rows = await asyncio.to_thread(self._archive_pictures, one, fetched)
            async with writing:
                done.published += await asyncio.to_thread(self._record_published, one, rows)
        except FetchError as error:
            return one.problem(str(error), expired=error.expired)
        except OSError as error:
            return one.problem(f"could not be archived ({error}); see [archive] path and the room there")
        except (DataError, IntegrityError) as error:
            # Not str(error), which shows the whole statement.
            return one.problem(f"the catalogue's table did not take its row ({error.orig})")
        return None

    def _archive_pictures(self, one: _Paid, fetched: Sequence[Fetched]) -> list[dict[str, object]]:
        """Keep the pictures of a look; returns the rows of the table ``pictures`` for them."""
        rows: list[dict[str, object]] = []
        for number, picture in enumerate(fetched):
            name = PictureName(one.collection, one.sku, one.look.model, one.key, number)
            place = self._archive.put(name, picture)
            rows.append(
                {
                    "look_key": one.key,
                    "number": number,
                    "path": place.path,
                    "url": place.url,
                    "sha256": picture.sha256,
                    "bytes": len(picture.content),
                    "width": picture.width,
                    "height": picture.height,
                }
            )
        return rows

    def _record_published(self, one: _Paid, rows: list[dict[str, object]]) -> bool:
        """Commit a look's pictures, its state and the shop's row together; False when another try has."""
        with self._engine.begin() as connection:
            if not move(connection, looks.c.key == one.key, LookState.PUBLISHED, self._by):
                return False
            connection.execute(delete(pictures).where(pictures.c.look_key == one.key))
            connection.execute(insert(pictures), rows)
            self._catalogue.write_garments(connection, _skus(connection, [one.key]))
        return True

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


def _skus(connection: Connection, look_keys: Sequence[str]) -> list[str]:
    return list(
        connection.execute(
            select(garment_looks.c.sku).where(garment_looks.c.look_key.in_(look_keys)).distinct()
        ).scalars()
    )
