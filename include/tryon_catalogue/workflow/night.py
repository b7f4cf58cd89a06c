"""What a run does from its export to its account: the body of the DAGs that ask for pictures.

DAG files import this module: it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, task

from tryon_catalogue.errors import RunFailedError
from tryon_catalogue.exports.errors import ExportRefusedError
from tryon_catalogue.planning.request import RequestError
from tryon_catalogue.reporting.asset import CATALOGUE_ALIAS
from tryon_catalogue.workflow import tasks
from tryon_catalogue.workflow.export_sensor import ExportSensor
from tryon_catalogue.workflow.groups import (
    COLLECT_FIRST,
    LONGEST_LOOK,
    LONGEST_PREFLIGHT,
    batch_arguments,
)
from tryon_catalogue.workflow.operators import MakeBatchOperator
from tryon_catalogue.workflow.plan_operator import PlanOperator

if TYPE_CHECKING:
    from tryon_catalogue.settings import Settings

# A red run stays red: judging, or counting what was never begun, again changes nothing.
RED_RETRIES: Final = ExceptionRetryPolicy([RetryRule(RunFailedError, RetryAction.FAIL)])
PREFLIGHT_RETRIES: Final = ExceptionRetryPolicy(
    [RetryRule([RequestError, ExportRefusedError], RetryAction.FAIL, reason="a person has to put it right")]
)


def make_pictures(settings: Settings, *, wait_for_export: bool) -> None:
    """Check and plan what a run is asked for, submit, wait and publish each batch, account for every look.

    Args:
        wait_for_export: Whether an export that is late is waited for, as the settings say.
    """

    @task(retry_policy=PREFLIGHT_RETRIES, execution_timeout=LONGEST_PREFLIGHT)
    def preflight() -> dict[str, int]:
        return tasks.preflight()

    @task(
        trigger_rule="all_done",
        retry_policy=RED_RETRIES,
        priority_weight=COLLECT_FIRST,
        outlets=[CATALOGUE_ALIAS],
    )
    def account() -> dict[str, object]:
        return tasks.account()

    @task(retry_policy=RED_RETRIES, priority_weight=COLLECT_FIRST, execution_timeout=LONGEST_LOOK)
    def verdict() -> None:
        tasks.verdict()

    # Above [budget] approve_above it asks a person; below it never waits.
    plan = PlanOperator(task_id="plan", budget=settings.budget)
    export = ExportSensor(
        task_id="export", night=settings.night, waits=wait_for_export, execution_timeout=LONGEST_LOOK
    )
    export >> preflight() >> plan
    batch = MakeBatchOperator.partial(
        task_id="batch",
        pool=settings.batches.pool,
        timeout=settings.vendor.wait_minutes * 60,
        **batch_arguments(settings),
    )
    batch.expand(batch_id=plan.output) >> account() >> verdict()
