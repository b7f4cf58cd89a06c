"""A clock that jumps: the tasks' own code on a ledger and a sandbox whose clock goes wrong and right again.

It needs no Airflow: a signed request carries the time, and only client and vendor look at it.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import text

from damo_tryon.errors import MalformedRequestError
from damo_tryon.hooks import ONCE, DamoTryOnHook
from tests.e2e.books import read_books
from tests.e2e.cases import Case, CaseBook, How, Row
from tests.e2e.waiting import until
from tests.e2e.wardrobe import Wardrobe
from tryon_catalogue.ledger.database import engine_for, migrate
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.preflight.run import preflight_run
from tryon_catalogue.planning.record import plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.publishing.publisher import Publisher
from tryon_catalogue.settings import load_settings
from tryon_catalogue.submission.batch import submit_batch
from tryon_catalogue.submission.gate import Gate
from tryon_catalogue.submission.journal import load_batch
from tryon_demo.scene import SHOP_TABLE
from tryon_sandbox.server import RunningSandbox, running
from tryon_sandbox.settings import Pictures, SandboxSettings

CASE = Case(
    name="a clock that jumps by 20 minutes loses nothing and pays nothing twice",
    died="the vendor's clock (20 minutes ahead, then right again)",
    where="signed submit, then signed query",
    how=How.CODE,
)
BOOK = CaseBook([CASE])
LOOKS = 5
JUMP_SECONDS = 20 * 60.0
CONN_ID = "damo_tryon"


class JumpingClock:
    """The vendor's clock."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class QuietFiles(SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *_args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def wardrobe(tmp_path: Path) -> Iterator[Wardrobe]:
    """A served wardrobe."""
    folder = tmp_path / "wardrobe"
    handler = functools.partial(QuietFiles, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Wardrobe(folder, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


@pytest.fixture
def clock() -> JumpingClock:
    """The vendor's clock, right for now."""
    return JumpingClock()


@pytest.fixture
def sandbox(clock: JumpingClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSandbox]:
    """A sandbox that goes by that clock, and the connection that signs."""
    quick = SandboxSettings(latency=0, submit_rate=0, query_rate=0, concurrency=0, pictures=Pictures.PLAIN)
    with running(quick, clock=clock) as served:
        account = served.credentials
        connection = {
            "conn_type": "damo_tryon",
            "host": served.url,
            "login": account.appkey,
            "password": account.appsecret,
        }
        monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", json.dumps(connection))
        yield served


@pytest.mark.faults
def test_a_clock_that_jumps_by_20_minutes_loses_nothing_and_pays_nothing_twice(
    *,
    empty_database_url: str,
    wardrobe: Wardrobe,
    clock: JumpingClock,
    sandbox: RunningSandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_row: Callable[[Case, Row], None],
) -> None:
    begun = time.monotonic()
    monkeypatch.setenv("TRYON_ARCHIVE__PATH", str(tmp_path / "archive"))
    monkeypatch.setenv("TRYON_FETCH__ALLOW_PRIVATE", "true")
    settings = load_settings()
    engine = engine_for(empty_database_url, settings.ledger.schema_name)
    migrate(engine, settings.ledger.schema_name)
    garments = wardrobe.make_export("clock", LOOKS)
    export = tmp_path / "clock.csv"
    export.write_text(wardrobe.csv_of(garments), encoding="utf-8")
    with engine.begin() as connection:
        connection.execute(text(SHOP_TABLE.read_text(encoding="utf-8")))
        connection.execute(
            text("INSERT INTO catalogue (sku, title, collection) VALUES (:sku, '', '')"),
            [{"sku": one.sku} for one in garments],
        )
    run = Run("clock/run", str(export), datetime.now(UTC).date())
    preflight_run(engine, settings, run.export)
    (batch_id,) = plan_run(engine, settings, run).batch_ids
    batch = load_batch(engine, batch_id)
    hook = DamoTryOnHook(CONN_ID, retry=ONCE)

    def submit(try_number: int) -> None:
        gate = Gate(engine, CONN_ID, settings, batch)
        submit_batch(
            engine,
            hook.submit,
            batch,
            Mover(run.id, try_number),
            settings.price,
            budget=settings.budget,
            gate=gate,
        )

    def publish(try_number: int) -> int:
        return (
            Publisher(engine, settings, lambda _: hook.query, Mover(run.id, try_number))
            .publish_batch(batch)
            .published
        )

    clock.ahead = JUMP_SECONDS
    with pytest.raises(MalformedRequestError, match="clock"):
        submit(1)
    assert sandbox.charges().uses == 0
    clock.ahead = 0.0
    submit(2)
    clock.ahead = JUMP_SECONDS
    seen = publish(1)
    clock.ahead = 0.0
    assert seen == 0
    until(lambda: publish(2) or None, "what was paid for is published")

    books = read_books(engine, sandbox.charges().model_dump(), {one.sku: one.top for one in garments})
    books.check()
    assert books.states[LookState.PUBLISHED] == LOOKS
    assert books.most_charges == 1
    record_row(
        CASE,
        Row(LOOKS, books.sent, books.most_charges, LOOKS, 0, books.summary, time.monotonic() - begun),
    )
