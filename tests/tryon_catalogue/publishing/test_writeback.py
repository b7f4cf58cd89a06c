from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, Row, delete, insert, select, text, update

from tests.tryon_catalogue.helpers import PlanBatch, some_looks
from tryon_catalogue.ledger.states import ROW_ORDER
from tryon_catalogue.ledger.tables import garment_looks, looks, pictures, rejections, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.publishing.writeback import Catalogue, CatalogueError
from tryon_catalogue.settings import CatalogueColumns, CatalogueSettings

COLUMNS = {
    "picture_url": "picture_url",
    "picture_urls": "picture_urls",
    "status": "tryon_status",
    "detail": "tryon_detail",
    "updated_at": "tryon_updated_at",
}
WAYS = {
    LookState.PLANNED: [],
    LookState.REJECTED: ["REJECTED"],
    LookState.SUBMITTING: ["SUBMITTING"],
    LookState.IN_DOUBT: ["SUBMITTING", "IN_DOUBT"],
    LookState.SUBMITTED: ["SUBMITTING", "SUBMITTED"],
    LookState.FAILED: ["SUBMITTING", "SUBMITTED", "FAILED"],
    LookState.SUCCEEDED: ["SUBMITTING", "SUBMITTED", "SUCCEEDED"],
    LookState.REVIEW: ["SUBMITTING", "SUBMITTED", "SUCCEEDED", "REVIEW"],
    LookState.PUBLISHED: ["SUBMITTING", "SUBMITTED", "SUCCEEDED", "PUBLISHED"],
}


@pytest.fixture
def keys(plan_batch: PlanBatch) -> list[str]:
    """The keys of three planned looks, of the garments sku-0 to sku-2 of the run dag/run."""
    return plan_batch(some_looks(3))[1]


def shop(table: str = "catalogue", key: str = "sku", **columns: str) -> CatalogueSettings:
    return CatalogueSettings(table=table, key=key, columns=CatalogueColumns(**(columns or COLUMNS)))


def bring(engine: Engine, key: str, state: LookState, *urls: str, reason: str | None = None) -> None:
    """Lead a planned look to a state, with pictures."""
    with engine.begin() as connection:
        for step in WAYS[state]:
            connection.execute(update(looks).where(looks.c.key == key).values(state=step, reason=reason))
        for number, url in enumerate(urls):
            connection.execute(
                insert(pictures).values(
                    look_key=key, number=number, path=url, url=url, sha256="", bytes=1, width=1, height=1
                )
            )


def point(engine: Engine, sku: str, *look_keys: str) -> None:
    """Let a garment have these looks."""
    with engine.begin() as connection:
        connection.execute(delete(garment_looks).where(garment_looks.c.sku == sku))
        for position, key in enumerate(look_keys):
            connection.execute(
                insert(garment_looks).values(
                    sku=sku,
                    position=position,
                    look_key=key,
                    title="",
                    collection="",
                    export_date="2026-11-20",
                    run_id="dag/run",
                )
            )


def reject(engine: Engine, sku: str, run_id: str = "dag/run", rule: str = "bad_url") -> None:
    with engine.begin() as connection:
        connection.execute(
            insert(rejections).values(run_id=run_id, line=2, sku=sku, rule=rule, reason="The URL is bad.")
        )


def open_run(engine: Engine, run_id: str, day: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            insert(runs).values(id=run_id, export="e.csv", export_date=date.fromisoformat(day))
        )


def write(engine: Engine, *skus: str, settings: CatalogueSettings | None = None) -> int:
    with engine.begin() as connection:
        return Catalogue(connection, settings or shop()).write_garments(connection, skus).changed


def write_run(engine: Engine, run_id: str = "dag/run") -> int:
    with engine.connect() as connection:
        catalogue = Catalogue(connection, shop())
    return catalogue.write_run(engine, run_id).changed


def row(engine: Engine, sku: str, table: str = "catalogue", key: str = "sku") -> Row[Any]:
    with engine.connect() as connection:
        return connection.execute(
            text(f'SELECT * FROM {table} WHERE "{key}" = :sku'),  # noqa: S608 - of this test
            {"sku": sku},
        ).one()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("text", '["http://a/1", "http://a/画"]'),
        ("varchar(100)", '["http://a/1", "http://a/画"]'),
        ("json", ["http://a/1", "http://a/画"]),
        ("jsonb", ["http://a/1", "http://a/画"]),
        ("text[]", ["http://a/1", "http://a/画"]),
        ("varchar(100)[]", ["http://a/1", "http://a/画"]),
    ],
)
def test_the_list_of_addresses_takes_the_form_of_the_shops_column(
    engine: Engine, keys: list[str], kind: str, expected: object
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP COLUMN picture_urls"))
        connection.execute(text(f"ALTER TABLE catalogue ADD COLUMN picture_urls {kind}"))
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/1", "http://a/画")
    assert write(engine, "sku-0", "sku-1") == 2
    assert row(engine, "sku-0").picture_urls == expected
    assert row(engine, "sku-1").picture_urls is None
    assert write(engine, "sku-0", "sku-1") == 0


def test_a_garment_with_a_new_look_keeps_its_pictures_until_there_are_new_ones(
    engine: Engine, keys: list[str]
) -> None:
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/old")
    write(engine, "sku-0")
    point(engine, "sku-0", keys[1])
    write(engine, "sku-0")
    assert (row(engine, "sku-0").tryon_status, row(engine, "sku-0").picture_url) == (
        "PLANNED",
        "http://a/old",
    )
    bring(engine, keys[1], LookState.PUBLISHED, "http://a/new")
    write(engine, "sku-0")
    assert (row(engine, "sku-0").tryon_status, row(engine, "sku-0").picture_url) == (
        "PUBLISHED",
        "http://a/new",
    )


def test_only_named_columns_are_written(engine: Engine, keys: list[str]) -> None:
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/1")
    with engine.begin() as connection:
        connection.execute(text("UPDATE catalogue SET title = 'Shirt', picture_urls = '[\"theirs\"]'"))
    write(engine, "sku-0", settings=shop(picture_url="picture_url"))
    assert tuple(row(engine, "sku-0")) == ("sku-0", "Shirt", "http://a/1", ["theirs"], None, None, None)


def test_nothing_but_a_stamp_is_nothing_to_write(engine: Engine, keys: list[str]) -> None:
    assert write(engine, "sku-0", settings=shop(updated_at="tryon_updated_at")) == 0
    assert row(engine, "sku-0").tryon_updated_at is None


def test_a_row_that_says_it_already_is_not_touched(engine: Engine, keys: list[str]) -> None:
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/1")
    assert write(engine, "sku-0") == 1
    before = row(engine, "sku-0")
    assert write(engine, "sku-0") == 0
    assert row(engine, "sku-0") == before


def test_no_garments_is_nothing_to_write(engine: Engine, keys: list[str]) -> None:
    assert (write(engine), write(engine, "unknown")) == (0, 0)


def test_the_status_is_the_first_in_order_that_a_look_has(engine: Engine, plan_batch: PlanBatch) -> None:
    _, keys = plan_batch(some_looks(3 * len(ROW_ORDER)))
    for number, state in enumerate(ROW_ORDER):
        later = ROW_ORDER[number:]
        three = keys[3 * number : 3 * number + 3]
        point(engine, f"sku-{number}", *three)
        for key, other in zip(three, (later[-1], state, later[len(later) // 2]), strict=True):
            bring(engine, key, other)
    skus = [f"sku-{number}" for number in range(len(ROW_ORDER))]
    assert write(engine, *skus) == len(skus)
    assert [row(engine, sku).tryon_status for sku in skus] == list(ROW_ORDER)


def test_the_detail_says_in_words_what_is_missing(engine: Engine, keys: list[str]) -> None:
    point(engine, "sku-0", *keys)
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/1", "http://a/2")
    bring(engine, keys[1], LookState.FAILED, reason="the vendor could not")
    with engine.begin() as connection:
        connection.execute(update(looks).where(looks.c.key == keys[2]).values(model=""))
    write(engine, "sku-0")
    found = row(engine, "sku-0")
    assert found.tryon_detail == (
        "1 of 3 looks are published. anna: FAILED (the vendor could not). named model: PLANNED."
    )
    assert (found.picture_url, found.picture_urls) == ("http://a/1", ["http://a/1", "http://a/2"])


def test_pictures_of_several_looks_stand_in_the_order_of_the_looks(engine: Engine, keys: list[str]) -> None:
    point(engine, "sku-0", *keys)
    for number, key in enumerate(keys):
        bring(engine, key, LookState.PUBLISHED, f"http://a/{9 - number}")
    write(engine, "sku-0")
    assert row(engine, "sku-0").picture_urls == ["http://a/9", "http://a/8", "http://a/7"]


def test_a_rejected_row_gets_its_reason_and_keeps_its_pictures_until_it_is_put_right(
    engine: Engine, keys: list[str]
) -> None:
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/1")
    assert write_run(engine) == 3
    open_run(engine, "dag/2", "2026-11-21")
    reject(engine, "sku-0", "dag/2")
    assert write_run(engine, "dag/2") == 1
    rejected = row(engine, "sku-0")
    assert (rejected.tryon_status, rejected.tryon_detail) == ("REJECTED", "The URL is bad.")
    assert rejected.picture_urls == ["http://a/1"]
    assert write_run(engine, "dag/2") == 0
    open_run(engine, "dag/3", "2026-11-22")
    with engine.begin() as connection:  # the row is right again, with the look it has had all along
        connection.execute(
            update(garment_looks)
            .where(garment_looks.c.sku == "sku-0")
            .values(run_id="dag/3", export_date="2026-11-22")
        )
    assert write_run(engine, "dag/3") == 1
    assert (row(engine, "sku-0").tryon_status, row(engine, "sku-0").tryon_detail) == ("PUBLISHED", None)


def test_a_rejected_row_whose_look_another_garment_shows_stays_rejected(
    engine: Engine, keys: list[str]
) -> None:
    point(engine, "sku-1", keys[0])
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/1")
    reject(engine, "sku-1")
    assert write_run(engine) == 3
    assert write_run(engine) == 0
    assert row(engine, "sku-1").tryon_status == "REJECTED"
    assert row(engine, "sku-0").tryon_status == "PUBLISHED"


def test_an_older_exports_rejection_does_not_overrule_a_newer_export(engine: Engine, keys: list[str]) -> None:
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/1")
    write_run(engine)
    open_run(engine, "dag/backfill", "2026-11-01")
    reject(engine, "sku-0", "dag/backfill")
    assert write_run(engine, "dag/backfill") == 0
    assert row(engine, "sku-0").tryon_status == "PUBLISHED"


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_row_says_what_the_newest_export_says_in_whatever_order_the_exports_are_read(
    engine: Engine, keys: list[str], *, newest_first: bool
) -> None:
    days = {"dag/old": "2026-11-18", "dag/run": "2026-11-20", "dag/new": "2026-11-21"}
    point(engine, "sku-0", keys[0])
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/1")
    for run_id in ("dag/old", "dag/new"):
        open_run(engine, run_id, days[run_id])
        reject(engine, "sku-0", run_id)
    with engine.begin() as connection:
        newest = update(rejections).where(rejections.c.run_id == "dag/new")
        connection.execute(newest.values(reason="The newest URL is bad."))

    for run_id in sorted(days, key=lambda one: days[one], reverse=newest_first):
        write_run(engine, run_id)
        if run_id == "dag/run":
            write(engine, "sku-0")  # as publishing does

    found = row(engine, "sku-0")
    assert (found.tryon_status, found.tryon_detail) == ("REJECTED", "The newest URL is bad.")
    assert found.picture_url == "http://a/1"


def test_a_second_row_of_a_sku_does_not_reject_the_first(engine: Engine, keys: list[str]) -> None:
    reject(engine, "sku-0", rule="duplicate_sku")
    write_run(engine)
    assert row(engine, "sku-0").tryon_status == "PLANNED"


def test_a_garment_that_the_shop_does_not_list_is_not_inserted_but_written_once_it_is(
    engine: Engine, keys: list[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM catalogue WHERE sku = 'sku-1'"))
    bring(engine, keys[1], LookState.PUBLISHED, "http://a/1")
    assert write_run(engine) == 2
    with engine.begin() as connection:
        assert Catalogue(connection, shop()).count_unlisted(connection, "dag/run") == 1
        assert connection.execute(text("SELECT count(*) FROM catalogue")).scalar_one() == 2
        connection.execute(text("INSERT INTO catalogue (sku) VALUES ('sku-1')"))
    assert write_run(engine) == 1
    assert row(engine, "sku-1").picture_url == "http://a/1"


def test_a_row_that_was_refused_is_written_once_the_table_takes_it(engine: Engine, keys: list[str]) -> None:
    reject(engine, "sku-9")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO catalogue (sku) VALUES ('sku-9')"))
        connection.execute(
            text(
                "ALTER TABLE catalogue ADD CONSTRAINT shut "
                "CHECK (sku NOT IN ('sku-1', 'sku-9') OR tryon_status IS NULL)"
            )
        )
    with engine.connect() as connection:
        catalogue = Catalogue(connection, shop())
    for changed in (2, 0):
        written = catalogue.write_run(engine, "dag/run")
        assert (written.changed, [one.sku for one in written.refused]) == (changed, ["sku-1", "sku-9"])
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP CONSTRAINT shut"))
    assert write_run(engine) == 2
    assert [row(engine, sku).tryon_status for sku in ("sku-1", "sku-9")] == ["PLANNED", "REJECTED"]


def test_a_row_that_was_refused_while_its_look_was_made_again_is_written_once_the_table_takes_it(
    engine: Engine, keys: list[str]
) -> None:
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/old")
    write_run(engine)
    with engine.begin() as connection:
        connection.execute(update(pictures).values(url="http://a/new"))
        connection.execute(
            text("ALTER TABLE catalogue ADD CONSTRAINT shut CHECK (picture_url <> 'http://a/new')")
        )
    write(engine, "sku-0")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP CONSTRAINT shut"))
    assert write_run(engine) == 1
    assert row(engine, "sku-0").picture_url == "http://a/new"


def test_only_garments_whose_sku_could_be_a_key_are_unlisted(engine: Engine, keys: list[str]) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP CONSTRAINT catalogue_pkey"))
        connection.execute(text("TRUNCATE catalogue"))
        connection.execute(text("ALTER TABLE catalogue ALTER COLUMN sku TYPE bigint USING sku::bigint"))
        connection.execute(text("INSERT INTO catalogue (sku) VALUES (7), (7), (7)"))
        for sku, number in (("sku-0", "7"), ("sku-1", "8")):
            connection.execute(update(garment_looks).where(garment_looks.c.sku == sku).values(sku=number))
    with engine.begin() as connection:
        assert Catalogue(connection, shop()).count_unlisted(connection, "dag/run") == 1  # not 7 and not sku-2


def test_a_table_in_a_schema_with_chinese_columns_is_written(engine: Engine, keys: list[str]) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA shop"))
        connection.execute(text('CREATE TABLE shop."商品" ("货号" text, "图片" text, "状态" varchar(9))'))
        connection.execute(text("INSERT INTO shop.\"商品\" VALUES ('sku-0'), ('sku-0')"))
    bring(engine, keys[0], LookState.PUBLISHED, "http://a/1")
    settings = shop("shop.商品", "货号", picture_url="图片", status="状态")
    assert write(engine, "sku-0", settings=settings) == 2
    assert write(engine, "sku-0", settings=settings) == 0
    with engine.connect() as connection:
        found = connection.execute(text('SELECT * FROM shop."商品"')).all()
    assert found == [("sku-0", "http://a/1", "PUBLISHED")] * 2


def test_a_key_of_numbers_finds_skus_of_digits(engine: Engine, keys: list[str]) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE numbered (id bigint PRIMARY KEY, status text)"))
        connection.execute(text("INSERT INTO numbered VALUES (1007)"))
        connection.execute(update(garment_looks).where(garment_looks.c.sku == "sku-0").values(sku="1007"))
    assert write(engine, "1007", settings=shop("numbered", "id", status="status")) == 1
    assert row(engine, 1007, "numbered", "id").status == "PLANNED"  # type: ignore[arg-type]  # a number it is


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (shop("nowhere"), ["no table nowhere", "catalogue_db", "[catalogue] table"]),
        (shop("nowhere.catalogue"), ["no table nowhere.catalogue"]),
        (shop(key="style_no"), ["no column style_no", "sku, title"]),
        (shop(status="a", detail="b"), ["no column a, b", "[catalogue.columns]"]),
    ],
)
def test_a_table_that_is_not_as_the_settings_say_is_named_with_what_is_missing(
    engine: Engine, settings: CatalogueSettings, words: Sequence[str]
) -> None:
    with engine.connect() as connection, pytest.raises(CatalogueError) as caught:
        Catalogue(connection, settings)
    assert [word for word in words if word not in str(caught.value)] == []


def test_of_two_writers_of_one_garment_the_second_sees_what_the_first_wrote(
    engine: Engine, keys: list[str]
) -> None:
    point(engine, "sku-0", *keys[:2])
    for key in keys[:2]:
        bring(engine, key, LookState.SUCCEEDED)
    with engine.connect() as connection:
        catalogue = Catalogue(connection, shop())

    def publish(connection: Any, key: str) -> None:
        connection.execute(update(looks).where(looks.c.key == key).values(state="PUBLISHED"))
        catalogue.write_garments(connection, ["sku-0"])

    def second() -> None:
        with engine.begin() as connection:
            publish(connection, keys[1])

    other = threading.Thread(target=second)
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with engine.begin() as connection:
        publish(connection, keys[0])
        other.start()
        with engine.connect() as watcher:
            while not watcher.execute(waiting).scalar_one():
                watcher.rollback()
    other.join()
    assert (row(engine, "sku-0").tryon_status, row(engine, "sku-0").tryon_detail) == ("PUBLISHED", None)
    with engine.connect() as connection:
        written = connection.execute(
            select(garment_looks.c.written_state).where(garment_looks.c.sku == "sku-0")
        )
        assert set(written.scalars()) == {"PUBLISHED"}
