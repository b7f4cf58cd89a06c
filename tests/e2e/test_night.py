"""A night from the export to the catalogue, in real processes, with nothing going wrong."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from sqlalchemy import Row, Text, cast, create_engine, func, inspect, literal_column, select, text
from sqlalchemy import table as sql_table

from tests.e2e.first_night import FirstNight
from tests.e2e.world import BATCH, World
from tests.guards import GUARD
from tryon_catalogue.ledger.tables import garment_looks, looks, pictures, rejections, runs
from tryon_catalogue.looks import LookState
from tryon_demo.local.api import RunState
from tryon_demo.scene import DAG_ID, SAMPLES

LOOKS = 27  # of the sample export, see include/samples/README.md


@dataclass(frozen=True)
class Books:
    """What the ledger and the shop's table say of the sample catalogue, whichever runs came after the first night.

    Attributes:
        pictures: Sku -> paths of its pictures, in order.
        states: States of the looks.
        catalogue: Sku -> row of the shop's table.
        rejections: Rows the first night refused.
        run: The first night's row.
    """

    pictures: dict[str, list[str]]
    states: list[str]
    catalogue: dict[str, Row[Any]]
    rejections: Sequence[Row[Any]]
    run: Row[Any]


@pytest.fixture
def books(world: World) -> Books:
    """The books as they stand."""
    night = world.first_night.ledger_id
    with world.scene.engine.connect() as connection:
        found = connection.execute(
            select(garment_looks.c.sku, looks.c.state, pictures.c.path)
            .join(looks, looks.c.key == garment_looks.c.look_key)
            .outerjoin(pictures, pictures.c.look_key == looks.c.key)
            .where(looks.c.tops_image.startswith(world.scene.images_url))
            .order_by(garment_looks.c.sku, garment_looks.c.position, pictures.c.number)
        ).all()
        shop = connection.execute(text("SELECT * FROM catalogue")).all()
        refused = connection.execute(
            select(rejections).where(rejections.c.run_id == night).order_by(rejections.c.line)
        ).all()
        run = connection.execute(select(runs).where(runs.c.id == night)).one()
    of_sku: dict[str, list[str]] = {}
    for row in found:
        of_sku.setdefault(row.sku, []).append(row.path)
    return Books(of_sku, [row.state for row in found], {row.sku: row for row in shop}, refused, run)


@pytest.fixture
def night(world: World) -> FirstNight:
    """The first night."""
    return world.first_night


def test_the_schedule_starts_it_and_it_ends_green(night: FirstNight) -> None:
    assert night.run.run_id.startswith("scheduled__")
    assert night.run.state is RunState.SUCCESS


def test_every_usable_row_has_its_pictures_in_the_catalogue(books: Books) -> None:
    assert books.states == [LookState.PUBLISHED] * LOOKS
    for sku, expected in books.pictures.items():
        row = books.catalogue[sku]
        assert row.tryon_status == LookState.PUBLISHED
        assert row.tryon_picture_urls == expected
        assert row.tryon_picture_url == expected[0]
        assert row.tryon_detail is None


def test_three_rows_are_rejected_each_with_its_reason(books: Books) -> None:
    assert [row.sku for row in books.rejections] == ["SW-0907", "00123", "DR-5005"]
    assert len({row.rule for row in books.rejections}) == len(books.rejections)
    assert all(row.reason for row in books.rejections)
    for sku in ("SW-0907", "DR-5005"):
        assert books.catalogue[sku].tryon_status == LookState.REJECTED
        assert books.catalogue[sku].tryon_detail


def test_each_look_is_charged_once_and_the_account_says_so(world: World, books: Books) -> None:
    bill = world.scene.charges()
    samples = [look for look in bill["looks"] if look["tops_image"].startswith(world.scene.images_url)]
    assert Counter(look["times"] for look in samples) == {1: LOOKS}
    assert sum(look["uses"] for look in samples) == books.run.summary["uses"] == books.run.looks_new


def test_pictures_are_archived_whole_and_in_the_size_of_their_models(world: World) -> None:
    with world.scene.engine.connect() as connection:
        found = connection.execute(
            select(pictures, looks.c.model_image)
            .join(looks, looks.c.key == pictures.c.look_key)
            .where(looks.c.tops_image.startswith(world.scene.images_url))
        ).all()
    assert len(found) == LOOKS
    for row in found:
        path = Path(row.path)
        assert path.is_relative_to(world.scene.archive)
        assert path.stat().st_size == row.bytes
        with (
            Image.open(path) as picture,
            Image.open(SAMPLES / "images" / Path(row.model_image).name) as model,
        ):
            picture.load()
            assert picture.size == model.size == (row.width, row.height)


def test_every_batch_waits_in_the_triggerer(world: World, night: FirstNight) -> None:
    waits = world.scene.api.task_instances(DAG_ID, night.run.run_id)
    assert night.deferred == {task.map_index for task in waits if task.task_id == BATCH}
    assert len(night.triggers) >= len(night.deferred)
    assert all("tryon_catalogue.workflow.result_trigger.BatchResultTrigger" in row for row in night.triggers)


def test_the_batches_leave_their_result_keys_and_a_link_to_them(world: World, night: FirstNight) -> None:
    api = world.scene.api
    mapped = [task for task in api.task_instances(DAG_ID, night.run.run_id) if task.task_id == BATCH]
    keys = [api.xcom(DAG_ID, night.run.run_id, BATCH, map_index=task.map_index) for task in mapped]
    bill = world.scene.charges()
    charged = {key for look in bill["looks"] for key in look["result_keys"]}
    assert keys
    assert set(itertools.chain.from_iterable(keys)) <= charged
    for task in mapped:
        links = api.extra_links(DAG_ID, night.run.run_id, BATCH, map_index=task.map_index)
        query = parse_qs(urlsplit(links["Results"] or "").query)
        assert query["run_id"] == [night.run.run_id]
        assert query["map_index"] == [str(task.map_index)]


def test_a_second_run_of_the_same_export_pays_nothing_and_ends_green_without_a_batch(
    world: World, night: FirstNight
) -> None:
    before = world.scene.charges()
    calls = before["calls"]["submit"]
    run = world.scene.api.trigger_dag(DAG_ID, conf={"export": str(world.sample_export)})
    run = world.scene.api.wait_for_run(DAG_ID, run.run_id, timeout=GUARD)
    assert run.state is RunState.SUCCESS
    tasks = world.scene.api.task_instances(DAG_ID, run.run_id)
    assert {task.state for task in tasks if task.task_id == BATCH} == {"skipped"}
    after = world.scene.charges()
    assert (after["uses"], after["calls"]["submit"]) == (before["uses"], calls)


def _holding(world: World, secret: str) -> Iterator[str]:
    """Name every place that holds a text: rows of both databases, and log files."""
    for database in ("airflow", "catalogue"):
        engine = create_engine(world.scene.stack.postgres.url(database))
        with engine.connect() as connection:
            for schema in ("public", "tryon"):
                for table in inspect(connection).get_table_names(schema):
                    rows = sql_table(table, schema=schema).alias("row")
                    holds = func.strpos(cast(literal_column('"row"'), Text), secret) > 0
                    query = select(func.count()).select_from(rows).where(holds)
                    if count := connection.execute(query).scalar_one():
                        yield f"{count} rows of {database}.{schema}.{table}"
        engine.dispose()
    home = world.scene.stack.home
    # The sandbox's own log is where it tells whoever started it the AppCode.
    logs = [*(home / "airflow" / "logs").rglob("*"), *world.scene.stack.logs.glob("*")]
    for file in logs:
        if file.is_file() and file.name != "sandbox.log" and secret.encode() in file.read_bytes():
            yield str(file.relative_to(home))


def test_the_appcode_is_in_no_table_no_log_and_no_trigger(world: World, night: FirstNight) -> None:
    assert list(_holding(world, world.appcode)) == []
    assert not [row for row in night.triggers if world.appcode in row]


def test_the_search_for_secrets_would_find_one(world: World, night: FirstNight) -> None:
    key = next(iter(world.scene.charges()["looks"]))["result_keys"][0]
    places = list(_holding(world, key))
    assert any("airflow.public.xcom" in place for place in places)
    assert any("catalogue.tryon.submissions" in place for place in places)
    assert any(place.endswith(".log") for place in places)
