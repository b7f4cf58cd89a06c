from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine, func, select, update

from damo_tryon.contract import Answer, FitType, SubTask, SubTaskStatus, TryOnTask
from damo_tryon.errors import MismatchedAnswerError, OutcomeUnknownError, UnknownResultKeyError
from tests.tryon_catalogue.helpers import (
    PlanBatch,
    nobody_knows,
    some_looks,
    states,
    submit_now,
)
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import look_moves, looks, submissions
from tryon_catalogue.settings import Price, SafetySettings
from tryon_catalogue.submission.doubts import (
    DoubtError,
    declare_lost,
    give_up,
    of_run,
    open_doubts,
    record_found,
    resubmit_old,
)
from tryon_catalogue.submission.journal import Batch
from tryon_catalogue.submission.uncollected import uncollected_submissions

ADA = Mover("ada")
PRICE = Price(per_use=Decimal("0.50"))


@pytest.fixture
def doubtful(engine: Engine, plan_batch: PlanBatch) -> tuple[Batch, int]:
    """A batch of twelve looks, the first ten of them in doubt; and the id of their submission."""
    batch, _ = plan_batch(some_looks(12))
    calls: list[int] = []

    def send(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        calls.append(len(tasks))
        if len(calls) == 1:
            raise OutcomeUnknownError("the answer timed out", code=504, request_id="r-7")
        return Answer(result_key="known")

    submit_now(engine, send, batch)
    with engine.connect() as connection:
        return batch, open_doubts(connection)[0].id


def ask_about(wanted: range) -> Callable[[str], Answer]:
    """Answer a query as the vendor does that has these looks under whatever key is asked for."""

    def ask(result_key: str) -> Answer:
        every = some_looks(12)
        tasks = [
            SubTask(
                status=SubTaskStatus.RUNNING,
                model_image=every[number].model_image,
                tops_image=every[number].tops_image,
            )
            for number in wanted
        ]
        return Answer(result_key=result_key, sub_tasks=tuple(tasks))

    return ask


def test_a_doubt_says_what_it_is_about_and_what_it_may_cost(
    engine: Engine, doubtful: tuple[Batch, int]
) -> None:
    with engine.connect() as connection:
        (doubt,) = open_doubts(connection)
        assert of_run(connection, "dag/run") == (doubt,)
        assert of_run(connection, "dag/another") == ()
    assert (doubt.looks, doubt.pictures, doubt.amount) == (10, 10, Decimal("9.50"))
    assert doubt.skus == tuple(f"sku-{number}" for number in range(5))
    assert doubt.more_skus
    assert (doubt.vendor_code, doubt.request_id, doubt.conn_id) == ("504", "r-7", "damo_tryon")
    assert "timed out" in doubt.message


def test_what_was_declared_lost_is_planned_again_and_sent_by_the_next_try(
    engine: Engine, doubtful: tuple[Batch, int]
) -> None:
    batch, number = doubtful
    assert declare_lost(engine, number, ADA) == 10
    assert states(engine) == ["PLANNED"] * 10 + ["SUBMITTED"] * 2
    with engine.connect() as connection:
        assert open_doubts(connection) == ()
        last = connection.execute(select(look_moves).order_by(look_moves.c.id.desc()).limit(1)).one()
    assert last.run == "ada"
    assert "declared lost by ada" in last.reason

    def send(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        return Answer(result_key="second")

    submit_now(engine, send, batch, try_number=2)
    assert states(engine) == ["SUBMITTED"] * 12


def test_what_was_found_is_paid_for_and_collected(engine: Engine, doubtful: tuple[Batch, int]) -> None:
    batch, number = doubtful
    assert record_found(engine, lambda _: ask_about(range(10)), number, "found", by=ADA, price=PRICE) == 10
    assert states(engine) == ["SUBMITTED"] * 12
    assert [one.result_key for one in uncollected_submissions(engine, batch.id)] == ["found", "known"]
    with engine.connect() as connection:
        row = connection.execute(select(submissions).where(submissions.c.id == number)).one()
        assert (row.state, row.uses) == ("SUBMITTED", 10)
        assert set(connection.execute(select(looks.c.attempts)).scalars()) == {1}
        last = connection.execute(select(look_moves).order_by(look_moves.c.id.desc()).limit(1)).one()
    assert last.run == "ada"


def test_what_was_given_up_is_failed(engine: Engine, doubtful: tuple[Batch, int]) -> None:
    assert give_up(engine, doubtful[1], ADA) == 10
    assert states(engine) == ["FAILED"] * 10 + ["SUBMITTED"] * 2


def test_a_wrong_id_is_told_with_those_there_are_and_changes_nothing(
    engine: Engine, doubtful: tuple[Batch, int]
) -> None:
    _, number = doubtful
    before = states(engine)
    for wrong, words in (
        (number + 1, "is SUBMITTED"),
        (99, "there is no submission 99"),
    ):
        for settle in (
            lambda wrong=wrong: declare_lost(engine, wrong, ADA),
            lambda wrong=wrong: give_up(engine, wrong, ADA),
            lambda wrong=wrong: record_found(
                engine, lambda _: ask_about(range(10)), wrong, "found", by=ADA, price=PRICE
            ),
        ):
            with pytest.raises(DoubtError, match=rf"{words}.*In doubt are: {number}\."):
                settle()
    assert states(engine) == before


def test_a_doubt_is_settled_once(engine: Engine, doubtful: tuple[Batch, int]) -> None:
    give_up(engine, doubtful[1], ADA)
    with pytest.raises(DoubtError, match=r"is WRITTEN_OFF.*In doubt are: none"):
        declare_lost(engine, doubtful[1], ADA)


def test_a_result_key_that_is_another_submissions_is_refused(
    engine: Engine, doubtful: tuple[Batch, int]
) -> None:
    with pytest.raises(DoubtError, match="is of submission"):
        record_found(engine, lambda _: ask_about(range(10)), doubtful[1], "known", by=ADA, price=PRICE)
    assert states(engine)[0] == "IN_DOUBT"


@pytest.mark.parametrize(
    ("ask", "error"),
    [(nobody_knows, UnknownResultKeyError), (ask_about(range(1, 11)), MismatchedAnswerError)],
)
def test_a_result_key_that_the_vendor_has_for_other_looks_is_refused(
    engine: Engine, doubtful: tuple[Batch, int], ask: Callable[[str], Answer], error: type[Exception]
) -> None:
    with pytest.raises(error):
        record_found(engine, lambda _: ask, doubtful[1], "typed wrong", by=ADA, price=PRICE)
    assert states(engine)[0] == "IN_DOUBT"


def test_what_is_in_doubt_is_held_by_default(engine: Engine, doubtful: tuple[Batch, int]) -> None:
    with engine.begin() as connection:
        connection.execute(update(submissions).values(answered_at=func.now() - timedelta(days=365)))
        assert resubmit_old(connection, SafetySettings(), Mover("dag/next")) == 0
    assert states(engine)[0] == "IN_DOUBT"


def test_only_what_has_been_in_doubt_for_long_enough_is_sent_again_where_the_settings_say_so(
    engine: Engine, doubtful: tuple[Batch, int]
) -> None:
    again = SafetySettings(on_doubt="resubmit", resubmit_after_hours=2)
    with engine.begin() as connection:
        assert resubmit_old(connection, again, Mover("dag/next")) == 0
        connection.execute(update(submissions).values(answered_at=func.now() - timedelta(hours=2)))
        assert resubmit_old(connection, again, Mover("dag/next")) == 10
        assert open_doubts(connection) == ()
    with engine.connect() as connection:
        last = connection.execute(select(look_moves).order_by(look_moves.c.id.desc()).limit(1)).one()
    assert (last.run, last.to_state) == ("dag/next", "PLANNED")
    assert "resubmit" in last.reason
