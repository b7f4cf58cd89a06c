"""One warm scene for all end-to-end tests: it is started once, and its first night starts by itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests.e2e.cases import Case, Row, run_cases
from tests.e2e.first_night import SCHEDULE, live_through_first_night
from tests.e2e.matrix import write_matrix
from tests.e2e.roles import USERS_SETTING
from tests.e2e.settings_file import SettingsFile
from tests.e2e.wardrobe import Wardrobe
from tests.e2e.world import World
from tests.guards import GUARD
from tryon_catalogue.settings import ENV_FILE
from tryon_demo.local.ports import remembered_port
from tryon_demo.scene import PROJECT, open_scene

HERE = Path(__file__).parent

AIRFLOW_SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "16",  # what is held up on purpose holds its place
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",  # our DAG files do not change; reading them is work
    # What was killed is noticed in seconds instead of minutes.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "45",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
}
TRYON_SETTINGS = {
    "TRYON_NIGHT__SCHEDULE": SCHEDULE,
    "TRYON_VENDOR__RETRY_SECONDS": "2",
    "TRYON_VENDOR__MAX_POLL_SECONDS": "5",
    "TRYON_VENDOR__SUBMISSIONS_PER_SECOND": "1000",
    "TRYON_VENDOR__MAX_IN_FLIGHT": "0",
    "TRYON_BACKFILL__MAX_IN_FLIGHT": "0",
    "TRYON_RECOVERY__SCHEDULE": "",
    "TRYON_RECOVERY__AFTER_MINUTES": "0.05",
}
SANDBOX_OPTIONS = ("--pictures", "plain", "--submit-rate", "0", "--query-rate", "0", "--concurrency", "0")
MATRIX = pytest.StashKey[dict[str, Row]]()
WRITE_IT = "TRYON_WRITE_FAULT_MATRIX"
LONGEST = ("test_restarts", "test_lying_vendor", "test_many_kills", "test_killed_tasks", "test_on_demand")
LONGEST_MODULE = 6 * GUARD
POOL_SLOTS = 128  # so that a night of 500 looks is in flight at once


def hours(now: datetime | None = None) -> dict[str, str]:
    """Set the hours of a night so that one that is due now waits for long and has long to be done."""
    present = now or datetime.now(UTC)
    return {
        "TRYON_NIGHT__WAIT_UNTIL": f"{present + timedelta(hours=6):%H:%M}",
        "TRYON_NIGHT__LOOK_EVERY_SECONDS": "5",
        "TRYON_NIGHT__DONE_BY": f"{present - timedelta(minutes=30):%H:%M}",
    }


def letters_go_to(folder: Path) -> dict[str, str]:
    """Let alerts be written into a folder, by a notifier of these tests.

    Args:
        folder: Is made.
    """
    folder.mkdir()
    kwargs = {
        "folder": str(folder),
        "event": "{{ alert.event }}",
        "run_id": "{{ alert.run_id }}",
        "text": "{{ alert.text }}",
    }
    return {
        "PYTHONPATH": str(PROJECT),
        "TRYON_ALERTS__NOTIFIER": "tests.e2e.letters.LetterNotifier",
        "TRYON_ALERTS__KWARGS": json.dumps(kwargs),
    }


def shop_runs(folder: Path) -> dict[str, str]:
    """Let Airflow run a DAG of the shop's own beside ours: the one that the documents show.

    Args:
        folder: Is made.
    """
    folder.mkdir()
    shown = (PROJECT / "include" / "docs" / "operations.md").read_text(encoding="utf-8")
    (folder / "refresh_shop.py").write_text(
        shown.partition("```python\n")[2].partition("```")[0], encoding="utf-8"
    )
    kind = {"classpath": "airflow.dag_processing.bundles.local.LocalDagBundle"}
    bundles = [
        {"name": "dags-folder", **kind, "kwargs": {}},
        {"name": "shop", **kind, "kwargs": {"path": str(folder)}},
    ]
    return {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here, and begin with what takes longest, so that two workers end at about the same time."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(LONGEST_MODULE))  # the first test waits for all of its module


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The scene, warm and idle."""
    home = tmp_path_factory.mktemp("e2e")
    settings_file = SettingsFile(home / "tryon.toml")
    with open_scene(
        home,
        latency=1.0,
        sandbox_options=SANDBOX_OPTIONS,
        env=AIRFLOW_SETTINGS
        | USERS_SETTING
        | TRYON_SETTINGS
        | hours()
        | letters_go_to(home / "letters")
        | shop_runs(home / "shop")
        | {ENV_FILE: str(settings_file.path)},
        paused=True,
        durable=False,
    ) as scene:
        port = remembered_port(home, "wardrobe")
        url = f"http://127.0.0.1:{port}"
        wardrobe = Wardrobe(home / "wardrobe", url)
        scene.stack.serve_folder("wardrobe", home / "wardrobe", port=port)
        scene.api.set_pool("damo_tryon", POOL_SLOTS, include_deferred=True)
        ledger = create_engine(scene.engine.url, pool_pre_ping=True, pool_size=16)
        ledger = ledger.execution_options(**scene.engine.get_execution_options())
        airflow = create_engine(scene.stack.postgres.url("airflow"), pool_pre_ping=True, pool_size=16)
        first_night = live_through_first_night(scene)
        yield World(scene, wardrobe, first_night, ledger, airflow, settings_file)
        ledger.dispose()
        airflow.dispose()


@pytest.fixture(scope="module")
def row_of(world: World, request: pytest.FixtureRequest) -> Callable[[Case], Row]:
    """Run the chosen cases of a module side by side, and return the function that gives the row of one."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and hasattr(item, "callspec")
    ]
    results = run_cases(world, chosen, at_once=request.module.AT_ONCE)

    def of(case: Case) -> Row:
        found = results[case]
        if isinstance(found, Exception):
            raise found
        request.config.stash[MATRIX][case.name] = found
        return found

    return of


@pytest.fixture
def record_row(request: pytest.FixtureRequest) -> Callable[[Case, Row], None]:
    """Note the row of a case that a test runs by itself."""

    def record(case: Case, row: Row) -> None:
        request.config.stash[MATRIX][case.name] = row

    return record


def pytest_configure(config: pytest.Config) -> None:
    """Make room for the rows."""
    config.stash[MATRIX] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table of the fault matrix, when asked to."""
    if os.environ.get(WRITE_IT):
        write_matrix(session.config.stash[MATRIX])
