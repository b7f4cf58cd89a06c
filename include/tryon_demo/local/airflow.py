"""How Airflow is set up on one machine: its settings as environment variables, its secrets, its four processes.

Everything is set through the environment, so that no airflow.cfg counts.
Airflow itself is never imported here: it takes seconds, and it reads its settings when it is imported.
"""

from __future__ import annotations

import base64
import importlib.metadata
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg2

from tryon_demo.local.processes import inherited_environment

USER: Final = "admin"
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "api-server": ("api-server",),
    # Their log servers would listen on every address; the API server reads the files itself.
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
"""The four processes and their command lines after `airflow`."""

DATABASE_SETTINGS: Final[Mapping[str, str]] = {"idle_in_transaction_session_timeout": "30s"}
"""Of PostgreSQL, for the metadata database. The LocalExecutor forks its workers from the scheduler, with a copy of its
connection: while one of them lives, a shot scheduler's last transaction stays open, and nobody else gets its locks on
the pools, without which no task is queued."""

_SECRETS_FILE = "secrets.json"
_PARALLELISM = 8  # task processes at a time: two cores are busy with fewer

_SETTINGS: Final[Mapping[str, str]] = {
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__PARALLELISM": str(_PARALLELISM),
    "CORE__LOAD_EXAMPLES": "False",
    "CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # the default asks name servers
    "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
    "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
    "DATABASE__CHECK_MIGRATIONS": "False",  # done before the four start, not again by each of them
    "API__HOST": "127.0.0.1",
    "API__WORKERS": "1",
    # Seconds a task waits for the API server; on a busy machine the default of 5 fails tasks.
    "WORKERS__EXECUTION_API_TIMEOUT": "60",
    # Seconds between two looks of a supervisor at its task: one that has ended and was not seen to, which is a matter
    # of microseconds, holds its place so long, and if its trigger fires meanwhile, Airflow takes the end of the first
    # half for a failure of the second. The default is 5.
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    # A changed or new DAG file is seen within seconds.
    "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "LOGGING__COLORED_CONSOLE_LOG": "False",
}


@dataclass(frozen=True, slots=True)
class AirflowSecrets:
    """What this home's Airflow signs, encrypts and logs in with; made once and kept in a file of the owner's."""

    fernet_key: str = field(repr=False)
    api_secret_key: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    password: str = field(repr=False)

    @classmethod
    def of(cls, home: Path) -> AirflowSecrets:
        """Read them from the home, or make them at the first time."""
        file = home / _SECRETS_FILE
        if file.exists():
            return cls(**json.loads(file.read_text()))
        made = cls(
            fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            api_secret_key=secrets.token_urlsafe(32),
            jwt_secret=secrets.token_urlsafe(64),
            password=secrets.token_urlsafe(12),
        )
        _write_private(file, {name: getattr(made, name) for name in cls.__slots__})
        return made


@dataclass(frozen=True, slots=True)
class AirflowSetup:
    """One Airflow on this machine.

    Attributes:
        home: Below it everything Airflow writes is kept.
        dags_folder: Where the DAG files are.
        plugins_folder: Airflow's plugins folder; None for none.
        database_url: SQLAlchemy URL of the metadata database.
        port: Of the API server on 127.0.0.1.
        secrets: See `AirflowSecrets.of`.
    """

    home: Path
    dags_folder: Path
    plugins_folder: Path | None
    database_url: str
    port: int
    secrets: AirflowSecrets

    @property
    def url(self) -> str:
        """Where the API server and its pages are."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *arguments: str) -> list[str]:
        """The command line of `airflow` with these arguments, by the Python that runs us."""
        return [sys.executable, "-m", "airflow", *arguments]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """The whole environment of an Airflow process.

        Args:
            more: Connections (AIRFLOW_CONN_*), settings (AIRFLOW__*), anything else; has the last word.
        """
        airflow_home = self.home / "airflow"
        passwords = airflow_home / "passwords.json"
        _write_private(passwords, {USER: self.secrets.password})
        settings = {
            **_SETTINGS,
            "CORE__DAGS_FOLDER": str(self.dags_folder.absolute()),
            "CORE__PLUGINS_FOLDER": str((self.plugins_folder or airflow_home / "plugins").absolute()),
            "CORE__FERNET_KEY": self.secrets.fernet_key,
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "DATABASE__SQL_ALCHEMY_CONN": self.database_url,
            "API__PORT": str(self.port),
            "API__BASE_URL": self.url,
            "API__SECRET_KEY": self.secrets.api_secret_key,
            "API_AUTH__JWT_SECRET": self.secrets.jwt_secret,
            "LOGGING__BASE_LOG_FOLDER": str(airflow_home / "logs"),
            "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(
                airflow_home / "logs" / "dag_processor"
            ),
        }
        return (
            inherited_environment()
            | {"AIRFLOW_HOME": str(airflow_home)}
            | {f"AIRFLOW__{key}": value for key, value in settings.items()}
            | dict(more)
        )


def is_migrated(setup: AirflowSetup) -> bool:
    """Whether the metadata database was already brought up to the Airflow that is installed.

    Asking Airflow takes five seconds; comparing a note with the database's own revision takes none.
    """
    note = _migration_note(setup)
    return note.exists() and json.loads(note.read_text()) == _migration_state(setup)


def remember_migration(setup: AirflowSetup) -> None:
    """Note that the metadata database fits the Airflow that is installed."""
    _migration_note(setup).write_text(json.dumps(_migration_state(setup)))


def _migration_note(setup: AirflowSetup) -> Path:
    return setup.home / "airflow" / "migrated.json"


def _migration_state(setup: AirflowSetup) -> dict[str, str | None]:
    # psycopg2 takes the URL without SQLAlchemy's driver name.
    with (
        psycopg2.connect(setup.database_url.replace("+psycopg2", "", 1)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT to_regclass('alembic_version') IS NOT NULL")
        revision = None
        if cursor.fetchone()[0]:
            cursor.execute("SELECT version_num FROM alembic_version")
            revision = cursor.fetchone()[0]
    connection.close()
    return {"airflow": importlib.metadata.version("apache-airflow-core"), "revision": revision}


def _write_private(file: Path, content: Mapping[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        json.dump(content, stream)
