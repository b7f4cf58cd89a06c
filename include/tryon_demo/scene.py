"""The scene of the demo and of the end-to-end tests: a shop, its exports and pictures, the sandbox, and Airflow.

Everything runs on this machine and listens on loopback.
"""

from __future__ import annotations

import csv
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import requests
from sqlalchemy import text

from tryon_catalogue.ledger.database import engine_for, migrate
from tryon_catalogue.reporting.report.command import write_report
from tryon_catalogue.settings import ENV_FILE, load_settings
from tryon_catalogue.workflow.pool import slots_of
from tryon_demo.local.ports import remembered_port
from tryon_demo.local.stack import LocalStack, StackError

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import Engine

    from tryon_demo.local.api import AirflowApi

PROJECT: Final = Path(__file__).resolve().parents[2]
SAMPLES: Final = PROJECT / "include" / "samples"
DAG_ID: Final = "tryon_nightly"
SETTINGS: Final = SAMPLES / "tryon.toml"
SHOP_TABLE: Final = SAMPLES / "shop.sql"


@dataclass(frozen=True, slots=True)
class Scene:
    """What is there once the curtain is up.

    Attributes:
        stack: PostgreSQL and Airflow.
        engine: The database with the shop's table and the ledger.
        exports: Folder of the exports.
        archive: Folder of the pictures.
        images_url: Base URL of the samples' images.
        sandbox_url: The stand-in vendor.
        sandbox_command: The command line it was started with.
    """

    stack: LocalStack
    engine: Engine
    exports: Path
    archive: Path
    images_url: str
    sandbox_url: str
    sandbox_command: Sequence[str]

    @property
    def api(self) -> AirflowApi:
        """Airflow's REST API."""
        return self.stack.api

    def write_export(self, day: date, source: Path = SAMPLES / "catalogue.csv") -> Path:
        """Let the shop export its catalogue for one date, and add to its table the rows it does not have."""
        content = source.read_text(encoding="utf-8")
        file = self.exports / f"catalogue-{day.isoformat()}.csv"
        file.write_text(content, encoding="utf-8")
        rows = [
            {name: row[name] for name in ("sku", "title", "collection")}
            for row in csv.DictReader(content.splitlines())
        ]
        with self.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO catalogue (sku, title, collection) VALUES (:sku, :title, :collection) "
                    "ON CONFLICT DO NOTHING"
                ),
                rows,
            )
        return file

    def charges(self) -> dict[str, Any]:
        """Ask the sandbox what it charged."""
        answer: dict[str, Any] = requests.get(f"{self.sandbox_url}/_sandbox/charges", timeout=10).json()
        return answer

    def write_report(self, run_id: str) -> Path:
        """Write the report of a run.

        Returns:
            The page.
        """
        settings = load_settings(SETTINGS)
        archive = settings.archive.model_copy(update={"path": str(self.archive)})
        return write_report(
            self.engine,
            settings.model_copy(update={"archive": archive}),
            run_id,
            lambda _: None,
            output=self.stack.home / "report.html",
        )

    def set_faults(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Replace the faults of the sandbox."""
        requests.put(f"{self.sandbox_url}/_sandbox/faults", json=list(faults), timeout=10).raise_for_status()

    def restart_sandbox(self, *options: str) -> None:
        """Kill the sandbox and start it anew with its memory of all it accepted; its faults are gone.

        Args:
            options: Further options of ``tryon sandbox``, this time only.
        """
        self.stack.kill("sandbox")
        self.stack.restart("sandbox", [*self.sandbox_command, *options])


@contextmanager
def open_scene(
    home: Path,
    *,
    latency: float = 1.0,
    airflow_port: int = 0,
    sandbox_options: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    durable: bool = True,
    paused: bool = False,
) -> Iterator[Scene]:
    """Put everything in place and start it; end it all when the block is left.

    Args:
        home: Folder for all of it; a second opening goes on with what the first left.
        latency: Seconds the sandbox takes for a sub-task.
        airflow_port: Of the UI; 0 for a free one.
        sandbox_options: Further options of ``tryon sandbox``.
        env: Further environment of Airflow, settings as ``TRYON_*`` among them.
        durable: False lets PostgreSQL skip what only a power cut needs.
        paused: Leave the nightly DAG paused: one with a schedule starts a night once it is not.

    Raises:
        StackError: There are no DAGs and samples here, as the wheel does not bring them.
    """
    if not SETTINGS.is_file():
        raise StackError(
            f"it needs the DAGs and the samples of a checkout of the project, and {SETTINGS} is not there. Clone the "
            "project and type `make demo` in it; the wheel brings the sandbox (`tryon sandbox`), but no demo."
        )
    stack = LocalStack(
        home,
        dags_folder=PROJECT / "dags",
        plugins_folder=PROJECT / "plugins",
        airflow_port=airflow_port,
        durable=durable,
    )
    with stack:
        exports, archive = stack.home / "exports", stack.home / "archive"
        exports.mkdir(exist_ok=True)
        # The images' URLs are part of what a look is known by: the same port at every start.
        images_url = stack.serve_folder(
            "images", SAMPLES / "images", port=remembered_port(stack.home, "images")
        )
        command = _sandbox_command(stack, latency, sandbox_options)
        sandbox = _start_sandbox(stack, command)
        environment = {
            "AIRFLOW_CONN_DAMO_TRYON": json.dumps(
                {"conn_type": "damo_tryon", "host": sandbox["url"], "password": sandbox["appcode"]}
            ),
            ENV_FILE: str(SETTINGS),
            "TRYON_EXPORT__PATH": str(exports / "catalogue-{ds}.csv"),
            "TRYON_EXPORT__IMAGES__BASE_URL": images_url,
            "TRYON_ROSTER__BASE_URL": images_url,
            "TRYON_ARCHIVE__PATH": str(archive),
            **(env or {}),
        }
        settings = load_settings(SETTINGS)
        engine = engine_for(stack.catalogue_url, settings.ledger.schema_name)
        logging.getLogger("alembic").setLevel(logging.WARNING)  # its steps help nobody here
        migrate(engine, settings.ledger.schema_name)
        with engine.begin() as connection:
            connection.execute(text(SHOP_TABLE.read_text(encoding="utf-8")))
        api = stack.start_airflow(environment)
        for pool, slots in slots_of(settings).items():
            api.set_pool(pool, slots, include_deferred=True)
        stack.wait_for_dags(DAG_ID)
        if not paused:
            api.unpause(DAG_ID)
        yield Scene(stack, engine, exports, archive, images_url, sandbox["url"], command)


def _sandbox_command(stack: LocalStack, latency: float, options: Sequence[str]) -> list[str]:
    port = remembered_port(stack.home, "sandbox")
    command = [sys.executable, "-m", "tryon_sandbox", "--json", "--port", str(port)]
    return [*command, "--latency", str(latency), "--state", str(stack.home / "sandbox.sqlite"), *options]


def _start_sandbox(stack: LocalStack, command: Sequence[str]) -> dict[str, str]:
    process = stack.spawn("sandbox", command, ready=lambda process: process.first_json_line())
    line = process.first_json_line()
    if line is None:
        raise RuntimeError(f"the sandbox did not say its address; see {process.log_path}")
    return line
