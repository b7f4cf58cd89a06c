"""A night from the export to the catalogue, in real processes, with nothing going wrong."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from sqlalchemy import Text, cast, create_engine, func, inspect, literal_column, select
from sqlalchemy import table as sql_table

from tests.e2e.first_night import WAIT, FirstNight
from tests.e2e.world import SUBMIT, World
from tryon_catalogue.demo.outcome import Outcome, read_outcome
from tryon_catalogue.demo.scene import DAG_ID, SAMPLES
from tryon_catalogue.ledger.tables import looks, pictures
from tryon_catalogue.local.api import RunState
from tryon_catalogue.looks import LookState

QUICK = timedelta(seconds=60)


@pytest.fixture(scope="module")
def outcome(world: World) -> Outcome:
    """What the first night came to, in the ledger and the shop's table."""
    return read_outcome(world.scene.engine, world.first_night.ledger_id)


@pytest.fixture
def night(world: World) -> FirstNight:
    """The first night."""
    return world.first_night


def test_the_schedule_starts_it_and_it_ends_green(night: FirstNight) -> None:
    assert night.run.run_id.startswith("scheduled__")
    assert night.run.state is RunState.SUCCESS


def test_every_usable_row_has_its_pictures_in_the_catalogue(outcome: Outcome) -> None:
    rejected = {row.sku for row in outcome.rejections}
    usable = {look.sku for look in outcome.looks}
    rows = {row.sku: row for row in outcome.catalogue}
    assert outcome.all_published
    for sku in usable:
        expected = [path for look in outcome.looks if look.sku == sku for path in look.pictures]
        assert rows[sku].tryon_status == LookState.PUBLISHED
        assert rows[sku].tryon_picture_urls == expected
        assert rows[sku].tryon_picture_url == expected[0]
        assert rows[sku].tryon_detail is None
    assert usable | rejected >= {row.sku for row in outcome.catalogue if row.tryon_status}


def test_three_rows_are_rejected_each_with_its_reason(outcome: Outcome) -> None:
    assert [row.sku for row in outcome.rejections] == ["SW-0907", "00123", "DR-5005"]
    assert all(len(row.reason) > len("no picture") for row in outcome.rejections)
    assert len({row.rule for row in outcome.rejections}) == len(outcome.rejections)
    rows = {row.sku: row for row in outcome.catalogue}
    for sku in ("SW-0907", "DR-5005"):
        assert rows[sku].tryon_status == LookState.REJECTED
        assert rows[sku].tryon_detail


def test_each_look_is_charged_once_and_the_account_says_so(world: World, outcome: Outcome) -> None:
    bill = world.scene.charges()
    samples = [look for look in bill["looks"] if look["tops_image"].startswith(world.scene.images_url)]
    assert Counter(look["times"] for look in samples) == {1: len(outcome.looks)}
    assert sum(look["uses"] for look in samples) == outcome.uses == outcome.new


def test_pictures_are_archived_whole_and_in_the_size_of_their_models(world: World, outcome: Outcome) -> None:
    with world.scene.engine.connect() as connection:
        found = connection.execute(
            select(pictures, looks.c.model_image)
            .join(looks, looks.c.key == pictures.c.look_key)
            .where(looks.c.model_image.startswith(world.scene.images_url))
        ).all()
    assert len(found) == len(outcome.looks)
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
    assert night.deferred == {task.map_index for task in waits if task.task_id == WAIT}
    assert len(night.triggers) >= len(night.deferred)
    assert all("damo_tryon.triggers.TryOnResultTrigger" in row for row in night.triggers)


def test_the_submit_tasks_leave_their_result_keys_and_a_link_to_them(world: World, night: FirstNight) -> None:
    api = world.scene.api
    submits = [task for task in api.task_instances(DAG_ID, night.run.run_id) if task.task_id == SUBMIT]
    keys = [api.xcom(DAG_ID, night.run.run_id, SUBMIT, map_index=task.map_index) for task in submits]
    bill = world.scene.charges()
    charged = {key for look in bill["looks"] for key in look["result_keys"]}
    assert keys
    assert set(itertools.chain.from_iterable(keys)) <= charged
    for task in submits:
        links = api.extra_links(DAG_ID, night.run.run_id, SUBMIT, map_index=task.map_index)
        query = parse_qs(urlsplit(links["Results"] or "").query)
        assert query["run_id"] == [night.run.run_id]
        assert query["map_index"] == [str(task.map_index)]


def test_a_second_run_of_the_same_export_pays_nothing_and_ends_green_quickly(
    world: World, night: FirstNight
) -> None:
    before = world.scene.charges()
    calls = before["calls"]["submit"]
    run = world.scene.api.trigger_dag(DAG_ID, conf={"export": str(world.sample_export)})
    run = world.scene.api.wait_for_run(DAG_ID, run.run_id, timeout=90)
    assert run.state is RunState.SUCCESS
    assert run.start is not None
    assert run.end is not None
    assert run.end - run.start < QUICK
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
