from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from damo_tryon.contract import Answer, FitType, TryOnTask
from damo_tryon.errors import (
    CredentialsError,
    ImageRefusedError,
    OutcomeUnknownError,
    ThrottledError,
    TryOnError,
)
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text, update
from sqlalchemy.dialects.postgresql import insert
from tryon_catalogue.ledger.journal import load_batch
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import batches, look_moves, looks, runs, submission_looks, submissions
from tryon_catalogue.settings import Price
from tryon_catalogue.submission import open_result_keys, submit_batch

from tests.tryon_catalogue.helpers import PlanBatch, some_looks, states

PRICE = Price()


class Vendor:
    """Counts what it was sent and accepted; fails where it is told to."""

    def __init__(self, bad: set[str] = frozenset(), fail: dict[int, TryOnError] | None = None) -> None:  # type: ignore[assignment]  # an empty set
        self.bad = bad
        self.fail = fail or {}
        self.calls = 0
        self.accepted: Counter[str] = Counter()
        self._lock = threading.Lock()

    def submit(self, tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        with self._lock:
            self.calls += 1
            number = self.calls
            if error := self.fail.get(number):
                raise error
            if any(task.tops_image in self.bad for task in tasks):
                raise ImageRefusedError("not good", code=23500007, proved_not_accepted=True)
            self.accepted.update(task.tops_image for task in tasks)
            return Answer(result_key=f"key-{number}-{id(self)}", request_id=f"request-{number}")


def test_a_batch_is_sent_in_submissions_of_ten(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(23))
    vendor = Vendor()
    done = submit_batch(engine, vendor.submit, batch, Mover(batch.run_id), PRICE)
    assert (done.accepted, done.rejected, done.in_doubt, vendor.calls) == (23, 0, 0, 3)
    assert states(engine) == ["SUBMITTED"] * 23
    assert len(open_result_keys(engine, batch)) == 3


def test_the_intent_is_committed_before_the_call(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(2))
    seen: list[list[str]] = []

    def send(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        seen.append(states(engine))  # through a connection of its own: sees only what is committed
        return Answer(result_key="key")

    submit_batch(engine, send, batch, Mover(batch.run_id), PRICE)
    assert seen == [["SUBMITTING", "SUBMITTING"]]


def test_a_second_try_sends_nothing_that_was_accepted(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(15))
    vendor = Vendor(fail={2: CredentialsError("no", code=23500001, proved_not_accepted=True)})
    with pytest.raises(CredentialsError):
        submit_batch(engine, vendor.submit, batch, Mover(batch.run_id), PRICE)
    assert Counter(states(engine)) == {"SUBMITTED": 10, "PLANNED": 5}
    submit_batch(engine, vendor.submit, batch, Mover(batch.run_id, 2), PRICE)
    assert set(vendor.accepted.values()) == {1}
    assert states(engine) == ["SUBMITTED"] * 15


def test_an_unanswered_submission_is_in_doubt_and_the_rest_goes_on(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(25))
    vendor = Vendor(fail={2: OutcomeUnknownError("timed out")})
    done = submit_batch(engine, vendor.submit, batch, Mover(batch.run_id), PRICE)
    assert (done.accepted, done.in_doubt) == (15, 10)
    submit_batch(engine, vendor.submit, batch, Mover(batch.run_id, 2), PRICE)
    assert Counter(states(engine)) == {"SUBMITTED": 15, "IN_DOUBT": 10}
    assert vendor.calls == 3


def test_answers_that_stay_away_in_a_row_stop_the_batch(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(40))
    vendor = Vendor(fail={number: OutcomeUnknownError("timed out") for number in range(1, 10)})
    with pytest.raises(OutcomeUnknownError):
        submit_batch(engine, vendor.submit, batch, Mover(batch.run_id), PRICE)
    assert Counter(states(engine)) == {"IN_DOUBT": 20, "PLANNED": 20}
    assert vendor.calls == 2


def test_what_a_dead_try_began_is_in_doubt_and_never_sent_again(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(12))

    class Killed(BaseException):
        """As abrupt as a process that ends between sending and the answer."""

    def die(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        raise Killed

    with pytest.raises(Killed):
        submit_batch(engine, die, batch, Mover(batch.run_id), PRICE)
    assert Counter(states(engine)) == {"SUBMITTING": 10, "PLANNED": 2}
    vendor = Vendor()
    submit_batch(engine, vendor.submit, batch, Mover(batch.run_id, 2), PRICE)
    assert Counter(states(engine)) == {"IN_DOUBT": 10, "SUBMITTED": 2}
    assert sum(vendor.accepted.values()) == 2


def test_an_answer_that_comes_after_the_doubt_settles_it(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(3))

    def slow(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        # Meanwhile a later try starts, finds the intent and puts it in doubt.
        submit_batch(engine, Vendor().submit, batch, Mover(batch.run_id, 2), PRICE)
        assert states(engine) == ["IN_DOUBT"] * 3
        return Answer(result_key="late")

    submit_batch(engine, slow, batch, Mover(batch.run_id), PRICE)
    assert states(engine) == ["SUBMITTED"] * 3
    assert open_result_keys(engine, batch) == ["late"]


def test_throttling_leaves_the_looks_planned(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(2))
    vendor = Vendor(fail={1: ThrottledError("slow down", code=23500004, proved_not_accepted=True)})
    with pytest.raises(ThrottledError):
        submit_batch(engine, vendor.submit, batch, Mover(batch.run_id), PRICE)
    assert states(engine) == ["PLANNED", "PLANNED"]


def test_uses_are_counted_as_the_price_says(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(12))
    submit_batch(engine, Vendor().submit, batch, Mover(batch.run_id), Price(use="look"))
    with engine.connect() as connection:
        assert connection.execute(select(submissions.c.uses).order_by(submissions.c.id)).scalars().all() == [
            10,
            2,
        ]


@hypothesis_settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(bad=st.sets(st.integers(0, 9), max_size=10))
def test_bad_looks_are_found_and_the_good_ones_go_through_once(
    bad: set[int], engine: Engine, plan_batch: PlanBatch
) -> None:
    _clear(engine)
    wanted = some_looks(10)
    batch, _ = plan_batch(wanted)
    vendor = Vendor(bad={wanted[number].tops_image for number in bad})
    submit_batch(engine, vendor.submit, batch, Mover(batch.run_id), PRICE)
    assert states(engine) == ["REJECTED" if number in bad else "SUBMITTED" for number in range(10)]
    assert vendor.accepted == Counter(
        look.tops_image for number, look in enumerate(wanted) if number not in bad
    )
    with engine.connect() as connection:
        codes = connection.execute(select(looks.c.vendor_code).where(looks.c.state == "REJECTED")).scalars()
        assert set(codes) <= {"23500007"}


def test_four_workers_on_one_batch_submit_each_look_once(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(60))
    vendor = Vendor()
    start = threading.Barrier(4)
    tries = itertools.count(1)

    def work() -> None:
        start.wait()
        # No worker may take another's open intent for a dead one's here: each has a batch number of its own.
        submit_batch_of_another_run(engine, vendor, batch.id, f"dag/run-{next(tries)}")

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(work) for _ in range(4)]:
            future.result()
    assert states(engine) == ["SUBMITTED"] * 60
    assert set(vendor.accepted.values()) == {1}


def submit_batch_of_another_run(engine: Engine, vendor: Vendor, batch_id: int, run_id: str) -> None:
    """Take over what is planned, as planning another run does, and submit it, until nothing is planned."""
    while "PLANNED" in states(engine):
        with engine.begin() as connection:
            connection.execute(
                insert(runs)
                .values(id=run_id, export="export.csv", export_date="2026-11-20")
                .on_conflict_do_nothing()
            )
            own = connection.execute(
                batches.insert()
                .values(run_id=run_id, fit_type="HALF_BODY", inference_num=1)
                .returning(batches.c.id)
            ).scalar_one()
            connection.execute(update(looks).where(looks.c.state == "PLANNED").values(batch_id=own))
        submit_batch(engine, vendor.submit, load_batch(engine, own), Mover(run_id), PRICE)


def _clear(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE tryon.runs CASCADE"))
        for table in (look_moves, submission_looks):
            connection.execute(table.delete())
        connection.execute(looks.delete())
