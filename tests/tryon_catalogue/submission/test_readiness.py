"""When a submission is looked for, by what the ledger knows of those before it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, insert

from tests.tryon_catalogue.helpers import PlanBatch, some_looks
from tryon_catalogue.ledger.tables import submission_looks, submissions
from tryon_catalogue.submission.readiness import (
    EARLY,
    LONGEST,
    Sent,
    expect,
    in_front_of,
    seconds_per_picture,
)

START = datetime(2026, 11, 20, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sent(number: int, taken: float, ended: float | None, pictures: int = 10) -> Sent:
    return Sent(
        number,
        pictures,
        START + timedelta(seconds=taken),
        None if ended is None else START + timedelta(seconds=ended),
    )


def test_a_vendor_that_works_off_a_queue_takes_as_long_as_what_is_in_front() -> None:
    # All taken at once, and one ended every six seconds.
    queue = [sent(number, 0, 6 * number) for number in range(1, 11)]
    assert seconds_per_picture(queue, HOUR) == pytest.approx(0.6)
    newest = sent(11, 30, None)
    assert in_front_of(newest, [*queue, newest], HOUR) == 60  # five of them are still there


def test_a_vendor_that_works_at_all_at_once_is_not_waited_for_longer_than_it_takes() -> None:
    queue = [sent(number, number, number + 15) for number in range(1, 31)]
    newest = sent(31, 31, None)
    per_picture = seconds_per_picture(queue, HOUR)
    assert per_picture is not None
    assert 10 <= per_picture * in_front_of(newest, [*queue, newest], HOUR) <= 16


def test_a_vendor_that_has_become_slower_is_learned_by_the_last_that_have_ended() -> None:
    before = [sent(number, 10 * number, 10 * number + 6) for number in range(1, 51)]
    since = [sent(number, 100 * number, 100 * number + 60) for number in range(51, 91)]
    assert seconds_per_picture([*before, *since], HOUR) == pytest.approx(6)


def test_what_nobody_waits_for_any_more_is_not_in_front() -> None:
    lost, newest = sent(1, 0, None), sent(2, 3601, None)
    assert in_front_of(newest, [lost, newest], HOUR) == 10


def test_of_too_few_nothing_is_concluded() -> None:
    assert seconds_per_picture([sent(1, 0, 6), sent(2, 6, 12), sent(3, 12, None)], HOUR) is None


def put(engine: Engine, batch_id: int, keys: list[str], key: str, *, ago: float, took: float | None) -> None:
    """Let the vendor have taken a submission some seconds ago, and have ended it some seconds after that."""
    answered = func.clock_timestamp() - timedelta(seconds=ago)
    with engine.begin() as connection:
        submission_id = connection.execute(
            insert(submissions)
            .values(
                batch_id=batch_id,
                run_id="dag/run",
                try_number=1,
                conn_id="damo_tryon",
                state="SUBMITTED",
                fit_type="HALF_BODY",
                inference_num=1,
                result_key=key,
                answered_at=answered,
                ended_at=None if took is None else answered + timedelta(seconds=took),
            )
            .returning(submissions.c.id)
        ).scalar_one()
        places = [
            {
                "submission_id": submission_id,
                "position": place,
                "look_key": look,
                "model_image": "m",
                "tops_image": "t",
            }
            for place, look in enumerate(keys)
        ]
        connection.execute(insert(submission_looks), places)


def test_the_ledger_says_when_to_look_first(engine: Engine, plan_batch: PlanBatch) -> None:
    batch, keys = plan_batch(some_looks(10))
    for number in range(5):
        put(engine, batch.id, keys, f"done-{number}", ago=500 - 50 * number, took=20)
    assert expect(engine, "damo_tryon", ["new"], HOUR) is None  # it is not there
    put(engine, batch.id, keys, "before", ago=0, took=None)
    put(engine, batch.id, keys[:5], "new", ago=3, took=None)
    ready = expect(engine, "damo_tryon", ["new"], HOUR)
    assert ready is not None
    assert ready.seconds_per_picture == pytest.approx(2, abs=0.05)
    assert ready.first_poll_after == pytest.approx(EARLY * 15 * 2 - 3, abs=2)
    assert expect(engine, "another", ["new"], HOUR) is None


def test_however_long_it_may_take_somebody_looks_after_ten_minutes(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    batch, keys = plan_batch(some_looks(10))
    for number in range(5):
        put(engine, batch.id, keys, f"done-{number}", ago=90_000 - 3000 * number, took=2500)
    put(engine, batch.id, keys, "new", ago=0, took=None)
    ready = expect(engine, "damo_tryon", ["new"], HOUR)
    assert ready is not None
    assert ready.first_poll_after == LONGEST
