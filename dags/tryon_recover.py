"""Recovery: what was paid for and no run collects any more is waited for, published and accounted for.

A run can die, be cleared, marked failed or deleted while the vendor works for it. Every accepted submission is in
the ledger, so this DAG finds those that nobody has collected, whosever they were, and collects them beside whatever
else runs. What was begun to be sent and never answered it puts in doubt, for a person to decide (`tryon doubts`). It
sends nothing to the vendor that costs money, and is over at once when nothing was left behind. What the vendor has not
ended is left to the next run; this one is red only when a task of its own has failed.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import CronTriggerTimetable, dag, task

from tryon_catalogue.reporting.asset import CATALOGUE_ALIAS
from tryon_catalogue.settings import load_settings
from tryon_catalogue.workflow import tasks
from tryon_catalogue.workflow.groups import COLLECT_FIRST, batch_arguments, default_args
from tryon_catalogue.workflow.operators import CollectBatchOperator

settings = load_settings()

# What is not ready by then is left to the next run. Short, because what is ready is published only after it, and the
# vendor's links are to be taken for dead after half an hour.
PATIENCE_SECONDS = 3 * 60


@dag(
    dag_id="tryon_recover",
    schedule=CronTriggerTimetable(often, timezone="UTC") if (often := settings.recovery.schedule) else None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,  # it spends nothing, and what is paid for is not to wait for a click
    doc_md=__doc__,
    tags=["try-on"],
    default_args=default_args(settings),
)
def tryon_recover() -> None:
    """Find what was left behind, wait for it and publish it, then bring the accounts of its runs up to date."""

    @task
    def find() -> list[int]:
        return tasks.find_left_behind()

    @task(trigger_rule="all_done", priority_weight=COLLECT_FIRST, outlets=[CATALOGUE_ALIAS])
    def account(batch_ids: list[int]) -> list[str]:
        return tasks.refresh_accounts(batch_ids)

    found = find()
    # In no pool of ours: those bound what is sent, and a large night that fills them would keep this waiting.
    collected = CollectBatchOperator.partial(
        task_id="batch",
        timeout=PATIENCE_SECONDS,
        late_fails=False,
        priority_weight=COLLECT_FIRST,
        **batch_arguments(settings),
    ).expand(batch_id=found)
    accounted = account(found)  # type: ignore[arg-type]  # Airflow's types know no XComArg here
    # The account is written whatever became of the rest, and would be green alone.
    verdict = EmptyOperator(task_id="verdict", trigger_rule="none_failed")
    collected >> accounted
    [found, collected, accounted] >> verdict


tryon_recover()
