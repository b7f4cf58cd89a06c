"""Runs a DAG in this one process, and prints what became of each run as JSON.

A program of its own: Airflow reads its settings when it is imported, and these are made for one test.
`python run_dag.py FOLDER DAG DATE...` runs it once for each date, given as 2026-11-20.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from airflow.dag_processing.dagbag import DagBag
from airflow.models.pool import Pool
from airflow.utils.db import initdb

from tryon_catalogue.settings import load_settings


def main(folder: str, dag_id: str, dates: list[str]) -> None:
    """Print one line of JSON: the state of each run, and of its tasks."""
    initdb()
    Pool.create_or_update_pool(load_settings().batches.pool, 16, "", include_deferred=True)
    dag = DagBag(dag_folder=folder).dags[dag_id]
    seen = []
    for date in dates:
        run = dag.test(logical_date=datetime.fromisoformat(date).replace(tzinfo=UTC))
        tasks = sorted((one.task_id, one.map_index, str(one.state)) for one in run.get_task_instances())
        seen.append({"state": str(run.state), "tasks": tasks})
    sys.stdout.write(f"\n{json.dumps(seen)}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
