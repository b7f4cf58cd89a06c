"""What Airflow's context says of a run: its id, its date, what it is asked for, and the ledger it keeps its books in.

Heavy imports stand inside the functions, because DAG files are parsed over and over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tryon_catalogue.planning.approval_options import FORM_FIELDS
from tryon_catalogue.settings import load_settings
from tryon_catalogue.workflow.policy import RUN_TYPE as BACKFILL

if TYPE_CHECKING:
    from datetime import date

    from airflow.sdk import Context
    from sqlalchemy import Engine

    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.planning.request import Request
    from tryon_catalogue.planning.runs import Run
    from tryon_catalogue.settings import Settings

ON_DEMAND = "tryon_on_demand"
"""The DAG for people, who mean the newest export there is where they name none."""


def run_id_of(context: Context) -> str:
    """Give a run's id in the ledger: Airflow's run ids are unique only within a DAG."""
    dag_run = context["dag_run"]
    return f"{dag_run.dag_id}/{dag_run.run_id}"


def mover_of(context: Context) -> Mover:
    """Say who moves looks in this try of this task."""
    from tryon_catalogue.ledger.moves import Mover

    return Mover(run_id_of(context), context["ti"].try_number)


def export_date_of(context: Context) -> date:
    """Give the date whose export a run reads: its logical date, or the day of a run that was given none."""
    dag_run = context["dag_run"]
    moment = dag_run.logical_date or dag_run.run_after
    return moment.date()


def request_of(context: Context) -> Request:
    """Read what a run is asked for.

    Raises:
        tryon_catalogue.planning.request.RequestError: Its parameters mean nothing.
    """
    from tryon_catalogue.planning.request import read_request

    # The fields of a task's own form stand beside the run's.
    return read_request(
        {name: value for name, value in (context["params"] or {}).items() if name not in FORM_FIELDS}
    )


def is_backfill(context: Context) -> bool:
    """Say whether a run belongs to a backfill, which goes behind the nights."""
    return context["dag_run"].run_type == BACKFILL


def open_ledger() -> tuple[Settings, Engine]:
    """Read the settings and reach the ledger behind the connection they name."""
    from tryon_catalogue.ledger.database import engine_from_connection

    settings = load_settings()
    return settings, engine_from_connection(settings)


def run_of(settings: Settings, context: Context) -> Run:
    """Say which run this is and which export it reads.

    Raises:
        tryon_catalogue.planning.request.RequestError: Its parameters mean nothing.
        tryon_catalogue.exports.ExportRefusedError: It may not be asked for the export that it names.
    """
    from tryon_catalogue.exports.newest import newest_export
    from tryon_catalogue.exports.requested import requested_place
    from tryon_catalogue.planning.runs import Run

    request = request_of(context)
    export_date = export_date_of(context)
    if request.export is not None:
        path = requested_place(request.export, settings.export.roots)
    else:
        path = settings.export.path_for(export_date)
    if _means_newest(request, context):
        path, export_date = newest_export(settings.export, export_date)
    return Run(run_id_of(context), path, export_date, request, is_backfill(context))


def begun_run_of(settings: Settings, engine: Engine, context: Context) -> Run:
    """Say which run this is, for the tasks after its first: the newest export is the one that was newest then.

    One that came in between has not been checked, so it must not be planned.

    Raises:
        tryon_catalogue.planning.request.RequestError: Its parameters mean nothing.
    """
    from tryon_catalogue.planning.runs import Run, noted_export

    request = request_of(context)
    noted = noted_export(engine, run_id_of(context)) if _means_newest(request, context) else None
    if noted is None:
        return run_of(settings, context)
    return Run(run_id_of(context), *noted, request, is_backfill(context))


def _means_newest(request: Request, context: Context) -> bool:
    return request.export is None and context["dag_run"].dag_id == ON_DEMAND
