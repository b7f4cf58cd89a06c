"""Publishing: pictures are fetched, archived, recorded and written to the shop's row, once."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, text, update

from damo_tryon.contract import Answer, FitType
from damo_tryon.hooks import DamoTryOnHook
from tests.tryon_catalogue.helpers import some_looks, states
from tests.tryon_catalogue.publishing.world import (
    Publish,
    Submit,
    files,
    kept,
    shop_row,
    submission_states,
    wait_for_vendor,
)
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import garment_looks, look_moves, submissions
from tryon_catalogue.looks import Look
from tryon_catalogue.publishing.publisher import Publisher
from tryon_catalogue.publishing.writeback import CatalogueError
from tryon_catalogue.settings import Settings
from tryon_sandbox.server import RunningSandbox


def test_a_picture_is_archived_recorded_and_written_to_the_catalogue(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish
) -> None:
    done = publish(submit(12))
    assert (done.published, done.failed, done.unfinished, done.problems) == (12, 0, 0, [])
    assert states(engine) == ["PUBLISHED"] * 12
    assert submission_states(engine) == {"COLLECTED": 2}
    for row in kept(engine):
        content = Path(row.path).read_bytes()
        assert (row.sha256, row.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
        shop = shop_row(engine, f"sku-{row.position}")
        assert (shop.picture_url, shop.picture_urls) == (row.url, [row.url])
        assert (shop.tryon_status, shop.tryon_detail) == ("PUBLISHED", None)
        assert shop.tryon_updated_at is not None
    assert len(files(settings)) == 12


def test_all_pictures_of_a_look_are_kept_in_their_order(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, website: Website
) -> None:
    publish(submit([replace(look, inference_num=3) for look in some_looks(2, website.url)]))
    rows = kept(engine)
    assert [(row.position, row.number) for row in rows] == [(at, n) for at in range(2) for n in range(3)]
    assert shop_row(engine, "sku-0").picture_urls == [row.url for row in rows[:3]]
    assert [path.name[-6:] for path in files(settings)[:3]] == ["-1.jpg", "-2.jpg", "-3.jpg"]


def test_publishing_twice_changes_nothing(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, vendor: RunningSandbox
) -> None:
    batch = submit(3)
    publish(batch)
    before = (kept(engine), shop_row(engine, "sku-1"), files(settings))
    with engine.begin() as connection:  # as if the last word had been lost
        connection.execute(update(submissions).values(state="SUBMITTED"))
    calls = vendor.charges().calls
    done = publish(batch)
    assert (done.published, done.problems) == (0, [])
    assert (kept(engine), shop_row(engine, "sku-1"), files(settings)) == before
    assert vendor.charges().calls.result == calls.result
    assert submission_states(engine) == {"COLLECTED": 1}


def test_a_look_of_two_garments_is_written_to_both_rows(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(1)
    with engine.begin() as connection:
        one = connection.execute(select(garment_looks)).one()._asdict()
        connection.execute(insert(garment_looks).values(**{**one, "sku": "twin"}))
        connection.execute(text("INSERT INTO catalogue (sku) VALUES ('twin')"))
    publish(batch)
    assert shop_row(engine, "twin").picture_url == shop_row(engine, "sku-0").picture_url
    assert shop_row(engine, "twin").tryon_status == "PUBLISHED"
    assert len(kept(engine)) == 1


def test_a_missing_column_is_found_before_the_vendor_is_asked(
    engine: Engine, settings: Settings, submit: Submit
) -> None:
    batch = submit(1)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP COLUMN tryon_detail"))
    asked: list[str] = []

    def query(key: str) -> Answer:
        asked.append(key)
        return DamoTryOnHook().query(key)

    with pytest.raises(CatalogueError, match="tryon_detail"):
        Publisher(engine, settings, lambda _: query, Mover(batch.run_id)).publish_batch(batch)
    assert asked == []


def test_two_tries_at_once_publish_each_look_once(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = submit(8)
    both_have_asked = threading.Barrier(2)
    met = threading.local()

    def query(key: str) -> Answer:
        answer = DamoTryOnHook().query(key)
        if not hasattr(met, "done"):
            met.done = True
            both_have_asked.wait()
        return answer

    wait_for_vendor(engine, batch)
    publish_only = Publisher(engine, settings, lambda _: query, Mover(batch.run_id)).publish_batch
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(publish_only, [batch, batch]))
    assert sum(done.published for done in both) == 8
    assert [done.problems for done in both] == [[], []]
    assert len(kept(engine)) == len(files(settings)) == 8
    with engine.connect() as connection:
        moves = Counter(connection.execute(select(look_moves.c.to_state)).scalars())
    assert moves["PUBLISHED"] == 8


def test_full_body_looks_and_looks_of_no_garment_are_published_too(
    engine: Engine, submit: Submit, publish: Publish, website: Website
) -> None:
    look = Look(FitType.FULL_BODY, 1, "", f"{website.url}/anna.png", f"{website.url}/top-1.png")
    batch = submit([look])
    with engine.begin() as connection:
        connection.execute(garment_looks.delete())
    assert publish(batch).published == 1
    assert "/no-collection/sku/model-" in kept(engine)[0].path
