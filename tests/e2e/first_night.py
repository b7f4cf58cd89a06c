"""The first night of a scene: it starts by itself, by its schedule, on the sample catalogue, and is watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import create_engine, text

from tests.e2e.waiting import until
from tryon_demo.local.api import DagRun
from tryon_demo.scene import DAG_ID, Scene

BATCH = "batch"

SCHEDULE = "0 0 * * 1"
"""Weekly, so that backfills have dates to run for and no second night starts by itself while the tests run."""
WEEK = timedelta(days=7)


@dataclass(slots=True)
class FirstNight:
    """What was seen of the first night while it ran.

    Attributes:
        run: How it ended.
        deferred: Map indexes of the waiting tasks that were seen deferred.
        triggers: Rows of Airflow's table of triggers as they were seen, as text.
    """

    run: DagRun
    deferred: set[int] = field(default_factory=set)
    triggers: set[str] = field(default_factory=set)

    @property
    def ledger_id(self) -> str:
        """The run's id in the ledger."""
        return f"{DAG_ID}/{self.run.run_id}"


def last_dates(count: int, now: datetime | None = None) -> Sequence[date]:
    """Give the dates of the last intervals of the schedule that are over, the newest first."""
    today = (now or datetime.now(UTC)).date()
    monday = today - timedelta(days=today.weekday())
    return [monday - WEEK * number for number in range(1, count + 1)]


def live_through_first_night(scene: Scene) -> FirstNight:
    """Export the samples, unpause the DAG, and watch the night that its schedule owes.

    Args:
        scene: paused.
    """
    newest = last_dates(1)[0]
    for day in (newest, newest + WEEK):  # should a new week begin this very minute
        scene.write_export(day)
    # However slow this machine is, the vendor is slower: every batch is seen to wait.
    scene.set_faults([{"kind": "still_running", "times": None}])
    scene.api.unpause(DAG_ID)
    run = until(lambda: scene.api.dag_runs(DAG_ID), "the schedule has started a night", every=0.5)[0]
    seen = FirstNight(run)
    airflow = create_engine(scene.stack.postgres.url("airflow"))

    def all_wait() -> bool:
        tasks = [one for one in scene.api.task_instances(DAG_ID, run.run_id) if one.task_id == BATCH]
        seen.deferred = {one.map_index for one in tasks if one.state == "deferred"}
        return bool(tasks) and len(seen.deferred) == len(tasks) and tasks[0].map_index >= 0

    def ended() -> bool:
        seen.run = scene.api.dag_run(DAG_ID, run.run_id)
        return seen.run.state.ended

    try:
        until(all_wait, "every batch of the first night waits in the triggerer", every=1.0)
        with airflow.connect() as connection:
            rows = connection.execute(text("SELECT trigger::text FROM trigger")).scalars()
            seen.triggers.update(rows)
    finally:
        airflow.dispose()
        scene.set_faults([])
    until(ended, "the first night has ended", every=1.0)
    return seen
