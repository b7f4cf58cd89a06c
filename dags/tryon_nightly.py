"""The night: the export of the date becomes pictures in the catalogue table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import (
    CronDataIntervalTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    dag,
    task,
    task_group,
)
from tryon_catalogue import tasks
from tryon_catalogue.operators import SubmitBatchOperator, WaitForBatchSensor
from tryon_catalogue.settings import load_settings

settings = load_settings()

# The vendor's links die: what collects pictures goes before what asks for more.
SUBMIT_FIRST, WAIT_FIRST, PUBLISH_FIRST = 1, 5, 10
# A red account stays red: counting again changes nothing.
ACCOUNT_RETRIES = ExceptionRetryPolicy(
    [RetryRule("tryon_catalogue.account.RunFailedError", RetryAction.FAIL)]
)


@dag(
    dag_id="tryon_nightly",
    schedule=CronDataIntervalTimetable(night, timezone="UTC") if (night := settings.night.schedule) else None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    doc_md=__doc__,
    tags=["try-on"],
    default_args={
        "owner": "catalogue",
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "weight_rule": "absolute",
    },
    params={
        "export": Param(
            None,
            type=["null", "string"],
            title="Export",
            description="Path or URL of the export to read; empty for the one of the run's date.",
        )
    },
)
def tryon_nightly() -> None:
    """Read and plan the export, then submit, wait and publish each batch, then account for every look."""

    @task
    def plan() -> list[int]:
        return tasks.plan()

    @task_group
    def batch(batch_id: int) -> None:
        submit = SubmitBatchOperator(
            task_id="submit",
            batch_id=batch_id,
            conn_id=settings.vendor.conn_id,
            pool=settings.batches.pool,
            priority_weight=SUBMIT_FIRST,
        )
        # Whatever became of the submitting, what is in the ledger is paid for and is waited for.
        wait = WaitForBatchSensor(
            task_id="wait",
            batch_id=batch_id,
            conn_id=settings.vendor.conn_id,
            timeout=settings.vendor.wait_minutes * 60,
            poke_interval=settings.vendor.first_poll_seconds,
            max_wait=settings.vendor.max_poll_seconds,
            pool=settings.batches.pool,
            priority_weight=WAIT_FIRST,
            trigger_rule="all_done",
        )

        @task(priority_weight=PUBLISH_FIRST, trigger_rule="all_done")
        def publish(batch_id: int) -> dict[str, int]:
            return tasks.publish(batch_id)

        submit >> wait >> publish(batch_id)

    @task(trigger_rule="all_done", retry_policy=ACCOUNT_RETRIES, priority_weight=PUBLISH_FIRST)
    def account() -> dict[str, object]:
        return tasks.account()

    batch.expand(batch_id=plan()) >> account()


tryon_nightly()
