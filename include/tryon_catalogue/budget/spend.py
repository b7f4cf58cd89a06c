"""What was spent: by day, run, collection or pack, and line by line to hold against the vendor's bill.

Every amount is uses times ``[price] per_use`` as it was when the submission was sent.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table
from sqlalchemy import Date, cast, func, literal, select, union_all

from tryon_catalogue.budget.charges import DIGITS, charges, failed_are_free, failed_looks
from tryon_catalogue.budget.commitments import by_collection
from tryon_catalogue.budget.packs import Charge, allocate, read_packs
from tryon_catalogue.ledger.tables import collection_totals, looks, runs, submissions
from tryon_catalogue.settings.money import FailedLooks
from tryon_catalogue.terminal import terminal
from tryon_catalogue.words import harmless, money

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from typing import Any, TextIO

    from rich.console import Console
    from sqlalchemy import Connection, Row, Select

    from tryon_catalogue.settings import Price

_COUNTED: Final = ("inference_num", "uses", "amount")
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
class Line:
    """One submission, as the vendor's bill may have it.

    Attributes:
        id: Of the submission in the ledger.
        at: When it was answered, or sent where no answer came.
        request_id: The vendor's id of the call; None when it is not known.
        result_key: The vendor's id of the job; None when it is not known.
        run_id: The run that sent it.
        state: Of the submission.
        charged: Whether the vendor has accepted it; else nobody knows whether it is charged.
        failed: Those of its looks that the vendor FAILED.
        pictures: That it asked for.
        uses: That are charged; 0 when nobody knows whether it is.
        amount: What it costs, or would cost if the vendor has it.
        packs: Name of a pack -> uses it pays for.
    """

    id: int
    at: datetime
    request_id: str | None
    result_key: str | None
    run_id: str
    state: str
    charged: bool
    looks: int
    failed: int
    pictures: int
    uses: int
    amount: Decimal
    packs: dict[str, int]


@dataclass(frozen=True, slots=True)
class Spent:
    """What something has cost.

    Attributes:
        name: Of the day, run or collection.
        submissions: That were accepted, at least in part for it.
        looks: Of them.
        amount: What they cost.
        in_doubt: What would come to it if the vendor has what nobody knows of.
        uses: That are charged; 0 for a collection, for a submission is charged as a whole.
        estimate: What a run was thought to cost before; None for anything else.
    """

    name: str
    submissions: int = 0
    looks: int = 0
    amount: Decimal = Decimal(0)
    in_doubt: Decimal = Decimal(0)
    uses: int = 0
    estimate: Decimal | None = None


def read_lines(connection: Connection, price: Price) -> Iterator[Line]:
    """Read every submission that is or may be charged, in the order of time.

    Args:
        price: What failed looks cost, and the packs.
    """
    found = charges(price, with_failed=True)
    left = {pack.name: pack.size for pack in price.packs}
    # By far not all columns of a hundred thousand rows.
    names = [
        *("id", "at", "request_id", "result_key", "run_id", "state", "charged", "looks", "failed"),
        *_COUNTED,
    ]
    own = [found.c[name] for name in names]
    for row in connection.execute(select(*own).order_by(found.c.intended_at, found.c.id)):
        (packs,) = allocate(price.packs, [Charge(row.at, row.uses)], left)
        yield Line(
            id=row.id,
            at=row.at,
            request_id=row.request_id,
            result_key=row.result_key,
            run_id=row.run_id,
            state=row.state,
            charged=row.charged,
            looks=row.looks,
            failed=row.failed,
            pictures=row.looks * row.inference_num,
            uses=row.uses,
            amount=row.amount,
            packs=packs,
        )


def read_spent(connection: Connection, price: Price, by: By) -> list[Spent]:
    """Sum up what was spent by day, run or collection; the database does it.

    Args:
        price: What failed looks cost.
        by: Not by pack; see ``packs.read_packs`` for those.

    Returns:
        In the order in which each first cost something; collections in the order of their names.
    """
    if by is By.COLLECTION:
        return [_spent(row, row.name or NO_COLLECTION) for row in connection.execute(_of_collections(price))]
    found = charges(price)
    name = found.c.run_id if by is By.RUN else cast(func.timezone("UTC", found.c["at"]), Date)
    sums = (
        select(
            name.label("name"),
            func.count().filter(found.c.charged).label("submissions"),
            func.coalesce(func.sum(found.c.looks).filter(found.c.charged), 0).label("looks"),
            func.coalesce(func.sum(found.c.amount).filter(found.c.charged), 0).label("amount"),
            func.coalesce(func.sum(found.c.amount).filter(~found.c.charged), 0).label("in_doubt"),
            func.sum(found.c.uses).label("uses"),
            func.min(found.c.id).label("first"),
        )
        .group_by(name)
        .subquery("sums")
    )
    if by is By.DAY:
        return [_spent(row, str(row.name)) for row in connection.execute(select(sums).order_by(sums.c.name))]
    of_runs = select(sums, runs.c.estimated_amount.label("estimate")).join(runs, runs.c.id == sums.c.name)
    return [_spent(row, row.name, row.estimate) for row in connection.execute(of_runs.order_by(sums.c.first))]


def _spent(row: Row[Any], name: str, estimate: Decimal | None = None) -> Spent:
    return Spent(
        name, row.submissions, int(row.looks), row.amount, row.in_doubt, int(row.uses or 0), estimate
    )


def _of_collections(price: Price) -> Select[Any]:
    """Add what is open to the totals of what is settled, and take off what is free."""
    found = charges(price.model_copy(update={"failed": FailedLooks.CHARGED}))
    open_ones = (
        select(submissions.c.id, submissions.c.amount, found.c.charged)
        .join(found, found.c.id == submissions.c.id)
        .where(~submissions.c.in_totals)
        .cte("open_ones")
    )
    shares = by_collection(open_ones)
    charged = open_ones.c.charged
    parts = [
        select(collection_totals, (collection_totals.c.amount * 0).label("in_doubt")),
        select(
            shares.c.collection,
            func.coalesce(func.sum(shares.c.amount).filter(charged), 0),
            func.coalesce(func.sum(shares.c.looks).filter(charged), 0),
            func.count().filter(charged),
            func.coalesce(func.sum(shares.c.amount).filter(~charged), 0),
        )
        .join(open_ones, open_ones.c.id == shares.c.id)
        .group_by(shares.c.collection),
    ]
    if failed_are_free(price):
        free = failed_looks()
        each = submissions.c.amount / func.nullif(submissions.c.looks, 0)
        parts.append(
            select(looks.c.collection, -func.coalesce(func.sum(each), 0), *[literal(0)] * 3)
            .select_from(free)
            .join(submissions, submissions.c.id == free.c.submission_id)
            .join(looks, looks.c.key == free.c.look_key)
            .group_by(looks.c.collection)
        )
    every = union_all(*parts).subquery("every")
    return (
        select(
            every.c.collection.label("name"),
            *(func.sum(every.c[column]).label(column) for column in ("submissions", "looks")),
            *(
                func.round(func.sum(every.c[column]), DIGITS).label(column)
                for column in ("amount", "in_doubt")
            ),
            literal(0).label("uses"),
        )
        .group_by(every.c.collection)
        .order_by(every.c.collection)
    )


def show_spend(connection: Connection, price: Price, by: By, console: Console | None = None) -> None:
    """Print what was spent.

    Args:
        price: Its currency and packs.
        by: What to show it by.
        console: To print to; the terminal by default.
    """
    console = console or terminal(piped_width=PIPED_WIDTH)
    days = read_spent(connection, price, By.DAY)
    uses, charged = sum(spent.uses for spent in days), sum((spent.amount for spent in days), Decimal(0))
    if by is By.PACK:
        _show_packs(connection, price, uses, console)
        return
    table = Table(title=f"Spent by {by}", title_justify="left", header_style="bold")
    table.add_column(by.value, overflow="fold")  # whole, so that a run's id can be pasted
    estimated = by is By.RUN
    for name in ("submissions", "looks", "charged", "in doubt", *(["estimated"] if estimated else [])):
        table.add_column(name, justify="right")
    for spent in days if by is By.DAY else read_spent(connection, price, by):
        row = [escape(spent.name), f"{spent.submissions:,}", f"{spent.looks:,}"]
        row += [money(spent.amount, price.currency), money(spent.in_doubt, price.currency)]
        row += [money(spent.estimate or Decimal(0), price.currency)] if estimated else []
        table.add_row(*row)
    console.print(table)
    console.print(f"{uses:,} uses in all, {money(charged, price.currency)} by [price] per_use.", markup=False)


def _show_packs(connection: Connection, price: Price, uses: int, console: Console) -> None:
    states = read_packs(connection, price)
    table = Table(title="Spent by pack", title_justify="left", header_style="bold")
    table.add_column("pack")
    for name in ("uses", "left", "paid for it", "a use", "good until"):
        table.add_column(name, justify="right")
    for state in states:
        pack = state.pack
        table.add_row(
            escape(pack.name),
            f"{state.used:,}",
            f"{state.usable:,}",
            money(pack.price, price.currency),
            money(pack.price / pack.size, price.currency),
            f"{pack.ends_at:%Y-%m-%d %H:%M}",
        )
    beyond = uses - sum(state.used for state in states)
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
    writer = csv.writer(stream)
    writer.writerow(CSV_COLUMNS)
    count = 0
    for count, line in enumerate(read_lines(connection, price), 1):  # noqa: B007  # it is what is returned
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
    return count
