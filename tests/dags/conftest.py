"""What tests share that run a DAG as Airflow does: a catalogue with a ledger, and a process that runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, text

from tryon_catalogue.ledger.database import engine_for, migrate
from tryon_demo.local.airflow import AirflowSecrets, AirflowSetup
from tryon_demo.local.postgres import LocalPostgres

DAGS = Path(__file__).resolve().parents[2] / "dags"
SHOP_TABLE = """
CREATE TABLE catalogue (
    sku text PRIMARY KEY, tryon_picture_url text, tryon_picture_urls jsonb, tryon_status text,
    tryon_detail text, tryon_updated_at timestamptz
)
"""


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Engine]:
    """The catalogue's database with an empty ledger and three rows of the shop."""
    engine = engine_for(empty_database_url, "tryon")
    migrate(engine, "tryon")
    with engine.begin() as connection:
        connection.execute(text(SHOP_TABLE))
        connection.execute(text("INSERT INTO catalogue VALUES ('shirt'), ('dress'), ('bad')"))
    yield engine
    engine.dispose()


@pytest.fixture
def run_dag(
    tmp_path: Path, postgres: LocalPostgres, database: Engine, empty_database_url: str
) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Run a DAG once for each date: ``run_dag(dag_id, dates, environment) -> the state of each run, and its tasks``."""
    metadata = f"airflow_of_{tmp_path.name}"
    setup = AirflowSetup(
        home=tmp_path,
        dags_folder=DAGS,
        plugins_folder=None,
        database_url=postgres.create_database(metadata),
        port=9,  # nothing asks for it
        secrets=AirflowSecrets.of(tmp_path),
    )
    url = make_url(empty_database_url)
    catalogue = {
        "conn_type": "postgres",
        "host": url.query["host"],
        "login": url.username,
        "schema": url.database,
    }

    def run(dag_id: str, dates: list[str], environment: dict[str, str]) -> list[dict[str, Any]]:
        program = Path(__file__).with_name("run_dag.py")
        done = subprocess.run(
            [sys.executable, str(program), str(DAGS), dag_id, *dates],
            env=setup.environment(
                {
                    "AIRFLOW_CONN_CATALOGUE_DB": json.dumps(catalogue),
                    "TRYON_SETTINGS": os.environ["TRYON_SETTINGS"],
                    "TRYON_ARCHIVE__PATH": str(tmp_path / "archive"),
                    "TRYON_NIGHT__DONE_BY": "",  # dag.test() of Airflow 3.3 trips over a DAG with a deadline
                    **environment,
                }
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        sys.stdout.write(done.stdout)
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
        answer: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return answer

    yield run
    postgres.drop_database(metadata)
