"""Watching a night of the demo while it happens: in place in a terminal, as a few plain lines everywhere else."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from sqlalchemy import func, select

from tryon_catalogue.ledger.states import ENDED, LOOK_STATES, NEED_A_PERSON, SHOWN, UNCOLLECTED, Paid
from tryon_catalogue.ledger.tables import looks, run_looks
from tryon_catalogue.looks import LookState
from tryon_demo.display import PANEL_WIDTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console, RenderableType
    from sqlalchemy import Engine

    from tryon_demo.local.api import DagRun, TaskInstance
    from tryon_demo.scene import Scene

LONGEST_NIGHT_SECONDS: Final = 600
SECONDS_BETWEEN_LOOKS_AT_IT: Final = 0.5
LATE: Final = "late"

# A bar counts the looks that have come at least this far.
BARS: Final[Mapping[str, frozenset[LookState]]] = {
    "submitted": frozenset({*ENDED, *NEED_A_PERSON, *UNCOLLECTED}),
    "made by the vendor": frozenset(state for state in SHOWN if LOOK_STATES[state].paid is Paid.YES)
    - {LookState.SUBMITTED},
    "in the catalogue": frozenset({LookState.PUBLISHED}),
}
SIGNS: Final[Mapping[str, tuple[str, str]]] = {
    "success": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "upstream_failed": ("✗", "red"),
    "skipped": ("-", "dim"),
    "running": ("▶", "blue"),
    "deferred": ("…", "magenta"),
    "awaiting_input": ("?", "bold yellow"),
    "up_for_retry": ("↻", "yellow"),
}
NOT_YET: Final = ("·", "dim")
# Of tasks that have not started: an order in which a run is told; those not named come in between.
FIRST_TASKS: Final = ("export", "preflight", "plan", "budget", "batch")
LAST_TASKS: Final = ("account", "verdict")


class NightView:
    """Counts a run's looks as they stand.

    Args:
        run_id: ``dag_id/run_id``.
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


def watch_night(console: Console, scene: Scene, run: DagRun) -> str:
    """Show a run until it has ended.

    Returns:
        The run's state, or ``LATE`` when it took too long.
    """
    view = NightView(scene.engine, f"{run.dag_id}/{run.run_id}")
    live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
    began = time.monotonic()
    printed = ""
    with live or nullcontext():
        while True:
            state = scene.api.dag_run(run.dag_id, run.run_id).state
            counts = view.counts()
            seconds = time.monotonic() - began
            if live is not None:
                tasks = scene.api.task_instances(run.dag_id, run.run_id)
                live.update(watch_table(run.dag_id, counts, tasks, seconds=seconds, width=console.width))
            elif (line := watch_line(counts)) != printed:
                printed = line
                console.print(f"{seconds:4.0f} s  {line}")
            if state.ended:
                return state.value
            if seconds > LONGEST_NIGHT_SECONDS:
                return LATE
            time.sleep(SECONDS_BETWEEN_LOOKS_AT_IT)


def watch_line(counts: Counter[LookState]) -> str:
    """Say in one line how far a night has come; empty before it has planned anything."""
    total = counts.total()
    return ", ".join(f"{_come(counts, states)} of {total} {name}" for name, states in BARS.items() if total)


def watch_table(
    title: str, counts: Counter[LookState], tasks: Sequence[TaskInstance], *, seconds: float, width: int
) -> RenderableType:
    """Draw how far a night has come.

    Args:
        seconds: Since it began.
        width: Columns of the terminal.
    """
    total = counts.total()
    lines = Table.grid(padding=(0, 1), expand=True)
    lines.add_column(justify="right", no_wrap=True)
    lines.add_column(ratio=1)
    lines.add_column(justify="right", no_wrap=True)
    for name in _in_order(tasks):
        of_name = sorted((task for task in tasks if task.task_id == name), key=lambda task: task.map_index)
        signs = Text(" ").join(Text(*SIGNS.get(task.state or "", NOT_YET)) for task in of_name)
        lines.add_row(Text(name), signs, "")
    lines.add_row()
    for name, states in BARS.items():
        come = _come(counts, states)
        lines.add_row(name, ProgressBar(total=total or 1, completed=come), f"{come} of {total} looks")
    return Panel(
        Group(lines),
        title=Text(title),
        subtitle=f"{seconds:.0f} s",
        subtitle_align="right",
        width=min(PANEL_WIDTH, width),
    )


def _come(counts: Counter[LookState], states: frozenset[LookState]) -> int:
    return sum(counts[state] for state in states)


def _in_order(tasks: Sequence[TaskInstance]) -> list[str]:
    """The tasks' names as a run goes through them: those that began by when, the others behind them."""
    begun: dict[str, float] = {}
    for task in tasks:
        if task.start is not None:
            begun[task.task_id] = min(task.start.timestamp(), begun.get(task.task_id, float("inf")))
    return sorted(
        {task.task_id for task in tasks}, key=lambda name: (begun.get(name, float("inf")), _place(name))
    )


def _place(name: str) -> tuple[int, str]:
    if name in FIRST_TASKS:
        return FIRST_TASKS.index(name), name
    if name in LAST_TASKS:
        return len(FIRST_TASKS) + 1 + LAST_TASKS.index(name), name
    return len(FIRST_TASKS), name
