"""Runs in the ledger: what one is, and what is noted of it before anything is planned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import rejections, runs
from tryon_catalogue.planning.request import EVERYTHING, Request
from tryon_catalogue.submission.stops import newer_than_stops

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from sqlalchemy import Connection, Engine


@dataclass(frozen=True, slots=True)
class Run:
    """One run over one export.

    Attributes:
        id: ``dag_id/run_id`` of the Airflow run.
        export: Path or URL of the export to read.
        export_date: The date that the export is of.
        request: What of the export it is asked for, and how.
        backfill: Whether it leaves to other runs what they are going to send.
    """

    id: str
    export: str
    export_date: date
    request: Request = EVERYTHING
    backfill: bool = False

    @property
    def mover(self) -> Mover:
        """Who moves looks on behalf of this run when it plans."""
        return Mover(self.id)


def begin_run(engine: Engine, run: Run) -> None:
    """Note a run before its export is looked for, so that whatever becomes of it, the ledger knows of it.

    A run that is begun again has no plan until its export is read once more.
    """
    with engine.begin() as connection:
        _note(connection, run, planned_at=None, problem=None)


def noted_export(engine: Engine, run_id: str) -> tuple[str, date] | None:
    """Give the export that was noted for a run when it began, and its date; None when the run is not known."""
    with engine.connect() as connection:
        found = connection.execute(
            select(runs.c.export, runs.c.export_date).where(runs.c.id == run_id)
        ).first()
    return None if found is None else (found.export, found.export_date)


def record_missing(engine: Engine, run: Run, problem: str) -> None:
    """Note with a run that its export did not come.

    Args:
        problem: Which export, and what to do.
    """
    with engine.begin() as connection:
        connection.execute(update(runs).where(runs.c.id == run.id).values(problem=problem))


def record_figures(engine: Engine, run: Run, figures: Mapping[str, Any]) -> None:
    """Keep the figures of a run that plans nothing.

    Args:
        figures: Column of its row -> value.
    """
    with engine.begin() as connection:
        open_run(connection, run)
        connection.execute(
            update(runs)
            .where(runs.c.id == run.id)
            .values(planned_at=newer_than_stops(), cut_at=func.now(), **figures)
        )


def open_run(connection: Connection, run: Run) -> None:
    """Note what a run is about to read, and forget what an earlier try rejected and decided."""
    _note(connection, run, cut_at=None)
    # A second try reads the export anew, and the export may have been put right in between.
    connection.execute(delete(rejections).where(rejections.c.run_id == run.id))


def _note(connection: Connection, run: Run, **more: object) -> None:
    values: dict[str, Any] = {
        "export": run.export,
        "export_date": run.export_date,
        "request": run.request.as_json(),
        "backfill": run.backfill,
        **more,
    }
    # Later than its last end, also where the clock was put back since: else it would count as over.
    anew = func.greatest(func.now(), runs.c.ended_at + timedelta(microseconds=1))
    connection.execute(
        insert(runs)
        .values(id=run.id, **values)
        .on_conflict_do_update(index_elements=["id"], set_={**values, "opened_at": anew})
    )
