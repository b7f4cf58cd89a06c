"""`make night`: a night on real processes at the vendor's real pace, in one line of JSON.

It starts PostgreSQL, the sandbox and Airflow, lets the shop export so many garments, runs the nightly DAG, and reads
what came of it off the ledger, Airflow's own database and the sandbox's books.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, Final

import psutil
from sqlalchemy import Engine, create_engine, select, text
from tests.bench.bare import run_bare
from tests.bench.celery_workers import broker_port, celery_environment, celery_workers
from tests.bench.nights import keep
from tests.e2e.wardrobe import PERSON, Wardrobe

from tryon_catalogue.ledger.tables import look_moves, looks, submissions
from tryon_catalogue.looks import LookState
from tryon_demo.local.ports import remembered_port
from tryon_demo.scene import DAG_ID, Scene, open_scene

RUN_ID: Final = "bench-night"
TRYON_SETTINGS: Final = {"TRYON_NIGHT__DONE_BY": ""}
SECONDS_BETWEEN_SAMPLES: Final = 2.0
MOST_TIMES_THE_LIMIT: Final = 6
SECONDS_BESIDE: Final = 600
MIB: Final = 1024 * 1024
STARTS: Final = """
SELECT count(*) FILTER (WHERE state = 'failed'), count(*) FILTER (WHERE state = 'upstream_failed'),
       coalesce(sum(try_number), 0)
FROM task_instance WHERE dag_id = :dag AND run_id = :run
"""
"""Each try starts a process; so does each trigger that fires, and each time a task has asked to come back later."""


def main() -> None:
    """Run such a night and print its figures."""
    asked = _arguments()
    # The home's path leads to PostgreSQL's socket, and such a path has to be short.
    with tempfile.TemporaryDirectory(prefix="night-", dir=asked.folder) as home:
        figures = measure(
            Path(home),
            asked.looks,
            asked.latency,
            asked.concurrency,
            asked.slots,
            workers=asked.workers,
            bare=asked.bare,
        )
        if asked.logs:
            _keep_logs(Path(home), asked.logs)
    sys.stdout.write(json.dumps(figures) + "\n")
    if asked.keep:
        keep(figures, asked.latency, asked.concurrency, asked.slots, workers=asked.workers)
    sys.exit(figures["run"] != "success" or figures["looks_not_sent"] > 0 or figures["charged_twice"] > 0)


def measure(
    home: Path,
    count: int,
    latency: float,
    concurrency: int,
    slots: int,
    *,
    workers: int = 0,
    bare: bool = False,
) -> dict[str, Any]:
    """Run one night and read its figures.

    Args:
        home: An empty folder.
        count: Of looks.
        latency: Seconds that the vendor takes for a look.
        concurrency: Looks that the vendor works on at once.
        slots: Task processes that Airflow runs at once.
        workers: Of Celery, which run them; 0 for Airflow's LocalExecutor. Of several, the last is lost on the way.
        bare: Afterwards, let a bare program make as many looks at the same vendor.
    """
    port = broker_port() if workers else 0
    celery = celery_environment(port) if workers else {}
    env = {"AIRFLOW__CORE__PARALLELISM": str(slots), **TRYON_SETTINGS, **celery, **_overrides()}
    options = ("--pictures", "plain", "--concurrency", str(concurrency))
    with open_scene(home, latency=latency, sandbox_options=options, env=env, durable=False) as scene:
        wardrobe = _serve_wardrobe(scene)
        export = _make_export(scene, wardrobe, count)
        limit = count * latency / concurrency
        with (
            celery_workers(scene, port, workers, slots) if workers else nullcontext(),
            _Memory(scene) as memory,
        ):
            began = time.monotonic()
            scene.api.trigger_dag(DAG_ID, conf={"export": str(export)}, run_id=RUN_ID)
            run = scene.api.wait_for_run(
                DAG_ID, RUN_ID, timeout=MOST_TIMES_THE_LIMIT * limit + SECONDS_BESIDE
            )
            seconds = time.monotonic() - began
        airflow = create_engine(scene.stack.postgres.url("airflow"))
        try:
            figures = {
                "looks": count,
                "run": str(run.state),
                "seconds": round(seconds, 1),
                "vendors_limit": round(limit, 1),
                "ratio": round(seconds / limit, 3) if limit else None,
                **_waits(scene, home / "sandbox.sqlite"),
                **_calls(scene),
                **_tasks(airflow),
                **memory.peaks,
            }
        finally:
            airflow.dispose()
        if bare:
            bare_seconds = _bare(scene, wardrobe, home / "bare", count, concurrency)
            figures |= {
                "bare_seconds": round(bare_seconds, 1),
                "times_bare": round(seconds / bare_seconds, 3),
            }
    return figures


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, default=600)
    parser.add_argument("--latency", type=float, default=3.0)
    parser.add_argument("--concurrency", type=int, default=5)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="workers of Celery; of several, the last is killed in the middle",
    )
    parser.add_argument("--bare", action="store_true", help="afterwards, the same with a bare program")
    parser.add_argument(
        "--folder", default=tempfile.gettempdir(), help="where the night's own folder is made"
    )
    parser.add_argument("--logs", type=Path, help="where the logs are put afterwards")
    parser.add_argument("--keep", action="store_true", help="write the row in the documents")
    return parser.parse_args()


def _overrides() -> dict[str, str]:
    """Give the settings of our own environment: a night may be tried with others."""
    return {name: value for name, value in os.environ.items() if name.startswith(("TRYON_", "AIRFLOW__"))}


def _bare(scene: Scene, wardrobe: Wardrobe, folder: Path, count: int, concurrency: int) -> float:
    """Let a bare program make as many looks, of pictures that the vendor has not seen; give its seconds."""
    folder.mkdir()
    looks = [
        {"model_image": f"{wardrobe.url}/{PERSON}", "tops_image": garment.top}
        for garment in wardrobe.make_export("bare", count)
    ]
    started = scene.stack.process("sandbox").first_json_line() or {}
    return run_bare(scene.sandbox_url, started["appcode"], looks, folder, at_once=2 * concurrency)


def _serve_wardrobe(scene: Scene) -> Wardrobe:
    port = remembered_port(scene.stack.home, "wardrobe")
    wardrobe = Wardrobe(scene.stack.home / "wardrobe", f"http://127.0.0.1:{port}")
    scene.stack.serve_folder("wardrobe", scene.stack.home / "wardrobe", port=port)
    return wardrobe


def _make_export(scene: Scene, wardrobe: Wardrobe, count: int) -> Path:
    garments = wardrobe.make_export("night", count)
    export = scene.exports / "night.csv"
    export.write_text(wardrobe.csv_of(garments), encoding="utf-8")
    with scene.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO catalogue (sku, title, collection) VALUES (:sku, :sku, :collection)"),
            [{"sku": garment.sku, "collection": garment.collection} for garment in garments],
        )
    return export


def _waits(scene: Scene, vendors_books: Path) -> dict[str, Any]:
    """Give how long pictures that the vendor had made waited to be in the catalogue, and how long sending took."""
    with scene.engine.connect() as connection:
        published: dict[str, float] = {
            row.tops_image: row.moved_at.timestamp()
            for row in connection.execute(
                select(looks.c.tops_image, look_moves.c.moved_at)
                .join(look_moves, look_moves.c.look_key == looks.c.key)
                .where(look_moves.c.to_state == LookState.PUBLISHED.value)
            )
        }
        sent = (
            connection.execute(select(submissions.c.intended_at).order_by(submissions.c.id)).scalars().all()
        )
        unsent = connection.execute(select(looks.c.key).where(looks.c.state == LookState.PLANNED.value)).all()
    ready = _ready(vendors_books)
    waits = sorted(published[top] - ready[top] for top in published if top in ready)
    return {
        "published": len(waits),
        "ready_to_published": {
            "median": round(statistics.median(waits), 1),
            "of_100_95": round(waits[int(len(waits) * 0.95)], 1),
            "longest": round(waits[-1], 1),
        }
        if waits
        else None,
        "first_sent_to_last_published": round(max(published.values()) - sent[0].timestamp(), 1)
        if published
        else None,
        "looks_not_sent": len(unsent),
    }


def _ready(vendors_books: Path) -> Mapping[str, float]:
    """Read when the vendor had made each look, by the address of its top."""
    books = sqlite3.connect(f"file:{vendors_books}?mode=ro", uri=True)
    try:
        return dict(books.execute("SELECT tops_image, max(ends_at) FROM sub_tasks GROUP BY tops_image"))
    finally:
        books.close()


def _calls(scene: Scene) -> dict[str, Any]:
    charges = scene.charges()
    queries, accepted = charges["calls"]["query"], charges["submissions"]
    return {
        "submissions": accepted,
        "submit_calls": charges["calls"]["submit"],
        "queries": queries,
        "queries_a_submission": round(queries / accepted, 2) if accepted else None,
        "charged_twice": sum(look["times"] > 1 for look in charges["looks"]),
    }


def _tasks(airflow: Engine) -> dict[str, int]:
    with airflow.connect() as connection:
        failed, upstream, tries = connection.execute(text(STARTS), {"dag": DAG_ID, "run": RUN_ID}).one()
        triggers = connection.execute(text("SELECT last_value FROM trigger_id_seq WHERE is_called")).scalar()
        later = connection.execute(text("SELECT count(*) FROM task_reschedule")).scalar_one()
        bad_tries = connection.execute(
            text("SELECT count(*) FROM task_instance_history WHERE run_id = :run AND state <> 'success'"),
            {"run": RUN_ID},
        ).scalar_one()
    return {
        "task_starts": int(tries) + (triggers or 0) + later,
        "failed_tasks": failed + upstream,
        "failed_tries": bad_tries,
    }


class _Memory:
    """Looks every few seconds at what Airflow's processes have of the machine's memory, shared parts counted once."""

    def __init__(self, scene: Scene) -> None:
        self._roots = {
            name: psutil.Process(scene.stack.process(name).pid) for name in ("scheduler", "triggerer")
        }
        self._workers = [
            psutil.Process(process.pid)
            for name in scene.stack.names
            if name.startswith("worker-") and (process := scene.stack.process(name)).pid
        ]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peaks: dict[str, int] = {"scheduler_mib": 0, "triggerer_mib": 0, "workers_mib": 0}

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(SECONDS_BETWEEN_SAMPLES):
            scheduler, triggerer = self._roots["scheduler"], self._roots["triggerer"]
            with suppress(psutil.Error):
                self._note("scheduler_mib", [scheduler])
                self._note("triggerer_mib", [triggerer, *triggerer.children(recursive=True)])
                workers = [
                    child
                    for worker in self._workers
                    if worker.is_running()
                    for child in (worker, *worker.children(recursive=True))
                ]
                self._note("workers_mib", workers or scheduler.children(recursive=True))

    def _note(self, name: str, processes: Sequence[psutil.Process]) -> None:
        total = 0
        for process in processes:
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
        self.peaks[name] = max(self.peaks[name], total // MIB)


def _keep_logs(home: Path, kept: Path) -> None:
    import shutil

    for name in ("logs", "airflow/logs"):
        if (home / name).is_dir():
            shutil.copytree(home / name, kept / name, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
