"""Looks that a person decides on: paid for, and failed by our own check or without pictures that can be fetched.

What is accepted goes to the catalogue at once; what is to be made again is planned, and paid for, again; what is to be
collected again is asked for by the next recovery, which is free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, true, update

from tryon_catalogue.ledger.moves import move
from tryon_catalogue.ledger.pictures import newest_pictures, show_pictures
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import (
    garment_looks,
    looks,
    pictures,
    run_looks,
    submission_looks,
    submissions,
)
from tryon_catalogue.looks import LookState
from tryon_catalogue.publishing.writeback import Catalogue, RowRefusedError
from tryon_catalogue.submission.retry import NoSuchLookError, look_keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.settings import Settings

IN_REVIEW = (LookState.REVIEW,)


@dataclass(frozen=True, slots=True)
class Review:
    """A look that waits for a person's decision.

    Attributes:
        skus: Garments that it shows.
        model: Roster name.
        reason: Why it was not published.
        paths: Where its new pictures are kept, best first; none where they could not be had.
        since: When it was put aside.
    """

    key: str
    skus: tuple[str, ...]
    model: str
    reason: str
    paths: tuple[str, ...]
    since: datetime


def open_reviews(connection: Connection, run_id: str | None = None) -> list[Review]:
    """Read the looks that wait for a person's decision, oldest first.

    Args:
        run_id: Of this run only; of all without it.
    """
    of_run = select(run_looks.c.look_key).where(run_looks.c.run_id == run_id)
    skus = (
        select(func.array_agg(garment_looks.c.sku.distinct()))
        .where(garment_looks.c.look_key == looks.c.key)
        .scalar_subquery()
    )
    paths = (
        select(func.array_agg(pictures.c.path))
        .where(pictures.c.look_key == looks.c.key, newest_pictures())
        .correlate(looks)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(looks, skus.label("skus"), paths.label("paths"))
        .where(looks.c.state == LookState.REVIEW.value, true() if run_id is None else looks.c.key.in_(of_run))
        .order_by(looks.c.moved_at, looks.c.key)
    ).all()
    return [
        Review(
            row.key,
            tuple(row.skus or ()),
            row.model,
            row.reason or "",
            tuple(sorted(row.paths or ())),
            row.moved_at,
        )
        for row in rows
    ]


def accept(
    engine: Engine, settings: Settings, names: Sequence[str], by: Mover, *, only: Sequence[int] = ()
) -> list[str]:
    """Publish looks whose pictures a person accepts.

    Args:
        settings: The catalogue's table.
        names: For each, a sku, or a look's key or its beginning.
        by: The person who decides.
        only: Numbers of the pictures that are accepted, as their files have them, from 1; all when left out. The others
            are left out of the catalogue.

    Returns:
        The keys of the looks.

    Raises:
        NoSuchLookError: No look that waits for review has this name, or it has no pictures, or not these.
        tryon_catalogue.publishing.writeback.CatalogueError: The shop's table is not as the settings say.
        tryon_catalogue.publishing.writeback.RowRefusedError: It refused some rows; the others are published.
    """
    accepted: list[str] = []
    refused: list[str] = []
    with engine.begin() as connection:
        catalogue = Catalogue(connection, settings.catalogue)
        keys = look_keys(connection, names, IN_REVIEW)
        if listed := _listed(connection, keys, with_pictures=False):
            raise NoSuchLookError(
                f"There is no new picture that could be accepted of these looks, and nothing was changed. {listed}. "
                "`tryon review collect LOOK...` asks the vendor for them once more, which is free; "
                "`tryon review again LOOK...` has them made, and paid for, again."
            )
        _check_numbers(connection, keys, only)
        chosen = pictures.c.number.in_([number - 1 for number in only]) if only else None
        said = f"found good by {by.run}" + (f": {_numbered(only)}" if only else "")
        for key in keys:
            try:
                with connection.begin_nested():
                    moved = move(
                        connection,
                        looks.c.key == key,
                        LookState.PUBLISHED,
                        by,
                        from_states=IN_REVIEW,
                        reason=said,
                    )
                    show_pictures(connection, moved, which=chosen)
                    catalogue.write_looks(connection, [key])
                accepted += moved
            except RowRefusedError as error:
                refused.append(str(error))
    if refused:
        raise RowRefusedError(
            f"{len(accepted)} looks are published; these wait for review still: {'; '.join(refused)}"
        )
    return sorted(accepted)


def remake(engine: Engine, names: Sequence[str], by: Mover) -> list[str]:
    """Plan looks again as a person decided: the next run that asks for them sends, and pays for, them again.

    Args:
        names: For each, a sku, or a look's key or its beginning.
        by: The person who decides.

    Returns:
        The keys of the looks.

    Raises:
        NoSuchLookError: A name is of no look that waits for review.
    """
    with engine.begin() as connection:
        keys = look_keys(connection, names, IN_REVIEW)
        return sorted(
            move(
                connection,
                looks.c.key.in_(keys),
                LookState.PLANNED,
                by,
                from_states=IN_REVIEW,
                reason=f"to be made, and paid for, again, says {by.run}",
            )
        )


def recollect(engine: Engine, names: Sequence[str], by: Mover) -> list[str]:
    """Have the vendor asked once more for pictures that could not be fetched; nothing is paid again.

    Args:
        names: For each, a sku, or a look's key or its beginning.
        by: The person who decides.

    Returns:
        The keys of the looks.

    Raises:
        NoSuchLookError: No look that waits for review has this name, or it has pictures.
    """
    with engine.begin() as connection:
        keys = look_keys(connection, names, IN_REVIEW)
        if listed := _listed(connection, keys, with_pictures=True):
            raise NoSuchLookError(
                f"The pictures of these looks are with us, and nothing was changed. {listed}. "
                "`tryon review` says where they are."
            )
        newest = (
            select(func.max(submission_looks.c.submission_id))
            .where(submission_looks.c.look_key.in_(keys))
            .group_by(submission_looks.c.look_key)
        )
        connection.execute(
            update(submissions)
            .where(submissions.c.id.in_(newest), submissions.c.state == SubmissionState.COLLECTED.value)
            .values(state=SubmissionState.SUBMITTED.value, collected_at=None)
        )
        return sorted(
            move(
                connection,
                looks.c.key.in_(keys),
                LookState.SUBMITTED,
                by,
                from_states=IN_REVIEW,
                reason=f"the vendor is asked for it once more, says {by.run}",
            )
        )


def _check_numbers(connection: Connection, keys: Sequence[str], only: Sequence[int]) -> None:
    """Refuse numbers that a look has no new picture of."""
    for key in keys if only else ():
        having = select(pictures.c.number + 1).where(pictures.c.look_key == key, ~pictures.c.shown)
        numbers = sorted(connection.execute(having).scalars())
        if unknown := sorted(set(only) - set(numbers)):
            raise NoSuchLookError(
                f"The look {key[:10]} has no new {_numbered(unknown)}; it has {_numbered(numbers)}. Nothing was "
                "changed. `tryon review` shows them."
            )


def _numbered(numbers: Sequence[int]) -> str:
    word = "picture" if len(numbers) == 1 else "pictures"
    return f"{word} {', '.join(map(str, numbers))}"


def _listed(connection: Connection, keys: Sequence[str], *, with_pictures: bool) -> str:
    """Name those of some looks that have new pictures, or have none, and why they wait."""
    unshown = select(pictures.c.look_key).where(pictures.c.look_key == looks.c.key, ~pictures.c.shown)
    found = connection.execute(
        select(looks.c.key, looks.c.reason)
        .where(looks.c.key.in_(keys), unshown.exists() if with_pictures else ~unshown.exists())
        .order_by(looks.c.key)
    )
    return "; ".join(f"{row.key[:10]}: {row.reason or 'no reason is known'}" for row in found)
