"""The vendor: how it is reached, how fast it is asked, and what is done when in doubt.

Sections of the settings; ``settings`` puts them together and says where they are read.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from pydantic import Field, model_validator

from tryon_catalogue.settings.money import Price, Use
from tryon_catalogue.settings.types import Name, Section

__all__ = ["OnDoubt", "Price", "SafetySettings", "Use", "VendorSettings"]


class VendorSettings(Section):
    """How the vendor is reached and how long it is waited for."""

    gone: ClassVar[Mapping[str, str]] = {
        "patience_seconds": "take it out: a task waits for its turn as long as it takes, and holds no place meanwhile"
    }

    conn_id: Name = Field("damo_tryon", description="Airflow connection of the vendor")
    wait_minutes: float = Field(
        60, gt=0, description="minutes a submission may take before its task gives up"
    )
    first_poll_seconds: float = Field(5, gt=0, description="seconds until the first look at a submission")
    max_poll_seconds: float = Field(60, gt=0, description="the longest pause between two looks, in seconds")
    submissions_per_second: float = Field(
        5, gt=0, le=1000, description="submissions a second at most, over all tasks and runs"
    )
    max_in_flight: int = Field(
        20, ge=0, description="submissions the vendor has at once at most; 0 for no limit"
    )
    retry_seconds: float = Field(30, ge=0, description="seconds until a task is tried again; they double")

    @model_validator(mode="after")
    def _polls_grow(self) -> "VendorSettings":
        if self.max_poll_seconds < self.first_poll_seconds:
            raise ValueError("max_poll_seconds is expected to be at least first_poll_seconds")
        return self


class OnDoubt(StrEnum):
    """What is done about looks that were sent and whose answer never came."""

    HOLD = "hold"
    """They wait for a person: `tryon doubts`."""
    RESUBMIT = "resubmit"
    """They are sent again by a later run, which may pay for them twice."""


class SafetySettings(Section):
    """What may be sent again although it may have been, or has been, paid for."""

    on_doubt: OnDoubt = Field(OnDoubt.HOLD, description="hold or resubmit")
    resubmit_after_hours: float = Field(
        24, ge=0, description="hours for which a look stays in doubt before it is sent again"
    )
    max_attempts: int = Field(
        2, ge=1, description="accepted submissions of a look that the vendor FAILED, in all"
    )
