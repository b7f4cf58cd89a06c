"""Publishing a batch: collect what the vendor made, archive it at once, write it to the catalogue.

The vendor's links die, so a picture is fetched in the same breath in which its link is read. A look's pictures,
its state and the shop's row change in one transaction, so the catalogue never says more or less than the
ledger. It must not know Airflow or how the vendor is asked; the task hands over the query.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from damo_tryon.contract import Answer, SubTaskStatus
from damo_tryon.errors import TryOnError
from tryon_catalogue.archive import Archive, PictureName
from tryon_catalogue.catalogue import Catalogue
from tryon_catalogue.fetch import FetchError, open_fetcher
from tryon_catalogue.ledger.journal import look_of
from tryon_catalogue.ledger.moves import move
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import garment_looks, looks, pictures, submission_looks, submissions
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from tryon_catalogue.archive import Archived
    from tryon_catalogue.fetch import Fetched, Fetcher
    from tryon_catalogue.ledger.journal import Batch
    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.looks import Look
    from tryon_catalogue.settings import Settings

log = logging.getLogger(__name__)

Query = Callable[[str], Answer]
"""``DamoTryOnHook.query``: the vendor's answer for a result key."""

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
class _OpenLook:
    """A look of a submission that has not reached its end."""

    key: str
    look: Look
    state: LookState
    sku: str
    collection: str
    results: tuple[str, ...] = ()


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
        for submission_id, result_key in found:
            try:
                self._publish_submission(submission_id, result_key, done)
            except TryOnError as error:
                log.error("Result key %s: %s", result_key, error)
                done.problems.append(str(error))
        return done

    def _publish_submission(self, submission_id: int, result_key: str, done: Published) -> None:
        every = self._looks_of(submission_id)
        sub_tasks = self._query(result_key).matched_to([one.look.to_task() for one in every])
        succeeded: list[_OpenLook] = []
        failed: list[_OpenLook] = []
        for one, sub_task in zip(every, sub_tasks, strict=True):
            match sub_task.status:
                case SubTaskStatus.SUCCESS if not one.state.ended:
                    succeeded.append(_with_results(one, sub_task.results))
                case SubTaskStatus.FAILED if not one.state.ended:
                    failed.append(one)
                case SubTaskStatus.WAITING | SubTaskStatus.RUNNING:
                    done.waiting += 1
        self._record_ends(succeeded, failed)
        done.failed += len(failed)
        asyncio.run(self._publish_looks(succeeded, done))
        self._close(submission_id)

    def _looks_of(self, submission_id: int) -> list[_OpenLook]:
        first = (
            select(garment_looks.c.look_key, garment_looks.c.sku, garment_looks.c.collection)
            .distinct(garment_looks.c.look_key)
            .order_by(garment_looks.c.look_key, garment_looks.c.sku)
            .subquery()
        )
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(looks, first.c.sku, first.c.collection)
                .join(submission_looks, submission_looks.c.look_key == looks.c.key)
                .outerjoin(first, first.c.look_key == looks.c.key)
                .where(submission_looks.c.submission_id == submission_id)
                .order_by(submission_looks.c.position)
            ).all()
        return [
            _OpenLook(row.key, look_of(row), LookState(row.state), row.sku or "", row.collection or "")
            for row in rows
        ]

    def _record_ends(self, succeeded: list[_OpenLook], failed: list[_OpenLook]) -> None:
        """Commit what the vendor said before anything is fetched: it is the truth whatever happens next."""
        with self._engine.begin() as connection:
            move(connection, looks.c.key.in_([one.key for one in succeeded]), LookState.SUCCEEDED, self._by)
            ended = move(
                connection,
                looks.c.key.in_([one.key for one in failed]),
                LookState.FAILED,
                self._by,
                from_states=[LookState.SUBMITTED],
                reason=FAILED_REASON,
            )
            self._catalogue.write_garments(connection, _skus(connection, ended))

    async def _publish_looks(self, succeeded: list[_OpenLook], done: Published) -> None:
        async with open_fetcher(self._settings.fetch) as fetcher:
            answers = await asyncio.gather(
                *(self._fetch_look(fetcher, one) for one in succeeded), return_exceptions=True
            )
        for one, answer in zip(succeeded, answers, strict=True):
            match answer:
                case FetchError():
                    log.error("Look %s (sku %s): %s", one.key, one.sku, answer)
                    done.problems.append(f"look {one.key[:10]} (sku {one.sku}): {answer}")
                case BaseException():
                    raise answer
                case _:
                    await asyncio.to_thread(self._publish_look, one, answer)
                    done.published += 1

    @staticmethod
    async def _fetch_look(fetcher: Fetcher, one: _OpenLook) -> list[Fetched]:
        if len(one.results) != one.look.inference_num:
            raise FetchError(
                one.results[0] if one.results else "",
                f"{len(one.results)} pictures came, {one.look.inference_num} were asked and paid for",
            )
        return await asyncio.gather(*(fetcher.fetch(url) for url in one.results))

    def _publish_look(self, one: _OpenLook, fetched: list[Fetched]) -> None:
        archived = [
            self._archive.put(PictureName(one.collection, one.sku, one.look.model, one.key, number), picture)
            for number, picture in enumerate(fetched)
        ]
        with self._engine.begin() as connection:
            connection.execute(delete(pictures).where(pictures.c.look_key == one.key))
            connection.execute(
                insert(pictures),
                [
                    _picture_row(one.key, number, place, picture)
                    for number, (place, picture) in enumerate(zip(archived, fetched, strict=True))
                ],
            )
            published = move(connection, looks.c.key == one.key, LookState.PUBLISHED, self._by)
            self._catalogue.write_garments(connection, _skus(connection, published))

    def _close(self, submission_id: int) -> None:
        """Call a submission collected once each of its looks has an end."""
        with self._engine.begin() as connection:
            of_it = (
                select(looks.c.state)
                .join(submission_looks, submission_looks.c.look_key == looks.c.key)
                .where(submission_looks.c.submission_id == submission_id)
            )
            if all(LookState(state).ended for state in connection.execute(of_it).scalars()):
                connection.execute(
                    update(submissions)
                    .where(submissions.c.id == submission_id)
                    .values(state=SubmissionState.COLLECTED.value, collected_at=func.now())
                )


def _with_results(one: _OpenLook, results: tuple[str, ...]) -> _OpenLook:
    return _OpenLook(one.key, one.look, one.state, one.sku, one.collection, results)


def _skus(connection: Connection, look_keys: Sequence[str]) -> list[str]:
    return list(
        connection.execute(
            select(garment_looks.c.sku).where(garment_looks.c.look_key.in_(look_keys)).distinct()
        ).scalars()
    )


def _picture_row(look_key: str, number: int, place: Archived, picture: Fetched) -> dict[str, object]:
    return {
        "look_key": look_key,
        "number": number,
        "path": place.path,
        "url": place.url,
        "sha256": picture.sha256,
        "bytes": len(picture.content),
        "width": picture.width,
        "height": picture.height,
    }
