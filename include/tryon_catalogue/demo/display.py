"""How the demo looks in a terminal: what happens while it happens, and what came of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text
from sqlalchemy import func, select

from tryon_catalogue.ledger.tables import looks, run_looks
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import Console, RenderableType
    from sqlalchemy import Engine

    from tryon_catalogue.demo.outcome import Outcome
    from tryon_catalogue.local.api import TaskInstance

# A bar counts the looks that have come at least this far.
BARS: Mapping[str, frozenset[LookState]] = {
    "submitted": frozenset(LookState) - {LookState.PLANNED, LookState.SUBMITTING},
    "made by the vendor": frozenset({LookState.SUCCEEDED, LookState.PUBLISHED, LookState.REVIEW}),
    "in the catalogue": frozenset({LookState.PUBLISHED}),
}
COLOURS = {
    LookState.PUBLISHED: "green",
    LookState.REJECTED: "red",
    LookState.FAILED: "red",
    LookState.IN_DOUBT: "yellow",
    LookState.REVIEW: "yellow",
}
SIGNS = {
    "success": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "running": "[blue]▶[/]",
    "deferred": "[magenta]…[/]",
}


class NightView:
    """Counts a run's looks as they stand.

    :param engine: the ledger's
    :param run_id: ``dag_id/run_id``
    """

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine = engine
        self._counting = (
            select(looks.c.state, func.count())
            .join(run_looks, run_looks.c.look_key == looks.c.key)
            .where(run_looks.c.run_id == run_id)
            .group_by(looks.c.state)
        )

    def counts(self) -> Counter[LookState]:
        """Give the number of looks in each state."""
        with self._engine.connect() as connection:
            return Counter({LookState(state): count for state, count in connection.execute(self._counting)})


def watch_table(counts: Counter[LookState], tasks: Sequence[TaskInstance]) -> RenderableType:
    """Draw how far a night has come.

    :param counts: looks by state
    :param tasks: the run's task instances
    """
    bars = Progress(
        TextColumn("{task.description:>20}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("looks"),
    )
    total = counts.total()
    for name, states in BARS.items():
        bars.add_task(name, total=total or 1, completed=sum(counts[state] for state in states))
    lines = Table.grid(padding=(0, 1))
    names = list(dict.fromkeys(one.task_id for one in sorted(tasks, key=lambda one: _order(one.task_id))))
    for name in names:
        signs = " ".join(
            SIGNS.get(one.state or "", "[dim]·[/]")
            for one in sorted(tasks, key=lambda one: one.map_index)
            if one.task_id == name
        )
        lines.add_row(f"{name:>20}", signs)
    return Panel(Group(lines, Text(), bars), title="tryon_nightly", width=84)


def _order(task_id: str) -> int:
    order = ("plan", "batch.submit", "batch.wait", "batch.publish", "account")
    return order.index(task_id) if task_id in order else len(order)


def show_catalogue(console: Console, outcome: Outcome, archive: Path) -> None:
    """Print the shop's table as the night left it."""
    table = Table(title="The shop's catalogue table", title_justify="left", header_style="bold")
    for heading in ("sku", "title", "collection", "looks", "status", "first picture"):
        table.add_column(heading, overflow="fold")
    of_sku = Counter(look.sku for look in outcome.looks)
    for row in outcome.catalogue:
        state = LookState(row.tryon_status) if row.tryon_status else None
        colour = COLOURS.get(state, "white") if state else "dim"
        picture = (row.tryon_picture_url or "").removeprefix(f"{archive}/")
        table.add_row(
            Text(row.sku),
            Text(row.title),
            Text(row.collection),
            str(of_sku[row.sku] or ""),
            Text(row.tryon_status or "", style=colour),
            Text(picture),
        )
    console.print(table)


def show_rejections(console: Console, outcome: Outcome) -> None:
    """Print the rows that got no picture, each with its reason."""
    table = Table(title="Rows that cannot be used", title_justify="left", header_style="bold")
    for heading in ("line", "sku", "column", "reason"):
        table.add_column(heading, overflow="fold")
    for row in outcome.rejections:
        table.add_row(str(row.line), Text(row.sku or ""), Text(row.column or ""), Text(row.reason))
    console.print(table)


def show_summary(
    console: Console,
    outcome: Outcome,
    *,
    charged: int,
    most_charges_of_a_look: int,
    pictures: str,
    sheets: Sequence[str],
) -> None:
    """Print what it cost and where to look."""
    table = Table.grid(padding=(0, 2))
    table.add_row("looks", f"{outcome.new} to make, {len(outcome.looks) - outcome.new} known before")
    table.add_row("uses", f"{outcome.uses} expected, {charged} charged by the sandbox")
    table.add_row("cost", f"[bold]¥{outcome.cost}[/] ({outcome.currency})")
    table.add_row(
        "paid once", f"no look was charged more than {most_charges_of_a_look} time(s), this run and before"
    )
    table.add_row("pictures", pictures)
    table.add_row("contact sheet", "\n".join(sheets))
    console.print(Panel(table, title="The night", width=84))
