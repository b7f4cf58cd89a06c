"""How the demo looks in a terminal: what came of the night.

It is given what was read. Nothing that a shop has written is taken for markup:
titles and reasons are shown letter by letter.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from rich import box
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tryon_catalogue.ledger.states import LOOK_STATES
from tryon_catalogue.reporting.account import headline
from tryon_catalogue.words import money

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from tryon_demo.outcome import Charges, Outcome

PANEL_WIDTH = 84
# Below so many columns the address of the first picture would squeeze the titles.
WIDE_ENOUGH_FOR_ADDRESSES = 100
COLOURS = {state.value: facts.tone.terminal for state, facts in LOOK_STATES.items()}


def show_catalogue(console: Console, outcome: Outcome, archive: Path) -> None:
    """Print the shop's table as the night left it, one collection after the other.

    Args:
        archive: Folder of the pictures, which is left out of each address.
    """
    wide = console.width >= WIDE_ENOUGH_FOR_ADDRESSES
    table = _table("The shop's catalogue table")
    table.add_column("sku", no_wrap=True)
    table.add_column("title")
    table.add_column("status", no_wrap=True)
    table.add_column("pictures", justify="right", no_wrap=True)
    if wide:
        table.add_column("the first of them", no_wrap=True)
    for _, rows in groupby(outcome.catalogue, key=lambda row: row.collection):
        for row in rows:
            first = row.pictures[0].removeprefix(f"{archive}/") if row.pictures else ""
            table.add_row(
                Text(row.sku),
                Text(row.title),
                Text(row.status, style=COLOURS.get(row.status, "")),
                str(len(row.pictures) or ""),
                *([Text(first)] if wide else []),
            )
        table.add_section()
    console.print(table)


def show_rejections(console: Console, outcome: Outcome) -> None:
    """Print the rows of the export that got no picture, each with its reason."""
    if not outcome.rejections:
        return
    table = _table("Rows of the export that cannot be used, and why")
    table.add_column("line", justify="right", no_wrap=True)
    table.add_column("sku", no_wrap=True)
    table.add_column("reason")
    for row in outcome.rejections:
        table.add_row(row.place or str(row.line), Text(row.sku), Text(row.reason))
    console.print(table)


def show_summary(
    console: Console,
    outcome: Outcome,
    charges: Charges,
    *,
    pictures: Path,
    sheet: Path,
    report: Path,
) -> None:
    """Print what the night cost and where to look.

    Args:
        pictures: Folder of the pictures.
        report: The run's report, of what that run alone made.
    """
    account = outcome.account
    known = f", {account.known} known before" if account.known else ""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("result", headline(account))
    table.add_row("looks", f"{account.tried} to make{known}")
    table.add_row("cost", Text(money(account.cost, account.currency), style="bold"))
    table.add_row("charged", f"{charges.uses} uses by the sandbox, {account.uses} expected by the ledger")
    table.add_row(
        "paid once",
        f"{charges.looks} looks paid for so far, none of them twice"
        if charges.most_for_one_look <= 1
        else Text(f"one look was paid for {charges.most_for_one_look} times", style="bold red"),
    )
    table.add_row("pictures", as_link(pictures))
    table.add_row("contact sheet", as_link(sheet))
    table.add_row("report", as_link(report))
    console.print(Panel(table, title="The night", width=min(PANEL_WIDTH, console.width)))


def show_verdict(console: Console, problems: Sequence[str]) -> None:
    """Print whether every look ended as it should, and what did not.

    Args:
        problems: What ``shortcomings`` said.
    """
    if not problems:
        console.print("[green]✓[/] Every look ended as it should.")
        return
    console.print("[bold red]✗ Not everything ended as it should:[/]")
    for problem in problems:
        console.print(Text(f"  {problem}"))


def as_link(path: Path) -> Text:
    """Give a path as a person in this folder would type it, to be clicked where the terminal can."""
    here = path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return Text(str(shown), style=f"link {path.absolute().as_uri()}")


def _table(title: str) -> Table:
    return Table(
        title=title, title_justify="left", title_style="bold", header_style="dim", box=box.SIMPLE_HEAD
    )
