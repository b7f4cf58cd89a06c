from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, text, update

from damo_tryon.contract import Answer, FitType, Submission, TryOnTask
from damo_tryon.errors import (
    ImageRefusedError,
    MalformedRequestError,
    OutcomeUnknownError,
    ThrottledError,
    TryOnError,
)
from damo_tryon.submitting import submit_once
from tests.tryon_catalogue.helpers import (
    NO_LIMITS,
    PlanBatch,
    Waits,
    quick_gate,
    some_looks,
    states,
    submit_now,
)
from tryon_catalogue.errors import LedgerUnavailableError, plain_errors
from tryon_catalogue.ledger.database import engine_for
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import batches, looks, submissions
from tryon_catalogue.settings import Price
from tryon_catalogue.submission.batch import submit_batch
from tryon_catalogue.submission.doubts import declare_lost, open_doubts
from tryon_catalogue.submission.errors import NotYetError
from tryon_catalogue.submission.journal import LedgerJournal, doubt_unanswered, planned_looks
from tryon_catalogue.submission.uncollected import uncollected_submissions

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
    done = submit_now(engine, vendor.submit, batch)
    assert (done.accepted, done.rejected, done.in_doubt, vendor.calls) == (23, 0, 0, 3)
    assert states(engine) == ["SUBMITTED"] * 23
    assert len(uncollected_submissions(engine, batch.id)) == 3


def test_the_intent_is_committed_before_the_call(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(2))
    seen: list[list[str]] = []

    def send(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        seen.append(states(engine))  # through a connection of its own: sees only what is committed
        return Answer(result_key="key")

    submit_now(engine, send, batch)
    assert seen == [["SUBMITTING", "SUBMITTING"]]


def test_a_second_try_sends_nothing_that_was_accepted(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(15))
    vendor = Vendor(fail={2: MalformedRequestError("no", code=23500013, proved_not_accepted=True)})
    with pytest.raises(MalformedRequestError):
        submit_now(engine, vendor.submit, batch)
    assert Counter(states(engine)) == {"SUBMITTED": 10, "PLANNED": 5}
    submit_now(engine, vendor.submit, batch, try_number=2)
    assert set(vendor.accepted.values()) == {1}
    assert states(engine) == ["SUBMITTED"] * 15


@pytest.fixture
def worker(engine: Engine) -> Iterator[Engine]:
    """The ledger as a worker's own role reaches it, which the database may keep out, unlike who administers it."""
    role = f"worker_of_{engine.url.database}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        connection.execute(text(f"GRANT ALL ON SCHEMA tryon TO {role}"))
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA tryon TO {role}"))
        connection.execute(text(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA tryon TO {role}"))
    yield engine_for(engine.url.set(username=role), "tryon")
    with engine.begin() as connection:
        connection.execute(text(f"DROP OWNED BY {role}"))
        connection.execute(text(f"DROP ROLE {role}"))


KEPT_OUT = {
    "its connections are used up": ("CONNECTION LIMIT 0", "CONNECTION LIMIT -1"),
    "its login is refused": ("NOLOGIN", "LOGIN"),
}


@pytest.mark.parametrize("ways", KEPT_OUT.values(), ids=KEPT_OUT)
def test_a_database_that_keeps_a_worker_out_after_the_vendor_has_accepted_is_waited_for(
    engine: Engine,
    worker: Engine,
    plan_batch: PlanBatch,
    monkeypatch: pytest.MonkeyPatch,
    ways: tuple[str, str],
) -> None:
    out, back = ways
    batch, _ = plan_batch(some_looks(10))
    vendor = Vendor()
    pauses: list[float] = []

    def alter(how: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(f"ALTER ROLE {worker.url.username} {how}"))

    def send(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        answer = vendor.submit(tasks, fit_type, inference_num)
        alter(out)
        return answer

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            alter(back)

    monkeypatch.setattr(LedgerJournal._settle.retry, "sleep", pause)
    done = submit_now(worker, send, batch)
    assert (done.accepted, done.in_doubt, len(pauses)) == (10, 0, 3)
    assert states(engine) == ["SUBMITTED"] * 10
    assert set(vendor.accepted.values()) == {1}


@pytest.mark.parametrize("ways", KEPT_OUT.values(), ids=KEPT_OUT)
def test_a_database_that_keeps_a_worker_out_before_its_call_lets_nothing_be_sent(
    engine: Engine, worker: Engine, plan_batch: PlanBatch, ways: tuple[str, str]
) -> None:
    out, back = ways
    batch, _ = plan_batch(some_looks(10))
    vendor = Vendor()
    with engine.begin() as connection:
        connection.execute(text(f"ALTER ROLE {worker.url.username} {out}"))
    with pytest.raises(LedgerUnavailableError, match="goes on where it stopped"), plain_errors():
        submit_now(worker, vendor.submit, batch)
    assert (vendor.calls, states(engine)) == (0, ["PLANNED"] * 10)
    with engine.begin() as connection:
        connection.execute(text(f"ALTER ROLE {worker.url.username} {back}"))
    assert submit_now(worker, vendor.submit, batch).accepted == 10


def test_an_unanswered_submission_is_in_doubt_and_the_rest_goes_on(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(25))
    vendor = Vendor(fail={2: OutcomeUnknownError("timed out")})
    done = submit_now(engine, vendor.submit, batch)
    assert (done.accepted, done.in_doubt) == (15, 10)
    submit_now(engine, vendor.submit, batch, try_number=2)
    assert Counter(states(engine)) == {"SUBMITTED": 15, "IN_DOUBT": 10}
    assert vendor.calls == 3


def test_answers_that_stay_away_in_a_row_stop_the_batch(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(40))
    vendor = Vendor(fail={number: OutcomeUnknownError("timed out") for number in range(1, 10)})
    with pytest.raises(OutcomeUnknownError):
        submit_now(engine, vendor.submit, batch)
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
        submit_now(engine, die, batch)
    assert Counter(states(engine)) == {"SUBMITTING": 10, "PLANNED": 2}
    vendor = Vendor()
    submit_now(engine, vendor.submit, batch, try_number=2)
    assert Counter(states(engine)) == {"IN_DOUBT": 10, "SUBMITTED": 2}
    assert sum(vendor.accepted.values()) == 2


def test_an_answer_that_comes_after_the_doubt_settles_it(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(3))

    def slow(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        # Meanwhile a later try starts, finds the intent and puts it in doubt.
        submit_now(engine, Vendor().submit, batch, try_number=2)
        assert states(engine) == ["IN_DOUBT"] * 3
        return Answer(result_key="late")

    submit_now(engine, slow, batch)
    assert states(engine) == ["SUBMITTED"] * 3
    (late,) = uncollected_submissions(engine, batch.id)
    assert (late.result_key, late.conn_id) == ("late", "damo_tryon")


def throttled(calls: range) -> dict[int, TryOnError]:
    return {number: ThrottledError("slow down", code=23500004, proved_not_accepted=True) for number in calls}


def test_short_throttling_is_slept_through_and_sends_nothing_twice(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(12))
    vendor, waits = Vendor(fail=throttled(range(2, 4))), Waits(engine)
    done = submit_now(engine, vendor.submit, batch, gate=quick_gate(engine, batch, sleep=waits))
    assert (done.accepted, vendor.calls) == (12, 4)
    assert set(vendor.accepted.values()) == {1}
    assert len([wait for wait in waits.asked if wait > 0.5]) == 2


def test_longer_throttling_lets_the_rest_wait_in_the_line_and_a_later_turn_sends_it(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(12))
    vendor, waits = Vendor(fail=throttled(range(2, 9))), Waits(engine)
    turns_taken = 0
    while "PLANNED" in states(engine):
        with suppress(NotYetError):
            submit_now(engine, vendor.submit, batch, gate=quick_gate(engine, batch, sleep=waits))
        waits(90)
        turns_taken += 1
    assert states(engine) == ["SUBMITTED"] * 12
    assert set(vendor.accepted.values()) == {1}
    assert vendor.calls == 9
    assert turns_taken > 2


def test_looks_refused_together_are_not_sent_together_again_when_the_gate_closes_in_the_middle(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    """Each submission waits for a turn of its own, and the task knows nothing of its earlier one."""
    wanted = some_looks(10)
    batch, _ = plan_batch(wanted)
    vendor = Vendor(bad={wanted[7].tops_image})
    rounds = 0
    while "PLANNED" in states(engine):
        gate = quick_gate(engine, batch)
        take_turn, taken = gate.take_turn, []

        def take_one(run_id: str, take_turn: Any = take_turn, taken: list[str] = taken) -> None:
            if taken:
                raise NotYetError("the gate has closed")
            taken.append(run_id)
            take_turn(run_id)

        gate.take_turn = take_one  # type: ignore[method-assign]  # closes behind each submission
        with suppress(NotYetError):
            submit_now(engine, vendor.submit, batch, gate=gate)
        rounds += 1
        assert rounds < 12
    assert Counter(states(engine)) == {"SUBMITTED": 9, "REJECTED": 1}
    assert set(vendor.accepted.values()) == {1}


def test_a_late_refusal_of_one_look_settles_its_doubt(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(1))

    def slow(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        doubt_unanswered(engine, submissions.c.batch_id == batch.id, Mover(batch.run_id, 2))
        assert states(engine) == ["IN_DOUBT"]
        raise ImageRefusedError("not good", code=23500007, proved_not_accepted=True)

    submit_now(engine, slow, batch)
    assert states(engine) == ["REJECTED"]


def test_a_late_answer_after_it_was_declared_lost_keeps_the_looks_from_being_sent_again(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(3))
    vendor = Vendor()

    def slow(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        doubt_unanswered(engine, submissions.c.batch_id == batch.id, Mover(batch.run_id, 2))
        with engine.connect() as connection:
            (doubt,) = open_doubts(connection)
        declare_lost(engine, doubt.id, Mover("ada"))
        assert states(engine) == ["PLANNED"] * 3
        return vendor.submit(tasks, fit_type, inference_num)

    submit_now(engine, slow, batch)
    assert states(engine) == ["SUBMITTED"] * 3
    submit_now(engine, vendor.submit, batch, try_number=3)
    assert vendor.calls == 1


def test_a_late_refusal_does_not_touch_a_look_that_a_newer_submission_carries(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, _ = plan_batch(some_looks(2))
    vendor = Vendor()

    def slow(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        doubt_unanswered(engine, submissions.c.batch_id == batch.id, Mover(batch.run_id, 2))
        with engine.connect() as connection:
            (doubt,) = open_doubts(connection)
        declare_lost(engine, doubt.id, Mover("ada"))

        def newer(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
            journal.refused(old, MalformedRequestError("no", proved_not_accepted=True))
            assert states(engine) == ["SUBMITTING"] * 2
            return vendor.submit(tasks, fit_type, inference_num)

        submit_now(engine, newer, batch, try_number=2)
        return Answer(result_key="the older one, late")

    journal = LedgerJournal(engine, batch, Mover(batch.run_id), PRICE, NO_LIMITS, gate=quick_gate(engine))
    wanted = planned_looks(engine, batch, 10)
    journal.name_looks({look.to_task(): key for key, look in wanted.items()})
    old = Submission(fit_type=FitType.HALF_BODY, tasks=tuple(look.to_task() for look in wanted.values()))
    submit_once(slow, journal, old)
    assert states(engine) == ["SUBMITTED"] * 2
    assert vendor.calls == 1


def test_looks_that_another_run_has_taken_over_are_not_sent(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, keys = plan_batch(some_looks(10))
    gate, vendor = quick_gate(engine), Vendor()
    take_turn = gate.take_turn

    def take_turn_late(run_id: str) -> None:
        take_turn(run_id)
        with engine.begin() as connection:  # the batch has been read by now, and not been claimed
            other = connection.execute(
                insert(batches)
                .values(run_id=run_id, fit_type="HALF_BODY", inference_num=1)
                .returning(batches.c.id)
            ).scalar_one()
            connection.execute(update(looks).where(looks.c.key.in_(keys[:3])).values(batch_id=other))

    gate.take_turn = take_turn_late  # type: ignore[method-assign]  # the other run comes at the worst moment
    submit_now(engine, vendor.submit, batch, gate=gate)
    assert states(engine) == ["PLANNED"] * 3 + ["SUBMITTED"] * 7
    assert sum(vendor.accepted.values()) == 7


def test_uses_are_counted_as_the_price_says(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, _ = plan_batch(some_looks(12))
    submit_batch(
        engine,
        Vendor().submit,
        batch,
        Mover(batch.run_id),
        Price(use="look"),
        budget=NO_LIMITS,
        gate=quick_gate(engine),
    )
    with engine.connect() as connection:
        assert connection.execute(select(submissions.c.uses).order_by(submissions.c.id)).scalars().all() == [
            10,
            2,
        ]


@hypothesis_settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(bad=st.sets(st.integers(0, 9), max_size=10))
def test_bad_looks_are_found_and_the_good_ones_go_through_once(
    bad: set[int], engine: Engine, plan_batch: PlanBatch
) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE tryon.runs, tryon.looks, tryon.look_moves CASCADE"))
    wanted = some_looks(10)
    batch, _ = plan_batch(wanted)
    vendor = Vendor(bad={wanted[number].tops_image for number in bad})
    submit_now(engine, vendor.submit, batch)
    assert states(engine) == ["REJECTED" if number in bad else "SUBMITTED" for number in range(10)]
    assert vendor.accepted == Counter(
        look.tops_image for number, look in enumerate(wanted) if number not in bad
    )
    with engine.connect() as connection:
        codes = connection.execute(select(looks.c.vendor_code).where(looks.c.state == "REJECTED")).scalars()
        assert set(codes) <= {"23500007"}
