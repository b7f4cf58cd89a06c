"""The ledger in one screen."""

from __future__ import annotations

import io
import uuid
from collections import Counter
from datetime import timedelta
from decimal import Decimal

from rich.console import Console
from sqlalchemy import Engine, func, insert, text, update

from tests.tryon_catalogue.helpers import PlanBatch, some_looks
from tryon_catalogue.ledger.moves import Mover, move
from tryon_catalogue.ledger.states import LOOK_STATES
from tryon_catalogue.ledger.tables import looks, runs, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.reporting.status import Status, read_status, show_status
from tryon_catalogue.settings import Price, Settings

BY = Mover("dag/run")


def shown(status: Status) -> str:
    console = Console(file=io.StringIO(), width=100, record=True, highlight=False)
    show_status(status, console)
    return console.export_text()


def submission(engine: Engine, batch_id: int, state: str, uses: int, *, minutes: int = 0) -> None:
    """Note a submission that was answered so many minutes ago, when a use was ¥0.95."""
    with engine.begin() as connection:
        connection.execute(
            insert(submissions).values(
                batch_id=batch_id,
                run_id="dag/run",
                try_number=1,
                conn_id="damo_tryon",
                state=state,
                fit_type="HALF_BODY",
                inference_num=1,
                result_key=uuid.uuid4().hex if uses else None,
                uses=uses,
                amount=uses * Decimal("0.95"),
                answered_at=func.now() - timedelta(minutes=minutes),
            )
        )


def test_looks_are_counted_by_where_they_stand(engine: Engine, plan_batch: PlanBatch) -> None:
    _, keys = plan_batch(some_looks(4))
    with engine.begin() as connection:
        for state in (LookState.SUBMITTING, LookState.IN_DOUBT):
            move(connection, looks.c.key == keys[0], state, BY)
        move(connection, looks.c.key == keys[1], LookState.REJECTED, BY)

    status = read_status(engine, Price())

    assert status.looks == {LookState.PLANNED: 2, LookState.REJECTED: 1, LookState.IN_DOUBT: 1}


def test_only_what_was_accepted_costs_and_what_it_did_when_it_was_sent(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(1))
    for state, uses in (("SUBMITTED", 10), ("COLLECTED", 7), ("REFUSED", 0), ("IN_DOUBT", 0)):
        submission(engine, batch.id, state, uses)

    status = read_status(engine, Price(per_use=Decimal(2)))

    assert (status.uses, status.cost, status.currency) == (17, Decimal("16.15"), "CNY")


def test_the_oldest_submission_that_is_not_collected_gives_its_age(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(1))
    assert read_status(engine, Price()).oldest_unpublished is None
    submission(engine, batch.id, "SUBMITTED", 1, minutes=5)
    submission(engine, batch.id, "SUBMITTED", 1, minutes=42)
    submission(engine, batch.id, "COLLECTED", 1, minutes=90)

    oldest = read_status(engine, Price()).oldest_unpublished

    assert oldest is not None
    assert timedelta(minutes=42) <= oldest < timedelta(minutes=43)


def test_a_screen_names_each_state_that_has_looks_and_what_it_means() -> None:
    counts = Counter({LookState.PUBLISHED: 12_000, LookState.IN_DOUBT: 3})
    screen = shown(Status(counts, 12_003, Decimal("11402.85"), "CNY", timedelta(minutes=61)))
    for line in (
        "12,000",
        LOOK_STATES[LookState.IN_DOUBT].meaning,
        "12,003 uses so far",
        "¥11,402.85",
        "61 minutes old",
    ):
        assert line in screen
    assert "REVIEW" not in screen


def test_an_empty_ledger_says_so_in_a_sentence(engine: Engine) -> None:
    assert shown(read_status(engine, Price())) == (
        "The ledger holds no looks yet: no run has read an export.\n"
    )


def test_rows_that_the_catalogue_refused_are_told_until_an_account_has_written_them(
    engine: Engine, settings: Settings, plan_batch: PlanBatch
) -> None:
    plan_batch(some_looks(2))
    with engine.begin() as connection:
        connection.execute(
            text("ALTER TABLE catalogue ADD CONSTRAINT shut CHECK (sku <> 'sku-1' OR tryon_status IS NULL)")
        )
    close_run(engine, settings, "dag/run")
    screen = " ".join(shown(read_status(engine, Price())).split())
    assert "Not written to the catalogue: sku sku-1: the table catalogue does not take its row" in screen

    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP CONSTRAINT shut"))
    close_run(engine, settings, "dag/run")
    assert read_status(engine, Price()).refused == ()


def test_where_more_rows_were_refused_than_are_named_the_screen_says_how_many(
    engine: Engine, settings: Settings, plan_batch: PlanBatch
) -> None:
    plan_batch(some_looks(23))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue ADD CONSTRAINT shut CHECK (tryon_status IS NULL)"))
    close_run(engine, settings, "dag/run")
    screen = " ".join(shown(read_status(engine, Price())).split())
    assert screen.count("the table catalogue does not take its row") == 20
    assert (
        "Not written to the catalogue: dag names the first 20 of 23 rows; the log of its account has all"
        in screen
    )


def test_runs_that_ask_whether_they_may_spend_are_named(engine: Engine, plan_batch: PlanBatch) -> None:
    plan_batch(some_looks(1))
    with engine.begin() as connection:
        asked = {"asked_amount": 1900, "approval": "asked for ¥1,900 for 2,000 looks"}
        connection.execute(update(runs).values(asked))
    told = shown(read_status(engine, Price()))
    assert "Waits for an approval: dag/run asked for ¥1,900 for 2,000 looks" in told
    assert "Required Actions" in told
