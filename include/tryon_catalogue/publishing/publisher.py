"""Publishing a batch: collect what the vendor made, judge, label and archive it at once, write it to the catalogue.

The vendor's links die, so a picture is fetched in the same breath in which its link is read. A look's pictures, its
state and the shop's row change in one transaction, with those of the looks that are ready at the same time. So the
catalogue never says more or less than the ledger; where the shop's table refuses the row, the ledger keeps the pictures
for the next try, which does not need the vendor for them.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from damo_tryon.contract import Answer, SubTaskStatus
from damo_tryon.errors import (
    CredentialsError,
    JobFailedError,
    NotConnectedError,
    PackageUsedUpError,
    ThrottledError,
    TryOnError,
    UnknownResultKeyError,
)
from tryon_catalogue.ledger.moves import move
from tryon_catalogue.ledger.pictures import (
    GOOD,
    drop_unshown_pictures,
    keep_unshown_pictures,
    show_pictures,
    unshown_pictures,
)
from tryon_catalogue.ledger.states import UNCOLLECTED
from tryon_catalogue.ledger.tables import garment_looks, looks
from tryon_catalogue.looks import LookState
from tryon_catalogue.pictures.fetch import FetchError, open_fetcher
from tryon_catalogue.publishing.collecting import Problem, close_submission, paid_looks
from tryon_catalogue.publishing.labels import LabelError
from tryon_catalogue.publishing.postprocessing import Finished, Finisher, trouble_with
from tryon_catalogue.publishing.writeback import Catalogue, RowRefusedError
from tryon_catalogue.settings.judgement import Below
from tryon_catalogue.submission.journal import sent_tasks
from tryon_catalogue.submission.uncollected import uncollected_submissions
from tryon_catalogue.words import counted

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.pictures.fetch import Fetcher
    from tryon_catalogue.publishing.collecting import PaidLook
    from tryon_catalogue.settings import Settings
    from tryon_catalogue.submission.journal import Batch
    from tryon_catalogue.submission.uncollected import UncollectedSubmission

log = logging.getLogger(__name__)

Query = Callable[[str], Answer]
"""``DamoTryOnHook.query``: the vendor's answer for a result key."""
QueryOver = Callable[[str], Query]
"""The query over an Airflow connection: a result key is known to the account that has paid for it, and to no other."""

HOPELESS = (CredentialsError, PackageUsedUpError, ThrottledError, NotConnectedError)
"""What one query was answered every other would be: the hook has been patient, and the next try goes on."""

FAILED_REASON = "the vendor's model could not make this picture (sub-task FAILED; it gives no reason)"
FAILED_AFTER_ALL = "the vendor had made its pictures and now says that it failed"
ASK = "ask the vendor's support with its result key {}, and then say `tryon review collect` or `tryon review again`"


class PublishError(Exception):
    """Some looks of a batch could not be published in this try; the others are. Says which and why.

    Args:
        problems: One sentence a look or submission.
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
    """Counts of what one try published of a batch.

    Attributes:
        published: Looks whose pictures are archived and in the catalogue.
        review: Looks that a person decides on: their pictures are archived and unshown, or cannot be fetched.
        failed: Looks that the vendor could not make.
        unfinished: Looks that the vendor has not ended.
        problems: What could not be published, one sentence each.
    """

    published: int = 0
    review: int = 0
    failed: int = 0
    unfinished: int = 0
    problems: list[str] = field(default_factory=list)


class Publisher:
    """Publishes submissions. One for each task.

    Args:
        settings: Where pictures are kept, what is written to the catalogue.
        query_over: Gives the vendor's query for the id of the connection that a submission went over.
        by: Who moves the looks.

    Raises:
        tryon_catalogue.publishing.writeback.CatalogueError: The shop's table is not as the settings say.
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

        Returns:
            Counts, and what could not be published.

        Raises:
            damo_tryon.errors.TryOnError: One of ``HOPELESS``: no other submission could be asked for either.
        """
        done = Published()
        for submission in uncollected_submissions(self._engine, batch.id):
            unfinished, problems = self._try(submission, done)
            if any(problem.expired for problem in problems):
                # Each answer carries fresh links; what is published by now is left alone.
                unfinished, problems = self._try(submission, done)
            close_submission(self._engine, submission)
            done.unfinished += unfinished
            for problem in problems:
                log.error("%s", problem.words)
            done.problems += [problem.words for problem in problems]
        return done

    def _try(self, submission: UncollectedSubmission, done: Published) -> tuple[int, list[Problem]]:
        """Publish what is with us already, then ask for the rest; returns how many looks wait, and the problems."""
        every = paid_looks(self._engine, submission)
        with_us, problems = self._publish_archived(submission, every, done)
        rest = [look for look in every if look.open and look.key not in with_us]
        if not rest:
            return 0, problems
        try:
            answer = self._query_over(submission.conn_id)(submission.result_key)
            sub_tasks = answer.matched_to(sent_tasks(self._engine, submission.id))
        except HOPELESS:
            raise
        except JobFailedError as error:
            return 0, problems + self._record_failed(submission, rest, done, str(error), error.code)
        except UnknownResultKeyError as error:
            return 0, problems + self._record_unknown(submission, rest, done, error)
        except TryOnError as error:
            return 0, [*problems, Problem(str(error))]
        by_key = dict(zip((look.key for look in every), sub_tasks, strict=True))
        made = [
            replace(look, results=by_key[look.key].results)
            for look in rest
            if by_key[look.key].status is SubTaskStatus.SUCCESS
        ]
        failed = [look for look in rest if by_key[look.key].status is SubTaskStatus.FAILED]
        # What the vendor said is the truth whatever happens next: committed before anything is fetched.
        with self._engine.begin() as connection:
            new = looks.c.key.in_([look.key for look in made]) & submission.ours
            drop_unshown_pictures(connection, move(connection, new, LookState.SUCCEEDED, self._by))
        problems += self._record_failed(submission, failed, done, FAILED_REASON)
        problems += asyncio.run(self._publish_looks(submission, made, done))
        return len(rest) - len(made) - len(failed), problems

    def _publish_archived(
        self, submission: UncollectedSubmission, every: Sequence[PaidLook], done: Published
    ) -> tuple[set[str], list[Problem]]:
        """Publish what an earlier try archived and did not publish; returns the looks' keys, and the problems."""
        found: list[tuple[PaidLook, Finished]] = []
        problems: list[Problem] = []
        with_us: set[str] = set()
        for look in every:
            if not look.open or look.state is not LookState.SUCCEEDED:
                continue
            try:
                finished = self._archived(look)
            except OSError as error:
                words = f"could not be read from the archive ({error}); see [archive] path"
                problems.append(look.problem(words))
            else:
                if finished is None:
                    continue
                found.append((look, finished))
            with_us.add(look.key)
        return with_us, [*problems, *self._record(submission, found, done).values()]

    def _archived(self, look: PaidLook) -> Finished | None:
        with self._engine.connect() as connection:
            rows = unshown_pictures(connection, look.key)
        if rows:
            return Finished(rows, trouble_with(look.made, rows))
        return self._finisher.find_archived(look.made)

    def _record_failed(
        self,
        submission: UncollectedSubmission,
        failed: Sequence[PaidLook],
        done: Published,
        reason: str,
        code: int | str | None = None,
    ) -> list[Problem]:
        if not failed:
            return []
        with self._engine.begin() as connection:
            moved = move(
                connection,
                looks.c.key.in_([look.key for look in failed]) & submission.ours,
                LookState.FAILED,
                self._by,
                from_states=[LookState.SUBMITTED],
                reason=reason,
                vendor_code=code,
            )
            self._catalogue.write_garments(connection, _skus(connection, moved))
        done.failed += len(moved)
        made = [look for look in failed if look.state is LookState.SUCCEEDED]
        fresh = [
            look.problem(f"{FAILED_AFTER_ALL}; ask its support") for look in made if not self._is_old(look)
        ]
        return fresh + self._leave_to_a_person(submission, made, done, FAILED_AFTER_ALL)

    def _record_unknown(
        self, submission: UncollectedSubmission, rest: Sequence[PaidLook], done: Published, error: TryOnError
    ) -> list[Problem]:
        """Leave to a person what the vendor knows nothing of for too long; till then it may be a passing error."""
        fresh = [] if all(map(self._is_old, rest)) else [Problem(str(error))]
        reason = (
            f"{self._settings.fetch.give_up_hours:g} hours and more after it was last heard of, the vendor does not "
            f"know it: see whether the Airflow connection {submission.conn_id} is still of the account that paid"
        )
        return fresh + self._leave_to_a_person(submission, rest, done, reason)

    def _leave_to_a_person(
        self, submission: UncollectedSubmission, stuck: Sequence[PaidLook], done: Published, reason: str
    ) -> list[Problem]:
        """Leave those to a person that have been stuck for too long; nothing pays for them again by itself."""
        lost = Finished(trouble=f"{reason}; {ASK.format(submission.result_key)}")
        old = [(look, lost) for look in stuck if self._is_old(look)]
        return list(self._record(submission, old, done).values())

    async def _publish_looks(
        self, submission: UncollectedSubmission, made: Sequence[PaidLook], done: Published
    ) -> list[Problem]:
        problems: dict[str, Problem] = {}
        async with open_fetcher(self._settings.fetch) as fetcher:
            waiting = {asyncio.create_task(self._finished(look, fetcher)): look for look in made}
            while waiting:
                ended, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                finished: list[tuple[PaidLook, Finished]] = []
                for task in ended:
                    look, outcome = waiting.pop(task), task.result()
                    if isinstance(outcome, Problem):
                        problems[look.key] = outcome
                    else:
                        finished.append((look, outcome))
                # What ends meanwhile goes into the next transaction, all of it together.
                problems |= await asyncio.to_thread(self._record, submission, finished, done)
        return [problems[look.key] for look in made if look.key in problems]

    async def _finished(self, look: PaidLook, fetcher: Fetcher) -> Finished | Problem:
        """Fetch and archive what the vendor made of a look."""
        try:
            fetched = await asyncio.gather(*(fetcher.fetch(url) for url in look.results))
            return await asyncio.to_thread(self._finisher.finish, look.made, fetched)
        except FetchError as error:
            if look.state is LookState.SUCCEEDED and self._is_old(look):
                reason = f"its pictures could not be fetched for too long ({error})"
                return Finished(trouble=f"{reason}; {ASK.format(look.made.result_key)}")
            return look.problem(str(error), expired=error.expired)
        except LabelError as error:
            return look.problem(str(error))
        except OSError as error:
            return look.problem(f"could not be archived ({error}); see [archive] path and the room there")

    def _is_old(self, look: PaidLook) -> bool:
        return datetime.now(UTC) - look.moved_at > timedelta(hours=self._settings.fetch.give_up_hours)

    def _record(
        self,
        submission: UncollectedSubmission,
        finished: Sequence[tuple[PaidLook, Finished]],
        done: Published,
    ) -> dict[str, Problem]:
        """Commit looks' pictures, their states and the shop's rows together, unless another try or submission has.

        Where the shop's table refuses a row, the ledger keeps the pictures, and the look stays where it is.

        Returns:
            Look key -> the problem of each look whose rows are refused.
        """
        if not finished:
            return {}
        of_these = looks.c.key.in_([look.key for look, _ in finished])
        is_ours = select(looks.c.key).where(of_these, looks.c.state.in_(UNCOLLECTED), submission.ours)
        with self._engine.begin() as connection:
            ours = set(
                connection.execute(is_ours.order_by(looks.c.key).with_for_update(key_share=True)).scalars()
            )
            to_show = [(look, result) for look, result in finished if look.key in ours]
            if not to_show:
                return {}
            keep_unshown_pictures(connection, {look.key: result.rows for look, result in to_show})
            refused = self._show(connection, to_show)
        for look, result in to_show:
            if look.key not in refused:
                done.review += self._needs_review(result)
                done.published += not self._needs_review(result)
        return {look.key: look.problem(refused[look.key]) for look, _ in to_show if look.key in refused}

    def _show(self, connection: Connection, finished: Sequence[tuple[PaidLook, Finished]]) -> dict[str, str]:
        """Move looks on and write the shop's rows; gives look key -> why, for those whose rows are refused."""
        try:
            with connection.begin_nested():
                self._move_on(connection, finished)
                self._catalogue.write_looks(connection, [look.key for look, _ in finished])
        except RowRefusedError as error:
            if len(finished) == 1:
                return {finished[0][0].key: str(error)}
            # One refused row holds back no other look: each by itself.
            refused = [self._show(connection, [result]) for result in finished]
            return {key: reason for of_look in refused for key, reason in of_look.items()}
        return {}

    def _move_on(self, connection: Connection, finished: Sequence[tuple[PaidLook, Finished]]) -> None:
        by_outcome: defaultdict[tuple[bool, str], list[str]] = defaultdict(list)
        for look, result in finished:
            by_outcome[self._needs_review(result), self._reason(result)].append(look.key)
        for (review, reason), keys in by_outcome.items():
            move(
                connection,
                looks.c.key.in_(keys),
                LookState.REVIEW if review else LookState.PUBLISHED,
                self._by,
                from_states=UNCOLLECTED,
                reason=reason or None,
            )
            if not review:
                show_pictures(connection, keys, which=GOOD if self._leaves_out else None)

    @property
    def _leaves_out(self) -> bool:
        return self._settings.judgement.below is Below.REVIEW

    def _needs_review(self, finished: Finished) -> bool:
        if not self._leaves_out and finished.rows:
            return False
        enough = min(self._settings.judgement.at_least, len(finished.rows))
        return bool(finished.trouble) or finished.good < enough

    def _reason(self, finished: Finished) -> str:
        bad = len(finished.rows) - finished.good
        if bad and self._leaves_out and not self._needs_review(finished):
            return f"{bad} of {counted(len(finished.rows), 'picture')} left out\n{finished.doubts}"
        return finished.doubts


def _skus(connection: Connection, look_keys: Sequence[str]) -> list[str]:
    return list(
        connection.execute(
            select(garment_looks.c.sku).where(garment_looks.c.look_key.in_(look_keys)).distinct()
        ).scalars()
    )
