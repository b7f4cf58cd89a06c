"""A run that is cleared after its export was put right: it sends what the new reading asks for, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from tests.tryon_catalogue.budgets import plan, send, waiting, with_budget
from tests.tryon_catalogue.helpers import pretend_checked
from tests.tryon_catalogue.planning.test_candidates import carried
from tests.tryon_catalogue.planning.test_record import HEADER, row
from tryon_catalogue.exports import ExportError
from tryon_catalogue.ledger.tables import looks, run_looks, runs, submission_looks
from tryon_catalogue.planning.record import Plan, plan_run, record_run
from tryon_catalogue.planning.request import Redo, Request
from tryon_catalogue.planning.reserve import cut_run, estimate_run
from tryon_catalogue.planning.runs import Run, begin_run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import Settings

DAY = date(2026, 11, 20)
NOT_ANY_MORE = (
    "not sent: the run that asked for it has read its export again, and does not any more; "
    "it is made by the next run that asks for it"
)
Write = Callable[..., str]


@pytest.fixture
def write(engine: Engine, settings: Settings, tmp_path: Path) -> Write:
    """Write an export of some garments, whose pictures are named after the second word: ``write("abc", "right")``."""

    def write(skus: str, pictures: str, file: str = "export.csv") -> str:
        path = tmp_path / file
        rows = [row(sku, image=f"https://pictures.example/{pictures}-{sku}.png") for sku in skus]
        path.write_text(HEADER + "".join(rows))
        pretend_checked(engine, settings, path)
        return str(path)

    return write


def again(engine: Engine, settings: Settings, export: str, run_id: str = "dag/1", **more: Any) -> Plan:
    """Begin a run, were it once more, and plan it."""
    run = Run(run_id, export, DAY, **more)
    begin_run(engine, run)
    return plan_run(engine, settings, run)


def to_be_sent(engine: Engine) -> list[str]:
    """Name the pictures of the looks that have a batch and are not sent."""
    with engine.connect() as connection:
        found = connection.execute(
            select(looks.c.tops_image)
            .where(looks.c.state == "PLANNED", looks.c.batch_id.is_not(None))
            .order_by(looks.c.tops_image)
        ).scalars()
        return [Path(path).stem for path in found]


def sent(engine: Engine) -> list[str]:
    """Name the pictures of everything that was sent."""
    with engine.connect() as connection:
        found = connection.execute(
            select(submission_looks.c.tops_image).order_by(submission_looks.c.tops_image)
        )
        return [Path(path).stem for path in found.scalars()]


def test_a_run_sends_nothing_that_only_its_earlier_export_asked_for(
    engine: Engine, settings: Settings, write: Write
) -> None:
    again(engine, settings, write("abc", "wrong"))
    close_run(engine, settings, "dag/1")
    found = again(engine, settings, write("abc", "right"))
    assert (found.looks, found.new) == (3, 3)
    send(engine, settings, found)
    assert sent(engine) == ["right-a", "right-b", "right-c"]
    assert waiting(engine) == {NOT_ANY_MORE: 3}
    account = close_run(engine, settings, "dag/1")
    assert (account.known, account.looks, account.held) == (0, {"SUBMITTED": 3}, 0)
    plan(engine, settings, write("z", "right", "next.csv"), "dag/next")
    assert to_be_sent(engine) == ["right-z"]


def test_neither_does_it_send_it_when_it_was_never_cut(
    engine: Engine, settings: Settings, write: Write
) -> None:
    record_run(engine, settings, Run("dag/1", write("abc", "wrong"), DAY))
    close_run(engine, settings, "dag/1")
    again(engine, settings, write("abc", "right"))
    assert to_be_sent(engine) == ["right-a", "right-b", "right-c"]


def test_neither_what_a_limit_held_back_of_it_though_a_garment_shows_it_still(
    engine: Engine, settings: Settings, write: Write
) -> None:
    again(engine, with_budget(settings, per_run=1), write("abc", "wrong"))
    again(engine, settings, write("a", "right"))  # b and c are garments of another shop
    assert to_be_sent(engine) == ["right-a"]
    assert waiting(engine) == {NOT_ANY_MORE: 3}


def test_what_is_sent_and_what_both_exports_ask_for_stays_the_run_s(
    engine: Engine, settings: Settings, write: Write
) -> None:
    first = again(engine, settings, write("ab", "wrong"))
    send(engine, settings, first)
    again(engine, settings, write("abc", "wrong"))
    found = again(engine, settings, write("bc", "wrong"))
    assert (found.looks, found.new, to_be_sent(engine)) == (2, 2, ["wrong-c"])
    account = close_run(engine, settings, "dag/1")
    assert (account.looks, account.submissions) == ({"SUBMITTED": 2, "PLANNED": 1}, 1)


def test_a_reading_that_does_not_come_to_its_end_takes_nothing_from_the_run(
    engine: Engine, settings: Settings, write: Write
) -> None:
    path = write("abc", "right")
    again(engine, settings, path)
    Path(path).write_text("sku,category\nb,shirt\n")
    with pytest.raises(ExportError):
        again(engine, settings, path)
    assert carried(engine) == {"dag/1": 3}
    close_run(engine, settings, "dag/1")
    plan(engine, settings, write("z", "right", "next.csv"), "dag/next")
    assert carried(engine) == {"dag/next": 4}


def test_what_a_run_took_up_of_others_stays_its_own(engine: Engine, settings: Settings, write: Write) -> None:
    record_run(engine, settings, Run("dag/dead", write("ab", "left", "dead.csv"), DAY))
    close_run(engine, settings, "dag/dead")
    again(engine, settings, write("c", "wrong"))
    found = again(engine, settings, write("c", "right"))
    assert found.new == 1
    assert to_be_sent(engine) == ["left-a", "left-b", "right-c"]


def test_what_another_run_is_to_send_is_left_to_it(engine: Engine, settings: Settings, write: Write) -> None:
    path = write("abc", "wrong")
    again(engine, settings, path)
    again(engine, settings, path, "dag/other")
    again(engine, settings, write("abc", "right"))
    assert carried(engine) == {"dag/other": 3, "dag/1": 3}


def test_what_a_living_run_is_about_to_cut_is_left_to_it(
    engine: Engine, settings: Settings, write: Write
) -> None:
    path = write("abc", "wrong")
    again(engine, settings, path)
    record_run(engine, settings, Run("dag/other", path, DAY))
    again(engine, settings, write("d", "right", "next.csv"))
    assert to_be_sent(engine) == ["right-d"]
    assert cut_run(engine, settings, "dag/other").estimate.looks == 3


@pytest.mark.parametrize("budget", [None, 1])
def test_what_another_night_has_left_to_the_run_is_taken_up_by_the_next(
    engine: Engine, settings: Settings, write: Write, budget: int | None
) -> None:
    path = write("ab", "wrong")
    again(engine, settings, path)
    if budget is None:
        again(engine, settings, path, "dag/other", backfill=True)
    else:
        again(engine, with_budget(settings, {"use": "submission"}, per_day=budget), path, "dag/other")
    assert carried(engine) == {"dag/1": 2}
    found = again(engine, settings, write("c", "right", "corrected.csv"))
    assert (found.looks, found.new) == (1, 1)
    assert to_be_sent(engine) == ["right-c", "wrong-a", "wrong-b"]
    with engine.connect() as connection:
        leftover = select(func.count()).where(run_looks.c.run_id == "dag/1", run_looks.c.leftover)
        assert connection.execute(leftover).scalar_one() == 2


def publish_all(engine: Engine) -> None:
    with engine.begin() as connection:
        for state in ("SUCCEEDED", "PUBLISHED"):
            connection.execute(
                update(looks).where(looks.c.state != "PLANNED").values(state=state, moved_at=func.now())
            )


@pytest.mark.parametrize("cut", [False, True])
def test_what_was_to_be_made_again_is_so_only_where_the_new_reading_asks_for_it(
    engine: Engine, settings: Settings, write: Write, cut: bool
) -> None:
    send(engine, settings, again(engine, settings, write("ab", "old")))
    publish_all(engine)
    close_run(engine, settings, "dag/1")
    request = Request(skus=("a", "b"), redo=Redo.ALL)
    run = Run("hand/1", write("ab", "old"), DAY, request)
    begin_run(engine, run)
    record_run(engine, settings, run)
    if cut:
        cut_run(engine, settings, run.id)
    close_run(engine, settings, run.id)
    write("a", "old")
    found = again(engine, settings, run.export, run.id, request=request)
    assert (found.looks, found.new, to_be_sent(engine)) == (1, 1, ["old-a"])
    send(engine, settings, found)
    assert sent(engine) == ["old-a", "old-a", "old-b"]
    assert len(waiting(engine)) == int(cut)


def test_a_run_asks_a_person_about_what_it_will_send_and_no_more(
    engine: Engine, settings: Settings, write: Write
) -> None:
    record_run(engine, settings, Run("dag/1", write("abc", "wrong"), DAY))
    record_run(engine, settings, Run("dag/1", write("ab", "right"), DAY))
    assert estimate_run(engine, settings, "dag/1").looks == 2
    with engine.connect() as connection:
        assert connection.execute(select(runs.c.looks_known, runs.c.looks_new)).one() == (0, 2)
