from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

from tests.tryon_catalogue.budgets import waiting, with_budget
from tests.tryon_catalogue.helpers import pretend_checked
from tests.tryon_catalogue.planning.test_record import HEADER, row
from tryon_catalogue.budget.limits import Approved
from tryon_catalogue.ledger.tables import runs
from tryon_catalogue.planning.approval import (
    NOBODY,
    WAITS,
    Answer,
    answer_of,
    open_approvals,
    question_of,
    record_answer,
    record_question,
)
from tryon_catalogue.planning.approval_options import (
    APPROVE,
    APPROVE_UP_TO,
    REJECT,
    UP_TO_AMOUNT,
    UP_TO_LOOKS,
    AnswerError,
)
from tryon_catalogue.planning.record import record_run
from tryon_catalogue.planning.reserve import Estimate, Share, estimate_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import BudgetSettings, Price, Settings

PRICE = Price()
BUDGET = BudgetSettings(approve_above=Decimal(100))
DEAR = Estimate(
    looks=2000,
    pictures=2000,
    uses=2000,
    amount=Decimal(1900),
    leftovers=0,
    shares=(Share("autumn|2026", 1500, Decimal(1425)), Share("", 500, Decimal(475))),
    held={"waits for money": 12},
    rejected_rows=34,
    before=Decimal(0),
    approved=None,
    warnings=("the packs have 500 uses left",),
)


def test_the_question_says_what_is_needed_to_answer_it() -> None:
    question = question_of(DEAR, PRICE, BUDGET)
    assert question is not None
    assert question.subject == "Spend ¥1,900 on 2,000 looks?"
    for text in (
        r"| autumn\|2026 | 1,500 | ¥1,425 |",
        "| none | 500 | ¥475 |",
        "| in all | 2,000 | ¥1,900 |",
        "34 rows of the export cannot be used",
        "No answer within 12 hours is taken for “Reject”",
        "12 further looks, each of which waits for money",
        "the packs have 500 uses left",
        "Above ¥100",
    ):
        assert text in question.body


def test_many_collections_are_summed_up() -> None:
    shares = tuple(Share(f"c{number}", 1, Decimal(1)) for number in range(25))
    question = question_of(replace(DEAR, shares=shares), PRICE, BUDGET)
    assert question is not None
    assert "| 5 more | 5 | ¥5 |" in question.body


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Decimal(100)},
        {"looks": 0, "amount": Decimal(0), "before": Decimal(1900)},
        {"approved": Decimal(1900)},
    ],
)
def test_nobody_is_asked_below_the_threshold_or_about_what_is_approved(changes: dict[str, object]) -> None:
    assert question_of(replace(DEAR, **changes), PRICE, BUDGET) is None  # type: ignore[arg-type]  # whatever the case says


def test_nobody_is_ever_asked_without_a_threshold() -> None:
    assert question_of(DEAR, PRICE, BudgetSettings()) is None


def test_what_a_run_has_spent_before_counts() -> None:
    assert question_of(replace(DEAR, amount=Decimal(1), before=Decimal(100)), PRICE, BUDGET) is not None


def test_a_run_that_was_approved_less_than_the_threshold_asks_beyond_that() -> None:
    more = replace(DEAR, amount=Decimal(30), before=Decimal(50), approved=Decimal(50))
    assert question_of(more, PRICE, BUDGET) is not None


@pytest.mark.parametrize(
    ("option", "inputs", "approved"),
    [
        (APPROVE, {}, Approved()),
        (APPROVE, {UP_TO_LOOKS: None, UP_TO_AMOUNT: None}, Approved()),
        (APPROVE_UP_TO, {UP_TO_LOOKS: 10}, Approved(looks=10)),
        (APPROVE_UP_TO, {UP_TO_AMOUNT: 9.5, UP_TO_LOOKS: None}, Approved(amount=Decimal("9.5"))),
        (APPROVE, {UP_TO_LOOKS: 10}, Approved(looks=10)),
        (REJECT, {UP_TO_LOOKS: 10}, None),
    ],
)
def test_an_answer_means_what_it_says(
    option: str, inputs: dict[str, object], approved: Approved | None
) -> None:
    assert answer_of(option, inputs, "ada") == Answer("ada", approved)


def test_an_answer_by_the_clock_is_nobodys() -> None:
    assert answer_of(REJECT, {}, None) == Answer(NOBODY, None)


def test_up_to_nothing_in_particular_is_no_answer() -> None:
    with pytest.raises(AnswerError, match=UP_TO_LOOKS):
        answer_of(APPROVE_UP_TO, {}, "ada")


@pytest.fixture
def asked(engine: Engine, settings: Settings, tmp_path: Path) -> Settings:
    """Six looks of a run that waits for an answer, at ¥1 each; gives the settings."""
    file = tmp_path / "export.csv"
    file.write_text(HEADER + "".join(row(f"sku-{n}") for n in range(6)))
    pretend_checked(engine, settings, file)
    limited = with_budget(settings, approve_above=5)
    record_run(engine, limited, Run("dag/1", str(file), date(2026, 11, 20)))
    record_question(engine, "dag/1", estimate_run(engine, limited, "dag/1"), limited.price)
    return limited


def test_looks_say_that_they_wait_for_a_person(engine: Engine, asked: Settings) -> None:
    assert waiting(engine) == {WAITS: 6}


@pytest.mark.parametrize(
    ("answer", "bound", "outcome"),
    [
        (Approved(), Approved(Decimal(6)), "approved by ada: up to ¥6"),
        (Approved(amount=Decimal(99)), Approved(Decimal(6)), "approved by ada: up to ¥6"),
        (Approved(looks=2), Approved(Decimal(6), 2), "approved by ada: up to ¥6, 2 looks"),
        (Approved(amount=Decimal(3)), Approved(Decimal(3)), "approved by ada: up to ¥3"),
        (None, None, "rejected by ada"),
    ],
)
def test_an_approval_is_of_what_was_asked_and_no_more(
    answer: Approved | None, bound: Approved | None, outcome: str, engine: Engine, asked: Settings
) -> None:
    for _ in range(2):  # a second try of the task gets the same answer
        assert record_answer(engine, "dag/1", Answer("ada", answer), asked.price) == bound
    with engine.connect() as connection:
        approval = connection.execute(select(runs.c.approval)).scalar_one()
    assert approval == f"asked for ¥6 for 6 looks; {outcome}"


def test_rejected_looks_say_who_rejected_them(engine: Engine, asked: Settings) -> None:
    record_answer(engine, "dag/1", Answer("ada", None), asked.price)
    ((reason, number),) = waiting(engine).items()
    assert number == 6
    assert "rejected by ada" in (reason or "")


def test_a_question_is_open_until_somebody_answers(engine: Engine, asked: Settings) -> None:
    with engine.connect() as connection:
        (approval,) = open_approvals(connection)
    assert (approval.run_id, approval.amount) == ("dag/1", Decimal(6))
    assert approval.question == "asked for ¥6 for 6 looks"
    record_answer(engine, "dag/1", Answer("ada", None), asked.price)
    with engine.connect() as connection:
        assert open_approvals(connection) == ()


@pytest.mark.usefixtures("asked")
def test_a_run_that_is_over_asks_nobody(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(runs).values(ended_at=func.now()))
        assert open_approvals(connection) == ()
