"""A scene of daily nights with little room at the vendor: what is larger than that room waits for its turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine

from tests.e2e.conftest import AIRFLOW_SETTINGS, SANDBOX_OPTIONS, TRYON_SETTINGS
from tests.e2e.first_night import FirstNight
from tests.e2e.settings_file import SettingsFile
from tests.e2e.waiting import until
from tests.e2e.wardrobe import Wardrobe
from tests.e2e.world import World
from tests.guards import GUARD
from tryon_catalogue.settings import ENV_FILE
from tryon_catalogue.workflow.policy import backfill_pool
from tryon_demo.local.api import DagRun
from tryon_demo.local.ports import remembered_port
from tryon_demo.scene import DAG_ID, Scene, open_scene

DAY = timedelta(days=1)
LOOKS = 4  # of the night that it begins with


@dataclass(frozen=True, slots=True)
class Room:
    """How much may be under way at once.

    Attributes:
        nights: Submissions at the vendor, those of backfills among them.
        backfills: Submissions of backfills at the vendor, and slots in their pool.
        slots: In the pool of the nights.
    """

    nights: int
    backfills: int
    slots: int


@contextmanager
def open_small_world(
    home: Path, room: Room, *, latency: float = 1.0, sandbox_options: Sequence[str] = SANDBOX_OPTIONS
) -> Iterator[World]:
    """Open a scene within the block; the night that its schedule owes has run, and no other begins by itself.

    Args:
        home: An empty folder.
        room: For submissions.
        latency: Seconds that the vendor takes for a look.
        sandbox_options: Further words of the sandbox's command.
    """
    settings_file = SettingsFile(home / "tryon.toml")
    settings = {
        "TRYON_NIGHT__SCHEDULE": f"0 {(datetime.now(UTC).hour + 12) % 24} * * *",  # twelve hours away
        "TRYON_VENDOR__MAX_IN_FLIGHT": f"{room.nights}",
        "TRYON_BACKFILL__MAX_IN_FLIGHT": f"{room.backfills}",
    }
    env = AIRFLOW_SETTINGS | TRYON_SETTINGS | settings | {ENV_FILE: str(settings_file.path)}
    with open_scene(
        home, latency=latency, sandbox_options=sandbox_options, env=env, paused=True, durable=False
    ) as scene:
        port = remembered_port(home, "wardrobe")
        wardrobe = Wardrobe(home / "wardrobe", f"http://127.0.0.1:{port}")
        scene.stack.serve_folder("wardrobe", home / "wardrobe", port=port)
        for pool, slots in (("damo_tryon", room.slots), (backfill_pool("damo_tryon"), room.backfills)):
            scene.api.set_pool(pool, slots, include_deferred=True)
        ledger = create_engine(scene.engine.url, pool_pre_ping=True, pool_size=16)
        ledger = ledger.execution_options(**scene.engine.get_execution_options())
        airflow = create_engine(scene.stack.postgres.url("airflow"), pool_pre_ping=True, pool_size=16)
        night = FirstNight(_scheduled_night(scene, wardrobe))
        yield World(scene, wardrobe, night, ledger, airflow, settings_file)
        ledger.dispose()
        airflow.dispose()


def _scheduled_night(scene: Scene, wardrobe: Wardrobe) -> DagRun:
    """Let the night run that the schedule owes, with nothing beside it."""
    content = wardrobe.csv_of(wardrobe.make_export("alone", LOOKS))
    today = datetime.now(UTC).date()
    for day in (today - DAY, today - 2 * DAY):  # by the hour it is
        (scene.exports / f"catalogue-{day}.csv").write_text(content, encoding="utf-8")
    scene.api.unpause(DAG_ID)
    night = until(lambda: scene.api.dag_runs(DAG_ID), "the schedule has started a night", every=0.5)[0]
    return scene.api.wait_for_run(DAG_ID, night.run_id, timeout=GUARD)
