"""Runs the DAG ``shop`` in an Airflow of its own, and prints what became of it as JSON.

A program of its own: Airflow reads its settings when it is imported, and these are made for one test.
"""

from __future__ import annotations

import json
import sys

from airflow.dag_processing.dagbag import DagBag
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select


def main() -> None:
    """Print one line of JSON: states and tries of the tasks, what ``wait`` returned, what the task state holds."""
    initdb()
    run = DagBag().dags["shop"].test()
    tasks = {one.task_id: one for one in run.get_task_instances()}
    with create_session() as session:
        rows = session.execute(select(TaskStateStoreModel)).scalars().all()
        kept = [{"task": row.task_id, "expires": str(row.expires_at), "value": row.value} for row in rows]
    seen = {
        "states": {name: str(one.state) for name, one in tasks.items()},
        "tries": tasks["submit"].try_number,
        "summary": tasks["wait"].xcom_pull(task_ids="wait"),
        "kept": kept,
    }
    sys.stdout.write(f"\n{json.dumps(seen)}\n")


if __name__ == "__main__":
    main()
