"""Pieces that several DAGs are made of. DAG files import this module: it imports nothing heavy."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import task

from damo_tryon.sensors import RESULT_RETRY_POLICY
from tryon_catalogue.workflow import tasks
from tryon_catalogue.workflow.operators import WaitForBatchSensor

if TYPE_CHECKING:
    from tryon_catalogue.settings import Settings

# The vendor's links die: what collects pictures goes before what asks for more.
SUBMIT_FIRST, WAIT_FIRST, PUBLISH_FIRST = 1, 5, 10

FEWEST_THAT_HOLD_WAITS: Final = 8

# How long one try may hold a worker's slot; what waits in the triggerer or for a person does not count. Longer than any
# honest try by far: it is there for what would never end.
LONGEST_LOOK = timedelta(minutes=10)
LONGEST_WORK = timedelta(hours=1)
LONGEST_PREFLIGHT = timedelta(hours=6)  # fetches each picture of a season once


@task(
    task_id="publish",
    priority_weight=PUBLISH_FIRST,
    trigger_rule="all_done",
    retry_policy=RESULT_RETRY_POLICY,
)
def _publish(batch_id: int) -> dict[str, int]:
    return tasks.publish(batch_id)


def default_args(settings: Settings) -> dict[str, Any]:
    """Give what every task of the project's DAGs has in common."""
    return {
        "owner": "catalogue",
        "retries": 3,
        "retry_delay": timedelta(seconds=settings.vendor.retry_seconds),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": LONGEST_WORK,
        "weight_rule": "absolute",
    }


def pool_of_waits(settings: Settings) -> str | None:
    """Give the pool of the tasks that wait for results, or None for Airflow's default one.

    In the pool of what is sent they keep a batch from starting before there is room for it. But between a submission
    and the start of its wait another batch may take the slot and stand in the line; in a pool of few slots such batches
    soon hold all of them, and each waits for what no wait comes in to collect.
    """
    most = settings.vendor.max_in_flight
    return None if 0 < most < FEWEST_THAT_HOLD_WAITS else settings.batches.pool


def collect(
    batch_id: int, settings: Settings, *, patience_seconds: float, late_fails: bool, pool: str | None = None
) -> WaitForBatchSensor:
    """Wait for everything of a batch that is paid for, then publish it: the tasks ``wait`` and ``publish``.

    Whatever became of the tasks before it, both run: what is in the ledger is paid for. Publishing collects what
    there is even when the waiting was in vain.

    Args:
        batch_id: The batch's id in the ledger, usually of a mapped task group.
        late_fails: Whether a vendor that takes longer fails the task `wait`, or skips it because somebody comes again
            anyway; whether the run is red is for its last task to say.
        pool: Whose places waiting takes; None where nothing is sent that is to be bounded: Airflow's default one.

    Returns:
        The first of the two, to be set behind what comes before.
    """
    wait = WaitForBatchSensor(
        task_id="wait",
        batch_id=batch_id,
        conn_id=settings.vendor.conn_id,
        timeout=patience_seconds,
        soft_fail=not late_fails,
        poke_interval=settings.vendor.first_poll_seconds,
        max_wait=settings.vendor.max_poll_seconds,
        pool=pool,
        priority_weight=WAIT_FIRST,
        trigger_rule="all_done",
    )
    wait >> _publish(batch_id)
    return wait
