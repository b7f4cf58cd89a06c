"""Waiting for a turn in the triggerer: what it costs, who goes first, and what survives. The ledger is a real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.module_loading import import_string
from sqlalchemy import Engine, event, func, insert, select, update

from damo_tryon.errors import PackageUsedUpError
from tests.tryon_catalogue.airflow_context import context, set_scene
from tests.tryon_catalogue.helpers import PlanBatch, quick_gate, some_looks, states
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.tables import batches, looks, paces, runs, submissions, turns
from tryon_catalogue.submission.errors import BusyError
from tryon_catalogue.submission.stops import StopKind, set_stop
from tryon_catalogue.submission.turns import LONGEST_HOLD, get_in_line
from tryon_catalogue.workflow import turn_trigger
from tryon_catalogue.workflow.export_trigger import FIRST_LOOK_AFTER, Clock
from tryon_catalogue.workflow.operators import LONGEST_WAIT_SECONDS, MakeBatchOperator
from tryon_catalogue.workflow.turn_trigger import SharedLine, TurnTrigger
from tryon_sandbox.server import RunningSandbox

START = 1_000_000.0


class Time:
    """A clock that moves when somebody sleeps, as far as the longest sleeper has come."""

    def __init__(self) -> None:
        self.now = START

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        await asyncio.sleep(0.002)
        self.now = max(self.now, until)


@pytest.fixture(autouse=True)
def scene(
    engine: Engine,
    settings_file: Path,
    vendor: RunningSandbox,
    website: Website,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Settings and connections, with one place at the vendor."""
    set_scene(monkeypatch, settings_file, engine, vendor, website)
    monkeypatch.setenv("TRYON_VENDOR__MAX_IN_FLIGHT", "1")
    monkeypatch.setenv("TRYON_VENDOR__SUBMISSIONS_PER_SECOND", "1000")


@pytest.fixture
def in_line(engine: Engine) -> Callable[..., list[int]]:
    """Let batches of a new run stand in the line: ``in_line(count, run_id, backfill=False)`` gives their ids."""

    def go(count: int, run_id: str = "dag/night", *, backfill: bool = False) -> list[int]:
        with engine.begin() as connection:
            connection.execute(
                insert(paces).values(conn_id="damo_tryon").prefix_with("")
            ) if not connection.execute(select(paces.c.conn_id)).all() else None
            values = {"id": run_id, "export": "e", "export_date": "2026-11-20", "planned_at": func.now()}
            connection.execute(insert(runs).values(values))
            made = [{"run_id": run_id, "fit_type": "HALF_BODY", "inference_num": 1}] * count
            ids = connection.execute(insert(batches).returning(batches.c.id), made).scalars().all()
        for batch_id in ids:
            with engine.begin() as connection:
                get_in_line(connection, "damo_tryon", batch_id, backfill=backfill)
        return list(ids)

    return go


def occupy(engine: Engine, batch_id: int, key: str | None = None) -> None:
    """Fill the one place at the vendor: with a submission that is being sent, or with one that has a result key."""
    with engine.begin() as connection:
        run_id = connection.execute(select(batches.c.run_id).where(batches.c.id == batch_id)).scalar_one()
        connection.execute(
            insert(submissions).values(
                batch_id=batch_id,
                run_id=run_id,
                try_number=0,
                conn_id="damo_tryon",
                state="SUBMITTED" if key else "SUBMITTING",
                fit_type="HALF_BODY",
                inference_num=1,
                result_key=key,
            )
        )


def make_room(engine: Engine) -> None:
    """Let the vendor end everything, and whoever was let go submit or give up."""
    with engine.begin() as connection:
        connection.execute(update(submissions).values(ended_at=func.now()))
        connection.execute(turns.delete().where(turns.c.promised_at.is_not(None)))


def trigger_for(batch_id: int, time: Time, *, backfill: bool = False, seconds: float = 10_000) -> TurnTrigger:
    made = TurnTrigger(conn_id="damo_tryon", batch_id=batch_id, backfill=backfill, deadline=START + seconds)
    made.clock = Clock(now=lambda: time.now, sleep=time.sleep)
    return made


async def fired(made: TurnTrigger) -> Any:
    (event,) = [event async for event in made.run()]
    return event.payload


@contextmanager
def counted_statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Count what the triggers ask the database."""
    from tryon_catalogue.ledger import database

    said: list[str] = []
    make = database.engine_for

    def engine_for(*arguments: Any) -> Engine:
        made = make(*arguments)
        event.listen(made, "before_cursor_execute", lambda *told: said.append(told[2]))
        return made

    monkeypatch.setattr(database, "engine_for", engine_for)
    yield said


async def until(ask: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not ask():  # noqa: ASYNC110  # what is asked for stands in a database
            await asyncio.sleep(0.005)


class Waiting:
    """Triggers that run beside each other, and who of them has fired, in order."""

    def __init__(self) -> None:
        self.fired: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, made: TurnTrigger) -> None:
        async def run() -> None:
            if (await fired(made))["came"]:
                self.fired.append(made.batch_id)

        self._tasks.append(asyncio.create_task(run()))

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        assert not [end for end in ends if isinstance(end, Exception)]


@pytest.fixture
async def waiting() -> AsyncIterator[Waiting]:
    """Triggers of one triggerer, ended with the test."""
    made = Waiting()
    yield made
    await made.end()


async def test_a_hundred_that_wait_ask_the_database_once_a_second_at_most(
    engine: Engine,
    in_line: Callable[..., list[int]],
    waiting: Waiting,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = in_line(100)
    occupy(engine, ids[0])
    time = Time()
    with counted_statements(monkeypatch) as said:
        for batch_id in ids:
            waiting.add(trigger_for(batch_id, time))
        await until(lambda: time.now > START + 100)
        seconds = time.now - START
    assert 50 <= len(said) <= seconds
    assert waiting.fired == []


async def test_one_is_let_go_for_one_place_and_in_the_order_in_which_they_asked(
    engine: Engine, in_line: Callable[..., list[int]], waiting: Waiting
) -> None:
    ids = in_line(4)
    occupy(engine, ids[0])
    time = Time()
    for batch_id in reversed(ids):
        waiting.add(trigger_for(batch_id, time))
    await until(lambda: time.now > START + 10)
    for number in range(1, 4):  # while one still waits, for without that this clock stands still
        make_room(engine)
        await until(lambda number=number: len(waiting.fired) == number)
        later = time.now + 10
        await until(lambda later=later: time.now > later)
        assert waiting.fired == ids[:number]


async def test_nights_go_before_backfills_whoever_came_first(
    engine: Engine, in_line: Callable[..., list[int]], waiting: Waiting
) -> None:
    old = in_line(2, "dag/backfill", backfill=True)
    new = in_line(2, "dag/night")
    occupy(engine, new[0])
    time = Time()
    for batch_id in old:
        waiting.add(trigger_for(batch_id, time, backfill=True))
    for batch_id in new:
        waiting.add(trigger_for(batch_id, time))
    for number in range(1, 5):
        make_room(engine)
        await until(lambda number=number: len(waiting.fired) == number)
    assert waiting.fired == new + old


async def test_as_many_are_let_go_as_there_is_room_for(
    in_line: Callable[..., list[int]], waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_VENDOR__MAX_IN_FLIGHT", "3")
    ids = in_line(5)
    time = Time()
    for batch_id in ids:
        waiting.add(trigger_for(batch_id, time))
    await until(lambda: len(waiting.fired) == 3)
    later = time.now + 20
    await until(lambda: time.now > later)
    assert sorted(waiting.fired) == ids[:3]


async def test_while_the_vendor_throttles_nobody_goes_and_then_one_tries(
    engine: Engine,
    in_line: Callable[..., list[int]],
    waiting: Waiting,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRYON_VENDOR__MAX_IN_FLIGHT", "0")
    ids = in_line(3)
    with engine.begin() as connection:
        held = func.clock_timestamp() + LONGEST_HOLD - timedelta(minutes=1)
        connection.execute(update(paces).values(held_until=held, strikes=2))
    time = Time()
    for batch_id in ids:
        waiting.add(trigger_for(batch_id, time))
    await until(lambda: time.now > START + 30)
    assert waiting.fired == []
    with engine.begin() as connection:
        connection.execute(update(paces).values(held_until=func.clock_timestamp()))
    await until(lambda: bool(waiting.fired))
    later = time.now + 20
    await until(lambda: time.now > later)
    assert waiting.fired == ids[:1]


async def test_those_for_whom_a_stop_holds_are_all_let_go_to_learn_it(
    engine: Engine, in_line: Callable[..., list[int]], waiting: Waiting
) -> None:
    ids = in_line(3)
    occupy(engine, ids[0])
    later = in_line(1, "dag/later")
    set_stop(engine, "damo_tryon", StopKind.PACKAGE, PackageUsedUpError("none left"), "dag/night")
    with engine.begin() as connection:
        in_an_hour = func.now() + timedelta(hours=1)
        connection.execute(update(runs).where(runs.c.id == "dag/later").values(planned_at=in_an_hour))
    time = Time()
    for batch_id in [*ids, *later]:
        waiting.add(trigger_for(batch_id, time))
    await until(lambda: len(waiting.fired) == 3)
    assert sorted(waiting.fired) == ids


async def test_a_triggerer_that_starts_again_loses_nobody_and_no_ones_place(
    engine: Engine, in_line: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = in_line(3)
    occupy(engine, ids[0])
    stored = [trigger_for(batch_id, Time()).serialize() for batch_id in ids]
    first = Waiting()
    time = Time()
    for batch_id in ids:
        first.add(trigger_for(batch_id, time))
    await until(lambda: time.now > START + 10)
    await first.end()
    with engine.begin() as connection:  # its line was lost with it, as after an hour
        connection.execute(turns.delete().where(turns.c.batch_id == ids[1]))
    SharedLine._lines.clear()
    second, time = Waiting(), Time()
    for path, values in json.loads(json.dumps(stored)):
        made = import_string(path)(**values)
        made.clock = Clock(now=lambda: time.now, sleep=time.sleep)
        second.add(made)
    for number in range(1, 4):
        make_room(engine)
        await until(lambda number=number: len(second.fired) == number)
    assert second.fired == [ids[0], ids[2], ids[1]]
    await second.end()


async def test_one_that_was_let_go_before_the_triggerer_died_fires_after_its_start(
    engine: Engine, in_line: Callable[..., list[int]]
) -> None:
    (batch_id,) = in_line(1)
    occupy(engine, batch_id)
    with engine.begin() as connection:
        connection.execute(update(turns).values(promised_at=func.now()))
    time = Time()
    assert (await fired(trigger_for(batch_id, time)))["came"] is True
    assert time.now >= START + FIRST_LOOK_AFTER


async def test_those_whom_nobody_waits_for_hold_up_nobody(
    engine: Engine, in_line: Callable[..., list[int]]
) -> None:
    in_line(3, "dag/dead")
    with engine.begin() as connection:
        connection.execute(update(turns).values(seen_at=func.now() - timedelta(minutes=5)))
    (batch_id,) = in_line(1, "dag/alive", backfill=True)
    assert (await fired(trigger_for(batch_id, Time(), backfill=True)))["came"] is True


async def test_a_ledger_that_gives_no_answer_for_a_while_is_asked_again(
    in_line: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    from tryon_catalogue.submission.turns import Line

    (batch_id,) = in_line(1)
    look, failures = Line.look, [OperationalError("select", {}, Exception("gone"))] * 3

    def shaky(self: Line, mine: Any) -> Any:
        if failures:
            raise failures.pop()
        return look(self, mine)

    monkeypatch.setattr(Line, "look", shaky)
    time = Time()
    assert (await fired(trigger_for(batch_id, time)))["came"] is True
    assert time.now >= START + 3 * turn_trigger.SECONDS_WITHOUT_LEDGER


async def test_what_looking_stumbles_over_reaches_everybody_who_waits(
    in_line: Callable[..., list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = in_line(2)
    monkeypatch.setenv("TRYON_LEDGER__SCHEMA", "nowhere")
    results = await asyncio.gather(
        *(fired(trigger_for(batch_id, Time())) for batch_id in ids), return_exceptions=True
    )
    assert ["nowhere" in str(result) for result in results] == [True, True]


async def test_it_gives_up_at_its_deadline(engine: Engine, in_line: Callable[..., list[int]]) -> None:
    (batch_id,) = in_line(1)
    occupy(engine, batch_id)
    payload = await fired(trigger_for(batch_id, Time(), seconds=FIRST_LOOK_AFTER))
    assert payload == {"came": False, "deadline": START + FIRST_LOOK_AFTER}


@pytest.mark.parametrize("backfill", [False, True])
async def test_where_nobody_collects_the_vendor_is_asked_and_what_has_ended_makes_room(
    engine: Engine,
    in_line: Callable[..., list[int]],
    vendor: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
    backfill: bool,
) -> None:
    if backfill:  # there is room for a night
        monkeypatch.setenv("TRYON_VENDOR__MAX_IN_FLIGHT", "4")
        monkeypatch.setenv("TRYON_BACKFILL__MAX_IN_FLIGHT", "1")
    (batch_id,) = in_line(1, backfill=backfill)
    occupy(engine, batch_id, "f" * 32)  # a key that the vendor has no record of
    with engine.begin() as connection:
        connection.execute(update(submissions).values(intended_at=func.now() - timedelta(minutes=5)))
    time = Time()
    assert (await fired(trigger_for(batch_id, time, backfill=backfill)))["came"] is True
    assert time.now >= START + turn_trigger.SECONDS_FULL_BEFORE_ASKING


def test_no_secret_is_stored() -> None:
    _, values = TurnTrigger(conn_id="damo_tryon", batch_id=3, backfill=True, deadline=5.0).serialize()
    assert values == {"conn_id": "damo_tryon", "batch_id": 3, "backfill": True, "deadline": 5.0}


# --- the task ---


def submit(operator: MakeBatchOperator, deadline: float = START + LONGEST_WAIT_SECONDS) -> None:
    operator.submit(context(), deadline)


def test_a_batch_that_waits_longer_than_all_its_tries_would_is_sent_in_its_first(
    engine: Engine, plan_batch: PlanBatch, website: Website
) -> None:
    batch, _ = plan_batch(some_looks(2, website.url), run_id="dag/night")
    occupy(engine, batch.id, "key")
    operator = MakeBatchOperator(task_id="batch", batch_id=batch.id)
    with pytest.raises(TaskDeferred) as waits:
        operator.execute(context())
    payload = {"came": True, "deadline": waits.value.trigger.deadline}
    for _ in range(20):
        with pytest.raises(TaskDeferred) as waits:
            operator.turn_came(context(), payload)
        assert waits.value.trigger.deadline == payload["deadline"]
    make_room(engine)
    submit(operator, payload["deadline"])
    with engine.connect() as connection:
        tries = connection.execute(
            select(submissions.c.try_number).where(submissions.c.result_key != "key")
        ).scalars()
        assert tries.all() == [1]
        assert connection.execute(select(turns)).all() == []


def test_a_batch_that_meets_a_closed_gate_in_its_middle_goes_on_where_it_stopped(
    engine: Engine, plan_batch: PlanBatch, website: Website
) -> None:
    batch, _ = plan_batch(some_looks(25, website.url))
    operator = MakeBatchOperator(task_id="batch", batch_id=batch.id)
    for accepted in (10, 20):
        with pytest.raises(TaskDeferred):
            submit(operator)
        assert states(engine) == ["SUBMITTED"] * accepted + ["PLANNED"] * (25 - accepted)
        make_room(engine)
    submit(operator)
    assert states(engine) == ["SUBMITTED"] * 25


def test_a_worker_killed_after_its_turn_came_leaves_a_place_that_is_free_again_and_pays_nothing_twice(
    engine: Engine, plan_batch: PlanBatch, website: Website
) -> None:
    batch, _ = plan_batch(some_looks(2, website.url))
    with engine.begin() as connection:
        get_in_line(connection, "damo_tryon", batch.id, backfill=False)
        connection.execute(update(turns).values(promised_at=func.clock_timestamp()))
    quick_gate(engine, batch, max_in_flight=1).take_turn(batch.run_id)  # and here its process is shot
    operator = MakeBatchOperator(task_id="batch", batch_id=batch.id)
    operator.submit(context(try_number=2), START + LONGEST_WAIT_SECONDS)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(submissions)).scalar_one() == 1
        assert set(connection.execute(select(looks.c.attempts)).scalars()) == {1}


def test_a_turn_that_never_comes_ends_in_an_error_that_says_where_the_looks_are(
    plan_batch: PlanBatch, website: Website
) -> None:
    batch, _ = plan_batch(some_looks(1, website.url), run_id="dag/night")
    operator = MakeBatchOperator(task_id="batch", batch_id=batch.id)
    with pytest.raises(BusyError, match="planned still, and the next run takes them up"):
        operator.turn_came(context(), {"came": False, "deadline": START})
