"""Running the demo: one night on the sample catalogue, watched live, and shown when it is over."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.live import Live

from tryon_catalogue.demo.display import (
    NightView,
    show_catalogue,
    show_rejections,
    show_summary,
    watch_table,
)
from tryon_catalogue.demo.outcome import read_outcome
from tryon_catalogue.demo.scene import DAG_ID, open_scene
from tryon_catalogue.demo.sheet import write_sheet

if TYPE_CHECKING:
    from tryon_catalogue.demo.scene import Scene

HOME: Final = Path(".demo")
# The sample export holds three rows that must be refused; see include/samples/README.md.
ROWS_TO_REJECT: Final = 3
LONGEST_NIGHT_SECONDS: Final = 600
SECONDS_BETWEEN_LOOKS_AT_IT: Final = 0.5


def run_demo(home: Path = HOME, *, stay: bool, airflow_port: int = 0) -> int:
    """Run one night and show it.

    :param home: folder of everything the demo keeps; a second run goes on with it and pays for nothing
    :param stay: leave the Airflow UI open until Ctrl-C
    :param airflow_port: of the Airflow UI; 0 for a free one
    :returns: exit code, 0 only if every look ended as it should
    """
    console = Console()
    console.print(
        "[bold]A night from export to pictures[/]: PostgreSQL, the sandbox and Airflow, all on this machine."
    )
    try:
        with console.status("Starting (the first time takes about a minute) …"):
            scene_context = open_scene(home, airflow_port=airflow_port)
            scene = scene_context.__enter__()
        try:
            good = _one_night(console, scene)
            if stay:
                _stay_open(console, scene)
        finally:
            with console.status("Stopping …"):
                scene_context.__exit__(None, None, None)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    return 0 if good else 1


def _one_night(console: Console, scene: Scene) -> bool:
    console.print(
        f"Airflow is at [link={scene.stack.airflow_url}]{scene.stack.airflow_url}[/link], "
        f"user [bold]{scene.stack.airflow_user}[/], password [bold]{scene.stack.airflow_password}[/]."
    )
    before = scene.charges()["uses"]
    export = scene.write_export(datetime.now(UTC).date())
    console.print(f"The shop has exported its catalogue: {_short(export)}")
    run = scene.api.trigger_dag(DAG_ID)
    ended = _watch(console, scene, run.run_id)
    outcome = read_outcome(scene.engine, f"{DAG_ID}/{run.run_id}")
    show_catalogue(console, outcome, scene.archive)
    show_rejections(console, outcome)
    sheet = write_sheet(scene, outcome)
    charges = scene.charges()
    show_summary(
        console,
        outcome,
        charged=charges["uses"] - before,
        most_charges_of_a_look=charges["max_times_one_look_was_charged"],
        pictures=_short(scene.archive),
        sheets=[_short(one) for one in sheet],
    )
    return (
        ended == "success"
        and outcome.all_published
        and len(outcome.rejections) == ROWS_TO_REJECT
        and charges["max_times_one_look_was_charged"] <= 1
        and charges["uses"] - before == outcome.uses
    )


def _watch(console: Console, scene: Scene, run_id: str) -> str:
    view = NightView(scene.engine, f"{DAG_ID}/{run_id}")
    deadline = time.monotonic() + LONGEST_NIGHT_SECONDS
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            run = scene.api.dag_run(DAG_ID, run_id)
            tasks = scene.api.task_instances(DAG_ID, run_id)
            live.update(watch_table(view.counts(), tasks))
            if run.state.ended:
                return run.state.value
            if time.monotonic() > deadline:
                console.print(
                    f"[red]The night did not end in {LONGEST_NIGHT_SECONDS} s; its logs are in {scene.stack.logs}[/]"
                )
                return "late"
            time.sleep(SECONDS_BETWEEN_LOOKS_AT_IT)


def _stay_open(console: Console, scene: Scene) -> None:
    console.print(
        f"\nThe Airflow UI stays open at {scene.stack.airflow_url}. [bold]Ctrl-C[/] ends everything."
    )
    signal.pause()


def _short(path: Path) -> str:
    """Give a path as a person in this folder would type it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
