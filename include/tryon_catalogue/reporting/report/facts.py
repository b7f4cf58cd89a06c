"""What the report of a run holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.request import NOTHING_THERE

if TYPE_CHECKING:
    from tryon_catalogue.exports import Rejection
    from tryon_catalogue.reporting.account import Account
    from tryon_catalogue.submission.doubts import Doubt
    from tryon_catalogue.submission.stops import Stop


@dataclass(frozen=True, slots=True)
class ReportedInput:
    """An input image of a look.

    Attributes:
        role: What it shows: model, top, bottom.
        sha256: Digest of its bytes, hex, under which the archive keeps a small copy; None while not known.
        warnings: What preflight found of it that breaks no rule, and what to do.
    """

    role: str
    sha256: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportedPicture:
    """A picture of a look.

    Attributes:
        path: Where the archive keeps it.
        thumbnail: Where the archive keeps a small copy of it; None without one.
        url: What the catalogue shows.
        sha256: Digest of its bytes, hex.
        score: Of our own check, 0 to 1; None when it was not judged.
        number: Of its file, from 1: reasons name it by that.
        doubts: What speaks against it, one line each; empty when nothing does.
        left_out: Whether the catalogue does not show it although the look is published.
    """

    path: str
    thumbnail: str | None
    url: str
    sha256: str
    score: float | None
    number: int = 1
    doubts: str = ""
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class ReportedLook:
    """A look that the run asked for, and where it stands.

    Attributes:
        key: The look's key.
        skus: Of the garments that it shows; empty when no garment has it now.
        title: Of the first of them.
        collection: Of the first of them.
        model: Roster name; empty when the export named the picture.
        state: Where it stands.
        reason: Why, in words; may be empty.
        inputs: Of the model, top and, where there is one, bottom.
        pictures: In the order of their numbers.
        carried_by: The run that sees to it, where that is another one; else empty.
        held: Whether no run sees to it: no money, or no approval.
    """

    key: str
    skus: tuple[str, ...]
    title: str
    collection: str
    model: str
    state: LookState
    reason: str
    inputs: tuple[ReportedInput, ...]
    pictures: tuple[ReportedPicture, ...]
    carried_by: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True)
class ReportedDoubt:
    """A submission in doubt, and what it costs if the vendor has it."""

    doubt: Doubt
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Selection:
    """What a page of the Airflow UI is asked to show of a run: the looks that fit all that is named, a page at a time.

    Attributes:
        page: Of the looks, from 1.
        rejections: Page of the rejections, from 1.
        look: The key of a look; in place of a page, the one that it is on, among all looks.
        state: Only looks in this state.
        collection: Only looks of a garment of this collection.
        model: Only looks on this model.
        text: Only looks of a garment with each of these words in its sku or its title.
    """

    page: int = 1
    rejections: int = 1
    look: str = ""
    state: str = ""
    collection: str = ""
    model: str = ""
    text: str = ""

    @property
    def filters(self) -> dict[str, str]:
        """Name -> value of what narrows the looks down; empty for all of them, and where a look is looked for."""
        named = {"state": self.state, "collection": self.collection, "model": self.model, "text": self.text}
        return {} if self.look else {name: str(value) for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Extract:
    """The part of a run that one page of the Airflow UI shows.

    Attributes:
        filters: See ``Selection``.
        page: Of the looks, from 1.
        pages: Of the looks that fit.
        found: Looks that fit.
        rejection_page: Of the rejections, from 1.
        rejection_pages: Of the rejections.
        collections: Of all looks of the run, to choose from.
        models: Of all looks of the run, to choose from.
        states: Of all looks of the run, to choose from.
        in_review: The first looks of the run that are in review.
        review_count: Looks of the run that are in review.
    """

    filters: Mapping[str, str]
    page: int
    pages: int
    found: int
    rejection_page: int
    rejection_pages: int
    collections: tuple[str, ...]
    models: tuple[str, ...]
    states: tuple[LookState, ...]
    in_review: tuple[ReportedLook, ...]
    review_count: int

    @property
    def is_whole(self) -> bool:
        """Whether every look of the run is on this page."""
        return self.pages == 1 and not self.filters


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run, as of one moment.

    Attributes:
        run_id: ``dag_id/run_id``.
        export: Name of the export.
        started_at: When the run was first planned.
        ended_at: When its account was written; None while it runs, be it for the second time.
        made_at: The moment that everything here is true for.
        account: The counts, and how far the run is.
        looks: In the order of the export; those with trouble are kept first when there are too many to show.
        rejections: In the order of the export, as many as are shown.
        rejected_images: What is rejected (see ``Rejection.subject``) -> digest of the image at that address, hex, where
            there is one and it could be fetched.
        doubts: Submissions in doubt.
        stops: Why nothing is sent at all right now.
        extract: Which part of the looks and rejections is here; None for all there is room for.
    """

    run_id: str
    export: str
    started_at: datetime
    ended_at: datetime | None
    made_at: datetime
    account: Account
    looks: tuple[ReportedLook, ...]
    rejections: tuple[Rejection, ...]
    rejected_images: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[ReportedDoubt, ...] = ()
    stops: tuple[Stop, ...] = ()
    extract: Extract | None = None

    @property
    def unread(self) -> str:
        """Why the export of a run that has ended was not read, and what to do; empty when it was."""
        if self.account.problem or self.account.planned or not self.account.ended:
            return self.account.problem
        return "The run ended before that: see the logs of its tasks before the batches."

    @property
    def unread_title(self) -> str:
        """What stands above why the export was not read."""
        problem = self.account.problem
        if problem.startswith(NOTHING_THERE):
            return "Correct the request"
        return "There was no export to read" if problem else "The export was not read to its end"

    @property
    def duration(self) -> timedelta | None:
        """From the start to the account; None while the run has none."""
        return self.ended_at - self.started_at if self.ended_at else None

    @property
    def doubtful_cost(self) -> Decimal:
        """What is in doubt costs so much more if the vendor has it."""
        return sum((doubt.cost for doubt in self.doubts), Decimal())

    @property
    def in_review(self) -> tuple[ReportedLook, ...]:
        """Looks in review; of an extract the first of the run's."""
        if self.extract:
            return self.extract.in_review
        return tuple(look for look in self.looks if look.state is LookState.REVIEW)

    @property
    def review_count(self) -> int:
        """How many looks are in review."""
        return self.extract.review_count if self.extract else len(self.in_review)

    @property
    def unshown_looks(self) -> int:
        """Looks that there are beyond those shown; of an extract, others are on other pages."""
        if self.extract:
            return 0
        return self.account.tried + self.account.elsewhere + self.account.held - len(self.looks)

    @property
    def unshown_rejections(self) -> int:
        """Rejections that there are beyond those shown; of an extract, others are on other pages."""
        if self.extract:
            return 0
        return sum(self.account.rejections.values()) - len(self.rejections)
