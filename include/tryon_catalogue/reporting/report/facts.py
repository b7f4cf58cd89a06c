"""What the report of a run holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tryon_catalogue.exports import PLACES
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from tryon_catalogue.submission.doubts import Doubt
    from tryon_catalogue.submission.stops import Stop


@dataclass(frozen=True, slots=True)
class Given:
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
class Made:
    """A picture of a look.

    Attributes:
        path: Where the archive keeps it.
        thumbnail: Where the archive keeps a small copy of it; None without one.
        url: What the catalogue shows.
        sha256: Digest of its bytes, hex.
        score: Of our own check, 0 to 1; None when it was not judged.
    """

    path: str
    thumbnail: str | None
    url: str
    sha256: str
    score: float | None


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
        reason: why, in words; may be empty.
        given: model, top and, where there is one, bottom.
        made: Its pictures, first one first.
        carried_by: The run that sees to it, where that is another one; else empty.
        held: Whether no run sees to it: no money, or no person's word.
    """

    key: str
    skus: tuple[str, ...]
    title: str
    collection: str
    model: str
    state: LookState
    reason: str
    given: tuple[Given, ...]
    made: tuple[Made, ...]
    carried_by: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True)
class ReportedRejection:
    """A row of the export that gets no picture, a model of the roster that cannot be used, or a vain request.

    Attributes:
        line: Of the row in the export; or one that stands for what has none, see ``place``.
        sku: Empty when the row names none.
        rule: What it breaks.
        column: The export's column it is about; may be empty.
        value: What stands there, or the image's address.
        measured: What was measured; empty where nothing was.
        limit: What the rule allows; empty where nothing was measured.
        reason: What is wrong and what to do.
        image_sha256: Digest of the image that breaks the rule, where there is one and it could be fetched.
    """

    line: int
    sku: str
    rule: str
    column: str
    value: str
    measured: str
    limit: str
    reason: str
    image_sha256: str | None = None

    @property
    def place(self) -> str:
        """What it is about where that is no row of the export: the roster or the request; else empty."""
        return PLACES.get(self.line, "")


@dataclass(frozen=True, slots=True)
class Figures:
    """A run in figures.

    Attributes:
        rows: Of the export.
        rejected_rows: Rows among them that get no picture.
        rejected_by_rule: Rule -> rejections, the commonest first.
        known: Looks of the export that had an end before this run.
        looks: State -> looks that were this run's to make.
        elsewhere: Further looks that it asked for and another run carries.
        held: Why further looks that it asked for are carried by nobody -> how many, the commonest first.
        pictures: How many are kept of its looks.
        submissions: Calls the vendor accepted.
        uses: Uses that are expected to be charged for them.
        cost: Price of the uses, as it was when they were sent.
        doubtful_cost: What is in doubt costs so much more if the vendor has it.
        currency: Of the costs.
        further: Rows of the export that belong to the garment of an earlier row.
        left_out: What a filter of the settings says of a row -> rows it left out.
    """

    rows: int
    rejected_rows: int
    rejected_by_rule: Mapping[str, int]
    known: int
    looks: Mapping[LookState, int]
    elsewhere: int
    held: Mapping[str, int]
    pictures: int
    submissions: int
    uses: int
    cost: Decimal
    doubtful_cost: Decimal
    currency: str
    further: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def tried(self) -> int:
        """Looks that were this run's to make."""
        return sum(self.looks.values())

    @property
    def published(self) -> int:
        """Looks of this run whose pictures are in the catalogue."""
        return self.looks.get(LookState.PUBLISHED, 0)

    @property
    def meant_rows(self) -> int:
        """Rows of the export that are to be garments: neither left out nor part of another row's."""
        return self.rows - self.further - sum(self.left_out.values())

    @property
    def all_rejected(self) -> bool:
        """Whether there are rows that are to be garments, and none of them gets a picture."""
        return 0 < self.meant_rows <= self.rejected_rows

    @property
    def held_back(self) -> int:
        """Looks that it asked for and nobody carries."""
        return sum(self.held.values())


@dataclass(frozen=True, slots=True)
class ReportedDoubt:
    """A submission in doubt, and what it costs if the vendor has it."""

    doubt: Doubt
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run, as of one moment.

    Attributes:
        run_id: ``dag_id/run_id``.
        export: Name of the export.
        export_date: The date that the export is of.
        started_at: When the run was first planned.
        ended_at: When its account was written; None while it runs, be it for the second time.
        made_at: The moment that everything here is true for.
        figures: The counts.
        looks: In the order of the export; those with trouble are kept first when there are too many to show.
        rejections: In the order of the export, as many as are shown.
        doubts: What nobody knows whether it is paid for.
        stops: Why nothing is sent at all right now.
        asked_for: What of the export the run was asked for, in words; empty for all of it.
        planned: Whether its export was read to the end.
        cut: Whether it was decided after that what of it goes, were it nothing.
        problem: Why there was no export to read, in words; empty when there was one.
        may_be_empty: Whether an export without a row that is meant is nothing to wonder at; as its account says.
        would_make: Looks that a dry run would have sent, for the estimate; None for a run that is none, and for one
            whose export was not read.
        estimate: What it was thought to cost before anything was sent.
    """

    run_id: str
    export: str
    export_date: date
    started_at: datetime
    ended_at: datetime | None
    made_at: datetime
    figures: Figures
    looks: tuple[ReportedLook, ...]
    rejections: tuple[ReportedRejection, ...]
    doubts: tuple[ReportedDoubt, ...] = ()
    stops: tuple[Stop, ...] = ()
    asked_for: str = ""
    planned: bool = True
    cut: bool = True
    problem: str = ""
    may_be_empty: bool = True
    would_make: int | None = None
    estimate: Decimal = Decimal(0)

    @property
    def unread(self) -> str:
        """Why the export of a run that has ended was not read, and what to do; empty when it was."""
        if self.problem or self.planned or not self.ended_at:
            return self.problem
        return "The run ended before that: see the logs of its tasks before the batches."

    @property
    def duration(self) -> timedelta | None:
        """From the start to the account; None while the run has none."""
        return self.ended_at - self.started_at if self.ended_at else None

    @property
    def in_review(self) -> tuple[ReportedLook, ...]:
        """Looks that wait for a person's word."""
        return tuple(look for look in self.looks if look.state is LookState.REVIEW)

    @property
    def unshown_looks(self) -> int:
        """Looks that there are beyond those shown."""
        return self.figures.tried + self.figures.elsewhere + self.figures.held_back - len(self.looks)

    @property
    def unshown_rejections(self) -> int:
        """Rejections that there are beyond those shown."""
        return sum(self.figures.rejected_by_rule.values()) - len(self.rejections)
