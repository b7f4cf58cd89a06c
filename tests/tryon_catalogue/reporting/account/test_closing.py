from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import Engine, func, insert, select, text, update
from tests.tryon_catalogue.helpers import PlanBatch, some_looks

from tryon_catalogue.errors import RunFailedError
from tryon_catalogue.ledger.tables import batches, looks, rejections, run_looks, runs, submissions
from tryon_catalogue.publishing.writeback import CatalogueError
from tryon_catalogue.reporting.account import Account, close_run, judge, read_account
from tryon_catalogue.settings import AccountSettings, Price, Settings
from tryon_catalogue.settings.export import ExportKind

RUN = "dag/run"


def account_of(**changes: object) -> Account:
    """An account of nothing, but for the changes."""
    nothing = Account(
        run_id=RUN,
        rows=10,
        rejected_rows=0,
        known=0,
        looks={},
        elsewhere=0,
        submissions=0,
        uses=0,
        cost=Decimal(0),
        currency="CNY",
        rows_written=0,
        unlisted=0,
    )
    return replace(nothing, **changes)  # type: ignore[arg-type]  # whatever the test says


def bring(engine: Engine, key: str, *steps: str) -> None:
    with engine.begin() as connection:
        for step in steps:
            connection.execute(update(looks).where(looks.c.key == key).values(state=step))


@pytest.fixture
def keys(engine: Engine, plan_batch: PlanBatch) -> list[str]:
    """The keys of six looks of a run of nine rows, which knows four more looks: five ways they may stand in."""
    _, keys = plan_batch(some_looks(6))
    sent = ("SUBMITTING", "SUBMITTED")
    for key in keys[:2]:
        bring(engine, key, *sent, "SUCCEEDED", "PUBLISHED")
    bring(engine, keys[2], *sent, "FAILED")
    bring(engine, keys[3], *sent)
    bring(engine, keys[4], "SUBMITTING", "IN_DOUBT")
    with engine.begin() as connection:
        connection.execute(update(runs).values(rows_read=9, looks_known=4, looks_new=6))
        for line, rule in ((3, "bad_url"), (3, "missing_image"), (5, "no_model")):
            connection.execute(
                insert(rejections).values(
                    run_id=RUN, line=line, sku=f"bad-{line}", rule=rule, reason="It is bad."
                )
            )
        for state, key, uses in (
            ("SUBMITTED", "key-1", 3),
            ("COLLECTED", "key-2", 2),
            ("REFUSED", None, 0),
            ("IN_DOUBT", None, 0),
        ):
            connection.execute(
                insert(submissions).values(
                    batch_id=connection.execute(select(batches.c.id)).scalar_one(),
                    run_id=RUN,
                    try_number=1,
                    conn_id="damo_tryon",
                    state=state,
                    fit_type="HALF_BODY",
                    inference_num=1,
                    result_key=key,
                    uses=uses,
                    amount=uses * Decimal("0.95"),
                )
            )
    return keys


def test_an_account_counts_every_look_by_what_became_of_it(
    engine: Engine, settings: Settings, keys: list[str]
) -> None:
    account = close_run(engine, settings, RUN)
    assert account.looks == {"PUBLISHED": 2, "FAILED": 1, "SUBMITTED": 1, "IN_DOUBT": 1, "PLANNED": 1}
    assert (account.rows, account.rejected_rows, account.known, account.elsewhere) == (9, 2, 4, 0)
    assert (account.tried, account.published) == (len(keys), 2)
    assert (account.submissions, account.uses) == (2, 5)
    assert (account.cost, account.currency) == (Decimal("4.75"), "CNY")
    assert account.rows_written == 6
    assert "9 rows read, 2 rejected; 4 looks known before, 6 to make" in str(account)
    assert "5 uses, 4.75 CNY" in str(account)


def test_an_account_is_kept_with_its_run(engine: Engine, settings: Settings, keys: list[str]) -> None:
    account = close_run(engine, settings, RUN)
    with engine.connect() as connection:
        run = connection.execute(select(runs)).one()
    assert run.ended_at is not None
    assert run.summary == account.as_json()
    assert run.summary["cost"] == "4.75"


def test_an_account_costs_what_its_uses_cost_when_they_were_sent(
    engine: Engine, settings: Settings, keys: list[str]
) -> None:
    dearer = settings.model_copy(update={"price": Price(per_use=Decimal(2))})
    assert close_run(engine, dearer, RUN).cost == Decimal("4.75")


def test_an_account_says_which_rows_are_no_garments_of_their_own(
    engine: Engine, settings: Settings, keys: list[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(update(runs).values(rows_further=3, rows_left_out={"status is 'old'": 2}))
    account = close_run(engine, settings, RUN)
    assert (account.further, account.left_out, account.garment_rows) == (3, {"status is 'old'": 2}, 4)
    assert (
        "9 rows read (3 of them further rows of a garment; 2 left out because status is 'old'), 2 rejected"
        in str(account)
    )


@pytest.mark.parametrize(
    ("kind", "request_", "may_be_empty"),
    [
        (ExportKind.FULL, {}, False),
        (ExportKind.FULL, {"skus": ["A"]}, True),
        (ExportKind.FULL, {"inference_num": 2}, False),
        (ExportKind.INCREMENTAL, {}, True),
    ],
)
@pytest.mark.usefixtures("keys")
def test_only_an_export_of_everything_that_is_asked_for_as_a_whole_has_to_name_a_garment(
    engine: Engine, settings: Settings, kind: ExportKind, request_: dict[str, object], may_be_empty: bool
) -> None:
    with engine.begin() as connection:
        connection.execute(update(runs).values(request=request_))
    ours = settings.model_copy(update={"export": settings.export.model_copy(update={"kind": kind})})
    assert close_run(engine, ours, RUN).may_be_empty is may_be_empty


def test_accounting_again_changes_no_row_and_no_count(
    engine: Engine, settings: Settings, keys: list[str]
) -> None:
    first = close_run(engine, settings, RUN)
    with engine.connect() as connection:
        before = connection.execute(text("SELECT * FROM catalogue ORDER BY sku")).all()
    assert close_run(engine, settings, RUN) == replace(first, rows_written=0)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM catalogue ORDER BY sku")).all() == before


def test_looks_that_another_run_carries_are_counted_apart(
    engine: Engine, settings: Settings, keys: list[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(
            insert(runs).values(
                id="dag/later",
                export="e.csv",
                export_date="2026-11-21",
                rows_read=3,
                planned_at=func.now(),
                cut_at=func.now(),
            )
        )
        for key in keys[3:5]:
            connection.execute(insert(run_looks).values(run_id="dag/later", look_key=key))
    account = close_run(engine, settings, "dag/later")
    assert (account.looks, account.elsewhere, account.uses) == ({}, 2, 0)
    assert "2 carried by another run" in str(account)
    judge(account, settings.account)  # they are the other run's to answer for


def test_garments_that_the_catalogue_does_not_list_are_told(
    engine: Engine, settings: Settings, keys: list[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM catalogue WHERE sku IN ('sku-0', 'sku-5')"))
    account = close_run(engine, settings, RUN)
    assert (account.unlisted, account.rows_written) == (2, 4)
    assert "2 garments have no row in the catalogue" in str(account)


def test_rows_that_the_catalogue_refuses_are_told_and_the_run_has_its_account(
    engine: Engine, settings: Settings, keys: list[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue ALTER COLUMN tryon_detail TYPE varchar(100)"))
        connection.execute(update(looks).where(looks.c.key == keys[2]).values(reason="It is bad. " * 9))
    account = close_run(engine, settings, RUN)
    assert (account.rows_written, account.refused) == (5, 1)
    (refusal,) = account.refused_rows
    assert refusal.startswith("sku sku-2: the table catalogue does not take its row (value too long")
    assert "1 of its rows did not take what was to be written" in str(account)
    assert read_account(engine, RUN) == account
    with engine.connect() as connection:
        assert connection.execute(select(runs.c.ended_at)).scalar_one() is not None
        connection.execute(text("ALTER TABLE catalogue ALTER COLUMN tryon_detail TYPE text"))
        connection.commit()
    second = close_run(engine, settings, RUN)
    assert (second.rows_written, second.refused, second.refused_rows) == (1, 0, ())


def test_a_run_that_was_never_planned_has_no_account(engine: Engine, settings: Settings) -> None:
    with pytest.raises(RunFailedError, match="no run dag/never"):
        close_run(engine, settings, "dag/never")


def test_a_catalogue_that_lacks_a_column_is_named(
    engine: Engine, settings: Settings, keys: list[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP COLUMN picture_url"))
    with pytest.raises(CatalogueError, match="picture_url"):
        close_run(engine, settings, RUN)


@pytest.mark.parametrize(
    ("changes", "min_success"),
    [
        ({}, 0.5),  # nothing new
        ({"rows": 0}, 0.5),
        ({"left_out": {"status is 'old'": 10}}, 0.5),
        ({"rejected_rows": 4, "further": 5}, 0.5),
        ({"elsewhere": 5}, 1.0),
        ({"rejected_rows": 9}, 0.5),
        ({"looks": {"PUBLISHED": 5, "FAILED": 5}}, 0.5),
        ({"looks": {"PUBLISHED": 1, "IN_DOUBT": 99}}, 0.0),
        ({"looks": {"PUBLISHED": 7}}, 1.0),
    ],
    ids=str,
)
def test_a_run_is_green_when_enough_succeeded(changes: dict[str, object], min_success: float) -> None:
    judge(account_of(**changes), AccountSettings(min_success=min_success))


@pytest.mark.parametrize(
    ("changes", "min_success", "reason"),
    [
        ({"looks": {"FAILED": 3}}, 0.5, "0 of 3 looks"),
        ({"looks": {"SUBMITTED": 1}}, 0.0, "0 of 1 looks"),
        ({"looks": {"PLANNED": 2}}, 0.0, "0 of 2 looks"),
        ({"looks": {"PUBLISHED": 4, "FAILED": 5}}, 0.5, "4 of 9 looks"),
        ({"looks": {"PUBLISHED": 99, "REVIEW": 1}}, 1.0, "min_success = 1"),
        ({"rejected_rows": 10}, 0.0, "every row of the export that is meant was rejected (10)"),
        (
            {"rejected_rows": 4, "further": 5, "left_out": {"status is 'old'": 1}},
            0.0,
            "that is meant was rejected (4)",
        ),
        ({"rows": 0, "may_be_empty": False}, 0.0, "the export has no row that is meant"),
        (
            {"left_out": {"status is not 'actve'": 10}, "may_be_empty": False},
            0.0,
            "10 left out because status is not 'actve'",
        ),
        ({"cut": False, "held_for": {"not sent": 10}}, 0.0, "it was not decided what of it goes"),
    ],
    ids=str,
)
def test_a_run_is_red_when_too_little_succeeded(
    changes: dict[str, object], min_success: float, reason: str
) -> None:
    account = account_of(**changes)
    with pytest.raises(RunFailedError) as caught:
        judge(account, AccountSettings(min_success=min_success))
    assert reason in str(caught.value)
    assert str(account) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"problem": "the export e.csv is not there"}, "e.csv is not there"),
        ({"planned": False}, "to its end"),
    ],
    ids=str,
)
def test_a_run_that_read_no_export_is_red(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(RunFailedError, match=reason):
        judge(account_of(**changes), AccountSettings(min_success=0.0))


@pytest.mark.usefixtures("keys")
def test_an_account_is_read_as_it_was_written(engine: Engine, settings: Settings) -> None:
    with pytest.raises(LookupError, match="no account of run dag/run"):
        read_account(engine, RUN)
    written = close_run(engine, settings, RUN)
    assert read_account(engine, RUN) == written


def test_a_run_that_has_not_sent_what_it_was_to_send_is_red_though_enough_succeeded() -> None:
    account = account_of(looks={"PUBLISHED": 90, "PLANNED": 10})
    with pytest.raises(RunFailedError, match="10 of 100 looks that this run was to send were not sent"):
        judge(account, AccountSettings(min_success=0.5))


def test_what_a_limit_or_a_runs_size_holds_back_is_not_missing() -> None:
    account = account_of(looks={"PUBLISHED": 90}, held_for={"waits for money": 10})
    judge(account, AccountSettings(min_success=0.5))
