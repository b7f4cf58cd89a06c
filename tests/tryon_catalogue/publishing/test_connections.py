"""A result key is known to the account that paid for it: it is asked for over the connection it was submitted over."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from airflow.sdk.exceptions import TaskDeferred
from sqlalchemy import Engine, update

from damo_tryon.contract import Answer
from damo_tryon.hooks import DamoTryOnHook
from tests.tryon_catalogue.airflow_context import context
from tests.tryon_catalogue.publishing.world import Submit, result_keys, wait_for_vendor
from tests.tryon_catalogue.vendor import connection_to
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import submissions
from tryon_catalogue.publishing.publisher import Publisher, Query
from tryon_catalogue.settings import Settings
from tryon_catalogue.submission.journal import Batch
from tryon_catalogue.workflow.operators import CollectBatchOperator
from tryon_catalogue.workflow.result_trigger import BatchResultTrigger
from tryon_sandbox.server import RunningSandbox

NOWHERE = '{"conn_type": "damo_tryon", "host": "http://127.0.0.1:1", "password": "another account"}'


@pytest.fixture
def batch(engine: Engine, submit: Submit) -> Batch:
    """Two submissions: the first went over a connection that the settings name no more."""
    made = submit(11)
    first, _ = result_keys(engine, made)
    with engine.begin() as connection:
        connection.execute(
            update(submissions).where(submissions.c.result_key == first).values(conn_id="of_last_year")
        )
    return made


def test_publishing_asks_for_each_submission_over_its_own(
    engine: Engine, settings: Settings, batch: Batch
) -> None:
    asked = defaultdict(list)

    def query_over(conn_id: str) -> Query:
        def query(result_key: str) -> Answer:
            asked[conn_id].append(result_key)
            return DamoTryOnHook().query(result_key)

        return query

    wait_for_vendor(engine, batch)
    done = Publisher(engine, settings, query_over, Mover("dag/run")).publish_batch(batch)
    assert (done.published, done.problems) == (11, [])
    first, second = result_keys(engine, batch)
    assert asked == {"of_last_year": [first], "damo_tryon": [second]}


def test_waiting_asks_over_the_connection_of_the_oldest(
    *,
    engine: Engine,
    settings_file: Path,
    catalogue_connection: str,
    vendor: RunningSandbox,
    batch: Batch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    monkeypatch.setenv("AIRFLOW_CONN_OF_LAST_YEAR", connection_to(vendor))
    monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", NOWHERE)
    operator = CollectBatchOperator(
        task_id="batch",
        batch_id=batch.id,
        conn_id="damo_tryon",
    )
    vendor.set_faults({"kind": "still_running", "times": None})
    with pytest.raises(TaskDeferred) as waits:
        operator.execute(context())
    assert isinstance(waits.value.trigger, BatchResultTrigger)
    assert waits.value.trigger.conn_id == "of_last_year"
    assert list(waits.value.trigger.result_keys) == result_keys(engine, batch)[:1]
