"""The account of a run: every look it asked for has an end or a known place, and the run is red or green by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, or_, select, update

from tryon_catalogue.budget.commitments import PAID, is_closed, say_why
from tryon_catalogue.budget.limits import ASKED_FOR_AGAIN, TAKEN_UP
from tryon_catalogue.errors import RunFailedError
from tryon_catalogue.exports import ROSTER_LINE, beside
from tryon_catalogue.ledger.tables import batches, looks, rejections, run_looks, runs, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.candidates import is_spoken_for
from tryon_catalogue.planning.request import Request
from tryon_catalogue.publishing.writeback import Catalogue
from tryon_catalogue.settings.export import ExportKind

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Engine

    from tryon_catalogue.settings import AccountSettings, Settings

DIED: Final = "not sent: the run that asked for it ended before it was decided what goes"
REFUSED_ROWS_TOLD: Final = 20


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a run.

    Attributes:
        rows: Rows of the export.
        rejected_rows: Rows that could not be used.
        further: Rows that belong to the garment of an earlier row.
        left_out: What a filter of the settings says of a row -> rows it left out.
        may_be_empty: Whether an export without a row that is meant is nothing to wonder at: an incremental one, or
            one of which the run was asked for some garments only.
        known: Looks of the export that had an end before this run.
        looks: The looks that were this run's to make, by state.
        elsewhere: Further looks that it asked for and another run carries.
        held: Further looks that it asked for and nobody carries: no money, no person's word, or not cut.
        submissions: Calls the vendor accepted in this run.
        uses: Uses that are expected to be charged for them.
        cost: Price of the uses, as it was when they were sent.
        currency: Of the cost.
        rows_written: Rows of the catalogue that this account changed.
        unlisted: Garments of the export for which the catalogue's table has no row: nothing shows their pictures.
        estimate: What it was thought to cost before anything was sent.
        approval: What a person was asked and answered, in words; empty when nobody was asked.
        warnings: About packs of uses, in words.
        export_date: The date that its export is of.
        planned: Whether its export was read to the end.
        cut: Whether it was decided after that what of it goes, were it nothing.
        problem: Why there was no export to read, in words; empty when there was one.
        asked_for: What of the export the run was asked for, in words; empty for all of it.
        would_make: Looks that a dry run would have sent, for the estimate; None for a run that is none.
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
    rows_written: int
    unlisted: int
    further: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    may_be_empty: bool = True
    held: int = 0
    estimate: Decimal = Decimal(0)
    approval: str = ""
    warnings: tuple[str, ...] = ()
    export_date: date | None = None
    planned: bool = True
    cut: bool = True
    problem: str = ""
    asked_for: str = ""
    would_make: int | None = None
    refused: int = 0
    refused_rows: tuple[str, ...] = ()

    @property
    def meant_rows(self) -> int:
        """Rows of the export that are to be garments: neither left out nor part of another row's."""
        return self.rows - self.further - sum(self.left_out.values())

    @property
    def beside(self) -> str:
        """The rows that are no garments of their own, in words that follow the number of rows; empty without any."""
        return beside(self.further, self.left_out)

    @property
    def tried(self) -> int:
        """Looks that were this run's to make."""
        return sum(self.looks.values())

    @property
    def published(self) -> int:
        """Looks of this run whose pictures are in the catalogue."""
        return self.looks.get(LookState.PUBLISHED.value, 0)

    def as_json(self) -> dict[str, object]:
        """Give the account as plain values: counts only, fit for an XCom."""
        values = asdict(self)
        return {
            **values,
            "cost": str(self.cost),
            "estimate": str(self.estimate),
            "warnings": list(self.warnings),
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
        return cls(
            **{
                **values,
                "cost": Decimal(values["cost"]),
                "estimate": Decimal(values["estimate"]),
                "warnings": tuple(values["warnings"]),
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
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.looks.items())) or "none"
        return (
            f"{f'Asked for {self.asked_for}: ' if self.asked_for else ''}"
            f"{self.rows} rows read{self.beside}, {self.rejected_rows} rejected; {self.known} looks known before, "
            f"{self.tried} to make: {states}"
            f"{f', {self.elsewhere} carried by another run' if self.elsewhere else ''}"
            f"{f', {self.held} held back' if self.held else ''}; "
            f"{self.submissions} submissions, {self.uses} uses, {self.cost} {self.currency}."
            f"{f' {self.unlisted} garments have no row in the catalogue.' if self.unlisted else ''}"
            f"{f' {self.refused} of its rows did not take what was to be written.' if self.refused else ''}"
        )


def close_run(engine: Engine, settings: Settings, run_id: str) -> Account:
    """Write what is left to write to the catalogue, count, and keep the account with the run.

    Args:
        settings: The catalogue, the export's kind, the currency.

    Returns:
        The counts, which are kept in the run's row as well.

    Raises:
        RunFailedError: When the ledger has no such run.
        tryon_catalogue.publishing.writeback.CatalogueError: The shop's table is not as the settings say.
    """
    with engine.connect() as connection:
        run = connection.execute(
            select(runs, is_closed().label("is_closed")).where(runs.c.id == run_id)
        ).one_or_none()
        if run is None:
            raise RunFailedError(
                f"the ledger has no run {run_id}: its export was never read, and nothing was planned or sent; see the "
                "log of its first task that failed"
            )
        catalogue = Catalogue(connection, settings.catalogue)
    # Said once: when its account is written anew, other runs may have had their say.
    if run.cut_at is None and not run.is_closed:
        then = ASKED_FOR_AGAIN if run.request else TAKEN_UP
        others = is_spoken_for(run_looks, runs, timedelta(hours=settings.budget.answer_within_hours))
        with engine.begin() as connection:
            say_why(connection, run_id, f"{DIED}; {then}", unless=others)
    written = catalogue.write_run(engine, run_id)
    with engine.begin() as connection:
        ours = batches.c.run_id.is_not_distinct_from(run_id)
        of_nobody = carried_by_nobody(run.started_at)
        counted = connection.execute(
            select(ours, of_nobody, looks.c.state, func.count())
            .join(run_looks, run_looks.c.look_key == looks.c.key)
            .outerjoin(batches, batches.c.id == looks.c.batch_id)
            .where(run_looks.c.run_id == run_id)
            .group_by(ours, of_nobody, looks.c.state)
        ).all()
        calls, uses, cost = connection.execute(
            select(
                func.count(),
                func.coalesce(func.sum(submissions.c.uses), 0),
                func.coalesce(func.sum(submissions.c.amount), 0),
            ).where(submissions.c.run_id == run_id, submissions.c.state.in_(PAID))
        ).one()
        rejected = connection.execute(
            select(func.count(rejections.c.line.distinct())).where(
                rejections.c.run_id == run_id, rejections.c.line > ROSTER_LINE
            )
        ).scalar_one()
        request = Request.model_validate(run.request)
        account = Account(
            run_id=run_id,
            rows=run.rows_read,
            rejected_rows=rejected,
            further=run.rows_further,
            left_out=run.rows_left_out,
            may_be_empty=settings.export.kind is ExportKind.INCREMENTAL or request.selects,
            known=run.looks_known,
            looks={state: count for is_ours, _, state, count in counted if is_ours},
            elsewhere=sum(count for is_ours, of_nobody, _, count in counted if not is_ours and not of_nobody),
            submissions=calls,
            uses=uses,
            cost=cost,
            currency=settings.price.currency,
            rows_written=written.changed,
            unlisted=catalogue.count_unlisted(connection, run_id),
            held=sum(count for is_ours, of_nobody, _, count in counted if of_nobody),
            estimate=run.estimated_amount,
            approval=run.approval or "",
            warnings=tuple(run.warnings),
            export_date=run.export_date,
            planned=run.planned_at is not None,
            cut=run.cut_at is not None,
            problem=run.problem or "",
            asked_for=request.words(settings.price.currency),
            would_make=run.looks_new if request.dry_run else None,
            refused=len(written.refused),
            refused_rows=tuple(str(row) for row in written.refused[:REFUSED_ROWS_TOLD]),
        )
        connection.execute(
            update(runs).where(runs.c.id == run_id).values(ended_at=func.now(), summary=account.as_json())
        )
    return account


def carried_by_nobody(started_at: datetime) -> ColumnElement[bool]:
    """Give the condition under which a look of a run is carried by no run, in a query of looks and the run's looks.

    Args:
        started_at: When the run was first planned.
    """
    # What was to be made again and did not go still stands where it stood.
    return or_(looks.c.batch_id.is_(None), run_looks.c.again & (looks.c.moved_at < started_at))


def read_account(engine: Engine, run_id: str) -> Account:
    """Read the account that was written of a run.

    Raises:
        LookupError: When the ledger has none.
    """
    with engine.connect() as connection:
        summary = connection.execute(select(runs.c.summary).where(runs.c.id == run_id)).scalar_one_or_none()
    if summary is None:
        raise LookupError(f"the ledger has no account of run {run_id}; see the log of its account task")
    return Account.from_json(summary)


def judge(account: Account, settings: AccountSettings) -> None:
    """Raise when too little of a run succeeded.

    Nothing to make is success, and so is an export without a row that is meant where there may be such. Nothing read,
    nothing decided or nothing made never is.

    Args:
        account: Of the run.
        settings: The ``[account]`` section.

    Raises:
        RunFailedError: The run is red.
    """
    if account.problem:
        raise RunFailedError(account.problem)
    if not account.planned:
        raise RunFailedError(
            "the export was not read to its end, so nothing was planned; see the logs of the tasks before the batches"
        )
    if not account.cut:
        raise RunFailedError(
            "the export was read, and then it was not decided what of it goes: see the log of the task plan, clear it, "
            f"and give an answer that it can use where it asks. {account}"
        )
    if not account.meant_rows and not account.may_be_empty:
        raise RunFailedError(
            "the export has no row that is meant, and [export] kind = full says that it names every garment: see "
            "whether it was written to its end, and hold [[export.filters]] against it with `tryon preview`; where it "
            f'may name nothing, set kind = "incremental". {account}'
        )
    if account.meant_rows and account.rejected_rows >= account.meant_rows:
        raise RunFailedError(
            f"every row of the export that is meant was rejected ({account.meant_rows}): the first reasons are in the "
            f"table rejections of this run; check [export.columns] and [[export.values]] against the export. {account}"
        )
    if not account.tried:
        return
    share = account.published / account.tried
    if account.published == 0 or share < settings.min_success:
        raise RunFailedError(
            f"{account.published} of {account.tried} looks were published, less than [account] min_success = "
            f"{settings.min_success:g} asks for. {account} What is submitted is paid for and is collected by a "
            "later try of its publish task, or by tryon_recover."
        )
