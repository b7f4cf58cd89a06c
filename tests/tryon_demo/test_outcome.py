"""What a night came to, read from a real ledger, and whether it is as it should be."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Engine, insert, select, text, update

from tests.tryon_catalogue.helpers import PlanBatch, some_looks
from tests.tryon_demo.nights import LOOK, NIGHT, PAID_ONCE, night
from tryon_catalogue.ledger.tables import batches, looks, pictures, rejections, runs, submissions
from tryon_catalogue.settings import Price
from tryon_demo.outcome import Charges, NothingReadError, read_outcome, shortcomings
from tryon_demo.scene import SHOP_TABLE

RUN = "tryon_nightly/manual__1"


def open_shop(engine: Engine) -> None:
    """Put the demo's own shop table in the place of the tests'."""
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE catalogue"))
        connection.execute(text(SHOP_TABLE.read_text(encoding="utf-8")))
        connection.execute(
            text(
                "INSERT INTO catalogue (sku, title, collection, tryon_status, tryon_picture_urls) VALUES "
                "('sku-0', '条纹T恤', 'SS26', 'PUBLISHED', '[\"/archive/a.jpg\", \"/archive/b.jpg\"]'),"
                "('sku-9', 'Sweater', 'AW26', NULL, NULL), ('sku-1', 'Dress', 'SS26', 'REJECTED', NULL)"
            )
        )


def test_a_night_is_read_with_its_looks_in_the_exports_order(engine: Engine, plan_batch: PlanBatch) -> None:
    _, keys = plan_batch(some_looks(2), run_id=RUN)
    open_shop(engine)
    with engine.begin() as connection:
        connection.execute(
            insert(pictures),
            [
                {"look_key": keys[0], "number": number, "path": f"/archive/{number}.jpg", "url": "u"}
                | {"sha256": "0" * 64, "bytes": 1, "width": 1, "height": 1}
                for number in (1, 0)
            ],
        )
        connection.execute(update(looks).where(looks.c.key == keys[1]).values(reason="no person in it"))

    found = read_outcome(engine, Price(), RUN).looks

    assert [(look.sku, look.state, look.reason) for look in found] == [
        ("sku-0", "PLANNED", ""),
        ("sku-1", "PLANNED", "no person in it"),
    ]
    assert found[0].pictures == ("/archive/0.jpg", "/archive/1.jpg")
    assert found[0].images == ("https://pictures.example/anna.png", "https://pictures.example/top-0.png")


def test_the_shops_rows_come_with_collections_together_and_all_their_pictures(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    plan_batch(some_looks(1), run_id=RUN)
    open_shop(engine)

    rows = read_outcome(engine, Price(), RUN).catalogue

    assert [(row.collection, row.sku, row.status, len(row.pictures)) for row in rows] == [
        ("SS26", "sku-0", "PUBLISHED", 2),
        ("SS26", "sku-1", "REJECTED", 0),
        ("AW26", "sku-9", "", 0),
    ]


def test_refused_rows_and_the_cost_are_those_of_the_run(engine: Engine, plan_batch: PlanBatch) -> None:
    plan_batch(some_looks(1), run_id=RUN)
    open_shop(engine)
    with engine.begin() as connection:
        connection.execute(
            insert(runs).values(id="tryon_nightly/manual__2", export="b.csv", export_date="2026-11-21")
        )
        batch = connection.execute(select(batches.c.id)).scalar_one()
        row = {"batch_id": batch, "run_id": RUN, "try_number": 1, "conn_id": "damo_tryon", "inference_num": 1}
        row |= {"fit_type": "HALF_BODY", "state": "SUBMITTED", "result_key": "k"}
        connection.execute(insert(submissions).values(**row, uses=27, amount=Decimal("25.65")))
        for run_id, line in ((RUN, 12), (RUN, 6), ("tryon_nightly/manual__2", 3)):
            connection.execute(
                insert(rejections).values(run_id=run_id, line=line, rule="missing_sku", reason="It has none.")
            )

    outcome = read_outcome(engine, Price(), RUN)

    assert [(row.line, row.sku) for row in outcome.rejections] == [(6, ""), (12, "")]
    account = outcome.account
    assert (account.rejected_rows, account.tried) == (2, 1)
    assert (account.uses, account.cost, account.currency) == (27, Decimal("25.65"), "CNY")


def test_a_night_that_never_read_its_export_is_told_as_that(engine: Engine) -> None:
    with pytest.raises(NothingReadError, match="before its export was read"):
        read_outcome(engine, Price(), RUN)


def test_nothing_is_wrong_with_a_night_on_which_every_look_ended_as_it_should() -> None:
    assert shortcomings(NIGHT, PAID_ONCE, "success") == []


@pytest.mark.parametrize("state", ["FAILED", "IN_DOUBT", "REVIEW", "SUBMITTED"])
def test_a_look_without_its_picture_in_the_catalogue_is_a_shortcoming(state: str) -> None:
    outcome = night(looks=(LOOK, replace(LOOK, state=state)))
    assert shortcomings(outcome, PAID_ONCE, "success") == [f"1 looks are {state} instead of PUBLISHED."]


@pytest.mark.parametrize(
    ("outcome", "charges", "run_state", "words"),
    [
        (NIGHT, PAID_ONCE, "failed", "The run of the DAG is failed."),
        (night(looks=()), PAID_ONCE, "success", "The export asked for no looks."),
        (
            night(rejections=()),
            PAID_ONCE,
            "success",
            "0 rows of the export were refused; 3 should have been.",
        ),
        (
            NIGHT,
            replace(PAID_ONCE, uses=2),
            "success",
            "The ledger expects 1 uses and the sandbox charged 2.",
        ),
        (NIGHT, Charges(1, 1, 2), "success", "One look was charged 2 times."),
    ],
)
def test_each_thing_that_is_not_as_it_should_be_is_named(
    outcome: object, charges: Charges, run_state: str, words: str
) -> None:
    assert shortcomings(outcome, charges, run_state) == [words]
