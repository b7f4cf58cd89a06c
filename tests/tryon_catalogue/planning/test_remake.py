"""Making again what has ended: once for each run that is asked to, within its limits, and whatever is cleared."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, true, update

from tests.tryon_catalogue.budgets import WriteExport, send, with_budget, write_export
from tryon_catalogue.budget.commitments import is_closed
from tryon_catalogue.ledger.moves import Mover, move
from tryon_catalogue.ledger.tables import look_moves, looks, runs, submission_looks
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.record import Plan, plan_run, record_run
from tryon_catalogue.planning.request import Redo, Request
from tryon_catalogue.planning.reserve import Estimate, estimate_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import Settings

SKUS = ("a-0", "a-1", "a-2")
NIGHT = "night/1"


@pytest.fixture
def priced(settings: Settings) -> Settings:
    """Settings by which a look costs ¥1, without limits."""
    return with_budget(settings)


@pytest.fixture
def export(engine: Engine, priced: Settings, tmp_path: Path) -> str:
    """An export of five garments, of which a night has published the looks."""
    write: WriteExport = partial(write_export, engine, priced, tmp_path)
    path = write("a-", 5)
    night = plan_run(engine, priced, Run(NIGHT, path, date(2026, 11, 20)))
    send(engine, priced, night)
    end(engine)
    close_run(engine, priced, NIGHT)
    return path


def end(engine: Engine, *states: LookState) -> None:
    """Let the vendor end what it has, and each look end in the last of some states."""
    for state in states or (LookState.SUCCEEDED, LookState.PUBLISHED):
        with engine.begin() as connection:
            move(connection, true(), state, Mover("vendor"))


def ask(engine: Engine, settings: Settings, export: str, run: str = "hand/1", **asked: Any) -> Plan:
    request = Request(**asked)
    return plan_run(engine, request.settings(settings), Run(run, export, date(2026, 11, 21), request))


def estimate(engine: Engine, settings: Settings, export: str, run: str = "hand/1", **asked: Any) -> Estimate:
    request = Request(**asked)
    record_run(engine, request.settings(settings), Run(run, export, date(2026, 11, 21), request))
    return estimate_run(engine, request.settings(settings), run)


def charged(engine: Engine) -> Counter[int]:
    """Count how many looks were sent once, how many twice."""
    with engine.connect() as connection:
        of_look = submission_looks.c.look_key
        return Counter(connection.execute(select(func.count(of_look)).group_by(of_look)).scalars().all())


def states(engine: Engine) -> Counter[str]:
    with engine.connect() as connection:
        return Counter(connection.execute(select(looks.c.state)).scalars())


def test_what_is_published_is_made_again_once_by_a_person_s_word(
    engine: Engine, priced: Settings, export: str
) -> None:
    first = ask(engine, priced, export, skus=SKUS, redo=Redo.ALL)
    assert (first.looks, first.new) == (3, 3)
    send(engine, priced, first)
    end(engine)
    assert charged(engine) == {1: 2, 2: 3}
    account = close_run(engine, priced, "hand/1")
    assert (account.looks, account.known) == ({"PUBLISHED": 3}, 0)


def test_clearing_that_run_however_often_pays_nothing_more(
    engine: Engine, priced: Settings, export: str
) -> None:
    for _ in range(3):
        send(engine, priced, ask(engine, priced, export, skus=SKUS, redo=Redo.ALL))
        end(engine)
    assert charged(engine) == {1: 2, 2: 3}


def test_clearing_that_run_after_the_clock_was_put_back_pays_nothing_more(
    engine: Engine, priced: Settings, export: str
) -> None:
    plan = ask(engine, priced, export, skus=SKUS, redo=Redo.ALL)
    with engine.begin() as connection:  # all that was written by now was written an hour from now
        connection.execute(update(runs).values({"started_at": runs.c.started_at + timedelta(hours=1)}))
        connection.execute(update(looks).values(moved_at=looks.c.moved_at + timedelta(hours=1)))
    send(engine, priced, plan)
    end(engine)
    send(engine, priced, ask(engine, priced, export, skus=SKUS, redo=Redo.ALL))
    assert charged(engine) == {1: 2, 2: 3}
    assert close_run(engine, priced, "hand/1").held == 0


def test_a_run_is_over_or_at_work_whatever_the_clock_says(
    engine: Engine, priced: Settings, export: str
) -> None:
    def closed() -> bool:
        with engine.connect() as connection:
            return bool(connection.execute(select(is_closed()).where(runs.c.id == NIGHT)).scalar_one())

    def put_back(column: str) -> None:
        with engine.begin() as connection:
            connection.execute(update(runs).values({column: runs.c[column] + timedelta(hours=1)}))

    put_back("ended_at")
    record_run(engine, priced, Run(NIGHT, export, date(2026, 11, 20)))
    assert not closed()
    put_back("opened_at")
    close_run(engine, priced, NIGHT)
    assert closed()


def test_a_plan_that_died_half_way_goes_on_where_it_stopped(
    engine: Engine, priced: Settings, export: str
) -> None:
    ask(engine, priced, export, skus=SKUS, redo=Redo.ALL)
    assert states(engine) == {"PLANNED": 3, "PUBLISHED": 2}
    remake = ask(engine, priced, export, skus=SKUS, redo=Redo.ALL)
    send(engine, priced, remake)
    assert charged(engine) == {1: 2, 2: 3}


def test_what_a_run_makes_for_the_first_time_it_does_not_make_twice(
    engine: Engine, priced: Settings, tmp_path: Path
) -> None:
    path = write_export(engine, priced, tmp_path, "new-", 2)
    for _ in range(2):
        send(engine, priced, ask(engine, priced, path, collections=("autumn",), redo=Redo.ALL))
        end(engine)
    assert charged(engine) == {1: 2}


def test_the_next_night_makes_nothing_again(engine: Engine, priced: Settings, export: str) -> None:
    send(engine, priced, ask(engine, priced, export, skus=SKUS, redo=Redo.ALL))
    end(engine)
    assert ask(engine, priced, export, "night/2").new == 0


def test_what_was_planned_again_and_not_sent_is_taken_up_by_no_night_that_does_not_name_it(
    engine: Engine, priced: Settings, export: str, tmp_path: Path
) -> None:
    ask(engine, priced, export, skus=SKUS, redo=Redo.ALL)
    close_run(engine, priced, "hand/1")
    other = write_export(engine, priced, tmp_path, "b-", 1)
    send(engine, priced, ask(engine, priced, other, "night/2"))
    assert charged(engine) == {1: 6}
    send(engine, priced, ask(engine, priced, export, "hand/2", skus=SKUS, redo=Redo.ALL))
    assert charged(engine) == {1: 3, 2: 3}


def test_the_price_counts_it_before_anything_is_undone(engine: Engine, priced: Settings, export: str) -> None:
    before = estimate(engine, priced, export, skus=SKUS, redo=Redo.ALL)
    assert (before.looks, before.amount) == (3, Decimal(3))
    assert states(engine) == {"PUBLISHED": 5}


def test_what_there_is_no_money_for_keeps_its_pictures_and_its_state(
    engine: Engine, priced: Settings, export: str
) -> None:
    send(engine, priced, ask(engine, priced, export, skus=SKUS, redo=Redo.ALL, budget=Decimal(2)))
    end(engine)
    assert charged(engine) == {1: 3, 2: 2}
    assert states(engine) == {"PUBLISHED": 5}
    account = close_run(engine, priced, "hand/1")
    assert (account.looks, account.held) == ({"PUBLISHED": 2}, 1)
    assert ask(engine, priced, export, "night/2").new == 0


@pytest.mark.parametrize(
    "case",
    [
        (LookState.FAILED, Redo.FAILED, 5),
        (LookState.FAILED, Redo.REVIEWED, 0),
        (LookState.REVIEW, Redo.REVIEWED, 5),
        (LookState.REVIEW, Redo.FAILED, 0),
        (LookState.PUBLISHED, Redo.FAILED, 0),
        (LookState.PUBLISHED, Redo.REVIEWED, 0),
    ],
)
def test_only_looks_that_ended_as_was_said_are_made_again(
    engine: Engine, priced: Settings, tmp_path: Path, case: tuple[LookState, Redo, int]
) -> None:
    ended, redo, again = case
    once = priced.safety.model_copy(update={"max_attempts": 1})
    patient = priced.model_copy(update={"safety": once})
    path = write_export(engine, patient, tmp_path, "a-", 5)
    send(engine, patient, ask(engine, patient, path, "night/1"))
    end(engine, *(() if ended is LookState.FAILED else (LookState.SUCCEEDED,)), ended)
    assert estimate(engine, patient, path, redo=redo).looks == again


def test_the_history_of_a_look_says_why_it_was_made_again(
    engine: Engine, priced: Settings, export: str
) -> None:
    ask(engine, priced, export, skus=("a-0",), redo=Redo.ALL)
    with engine.connect() as connection:
        (look_move,) = connection.execute(
            select(look_moves).where(look_moves.c.from_state == "PUBLISHED")
        ).all()
    assert (look_move.to_state, look_move.run) == ("PLANNED", "hand/1")
    assert "paid for, again" in look_move.reason
