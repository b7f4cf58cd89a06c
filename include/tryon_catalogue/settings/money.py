"""Money: what the vendor charges, what may be spent, and when a person is asked first.

Sections of the settings; ``settings`` puts them together and says where they are read.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from pydantic import Field, field_validator, model_validator

from tryon_catalogue.settings.types import Name, Section

MONTH = timedelta(days=30)
"""A pack is good for one month (vendor document, section 2); the shortest reading that is not February's."""


class Use(StrEnum):
    """What the vendor charges one use for. Its document does not say; a picture is the careful reading."""

    PICTURE = "picture"
    LOOK = "look"
    SUBMISSION = "submission"


class FailedLooks(StrEnum):
    """What a look costs that the vendor accepted and FAILED. Its document does not say."""

    CHARGED = "charged"
    FREE = "free"


class Pack(Section):
    """A pack of uses, bought in advance. Used up or expired, each further use costs ``[price] per_use``."""

    name: Name = Field(description="what people call it; unique among the packs")
    size: int = Field(gt=0, description="uses in it: 500, 5000 or 10000")
    price: Decimal = Field(ge=0, description="what was paid for it")
    bought_at: datetime = Field(description="when it was bought; a date or moment, in UTC without an offset")
    expires_at: datetime | None = Field(
        None, description="when it ends; 30 days after it was bought when left out"
    )

    @field_validator("bought_at", "expires_at")
    @classmethod
    def _with_offset(cls, moment: datetime | None) -> datetime | None:
        return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Pack":
        if self.ends_at <= self.bought_at:
            raise ValueError("expires_at is expected to be after bought_at")
        return self

    @property
    def ends_at(self) -> datetime:
        """The moment from which it is good for nothing."""
        return self.expires_at or self.bought_at + MONTH


class Order(StrEnum):
    """Which looks go first when a limit does not let all of them go. What waited before comes before these."""

    EXPORT = "export"
    NEWEST_COLLECTION = "newest_collection"
    """Those of the collection whose name first appeared in an export last; garments without one go last."""
    PRIORITY = "priority"
    """Those with the highest number in the column of that name; garments without a number go last."""


class Unanswered(StrEnum):
    """What is taken for the answer of a person who did not give one in time."""

    REJECT = "reject"
    APPROVE = "approve"


class Approver(Section):
    """Who may answer when a run asks whether it may spend."""

    id: Name = Field(
        description="as Airflow's auth manager knows the person; the user name where it has no other"
    )
    name: str = Field("", description="the user name, where the id is another")

    @model_validator(mode="before")
    @classmethod
    def _of_an_id(cls, given: object) -> object:
        return {"id": given} if isinstance(given, str) else given


class BudgetSettings(Section):
    """What may be spent at most, in the currency of the price, and from when on a person decides. 0: no limit."""

    per_run: Decimal = Field(Decimal(0), ge=0, description="a run's limit; 0 for none")
    per_day: Decimal = Field(Decimal(0), ge=0, description="a day's limit over all runs, in UTC; 0 for none")
    per_collection: Decimal = Field(
        Decimal(0), ge=0, description="a collection's limit over all runs and days; 0 for none"
    )
    order: Order = Field(Order.EXPORT, description="export, newest_collection or priority")
    approve_above: Decimal = Field(
        Decimal(0), ge=0, description="a run that would cost more asks a person first; 0 to never ask"
    )
    answer_within_hours: float = Field(
        12, gt=0, description="hours after which the question is taken as answered"
    )
    unanswered: Unanswered = Field(Unanswered.REJECT, description="that answer: reject or approve")
    approvers: tuple[Approver, ...] = Field(
        (), description="who may answer; empty for whoever may in Airflow"
    )
    approve_own_runs: bool = Field(
        False, description="whether one of them may answer for a run of their own where others could"
    )

    def approvers_of(self, triggered_by: str | None) -> tuple[Approver, ...]:
        """Give who may answer for a run; empty for everybody.

        Args:
            triggered_by: The user name of who has triggered the run; None for a schedule.
        """
        others = tuple(person for person in self.approvers if triggered_by not in {person.id, person.name})
        return self.approvers if self.approve_own_runs or not others else others


class Price(Section):
    """What the vendor charges: it seems 475 CNY for 500 uses, so 0.95 each (vendor document, section 2)."""

    currency: Name = Field("CNY", description="the currency's code, for reports")
    per_use: Decimal = Field(Decimal("0.95"), ge=0, description="price of one use")
    use: Use = Field(Use.PICTURE, description="what one use is: picture, look or submission")
    failed: FailedLooks = Field(
        FailedLooks.CHARGED, description="what looks cost that the vendor FAILED: charged or free"
    )
    packs: tuple[Pack, ...] = Field((), description="packs of uses that were bought")

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Price":
        names = [pack.name for pack in self.packs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"packs: {', '.join(twice)} stands for more than one; give each pack its own name"
            )
        return self

    def uses(self, *, looks: int, pictures: int, submissions: int) -> int:
        """Give how many uses are charged for so many looks with so many pictures in so many submissions."""
        return {Use.PICTURE: pictures, Use.LOOK: looks, Use.SUBMISSION: submissions}[self.use]

    def cost(self, *, looks: int, pictures: int, submissions: int) -> Decimal:
        """Give the price, in ``currency``, of what `uses` counts."""
        return self.per_use * self.uses(looks=looks, pictures=pictures, submissions=submissions)
