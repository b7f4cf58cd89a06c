"""Backfills of the nightly DAG as a person makes, watches and stops them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import text

from tests.e2e.waiting import until
from tests.e2e.world import ENDED, World
from tests.guards import GUARD
from tryon_catalogue.workflow.policy import backfill_pool
from tryon_demo.scene import DAG_ID

POOL = backfill_pool("damo_tryon")
LONGEST_SEASON = 3 * GUARD


@dataclass(frozen=True, slots=True)
class Backfill:
    """One backfill of the nightly DAG.

    Attributes:
        id: In Airflow.
    """

    world: World
    id: int

    def cancel(self) -> None:
        """Do what Cancel does in the banner of the DAG's page."""
        self.world.scene.api._call("PUT", f"backfills/{self.id}/cancel")

    def runs(self, *states: str) -> list[Any]:
        """Read its runs in the order in which it starts them, those in the given states only."""
        query = text(
            "SELECT run.logical_date, run.state, run.start_date "
            "FROM dag_run run JOIN backfill_dag_run of_it ON of_it.dag_run_id = run.id "
            "WHERE of_it.backfill_id = :id ORDER BY of_it.sort_ordinal"
        )
        with self.world.airflow.connect() as connection:
            found = connection.execute(query, {"id": self.id}).all()
        return [one for one in found if not states or one.state in states]

    def end(self) -> list[Any]:
        """Wait until every run of it has ended and Airflow counts it as over, and return the runs."""
        query = text("SELECT completed_at FROM backfill WHERE id = :id")

        def ended() -> list[Any]:
            runs = self.runs()
            if any(run.state not in ENDED for run in runs):
                return []
            with self.world.airflow.connect() as connection:
                return runs if connection.execute(query, {"id": self.id}).scalar_one() else []

        return until(ended, f"backfill {self.id} has ended", seconds=LONGEST_SEASON, every=1)

    def tasks(self) -> list[Any]:
        """Read the tasks of its batches."""
        query = text(
            "SELECT ti.task_id, ti.run_id, ti.state, ti.pool, ti.scheduled_dttm, ti.queued_dttm "
            "FROM task_instance ti JOIN dag_run run USING (dag_id, run_id) "
            "JOIN backfill_dag_run of_it ON of_it.dag_run_id = run.id "
            "WHERE of_it.backfill_id = :id AND ti.map_index >= 0"
        )
        with self.world.airflow.connect() as connection:
            return list(connection.execute(query, {"id": self.id}).all())

    def tasks_in_pool(self, state: str) -> int:
        """Count its tasks that are in a state and in the pool of backfills."""
        return sum(task.state == state and task.pool == POOL for task in self.tasks())


def create_backfill(world: World, first: date, last: date, *options: str) -> Backfill:
    """Type `airflow backfill create` for the dates from the first to the last.

    Args:
        options: Further words of the command.
    """
    dates = ["--from-date", f"{first}", "--to-date", f"{last}"]
    world.airflow_command("backfill", "create", "--dag-id", DAG_ID, *dates, *options)
    with world.airflow.connect() as connection:
        return Backfill(world, connection.execute(text("SELECT max(id) FROM backfill")).scalar_one())
