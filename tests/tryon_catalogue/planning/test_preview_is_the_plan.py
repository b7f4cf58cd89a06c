"""Preview, dry run, approval and run agree: over whatever a few nights have left, about whatever an export asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, select

from tests.tryon_catalogue.planning.histories import Ask, Night, Shop, next_asks, nights
from tryon_catalogue.ledger.tables import batches, looks, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.approval import question_of
from tryon_catalogue.planning.dry_run import record_dry_run
from tryon_catalogue.planning.preview import preview_run
from tryon_catalogue.planning.record import record_run
from tryon_catalogue.planning.reserve import cut_run, estimate_run
from tryon_catalogue.planning.runs import begin_run
from tryon_catalogue.settings import Settings
from tryon_catalogue.submission.journal import look_of


@pytest.fixture
def shop(engine: Engine, settings: Settings, tmp_path: Path) -> Iterator[Shop]:
    """A shop whose nights are played in one database after the other, over sessions that are kept."""
    kept = create_engine(engine.url).execution_options(**engine.get_execution_options())
    yield Shop(kept, settings, tmp_path)
    kept.dispose()


@pytest.mark.timeout(1800)  # some hundred transactions an example: a busy machine needs minutes
@hypothesis_settings(
    max_examples=16, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(history=st.lists(nights, min_size=1, max_size=3), ask=next_asks)
def test_preview_dry_run_and_approval_say_what_the_next_run_reserves(
    shop: Shop, history: list[Night], ask: Ask
) -> None:
    shop.forget_everything()
    for night in history:
        shop.play(night)
    engine, settings, run = shop.engine, ask.settings(shop.plain), shop.run_of(ask)

    _, previewed = preview_run(engine, settings, run)
    dry = replace(run, id="hand/dry", request=run.request.model_copy(update={"dry_run": True}))
    begin_run(engine, dry)
    dried = record_dry_run(engine, settings, dry)
    begin_run(engine, run)
    record_run(engine, settings, run)
    asked_about = estimate_run(engine, settings, run.id)
    cut = cut_run(engine, settings, run.id)

    event(f"left over and goes: {previewed.estimate.leftovers > 0}")
    event(f"held back: {bool(previewed.estimate.held)}")
    assert previewed.estimate == dried.estimate == asked_about == cut.estimate
    question = question_of(asked_about, settings.price, settings.budget)
    assert previewed.asks_first == dried.asks_first == (question is not None)
    with engine.connect() as connection:
        reserved = connection.execute(
            select(looks)
            .join(batches, batches.c.id == looks.c.batch_id)
            .where(batches.c.run_id == run.id, looks.c.state == LookState.PLANNED.value)
        ).all()
        figures = (runs.c.estimated_uses, runs.c.estimated_amount)
        noted = {
            run_id: connection.execute(select(*figures).where(runs.c.id == run_id)).one()
            for run_id in (run.id, dry.id)
        }
    assert Counter(listed.look for listed in previewed.listed) == Counter(look_of(row) for row in reserved)
    assert previewed.listed == dried.listed
    assert noted[run.id] == noted[dry.id] == (previewed.estimate.uses, previewed.estimate.amount)
