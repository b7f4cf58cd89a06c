"""A gateway that echoes our credentials: they reach neither the ledger nor what people are shown of it."""

from __future__ import annotations

import base64
import contextlib

import pytest
from sqlalchemy import Engine, select

from damo_tryon.errors import TryOnError
from damo_tryon.hooks import ONCE, DamoTryOnHook
from tests.tryon_catalogue.helpers import PlanBatch, some_looks, states, submit_now
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.tables import metadata
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.reporting.notes import as_markdown, as_text, read_run_note
from tryon_catalogue.reporting.report.reading import read_report
from tryon_catalogue.reporting.report.rendering import render
from tryon_catalogue.reporting.report.thumbnails import Thumbnails, reader_of
from tryon_catalogue.reporting.status import read_status
from tryon_catalogue.settings import Settings
from tryon_catalogue.submission.doubts import open_doubts
from tryon_sandbox.server import RunningSandbox


def whole_ledger(engine: Engine) -> str:
    """Everything that the ledger holds, as text."""
    with engine.connect() as connection:
        return "\n".join(str(connection.execute(select(table)).all()) for table in metadata.sorted_tables)


@pytest.mark.parametrize(
    ("code", "state"), [("D502FC", "IN_DOUBT"), ("A401AC", "PLANNED"), (None, "PLANNED")]
)
def test_an_echo_of_the_credentials_is_kept_nowhere(
    *,
    engine: Engine,
    settings: Settings,
    plan_batch: PlanBatch,
    website: Website,
    vendor: RunningSandbox,
    caplog: pytest.LogCaptureFixture,
    code: str | None,
    state: str,
) -> None:
    secret = vendor.credentials.appcode
    basic = base64.b64encode(f"key:{secret}".encode()).decode()
    echo = f"Quota of Authorization: APPCODE {secret}, Proxy-Authorization: Basic {basic}"
    message = echo if code else f"Unauthorized: {echo}"
    vendor.set_faults({"kind": "gateway_error", "code": code, "message": message, "times": None})
    batch, _ = plan_batch(some_looks(2, website.url))
    caplog.set_level("DEBUG")
    with contextlib.suppress(TryOnError):
        submit_now(engine, DamoTryOnHook(retry=ONCE).submit, batch)
    assert states(engine) == [state, state]

    closed = close_run(engine, settings, batch.run_id)
    note = read_run_note(engine, closed)
    report = read_report(engine, settings.price, batch.run_id)
    status = read_status(engine, settings.price)
    with engine.connect() as connection:
        doubts = open_doubts(connection)
    everything = [
        whole_ledger(engine),
        render(report, Thumbnails(reader_of(settings.archive)), settings.archive),
        as_text(note),
        as_markdown(note),
        repr(status),
        " ".join(str(stop.error()) for stop in status.stops),
        repr(doubts),
        caplog.text,
    ]
    assert "[secret]" in everything[0]
    for words in everything:
        assert secret not in words
        assert basic[8:-8] not in words
