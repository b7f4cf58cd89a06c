"""Waiting for a night's question whether it may spend."""

from __future__ import annotations

from typing import Final

from tests.e2e.waiting import until
from tests.e2e.world import Night
from tryon_demo.scene import DAG_ID

ASKED: Final = "awaiting_input"


def wait_for_question(night: Night) -> None:
    """Wait until a night asks, and until the scheduler knows that its task has stepped aside.

    No person is as quick as a test. Airflow takes an answer within that second for a task that has died, and tries the
    task again, which asks again.
    """
    night.wait_for_tasks("plan", ASKED)
    log = night.world.scene.stack.process("scheduler").log_path
    known = f"event with state success for task instance TaskInstanceKey(dag_id='{DAG_ID}', task_id='plan', "
    known += f"run_id='{night.run_id}',"
    until(lambda: known in log.read_text(errors="replace"), f"{night.run_id} has stepped aside", every=0.3)
