"""Who sends a look that a night and a backfill both want, and from where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from tests.tryon_catalogue.budgets import WriteExport, write_export
from tests.tryon_catalogue.helpers import good_image, pretend_checked
from tests.tryon_catalogue.planning.test_record import HEADER, row
from tryon_catalogue.ledger.images import store_images
from tryon_catalogue.ledger.tables import batches, looks
from tryon_catalogue.planning.record import Plan, plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import Settings

PlanRun = Callable[[str], Plan]
NIGHT, BACKFILL = "tryon_nightly/scheduled__1", "tryon_nightly/backfill__1"
OTHER_BACKFILL = "tryon_nightly/backfill__2"


@pytest.fixture
def export(engine: Engine, settings: Settings, tmp_path: Path) -> str:
    """An export of three garments."""
    write: WriteExport = partial(write_export, engine, settings, tmp_path)
    return write("a-", 3)


@pytest.fixture
def plan(engine: Engine, settings: Settings, export: str) -> PlanRun:
    """Plan that export for a run: ``plan(run_id)``."""

    def go(run_id: str) -> Plan:
        return plan_run(
            engine, settings, Run(run_id, export, date(2026, 11, 20), backfill="/backfill__" in run_id)
        )

    return go


def carriers(engine: Engine) -> set[str]:
    """The runs whose batches the looks are in."""
    with engine.connect() as connection:
        return set(connection.execute(select(batches.c.run_id).join(looks)).scalars())


@pytest.mark.parametrize("first", [NIGHT, OTHER_BACKFILL])
def test_a_backfill_leaves_to_another_run_what_that_is_going_to_send(
    engine: Engine, settings: Settings, plan: PlanRun, first: str
) -> None:
    plan(first)
    assert plan(BACKFILL).batch_ids == ()
    assert carriers(engine) == {first}
    account = close_run(engine, settings, BACKFILL)
    assert (account.tried, account.elsewhere) == (0, 3)


def test_a_night_takes_over_what_a_backfill_has_not_sent_yet(engine: Engine, plan: PlanRun) -> None:
    plan(BACKFILL)
    assert len(plan(NIGHT).batch_ids) == 1
    assert carriers(engine) == {NIGHT}


def test_a_backfill_takes_over_what_a_run_that_is_over_has_left(
    engine: Engine, settings: Settings, plan: PlanRun
) -> None:
    plan(OTHER_BACKFILL)
    close_run(engine, settings, OTHER_BACKFILL)
    assert len(plan(BACKFILL).batch_ids) == 1
    assert carriers(engine) == {BACKFILL}


def test_a_backfill_that_plans_again_keeps_its_own_batches(engine: Engine, plan: PlanRun) -> None:
    assert plan(BACKFILL).batch_ids == plan(BACKFILL).batch_ids
    assert carriers(engine) == {BACKFILL}


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_look_is_sent_from_where_the_newest_export_has_it(
    engine: Engine, settings: Settings, tmp_path: Path, *, newest_first: bool
) -> None:
    runs = []
    for place, day in (("old", date(2026, 11, 1)), ("new", date(2026, 11, 20))):
        url, file = f"https://{place}.example/a.png", tmp_path / f"{place}.csv"
        file.write_text(HEADER + row("a", image=url))
        pretend_checked(engine, settings, file)
        with engine.begin() as connection:  # the same bytes at another address
            store_images(connection, [good_image(url, sha256="5" * 64)])
        runs.append(Run(f"dag/{place}", str(file), day))
    for run in sorted(runs, key=lambda run: run.export_date, reverse=newest_first):
        plan_run(engine, settings, run)
    with engine.connect() as connection:
        assert connection.execute(select(looks.c.tops_image)).scalars().all() == ["https://new.example/a.png"]
