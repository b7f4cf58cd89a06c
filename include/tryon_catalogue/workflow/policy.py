"""What Airflow does with the tasks of a backfill: a pool of their own, and behind the night wherever both wait.

Airflow asks this cluster policy (entry point ``airflow.policy``) about every task that it makes, of any DAG. Without
it a backfill's tasks would go first, for among equals Airflow takes the older date, and its waiting batches would
hold the night's pool. The scheduler runs it in its loop: it must not read settings, import anything heavy or raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow.policies import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance

DAG_IDS: Final = frozenset({"tryon_nightly"})
RUN_TYPE: Final = "backfill"
RUN_ID_PREFIX: Final = f"{RUN_TYPE}__"
NO_POOL_OF_OURS: Final = "default_pool"
BEHIND_THE_NIGHT: Final = 100
"""By how much the priority of a backfill's tasks is lower; more than any two tasks of a night differ by."""


def backfill_pool(pool: str) -> str:
    """Give the name of the pool that a backfill's batches are in."""
    return f"{pool}_backfill"


@hookimpl
def task_instance_mutation_hook(task_instance: TaskInstance, dag_run: DagRun | None) -> None:
    """Move a task of a backfill to its own pool and behind the night. Asked again, it changes nothing more.

    Args:
        task_instance: Of any DAG; changed in place.
        dag_run: Its run; None where Airflow has none at hand, and asks again later.
    """
    task = task_instance.task
    if task_instance.dag_id not in DAG_IDS or task is None or not _of_backfill(task_instance, dag_run):
        return
    if task.pool != NO_POOL_OF_OURS:
        task_instance.pool = backfill_pool(task.pool)
    task_instance.priority_weight = task.priority_weight - BEHIND_THE_NIGHT


def _of_backfill(task_instance: TaskInstance, dag_run: DagRun | None) -> bool:
    if dag_run is None:
        return (task_instance.run_id or "").startswith(RUN_ID_PREFIX)
    return dag_run.run_type == RUN_TYPE
