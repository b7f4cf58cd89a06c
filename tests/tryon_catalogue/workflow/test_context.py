from __future__ import annotations

from datetime import UTC, date, datetime

from tests.tryon_catalogue.airflow_context import context
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.workflow import context as run_context


def test_a_run_is_known_by_its_dag_and_its_run_id() -> None:
    assert run_context.run_id_of(context(run_id="manual__1")) == "dag/manual__1"
    assert run_context.mover_of(context(try_number=3)) == Mover("dag/night", 3)


def test_a_run_reads_the_export_of_its_logical_date() -> None:
    assert run_context.export_date_of(context()) == date(2026, 11, 20)


def test_a_run_without_a_logical_date_reads_the_export_of_its_day() -> None:
    pressed = datetime(2026, 12, 1, 13, 30, tzinfo=UTC)
    assert run_context.export_date_of(context(logical_date=None, run_after=pressed)) == date(2026, 12, 1)
