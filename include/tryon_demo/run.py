"""Running the demo: one night on the sample catalogue, watched live, and shown when it is over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text
from sqlalchemy.exc import OperationalError

from tryon_catalogue.settings import ENV_PREFIX, load_settings
from tryon_catalogue.terminal import terminal
from tryon_demo.display import as_link, show_catalogue, show_rejections, show_summary, show_verdict
from tryon_demo.local import (
    AirflowApiError,
    FolderInUseError,
    LocalPostgresError,
    PortTakenError,
    ProcessFailedError,
    StackError,
)
from tryon_demo.outcome import Charges, NothingReadError, read_outcome, shortcomings
from tryon_demo.scene import DAG_ID, SETTINGS, open_scene
from tryon_demo.sheet import write_sheet
from tryon_demo.watching import LATE, LONGEST_NIGHT_SECONDS, watch_night

if TYPE_CHECKING:
    from rich.console import Console

    from tryon_demo.scene import Scene

HOME: Final = Path(".demo")
STOPPED_BY_CTRL_C: Final = 130

# Each of them says what is wrong and what to do: a stack trace would only bury it.
SPEAKS_FOR_ITSELF: Final = (
    AirflowApiError,
    FolderInUseError,
    LocalPostgresError,
    NothingReadError,
    OperationalError,
    OSError,  # requests' errors among them
    PortTakenError,
    ProcessFailedError,
    StackError,
)

# What a killed demo left in Airflow's books is noticed within seconds by the next one, instead of minutes.
NOTICE_THE_DEAD: Final = {
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}


def run_demo(home: Path = HOME, *, stay: bool, airflow_port: int = 0) -> int:
    """Run one night and show it. ``TRYON_*`` variables of this process are dropped: they are a real shop's.

    Args:
        home: Folder of everything the demo keeps; a second run goes on with it and pays for nothing.
        stay: Leave the Airflow UI open until Ctrl-C.
        airflow_port: Of the Airflow UI; 0 for a free one.

    Returns:
        Exit code, 0 only if every look ended as it should.
    """
    _forget_real_shop()
    console = terminal()
    console.print(
        "[bold]A night from export to pictures[/]: PostgreSQL, the stand-in vendor and Airflow, all on this machine."
    )
    try:
        with _on_stage(console, home, airflow_port) as scene:
            _finish_earlier_nights(console, scene)
            good = _one_night(console, scene)
            if stay:
                _stay_open(console, scene)
    except KeyboardInterrupt:
        console.print("Stopped. Nothing of it is left running.")
        return STOPPED_BY_CTRL_C
    except SPEAKS_FOR_ITSELF as error:
        terminal(err=True).print(Text(f"The demo cannot go on: {error}"), soft_wrap=True)
        return 1
    return 0 if good else 1


def _forget_real_shop() -> None:
    """Take the settings of a shop of the person's own out of our environment: the demo's are its samples'."""
    for name in [variable for variable in os.environ if variable.upper().startswith(ENV_PREFIX)]:
        del os.environ[name]


@contextmanager
def _on_stage(console: Console, home: Path, airflow_port: int) -> Iterator[Scene]:
    """Start everything, and end everything when the block is left, whyever; say so while it takes its time."""
    with ExitStack() as stage:
        with _busy(console, "Starting (the first time takes about a minute) …"):
            scene = stage.enter_context(open_scene(home, airflow_port=airflow_port, env=NOTICE_THE_DEAD))
        try:
            yield scene
        finally:
            with _busy(console, "Stopping …"):
                stage.close()


@contextmanager
def _busy(console: Console, message: str) -> Iterator[None]:
    if not console.is_terminal:
        console.print(message)
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(message, total=None)
        yield


def _finish_earlier_nights(console: Console, scene: Scene) -> None:
    """Let runs go to their end that a demo on this home had begun when it was cut short."""
    for run in scene.api.dag_runs(DAG_ID):
        if not run.state.ended:
            console.print("An earlier demo was cut short. Its night goes on where it stopped:")
            watch_night(console, scene, run)


def _one_night(console: Console, scene: Scene) -> bool:
    stack = scene.stack
    console.print(
        f"Airflow is at [link={stack.airflow_url}]{stack.airflow_url}[/link], "
        f"user [bold]{stack.airflow_user}[/], password [bold]{stack.airflow_password}[/]"
    )
    before = scene.charges()["uses"]
    export = scene.write_export(datetime.now(UTC).date())
    console.print(Text("The shop has exported its catalogue: ").append_text(as_link(export)))
    run = scene.api.trigger_dag(DAG_ID)
    ended = watch_night(console, scene, run)
    if ended == LATE:
        console.print(f"[red]The night did not end in {LONGEST_NIGHT_SECONDS} s.[/]")
    outcome = read_outcome(scene.engine, load_settings(SETTINGS).price, f"{DAG_ID}/{run.run_id}")
    show_catalogue(console, outcome, scene.archive)
    show_rejections(console, outcome)
    sheet = write_sheet(stack.home, outcome)
    report = scene.write_report(f"{DAG_ID}/{run.run_id}")
    charged = scene.charges()
    charges = Charges(
        uses=charged["uses"] - before,
        looks=len(charged["looks"]),
        most_for_one_look=charged["max_times_the_same_pictures_were_charged"],
    )
    show_summary(console, outcome, charges, pictures=scene.archive, sheet=sheet, report=report)
    problems = shortcomings(outcome, charges, ended)
    if problems:
        problems.append(f"What each process said is in {stack.logs}, what each task said in Airflow's pages.")
    show_verdict(console, problems)
    return not problems


def _stay_open(console: Console, scene: Scene) -> None:
    console.print(
        f"\nThe Airflow UI stays open at {scene.stack.airflow_url}. [bold]Ctrl-C[/] ends everything."
    )
    signal.pause()
