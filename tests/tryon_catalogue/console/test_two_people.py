"""Two people who decide on the same at once: one does, and the other is told what was decided."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, Table, create_engine, func, select, text, update

from damo_tryon.errors import OutcomeUnknownError
from tests.tryon_catalogue.helpers import PlanBatch, some_looks, states, submit_now
from tryon_catalogue.console.cli import main
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import look_moves, looks, submissions
from tryon_catalogue.submission.doubts import DoubtError, give_up

FORK = multiprocessing.get_context("fork")
LONGEST = 200.0  # seconds; only a hang reaches it


Deed = Callable[[], None]


def command(deed: Sequence[str] | Deed, output: Path) -> None:
    """Be the command, or do the deed, with all that it prints in a file."""
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    try:
        if callable(deed):
            deed()
        else:
            sys.argv = ["tryon", *deed]
            main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def at_once(
    engine: Engine, held: Table, folder: Path, *commands: Sequence[str] | Deed
) -> list[tuple[int | None, str]]:
    """Run commands as processes of their own that all wait for a row of a table, and then let go of it.

    Returns:
        Exit code of each, and what it printed.
    """
    outputs = [folder / f"{number}.txt" for number in range(len(commands))]
    running = [FORK.Process(target=command, args=pair) for pair in zip(commands, outputs, strict=True)]
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with engine.begin() as connection:
        connection.execute(select(held).with_for_update())
        for process in running:
            process.start()
        give_up_at = time.monotonic() + LONGEST
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
            while other.execute(waiting).scalar_one() < len(commands):
                assert time.monotonic() < give_up_at, [output.read_text() for output in outputs]
                time.sleep(0.05)
    for process in running:
        process.join(LONGEST)
    return [(process.exitcode, output.read_text()) for process, output in zip(running, outputs, strict=True)]


@pytest.fixture(autouse=True)
def _environment(settings_file: Path, catalogue_connection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command finds the test's settings and ledger."""
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    monkeypatch.setenv("COLUMNS", "200")


def test_the_loser_of_two_reviews_is_told_who_was_faster_and_what_was_decided(
    engine: Engine, plan_batch: PlanBatch, tmp_path: Path
) -> None:
    plan_batch(some_looks(1))
    with engine.begin() as connection:
        for state in ("SUBMITTING", "SUBMITTED", "REVIEW"):
            connection.execute(update(looks).values(state=state, reason="one colour"))
    ended = at_once(
        engine,
        looks,
        tmp_path,
        ("review", "again", "sku-0", "--by", "ada"),
        ("review", "collect", "sku-0", "--by", "mei"),
    )
    assert sorted(code or 0 for code, _ in ended) == [0, 2]
    (loser,) = [printed for code, printed in ended if code == 2]
    winner, state, words = (
        ("ada", "PLANNED", "to be made, and paid for, again, says ada")
        if ended[0][0] == 0
        else ("mei", "SUBMITTED", "the vendor is asked for it once more, says mei")
    )
    assert states(engine) == [state]
    assert f"Somebody was faster: {winner} made it {state} on " in loser
    assert f"({words})" in loser
    assert "Traceback" not in loser


def by_page(engine: Engine) -> Deed:
    """Give up the doubt as a page does: with the function that both it and the command line call."""

    def deed() -> None:
        own = create_engine(engine.url).execution_options(**engine.get_execution_options())
        try:
            give_up(own, 1, Mover("mei"))
        except DoubtError as error:
            sys.stdout.write(f"{error}\n")
            sys.exit(2)

    return deed


@pytest.mark.parametrize("second", ["the command line", "a page"])
def test_the_loser_of_two_who_settle_a_doubt_is_told_who_was_faster_and_what_was_decided(
    engine: Engine, plan_batch: PlanBatch, tmp_path: Path, second: str
) -> None:
    def lose(*_: object) -> None:
        raise OutcomeUnknownError("the answer timed out")

    batch, _ = plan_batch(some_looks(2))
    submit_now(engine, lose, batch)  # type: ignore[arg-type]  # it never answers
    mei = ("doubts", "resolve", "1", "--give-up", "--by", "mei")
    ended = at_once(
        engine,
        submissions,
        tmp_path,
        ("doubts", "resolve", "1", "--lost", "--by", "ada"),
        by_page(engine) if second == "a page" else mei,
    )
    assert sorted(code or 0 for code, _ in ended) == [0, 2]
    (loser,) = [printed for code, printed in ended if code == 2]
    winner, state = ("ada", "PLANNED") if ended[0][0] == 0 else ("mei", "FAILED")
    assert states(engine) == [state, state]
    assert f"somebody was faster. {winner} made its looks {state} on " in loser
    assert "Traceback" not in loser
    with engine.connect() as connection:
        settled = select(func.count()).where(look_moves.c.from_state == "IN_DOUBT")
        assert connection.execute(settled).scalar_one() == 2
