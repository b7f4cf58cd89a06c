"""Celery workers beside each other, with a broker of their own; one of them is lost in the middle of a night."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import psutil
from sqlalchemy import func, select

from tryon_catalogue.ledger.tables import looks
from tryon_catalogue.looks import LookState
from tryon_demo.local.ports import free_port, listens
from tryon_demo.local.processes import ManagedProcess
from tryon_demo.scene import Scene

START_SECONDS: Final = 300.0
SHARE_BEFORE_THE_LOSS: Final = 1 / 3
SECONDS_BETWEEN_LOOKS: Final = 2.0
READY: Final = " ready."


def celery_environment(port: int) -> Mapping[str, str]:
    """Give what Airflow's processes need to know to run tasks by Celery over the Redis on a port."""
    redis = f"redis://127.0.0.1:{port}"
    return {
        "AIRFLOW__CORE__EXECUTOR": "airflow.providers.celery.executors.celery_executor.CeleryExecutor",
        "AIRFLOW__CELERY__BROKER_URL": f"{redis}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"{redis}/1",
    }


def broker_port() -> int:
    """Choose the port of the broker.

    Raises:
        SystemExit: There is no Redis on this machine.
    """
    if shutil.which("redis-server") is None:
        raise SystemExit(
            "Workers of Celery need a broker: install Redis (Debian: apt-get install redis-server)."
        )
    return free_port()


@contextmanager
def celery_workers(scene: Scene, port: int, count: int, slots: int) -> Iterator[None]:
    """Run workers for the block. When a third of the looks is published, the last of them is killed with all it runs.

    Args:
        scene: Opened with `celery_environment`.
        port: Of the broker.
        count: How many; none is killed of one.
        slots: Tasks that all of them run at once.
    """
    scene.stack.spawn(
        "redis",
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        ready=lambda _: listens(port),
    )
    environment = psutil.Process(scene.stack.process("scheduler").pid).environ()
    names = [f"worker-{number}" for number in range(1, count + 1)]
    for name in names:
        command = [sys.executable, "-m", "airflow", "celery", "worker", "--skip-serve-logs"]
        scene.stack.spawn(
            name,
            [*command, "--celery-hostname", f"{name}@%h", "--concurrency", str(max(1, slots // count))],
            ready=_is_ready,
            env=environment,
            timeout=START_SECONDS,
        )
    done = threading.Event()
    loss = threading.Thread(target=_lose, args=(scene, names[-1], done), daemon=True)
    if count > 1:
        loss.start()
    try:
        yield
    finally:
        done.set()
        if count > 1:
            loss.join()


def _is_ready(worker: ManagedProcess) -> bool:
    return READY in worker.output()


def _lose(scene: Scene, name: str, done: threading.Event) -> None:
    counting = select(
        func.count().filter(looks.c.state == LookState.PUBLISHED.value), func.count()
    ).select_from(looks)
    while not done.wait(SECONDS_BETWEEN_LOOKS):
        with scene.engine.connect() as connection:
            published, every = connection.execute(counting).one()
        if every and published >= every * SHARE_BEFORE_THE_LOSS:
            scene.stack.kill_family(name)
            return
