"""What the tasks of the DAGs do: Airflow's context on one side, plain functions on the other.

Heavy imports stand inside the functions, because DAG files are parsed over and over.
"""

from __future__ import annotations

import logging
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.settings import load_settings

if TYPE_CHECKING:
    from airflow.sdk import Context
    from sqlalchemy import Engine

    from tryon_catalogue.settings import Settings

log = logging.getLogger(__name__)


def run_id_of(context: Context) -> str:
    """Give a run's id in the ledger: Airflow's run ids are unique only within a DAG."""
    dag_run = context["dag_run"]
    return f"{dag_run.dag_id}/{dag_run.run_id}"


def mover_of(context: Context) -> Mover:
    """Say who moves looks in this try of this task."""
    return Mover(run_id_of(context), context["ti"].try_number)


def export_date_of(context: Context) -> date:
    """Give the date whose export a run reads: its logical date, or the day of a run that was given none."""
    dag_run = context["dag_run"]
    moment = dag_run.logical_date or dag_run.run_after
    return moment.date()


def open_ledger() -> tuple[Settings, Engine]:
    """Read the settings and reach the ledger behind the connection they name."""
    from tryon_catalogue.ledger.database import engine_from_connection  # noqa: PLC0415  # heavy

    settings = load_settings()
    return settings, engine_from_connection(settings)


def plan() -> list[int]:
    """Read the export of the run's date and plan it.

    :returns: ids of the batches with work left
    :raises tryon_catalogue.exports.ExportError: the file cannot be read as an export
    :raises tryon_catalogue.catalogue.CatalogueError: the shop's table is not as the settings say
    """
    from tryon_catalogue.catalogue import Catalogue  # noqa: PLC0415  # heavy
    from tryon_catalogue.planning import Run, plan_run  # noqa: PLC0415  # heavy

    context = get_current_context()
    settings, engine = open_ledger()
    with engine.connect() as connection:
        Catalogue(connection, settings.catalogue)  # found out before money is spent, not after
    export_date = export_date_of(context)
    path = (context["params"] or {}).get("export") or settings.export.path_for(export_date)
    run = Run(run_id_of(context), path, export_date)
    planned = plan_run(engine, settings, run)
    log.info(
        "%s: %d rows, %d rejected; %d looks, %d of them to make, in %d batches",
        path,
        planned.rows,
        planned.rejected,
        planned.looks,
        planned.new,
        len(planned.batch_ids),
    )
    return list(planned.batch_ids)


def publish(batch_id: int) -> dict[str, int]:
    """Collect, archive and write back what the vendor made of a batch.

    :param batch_id: the batch
    :returns: counts
    :raises tryon_catalogue.publishing.PublishError: something could not be published in this try
    """
    from damo_tryon.hooks import DamoTryOnHook  # noqa: PLC0415  # heavy
    from tryon_catalogue.ledger.journal import load_batch  # noqa: PLC0415  # heavy
    from tryon_catalogue.publishing import Publisher, PublishError  # noqa: PLC0415  # heavy

    settings, engine = open_ledger()
    hook = DamoTryOnHook(http_conn_id=settings.vendor.conn_id)
    publisher = Publisher(engine, settings, hook.query, mover_of(get_current_context()))
    done = publisher.publish_batch(load_batch(engine, batch_id))
    log.info(
        "Batch %d: %d published, %d failed, %d waiting", batch_id, done.published, done.failed, done.waiting
    )
    if done.problems:
        raise PublishError(done.problems)
    return {"published": done.published, "failed": done.failed, "waiting": done.waiting}


def account() -> dict[str, Any]:
    """Write the account of the run, and fail the run when too little of it succeeded.

    :returns: counts
    :raises tryon_catalogue.account.RunFailedError: too little succeeded
    """
    from tryon_catalogue.account import close_run, judge  # noqa: PLC0415  # heavy

    settings, engine = open_ledger()
    closed = close_run(engine, settings, run_id_of(get_current_context()))
    log.info("%s", closed)
    judge(closed, settings.account)
    return closed.as_json()
