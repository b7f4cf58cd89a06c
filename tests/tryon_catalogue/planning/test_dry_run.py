"""A dry run: the price and the list of what a run would make, and not a trace of it for a later night."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, select, update

from tests.tryon_catalogue.budgets import plan, send, with_budget, write_export
from tests.tryon_catalogue.planning.test_remake import end
from tryon_catalogue.ledger.tables import garment_looks, images, looks, rejections, run_looks, runs
from tryon_catalogue.planning.dry_run import as_list, record_dry_run
from tryon_catalogue.planning.preview import NextRun, preview_run, run_over
from tryon_catalogue.planning.record import record_run
from tryon_catalogue.planning.request import Redo, Request
from tryon_catalogue.planning.reserve import cut_run, estimate_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.reporting.account import close_run, judge
from tryon_catalogue.reporting.notes import as_text, read_run_note
from tryon_catalogue.settings import Settings


@pytest.fixture
def priced(settings: Settings) -> Settings:
    """Settings by which a look costs ¥1, without limits."""
    return with_budget(settings)


@pytest.fixture
def export(engine: Engine, priced: Settings, tmp_path: Path) -> str:
    """An export of five garments."""
    return write_export(engine, priced, tmp_path, "a-", 5)


def dry(engine: Engine, settings: Settings, export: str, **asked: Any) -> NextRun:
    request = Request(dry_run=True, **asked)
    run = Run("hand/1", export, date(2026, 11, 20), request)
    return record_dry_run(engine, request.settings(settings), run)


def test_a_dry_run_leaves_nothing_that_a_night_would_send(
    engine: Engine, priced: Settings, export: str
) -> None:
    dry(engine, priced, export, skus=("a-0", "a-1"))
    with engine.connect() as connection:
        for table in (looks, run_looks, garment_looks, rejections):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0
        (run,) = connection.execute(select(runs)).all()
    assert (run.looks_new, run.estimated_uses, run.estimated_amount) == (2, 2, Decimal(2))


def test_its_account_says_the_price_and_that_nothing_was_sent(
    engine: Engine, priced: Settings, export: str
) -> None:
    dry(engine, priced, export, skus=("a-0", "a-1", "z"), inference_num=2)
    account = close_run(engine, priced, "hand/1")
    judge(account, priced.account)
    assert "2 would be made for 4 CNY. Nothing was sent or planned." in str(account)
    text = as_text(read_run_note(engine, account))
    assert "Dry run: 2 looks would be made for ¥4; nothing was sent" in text
    assert "the request: The run was asked for sku z" in text


def test_the_list_says_what_would_be_made_and_why(engine: Engine, priced: Settings, export: str) -> None:
    send(engine, priced, plan(engine, priced, export))
    end(engine)
    nothing = dry(engine, priced, export)
    assert as_list(nothing).splitlines() == ["sku,collection,model,fit type,pictures,why"]
    remake = dry(engine, priced, export, skus=("a-3",), redo=Redo.ALL)
    assert as_list(remake).splitlines()[1:] == ["a-3,autumn,anna,HALF_BODY,1,PUBLISHED"]
    assert remake.estimate.amount == 1


def test_looks_whose_pictures_break_a_rule_are_not_in_the_price(
    engine: Engine, priced: Settings, export: str
) -> None:
    with engine.begin() as connection:
        bad = images.c.url == "https://pictures.example/a-0.png"
        connection.execute(update(images).where(bad).values(rule="too_small"))
    found = dry(engine, priced, export)
    assert found.estimate.looks == 4
    assert "https://pictures.example/a-0.png" in close_run(engine, priced, "hand/1").warnings[0]


def test_a_picture_that_nobody_has_looked_at_is_not_in_the_price(
    engine: Engine, priced: Settings, export: str
) -> None:
    with engine.begin() as connection:
        connection.execute(delete(images).where(images.c.url == "https://pictures.example/a-0.png"))
    assert dry(engine, priced, export).estimate.looks == 4


def test_what_the_budget_has_no_room_for_is_not_in_the_price_and_is_said(
    engine: Engine, priced: Settings, export: str
) -> None:
    dry(engine, priced, export, budget=Decimal(3))
    account = close_run(engine, priced, "hand/1")
    assert (account.would_make, account.estimate, account.known) == (3, Decimal(3), 0)
    (warning,) = account.warnings
    assert warning == (
        "2 further looks, each of which waits for money: per_run = ¥3 is taken up; it is made by the next run that "
        "asks for it"
    )


def test_preview_dry_run_approval_and_run_have_one_price(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    narrow = with_budget(settings, per_run=2)
    send(engine, narrow, plan(engine, narrow, write_export(engine, narrow, tmp_path, "a-", 5)))
    close_run(engine, narrow, "dag/1")
    limited = with_budget(settings, {"use": "submission"}, per_run=3, approve_above=1)
    export = write_export(engine, limited, tmp_path, "b-", 28)
    previewed = preview_run(engine, limited, run_over(export, limited))[1].estimate
    assert (previewed.looks, previewed.leftovers, previewed.amount) == (30, 3, Decimal(3))
    assert sum(previewed.held.values()) == 1
    assert dry(engine, limited, export).estimate == previewed
    with engine.connect() as connection:
        noted = select(runs.c.looks_new, runs.c.estimated_uses, runs.c.estimated_amount)
        assert connection.execute(noted.where(runs.c.id == "hand/1")).one() == (30, 3, Decimal(3))
    record_run(engine, limited, Run("dag/2", export, date(2026, 11, 21)))
    assert estimate_run(engine, limited, "dag/2") == previewed
    assert cut_run(engine, limited, "dag/2").estimate == previewed
