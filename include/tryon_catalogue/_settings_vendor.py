"""The vendor: how it is reached, how fast it is asked, what it charges, and what is done when in doubt.

Sections of the settings; ``settings`` puts them together and says where they are read.
"""

from decimal import Decimal
from enum import StrEnum

from pydantic import Field, model_validator

from tryon_catalogue._settings_types import Name, Section


class VendorSettings(Section):
    """How the vendor is reached and how long it is waited for."""

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
        20, ge=0, description="submissions the vendor works on at once at most; 0 for no limit"
    )
    patience_seconds: float = Field(
        300, gt=0, description="seconds a task waits to send one submission before it comes back later"
    )
    retry_seconds: float = Field(30, ge=0, description="seconds until a task is tried again; they double")

    @model_validator(mode="after")
    def _polls_grow(self) -> "VendorSettings":
        if self.max_poll_seconds < self.first_poll_seconds:
            raise ValueError("max_poll_seconds is expected to be at least first_poll_seconds")
        return self


class Use(StrEnum):
    """What the vendor charges one use for. Its document does not say; a picture is the careful reading."""

    PICTURE = "picture"
    LOOK = "look"
    SUBMISSION = "submission"


class Price(Section):
    """What the vendor charges: it seems 475 CNY for 500 uses, so 0.95 each (vendor document, section 2)."""

    currency: Name = Field("CNY", description="the currency's code, for reports")
    per_use: Decimal = Field(Decimal("0.95"), ge=0, description="price of one use")
    use: Use = Field(Use.PICTURE, description="what one use is: picture, look or submission")

    def uses(self, *, looks: int, pictures: int, submissions: int) -> int:
        """Give how many uses are charged for so many looks with so many pictures in so many submissions."""
        return {Use.PICTURE: pictures, Use.LOOK: looks, Use.SUBMISSION: submissions}[self.use]

    def cost(self, *, looks: int, pictures: int, submissions: int) -> Decimal:
        """Give the price, in ``currency``, of what `uses` counts."""
        return self.per_use * self.uses(looks=looks, pictures=pictures, submissions=submissions)


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
