"""What tests of the catalogue's side share: a ledger in a fresh database, settings, and looks in a batch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, make_url, text, update

from tests.conftest import fresh_database
from tests.tryon_catalogue.helpers import PlanBatch, connection_to_database
from tests.tryon_catalogue.vendor import Website, connection_to, open_vendor, open_website
from tryon_catalogue.ledger.database import engine_for, migrate
from tryon_catalogue.ledger.tables import batches, garment_looks, looks, run_looks, runs
from tryon_catalogue.looks import Look
from tryon_catalogue.settings import Settings, load_settings
from tryon_catalogue.submission.journal import Batch
from tryon_demo.local.postgres import LocalPostgres
from tryon_sandbox.server import RunningSandbox

SHOP_TABLE = """
CREATE TABLE catalogue (
    sku text PRIMARY KEY, title text, picture_url text, picture_urls jsonb,
    tryon_status text, tryon_detail text, tryon_updated_at timestamptz
)
"""

SETTINGS = """
[export]
path = "exports/{ds}.csv"
chunk_rows = 50
[export.columns]
sku = "sku"
category = "category"
tops_image = "image_url"
title = "title"
collection = "collection"
pants_image = "pants_url"
mask_image = "mask_url"
model_image = "model_url"
[roster]
models = [
    { name = "anna", image = "https://pictures.example/anna.png", tags = ["women"] },
    { name = "ben", image = "https://pictures.example/ben.png", tags = ["men"] },
]
[[rules]]
category = "shirt"
fit_type = "HALF_BODY"
tag = "women"
[[rules]]
category = "dress"
fit_type = "FULL_BODY"
tag = "women"
pants = "never"
[catalogue]
table = "catalogue"
key = "sku"
[catalogue.columns]
picture_url = "picture_url"
picture_urls = "picture_urls"
status = "tryon_status"
detail = "tryon_detail"
updated_at = "tryon_updated_at"
[fetch]
allow_private = true
"""


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    """A settings file in a folder of its own, where exports and the archive go as well."""
    file = tmp_path / "tryon.toml"
    file.write_text(SETTINGS)
    return file


@pytest.fixture
def settings(settings_file: Path) -> Settings:
    """The settings of ``settings_file``."""
    return load_settings(settings_file)


@pytest.fixture(scope="session")
def pattern_database(postgres: LocalPostgres) -> str:
    """The name of a database with an up-to-date ledger and a shop's table, to copy: that is quicker than making one."""
    name = "pattern_of_the_catalogue"
    engine = engine_for(postgres.create_database(name), "tryon")
    migrate(engine, "tryon")
    with engine.begin() as connection:
        connection.execute(text(SHOP_TABLE))
    engine.dispose()
    return name


@pytest.fixture
def catalogue_database_url(postgres: LocalPostgres, pattern_database: str) -> Iterator[str]:
    """The SQLAlchemy URL of a database with ledger and shop's table that only this test uses."""
    with fresh_database(postgres, pattern_database) as url:
        yield url


@pytest.fixture
def catalogue_connection(catalogue_database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The Airflow connection ``catalogue_db`` to that database, as AIRFLOW_CONN_* takes it; it is set."""
    said = connection_to_database(make_url(catalogue_database_url))
    monkeypatch.setenv("AIRFLOW_CONN_CATALOGUE_DB", said)
    return said


@pytest.fixture
def engine(catalogue_database_url: str) -> Iterator[Engine]:
    """A database with an up-to-date ledger and a shop's table."""
    engine = engine_for(catalogue_database_url, "tryon")
    yield engine
    engine.dispose()


@pytest.fixture
def plan_batch(engine: Engine) -> PlanBatch:
    """Plan looks by hand into one batch of a run: ``plan_batch(looks, run_id=...) -> (batch, keys)``.

    The garment of look number n has the sku ``sku-n`` and a row in the shop's table.
    """

    def plan(wanted: list[Look], run_id: str = "dag/run") -> tuple[Batch, list[str]]:
        keys = [look.key for look in wanted]
        with engine.begin() as connection:
            connection.execute(
                insert(runs).values(
                    id=run_id,
                    export="export.csv",
                    export_date="2026-11-20",
                    planned_at=func.now(),
                    cut_at=func.now(),
                )
            )
            batch_id = connection.execute(
                insert(batches)
                .values(
                    run_id=run_id,
                    fit_type=wanted[0].fit_type.value,
                    inference_num=wanted[0].inference_num,
                )
                .returning(batches.c.id)
            ).scalar_one()
            for number, look in enumerate(wanted):
                connection.execute(
                    insert(looks).values(
                        key=look.key,
                        fit_type=look.fit_type.value,
                        inference_num=look.inference_num,
                        model=look.model,
                        model_image=look.model_image,
                        tops_image=look.tops_image,
                        pants_image=look.pants_image,
                        mask_image=look.mask_image,
                        state="PLANNED",
                        position=number,
                        moved_run=run_id,
                        moved_try=1,
                    )
                )
                connection.execute(insert(run_looks).values(run_id=run_id, look_key=look.key))
                connection.execute(
                    insert(garment_looks).values(
                        sku=f"sku-{number}",
                        position=0,
                        look_key=look.key,
                        title="",
                        collection="autumn",
                        export_date="2026-11-20",
                        run_id=run_id,
                    )
                )
                connection.execute(
                    text("INSERT INTO catalogue (sku) VALUES (:sku) ON CONFLICT DO NOTHING"),
                    {"sku": f"sku-{number}"},
                )
            connection.execute(update(looks).where(looks.c.key.in_(keys)).values(batch_id=batch_id))
        batch = Batch(batch_id, run_id, wanted[0].fit_type.value, wanted[0].inference_num)
        return batch, keys

    return plan


@pytest.fixture(scope="module")
def website() -> Iterator[Website]:
    """A shop's web server with pictures of a model and of tops."""
    with open_website() as site:
        yield site


@pytest.fixture(scope="module")
def running_vendor() -> Iterator[RunningSandbox]:
    """The stand-in vendor."""
    with open_vendor() as sandbox:
        yield sandbox


@pytest.fixture
def vendor(running_vendor: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> RunningSandbox:
    """The stand-in vendor without faults, and the Airflow connection to it."""
    running_vendor.set_faults()
    monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", connection_to(running_vendor))
    return running_vendor
