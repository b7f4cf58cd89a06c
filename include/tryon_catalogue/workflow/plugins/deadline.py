"""Makes the night's deadline known to Airflow: of a class of our own it takes only what a plugin registers.

Every Airflow process loads this module, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from tryon_catalogue.workflow.deadlines import DoneBy


class TryOnNightPlugin(AirflowPlugin):
    """Registers ``DoneBy``."""

    name = "tryon_night"
    deadline_references: list[Any] = [DoneBy]  # noqa: RUF012  # declared like this by the base class
