"""What the measurements stand on: a real PostgreSQL, a sandbox in a process of its own, pictures, and settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import Engine, text

from tryon_catalogue.ledger.database import engine_for, migrate
from tryon_catalogue.ledger.images import KnownImage, store_images, url_sha256
from tryon_catalogue.planning.preflight.run import images_of_export
from tryon_catalogue.settings import Settings, load_settings
from tryon_demo.local.ports import free_port
from tryon_demo.local.postgres import LocalPostgres
from tryon_demo.local.stack import LocalStack

PROJECT = Path(__file__).resolve().parents[2]
# Pictures of the size that a shop's are, and that the vendor's are: what is measured is a night's work.
SAMPLES = PROJECT / "include" / "samples" / "images"
MODEL = "model-mei.jpg"
TOPS = ("breton-tee.jpg", "dot-blouse.jpg", "check-shirt.jpg", "cable-sweater.jpg", "hoodie.jpg")
# Nothing here is to be held back by a limit: what is measured is our own part.
SANDBOX = (
    "--latency",
    "0",
    "--submit-rate",
    "0",
    "--query-rate",
    "0",
    "--concurrency",
    "0",
    "--pictures",
    "plain",
)
SETTINGS = """
[export]
path = "{folder}/export.csv"
[export.columns]
sku = "sku"
title = "title"
collection = "collection"
category = "category"
tops_image = "image_url"
[roster]
models = [{{ name = "Mei", image = "{images}/model-mei.jpg", tags = ["women"] }}]
[[rules]]
category = "*"
fit_type = "HALF_BODY"
tag = "women"
[vendor]
submissions_per_second = 1000
max_in_flight = 0
[catalogue]
table = "catalogue"
key = "sku"
[catalogue.columns]
picture_url = "picture_url"
status = "status"
[archive]
path = "{folder}/archive"
[fetch]
allow_private = true
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything is there and idle.

    Attributes:
        folder: For files of the measurement.
        engine: An up-to-date ledger beside a shop's table.
        settings: Read from a file in the folder.
        postgres: The database server's main process.
        images_url: Where `MODEL` and `TOPS` are; any query may follow a name, so that each look has its own.
        sandbox_url: The stand-in vendor.
        appcode: What it accepts.
    """

    folder: Path
    engine: Engine
    settings: Settings
    postgres: int
    images_url: str
    sandbox_url: str
    appcode: str


@contextmanager
def open_ground(folder: Path) -> Iterator[Ground]:
    """Start it all; end it when the block is left."""
    images = folder / "images"
    images.mkdir(parents=True)
    for name in (MODEL, *TOPS):
        shutil.copy(SAMPLES / name, images)
    with LocalStack(folder / "home", dags_folder=PROJECT / "dags") as stack:
        images_url = stack.serve_folder("images", images, port=free_port())
        command = [sys.executable, "-m", "tryon_sandbox", "--json", *SANDBOX]
        sandbox = stack.spawn("sandbox", command, ready=lambda one: one.first_json_line()).first_json_line()
        if sandbox is None:
            raise RuntimeError("the sandbox did not say where it listens")
        connection = {"conn_type": "damo_tryon", "host": sandbox["url"], "password": sandbox["appcode"]}
        os.environ["AIRFLOW_CONN_DAMO_TRYON"] = json.dumps(connection)
        file = folder / "tryon.toml"
        file.write_text(SETTINGS.format(folder=folder, images=images_url))
        settings = load_settings(file)
        engine = engine_for(stack.catalogue_url, settings.ledger.schema_name)
        fresh_tables(engine, settings)
        yield Ground(
            folder, engine, settings, stack.postgres.pid or 0, images_url, sandbox["url"], sandbox["appcode"]
        )


@contextmanager
def open_database(folder: Path) -> Iterator[str]:
    """Start a PostgreSQL alone, without waiting for the disk; gives the URL of an empty database."""
    with LocalPostgres(folder, durable=False) as server:
        yield server.create_database("planning")


def fresh_tables(engine: Engine, settings: Settings) -> None:
    """Begin with an empty ledger and an empty shop's table."""
    with engine.begin() as connection:
        connection.execute(text(f'DROP SCHEMA IF EXISTS "{settings.ledger.schema_name}" CASCADE'))
        connection.execute(text("DROP TABLE IF EXISTS catalogue"))
        connection.execute(
            text("CREATE TABLE catalogue (sku text PRIMARY KEY, picture_url text, status text)")
        )
    migrate(engine, settings.ledger.schema_name)


def database_cpu(main_process: int) -> float:
    """Seconds of CPU that a PostgreSQL server has used, with the sessions that are over."""
    server = psutil.Process(main_process)
    used = server.cpu_times()
    seconds = used.user + used.system + used.children_user + used.children_system
    for session in server.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            used = session.cpu_times()
            seconds += used.user + used.system
    return seconds


def run_python(code: str, *arguments: str) -> str:
    """Run Python in a process of its own; gives the last line it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    if done.returncode:
        raise RuntimeError(f"a measurement failed:\n{done.stderr[-3000:]}")
    return done.stdout.strip().splitlines()[-1]


def pretend_checked(engine: Engine, settings: Settings, export: Path) -> None:
    """Tell the ledger that preflight found every picture of an export good: it is not what is measured here."""
    for images in images_of_export(settings, str(export)):
        good = [
            KnownImage(url, role, sha256=url_sha256(url), format="PNG", bytes=90_000, width=600, height=800)
            for url, role in images.keys
        ]
        with engine.begin() as connection:
            store_images(connection, good)
