"""What was spent: by day, run, collection or pack, and line by line to hold against the vendor's bill.

Every amount is uses times ``[price] per_use`` as it was when the submission was sent.
"""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table
from sqlalchemy import func, or_, select
from sqlalchemy.orm import aliased

from tryon_catalogue.budget.packs import Charge, allocate, states_of
from tryon_catalogue.ledger.states import MAY_COST, PAID, SubmissionState
from tryon_catalogue.ledger.tables import look_moves, looks, runs, submission_looks, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.settings.money import FailedLooks, Use
from tryon_catalogue.terminal import terminal
from tryon_catalogue.words import harmless, money

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Any, TextIO

    from rich.console import Console
    from sqlalchemy import Connection, Row

    from tryon_catalogue.settings import Price

CENT: Final = Decimal("0.0001")
PIPED_WIDTH: Final = 400
"""Columns where no terminal has a width: enough for a run's id on one line."""
NO_COLLECTION: Final = "none"
CSV_COLUMNS: Final = (
    "time_utc",
    "request_id",
    "result_key",
    "state",
    "looks",
    "failed_looks",
    "pictures",
    "uses",
    "amount",
    "currency",
    "packs",
    "run",
    "submission",
)


class By(StrEnum):
    """What spending is shown by."""

    DAY = "day"
    RUN = "run"
    COLLECTION = "collection"
    PACK = "pack"


@dataclass(frozen=True, slots=True)
class Part:
    """What a collection has of a submission.

    Attributes:
        collection: Its name; empty for garments without one.
        failed: Those among them that the vendor FAILED.
        amount: What they cost.
    """

    collection: str
    looks: int
    failed: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One submission, as the vendor's bill may have it.

    Attributes:
        id: Of the submission in the ledger.
        at: When it was answered, or sent where no answer came.
        result_key: The vendor's id of the job; None when it is not known.
        run_id: The run that sent it.
        state: Of the submission.
        pictures: That it asked for.
        uses: That are charged; 0 when nobody knows whether it is.
        parts: Its looks by collection.
        packs: Name of a pack -> uses it pays for.
    """

    id: int
    at: datetime
    request_id: str | None
    result_key: str | None
    run_id: str
    state: str
    pictures: int
    uses: int
    parts: tuple[Part, ...]
    packs: dict[str, int]

    @property
    def charged(self) -> bool:
        """Whether the vendor has accepted it; else nobody knows whether it is charged."""
        return self.state in PAID

    @property
    def looks(self) -> int:
        """How many looks it has."""
        return sum(part.looks for part in self.parts)

    @property
    def failed(self) -> int:
        """How many of them the vendor FAILED."""
        return sum(part.failed for part in self.parts)

    @property
    def amount(self) -> Decimal:
        """What it costs, or would cost if the vendor has it."""
        return sum((part.amount for part in self.parts), Decimal(0))


@dataclass(slots=True)
class Spent:
    """What something has cost.

    Attributes:
        name: Of the day, run or collection.
        submissions: That were accepted, at least in part for it.
        looks: Of them.
        amount: What they cost.
        in_doubt: What would come to it if the vendor has what nobody knows of.
        estimate: What a run was thought to cost before; None for anything else.
    """

    name: str
    submissions: int = 0
    looks: int = 0
    amount: Decimal = Decimal(0)
    in_doubt: Decimal = Decimal(0)
    estimate: Decimal | None = None


def read_lines(connection: Connection, price: Price) -> list[Line]:
    """Read every submission that is or may be charged, in the order of time.

    Args:
        price: What failed looks cost, and the packs.
    """
    sent_again = aliased(submissions)
    carried_again = aliased(submission_looks)
    later = (
        select(sent_again.c.id)
        .join(carried_again, carried_again.c.submission_id == sent_again.c.id)
        .where(
            carried_again.c.look_key == submission_looks.c.look_key,
            sent_again.c.id > submissions.c.id,
            sent_again.c.intended_at <= look_moves.c.moved_at,
        )
        .exists()
    )
    # A look that failed may have been sent again: the failure is of the submission that came before it.
    failed = (
        select(look_moves.c.id)
        .where(
            look_moves.c.look_key == submission_looks.c.look_key,
            look_moves.c.from_state == LookState.SUBMITTED.value,
            look_moves.c.to_state == LookState.FAILED.value,
            look_moves.c.moved_at >= submissions.c.answered_at,
            ~later,
        )
        .exists()
    )
    rows = connection.execute(
        select(
            submissions,
            looks.c.collection,
            func.count().label("looks"),
            func.count().filter(failed).label("failed"),
        )
        .join(submission_looks, submission_looks.c.submission_id == submissions.c.id)
        .join(looks, looks.c.key == submission_looks.c.look_key)
        .where(
            submissions.c.state.in_(MAY_COST),
            # What a person has declared lost costs nothing.
            or_(submissions.c.state != SubmissionState.WRITTEN_OFF.value, submissions.c.amount > 0),
        )
        .group_by(submissions.c.id, looks.c.collection)
        .order_by(submissions.c.intended_at, submissions.c.id, looks.c.collection)
    )
    lines = [_line(price, list(parts)) for _, parts in groupby(rows, key=lambda row: row.id)]
    charges = (Charge(line.at, line.uses) for line in lines)
    return [
        replace(line, packs=packs) for line, packs in zip(lines, allocate(price.packs, charges), strict=True)
    ]


def _line(price: Price, rows: Sequence[Row[Any]]) -> Line:
    row = rows[0]
    count = sum(part.looks for part in rows)
    free = price.failed is FailedLooks.FREE and price.use is not Use.SUBMISSION
    parts = tuple(
        Part(
            part.collection,
            part.looks,
            part.failed,
            (row.amount * (part.looks - (part.failed if free else 0)) / count).quantize(CENT),
        )
        for part in rows
    )
    failed = sum(part.failed for part in rows) if free else 0
    return Line(
        id=row.id,
        at=row.answered_at or row.intended_at,
        request_id=row.request_id,
        result_key=row.result_key,
        run_id=row.run_id,
        state=row.state,
        pictures=count * row.inference_num,
        uses=row.uses * (count - failed) // count,
        parts=parts,
        packs={},
    )


def summed(lines: Iterable[Line], by: By, estimates: dict[str, Decimal] | None = None) -> list[Spent]:
    """Sum up what was spent by day, run or collection, in the order in which each first cost something.

    Args:
        lines: See ``read_lines``.
        by: Not by pack; see ``packs.read_packs`` for those.
        estimates: What runs were thought to cost.
    """
    found: dict[str, Spent] = {}
    for line in lines:
        of_line = {By.DAY: f"{line.at.astimezone(UTC):%Y-%m-%d}", By.RUN: line.run_id}
        counted: set[str] = set()
        for part in line.parts:
            name = of_line.get(by) or part.collection or NO_COLLECTION
            spent = found.setdefault(name, Spent(name, estimate=(estimates or {}).get(name)))
            if not line.charged:
                spent.in_doubt += part.amount
                continue
            spent.submissions += name not in counted
            counted.add(name)
            spent.looks += part.looks
            spent.amount += part.amount
    return list(found.values())


def read_estimates(connection: Connection) -> dict[str, Decimal]:
    """Read what each run was thought to cost before anything was sent."""
    rows = connection.execute(select(runs.c.id, runs.c.estimated_amount)).all()
    return {row.id: row.estimated_amount for row in rows}


def show_spend(connection: Connection, price: Price, by: By, console: Console | None = None) -> None:
    """Print what was spent.

    Args:
        price: Its currency and packs.
        by: What to show it by.
        console: To print to; the terminal by default.
    """
    console = console or terminal(piped_width=PIPED_WIDTH)
    lines = read_lines(connection, price)
    if by is By.PACK:
        _show_packs(lines, price, console)
        return
    estimates = read_estimates(connection) if by is By.RUN else None
    table = Table(title=f"Spent by {by}", title_justify="left", header_style="bold")
    table.add_column(by.value, overflow="fold")  # whole, so that a run's id can be pasted
    for name in ("submissions", "looks", "charged", "in doubt", *(["estimated"] if estimates else [])):
        table.add_column(name, justify="right")
    for spent in summed(lines, by, estimates):
        row = [escape(spent.name), f"{spent.submissions:,}", f"{spent.looks:,}"]
        row += [money(spent.amount, price.currency), money(spent.in_doubt, price.currency)]
        row += [money(spent.estimate or Decimal(0), price.currency)] if estimates else []
        table.add_row(*row)
    console.print(table)
    charged = sum((line.amount for line in lines if line.charged), Decimal(0))
    uses = sum(line.uses for line in lines)
    console.print(f"{uses:,} uses in all, {money(charged, price.currency)} by [price] per_use.", markup=False)


def _show_packs(lines: Sequence[Line], price: Price, console: Console) -> None:
    used: Counter[str] = Counter()
    for line in lines:
        used.update(line.packs)
    table = Table(title="Spent by pack", title_justify="left", header_style="bold")
    table.add_column("pack")
    for name in ("uses", "left", "paid for it", "a use", "good until"):
        table.add_column(name, justify="right")
    for state in states_of(price, used, datetime.now(UTC)):
        pack = state.pack
        table.add_row(
            escape(pack.name),
            f"{state.used:,}",
            f"{state.usable:,}",
            money(pack.price, price.currency),
            money(pack.price / pack.size, price.currency),
            f"{pack.ends_at:%Y-%m-%d %H:%M}",
        )
    beyond = sum(line.uses - sum(line.packs.values()) for line in lines)
    table.add_row("no pack", f"{beyond:,}", "", money(price.per_use * beyond, price.currency), "", "")
    console.print(table)


def write_bill(connection: Connection, price: Price, file: Path) -> int:
    """Write a line for each submission, to hold against the vendor's bill; returns how many.

    Args:
        price: Its currency and packs.
        file: The CSV to write; UTF-8 with a byte order mark, which spreadsheets take.

    Raises:
        OSError: The file cannot be written.
    """
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        return write_lines(connection, price, stream)


def write_lines(connection: Connection, price: Price, stream: TextIO) -> int:
    """Write a line for each submission as CSV; returns how many.

    Args:
        price: Its currency and packs.
        stream: To write to; opened without a translation of line ends.
    """
    lines = read_lines(connection, price)
    writer = csv.writer(stream)
    writer.writerow(CSV_COLUMNS)
    for line in lines:
        writer.writerow(
            (
                f"{line.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                harmless(line.request_id or ""),
                harmless(line.result_key or ""),
                line.state,
                line.looks,
                line.failed,
                line.pictures,
                line.uses,
                f"{line.amount:f}",
                price.currency,
                harmless(" + ".join(f"{uses} of {name}" for name, uses in line.packs.items())),
                harmless(line.run_id),
                line.id,
            )
        )
    return len(lines)
