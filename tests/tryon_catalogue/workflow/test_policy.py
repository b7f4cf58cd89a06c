"""What Airflow is told of the tasks of a backfill."""

from __future__ import annotations

from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

import pytest

from tryon_catalogue.workflow import policy as backfill_policy
from tryon_catalogue.workflow.groups import COLLECT_FIRST
from tryon_catalogue.workflow.policy import (
    DAG_IDS,
    NO_POOL_OF_OURS,
    backfill_pool,
    task_instance_mutation_hook,
)

BACKFILL = SimpleNamespace(run_type="backfill")
NIGHT = SimpleNamespace(run_type="scheduled")


def one_task(
    weight: int = 1,
    *,
    pool: str = "shop",
    dag_id: str = "tryon_nightly",
    run_id: str = "scheduled__2026-11-20",
) -> Any:
    """Make a task instance as Airflow has just made it."""
    task = SimpleNamespace(task_id="batch", pool=pool, priority_weight=weight)
    return SimpleNamespace(dag_id=dag_id, run_id=run_id, task=task, pool=pool, priority_weight=weight)


def told(task: Any, run: Any) -> tuple[str, int]:
    task_instance_mutation_hook(task, run)
    return task.pool, task.priority_weight


def test_batches_of_a_backfill_are_in_a_pool_of_their_own() -> None:
    assert told(one_task(), BACKFILL)[0] == backfill_pool("shop") == "shop_backfill"


def test_tasks_without_a_pool_stay_without_one() -> None:
    assert told(one_task(pool=NO_POOL_OF_OURS), BACKFILL)[0] == NO_POOL_OF_OURS


def test_the_last_of_a_night_goes_before_the_first_of_a_backfill() -> None:
    assert told(one_task(), NIGHT)[1] > told(one_task(COLLECT_FIRST), BACKFILL)[1]


def test_a_backfill_too_ends_a_run_before_it_asks_for_more() -> None:
    assert told(one_task(COLLECT_FIRST), BACKFILL)[1] > told(one_task(), BACKFILL)[1]


@pytest.mark.parametrize("run", [NIGHT, SimpleNamespace(run_type="manual"), None])
def test_a_night_is_left_as_it_is(run: Any) -> None:
    assert told(one_task(5), run) == ("shop", 5)


def test_the_dags_of_others_are_left_as_they_are() -> None:
    assert told(one_task(5, dag_id="sales_report"), BACKFILL) == ("shop", 5)


def test_a_backfill_is_known_by_its_id_where_there_is_no_run_at_hand() -> None:
    assert told(one_task(run_id="backfill__2026-11-20T02:00:00+00:00"), None)[0] == "shop_backfill"


def test_telling_it_twice_is_telling_it_once() -> None:
    task = one_task(5)
    assert told(task, BACKFILL) == told(task, BACKFILL)


def test_airflow_finds_the_policy() -> None:
    (found,) = entry_points(group="airflow.policy", name="tryon_backfill")
    assert found.load() is backfill_policy


def test_it_names_the_dag_that_has_a_schedule_to_fill_back() -> None:
    assert {"tryon_nightly"} == DAG_IDS
