"""The nightly DAG as Airflow runs it: from a small export to rows in the shop's table, and nothing paid twice."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, text
from tests.tryon_catalogue.vendor import connection_to, open_vendor, open_website

from tryon_catalogue.ledger.database import engine_for, migrate
from tryon_catalogue.local.airflow import AirflowSecrets, AirflowSetup
from tryon_catalogue.local.postgres import LocalPostgres

PROJECT = Path(__file__).resolve().parents[2]
SHOP_TABLE = """
CREATE TABLE catalogue (
    sku text PRIMARY KEY, tryon_picture_url text, tryon_picture_urls jsonb, tryon_status text,
    tryon_detail text, tryon_updated_at timestamptz
)
"""
COLUMNS = (
    "sku",
    "title",
    "collection",
    "category",
    "gender",
    "image_url",
    "pants_url",
    "model_url",
    "mask_url",
)


def shop_rows(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        return {row.sku: row for row in connection.execute(text("SELECT * FROM catalogue"))}


@pytest.fixture
def database(postgres: LocalPostgres, empty_database_url: str) -> Engine:
    """The catalogue's database with an empty ledger and three rows of the shop."""
    engine = engine_for(empty_database_url, "tryon")
    migrate(engine, "tryon")
    with engine.begin() as connection:
        connection.execute(text(SHOP_TABLE))
        connection.execute(text("INSERT INTO catalogue VALUES ('shirt'), ('dress'), ('bad')"))
    return engine


def test_a_night_fills_the_catalogue_and_the_next_one_pays_for_nothing(
    tmp_path: Path, postgres: LocalPostgres, database: Engine, empty_database_url: str
) -> None:
    metadata_url = postgres.create_database("airflow_of_nightly")
    url = make_url(empty_database_url)
    catalogue = {
        "conn_type": "postgres",
        "host": url.query["host"],
        "login": url.username,
        "schema": url.database,
    }
    with open_website() as site, open_vendor() as vendor:
        dates = ["2026-11-20", "2026-11-21"]
        for date in dates:
            with (tmp_path / f"export-{date}.csv").open("w") as file:
                rows = csv.DictWriter(file, COLUMNS)
                rows.writeheader()
                rows.writerow(
                    {
                        "sku": "shirt",
                        "category": "shirt",
                        "gender": "women",
                        "image_url": f"{site.url}/top-1.png",
                    }
                )
                rows.writerow(
                    {
                        "sku": "dress",
                        "category": "dress",
                        "gender": "women",
                        "image_url": f"{site.url}/top-2.png",
                    }
                )
                rows.writerow({"sku": "bad", "category": "shirt", "gender": "women", "image_url": "top.png"})
        models = [{"name": name, "image": f"{site.url}/anna.png", "tags": ["women"]} for name in ("Anna",)]
        setup = AirflowSetup(
            home=tmp_path,
            dags_folder=PROJECT / "dags",
            plugins_folder=None,
            database_url=metadata_url,
            port=9,  # nothing asks for it
            secrets=AirflowSecrets.of(tmp_path),
        )
        environment = setup.environment(
            {
                "AIRFLOW_CONN_DAMO_TRYON": connection_to(vendor),
                "AIRFLOW_CONN_CATALOGUE_DB": json.dumps(catalogue),
                "TRYON_SETTINGS": os.environ["TRYON_SETTINGS"],
                "TRYON_EXPORT__PATH": str(tmp_path / "export-{ds}.csv"),
                "TRYON_ROSTER__MODELS": json.dumps(models),
                "TRYON_ARCHIVE__PATH": str(tmp_path / "archive"),
                "TRYON_NIGHT__DONE_BY": "",  # dag.test() of Airflow 3.3 trips over a DAG with a deadline
            }
        )
        done = subprocess.run(
            [
                sys.executable,
                str(Path(__file__).with_name("run_nightly.py")),
                str(PROJECT / "dags"),
                *dates,
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
        first, second = json.loads(done.stdout.splitlines()[-1])
        assert (first["state"], second["state"]) == ("success", "success"), done.stdout[-6000:]
        ran = Counter(task for task, _, state in first["tasks"] if state == "success")
        assert ran == {
            "export": 1,
            "preflight": 1,
            "plan": 1,
            "batch.submit": 2,
            "batch.wait": 2,
            "batch.publish": 2,
            "account": 1,
            "verdict": 1,
        }
        report = vendor.charges()
    assert (report.uses, report.max_times_one_look_was_charged) == (2, 1)
    rows_now = shop_rows(database)
    for sku in ("shirt", "dress"):
        assert rows_now[sku].tryon_status == "PUBLISHED"
        assert Path(rows_now[sku].tryon_picture_url).read_bytes()
    assert rows_now["bad"].tryon_status == "REJECTED"
    assert "URL" in rows_now["bad"].tryon_detail
    database.dispose()
    postgres.drop_database("airflow_of_nightly")
