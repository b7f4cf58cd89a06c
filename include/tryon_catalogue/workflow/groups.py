"""Pieces that several DAGs are made of. DAG files import this module: it imports nothing heavy."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tryon_catalogue.settings import Settings

# What only collects, and what ends a run, goes before what asks for more. Among the batches of a run Airflow takes the
# lower index first, so one that comes back with its results goes before those that have not begun.
COLLECT_FIRST: Final = 10

# How long one try may hold a worker's slot; what waits in the triggerer or for a person does not count. Longer than any
# honest try by far: it is there for what would never end.
LONGEST_LOOK = timedelta(minutes=10)
LONGEST_WORK = timedelta(hours=1)
LONGEST_PREFLIGHT = timedelta(hours=6)  # fetches each picture of a season once


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


def batch_arguments(settings: Settings) -> dict[str, Any]:
    """Give what the operators of a batch have in common, whether they make it or only collect it."""
    return {
        "conn_id": settings.vendor.conn_id,
        "poke_interval": settings.vendor.first_poll_seconds,
        "max_wait": settings.vendor.max_poll_seconds,
    }
