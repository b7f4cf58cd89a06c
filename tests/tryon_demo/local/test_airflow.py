"""How Airflow is set up: its environment and its secrets."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tryon_demo.local.airflow import (
    COMMANDS,
    AirflowSecrets,
    AirflowSetup,
    is_migrated,
    remember_migration,
)


@pytest.fixture
def prepared(tmp_path: Path, empty_database_url: str) -> AirflowSetup:
    return AirflowSetup(
        home=tmp_path,
        dags_folder=tmp_path / "dags",
        plugins_folder=None,
        database_url=empty_database_url,
        port=8080,
        secrets=AirflowSecrets.of(tmp_path),
    )


def test_secrets_are_made_once_and_are_for_the_owner_alone(prepared: AirflowSetup, tmp_path: Path) -> None:
    assert AirflowSecrets.of(tmp_path) == prepared.secrets
    assert AirflowSecrets.of(tmp_path / "airflow") != prepared.secrets
    prepared.environment({})
    for name in ("secrets.json", "airflow/passwords.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert prepared.secrets.password not in repr(prepared)
    assert prepared.secrets.fernet_key not in repr(prepared)


def test_the_password_is_what_airflow_will_ask_for(prepared: AirflowSetup, tmp_path: Path) -> None:
    file = Path(prepared.environment({})["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert json.loads(file.read_text()) == {"admin": prepared.secrets.password}


def test_airflow_listens_on_this_machine_only(prepared: AirflowSetup) -> None:
    environment = prepared.environment({})
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8080/execution/"
    assert "--skip-serve-logs" in COMMANDS["scheduler"]
    assert "--skip-serve-logs" in COMMANDS["triggerer"]


def test_the_caller_has_the_last_word_and_the_persons_airflow_none(
    prepared: AirflowSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "of another Airflow")
    environment = prepared.environment({"AIRFLOW__CORE__PARALLELISM": "3"})
    assert environment["AIRFLOW__CORE__FERNET_KEY"] == prepared.secrets.fernet_key
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "3"


def test_a_database_counts_as_migrated_only_at_the_revision_that_was_noted(prepared: AirflowSetup) -> None:
    def run(statement: str) -> None:
        engine = create_engine(prepared.database_url)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()

    prepared.environment({})
    assert not is_migrated(prepared)
    run("CREATE TABLE alembic_version (version_num text)")
    run("INSERT INTO alembic_version VALUES ('one')")
    assert not is_migrated(prepared)
    remember_migration(prepared)
    assert is_migrated(prepared)
    run("UPDATE alembic_version SET version_num = 'two'")
    assert not is_migrated(prepared)


def test_the_machinery_does_not_import_airflow() -> None:
    program = "import sys, tryon_demo.local; sys.exit('airflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
