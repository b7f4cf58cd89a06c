"""Looks at a folder of DAG files the way Airflow does, and prints what it saw as JSON.

A program of its own: importing DAG files fills a process with Airflow's settings and modules, which the process that
runs the tests is to be spared. `python look_at_dags.py FOLDER`.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import sys
from pathlib import Path
from typing import Any

# What Airflow and its providers bring by themselves, before any DAG file has a say.
import airflow.providers.http.hooks.http
import airflow.providers.http.triggers.http
import airflow.providers.standard.operators.hitl
import airflow.sdk  # noqa: F401


def modules_brought_by(file: str) -> list[str]:
    """The modules that one file's import adds; none when it cannot be imported, which the loader reports."""
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location("the_dag_file", file)
    if spec is None or spec.loader is None:
        return []
    try:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    except Exception:  # noqa: BLE001 - whatever is wrong with the file, DagBag says it better
        return []
    return sorted(set(sys.modules) - before)


def dags_in(folder: Path) -> dict[str, Any]:
    """Airflow's own errors about the folder, and each DAG with what the tests ask about it."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(folder))
    dags = {
        dag.dag_id: {
            "file": dag.fileloc,
            "tags": sorted(dag.tags),
            "doc": dag.doc_md or "",
            "catchup": dag.catchup,
            "deadlines": [deadline.name for deadline in dag.deadline or ()],
            "tasks": {
                task.task_id: {
                    "owner": task.owner,
                    "retries": task.retries,
                    "seconds": task.execution_timeout.total_seconds() if task.execution_timeout else None,
                    "pool": task.pool,
                    "upstream": sorted(task.upstream_task_ids),
                    "outlets": [outlet.name for outlet in task.outlets],
                }
                for task in dag.tasks
            },
        }
        for dag in bag.dags.values()
    }
    return {"errors": bag.import_errors, "dags": dags}


def main(folder: Path) -> None:
    """Print one line of JSON."""
    files = sorted(str(path) for path in folder.rglob("*.py"))
    before = sorted(sys.modules)
    # Each file in a process of its own that starts from here, so that no file profits from another's imports.
    with multiprocessing.get_context("fork").Pool(processes=1, maxtasksperchild=1) as pool:
        brought = dict(zip(files, pool.map(modules_brought_by, files, chunksize=1), strict=True))
    sys.stdout.write(json.dumps({"before": before, "brought": brought, **dags_in(folder)}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
