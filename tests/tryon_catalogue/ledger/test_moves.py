from __future__ import annotations

import itertools
import re

from sqlalchemy import Engine, select, text, update
from sqlalchemy.exc import IntegrityError

from tests.tryon_catalogue.helpers import PlanBatch, some_looks
from tryon_catalogue.ledger.moves import Mover, move, sources
from tryon_catalogue.ledger.tables import allowed_moves, look_moves, looks
from tryon_catalogue.looks import MOVES, LookState

BY = Mover("dag/run", 2)


def test_the_database_and_the_code_hold_the_same_table_of_moves(engine: Engine) -> None:
    with engine.connect() as connection:
        held = {(row.from_state, row.to_state) for row in connection.execute(select(allowed_moves))}
    assert held == {(old.value, new.value) for old, targets in MOVES.items() for new in targets}


def test_the_database_knows_every_state_of_a_look(engine: Engine) -> None:
    with engine.connect() as connection:
        check = connection.execute(
            text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'looks_state_check'")
        ).scalar_one()
    assert set(re.findall(r"'(\w+)'", check)) == {state.value for state in LookState}


def test_the_database_refuses_every_move_that_the_table_does_not_allow(
    engine: Engine, plan_batch: PlanBatch
) -> None:
    plan_batch(some_looks(1))
    for old, new in itertools.permutations(LookState, 2):
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE tryon.looks DISABLE TRIGGER look_moved"))
            connection.execute(update(looks).values(state=old.value))
            connection.execute(text("ALTER TABLE tryon.looks ENABLE TRIGGER look_moved"))
        refused = False
        try:
            with engine.begin() as connection:
                connection.execute(update(looks).values(state=new.value))
        except IntegrityError as error:
            refused = f"may not move from {old} to {new}" in str(error)
        assert refused == (new not in MOVES[old]), f"{old} to {new}"


def test_every_move_is_recorded_with_run_try_reason_and_code(engine: Engine, plan_batch: PlanBatch) -> None:
    _, (key,) = plan_batch(some_looks(1))
    with engine.begin() as connection:
        move(connection, looks.c.key == key, LookState.SUBMITTING, BY)
        move(connection, looks.c.key == key, LookState.REJECTED, BY, reason="too small", vendor_code=23500007)
    with engine.connect() as connection:
        history = connection.execute(select(look_moves).order_by(look_moves.c.id)).all()
    assert [(row.from_state, row.to_state) for row in history] == [
        (None, "PLANNED"),
        ("PLANNED", "SUBMITTING"),
        ("SUBMITTING", "REJECTED"),
    ]
    last = history[-1]
    assert (last.run, last._mapping["try"], last.reason, last.vendor_code) == (
        "dag/run",
        2,
        "too small",
        "23500007",
    )


def test_a_look_that_may_not_move_is_left_alone(engine: Engine, plan_batch: PlanBatch) -> None:
    _, keys = plan_batch(some_looks(2))
    with engine.begin() as connection:
        assert move(connection, looks.c.key == keys[0], LookState.SUBMITTING, BY) == [keys[0]]
        assert move(connection, looks.c.key.in_(keys), LookState.SUBMITTING, BY) == [keys[1]]


def test_sources_are_the_reverse_of_the_table_of_moves() -> None:
    for state in LookState:
        assert sources(state) == {old for old in LookState if state in MOVES[old]}
