"""What a running task finds around it, without an Airflow: a context, and connections in the environment."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.context import OutletEventAccessors
from sqlalchemy import Engine

from tests.tryon_catalogue.helpers import connection_to_database
from tests.tryon_catalogue.vendor import Website, connection_to
from tryon_sandbox.server import RunningSandbox

NIGHT = datetime(2026, 11, 20, 2, tzinfo=UTC)


def context(
    *,
    dag_id: str = "dag",
    run_id: str = "night",
    run_type: str = "scheduled",
    logical_date: datetime | None = NIGHT,
    run_after: datetime = NIGHT,
    data_interval_end: datetime | None = None,
    try_number: int = 1,
    triggered_by: str | None = None,
    **params: object,
) -> Any:
    """Make the part of a task's context that the project looks at: ``pushed`` holds XComs, ``outlet_events`` news."""
    pushed: dict[str, object] = {}
    return {
        "dag_run": SimpleNamespace(
            dag_id=dag_id,
            run_id=run_id,
            run_type=run_type,
            logical_date=logical_date,
            run_after=run_after,
            data_interval_end=data_interval_end,
            triggering_user_name=triggered_by,
        ),
        "ti": SimpleNamespace(
            dag_id=dag_id,
            run_id=run_id,
            task_id="task",
            map_index=-1,
            try_number=try_number,
            xcom_push=pushed.__setitem__,
            pushed=pushed,
        ),
        "params": params,
        "outlet_events": OutletEventAccessors(),
    }


def set_scene(
    patch: pytest.MonkeyPatch, settings_file: Path, engine: Engine, vendor: RunningSandbox, site: Website
) -> None:
    """Put settings, connections and the website's models into the environment."""
    models = [{"name": "anna", "image": f"{site.url}/anna.png", "tags": ["women"]}]
    for name, value in {
        "TRYON_SETTINGS": str(settings_file),
        "TRYON_ROSTER__MODELS": json.dumps(models),
        "TRYON_VENDOR__FIRST_POLL_SECONDS": "0.01",
        "AIRFLOW_CONN_CATALOGUE_DB": connection_to_database(engine.url),
        "AIRFLOW_CONN_DAMO_TRYON": connection_to(vendor),
    }.items():
        patch.setenv(name, value)
