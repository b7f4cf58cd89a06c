"""From an export to planned looks: reads rows, casts looks, writes what is new to the ledger.

Nothing is spent here; ``reserve`` says what of it goes. Running it again for the same run changes nothing that has been
decided: looks are known by their key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from tryon_catalogue.ledger.images import load_images
from tryon_catalogue.ledger.moves import move
from tryon_catalogue.ledger.states import NEED_A_PERSON, NOT_ENDED
from tryon_catalogue.ledger.tables import (
    batches,
    collections,
    garment_looks,
    look_moves,
    looks,
    rejections,
    run_looks,
    runs,
)
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.garments import point_garments
from tryon_catalogue.planning.remake import note_remakes
from tryon_catalogue.planning.request import read_requested
from tryon_catalogue.planning.rerun import forget_unrequested
from tryon_catalogue.planning.reserve import cut_run
from tryon_catalogue.planning.runs import open_run
from tryon_catalogue.planning.temporary_tables import REQUESTED, fill_requested, requested_looks
from tryon_catalogue.planning.vetting import VettedChunk, vet_chunk
from tryon_catalogue.submission.doubts import resubmit_old
from tryon_catalogue.submission.stops import newer_than_stops

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from tryon_catalogue.exports import Rejection
    from tryon_catalogue.ledger.images import ImageKey, KnownImage
    from tryon_catalogue.planning.runs import Run
    from tryon_catalogue.settings import SafetySettings, Settings

Begin = Callable[[], "AbstractContextManager[Connection]"]
"""Begins a transaction, or goes on in one that rolls everything back."""
Load = Callable[["Connection", "Collection[ImageKey]"], "Mapping[ImageKey, KnownImage]"]
"""Gives what is known of pictures."""

LONGEST_VALUE = 200
# Orders looks as the export has them: room for this many looks of one line.
LOOKS_PER_LINE = 1_000
LOOK_COLUMNS = (
    "key",
    "fit_type",
    "inference_num",
    "model",
    "model_image",
    "tops_image",
    "pants_image",
    "mask_image",
    "model_sha256",
    "tops_sha256",
    "pants_sha256",
    "mask_sha256",
    "collection",
)
ADDRESSES = ("model_image", "tops_image", "pants_image", "mask_image")


@dataclass(frozen=True, slots=True)
class Found:
    """What a run found in its export.

    Attributes:
        rows: Rows read, rejected ones included.
        rejected: Rows that cannot be used; each stands in the table ``rejections``.
        looks: Different looks that the usable rows ask for.
        new: Those among them that this run has to see to; the others have ended already.
    """

    rows: int
    rejected: int
    looks: int
    new: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run found in its export, and what it is going to send.

    Attributes:
        rows: See ``Found``.
        rejected: See ``Found``.
        looks: See ``Found``.
        new: See ``Found``.
        batch_ids: Batches with work left, in the order in which they should run.
    """

    rows: int
    rejected: int
    looks: int
    new: int
    batch_ids: tuple[int, ...]


def plan_run(engine: Engine, settings: Settings, run: Run) -> Plan:
    """Read an export, write what it asks for to the ledger, and cut it within the limits. Nobody is asked.

    Args:
        settings: As the run's request has them.

    Raises:
        tryon_catalogue.exports.ExportError: When the file cannot be read as an export at all.
    """
    found = record_run(engine, settings, run)
    cut = cut_run(engine, settings, run.id)
    return Plan(found.rows, found.rejected, found.looks, found.new, cut.batch_ids)


def record_run(engine: Engine, settings: Settings, run: Run) -> Found:
    """Read an export and write what it asks for to the ledger. Nothing is reserved yet.

    Args:
        settings: As the run's request has them.

    Raises:
        tryon_catalogue.exports.ExportError: When the file cannot be read as an export at all.
    """
    return record(engine.begin, settings, run)


def record(
    begin: Begin,
    settings: Settings,
    run: Run,
    *,
    load: Load = load_images,
    watch: Callable[[VettedChunk], None] | None = None,
    before: Callable[[Connection], None] | None = None,
) -> Found:
    """Do what ``record_run`` does, in transactions that the caller begins.

    Args:
        begin: Called for each part of it.
        load: What is known of the export's pictures; what preflight found by default.
        watch: Is given each chunk once its rows are decided on.
        before: Called before a chunk is planned, with `REQUESTED` filled.
    """
    with begin() as connection:
        open_run(connection, run)
        resubmit_old(connection, settings.safety, run.mover)
    rows = rejected = further = 0
    left_out: Counter[str] = Counter()
    notes: list[str] = []
    requested: set[bytes] = set()
    for chunk in read_requested(run.request, run.export, settings):
        with begin() as connection:
            vetted = vet_chunk(chunk, settings, partial(load, connection))
            chunk_keys = _record(connection, settings, run, vetted, before)
        if watch is not None:
            watch(vetted)
        rows += chunk.rows
        rejected += vetted.rejected_rows
        further += chunk.further
        left_out.update(chunk.left_out)
        notes += chunk.notes
        requested.update(map(bytes.fromhex, chunk_keys))  # half as large as the text, for a whole season
    with begin() as connection:
        new = forget_unrequested(connection, run.id, requested)
        connection.execute(
            update(runs)
            .where(runs.c.id == run.id)
            # What stopped submissions before may have been put right since: a plan is newer than that.
            .values(
                rows_read=rows,
                rows_further=further,
                rows_left_out=dict(left_out),
                reading_notes=notes,
                looks_known=len(requested) - new,
                looks_new=new,
                planned_at=newer_than_stops(),
                problem=None,
            )
        )
    return Found(rows, rejected, len(requested), new)


def _record(
    connection: Connection,
    settings: Settings,
    run: Run,
    vetted: VettedChunk,
    before: Callable[[Connection], None] | None,
) -> set[str]:
    """Write one chunk, and give the keys of the looks that it asks for."""
    requested: list[tuple[object, ...]] = []
    keys: set[str] = set()
    for row in vetted.garments:
        garment = row.garment
        of_row = (garment.title, garment.collection, garment.priority)
        for vetted_look in row.looks:
            key, look = vetted_look.key, vetted_look.look
            of_garment = (garment.sku, vetted_look.place, row.cast, *of_row)
            position = garment.line * LOOKS_PER_LINE + vetted_look.place
            of_look = (key, look.fit_type.value, look.inference_num, look.model, *look.images)
            requested.append((*of_garment, position, key not in keys, *of_look, *vetted_look.digests))
            keys.add(key)
    if vetted.rejections:
        connection.execute(
            insert(rejections).on_conflict_do_nothing(),
            [_rejection_row(run, rejection) for rejection in vetted.rejections],
        )
    if requested:
        fill_requested(connection, requested)
        if before is not None:
            before(connection)
        _remember_collections(connection, run)
        _plan_looks(connection, settings.safety, run)
        point_garments(connection, run)
        REQUESTED.drop(connection)  # the transaction may be that of the next chunk as well
    return keys


def _remember_collections(connection: Connection, run: Run) -> None:
    """Say since when each collection is known: a limit may let the newest go first."""
    # In one order, for two runs that read the same export at once.
    names = (
        select(REQUESTED.c.collection, literal(run.export_date))
        .where(REQUESTED.c.collection != "")
        .distinct()
        .order_by(REQUESTED.c.collection)
    )
    statement = insert(collections).from_select(["name", "first_date"], names)
    older = statement.excluded.first_date
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"first_date": older}, where=collections.c.first_date > older
        )
    )


def _plan_looks(connection: Connection, safety: SafetySettings, run: Run) -> None:
    """Plan the looks that are asked for: those that are new, and those that may be tried again."""
    new = (
        select(
            *(REQUESTED.c[name] for name in LOOK_COLUMNS),
            REQUESTED.c.position,
            literal(LookState.PLANNED.value),
            literal(run.id),
            literal(run.mover.try_number),
        )
        .where(REQUESTED.c.first)
        # In one order, so that two runs which insert the same looks at once cannot wait for each other in a circle.
        .order_by(REQUESTED.c.key)
    )
    connection.execute(
        insert(looks)
        .from_select([*LOOK_COLUMNS, "position", "state", "moved_run", "moved_try"], new)
        .on_conflict_do_nothing()
    )
    failed, moved = _find_changed(connection)
    if failed:
        _retry_failed(connection, safety, run, failed)
    if moved:
        _use_newest_addresses(connection, run, moved)
    found, joined = requested_looks()
    open_looks = select(literal(run.id), found.c.key).select_from(joined).where(found.c.state.in_(NOT_ENDED))
    connection.execute(
        insert(run_looks)
        .from_select(["run_id", "look_key"], open_looks)
        # A leftover that the export asks for after all is a leftover no more.
        .on_conflict_do_update(
            index_elements=["run_id", "look_key"], set_={"leftover": False}, where=run_looks.c.leftover
        )
    )
    note_remakes(connection, run.id, run.request.redone_states)


def _find_changed(connection: Connection) -> tuple[list[str], list[str]]:
    """Find the looks that are asked for and failed, and those still to be sent that have other addresses now."""
    found, joined = requested_looks()
    failed = found.c.state == LookState.FAILED.value
    planned = found.c.state == LookState.PLANNED.value
    moved = or_(*(found.c[name].is_distinct_from(REQUESTED.c[name]) for name in ADDRESSES))
    rows = connection.execute(
        select(found.c.key, failed, moved).select_from(joined).where(or_(failed, planned & moved))
    ).all()
    return [key for key, has_failed, _ in rows if has_failed], [
        key for key, _, has_moved in rows if has_moved
    ]


def _retry_failed(connection: Connection, safety: SafetySettings, run: Run, failed: Sequence[str]) -> None:
    """Plan again what the vendor failed at in an earlier run, unless it has had its attempts or was given up."""
    given_up = (
        select(look_moves.c.id)
        .where(
            look_moves.c.look_key == looks.c.key,
            look_moves.c.from_state.in_(NEED_A_PERSON),
            look_moves.c.to_state == LookState.FAILED.value,
        )
        .exists()
    )
    found = connection.execute(
        select(looks.c.key)
        .join(batches, batches.c.id == looks.c.batch_id)
        .where(
            looks.c.key == func.any(failed),
            looks.c.state == LookState.FAILED.value,
            looks.c.attempts < safety.max_attempts,
            batches.c.run_id != run.id,
            ~given_up,
        )
        .order_by(looks.c.key)
        .with_for_update(of=looks, key_share=True)
    ).scalars()
    if keys := found.all():
        reason = "the vendor failed at it in an earlier run; tried again by [safety] max_attempts"
        move(
            connection,
            looks.c.key == func.any(list(keys)),
            LookState.PLANNED,
            run.mover,
            from_states=[LookState.FAILED],
            reason=reason,
        )


def _use_newest_addresses(connection: Connection, run: Run, moved: Sequence[str]) -> None:
    """Send what is still to be sent from where the newest export has it: the same pictures may have moved."""
    newer = select(garment_looks.c.sku).where(
        garment_looks.c.look_key == looks.c.key, garment_looks.c.export_date > run.export_date
    )
    connection.execute(
        update(looks)
        .where(
            looks.c.key == func.any(moved),
            looks.c.key == REQUESTED.c.key,
            REQUESTED.c.first,
            looks.c.state == LookState.PLANNED.value,
            ~newer.exists(),
            or_(*(looks.c[name].is_distinct_from(REQUESTED.c[name]) for name in ADDRESSES)),
        )
        .values({name: REQUESTED.c[name] for name in ADDRESSES})
    )


def _rejection_row(run: Run, rejection: Rejection) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "line": rejection.line,
        "sku": rejection.sku or None,
        "rule": str(rejection.rule),
        "column": rejection.column or None,
        "value": rejection.value[:LONGEST_VALUE] or None,
        "image": rejection.image or None,
        "measured": rejection.measured or None,
        "limit": rejection.limit or None,
        "reason": rejection.reason,
    }
