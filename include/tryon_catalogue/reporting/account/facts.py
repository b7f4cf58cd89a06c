"""What became of a run, in figures: what every page, note, log and demo shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from tryon_catalogue.exports import beside
from tryon_catalogue.ledger.states import SHOWN
from tryon_catalogue.looks import LookState

_BY_REASON = ("rejections", "held_for", "unsent_for")


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a run.

    Attributes:
        rows: Rows of the export.
        rejected_rows: Rows that could not be used.
        rejections: Rule -> how often it was broken, by rows or by the roster, the commonest first.
        further: Rows that belong to the garment of an earlier row.
        left_out: What a filter of the settings says of a row -> rows it left out.
        notes: How its export was read, in sentences without their full stop.
        may_be_empty: Whether an export without a row that is meant is expected: an incremental one, or one of
            which the run was asked for some garments only.
        known: Looks of the export that had an end before this run.
        looks: State -> the looks that were this run's to make, in the order in which states are shown.
        elsewhere: Further looks that it asked for and another run carries.
        held_for: Why further looks that it asked for are carried by nobody (no money, no approval, or not cut)
            -> how many, the commonest first.
        unsent_for: Why looks that are this run's to make were not sent yet -> how many, the commonest first.
        pictures: How many are kept of the looks that were this run's to make.
        submissions: Calls the vendor accepted in this run.
        uses: Uses that are expected to be charged for them.
        cost: Price of the uses, as it was when they were sent.
        currency: Of the cost.
        rows_written: Rows of the catalogue that closing the run changed.
        unlisted: Garments of the export for which the catalogue's table has no row: nothing shows their pictures.
        estimate: What it was thought to cost before anything was sent.
        approval: What a person was asked and answered, in words; empty when nobody was asked.
        warnings: About packs of uses, in words.
        export_date: The date that its export is of.
        ended: Whether the run is over; else this is how far it is.
        planned: Whether its export was read to the end.
        cut: Whether it was decided what of it goes, even where nothing does.
        problem: Why there was no export to read, in words; empty when there was one.
        asked_for: What of the export the run was asked for, in words; empty for all of it.
        would_make: Looks that a dry run would have sent, for the estimate; None for a run that is none, and for one
            whose export was not read.
        refused: Garments whose row in the catalogue's table did not take what was to be written.
        refused_rows: The first of them, each with its sku, why, and what to do.
    """

    run_id: str
    rows: int
    rejected_rows: int
    known: int
    looks: dict[str, int]
    elsewhere: int
    submissions: int
    uses: int
    cost: Decimal
    currency: str
    rows_written: int = 0
    unlisted: int = 0
    rejections: Mapping[str, int] = field(default_factory=dict)
    further: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    may_be_empty: bool = True
    held_for: Mapping[str, int] = field(default_factory=dict)
    unsent_for: Mapping[str, int] = field(default_factory=dict)
    pictures: int = 0
    estimate: Decimal = Decimal(0)
    approval: str = ""
    warnings: tuple[str, ...] = ()
    export_date: date | None = None
    ended: bool = True
    planned: bool = True
    cut: bool = True
    problem: str = ""
    asked_for: str = ""
    would_make: int | None = None
    refused: int = 0
    refused_rows: tuple[str, ...] = ()

    @property
    def garment_rows(self) -> int:
        """Rows of the export that are to be garments: neither left out nor part of another row's."""
        return self.rows - self.further - sum(self.left_out.values())

    @property
    def beside(self) -> str:
        """The rows that are no garments of their own, in words that follow the number of rows; empty without any."""
        return beside(self.further, self.left_out)

    @property
    def all_rejected(self) -> bool:
        """Whether there are rows that are to be garments, and none of them gets a picture."""
        return 0 < self.garment_rows <= self.rejected_rows

    @property
    def tried(self) -> int:
        """Looks that were this run's to make."""
        return sum(self.looks.values())

    @property
    def unsent(self) -> int:
        """Looks that were this run's to send and that it has not sent: neither a limit nor its size holds them back."""
        return self.looks.get(LookState.PLANNED.value, 0)

    @property
    def published(self) -> int:
        """Looks of this run whose pictures are in the catalogue."""
        return self.looks.get(LookState.PUBLISHED.value, 0)

    @property
    def held(self) -> int:
        """Looks that it asked for and nobody carries."""
        return sum(self.held_for.values())

    @property
    def reasons_not_sent(self) -> Mapping[str, int]:
        """Why looks were not sent that nobody else is going to send -> how many, the commonest first."""
        reasons = dict.fromkeys((*self.held_for, *self.unsent_for))
        counts = {reason: self.held_for.get(reason, 0) + self.unsent_for.get(reason, 0) for reason in reasons}
        return commonest_first(counts)

    @property
    def states(self) -> str:
        """How many looks of this run stand in which state, in words; empty where there was none to make."""
        counts = {state: self.looks.get(state.value, 0) for state in SHOWN}
        return ", ".join(f"{count} {state}" for state, count in counts.items() if count)

    def as_json(self) -> dict[str, object]:
        """Give the account as plain values, fit for an XCom: counts, and reasons in words."""
        values = asdict(self)
        return {
            **values,
            "held": self.held,
            "cost": str(self.cost),
            "estimate": str(self.estimate),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "refused_rows": list(self.refused_rows),
            "export_date": None if self.export_date is None else self.export_date.isoformat(),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Account:
        """Give the account that ``as_json`` was made of.

        Args:
            values: As they stand in the ledger.
        """
        day = values.get("export_date")
        known = {name: value for name, value in values.items() if name != "held"}
        return cls(
            **{
                **known,
                # The database keeps no order of names.
                **{name: commonest_first(values.get(name, {})) for name in _BY_REASON},
                "cost": Decimal(values["cost"]),
                "estimate": Decimal(values["estimate"]),
                "warnings": tuple(values["warnings"]),
                "notes": tuple(values.get("notes", ())),
                "refused_rows": tuple(values.get("refused_rows", ())),
                "export_date": None if day is None else date.fromisoformat(day),
            }
        )

    def __str__(self) -> str:
        if self.would_make is not None:
            return (
                f"Asked for {self.asked_for}: {self.rows} rows read{self.beside}; {self.known} looks need no sending, "
                f"{self.would_make} would be made for {self.estimate} {self.currency}. Nothing was sent or planned."
            )
        return (
            f"{f'Asked for {self.asked_for}: ' if self.asked_for else ''}"
            f"{self.rows} rows read{self.beside}, {self.rejected_rows} rejected; {self.known} looks known before, "
            f"{self.tried} to make: {self.states or 'none'}"
            f"{f', {self.elsewhere} carried by another run' if self.elsewhere else ''}"
            f"{f', {self.held} held back' if self.held else ''}; "
            f"{self.submissions} submissions, {self.uses} uses, {self.cost} {self.currency}."
            f"{f' {self.unlisted} garments have no row in the catalogue.' if self.unlisted else ''}"
            f"{f' {self.refused} of its rows did not take what was to be written.' if self.refused else ''}"
        )


def commonest_first(counts: Mapping[str, int]) -> dict[str, int]:
    """Put what there is most of first, and what there is as many of in the order of their names."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
