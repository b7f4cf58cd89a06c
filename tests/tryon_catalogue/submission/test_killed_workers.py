"""What is true when processes die: each look is accepted at most once, and each has a known place.

The workers are real processes, ended by SIGKILL. The vendor they talk to counts in a database of its own, which
keeps what it has accepted whatever becomes of the caller.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select, text

from damo_tryon.contract import Answer, FitType, TryOnTask
from tests.tryon_catalogue.helpers import NO_LIMITS, PlanBatch, pretend_checked, quick_gate, some_looks
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import batches, looks, submission_looks, submissions
from tryon_catalogue.planning.record import plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import Price, Settings
from tryon_catalogue.submission.batch import submit_batch
from tryon_catalogue.submission.journal import Batch, load_batch

FORK = multiprocessing.get_context("fork")


class CountingVendor:
    """Accepts everything, and keeps count in a table that no worker's transaction can take back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS accepted (key text, picture text)"))
            connection.execute(text("TRUNCATE accepted"))

    def submit(self, tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        key = f"{random.getrandbits(128):032x}"
        with self._engine.begin() as connection:
            connection.execute(
                text("INSERT INTO accepted VALUES (:key, :picture)"),
                [{"key": key, "picture": task.tops_image} for task in tasks],
            )
        return Answer(result_key=key)

    def counts(self) -> Counter[str]:
        with self._engine.connect() as connection:
            return Counter(connection.execute(text("SELECT picture FROM accepted")).scalars())


def in_process(work: Callable[[], None]) -> multiprocessing.process.BaseProcess:
    """Start a worker."""

    def quietly() -> None:
        random.seed()
        work()

    process = FORK.Process(target=quietly)
    process.start()
    return process


def check_the_books(engine: Engine, vendor: CountingVendor) -> None:
    """Hold the ledger against what the vendor has counted."""
    counts = vendor.counts()
    assert all(count == 1 for count in counts.values()), counts.most_common(3)
    with engine.connect() as connection:
        placed = connection.execute(
            select(looks.c.tops_image, looks.c.state, submissions.c.result_key)
            .outerjoin(submission_looks, submission_looks.c.look_key == looks.c.key)
            .outerjoin(submissions, submissions.c.id == submission_looks.c.submission_id)
        ).all()
    for picture, state, result_key in placed:
        assert state in {"SUBMITTED", "IN_DOUBT"}, f"{picture} is {state}"
        if state == "SUBMITTED":
            assert counts[picture] == 1
            assert result_key
    assert len(placed) >= len(counts)


def submit_all(engine: Engine, vendor: CountingVendor, batch: Batch, try_number: int) -> None:
    submit_batch(
        engine,
        vendor.submit,
        batch,
        Mover(batch.run_id, try_number),
        Price(),
        budget=NO_LIMITS,
        gate=quick_gate(engine),
    )


@hypothesis_settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(deaths=st.lists(st.integers(1, 45), min_size=1, max_size=2))
def test_a_worker_that_dies_at_any_statement_leaves_nothing_paid_twice_or_lost(
    deaths: list[int], engine: Engine, plan_batch: PlanBatch
) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE tryon.runs, tryon.looks, tryon.look_moves CASCADE"))
    batch, _ = plan_batch(some_looks(12))
    vendor = CountingVendor(engine)

    def die_at(statement: int, try_number: int) -> None:
        seen = 0

        def count(*_: object) -> None:
            nonlocal seen
            seen += 1
            if seen == statement:
                os.kill(os.getpid(), signal.SIGKILL)

        # Statements and commits alike: a process can die between any two of them.
        event.listen(engine, "before_cursor_execute", count)
        event.listen(engine, "commit", count)
        submit_all(engine, vendor, batch, try_number)

    for try_number, statement in enumerate(deaths, start=1):
        worker = in_process(lambda statement=statement, number=try_number: die_at(statement, number))
        worker.join()
    submit_all(engine, vendor, batch, len(deaths) + 1)
    check_the_books(engine, vendor)


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export of sixty garments, one look each."""
    file = tmp_path / "export.csv"
    rows = [f"sku-{n},T,autumn,shirt,https://pictures.example/{n}.png,,,\n" for n in range(60)]
    file.write_text("sku,title,collection,category,image_url,pants_url,mask_url,model_url\n" + "".join(rows))
    return file


def test_a_backfill_beside_a_night_with_workers_killed_at_random_pays_for_each_look_once(
    engine: Engine, settings: Settings, export: Path
) -> None:
    vendor = CountingVendor(engine)
    pretend_checked(engine, settings, export)
    runs = [Run(f"dag/{name}", str(export), date(2026, 11, 20)) for name in ("night", "backfill")]

    def plan_and_submit(run: Run, try_number: int) -> None:
        for batch_id in plan_run(engine, settings, run).batch_ids:
            submit_all(engine, vendor, load_batch(engine, batch_id), try_number)

    for try_number in range(1, 4):
        workers = [
            in_process(lambda run=run, number=try_number: plan_and_submit(run, number)) for run in runs
        ]
        for worker in workers:
            worker.join(random.uniform(0.05, 0.8))
            if worker.pid is not None and worker.is_alive():
                os.kill(worker.pid, signal.SIGKILL)
        for worker in workers:
            worker.join()
    for run in runs:
        plan_and_submit(run, 4)
    # Whatever a dead try of either run began is settled by a later try of the same batch.
    with engine.connect() as connection:
        every = connection.execute(select(batches.c.id)).scalars().all()
    for batch_id in every:
        submit_all(engine, vendor, load_batch(engine, batch_id), 5)
    check_the_books(engine, vendor)


def test_four_workers_on_two_runs_submit_each_look_once(
    engine: Engine, settings: Settings, export: Path
) -> None:
    vendor = CountingVendor(engine)
    ids: list[int] = []
    pretend_checked(engine, settings, export)
    for name in ("night", "backfill"):
        ids += plan_run(engine, settings, Run(f"dag/{name}", str(export), date(2026, 11, 20))).batch_ids
    workers = [
        in_process(
            lambda mine=ids[number::4]: [
                submit_all(engine, vendor, load_batch(engine, one), 1) for one in mine
            ]
        )
        for number in range(4)
    ]
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert len(vendor.counts()) == 60
    check_the_books(engine, vendor)
