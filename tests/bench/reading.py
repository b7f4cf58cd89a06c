"""What people read in a ledger with years behind it: each page and command, and the slowest query of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from typing import Any

from rich.console import Console
from sqlalchemy import Engine, event, text

from tryon_catalogue.budget.spend import By, show_spend, write_lines
from tryon_catalogue.desk.access import Visitor
from tryon_catalogue.desk.garments import GarmentSearch, read_garment, read_garments
from tryon_catalogue.desk.money import read_money
from tryon_catalogue.desk.rejected import Search, read_rejected
from tryon_catalogue.desk.review import Filters, read_review
from tryon_catalogue.desk.serving import Shop
from tryon_catalogue.desk.today import read_today
from tryon_catalogue.reporting.status import read_status
from tryon_catalogue.settings import Settings

TRIES = 3
PERSON = Visitor("mei", may_decide=True, language="en", token="")

# In a thousand looks five wait for review and ten failed; in each run a hundred rows cannot be used.
_STATEMENTS = (
    "SET LOCAL session_replication_role = replica",
    "SET LOCAL search_path TO tryon",
    """
    UPDATE looks SET state = CASE WHEN position % 200 = 0 THEN 'REVIEW' ELSE 'FAILED' END, reason = 'picture 1: blank',
        moved_at = timestamptz '2026-01-01' - position * interval '1 second'
    WHERE position % 200 = 0 OR position % 100 = 1
    """,
    """
    INSERT INTO look_moves (look_key, from_state, to_state, moved_at, run, try)
    SELECT key, 'SUBMITTED', 'FAILED', timestamptz '2026-06-01', moved_run, 1 FROM looks WHERE state = 'FAILED'
    """,
    """
    INSERT INTO pictures (look_key, shown, number, path, url, sha256, bytes, width, height, score, verdict)
    SELECT key, state = 'PUBLISHED', 0, key || '.jpg', 'https://cdn.example/' || key || '.jpg', key, 90000, 900, 1200,
        0.7, CASE WHEN state = 'REVIEW' THEN '{"one_colour": {"passed": false}}'::jsonb END
    FROM looks WHERE state <> 'FAILED'
    """,
    """
    INSERT INTO rejections (run_id, line, sku, rule, image, reason)
    SELECT 'past/' || night, line, 'bad-' || line, 'image_too_small',
        'https://shop.example/bad/' || line || '.jpg', 'too small'
    FROM generate_series(0, (SELECT count(*) FROM runs WHERE id LIKE 'past/%') - 1) night,
        generate_series(1, 100) line
    """,
)


@dataclass(frozen=True, slots=True)
class Read:
    """What it takes to read something, at best of a few tries.

    Attributes:
        seconds: In all, with what is made of it.
        slowest: Of its queries alone, in seconds.
        statement: The slowest.
    """

    seconds: float
    slowest: float
    statement: str = field(repr=False)


def fill_for_people(engine: Engine) -> None:
    """Add what people look at to a ledger of looks that were published long ago."""
    with engine.begin() as connection:
        for statement in _STATEMENTS:
            connection.execute(text(statement))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def measure_reading(engine: Engine, settings: Settings) -> dict[str, Read]:
    """Read each page and run each command that people use."""
    shop = Shop(settings, engine)

    def spend(by: By) -> None:
        with engine.connect() as connection:
            show_spend(connection, settings.price, by, Console(file=StringIO()))

    def bill() -> None:
        with engine.connect() as connection:
            write_lines(connection, settings.price, StringIO())

    work: dict[str, Callable[[], Any]] = {
        "page Today": lambda: read_today(shop),
        "page Review": lambda: read_review(shop, PERSON, Filters()),
        "page Review, by reason": lambda: read_review(shop, PERSON, Filters(check="one_colour")),
        "page Review, by collection": lambda: read_review(shop, PERSON, Filters(collection="past 0")),
        "page Review, by model": lambda: read_review(shop, PERSON, Filters(model="Mei")),
        "page Review, by run": lambda: read_review(shop, PERSON, Filters(run="past/0")),
        "page Garments": lambda: read_garments(shop, GarmentSearch()),
        "page Garments, by sku": lambda: read_garments(shop, GarmentSearch(text="past-77")),
        "page Garments, by title": lambda: read_garments(shop, GarmentSearch(text="tee")),
        "page Garments, by what is nowhere": lambda: read_garments(shop, GarmentSearch(text="nowhere")),
        "page Garments, by collection": lambda: read_garments(shop, GarmentSearch(collection="past 7")),
        "page of a garment": lambda: read_garment(shop, "past-777"),
        "page Rejected": lambda: read_rejected(shop, Search()),
        "page Rejected, by rule": lambda: read_rejected(shop, Search(rule="image_too_small")),
        "page Rejected, by what is nowhere": lambda: read_rejected(shop, Search(text="nowhere")),
        "page Money": lambda: read_money(shop, By.DAY),
        "page Money, by collection": lambda: read_money(shop, By.COLLECTION),
        "`tryon status`": lambda: read_status(engine, settings.price),
        **{f"`tryon spend --by {by}`": partial(spend, by) for by in By},
        "`tryon spend --csv bill.csv`": bill,
    }
    return {what: _best(engine, do) for what, do in work.items()}


def _best(engine: Engine, do: Callable[[], Any]) -> Read:
    tries = []
    for _ in range(TRIES):
        with _queries(engine) as queries:
            began = time.perf_counter()
            do()
            seconds = time.perf_counter() - began
        slowest, statement = max(queries)
        tries.append(Read(seconds, slowest, statement))
    best = min(tries, key=lambda read: read.slowest)
    return Read(min(read.seconds for read in tries), best.slowest, best.statement)


@contextmanager
def _queries(engine: Engine) -> Iterator[list[tuple[float, str]]]:
    """Collect (seconds, statement) of each query inside the block."""
    found: list[tuple[float, str]] = []
    began = 0.0

    def before(*_: object) -> None:
        nonlocal began
        began = time.perf_counter()

    def after(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        found.append((time.perf_counter() - began, statement))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)
