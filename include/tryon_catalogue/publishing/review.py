"""Looks that a person decides on: paid for, and failed by our own check or without pictures that can be fetched.

What is accepted goes to the catalogue at once; what is to be made again is planned, and paid for, again; what is to
be collected again is asked for by the next recovery, which is free; what is refused is given up. Each decision is kept,
and whoever took it may take it back as long as nothing has come of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select, true, update

from tryon_catalogue.budget.commitments import is_live
from tryon_catalogue.ledger.decisions import (
    Action,
    Before,
    Word,
    last_decision,
    mark_undone,
    record,
    restore_pictures,
    snapshot,
)
from tryon_catalogue.ledger.moves import move
from tryon_catalogue.ledger.pictures import newest_pictures, show_pictures
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import (
    batches,
    garment_looks,
    looks,
    pictures,
    run_looks,
    runs,
    submission_looks,
    submissions,
)
from tryon_catalogue.looks import LookState
from tryon_catalogue.publishing.writeback import Catalogue, RowRefusedError
from tryon_catalogue.submission.retry import NoSuchLookError, look_keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine

    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.settings import Settings

IN_REVIEW = (LookState.REVIEW,)
NO_WORD: Final = Word()
_LEFT_IN: Final = {
    Action.ACCEPT: LookState.PUBLISHED,
    Action.REMAKE: LookState.PLANNED,
    Action.REFUSE: LookState.FAILED,
}


class CannotUndoError(Exception):
    """A decision cannot be taken back; says why. Nothing was changed."""


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
    engine: Engine, settings: Settings, names: Sequence[str], by: Mover, word: Word = NO_WORD
) -> list[str]:
    """Publish looks whose pictures a person accepts.

    Args:
        settings: The catalogue's table.
        names: For each, a sku, or a look's key or its beginning.
        by: The person who decides.
        word: Which of the pictures, and why. Those that are not meant are left out of the catalogue.

    Returns:
        The keys of the looks.

    Raises:
        NoSuchLookError: No look that waits for review has this name, or it has no such pictures.
        tryon_catalogue.publishing.writeback.CatalogueError: The shop's table is not as the settings say.
        tryon_catalogue.publishing.writeback.RowRefusedError: It refused some rows; the others are published.
    """
    accepted: list[str] = []
    refused: list[str] = []
    with engine.begin() as connection:
        catalogue = Catalogue(connection, settings.catalogue)
        keys = _keys(connection, names, word)
        if listed := _listed(connection, keys, with_pictures=False):
            raise NoSuchLookError(
                f"There is no new picture that could be accepted of these looks, and nothing was changed. {listed}. "
                "`tryon review collect LOOK...` asks the vendor for them once more, which is free; "
                "`tryon review again LOOK...` has them made, and paid for, again."
            )
        for key in keys:
            _check_numbers(connection, key, word)
        for key in keys:
            try:
                with connection.begin_nested():
                    before = snapshot(connection, key)
                    moved = move(
                        connection,
                        looks.c.key == key,
                        LookState.PUBLISHED,
                        by,
                        from_states=IN_REVIEW,
                        reason=_reason(f"found good by {by.run}{_chosen(before, word)}", word),
                    )
                    chosen = None if word.numbers is None else pictures.c.number.in_(word.numbers)
                    show_pictures(connection, moved, which=chosen)
                    record(connection, key, by.run, Action.ACCEPT, word, before)
                    catalogue.write_looks(connection, [key])
                accepted += moved
            except RowRefusedError as error:
                refused.append(str(error))
    if refused:
        raise RowRefusedError(
            f"{len(accepted)} looks are published; these wait for review still: {'; '.join(refused)}"
        )
    return sorted(accepted)


def remake(engine: Engine, names: Sequence[str], by: Mover, word: Word = NO_WORD) -> list[str]:
    """Plan looks again as a person decided: the next run that asks for them sends, and pays for, them again.

    Args:
        names: For each, a sku, or a look's key or its beginning.
        by: The person who decides.
        word: Why.

    Returns:
        The keys of the looks.

    Raises:
        NoSuchLookError: A name is of no look that waits for review.
    """
    with engine.begin() as connection:
        keys = _keys(connection, names, word)
        reason = _reason(f"to be made, and paid for, again, says {by.run}", word)
        return _move_all(connection, keys, LookState.PLANNED, by, Action.REMAKE, reason, word)


def refuse(
    engine: Engine, settings: Settings, names: Sequence[str], by: Mover, word: Word = NO_WORD
) -> list[str]:
    """Give looks up as a person decided: their new pictures are not shown, and no run makes others by itself.

    Args:
        settings: The catalogue's table, which says why; pictures from before stay.
        names: For each, a sku, or a look's key or its beginning.
        by: The person who decides.
        word: Why.

    Returns:
        The keys of the looks.

    Raises:
        NoSuchLookError: A name is of no look that waits for review.
        tryon_catalogue.publishing.writeback.CatalogueError: The shop's table is not as the settings say.
    """
    with engine.begin() as connection:
        catalogue = Catalogue(connection, settings.catalogue)
        keys = _keys(connection, names, word)
        reason = _reason(f"refused by {by.run}", word)
        moved = _move_all(connection, keys, LookState.FAILED, by, Action.REFUSE, reason, word)
        catalogue.write_garments(connection, _skus(connection, moved))
        return moved


def recollect(engine: Engine, names: Sequence[str], by: Mover, word: Word = NO_WORD) -> list[str]:
    """Have the vendor asked once more for pictures that could not be fetched; nothing is paid again.

    Args:
        names: For each, a sku, or a look's key or its beginning.
        by: The person who decides.
        word: Why.

    Returns:
        The keys of the looks.

    Raises:
        NoSuchLookError: No look that waits for review has this name, or it has pictures.
    """
    with engine.begin() as connection:
        keys = _keys(connection, names, word)
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
        reason = _reason(f"the vendor is asked for it once more, says {by.run}", word)
        return _move_all(connection, keys, LookState.SUBMITTED, by, Action.COLLECT, reason, word)


def undo(engine: Engine, settings: Settings, by: Mover, name: str | None = None) -> str:
    """Take back a person's own last decision: the look waits again, with the pictures and the reason that it had.

    Args:
        settings: The catalogue's table, which shows again what it showed before.
        by: The person.
        name: Of the look whose last decision is meant: its key or its beginning. The person's last one without it.

    Returns:
        The key of the look.

    Raises:
        CannotUndoError: There is none, or something has come of it since. Nothing was changed.
        tryon_catalogue.publishing.writeback.CatalogueError: The shop's table is not as the settings say, or refused.
    """
    with engine.begin() as connection:
        decision = last_decision(connection, by.run, _key_of(connection, name))
        if decision is None:
            raise CannotUndoError(f"There is no decision of {by.run} to take back.")
        key, action = decision.look_key, Action(decision.action)
        if action not in _LEFT_IN:
            raise CannotUndoError(
                f"The vendor is asked for {key[:10]} by the next run of tryon_recover. That is free and not taken back."
            )
        moved = move(
            connection,
            (looks.c.key == key) & (looks.c.moved_at == decision.left_at) & ~_is_taken_up(),
            LookState.REVIEW,
            by,
            from_states=[_LEFT_IN[action]],
            reason=decision.before["reason"] or None,
        )
        if not moved:
            raise CannotUndoError(
                f"Something has come of {key[:10]} since it was decided, so it stays as it is. Its garment's history "
                "says what."
            )
        restore_pictures(connection, key, decision.before["pictures"])
        mark_undone(connection, decision.id, by.run)
        catalogue, skus = Catalogue(connection, settings.catalogue), _skus(connection, [key])
        if action is Action.ACCEPT:
            catalogue.take_back(connection, skus)
        else:
            catalogue.write_garments(connection, skus)
        return str(key)


def _keys(connection: Connection, names: Sequence[str], word: Word) -> list[str]:
    """Find and lock the looks that a person decides on, as the person saw them."""
    keys = look_keys(connection, names, IN_REVIEW)
    if word.seen is not None:
        changed = (
            connection.execute(
                select(looks.c.key).where(looks.c.key.in_(keys), looks.c.moved_at != word.seen)
            )
            .scalars()
            .all()
        )
        if changed:
            raise NoSuchLookError(
                f"{changed[0][:10]}: it was made again since you saw it, so nothing was changed. Look at its new "
                "pictures."
            )
    return keys


def _move_all(  # noqa: PLR0917  # one move of many looks, and what is recorded of each
    connection: Connection,
    keys: Sequence[str],
    to: LookState,
    by: Mover,
    action: Action,
    reason: str,
    word: Word,
) -> list[str]:
    before = {key: snapshot(connection, key) for key in keys}
    moved = sorted(move(connection, looks.c.key.in_(keys), to, by, from_states=IN_REVIEW, reason=reason))
    for key in moved:
        record(connection, key, by.run, action, word, before[key])
    return moved


def _reason(decided: str, word: Word) -> str:
    return f"{decided}: {word.text}" if word.text else decided


def _chosen(before: Before, word: Word) -> str:
    """Say which pictures were accepted where some were not."""
    new = sorted(row["number"] for row in before.pictures if not row["shown"])
    if word.numbers is None or set(new) == word.numbers:
        return ""
    return f" (picture {', '.join(str(number + 1) for number in sorted(word.numbers))} of {len(new)})"


def _check_numbers(connection: Connection, key: str, word: Word) -> None:
    if word.numbers is None:
        return
    there = set(
        connection.execute(
            select(pictures.c.number).where(pictures.c.look_key == key, ~pictures.c.shown)
        ).scalars()
    )
    if not word.numbers or not word.numbers <= there:
        listed = ", ".join(str(number + 1) for number in sorted(there))
        raise NoSuchLookError(
            f"{key[:10]}: its new pictures are {listed or 'none'}. Say which of them are good; nothing was changed. "
            "`tryon review` shows them."
        )


def _skus(connection: Connection, keys: Sequence[str]) -> list[str]:
    return list(
        connection.execute(
            select(garment_looks.c.sku).where(garment_looks.c.look_key.in_(keys)).distinct()
        ).scalars()
    )


def _key_of(connection: Connection, name: str | None) -> str | None:
    if name is None:
        return None
    found = connection.execute(
        select(looks.c.key).where(looks.c.key.startswith(name, autoescape=True))
    ).scalars()
    keys = found.all()
    if len(keys) != 1:
        raise CannotUndoError(f"{name}: give the beginning of one look's key.")
    return str(keys[0])


def _is_taken_up() -> ColumnElement[bool]:
    """Select looks that a run has reserved to be sent."""
    return looks.c.state.in_([LookState.PLANNED.value]) & looks.c.batch_id.in_(
        select(batches.c.id).join(runs, runs.c.id == batches.c.run_id).where(is_live())
    )


def _listed(connection: Connection, keys: Sequence[str], *, with_pictures: bool) -> str:
    """Name those of some looks that have new pictures, or have none, and why they wait."""
    unshown = select(pictures.c.look_key).where(pictures.c.look_key == looks.c.key, ~pictures.c.shown)
    found = connection.execute(
        select(looks.c.key, looks.c.reason)
        .where(looks.c.key.in_(keys), unshown.exists() if with_pictures else ~unshown.exists())
        .order_by(looks.c.key)
    )
    return "; ".join(f"{row.key[:10]}: {row.reason or 'no reason is known'}" for row in found)
