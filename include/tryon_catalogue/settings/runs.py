"""Runs: when they start, how they are cut into tasks, when they are red, and what is recovered after them.

Sections of the settings; ``settings`` puts them together and says where they are read.
"""

from collections.abc import Mapping
from datetime import date, time
from typing import ClassVar

from pydantic import Field

from tryon_catalogue.settings.types import Name, OptionalHour, OptionalName, Section


class BatchSettings(Section):
    """How much a run takes, and how it is cut into mapped tasks."""

    gone: ClassVar[Mapping[str, str]] = {
        "pool_slots": "set [vendor] max_in_flight, which the pool is made to fit, and run `tryon init`"
    }

    max_submissions: int = Field(
        1000, ge=1, description="submissions, of up to ten looks, that a run sends at most"
    )
    submissions_per_batch: int = Field(1, ge=1, description="the fewest submissions a mapped task carries")
    max_batches: int = Field(1000, ge=1, le=1000, description="the most mapped tasks of a run")
    pool: Name = Field("damo_tryon", description="the Airflow pool that bounds what is in flight")

    def size_for(self, submissions: int) -> int:
        """Give the submissions a batch carries in a run of so many, so that ``max_batches`` are enough."""
        return max(self.submissions_per_batch, -(-submissions // self.max_batches))


class NightSettings(Section):
    """When the night runs, how long its export is waited for, and when it is to be done."""

    schedule: OptionalName = Field("0 2 * * *", description="cron, in UTC; empty for runs by hand only")
    start_date: date = Field(date(2026, 1, 1), description="the date of the first export, as 2026-01-31")
    catchup: bool = Field(False, description="whether nights that were not run since start_date are run")
    wait_until: OptionalHour = Field(
        time(5), description="UTC, hour:minute; empty: an export is not waited for"
    )
    look_every_seconds: float = Field(
        60, ge=5, description="seconds between two looks for an export that is not there yet"
    )
    done_by: OptionalHour = Field(time(6), description="UTC, hour:minute; empty: never late by the hour")


class BackfillSettings(Section):
    """What a backfill may take beside the night."""

    gone: ClassVar[Mapping[str, str]] = {
        "pool_slots": "set [backfill] max_in_flight, which the pool is made to fit, and run `tryon init`"
    }

    max_in_flight: int = Field(
        5,
        ge=0,
        description="a backfill submits only below so many submissions in flight; 0 for the night's limit",
    )


class RecoverySettings(Section):
    """The DAG that collects what is paid for and that no run collects any more."""

    schedule: OptionalName = Field("*/10 * * * *", description="cron, in UTC; empty for runs by hand only")
    after_minutes: float = Field(
        10, ge=0, description="minutes after which a submission counts as left behind"
    )


class AccountSettings(Section):
    """When a run is red. A run in which something was tried and nothing succeeded is red whatever is set."""

    min_success: float = Field(0.5, ge=0, le=1, description="share of what was tried, from 0 to 1")
