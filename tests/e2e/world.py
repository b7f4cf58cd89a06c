"""The world of the end-to-end tests: one running scene, nights made to order, and the hands that break things.

A night reads an export of its own, so several can run at once, each with a fault that concerns it alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

import psutil
import requests
from sqlalchemy import Connection, Engine, func, select, text

from tests.e2e.books import OPEN, Books, read_books
from tests.e2e.first_night import FirstNight
from tests.e2e.settings_file import SettingsFile
from tests.e2e.waiting import until
from tests.e2e.wardrobe import COLLECTION, Garment, Wardrobe
from tests.guards import GUARD
from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import batches, looks, submission_looks, submissions
from tryon_catalogue.looks import LookState
from tryon_demo.scene import DAG_ID, Scene

MOST_RECOVERIES = 4
ENDED = ("success", "failed")
RECOVERY_DAG_ID = "tryon_recover"
BATCH: Final = "batch"
# Many commands in one process: starting one takes seconds, for it imports Airflow.
TYPE_THEM = """
import json, sys
from tryon_catalogue.console import cli
for words in json.load(sys.stdin):
    sys.argv = ["tryon", *words]
    try:
        cli.main()
    except SystemExit as end:
        if end.code:
            raise
"""
SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer")


@dataclass(slots=True)
class World:
    """One scene with what the tests need around it.

    Attributes:
        scene: The running scene.
        wardrobe: Where exports are made.
        first_night: What was seen of the night that warmed it up.
        ledger: Sessions on the ledger and the shop's table, kept open because these tests look often.
        airflow: Sessions on Airflow's own database: asking its API so often would slow down what is watched.
        settings_file: The settings that each task reads when it starts.
    """

    scene: Scene
    wardrobe: Wardrobe
    first_night: FirstNight
    ledger: Engine
    airflow: Engine
    settings_file: SettingsFile
    _faults: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def appcode(self) -> str:
        """The secret that the sandbox lets in."""
        said = self.scene.stack.process("sandbox").first_json_line() or {}
        return str(said["appcode"])

    @property
    def sample_export(self) -> Path:
        """The export of the first night."""
        return self.scene.exports / f"catalogue-{self.first_night.run.logical_date:%Y-%m-%d}.csv"

    # -- nights ----------------------------------------------------------------------------------------------

    def export(self, name: str, count: int, collections: Sequence[str] = (COLLECTION,)) -> Export:
        """Let the shop export some new garments.

        Args:
            name: Of the export, used once.
            count: Of garments; each is one look.
            collections: Which they belong to, in turns.
        """
        garments = self.wardrobe.make_export(name, count, collections)
        path = self.scene.exports / f"{name}.csv"
        path.write_text(self.wardrobe.csv_of(garments), encoding="utf-8")
        with self.ledger.begin() as connection:
            connection.execute(
                text("INSERT INTO catalogue (sku, title, collection) VALUES (:sku, :sku, :collection)"),
                [{"sku": garment.sku, "collection": garment.collection} for garment in garments],
            )
        return Export(self, name, garments, path)

    def start_night(self, export: Export, run_id: str | None = None) -> Night:
        """Start the nightly DAG on an export, as Trigger with a path does."""
        run = self.scene.api.trigger_dag(
            DAG_ID, conf={"export": str(export.path)}, run_id=run_id or export.name
        )
        return Night(self, export, run.run_id)

    def night_of(self, name: str, count: int) -> Night:
        """Export new garments and start a night on them."""
        return self.start_night(self.export(name, count))

    # -- the sandbox -----------------------------------------------------------------------------------------

    @contextmanager
    def faults(self, owner: str, *faults: Mapping[str, Any]) -> Iterator[None]:
        """Let the sandbox go wrong within the block, beside what others told it.

        Args:
            owner: Whose faults they are.
            faults: As the sandbox takes them; ``containing`` keeps them to one night.
        """
        self._set_faults(owner, faults)
        try:
            yield
        finally:
            self._set_faults(owner, ())

    def _set_faults(self, owner: str, faults: Sequence[Mapping[str, Any]]) -> None:
        with self._lock:
            # What has happened as often as it was to happen is not to happen again.
            left = requests.get(f"{self.scene.sandbox_url}/_sandbox/faults", timeout=GUARD).json()
            mine = self._faults.pop(owner, [])
            kept = [one for one in left if not any(_same_fault(one, other) for other in mine)]
            self._faults[owner] = list(faults)
            self.scene.set_faults([*kept, *faults])

    # -- a person --------------------------------------------------------------------------------------------

    def tryon(self, *commands: Sequence[str]) -> None:
        """Type `tryon` commands where Airflow runs, one after another; each has to succeed.

        Args:
            commands: The words of each.
        """
        done = subprocess.run(
            [sys.executable, "-c", TYPE_THEM],
            env=self.scene.stack.process("scheduler").env,
            input=json.dumps(commands),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}: {done.stdout}{done.stderr}"

    def airflow_command(self, *arguments: str) -> None:
        """Type an `airflow` command; it has to succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.scene.stack.process("scheduler").env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"airflow {' '.join(arguments)}: {done.stdout}{done.stderr}"

    def runs_of(self, day: date) -> list[str]:
        """Name the runs of the nightly DAG for one date."""
        query = text("SELECT run_id FROM dag_run WHERE dag_id = :dag AND logical_date = :day")
        with self.airflow.connect() as connection:
            return list(connection.execute(query, {"dag": DAG_ID, "day": f"{day} 00:00+00"}).scalars())

    def settle_and_recover(self, exports: Sequence[Export]) -> None:
        """Settle what is in doubt by the vendor's own books, then let the recovery DAG collect what is left.

        Args:
            exports: Whose looks.
        """
        if words := [word for export in exports for word in export.words_on_doubts()]:
            self.tryon(*words)
        again = [export for export in exports if LookState.PLANNED in export.states()]
        for night in [self.start_night(export, f"again-{export.name}") for export in again]:
            night.end()
        for _ in range(MOST_RECOVERIES):
            if not any(OPEN & set(export.states()) for export in exports):
                return
            run = self.scene.api.trigger_dag(RECOVERY_DAG_ID)
            self.scene.api.wait_for_run(RECOVERY_DAG_ID, run.run_id, timeout=GUARD)

    # -- processes -------------------------------------------------------------------------------------------

    def revive(self) -> None:
        """Start again whichever service has ended, as a service manager does."""
        for name in SERVICES:
            if self.scene.stack.process(name).pid is None:
                self.scene.stack.start(name)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Hold what is locked within the block, and change nothing."""
        with self.ledger.connect() as connection:
            yield connection
            connection.rollback()

    def waits_for(self, connection: Connection) -> Callable[[], bool]:
        """Return the question whether some session waits for a lock of this connection's."""
        pid = connection.execute(select(func.pg_backend_pid())).scalar_one()

        def waits() -> bool:
            with self.ledger.connect() as other:
                blocked = text(
                    "SELECT count(*) FROM pg_stat_activity WHERE :pid = ANY(pg_blocking_pids(pid))"
                )
                return bool(other.execute(blocked, {"pid": pid}).scalar_one())

        return waits


@dataclass(frozen=True, slots=True)
class Export:
    """An export of garments that nobody else has.

    Attributes:
        name: Of the export; each of its tops' URLs holds it.
        garments: Its rows.
    """

    world: World
    name: str
    garments: tuple[Garment, ...]
    path: Path

    @property
    def mark(self) -> str:
        """What every URL of its tops holds, and no other's: keeps a fault to this export."""
        return self.world.wardrobe.folder_url(self.name)

    @property
    def of_ours(self) -> Any:
        """The condition on the table of looks."""
        return looks.c.tops_image.in_([garment.top for garment in self.garments])

    def refused(self, *numbers: int) -> list[Mapping[str, Any]]:
        """Make the faults by which the vendor refuses some of its looks: it finds nobody in their pictures."""
        return [
            {
                "kind": "refuse",
                "path": "submit",
                "code": 23500016,
                "times": None,
                "containing": self.garments[number].top,
            }
            for number in numbers
        ]

    def books(self) -> Books:
        """Read what came of it."""
        tops = {garment.sku: garment.top for garment in self.garments}
        return read_books(self.world.ledger, self.world.scene.charges(), tops)

    def states(self) -> list[LookState]:
        """Read the states of its looks."""
        with self.world.ledger.connect() as connection:
            found = connection.execute(select(looks.c.state).where(self.of_ours).order_by(looks.c.position))
            return [LookState(state) for state in found.scalars()]

    def calls(self, *states: SubmissionState) -> list[Any]:
        """Read its submissions, oldest first; those in the given states only, where some are given."""
        query = (
            select(submissions)
            .join(submission_looks, submission_looks.c.submission_id == submissions.c.id)
            .join(looks, looks.c.key == submission_looks.c.look_key)
            .where(self.of_ours)
            .distinct()
            .order_by(submissions.c.id)
        )
        if states:
            query = query.where(submissions.c.state.in_([state.value for state in states]))
        with self.world.ledger.connect() as connection:
            return list(connection.execute(query).all())

    def words_on_doubts(self) -> list[list[str]]:
        """Say of each submission in doubt what the sandbox knows of it: its result key, or that it has none."""
        with self.world.ledger.connect() as connection:
            ours = set(connection.execute(select(submissions.c.result_key)).scalars())
            doubts = connection.execute(
                select(submissions.c.id, func.min(looks.c.tops_image))
                .join(submission_looks, submission_looks.c.submission_id == submissions.c.id)
                .join(looks, looks.c.key == submission_looks.c.look_key)
                .where(self.of_ours, submissions.c.state == SubmissionState.IN_DOUBT.value)
                .group_by(submissions.c.id)
            ).all()
        bill = {look["tops_image"]: look["result_keys"] for look in self.world.scene.charges()["looks"]}
        words = []
        for submission_id, top in doubts:
            keys = [key for key in bill.get(top, ()) if key not in ours]
            word = ["--found", keys[0]] if keys else ["--lost"]
            words.append(["doubts", "resolve", str(submission_id), *word])
        return words

    def charged(self) -> int:
        """Ask the sandbox how many of its looks are on the bill."""
        tops = {garment.top for garment in self.garments}
        return sum(look["tops_image"] in tops for look in self.world.scene.charges()["looks"])


@dataclass(frozen=True, slots=True)
class Night:
    """One run of the nightly DAG on one export.

    Attributes:
        export: What it reads.
    """

    world: World
    export: Export
    run_id: str

    def end(self, *, seconds: float = GUARD, attended: bool = False) -> str:
        """Wait until the run has ended, well or badly; return its state.

        Args:
            seconds: The deadline.
            attended: Whether services that end meanwhile, and be it late, are started again.
        """

        def ended() -> str | None:
            if attended:
                self.world.revive()
            state = self.state()
            return state if state in ENDED else None

        return until(ended, f"{self.run_id} has ended", seconds=seconds, every=0.5) or ""

    def state(self) -> str:
        """Read the state of the run."""
        query = text("SELECT state FROM dag_run WHERE dag_id = :dag AND run_id = :run")
        with self.world.airflow.connect() as connection:
            return str(connection.execute(query, {"dag": DAG_ID, "run": self.run_id}).scalar_one())

    def tasks(self, task_id: str, *states: str) -> list[Any]:
        """Read the instances of a task, those in the given states only, where some are given."""
        query = text(
            "SELECT task_id, map_index, state, try_number, pid FROM task_instance "
            "WHERE dag_id = :dag AND run_id = :run AND task_id = :task ORDER BY map_index"
        )
        with self.world.airflow.connect() as connection:
            found = connection.execute(query, {"dag": DAG_ID, "run": self.run_id, "task": task_id}).all()
        return [one for one in found if not states or one.state in states]

    def wait_for_tasks(self, task_id: str, state: str, count: int = 1) -> list[Any]:
        """Wait until so many instances of a task are in a state."""

        def there() -> list[Any]:
            found = self.tasks(task_id, state)
            return found if len(found) >= count else []

        return until(there, f"{count} of {task_id} of {self.run_id} are {state}", every=0.3)

    def wait_until_planned(self) -> None:
        """Wait until every look of the export is in a batch."""

        def planned() -> bool:
            with self.world.ledger.connect() as connection:
                count = connection.execute(
                    select(func.count()).select_from(looks.join(batches)).where(self.export.of_ours)
                )
                return count.scalar_one() == len(self.export.garments)

        until(planned, f"{self.run_id} is planned", every=0.05)

    def task_processes(self, task_id: str | None = None) -> list[psutil.Process]:
        """Find the processes that run this night's tasks now.

        Args:
            task_id: Of this task only.
        """
        query = text(
            "SELECT id, pid, task_id FROM task_instance "
            "WHERE dag_id = :dag AND run_id = :run AND state = 'running' AND pid IS NOT NULL ORDER BY id"
        )
        with self.world.airflow.connect() as connection:
            running = connection.execute(query, {"dag": DAG_ID, "run": self.run_id}).all()
        found = []
        for one in running:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(one.pid)
                # Airflow titles a task's process with the id of its instance: nobody else is ever hit.
                if task_id in {None, one.task_id} and str(one.id) in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def kill_task(self, task_id: str, *, with_supervisor: bool = False) -> None:
        """SIGKILL the process of a running task.

        Args:
            task_id: Such as ``batch``.
            with_supervisor: Also Airflow's process above it, as when the worker's machine is lost.
        """
        process, *_ = until(lambda: self.task_processes(task_id), f"{task_id} of {self.run_id} runs")
        supervisor = process.parent()
        if with_supervisor and supervisor is not None:
            supervisor.kill()
        process.kill()


def _same_fault(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    ignored = {"times"}
    return all(one.get(key) == value for key, value in other.items() if key not in ignored)
