"""A ledger with years behind it: looks that were published long ago, made by the database itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ground import SETTINGS, fresh_tables, open_database, pretend_checked
from planning import make_export
from reading import Read, fill_for_people, measure_reading
from sqlalchemy import Engine, text

from tryon_catalogue.ledger.database import engine_for
from tryon_catalogue.planning.preview import preview_run
from tryon_catalogue.planning.record import record_run
from tryon_catalogue.planning.reserve import cut_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import BudgetSettings, load_settings

FEW, MANY = 10_000, 1_000_000
NEW_ROWS = 1_000
LOOKS_A_NIGHT = 10_000
LOOKS_A_SUBMISSION = 10
COLLECTIONS = 40

# As triggers and references would leave them, which would check each of the rows for minutes.
_STATEMENTS = (
    "SET LOCAL session_replication_role = replica",
    "SET LOCAL search_path TO tryon",
    """
    INSERT INTO runs (id, export, export_date, started_at, opened_at, planned_at, cut_at, ended_at)
    SELECT 'past/' || night, 'past.csv', day::date, day, day, day, day, day + interval '1 hour'
    FROM (SELECT night, timestamptz '2026-01-01' - night * interval '1 day' AS day
          FROM generate_series(0, (:looks - 1) / :a_night) night) nights
    """,
    """
    INSERT INTO batches (run_id, fit_type, inference_num, cut_at)
    SELECT 'past/' || n * :a_submission / :a_night, 'HALF_BODY', 1, timestamptz '2025-01-01'
    FROM generate_series(0, :looks / :a_submission - 1) n
    """,
    """
    INSERT INTO submissions (
        batch_id, run_id, try_number, conn_id, state, fit_type, inference_num, looks, result_key, uses, amount,
        intended_at, answered_at, ended_at, collected_at, in_totals
    )
    SELECT n + 1, 'past/' || n * :a_submission / :a_night, 1, 'damo_tryon', 'COLLECTED', 'HALF_BODY', 1,
        :a_submission, 'past-' || n, :a_submission, 0.95 * :a_submission, cut.at, cut.at, cut.at, cut.at, true
    FROM generate_series(0, :looks / :a_submission - 1) n,
        LATERAL (SELECT timestamptz '2026-01-01' - n * interval '1 minute' AS at) cut
    """,
    """
    INSERT INTO looks (
        key, fit_type, inference_num, model, model_image, tops_image, model_sha256, tops_sha256, state, attempts,
        batch_id, position, collection, moved_at, moved_run, moved_try
    )
    SELECT encode(sha256(n::text::bytea), 'hex'), 'HALF_BODY', 1, 'Mei', 'https://shop.example/models/mei.jpg',
        'https://shop.example/past/' || n || '.jpg', repeat('a', 64), encode(sha256(('p' || n)::bytea), 'hex'),
        'PUBLISHED', 1, n / :a_submission + 1, n, 'past ' || n % :collections, '2026-01-01',
        'past/' || n / :a_night, 1
    FROM generate_series(0, :looks - 1) n
    """,
    """
    INSERT INTO look_moves (look_key, from_state, to_state, moved_at, run, try)
    SELECT key, 'SUCCEEDED', 'PUBLISHED', moved_at, moved_run, 1 FROM looks
    """,
    """
    INSERT INTO submission_looks (submission_id, position, look_key, model_image, tops_image)
    SELECT position / :a_submission + 1, position % :a_submission, key, model_image, tops_image FROM looks
    """,
    "INSERT INTO run_looks (run_id, look_key) SELECT moved_run, key FROM looks",
    """
    INSERT INTO garment_looks
        (sku, position, look_key, title, collection, export_date, run_id, written_state)
    SELECT 'past-' || position, 0, key, 'Tee', collection, '2025-12-31', moved_run, 'PUBLISHED' FROM looks
    """,
    """
    INSERT INTO collection_totals
    SELECT collection, 0.95 * count(*), count(*), count(DISTINCT batch_id) FROM looks GROUP BY collection
    """,
    "INSERT INTO collections SELECT 'past ' || n, '2024-01-01' FROM generate_series(0, :collections - 1) n",
)


@dataclass(frozen=True, slots=True)
class Grown:
    """What some new rows take beside looks that were published long ago.

    Attributes:
        looks: Published long ago.
        previewing: Seconds to say what the new rows would come to.
        recording: Seconds to read them and write what they ask for to the ledger.
        cutting: Seconds to reserve them under a limit for each collection, and to cut them into batches.
        reading: What people read -> what that takes.
    """

    looks: int
    previewing: float
    recording: float
    cutting: float
    reading: dict[str, Read]


def measure_history(folder: Path) -> tuple[Grown, Grown]:
    """Plan the same new rows beside few published looks, and beside many."""
    folder.mkdir()
    settings_file = folder / "tryon.toml"
    settings_file.write_text(SETTINGS.format(folder=folder, images="https://shop.example"))
    settings = load_settings(settings_file)
    limited = settings.model_copy(update={"budget": BudgetSettings(per_collection=10**6)})
    export = make_export(folder, "csv", NEW_ROWS)
    run = Run("bench/run", str(export), date(2026, 11, 20))

    def measure(engine: Engine, looks: int) -> Grown:
        fresh_tables(engine, settings)
        publish_long_ago(engine, looks)
        pretend_checked(engine, settings, export)
        previewing = _seconds(lambda: preview_run(engine, limited, run))
        recording = _seconds(lambda: record_run(engine, limited, run))
        cutting = _seconds(lambda: cut_run(engine, limited, run.id))
        fill_for_people(engine)
        return Grown(looks, previewing, recording, cutting, measure_reading(engine, settings))

    with open_database(folder / "postgres") as url:
        engine = engine_for(url, settings.ledger.schema_name)
        return measure(engine, FEW), measure(engine, MANY)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def publish_long_ago(engine: Engine, looks: int) -> None:
    """Fill an empty ledger with looks whose pictures have been in the catalogue for long.

    Args:
        looks: How many, in full submissions of a night of ten thousand each.
    """
    numbers = {
        "looks": looks,
        "a_night": LOOKS_A_NIGHT,
        "a_submission": LOOKS_A_SUBMISSION,
        "collections": COLLECTIONS,
    }
    with engine.begin() as connection:
        for statement in _STATEMENTS:
            used = {name: value for name, value in numbers.items() if f":{name}" in statement}
            connection.execute(text(statement), used)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
