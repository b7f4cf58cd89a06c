"""Loads what the tasks import into the scheduler, once, before it forks the processes that run them.

Importing pandas, SQLAlchemy and our own modules takes a task's process longer than most tasks work. With the
LocalExecutor those processes are forked from the scheduler, so what is loaded there is theirs at no cost. Other
components run no tasks and load nothing. Every Airflow process loads this module: it must import nothing heavy itself.
"""

from __future__ import annotations

import importlib
import logging
import sys
import time
from typing import Final

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)

SCHEDULER: Final = "scheduler"
"""The command of `airflow` that starts it; Airflow's job does not know its own type yet when it calls listeners."""
OF_TASKS: Final = (
    # Airflow's own, which the process of a task imports one by one.
    "airflow.dag_processing.dagbag",
    "airflow.sdk.definitions.asset.metadata",
    "airflow.sdk.execution_time.cache",
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.http.hooks.http",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.standard.operators.hitl",
    "airflow.providers.standard.operators.python",
    # Others', which are imported at first use by what is imported here.
    "PIL.BmpImagePlugin",
    "PIL.GifImagePlugin",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.PpmImagePlugin",
    "jinja2.ext",
    "pyarrow.pandas_compat",
    # Ours; what they import comes along.
    "damo_tryon.hooks",
    "tryon_catalogue.reporting.account",
    "tryon_catalogue.reporting.alerts",
    "tryon_catalogue.planning.approval",
    "tryon_catalogue.publishing.writeback",
    "tryon_catalogue.planning.reserve",
    "tryon_catalogue.workflow.export_sensor",
    "tryon_catalogue.workflow.export_trigger",
    "tryon_catalogue.exports.csv_files",
    "tryon_catalogue.exports.newest",
    "tryon_catalogue.exports.reading",
    "tryon_catalogue.publishing.postprocessing",
    "tryon_catalogue.workflow.form",
    "tryon_catalogue.workflow.groups",
    "tryon_catalogue.workflow.host_headers",
    "tryon_catalogue.pictures.reading",
    "tryon_catalogue.ledger.database",
    "tryon_catalogue.submission.gate",
    "tryon_catalogue.submission.journal",
    "tryon_catalogue.workflow.night",
    "tryon_catalogue.reporting.metrics",
    "tryon_catalogue.reporting.asset",
    "tryon_catalogue.reporting.notes",
    "tryon_catalogue.errors",
    "tryon_catalogue.workflow.plan_operator",
    "tryon_catalogue.planning.record",
    "tryon_catalogue.planning.preflight.person_check",
    "tryon_catalogue.planning.preflight.run",
    "tryon_catalogue.publishing.publisher",
    "tryon_catalogue.publishing.left_behind",
    "tryon_catalogue.planning.dry_run",
    "tryon_catalogue.workflow.context",
    "tryon_catalogue.workflow.airflow_note",
    "tryon_catalogue.submission.batch",
    "tryon_catalogue.submission.readiness",
)


@hookimpl
def on_starting(component: object) -> None:
    """Load the modules when the scheduler starts; Airflow calls this for every component and for every task."""
    missing = [name for name in OF_TASKS if name not in sys.modules]
    if SCHEDULER not in sys.argv[1:2] or not missing:
        return
    begun = time.monotonic()
    for name in missing:
        importlib.import_module(name)
    log.info("Loaded what tasks import, for all of them, in %.1f s", time.monotonic() - begun)


class TryOnPreloadPlugin(AirflowPlugin):
    """Listens for the start of the scheduler."""

    name = "tryon_preload"
    listeners = [sys.modules[__name__]]  # noqa: RUF012  # declared like this by the base class
