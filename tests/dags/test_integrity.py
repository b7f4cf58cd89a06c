"""Every DAG file: it imports, has no cycle, says whose it is and what it is for, and is light to parse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).resolve().parents[2] / "dags"
FILES = sorted(path.relative_to(DAGS).as_posix() for path in DAGS.rglob("*.py"))

# Where there is no file at all, every test below is to fail rather than to be left out.
EACH_FILE = pytest.mark.parametrize("file", FILES or ["a DAG file"])

# Slow to import, and of no use before a task runs: the DAG processor would pay for them at every parse.
HEAVY = (
    "pandas",
    "numpy",
    "PIL",
    "pyarrow",
    "psycopg2",
    "alembic",
    "tryon_catalogue.ledger.database",
    "tryon_catalogue.submission.journal",
    "tryon_catalogue.ledger.moves",
    "tryon_catalogue.ledger.tables",
    "tryon_sandbox",
)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Airflow makes of the folder, seen in a process with an Airflow home of its own."""
    home = tmp_path_factory.mktemp("airflow")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("look_at_dags.py")), str(DAGS)],
        env={**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def dags_of(seen: dict[str, Any], file: str) -> dict[str, dict[str, Any]]:
    """The DAGs that one file holds, which are one at least."""
    found = {dag_id: dag for dag_id, dag in seen["dags"].items() if Path(dag["file"]) == DAGS / file}
    assert found, f"{file} holds no DAG"
    return found


def heavy(modules: list[str]) -> set[str]:
    """The modules that a DAG file has no business importing."""
    return {name for name in modules if name in HEAVY or name.startswith(tuple(f"{root}." for root in HEAVY))}


def test_there_are_dag_files() -> None:
    assert FILES, "the folder dags/ holds no Python file"


def test_no_dag_file_brings_an_error_or_a_cycle(seen: dict[str, Any]) -> None:
    assert seen["errors"] == {}


@EACH_FILE
def test_a_dag_is_tagged_and_explains_itself(seen: dict[str, Any], file: str) -> None:
    for dag_id, dag in dags_of(seen, file).items():
        assert dag["tags"], dag_id
        assert len(dag["doc"].split()) >= 20, f"{dag_id}: doc_md is what people read before they trigger it"


@EACH_FILE
def test_every_task_says_whose_it_is_and_is_tried_again(seen: dict[str, Any], file: str) -> None:
    for dag_id, dag in dags_of(seen, file).items():
        assert dag["tasks"], dag_id
        for task_id, task in dag["tasks"].items():
            assert task["owner"] not in {"", "airflow"}, f"{dag_id}.{task_id}: nobody, or Airflow's default"
            assert task["retries"] >= 1, f"{dag_id}.{task_id}"


@EACH_FILE
def test_no_try_may_hold_a_slot_for_ever(seen: dict[str, Any], file: str) -> None:
    for dag_id, dag in dags_of(seen, file).items():
        for task_id, task in dag["tasks"].items():
            assert task["seconds"], f"{dag_id}.{task_id}"
            assert task["seconds"] <= 6 * 3600, f"{dag_id}.{task_id}"


def test_the_night_waits_for_its_export_first_and_is_judged_last(seen: dict[str, Any]) -> None:
    night = seen["dags"]["tryon_nightly"]
    first = [name for name, task in night["tasks"].items() if not task["upstream"]]
    followed = {name for task in night["tasks"].values() for name in task["upstream"]}
    assert (first, set(night["tasks"]) - followed) == (["export"], {"verdict"})


def test_the_night_has_an_hour_and_what_it_did_not_run_stays_so(seen: dict[str, Any]) -> None:
    night = seen["dags"]["tryon_nightly"]
    assert (night["deadlines"], night["catchup"]) == (["done by 06:00 UTC"], False)


@pytest.mark.parametrize("dag_id", ["tryon_nightly", "tryon_on_demand", "tryon_recover"])
def test_an_account_may_have_news_of_the_catalogue(seen: dict[str, Any], dag_id: str) -> None:
    tasks = seen["dags"][dag_id]["tasks"]
    assert [name for name, task in tasks.items() if task["outlets"] == ["tryon_catalogue_news"]] == [
        "account"
    ]


def test_the_recovery_waits_in_no_pool_that_bounds_what_is_sent(seen: dict[str, Any]) -> None:
    pools = {dag_id: dag["tasks"]["batch"]["pool"] for dag_id, dag in seen["dags"].items()}
    assert pools == {
        "tryon_nightly": "damo_tryon",
        "tryon_on_demand": "damo_tryon",
        "tryon_recover": "default_pool",
    }


@EACH_FILE
def test_a_dag_file_imports_nothing_heavy_at_its_top_level(seen: dict[str, Any], file: str) -> None:
    assert heavy(seen["before"]) == set(), (
        "Airflow brings these itself by now: the next line would see nothing"
    )
    assert heavy(seen["brought"][str(DAGS / file)]) == set()
