from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec
from uuid import uuid4

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import TaskAwaitingInput
from sqlalchemy import Engine, select

from tests.tryon_catalogue.airflow_context import context, set_scene
from tests.tryon_catalogue.budgets import committed, waiting
from tests.tryon_catalogue.helpers import pretend_checked
from tests.tryon_catalogue.vendor import Website, open_vendor
from tryon_catalogue.ledger.tables import runs
from tryon_catalogue.planning.approval_options import (
    APPROVE,
    APPROVE_UP_TO,
    REJECT,
    UP_TO_AMOUNT,
    UP_TO_LOOKS,
    AnswerError,
)
from tryon_catalogue.reporting import alerts
from tryon_catalogue.settings import load_settings
from tryon_catalogue.settings.money import BudgetSettings, Unanswered
from tryon_catalogue.workflow import tasks
from tryon_catalogue.workflow.plan_operator import PlanOperator

HEADER = "sku,title,collection,category,image_url,pants_url,mask_url,model_url\n"
ADA = {"id": "7", "name": "ada"}
Run = Callable[..., Any]


@pytest.fixture
def run_plan(engine: Engine, settings_file: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Stand in the plan task of a night of four looks, ¥0.95 each; ``run_plan(operator, event) -> ids``."""
    with open_vendor() as vendor:
        set_scene(monkeypatch, settings_file, engine, vendor, Website("https://pictures.example"))
    exports = settings_file.parent / "exports"
    exports.mkdir()
    file = exports / "2026-11-20.csv"
    rows = "".join(f"sku-{n},,autumn,shirt,https://pictures.example/{n}.png,,,\n" for n in range(4))
    file.write_text(f"{HEADER}{rows}bad,,autumn,shirt,,,,\n")
    pretend_checked(engine, load_settings(), file)
    around = {**context(), "task_instance": SimpleNamespace(id=uuid4(), map_index=-1)}
    monkeypatch.setattr(tasks, "get_current_context", lambda: around)

    def run(operator: PlanOperator, event: dict[str, Any] | None = None) -> list[int]:
        if event is None:
            return operator.execute(around)
        return operator.execute_complete(around, event)

    return run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Airflow's record of a question, which needs an Airflow."""
    fake = create_autospec(hitl.upsert_hitl_detail)
    monkeypatch.setattr(hitl, "upsert_hitl_detail", fake)
    return fake


def operator(**budget: Any) -> PlanOperator:
    return PlanOperator(task_id="plan", budget=BudgetSettings(**budget))


def answer(option: str, user: dict[str, str] | None = ADA, **inputs: object) -> dict[str, Any]:
    fields = {UP_TO_LOOKS: None, UP_TO_AMOUNT: None, **inputs} if user else {}
    return {
        "chosen_options": [option],
        "params_input": fields,
        "responded_at": datetime.now(UTC),
        "responded_by_user": user,
        "timedout": user is None,
    }


def test_a_night_below_the_threshold_is_cut_at_once(
    engine: Engine, run_plan: Run, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_BUDGET__APPROVE_ABOVE", "3.80")
    assert len(run_plan(operator())) == 1
    assert committed(engine) == 4
    asked.assert_not_called()


def test_above_the_threshold_a_person_is_asked_with_the_figures(
    engine: Engine, run_plan: Run, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_BUDGET__APPROVE_ABOVE", "3.79")
    with pytest.raises(TaskAwaitingInput) as waits:
        run_plan(operator(answer_within_hours=3))
    assert (waits.value.method_name, waits.value.timeout) == ("execute_complete", timedelta(hours=3))
    question = asked.call_args.kwargs
    assert question["subject"] == "Spend ¥3.80 on 4 looks?"
    assert "| autumn | 4 | ¥3.80 |" in question["body"]
    assert "1 row of the export cannot be used" in question["body"]
    assert (question["options"], question["defaults"]) == ([APPROVE, APPROVE_UP_TO, REJECT], [REJECT])
    assert set(question["params"]) == {UP_TO_LOOKS, UP_TO_AMOUNT}
    assert committed(engine) == 0


def test_whoever_is_told_of_things_is_told_of_the_question(
    run_plan: Run, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_BUDGET__APPROVE_ABOVE", "3.79")
    told: list[alerts.Alert] = []
    monkeypatch.setattr(alerts, "send_once", lambda _engine, _settings, alert, _context: told.append(alert))
    with pytest.raises(TaskAwaitingInput):
        run_plan(operator())
    assert [(one.event, one.subject) for one in told] == [(alerts.Event.APPROVAL, "Spend ¥3.80 on 4 looks?")]


@pytest.mark.parametrize(
    ("event", "goes"),
    [
        (answer(APPROVE), 4),
        (answer(APPROVE_UP_TO, up_to_looks=3), 3),
        (answer(APPROVE_UP_TO, up_to_amount=1.9), 2),
        (answer(REJECT), 0),
        (answer(REJECT, user=None), 0),
        (answer(APPROVE, user=None), 4),
    ],
)
def test_the_answer_says_how_much_goes(
    event: dict[str, Any],
    goes: int,
    engine: Engine,
    run_plan: Run,
    *,
    asked: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRYON_BUDGET__APPROVE_ABOVE", "1")
    with pytest.raises(TaskAwaitingInput):
        run_plan(operator())
    # Airflow makes the task anew for the answer.
    assert len(run_plan(operator(), event)) == min(goes, 1)
    assert committed(engine) == goes
    assert sum(waiting(engine).values()) == 4 - goes


def test_an_answer_without_a_number_asks_again(
    engine: Engine, run_plan: Run, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_BUDGET__APPROVE_ABOVE", "1")
    with pytest.raises(TaskAwaitingInput):
        run_plan(operator())
    with pytest.raises(AnswerError):
        run_plan(operator(), answer(APPROVE_UP_TO))
    with pytest.raises(TaskAwaitingInput):
        run_plan(operator())
    assert committed(engine) == 0


@pytest.mark.parametrize(
    ("budget", "triggered_by", "may_answer"),
    [
        ({}, "ada", []),
        ({"approvers": ["ada", "mei"]}, None, ["ada", "mei"]),
        ({"approvers": ["ada", "mei"]}, "ada", ["mei"]),
        ({"approvers": ["ada", "mei"], "approve_own_runs": True}, "ada", ["ada", "mei"]),
        ({"approvers": ["ada"]}, "ada", ["ada"]),
        ({"approvers": [{"id": "7", "name": "ada"}, {"id": "8", "name": "mei"}]}, "ada", ["8"]),
    ],
)
def test_those_are_asked_who_are_named_and_did_not_trigger_the_run(
    budget: dict[str, Any],
    triggered_by: str | None,
    may_answer: list[str],
    run_plan: Run,
    *,
    asked: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRYON_BUDGET__APPROVE_ABOVE", "1")
    tasks.get_current_context()["dag_run"].triggering_user_name = triggered_by
    with pytest.raises(TaskAwaitingInput):
        run_plan(operator(**budget))
    assert [user["id"] for user in asked.call_args.kwargs["assigned_users"]] == may_answer


def test_an_answer_of_somebody_else_counts_for_nothing_whatever_airflow_let_through(
    engine: Engine, run_plan: Run, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_BUDGET__APPROVE_ABOVE", "1")
    named = {"approvers": [{"id": "7", "name": "ada"}, {"id": "8", "name": "mei"}]}
    with pytest.raises(TaskAwaitingInput):
        run_plan(operator(**named))
    with pytest.raises(AnswerError, match=r"zoe may not answer for this run; ada, mei may"):
        run_plan(operator(**named), answer(APPROVE, {"id": "9", "name": "zoe"}))
    assert committed(engine) == 0
    tasks.get_current_context()["dag_run"].triggering_user_name = "ada"
    with pytest.raises(AnswerError, match="ada may not answer for this run; mei may"):
        run_plan(operator(**named), answer(APPROVE))
    assert run_plan(operator(**named), answer(APPROVE, {"id": "8", "name": "mei"}))
    assert committed(engine) == 4


def test_the_ledger_keeps_who_has_answered_and_when(
    engine: Engine, run_plan: Run, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_BUDGET__APPROVE_ABOVE", "1")
    with pytest.raises(TaskAwaitingInput):
        run_plan(operator())
    with engine.connect() as connection:
        assert connection.execute(select(runs.c.answered_by, runs.c.answered_at)).one() == (None, None)
    given = answer(APPROVE)
    run_plan(operator(), given)
    with engine.connect() as connection:
        kept = connection.execute(select(runs.c.answered_by, runs.c.answered_at, runs.c.approval)).one()
    assert (kept.answered_by, kept.answered_at) == ("ada", given["responded_at"])
    assert "approved by ada" in kept.approval


def test_what_is_taken_for_an_answer_is_set() -> None:
    assert operator(unanswered=Unanswered.APPROVE).defaults == [APPROVE]
    assert operator().defaults == [REJECT]
