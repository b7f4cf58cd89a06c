"""From an export to batches: reads rows, casts looks, writes what is new to the ledger, cuts it into batches.

Nothing is spent here. Running it again for the same run changes nothing that has been decided: looks are
known by their key, batches by their id. It must not know the vendor's wire or Airflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from more_itertools import batched
from sqlalchemy import and_, case, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from damo_tryon.contract import MAX_TASKS
from tryon_catalogue.casting import cast
from tryon_catalogue.exports import Rejection, read_export
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.rows import as_table
from tryon_catalogue.ledger.tables import batches, garment_looks, looks, rejections, run_looks, runs
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Connection, Engine

    from tryon_catalogue.exports import Chunk, Garment
    from tryon_catalogue.looks import Look
    from tryon_catalogue.settings import Settings

LONGEST_VALUE = 200
NOT_ENDED = tuple(state.value for state in LookState if not state.ended)
# Orders looks as the export has them: room for this many looks of one line.
LOOKS_PER_LINE = 1_000
LOOK_COLUMNS = [
    "key",
    "fit_type",
    "inference_num",
    "model",
    "model_image",
    "tops_image",
    "pants_image",
    "mask_image",
    "state",
    "position",
    "moved_run",
    "moved_try",
]
GARMENT_COLUMNS = ["sku", "position", "look_key", "title", "collection"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run over one export.

    :param id: ``dag_id/run_id`` of the Airflow run
    :param export: path or URL of the export to read
    :param export_date: the date that the export is of
    """

    id: str
    export: str
    export_date: date

    @property
    def mover(self) -> Mover:
        """Who moves looks on behalf of this run when it plans."""
        return Mover(self.id)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run found in its export.

    :param rows: rows read, rejected ones included
    :param rejected: rows that cannot be used; each stands in the table ``rejections``
    :param looks: looks that the usable rows ask for
    :param new: those among them that this run has to see to; the others have ended already
    :param batch_ids: batches with work left, in the order in which they should run
    """

    rows: int
    rejected: int
    looks: int
    new: int
    batch_ids: tuple[int, ...]


def plan_run(engine: Engine, settings: Settings, run: Run) -> Plan:
    """Read an export and write what it asks for to the ledger.

    :param engine: the ledger's
    :param settings: columns, casting rules, batch sizes
    :param run: which run asks
    :returns: counts, and the batches with work left
    :raises tryon_catalogue.exports.ExportError: when the file cannot be read as an export at all
    """
    with engine.begin() as connection:
        _open_run(connection, run)
    rows = rejected = wanted = 0
    for chunk in read_export(run.export, settings.export):
        with engine.begin() as connection:
            chunk_rejected, chunk_wanted = _record(connection, settings, run, chunk)
        rows += chunk.rows
        rejected += chunk_rejected
        wanted += chunk_wanted
    with engine.begin() as connection:
        new = _count_new(connection, run)
        _cut_batches(connection, settings, run)
        connection.execute(
            update(runs)
            .where(runs.c.id == run.id)
            .values(rows_read=rows, looks_known=wanted - new, looks_new=new)
        )
        batch_ids = _batches_with_work(connection, run)
    return Plan(rows, rejected, wanted, new, batch_ids)


def _open_run(connection: Connection, run: Run) -> None:
    values = {"export": run.export, "export_date": run.export_date}
    connection.execute(
        insert(runs).values(id=run.id, **values).on_conflict_do_update(index_elements=["id"], set_=values)
    )
    # A second try reads the export anew, and the export may have been put right in between.
    connection.execute(delete(rejections).where(rejections.c.run_id == run.id))


def _record(connection: Connection, settings: Settings, run: Run, chunk: Chunk) -> tuple[int, int]:
    """Write one chunk; returns the number of rejected rows and of looks that were asked for."""
    refused: list[Rejection] = list(chunk.rejections)
    casts: list[tuple[Garment, tuple[Look, ...]]] = []
    for garment in chunk.garments:
        answer = cast(garment, settings)
        if isinstance(answer, Rejection):
            refused.append(answer)
        else:
            casts.append((garment, answer))
    if refused:
        connection.execute(
            insert(rejections).on_conflict_do_nothing(), [_rejection_row(run, one) for one in refused]
        )
    if not casts:
        return len(refused), 0
    # Sorted, so that two runs which insert the same looks at once cannot wait for each other in a circle.
    rows = sorted(
        (
            (look.key, garment.line * LOOKS_PER_LINE + place, look)
            for garment, cast_looks in casts
            for place, look in enumerate(cast_looks)
        ),
        key=lambda row: (row[0], row[1]),
    )
    given = as_table([_look_row(run, *row) for row in rows], **{name: looks.c[name].type for name in LOOK_COLUMNS})
    connection.execute(
        insert(looks).from_select(LOOK_COLUMNS, select(*given.c)).on_conflict_do_nothing()
    )
    connection.execute(
        insert(run_looks)
        .from_select(
            ["run_id", "look_key"],
            select(literal(run.id), looks.c.key)
            .join(given, given.c.key == looks.c.key)
            .where(looks.c.state.in_(NOT_ENDED)),
        )
        .on_conflict_do_nothing()
    )
    _point_garments(connection, run, casts)
    return len(refused), len(rows)


def _point_garments(connection: Connection, run: Run, casts: list[tuple[Garment, tuple[Look, ...]]]) -> None:
    """Say which looks each garment has now, unless a newer export has said so already."""
    by_sku = sorted(casts, key=lambda one: one[0].sku)
    pointing = as_table(
        [
            {
                "sku": garment.sku,
                "position": place,
                "look_key": look.key,
                "title": garment.title,
                "collection": garment.collection,
            }
            for garment, cast_looks in by_sku
            for place, look in enumerate(cast_looks)
        ],
        **{name: garment_looks.c[name].type for name in GARMENT_COLUMNS},
    )
    statement = insert(garment_looks).from_select(
        [*GARMENT_COLUMNS, "export_date", "run_id"],
        select(*pointing.c, literal(run.export_date), literal(run.id)),
    )
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["sku", "position"],
            set_={
                **{name: new[name] for name in ("look_key", "title", "collection", "export_date", "run_id")},
                "written_state": case(
                    (garment_looks.c.look_key == new.look_key, garment_looks.c.written_state), else_=None
                ),
            },
            where=new.export_date >= garment_looks.c.export_date,
        )
    )
    # A garment that has fewer looks than before keeps none of the old ones.
    counts = as_table(
        [{"sku": garment.sku, "count": len(cast_looks)} for garment, cast_looks in by_sku],
        sku=garment_looks.c.sku.type,
        count=garment_looks.c.position.type,
    )
    connection.execute(
        delete(garment_looks).where(
            garment_looks.c.sku == counts.c.sku,
            garment_looks.c.position >= counts.c["count"],
            garment_looks.c.export_date <= run.export_date,
        )
    )


def _rejection_row(run: Run, one: Rejection) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "line": one.line,
        "sku": one.sku or None,
        "rule": one.rule.value,
        "column": one.column or None,
        "value": one.value[:LONGEST_VALUE] if one.value else None,
        "reason": one.reason,
    }


def _look_row(run: Run, key: str, position: int, look: Look) -> dict[str, Any]:
    return {
        "key": key,
        "fit_type": look.fit_type.value,
        "inference_num": look.inference_num,
        "model": look.model,
        "model_image": look.model_image,
        "tops_image": look.tops_image,
        "pants_image": look.pants_image,
        "mask_image": look.mask_image,
        "state": LookState.PLANNED.value,
        "position": position,
        "moved_run": run.id,
        "moved_try": run.mover.try_number,
    }


def _count_new(connection: Connection, run: Run) -> int:
    return connection.execute(
        select(func.count()).select_from(run_looks).where(run_looks.c.run_id == run.id)
    ).scalar_one()


def _cut_batches(connection: Connection, settings: Settings, run: Run) -> None:
    """Give each look that is still only planned a batch of this run.

    A look that another run has planned and not sent is taken over: a batch is a plan, and what decides who
    sends a look is the claim at submission. That way nothing waits for a run that has died.
    """
    ours = and_(run_looks.c.look_key == looks.c.key, run_looks.c.run_id == run.id)
    waiting = (
        select(looks.c.key, looks.c.fit_type, looks.c.inference_num)
        .join(run_looks, ours)
        .outerjoin(batches, batches.c.id == looks.c.batch_id)
        .where(
            looks.c.state == LookState.PLANNED.value,
            or_(looks.c.batch_id.is_(None), batches.c.run_id != run.id),
        )
    )
    count = connection.execute(select(func.count()).select_from(waiting.subquery())).scalar_one()
    size = MAX_TASKS * settings.batches.size_for(-(-count // MAX_TASKS))
    found = connection.execute(
        waiting.order_by(
            looks.c.fit_type, looks.c.inference_num, looks.c.position, looks.c.key
        ).with_for_update(of=looks, skip_locked=True),
        execution_options={"yield_per": size},  # a season's looks do not fit into memory at once
    )
    for (fit_type, inference_num), kind in groupby(found, key=lambda row: (row.fit_type, row.inference_num)):
        for part in batched(kind, size):
            batch_id = connection.execute(
                insert(batches)
                .values(run_id=run.id, fit_type=fit_type, inference_num=inference_num)
                .returning(batches.c.id)
            ).scalar_one()
            connection.execute(
                update(looks).where(looks.c.key.in_([row.key for row in part])).values(batch_id=batch_id)
            )


def _batches_with_work(connection: Connection, run: Run) -> tuple[int, ...]:
    return tuple(
        connection.execute(
            select(batches.c.id)
            .join(looks, looks.c.batch_id == batches.c.id)
            .where(batches.c.run_id == run.id, looks.c.state.in_(NOT_ENDED))
            .distinct()
            .order_by(batches.c.id)
        ).scalars()
    )
