"""A backfill at the vendor's gate: what it may take beside the night."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from airflow.sdk.exceptions import TaskDeferred
from sqlalchemy import Engine, delete, func, select, update

from tests.tryon_catalogue.airflow_context import context, set_scene
from tests.tryon_catalogue.helpers import PlanBatch, some_looks, states
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.tables import batches, garment_looks, submissions, turns
from tryon_catalogue.workflow.operators import LONGEST_WAIT_SECONDS, MakeBatchOperator
from tryon_catalogue.workflow.turn_trigger import TurnTrigger
from tryon_sandbox.server import RunningSandbox

PLACES = {"TRYON_VENDOR__MAX_IN_FLIGHT": "3", "TRYON_BACKFILL__MAX_IN_FLIGHT": "1"}
PACE = {"TRYON_VENDOR__SUBMISSIONS_PER_SECOND": "1000"}  # what is waited for is a place alone, on any machine
Submit = Callable[[str, int], None]


@pytest.fixture
def submit(
    *,
    engine: Engine,
    plan_batch: PlanBatch,
    settings_file: Path,
    vendor: RunningSandbox,
    website: Website,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Submit]:
    """Submit one look in a run of a kind, while the vendor ends nothing: ``submit(run_type, number)``."""
    set_scene(monkeypatch, settings_file, engine, vendor, website)
    for name, value in (PLACES | PACE).items():
        monkeypatch.setenv(name, value)
    vendor.set_faults({"kind": "still_running", "times": None})

    def go(run_type: str, number: int) -> None:
        look = some_looks(number + 1, website.url)[number]
        with engine.begin() as connection:
            connection.execute(delete(garment_looks))  # each of these garments has the same sku
        batch, _ = plan_batch([look], run_id=f"dag/{run_type}-{number}")
        around = context(run_id=f"{run_type}-{number}", run_type=run_type)
        MakeBatchOperator(task_id="batch", batch_id=batch.id).submit(
            around, time.time() + LONGEST_WAIT_SECONDS
        )

    yield go
    vendor.set_faults()


def line(engine: Engine) -> list[tuple[bool, str]]:
    with engine.connect() as connection:
        found = connection.execute(
            select(turns.c.backfill, batches.c.run_id).join(batches).order_by(turns.c.asked_at)
        )
        return [(row.backfill, row.run_id) for row in found]


def test_a_backfill_leaves_the_night_its_places_and_waits_in_the_triggerer(
    engine: Engine, submit: Submit
) -> None:
    submit("backfill", 0)
    with pytest.raises(TaskDeferred) as waits:
        submit("backfill", 1)
    assert isinstance(waits.value.trigger, TurnTrigger)
    assert waits.value.trigger.backfill
    submit("scheduled", 2)
    submit("scheduled", 3)
    assert sorted(states(engine)) == ["PLANNED", "SUBMITTED", "SUBMITTED", "SUBMITTED"]
    assert line(engine) == [(True, "dag/backfill-1")]


def test_a_backfill_waits_while_the_night_fills_the_places(engine: Engine, submit: Submit) -> None:
    submit("scheduled", 0)
    with pytest.raises(TaskDeferred):
        submit("backfill", 1)
    submit("scheduled", 2)
    assert sorted(states(engine)) == ["PLANNED", "SUBMITTED", "SUBMITTED"]


def test_a_night_that_finds_no_place_waits_as_well_and_a_backfill_goes_behind_it(
    engine: Engine, submit: Submit
) -> None:
    for number in range(3):
        submit("scheduled", number)
    with pytest.raises(TaskDeferred):
        submit("backfill", 3)
    with pytest.raises(TaskDeferred):
        submit("scheduled", 4)
    assert line(engine) == [(True, "dag/backfill-3"), (False, "dag/scheduled-4")]
    with engine.begin() as connection:  # everything has ended, and there is room
        connection.execute(update(submissions).values(ended_at=func.now()))
    with pytest.raises(TaskDeferred):
        submit("backfill", 5)


def test_without_a_limit_of_its_own_a_backfill_has_the_nights(
    submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_BACKFILL__MAX_IN_FLIGHT", "0")
    for number in range(3):
        submit("backfill", number)
    with pytest.raises(TaskDeferred):
        submit("backfill", 3)
