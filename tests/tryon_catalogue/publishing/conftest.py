"""Submitting and publishing against the stand-in vendor."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, update

from damo_tryon.hooks import DamoTryOnHook
from tests.tryon_catalogue.helpers import NO_LIMITS, PlanBatch, quick_gate, some_looks, submit_now
from tests.tryon_catalogue.publishing.world import (
    QUICK,
    Publish,
    SendAgain,
    Submit,
    wait_for_vendor,
)
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import looks
from tryon_catalogue.looks import Look
from tryon_catalogue.publishing.publisher import Published, Publisher, Query
from tryon_catalogue.settings import Price, Settings
from tryon_catalogue.submission.batch import submit_batch
from tryon_catalogue.submission.journal import Batch
from tryon_sandbox.server import RunningSandbox


@pytest.fixture
def submit(engine: Engine, plan_batch: PlanBatch, vendor: RunningSandbox, website: Website) -> Submit:
    """Plan some looks by hand and submit them: ``submit(looks or how many) -> batch``."""

    def go(wanted: int | list[Look], faults: tuple[dict[str, object], ...] = ()) -> Batch:
        batch, _ = plan_batch(some_looks(wanted, website.url) if isinstance(wanted, int) else wanted)
        vendor.set_faults(*faults)
        send = DamoTryOnHook(retry=QUICK).submit
        submit_now(engine, send, batch)
        vendor.set_faults()
        return batch

    return go


@pytest.fixture
def publish(engine: Engine, settings: Settings, vendor: RunningSandbox) -> Publish:
    """Publish a batch in one try: ``publish(batch, query=None) -> Published``; waits for the vendor first."""

    def go(batch: Batch, query: Query | None = None, *faults: dict[str, object]) -> Published:
        hook = DamoTryOnHook(retry=QUICK)
        wait_for_vendor(engine, batch)
        vendor.set_faults(*faults)
        try:
            publisher = Publisher(engine, settings, lambda _: query or hook.query, Mover(batch.run_id))
            return publisher.publish_batch(batch)
        finally:
            vendor.set_faults()

    return go


@pytest.fixture
def send_again(engine: Engine) -> SendAgain:
    """Plan the first look of a batch again, whatever it is, and submit it."""

    def go(batch: Batch) -> None:
        with engine.begin() as connection:
            connection.execute(update(looks).where(looks.c.position == 0).values(state="PLANNED"))
        submit_batch(
            engine,
            DamoTryOnHook().submit,
            batch,
            Mover("dag/again"),
            Price(),
            budget=NO_LIMITS,
            gate=quick_gate(engine),
        )

    return go
