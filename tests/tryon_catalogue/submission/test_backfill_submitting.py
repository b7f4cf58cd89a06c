"""A backfill at the vendor's gate: what it may take beside the night."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException
from sqlalchemy import Engine, delete

from tests.tryon_catalogue.airflow_context import context, set_scene
from tests.tryon_catalogue.helpers import PlanBatch, some_looks, states
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.tables import garment_looks
from tryon_catalogue.submission.errors import BusyError
from tryon_catalogue.workflow.operators import SubmitBatchOperator
from tryon_sandbox.server import RunningSandbox

PLACES = {"TRYON_VENDOR__MAX_IN_FLIGHT": "3", "TRYON_BACKFILL__MAX_IN_FLIGHT": "1"}
# Patience is for a place alone: at this pace the turns come faster than it ends, on any machine.
PACE = {"TRYON_VENDOR__PATIENCE_SECONDS": "0.05", "TRYON_VENDOR__SUBMISSIONS_PER_SECOND": "1000"}
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
        SubmitBatchOperator(task_id="submit", batch_id=batch.id).execute(around)

    yield go
    vendor.set_faults()


def test_a_backfill_leaves_the_night_its_places_and_comes_back_as_often_as_it_takes(
    engine: Engine, submit: Submit
) -> None:
    submit("backfill", 0)
    before = datetime.now(UTC)
    with pytest.raises(AirflowRescheduleException) as later:
        submit("backfill", 1)
    assert later.value.reschedule_date > before
    submit("scheduled", 2)
    submit("scheduled", 3)
    assert sorted(states(engine)) == ["PLANNED", "SUBMITTED", "SUBMITTED", "SUBMITTED"]


def test_a_backfill_waits_while_the_night_fills_the_places(engine: Engine, submit: Submit) -> None:
    submit("scheduled", 0)
    with pytest.raises(AirflowRescheduleException):
        submit("backfill", 1)
    submit("scheduled", 2)
    assert sorted(states(engine)) == ["PLANNED", "SUBMITTED", "SUBMITTED"]


def test_a_night_that_finds_no_place_has_its_tries(submit: Submit) -> None:
    for number in range(3):
        submit("scheduled", number)
    with pytest.raises(BusyError):
        submit("scheduled", 3)


def test_without_a_limit_of_its_own_a_backfill_has_the_nights(
    submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_BACKFILL__MAX_IN_FLIGHT", "0")
    for number in range(3):
        submit("backfill", number)
    with pytest.raises(AirflowRescheduleException):
        submit("backfill", 3)
