"""Plain helpers of the tests of the catalogue's side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, select, update

from damo_tryon.contract import Answer, FitType
from damo_tryon.errors import UnknownResultKeyError
from damo_tryon.submitting import Send
from tryon_catalogue.ledger.images import KnownImage, store_images, url_sha256
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import looks, paces
from tryon_catalogue.looks import Look
from tryon_catalogue.pictures.rules import ImageRole
from tryon_catalogue.planning.preflight.run import images_of_export
from tryon_catalogue.settings import BackfillSettings, BudgetSettings, Price, Settings, VendorSettings
from tryon_catalogue.submission.batch import Submitted, submit_batch
from tryon_catalogue.submission.gate import Gate
from tryon_catalogue.submission.journal import Batch

PlanBatch = Callable[..., tuple[Batch, list[str]]]


def some_looks(count: int, base: str = "https://pictures.example") -> list[Look]:
    """Make looks that differ in their top."""
    return [
        Look(FitType.HALF_BODY, 1, "anna", f"{base}/anna.png", f"{base}/top-{number}.png")
        for number in range(count)
    ]


def states(engine: Engine) -> list[str]:
    """Read the states of all looks in the order in which they were planned."""
    with engine.connect() as connection:
        return list(connection.execute(select(looks.c.state).order_by(looks.c.position)).scalars())


def nobody_knows(result_key: str) -> Answer:
    """Answer a query as the vendor does for a result key that it has no record of."""
    raise UnknownResultKeyError("no records", code=23500008, result_key=result_key)


class Waits:
    """A sleep that takes no time: it moves the moments in the ledger's paces instead, and keeps what was asked for."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.asked: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        passed = timedelta(seconds=seconds)
        moments = {name: paces.c[name] - passed for name in ("next_submission_at", "held_until", "looked_at")}
        with self._engine.begin() as connection:
            connection.execute(update(paces).values(moments))


NO_LIMITS = BudgetSettings()


def quick_settings(**vendor: Any) -> Settings:
    """Make settings under which nobody has to wait for long, unless ``vendor`` says otherwise."""
    quick = {"submissions_per_second": 1000, "max_in_flight": 0, **vendor}
    return Settings.model_construct(vendor=VendorSettings(**quick), backfill=BackfillSettings())


NOT_WAITING = Batch(0, "dag/run", "HALF_BODY", 1)
"""For a gate at which nobody has to wait."""


def quick_gate(
    engine: Engine,
    batch: Batch = NOT_WAITING,
    *,
    sleep: Callable[[float], None] = time.sleep,
    **vendor: Any,
) -> Gate:
    """Make a gate that nobody has to wait at for long, unless ``vendor`` says otherwise."""
    return Gate(engine, "damo_tryon", quick_settings(**vendor), batch, sleep=sleep)


def pretend_checked(engine: Engine, settings: Settings, export: str | Path) -> None:
    """Tell the ledger that preflight found every picture of an export good: each has bytes of its own."""
    for images in images_of_export(settings, str(export)):
        with engine.begin() as connection:
            store_images(connection, [good_image(url, role) for url, role in images.keys])


def good_image(url: str, role: ImageRole = ImageRole.PICTURE, **facts: Any) -> KnownImage:
    """Make what preflight knows of a good picture; its digest is the address's unless ``facts`` says otherwise."""
    usual = {"sha256": url_sha256(url), "format": "JPEG", "bytes": 90_000, "width": 900, "height": 1200}
    return KnownImage(url, role, **{**usual, **facts})


def connection_to_database(url: URL) -> str:
    """Give the Airflow connection to a database of the tests' server as JSON."""
    said = {"conn_type": "postgres", "host": url.query["host"], "login": url.username, "schema": url.database}
    return json.dumps(said)


def submit_now(
    engine: Engine, send: Send, batch: Batch, *, try_number: int = 1, gate: Gate | None = None
) -> Submitted:
    """Submit a batch as a try of its run does, without limits, and at once unless a gate says otherwise."""
    by = Mover(batch.run_id, try_number)
    return submit_batch(
        engine, send, batch, by, Price(), budget=NO_LIMITS, gate=gate or quick_gate(engine, batch)
    )
