"""The recovery as Airflow runs it: red when something of it failed, whatever its account says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, text
from tests.tryon_catalogue.vendor import connection_to, open_vendor

RunDag = Callable[..., list[dict[str, Any]]]
DATE = "2026-11-20"
IN_A_MOMENT = {"TRYON_VENDOR__RETRY_SECONDS": "0"}


@pytest.fixture
def left_behind(database: Engine) -> None:
    """A submission of yesterday that nobody has collected."""
    with database.begin() as connection:
        connection.execute(
            text("INSERT INTO tryon.runs (id, export, export_date) VALUES ('dag/n1', 'e.csv', '2026-11-19')")
        )
        connection.execute(
            text(
                "INSERT INTO tryon.batches (run_id, fit_type, inference_num) VALUES ('dag/n1', 'HALF_BODY', 1)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO tryon.submissions (batch_id, run_id, conn_id, try_number, state, fit_type, inference_num,"
                " result_key, intended_at, answered_at) SELECT id, run_id, 'damo_tryon', 1, 'SUBMITTED', fit_type,"
                " inference_num, 'lost', now() - interval '1 day', now() - interval '1 day' FROM tryon.batches"
            )
        )


def states(run: dict[str, Any]) -> dict[str, str]:
    return {task: state for task, _, state in run["tasks"]}


def test_a_recovery_that_finds_nothing_out_is_red(run_dag: RunDag) -> None:
    (run,) = run_dag("tryon_recover", [DATE], IN_A_MOMENT)  # without the vendor's connection
    assert (run["state"], states(run)["find"]) == ("failed", "failed")


@pytest.mark.usefixtures("left_behind")
def test_a_recovery_that_cannot_publish_writes_its_accounts_and_is_red(
    run_dag: RunDag, database: Engine
) -> None:
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue RENAME TO elsewhere"))
    with open_vendor() as vendor:
        (run,) = run_dag(
            "tryon_recover", [DATE], {**IN_A_MOMENT, "AIRFLOW_CONN_DAMO_TRYON": connection_to(vendor)}
        )
    assert states(run)["batch"] == "failed"
    assert (run["state"], states(run)["account"]) == ("failed", "success")


def test_a_recovery_with_nothing_to_do_is_green(run_dag: RunDag) -> None:
    with open_vendor() as vendor:
        (run,) = run_dag("tryon_recover", [DATE], {"AIRFLOW_CONN_DAMO_TRYON": connection_to(vendor)})
    assert (run["state"], states(run)["verdict"]) == ("success", "success")
