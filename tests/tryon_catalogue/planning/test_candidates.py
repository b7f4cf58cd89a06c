from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

from tests.tryon_catalogue.budgets import WriteExport, plan, waiting, with_budget, write_export
from tryon_catalogue.budget.limits import Approved
from tryon_catalogue.ledger.tables import batches, looks, runs
from tryon_catalogue.planning.approval import Answer, record_answer, record_question
from tryon_catalogue.planning.record import record_run
from tryon_catalogue.planning.request import Request
from tryon_catalogue.planning.reserve import cut_run, estimate_run
from tryon_catalogue.planning.runs import Run, begin_run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import Settings

DAY = date(2026, 11, 20)
Recorded = Callable[..., Run]


@pytest.fixture
def export(engine: Engine, settings: Settings, tmp_path: Path) -> WriteExport:
    """Write an export of garments: ``export("a-", 3) -> path``."""
    return partial(write_export, engine, settings, tmp_path)


@pytest.fixture
def recorded(engine: Engine, settings: Settings, export: WriteExport) -> Recorded:
    """Record a run over three garments that no other export names, and do not cut it."""

    def record(run_id: str = "dag/dead", prefix: str = "dead-", **more: object) -> Run:
        run = Run(run_id, export(prefix, 3), DAY, **more)  # type: ignore[arg-type]  # whatever the test says
        record_run(engine, settings, run)
        return run

    return record


def age(engine: Engine, run_id: str, hours: float) -> None:
    """Make a run begin so long ago."""
    with engine.begin() as connection:
        connection.execute(
            update(runs)
            .where(runs.c.id == run_id)
            .values(
                {
                    name: runs.c[name] - timedelta(hours=hours)
                    for name in ("started_at", "opened_at", "planned_at")
                }
            )
        )


def carried(engine: Engine) -> dict[str, int]:
    """Count the planned looks by the run whose batch they are in."""
    with engine.connect() as connection:
        found = connection.execute(
            select(batches.c.run_id, func.count().label("looks"))
            .join(looks, looks.c.batch_id == batches.c.id)
            .group_by(batches.c.run_id)
        )
        return {row.run_id: row.looks for row in found}


def test_what_a_run_recorded_that_ended_before_it_was_cut_is_taken_up_by_the_next(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    recorded()
    close_run(engine, settings, "dag/dead")
    assert waiting(engine) == {
        "not sent: the run that asked for it ended before it was decided what goes; the next run takes it up": 3
    }
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 4}
    assert waiting(engine) == {}
    with engine.connect() as connection:
        assert set(connection.execute(select(looks.c.reason)).scalars()) == {None}


def test_what_a_run_left_that_died_without_an_account_is_taken_up_when_it_cannot_live_any_more(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    recorded()
    age(engine, "dag/dead", 24 + settings.budget.answer_within_hours + 1)
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 4}


def test_what_a_run_left_that_died_while_it_read_is_taken_up(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    recorded()
    with engine.begin() as connection:
        connection.execute(update(runs).values(planned_at=None))
    close_run(engine, settings, "dag/dead")
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 4}


def test_what_is_taken_up_is_held_to_the_limits(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    recorded()
    close_run(engine, settings, "dag/dead")
    plan(engine, with_budget(settings, per_run=2), export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 2}
    ((reason, number),) = waiting(engine).items()
    assert (number, "per_run = ¥2" in str(reason)) == (2, True)


def test_what_living_runs_are_about_to_cut_is_left_to_them(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    for number in range(10):
        recorded(f"dag/{number}", f"of-{number}-", backfill=number % 2 == 0)
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 1}
    for number in range(10):
        cut_run(engine, settings, f"dag/{number}")
    assert carried(engine) == {"dag/next": 1, **{f"dag/{number}": 3 for number in range(10)}}


def test_what_a_person_is_asked_about_is_left_until_the_time_to_answer_is_over(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    patient = with_budget(settings, answer_within_hours=72)
    recorded()
    record_question(engine, "dag/dead", estimate_run(engine, settings, "dag/dead"), settings.price)
    age(engine, "dag/dead", 71)
    plan(engine, patient, export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 1}
    assert cut_run(engine, patient, "dag/dead", Approved()).estimate.looks == 3


def test_a_run_that_is_begun_anew_after_its_account_lives(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    recorded()
    age(engine, "dag/dead", 100)
    close_run(engine, settings, "dag/dead")
    recorded()
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 1}


def test_a_run_that_is_begun_anew_keeps_the_batches_it_had(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    run = recorded()
    cut_run(engine, settings, run.id)
    close_run(engine, settings, run.id)
    with engine.begin() as connection:
        connection.execute(update(batches).values(cut_at=batches.c.cut_at - timedelta(days=3)))
    begin_run(engine, run)
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {run.id: 3, "dag/next": 1}


def test_what_a_run_has_reserved_counts_against_its_limit_when_it_is_begun_anew(
    engine: Engine, settings: Settings, recorded: Recorded
) -> None:
    limited = with_budget(settings, per_run=3)
    run = recorded()
    cut_run(engine, limited, run.id)
    close_run(engine, limited, run.id)
    with engine.begin() as connection:
        connection.execute(
            update(looks)
            .where(looks.c.key.in_(select(looks.c.key).limit(1)))
            .values(batch_id=None, held_since=None)
        )
    recorded()
    assert estimate_run(engine, with_budget(settings, per_run=2), run.id).looks == 0
    assert cut_run(engine, limited, run.id).estimate.looks == 1


def test_what_another_living_run_asks_for_as_well_is_left_to_that(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    recorded()
    close_run(engine, settings, "dag/dead")
    recorded("dag/alive")
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 1}


@pytest.mark.parametrize("begun_again", [False, True])
def test_what_a_person_let_not_go_is_taken_up_by_nobody(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport, begun_again: bool
) -> None:
    recorded()
    close_run(engine, settings, "dag/dead")
    run = recorded("dag/asks")
    record_question(engine, run.id, estimate_run(engine, settings, run.id), settings.price)
    record_answer(engine, run.id, Answer("ada", None), settings.price)
    if begun_again:
        begin_run(engine, run)
    close_run(engine, settings, run.id)
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 1}
    assert any("rejected by ada" in str(reason) for reason in waiting(engine))


def reject(engine: Engine, settings: Settings, run: Run) -> None:
    """Ask a person about a run, who lets nothing of it go."""
    record_question(engine, run.id, estimate_run(engine, settings, run.id), settings.price)
    record_answer(engine, run.id, Answer("ada", None), settings.price)


def test_a_run_that_died_says_so_once_and_not_over_what_others_have_said_since(
    engine: Engine, settings: Settings, recorded: Recorded
) -> None:
    recorded()
    close_run(engine, settings, "dag/dead")
    reject(engine, settings, recorded("dag/asks"))
    close_run(engine, settings, "dag/dead")  # as the recovery does
    assert [str(reason).partition(";")[0] for reason in waiting(engine)] == ["not approved: rejected by ada"]


def test_a_run_that_died_after_another_has_decided_on_its_looks_leaves_the_reason_to_that(
    engine: Engine, settings: Settings, recorded: Recorded
) -> None:
    recorded()
    run = recorded("dag/limited")
    cut_run(engine, with_budget(settings, per_run=1), run.id)
    close_run(engine, settings, "dag/dead")
    ((reason, number),) = waiting(engine).items()
    assert (number, "per_run = ¥1" in str(reason)) == (2, True)


def test_a_run_that_is_begun_anew_and_dies_again_says_so_again(
    engine: Engine, settings: Settings, recorded: Recorded
) -> None:
    recorded()
    close_run(engine, settings, "dag/dead")
    reject(engine, settings, recorded("dag/asks"))
    recorded()
    close_run(engine, settings, "dag/dead")
    assert [str(reason).rpartition("; ")[2] for reason in waiting(engine)] == ["the next run takes it up"]


def test_a_night_makes_nothing_that_was_cut_for_a_persons_request_and_not_sent(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    request = Request(inference_num=1)
    run = recorded(request=request)
    cut_run(engine, settings, run.id)
    close_run(engine, settings, run.id)
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {run.id: 3, "dag/next": 1}
    recorded("dag/again", request=request)
    assert cut_run(engine, settings, "dag/again").estimate.looks == 3
    assert carried(engine) == {"dag/again": 3, "dag/next": 1}


def test_what_a_backfill_left_to_a_persons_request_that_died_is_taken_up(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    run = recorded(request=Request(inference_num=1))
    cut_run(engine, settings, run.id)
    recorded("dag/season", backfill=True)
    cut_run(engine, settings, "dag/season")
    assert carried(engine) == {run.id: 3}
    close_run(engine, settings, run.id)
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 4}


def test_what_a_persons_request_left_is_made_when_somebody_asks_for_it_again(
    engine: Engine, settings: Settings, recorded: Recorded, export: WriteExport
) -> None:
    request = Request(inference_num=1)
    run = recorded(request=request)
    close_run(engine, settings, run.id)
    plan(engine, settings, export("b-", 1), "dag/next")
    assert carried(engine) == {"dag/next": 1}
    assert [str(reason).rpartition("; ")[2] for reason in waiting(engine)] == [
        "it is made by the next run that asks for it"
    ]
    recorded("dag/again", request=request)
    assert cut_run(engine, settings, "dag/again").estimate.looks == 3
