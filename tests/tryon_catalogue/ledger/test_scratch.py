"""The copy of the ledger that a preview plans in: what may count is there, and nothing else is read."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, insert, select, text, update

from tests.tryon_catalogue.helpers import PlanBatch, some_looks
from tryon_catalogue.ledger.scratch import copy_requested, scratch_ledger
from tryon_catalogue.ledger.tables import garment_looks, looks, submissions

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def skus_in(connection: Connection) -> list[str]:
    return list(connection.execute(select(garment_looks.c.sku).order_by(garment_looks.c.sku)).scalars())


def keys_in(connection: Connection) -> set[str]:
    return set(connection.execute(select(looks.c.key)).scalars())


def ask(connection: Connection, key: str, sku: str) -> None:
    """Copy what a row of an export asks for."""
    connection.execute(
        text('CREATE TEMPORARY TABLE asked (key char(64) COLLATE "C", sku text) ON COMMIT DROP')
    )
    connection.execute(text("INSERT INTO asked VALUES (:key, :sku)"), {"key": key, "sku": sku})
    copy_requested(connection, "tryon", "asked")


def test_what_has_ended_is_copied_only_where_the_export_asks_for_it(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    _, keys = plan_batch(some_looks(4))
    with engine.begin() as connection:
        for state in ("SUBMITTING", "SUBMITTED", "SUCCEEDED", "PUBLISHED"):
            connection.execute(update(looks).where(looks.c.key != keys[0]).values(state=state))
        # Another garment shows the second look, and the third garment has a second place.
        for sku, place, key in (("twin", 0, keys[1]), ("sku-2", 1, keys[3])):
            of_first = select(garment_looks).where(garment_looks.c.sku == "sku-0")
            row = connection.execute(of_first).one()._asdict()
            connection.execute(
                insert(garment_looks).values({**row, "sku": sku, "position": place, "look_key": key})
            )

    with scratch_ledger(engine, "tryon") as connection:
        assert (keys_in(connection), skus_in(connection)) == ({keys[0]}, ["sku-0"])
        ask(connection, keys[1], "sku-2")
        assert keys_in(connection) == {keys[0], keys[1]}
        assert skus_in(connection) == ["sku-0", "sku-1", "sku-2", "sku-2", "twin"]


def test_a_garment_that_was_planned_in_the_copy_is_not_copied_once_more(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    _, keys = plan_batch(some_looks(2))
    with scratch_ledger(engine, "tryon") as connection:
        connection.execute(update(garment_looks).where(garment_looks.c.sku == "sku-1").values(position=7))
        ask(connection, keys[1], "sku-1")
        assert skus_in(connection) == ["sku-0", "sku-1"]


def test_settled_submissions_are_copied_as_far_back_as_is_asked_for(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(1))
    with engine.begin() as connection:
        for number, (in_totals, moment) in enumerate(
            [(True, LONG_AGO), (False, LONG_AGO), (True, datetime.now(UTC))]
        ):
            connection.execute(
                insert(submissions).values(
                    batch_id=batch.id,
                    run_id=batch.run_id,
                    try_number=1,
                    conn_id="damo_tryon",
                    state="COLLECTED",
                    fit_type="HALF_BODY",
                    inference_num=1,
                    result_key=str(number),
                    in_totals=in_totals,
                    intended_at=moment,
                )
            )
    ids = select(submissions.c.id).order_by(submissions.c.id)
    with scratch_ledger(engine, "tryon") as connection:
        assert connection.execute(ids).scalars().all() == [2, 3]
    with scratch_ledger(engine, "tryon", LONG_AGO) as connection:
        assert connection.execute(ids).scalars().all() == [1, 2, 3]


def test_nothing_is_left_of_a_copy(engine: Engine, plan_batch: PlanBatch) -> None:
    plan_batch(some_looks(1))
    with scratch_ledger(engine, "tryon") as connection:
        connection.execute(update(looks).values(reason="planned in the copy"))
    with engine.connect() as connection:
        assert connection.execute(select(looks.c.reason)).scalars().all() == [None]
        temporary = text("SELECT count(*) FROM pg_class WHERE relpersistence = 't'")
        assert connection.execute(temporary).scalar_one() == 0
