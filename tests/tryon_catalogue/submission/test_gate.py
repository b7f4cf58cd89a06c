from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, insert, select, update

from damo_tryon.contract import Answer, FitType, Submission
from damo_tryon.errors import (
    ConnectionSettingsError,
    CredentialsError,
    PackageUsedUpError,
    ThrottledError,
)
from tests.tryon_catalogue.helpers import NO_LIMITS, PlanBatch, Waits, quick_gate, quick_settings, some_looks
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import paces, runs, stops, submissions, turns
from tryon_catalogue.settings import Price
from tryon_catalogue.submission.errors import NotYetError, StoppedError
from tryon_catalogue.submission.gate import Gate
from tryon_catalogue.submission.journal import Batch, LedgerJournal, planned_looks
from tryon_catalogue.submission.stops import active_stops, lift_stops, newer_than_stops
from tryon_catalogue.submission.turns import LEAD_SECONDS, note_ended, read_traffic

USED_UP = PackageUsedUpError("User credit points are exhausted", code=23500003, request_id="r-1")


@pytest.fixture
def batch(plan_batch: PlanBatch) -> Batch:
    """A batch of six looks of the run ``dag/run``."""
    return plan_batch(some_looks(6))[0]


@pytest.fixture
def intend(engine: Engine, batch: Batch) -> Callable[[Gate], tuple[LedgerJournal, Submission]]:
    """Commit the intent of a submission of the next look, through a gate."""

    def go(gate: Gate) -> tuple[LedgerJournal, Submission]:
        ((key, look),) = planned_looks(engine, batch, 1).items()
        journal = LedgerJournal(engine, batch, Mover(batch.run_id), Price(), NO_LIMITS, gate=gate)
        journal.name_looks({look.to_task(): key})
        submission = Submission(fit_type=FitType.HALF_BODY, tasks=(look.to_task(),))
        journal.intend(submission)
        return journal, submission

    return go


Intend = Callable[[Gate], tuple[LedgerJournal, Submission]]


def plan_anew(engine: Engine, run_id: str = "dag/run") -> None:
    with engine.begin() as connection:
        connection.execute(update(runs).where(runs.c.id == run_id).values(planned_at=func.clock_timestamp()))


# --- pace ---


AN_HOUR = 3600.0
"""Seconds that lie ahead of the ledger's clock: what a test takes is nothing beside them."""


def next_slot(engine: Engine, *, put_at: datetime | None = None) -> datetime:
    """Read when the next submission may be sent, after putting it somewhere if asked to."""
    with engine.begin() as connection:
        if put_at is not None:
            connection.execute(insert(paces).values(conn_id="damo_tryon", next_submission_at=put_at))
        return connection.execute(select(paces.c.next_submission_at)).scalar_one()


def test_the_slots_of_all_tasks_together_keep_the_pace(
    engine: Engine, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("gate", "turns"):
        monkeypatch.setattr(f"tryon_catalogue.submission.{module}.LONGEST_SLEEP", 2 * AN_HOUR)
    first = next_slot(engine, put_at=datetime.now(UTC) + timedelta(seconds=AN_HOUR))
    arrivals: list[datetime] = []

    def arrive(seconds: float) -> None:
        with engine.connect() as connection:
            now = connection.execute(select(func.clock_timestamp())).scalar_one()
        arrivals.append(now + timedelta(seconds=seconds))

    def work() -> None:
        quick_gate(engine, sleep=arrive, submissions_per_second=2).take_turn(batch.run_id)

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(work) for _ in range(8)]:
            future.result()
    slots = [first + timedelta(seconds=number / 2) for number in range(9)]
    assert next_slot(engine) == slots[8]
    assert all(arrival >= slot for arrival, slot in zip(sorted(arrivals), slots, strict=False))


def test_a_slot_that_is_not_close_is_left_to_others_and_waited_for_in_the_line(
    engine: Engine, batch: Batch
) -> None:
    far = next_slot(engine, put_at=datetime.now(UTC) + timedelta(seconds=AN_HOUR))
    with pytest.raises(NotYetError, match="others submit"):
        quick_gate(engine, batch, submissions_per_second=0.5 / AN_HOUR).take_turn(batch.run_id)
    assert next_slot(engine) == far
    with engine.connect() as connection:
        assert connection.execute(select(turns.c.batch_id)).scalars().all() == [batch.id]


# --- a clock that was put back ---


def test_what_was_set_before_the_clock_was_put_back_holds_nobody(engine: Engine, batch: Batch) -> None:
    ahead = func.clock_timestamp() + timedelta(days=1)
    with engine.begin() as connection:
        connection.execute(
            insert(paces).values(
                conn_id="damo_tryon", next_submission_at=ahead, held_until=ahead, looked_at=ahead
            )
        )
    quick_gate(engine, batch).take_turn(batch.run_id)
    assert next_slot(engine) < datetime.now(UTC) + timedelta(hours=1)
    with engine.connect() as connection:
        traffic = read_traffic(connection, "damo_tryon", quick_settings().vendor)
    # Over is over, were it by the microsecond between two looks at the clock.
    assert (traffic.pause <= 0, traffic.slot < LEAD_SECONDS) == (True, True)


def test_a_throttled_answer_holds_for_as_long_as_it_says_though_the_clock_was_put_back(
    engine: Engine, batch: Batch
) -> None:
    with engine.begin() as connection:
        ahead = func.clock_timestamp() + timedelta(days=1)
        connection.execute(insert(paces).values(conn_id="damo_tryon", held_until=ahead))
    quick_gate(engine).learn(ThrottledError("slow", code=23500004, retry_after=500), batch.run_id)
    with pytest.raises(NotYetError, match="the vendor throttles us over damo_tryon"):
        quick_gate(engine, batch).take_turn(batch.run_id)
    with engine.connect() as connection:
        held = connection.execute(select(paces.c.held_until - func.clock_timestamp())).scalar_one()
    assert held <= timedelta(seconds=500)


def test_a_promise_from_before_the_clock_was_put_back_takes_no_place(engine: Engine, batch: Batch) -> None:
    with engine.begin() as connection:
        ahead = func.clock_timestamp() + timedelta(days=1)
        connection.execute(
            insert(turns).values(
                batch_id=batch.id, conn_id="damo_tryon", backfill=False, seen_at=ahead, promised_at=ahead
            )
        )
        traffic = read_traffic(connection, "damo_tryon", quick_settings().vendor)
    assert (traffic.promised, traffic.nights) == (0, 0)


def test_a_stop_holds_for_what_was_planned_before_it_though_the_clock_was_put_back(
    engine: Engine, batch: Batch, intend: Intend
) -> None:
    ahead = func.clock_timestamp() + timedelta(hours=1)
    with engine.begin() as connection:
        connection.execute(update(runs).values(planned_at=ahead))
    quick_gate(engine).learn(USED_UP, "dag/other")
    with pytest.raises(StoppedError):
        intend(quick_gate(engine))
    with engine.begin() as connection:  # a plan that is made now is newer than the stop
        connection.execute(update(runs).values(planned_at=newer_than_stops()))
    intend(quick_gate(engine))


# --- throttling ---


def test_a_throttled_answer_holds_back_every_task(engine: Engine, batch: Batch) -> None:
    first = quick_gate(engine)
    first.take_turn(batch.run_id)
    first.learn(ThrottledError("slow", code=23500004, retry_after=500), batch.run_id)
    with pytest.raises(NotYetError, match="the vendor throttles us over damo_tryon"):
        quick_gate(engine, batch).take_turn(batch.run_id)


def test_a_short_hold_is_slept_through(engine: Engine, batch: Batch) -> None:
    first, waits = quick_gate(engine), Waits(engine)
    first.take_turn(batch.run_id)
    first.learn(ThrottledError("slow", code=23500004, retry_after=4), batch.run_id)
    quick_gate(engine, batch, sleep=waits).take_turn(batch.run_id)
    assert sum(waits.asked) <= 4.1


def test_holds_grow_with_each_strike_within_bounds_and_an_acceptance_ends_them(
    engine: Engine, batch: Batch
) -> None:
    waits = Waits(engine)
    gate = quick_gate(engine, batch)
    for strike in range(1, 10):
        waits(120)
        gate.take_turn(batch.run_id)
        with engine.connect() as connection:
            before = connection.execute(select(func.clock_timestamp())).scalar_one()
        gate.learn(ThrottledError("slow"), batch.run_id)
        with engine.connect() as connection:
            until, after = connection.execute(select(paces.c.held_until, func.clock_timestamp())).one()
        most = min(60, 2**strike)
        assert until - before >= timedelta(seconds=most / 2)
        assert until - after <= timedelta(seconds=most)
    waits(120)
    gate.take_turn(batch.run_id)
    gate.got_through(batch.run_id)
    with engine.connect() as connection:
        assert connection.execute(select(paces.c.strikes)).scalar_one() == 0


def test_several_refusals_of_one_moment_are_one_strike(engine: Engine, batch: Batch) -> None:
    gates = [quick_gate(engine) for _ in range(5)]
    for gate in gates:
        gate.take_turn(batch.run_id)
    for gate in gates:  # of one moment: within the hold that the first of them brings
        gate.learn(ThrottledError("slow", retry_after=500), batch.run_id)
    with engine.connect() as connection:
        assert connection.execute(select(paces.c.strikes)).scalar_one() == 1


def test_a_hold_that_came_between_turn_and_intent_is_seen(engine: Engine, batch: Batch) -> None:
    gate = quick_gate(engine)
    gate.take_turn(batch.run_id)
    quick_gate(engine).learn(ThrottledError("slow", retry_after=500), batch.run_id)
    with engine.begin() as connection:
        assert not gate.admit(connection, batch.run_id)
    with pytest.raises(NotYetError):
        quick_gate(engine, batch).take_turn(batch.run_id)


# --- in flight ---


def test_at_the_limit_nobody_is_admitted_and_nothing_is_claimed(
    engine: Engine, batch: Batch, intend: Intend
) -> None:
    for number in range(2):
        journal, submission = intend(quick_gate(engine, batch, max_in_flight=2))
        journal.accepted(submission, Answer(result_key=f"key-{number}"))
    with pytest.raises(NotYetError, match="2 submissions are in flight"):
        intend(quick_gate(engine, batch, max_in_flight=2))
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(submissions)).scalar_one() == 2


def test_what_is_being_sent_counts_as_in_flight(engine: Engine, batch: Batch, intend: Intend) -> None:
    intend(quick_gate(engine, batch, max_in_flight=1))
    with pytest.raises(NotYetError):
        intend(quick_gate(engine, batch, max_in_flight=1))


def test_what_was_seen_to_have_ended_makes_room_though_nobody_has_collected_it(
    engine: Engine, batch: Batch, intend: Intend
) -> None:
    journal, submission = intend(quick_gate(engine, batch, max_in_flight=1))
    journal.accepted(submission, Answer(result_key="key"))
    note_ended(engine, {"key": datetime.now(UTC)})
    intend(quick_gate(engine, batch, max_in_flight=1))


def test_what_nobody_waits_for_any_more_is_not_in_flight(
    engine: Engine, batch: Batch, intend: Intend
) -> None:
    journal, submission = intend(quick_gate(engine, batch, max_in_flight=1))
    journal.accepted(submission, Answer(result_key="key"))
    with engine.begin() as connection:
        connection.execute(update(submissions).values(intended_at=func.now() - timedelta(minutes=61)))
    intend(quick_gate(engine, batch, max_in_flight=1, wait_minutes=60))


def test_tasks_at_the_limit_at_once_never_exceed_it(engine: Engine, batch: Batch) -> None:
    counts: list[int] = []
    together = threading.Barrier(6)

    def work() -> None:
        gate = quick_gate(engine, batch, max_in_flight=2)
        together.wait()
        try:
            gate.take_turn(batch.run_id)
        except NotYetError:
            return
        with engine.begin() as connection:
            if gate.admit(connection, batch.run_id):
                connection.execute(
                    submissions.insert().values(
                        batch_id=batch.id,
                        run_id=batch.run_id,
                        try_number=1,
                        conn_id="damo_tryon",
                        state="SUBMITTING",
                        fit_type="HALF_BODY",
                        inference_num=1,
                    )
                )
                counts.append(1)

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(work) for _ in range(6)]:
            future.result()
    assert len(counts) == 2


# --- stops ---


@pytest.mark.parametrize("error", [CredentialsError("Invalid AppCode", code="A401AC"), USED_UP])
def test_what_one_task_has_learned_stops_every_other_before_it_claims(
    engine: Engine, intend: Intend, error: CredentialsError | PackageUsedUpError
) -> None:
    journal, submission = intend(quick_gate(engine))
    error.proved_not_accepted = True
    journal.refused(submission, error)
    with pytest.raises(StoppedError, match=error.message) as caught:
        intend(quick_gate(engine))
    assert caught.value.code == str(error.code)
    assert caught.value.request_id == error.request_id
    assert "tryon resume" in str(caught.value)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(submissions)).scalar_one() == 1


def test_a_stop_that_was_learned_between_turn_and_intent_is_seen(engine: Engine, batch: Batch) -> None:
    gate = quick_gate(engine)
    gate.take_turn(batch.run_id)
    quick_gate(engine).learn(USED_UP, batch.run_id)
    with engine.begin() as connection, pytest.raises(StoppedError):
        gate.admit(connection, batch.run_id)


def test_another_connection_is_not_stopped(engine: Engine, batch: Batch, intend: Intend) -> None:
    quick_gate(engine).learn(USED_UP, "dag/run")
    intend(Gate(engine, "other_account", quick_settings(), batch))


def test_a_connection_that_cannot_be_used_is_each_tasks_own_matter(engine: Engine, intend: Intend) -> None:
    quick_gate(engine).learn(ConnectionSettingsError("no password"), "dag/run")
    intend(quick_gate(engine))


def test_of_a_later_run_one_task_tries_while_the_others_wait(
    engine: Engine, batch: Batch, intend: Intend
) -> None:
    quick_gate(engine).learn(USED_UP, "dag/earlier")
    plan_anew(engine)
    journal, submission = intend(quick_gate(engine))
    with pytest.raises(NotYetError, match="another submission tries"):
        intend(quick_gate(engine, batch))
    journal.refused(submission, USED_UP)
    with pytest.raises(StoppedError, match="dag/run"):
        intend(quick_gate(engine))
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(submissions)).scalar_one() == 1
        assert connection.execute(select(func.count()).select_from(stops)).scalar_one() == 1


def test_a_try_that_gets_through_lifts_the_stop_for_everybody(engine: Engine, intend: Intend) -> None:
    quick_gate(engine).learn(USED_UP, "dag/earlier")
    plan_anew(engine)
    journal, submission = intend(quick_gate(engine))
    journal.accepted(submission, Answer(result_key="key"))
    intend(quick_gate(engine))
    intend(quick_gate(engine))
    with engine.connect() as connection:
        assert active_stops(connection) == ()
        assert connection.execute(select(stops.c.lifted_by)).scalar_one() == "dag/run"


def test_an_acceptance_of_an_earlier_run_does_not_lift_what_was_learned_after_it(
    engine: Engine, intend: Intend
) -> None:
    journal, submission = intend(quick_gate(engine))
    quick_gate(engine).learn(USED_UP, "dag/run")
    journal.accepted(submission, Answer(result_key="key"))
    with pytest.raises(StoppedError):
        intend(quick_gate(engine))


def test_a_person_lifts_a_stop(engine: Engine, intend: Intend) -> None:
    quick_gate(engine).learn(USED_UP, "dag/run")
    with engine.begin() as connection:
        assert lift_stops(connection, "ada", conn_id="another") == []
        assert lift_stops(connection, "ada") == ["damo_tryon"]
    intend(quick_gate(engine))
