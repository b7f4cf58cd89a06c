"""A dry run: the price and the list of what a run would make, and not a trace of it for a later night."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from tests.tryon_catalogue.budgets import plan, send, with_budget, write_export
from tests.tryon_catalogue.planning.test_remake import end
from tryon_catalogue.ledger.tables import garment_looks, images, looks, rejections, run_looks, runs
from tryon_catalogue.planning.dry_run import as_list, rehearse
from tryon_catalogue.planning.preview import Preview
from tryon_catalogue.planning.request import Redo, Request
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


def dry(engine: Engine, settings: Settings, export: str, **asked: Any) -> Preview:
    request = Request(dry_run=True, **asked)
    return rehearse(engine, request.settings(settings), Run("hand/1", export, date(2026, 11, 20), request))


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
    told = as_text(read_run_note(engine, account))
    assert "Dry run: 2 looks would be made for ¥4; nothing was sent" in told
    assert "the request: The run was asked for sku z" in told


def test_the_list_says_what_would_be_made_and_why(engine: Engine, priced: Settings, export: str) -> None:
    send(engine, priced, plan(engine, priced, export))
    end(engine)
    nothing = dry(engine, priced, export)
    assert as_list(nothing).splitlines() == ["sku,collection,model,fit type,pictures,why"]
    again = dry(engine, priced, export, skus=("a-3",), redo=Redo.ALL)
    assert as_list(again).splitlines()[1:] == ["a-3,autumn,anna,HALF_BODY,1,PUBLISHED"]
    assert again.to_make.cost(priced) == 1


def test_looks_whose_pictures_break_a_rule_are_not_in_the_price(
    engine: Engine, priced: Settings, export: str
) -> None:
    with engine.begin() as connection:
        bad = images.c.url == "https://pictures.example/a-0.png"
        connection.execute(update(images).where(bad).values(rule="too_small"))
    found = dry(engine, priced, export)
    assert (found.to_make.looks, found.broken) == (4, {"too_small": 1})
    assert "too small" in close_run(engine, priced, "hand/1").warnings[0]


def test_a_price_above_the_budget_is_said(engine: Engine, priced: Settings, export: str) -> None:
    dry(engine, priced, export, budget=Decimal(3))
    (warning,) = close_run(engine, priced, "hand/1").warnings
    assert warning == "all of it costs ¥5, and the run may cost ¥3: a part would not be made"
