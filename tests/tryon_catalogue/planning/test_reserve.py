from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

from damo_tryon.contract import Answer, FitType, TryOnTask
from tests.tryon_catalogue.budgets import (
    WriteExport,
    accept,
    committed,
    plan,
    refuse_all,
    send,
    waiting,
    with_budget,
    write_export,
)
from tests.tryon_catalogue.helpers import states
from tryon_catalogue.budget.limits import Approved
from tryon_catalogue.ledger.tables import batches, garment_looks, looks, run_looks, runs, submissions
from tryon_catalogue.planning.approval import Answer as Said
from tryon_catalogue.planning.approval import record_answer, record_question
from tryon_catalogue.planning.record import record_run
from tryon_catalogue.planning.reserve import Share, cut_run, estimate_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.reporting.notes import as_text, read_run_note
from tryon_catalogue.settings import Settings


@pytest.fixture
def export(engine: Engine, settings: Settings, tmp_path: Path) -> WriteExport:
    """Write an export of garments: ``export("a-", 3, collection="autumn") -> path``."""
    return partial(write_export, engine, settings, tmp_path)


def skus_with_a_batch(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(
            connection.execute(
                select(garment_looks.c.sku)
                .join(looks, looks.c.key == garment_looks.c.look_key)
                .where(looks.c.batch_id.is_not(None))
            ).scalars()
        )


def test_a_run_is_cut_within_its_limit_and_the_rest_says_what_it_waits_for(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    limited = with_budget(settings, per_run=7)
    planned = plan(engine, limited, export("a-", 10))
    assert (planned.new, committed(engine)) == (10, 7)
    ((reason, number),) = waiting(engine).items()
    assert number == 3
    assert reason is not None
    assert "per_run = ¥7" in reason
    assert skus_with_a_batch(engine) == {f"a-{n}" for n in range(7)}


def test_what_did_not_fit_goes_first_in_the_next_run_though_its_export_does_not_name_it(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    limited = with_budget(settings, per_run=7)
    send(engine, limited, plan(engine, limited, export("a-", 10)))
    close_run(engine, limited, "dag/1")
    following = plan(engine, limited, export("b-", 10), "dag/2")
    assert following.new == 10
    assert skus_with_a_batch(engine) == {f"a-{n}" for n in range(10)} | {f"b-{n}" for n in range(4)}
    send(engine, limited, following)
    account = close_run(engine, limited, "dag/2")
    assert (account.tried, account.held, account.elsewhere) == (7, 6, 0)


def test_looks_that_no_garment_shows_any_more_are_not_taken_over(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    plan(engine, with_budget(settings, per_run=1), export("a-", 2))
    with engine.begin() as connection:
        connection.execute(garment_looks.delete())
    plan(engine, settings, export("b-", 1), "dag/2")
    with engine.connect() as connection:
        assert (
            connection.execute(
                select(func.count()).select_from(run_looks).where(run_looks.c.run_id == "dag/2")
            ).scalar_one()
            == 1
        )


def test_what_a_dead_run_has_reserved_is_free_again_and_taken_over(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    limited = with_budget(settings, per_day=5)
    plan(engine, limited, export("a-", 5))
    assert plan(engine, limited, export("b-", 5), "dag/2").batch_ids == ()
    with engine.begin() as connection:
        long_ago = func.now() - func.make_interval(0, 0, 0, 2)
        connection.execute(update(batches).values(cut_at=long_ago))
        connection.execute(update(runs).values(opened_at=long_ago))
    plan(engine, limited, export("c-", 5), "dag/3")
    assert committed(engine) == 5
    with engine.connect() as connection:
        of_run = select(batches.c.run_id).join(looks, looks.c.batch_id == batches.c.id)
        assert set(connection.execute(of_run).scalars()) == {"dag/3"}


def test_a_day_is_shared_by_its_runs(engine: Engine, settings: Settings, export: WriteExport) -> None:
    limited = with_budget(settings, per_day=12)
    for run in ("1", "2"):
        send(engine, limited, plan(engine, limited, export(f"{run}-", 8), f"dag/{run}"))
    assert committed(engine) == 12
    with engine.begin() as connection:
        connection.execute(
            update(submissions).values(intended_at=func.now() - func.make_interval(0, 0, 0, 1))
        )
    plan(engine, limited, export("3-", 3), "dag/3")
    assert committed(engine) == 19  # another day


def test_a_collection_has_a_limit_over_all_runs(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    limited = with_budget(settings, per_collection=5)
    send(engine, limited, plan(engine, limited, export("a-", 4)))
    plan(engine, limited, export("b-", 4), "dag/2")
    plan(engine, limited, export("c-", 4, collection="winter"), "dag/3")
    assert committed(engine) == 9
    (reason,) = waiting(engine)
    assert reason is not None
    assert "autumn" in reason


def test_what_the_vendor_refuses_costs_nothing(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    limited = with_budget(settings, per_day=5)
    send(engine, limited, plan(engine, limited, export("a-", 5)), refuse_all)
    assert set(states(engine)) == {"REJECTED"}
    assert committed(engine) == 0
    plan(engine, limited, export("b-", 5), "dag/2")
    assert committed(engine) == 5


def test_a_submission_that_is_charged_in_parts_stops_at_the_limit(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    # Ten looks are one use; but one of them is bad, and the good ones go in four submissions.
    limited = with_budget(settings, price={"use": "submission"}, per_run=2)
    planned = plan(engine, limited, export("a-", 10))
    assert len(planned.batch_ids) == 1

    def one_is_bad(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        if any(task.tops_image.endswith("a-9.png") for task in tasks):
            return refuse_all(tasks, fit_type, inference_num)
        return accept(tasks, fit_type, inference_num)

    send(engine, limited, planned, one_is_bad)
    with engine.connect() as connection:
        spent = connection.execute(
            select(func.sum(submissions.c.amount)).where(submissions.c.result_key.is_not(None))
        )
        assert spent.scalar_one() <= 2
    assert any("per_run" in (reason or "") for reason in waiting(engine))


def test_looks_that_a_person_plans_again_are_held_to_the_limit_as_well(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    limited = with_budget(settings, per_run=5)
    planned = plan(engine, limited, export("a-", 5))
    send(engine, limited, planned)
    with engine.begin() as connection:
        for state in ("FAILED", "PLANNED"):
            connection.execute(update(looks).values(state=state))
    send(engine, limited, planned)
    assert states(engine) == ["PLANNED"] * 5
    assert sum(waiting(engine).values()) == 5


def test_an_estimate_reserves_nothing_and_is_what_is_cut(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    limited = with_budget(settings, per_run=4)
    record_run(engine, limited, Run("dag/1", export("a-", 6), date(2026, 11, 20)))
    estimate = estimate_run(engine, limited, "dag/1")
    assert (estimate.looks, estimate.uses, estimate.amount) == (4, 4, 4)
    assert estimate.shares == (Share("autumn", 4, Decimal(4)),)
    assert sum(estimate.held.values()) == 2
    assert committed(engine) == 0
    assert cut_run(engine, limited, "dag/1").estimate == estimate
    with engine.connect() as connection:
        run = connection.execute(select(runs)).one()
    assert (run.estimated_uses, run.estimated_amount) == (4, 4)


@pytest.mark.parametrize(
    ("approved", "goes"), [(Approved(looks=2), 2), (Approved(amount=Decimal("3.5")), 3), (Approved(), 6)]
)
def test_an_approval_is_a_limit(
    approved: Approved, goes: int, engine: Engine, settings: Settings, export: WriteExport
) -> None:
    record_run(engine, settings, Run("dag/1", export("a-", 6), date(2026, 11, 20)))
    limited = with_budget(settings)
    assert cut_run(engine, limited, "dag/1", approved).estimate.looks == goes
    with engine.connect() as connection:
        assert connection.execute(select(runs.c.approved_amount)).scalar_one() == goes


def test_a_run_does_not_take_from_a_live_one_what_it_cannot_pay_for(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    limited = with_budget(settings, per_run=5)
    path = export("a-", 5)
    plan(engine, limited, path)
    smaller = with_budget(settings, per_run=2)
    plan(engine, smaller, path, "dag/2")
    assert committed(engine) == 5
    assert waiting(engine) == {}


def test_the_account_says_what_was_held_back_and_what_it_was_thought_to_cost(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    soon = datetime.now(UTC) + timedelta(days=2)
    pack = {"name": "small", "size": 3, "price": 2, "bought_at": soon - timedelta(days=9), "expires_at": soon}
    limited = with_budget(settings, price={"packs": [pack]}, per_run=4)
    send(engine, limited, plan(engine, limited, export("a-", 6)))
    account = close_run(engine, limited, "dag/1")
    assert (account.tried, account.held, account.estimate, account.cost) == (4, 2, 4, 4)
    note = as_text(read_run_note(engine, account))
    assert "held back: 2" in note
    assert "¥4; estimated ¥4" in note
    assert "warning: the packs have 3 uses left and the run needs 4" in note
    assert "2 looks: waits for money: per_run = ¥4" in note


def test_a_run_that_a_person_has_rejected_is_told_as_such(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    record_run(engine, settings, Run("dag/1", export("a-", 6), date(2026, 11, 20)))
    record_question(engine, "dag/1", estimate_run(engine, settings, "dag/1"), settings.price)
    record_answer(engine, "dag/1", Said("ada", None), settings.price)
    note = read_run_note(engine, close_run(engine, settings, "dag/1"))
    assert note.title == "6 looks held back"
    assert ("approval", "asked for ¥5.70 for 6 looks; rejected by ada") in note.figures


def of_size(settings: Settings, most: int) -> Settings:
    return settings.model_copy(
        update={"batches": settings.batches.model_copy(update={"max_submissions": most})}
    )


def test_what_is_beyond_a_runs_size_stays_planned_says_so_and_goes_first_in_the_next(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    small = of_size(settings, 1)
    first = export("a-", 15)
    planned = plan(engine, small, first)
    assert len(planned.batch_ids) == 1
    ((reason, number),) = waiting(engine).items()
    assert number == 5
    assert reason == (
        "waits, because a run sends 1 submissions at most ([batches] max_submissions); "
        "it goes first in the next run that has room for it"
    )
    assert skus_with_a_batch(engine) == {f"a-{number}" for number in range(10)}
    send(engine, small, planned)
    second = plan(engine, small, export("b-", 20), "dag/2")
    assert len(second.batch_ids) == 1
    assert skus_with_a_batch(engine) == {f"a-{number}" for number in range(15)} | {
        f"b-{number}" for number in range(5)
    }


def test_a_runs_size_and_its_limit_hold_together(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    plan(engine, with_budget(of_size(settings, 1), per_run=12), export("a-", 15))
    assert sorted(waiting(engine).values()) == [2, 3]
    plan(engine, of_size(settings, 3), export("a-", 15), "dag/2")
    assert waiting(engine) == {}
