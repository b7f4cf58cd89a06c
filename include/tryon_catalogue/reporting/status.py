"""Where the looks are, what they cost, and what waits for a person: the ledger in one screen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table
from sqlalchemy import func, select

from tryon_catalogue.ledger.states import LOOK_STATES, PAID, SHOWN, SubmissionState
from tryon_catalogue.ledger.tables import looks, runs, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.approval import open_approvals
from tryon_catalogue.submission.stops import active_stops
from tryon_catalogue.terminal import terminal
from tryon_catalogue.words import money

if TYPE_CHECKING:
    from rich.console import Console
    from sqlalchemy import Engine

    from tryon_catalogue.planning.approval import OpenApproval
    from tryon_catalogue.settings import Price
    from tryon_catalogue.submission.stops import Stop

LATELY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Status:
    """The ledger in figures.

    Attributes:
        looks: Number of looks in each state.
        uses: Uses of everything accepted so far.
        cost: Their price, as it was when they were sent.
        currency: Of the price.
        oldest_unpublished: Age of the oldest accepted submission that is not collected; None without one.
        stops: Why nothing is sent at all right now.
        missing: What is known of the exports that did not come in the last two days.
        refused: Rows that the catalogue's table did not take, by each DAG's newest account, and why.
        more_refused: A line for each of the accounts that name only the first of such rows.
        approvals: Runs that ask whether they may spend, and nobody has answered.
    """

    looks: Counter[LookState]
    uses: int
    cost: Decimal
    currency: str
    oldest_unpublished: timedelta | None
    stops: tuple[Stop, ...] = ()
    missing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    more_refused: tuple[str, ...] = ()
    approvals: tuple[OpenApproval, ...] = ()


def read_status(engine: Engine, price: Price) -> Status:
    """Count the looks and the submissions of the ledger, and read what stops or fails."""
    with engine.connect() as connection:
        by_state = connection.execute(select(looks.c.state, func.count()).group_by(looks.c.state)).all()
        uses, cost = connection.execute(
            select(
                func.coalesce(func.sum(submissions.c.uses), 0),
                func.coalesce(func.sum(submissions.c.amount), 0),
            ).where(submissions.c.state.in_(PAID))
        ).one()
        oldest = connection.execute(
            select(func.min(submissions.c.answered_at)).where(
                submissions.c.state == SubmissionState.SUBMITTED.value
            )
        ).scalar_one()
        now = connection.execute(select(func.now())).scalar_one()
        stops = active_stops(connection)
        approvals = open_approvals(connection)
        missing = connection.execute(
            select(runs.c.problem)
            .where(runs.c.problem.is_not(None), runs.c.started_at > func.now() - LATELY)
            .order_by(runs.c.started_at)
        ).scalars()
        problems = tuple(str(problem) for problem in missing)
        accounts = connection.execute(
            select(runs.c.id, runs.c.summary)
            .where(runs.c.ended_at > func.now() - LATELY, runs.c.summary.is_not(None))
            .order_by(runs.c.ended_at.desc())
        ).all()
    newest: dict[str, dict[str, Any]] = {}
    for run_id, account in accounts:
        newest.setdefault(run_id.partition("/")[0], account)
    refused = dict.fromkeys(row for account in newest.values() for row in account.get("refused_rows", ()))
    more_refused = tuple(
        f"{dag_id} names the first {named:,} of {account['refused']:,} rows; the log of its account has all of them"
        for dag_id, account in newest.items()
        if (named := len(account.get("refused_rows", ()))) < account.get("refused", 0)
    )
    counts = Counter({LookState(state): count for state, count in by_state})
    age = now - oldest if oldest else None
    return Status(
        counts, uses, cost, price.currency, age, stops, problems, tuple(refused), more_refused, approvals
    )


def show_status(status: Status, console: Console | None = None) -> None:
    """Print a status.

    Args:
        console: To print to; the terminal by default.
    """
    console = console or terminal()
    for problem in status.missing:
        console.print(f"[bold red]Missing:[/] {escape(problem)}")
    for refusal in (*status.refused, *status.more_refused):
        console.print(f"[bold red]Not written to the catalogue:[/] {escape(refusal)}")
    for approval in status.approvals:
        console.print(
            f"[bold]Waits for an approval:[/] {escape(approval.run_id)} {escape(approval.question)}; "
            "answer it at Required Actions in the Airflow UI"
        )
    if not status.looks.total():
        console.print("The ledger holds no looks yet: no run has read an export.")
        return
    table = Table(title="Looks", title_justify="left", header_style="bold")
    table.add_column("state")
    table.add_column("looks", justify="right")
    table.add_column("meaning")
    for state in SHOWN:
        if status.looks[state]:
            table.add_row(state.value, f"{status.looks[state]:,}", LOOK_STATES[state].meaning)
    console.print(table)
    console.print(f"{status.uses:,} uses so far, which cost {money(status.cost, status.currency)}.")
    if status.oldest_unpublished is not None:
        minutes = status.oldest_unpublished.total_seconds() / 60
        console.print(
            f"The oldest submission that is paid for and not collected is {minutes:.0f} minutes old."
        )
    for stop in status.stops:
        console.print(f"[bold red]Stopped:[/] {escape(str(stop.error()))}")
