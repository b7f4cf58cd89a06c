"""The night: the export of the date becomes pictures in the catalogue table.

An export that is late is waited for, up to an hour that is set, and is then said to be missing.
Each garment is cast on models; each look that is new is submitted to the vendor, once; its pictures are archived and
their URLs written to the catalogue. A look that an earlier run has paid for is not paid for again, so clearing tasks
and starting a run anew are safe. The account at the end says what became of every row, and the verdict is red when
too little succeeded; looks in doubt wait for a person (`tryon doubts`). DAGs that run on the asset `tryon_catalogue`
run when there are new pictures.
"""

from __future__ import annotations

from datetime import UTC, datetime, time

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
from tryon_catalogue.deadlines import deadline_at
from tryon_catalogue.export_sensor import ExportSensor
from tryon_catalogue.groups import PUBLISH_FIRST, SUBMIT_FIRST, collect, default_args
from tryon_catalogue.news import NEWS
from tryon_catalogue.operators import SubmitBatchOperator
from tryon_catalogue.plan_operator import PlanOperator
from tryon_catalogue.run_errors import RunFailedError
from tryon_catalogue.settings import load_settings

settings = load_settings()

# A red run stays red: judging again changes nothing.
VERDICT_RETRIES = ExceptionRetryPolicy([RetryRule(RunFailedError, RetryAction.FAIL)])


@dag(
    dag_id="tryon_nightly",
    schedule=CronDataIntervalTimetable(night, timezone="UTC") if (night := settings.night.schedule) else None,
    start_date=datetime.combine(settings.night.start_date, time(), UTC),
    catchup=settings.night.catchup,
    deadline=deadline_at(settings.night.done_by),
    doc_md=__doc__,
    tags=["try-on"],
    default_args=default_args(settings),
    params={
        "export": Param(
            None,
            type=["null", "string"],
            title="Export",
            description="Path or URL of the export to read; empty for the one of the run's date.",
        ),
        "collections": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Collections",
            description="Only garments of these, one a line; empty for all.",
        ),
    },
)
def tryon_nightly() -> None:
    """Wait for the export, check and plan what it asks for, submit and publish each batch, account for every look."""

    @task
    def preflight() -> dict[str, int]:
        return tasks.preflight()

    @task_group
    def batch(batch_id: int) -> None:
        submit = SubmitBatchOperator(
            task_id="submit",
            batch_id=batch_id,
            conn_id=settings.vendor.conn_id,
            pool=settings.batches.pool,
            priority_weight=SUBMIT_FIRST,
        )
        submit >> collect(
            batch_id, settings, patience_seconds=settings.vendor.wait_minutes * 60, late_is_red=True
        )

    @task(trigger_rule="all_done", priority_weight=PUBLISH_FIRST, outlets=[NEWS])
    def account() -> dict[str, object]:
        return tasks.account()

    @task(retry_policy=VERDICT_RETRIES, priority_weight=PUBLISH_FIRST)
    def verdict() -> None:
        tasks.verdict()

    # Above [budget] approve_above it asks a person; below it never waits.
    plan = PlanOperator(task_id="plan", budget=settings.budget)
    ExportSensor(task_id="export", night=settings.night) >> preflight() >> plan
    batch.expand(batch_id=plan.output) >> account() >> verdict()


tryon_nightly()
