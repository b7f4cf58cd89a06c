from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Engine, text, update

from damo_tryon.errors import OutcomeUnknownError
from tests.tryon_catalogue.budgets import WriteExport, plan, refuse_all, send, with_budget, write_export
from tryon_catalogue.budget.commitments import total_settled
from tryon_catalogue.budget.spend import (
    CSV_COLUMNS,
    By,
    read_lines,
    read_spent,
    show_spend,
    write_bill,
)
from tryon_catalogue.console.cli import main
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import looks, submissions
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import Price, Settings
from tryon_catalogue.settings.money import FailedLooks, Pack
from tryon_catalogue.submission.doubts import declare_lost


def no_answer(*_: object) -> Any:
    """Leave a submission without an answer."""
    raise OutcomeUnknownError("the connection broke")


@pytest.fixture
def export(engine: Engine, settings: Settings, tmp_path: Path) -> WriteExport:
    """Write an export of garments: ``export("a-", 3, collection="autumn") -> path``."""
    return partial(write_export, engine, settings, tmp_path)


@pytest.fixture
def spent(engine: Engine, settings: Settings, export: WriteExport) -> Price:
    """Two runs: three looks of autumn, and twelve of winter; then one of spring in doubt, and one refused."""
    ours = with_budget(settings, price={"per_use": "0.95"})
    send(engine, ours, plan(engine, ours, export("a-", 3)))
    send(engine, ours, plan(engine, ours, export("b-", 12, collection="winter"), "dag/2"))
    send(engine, ours, plan(engine, ours, export("c-", 1, collection="spring"), "dag/3"), no_answer)
    send(engine, ours, plan(engine, ours, export("d-", 1, collection="summer"), "dag/4"), refuse_all)
    return ours.price


def shown(engine: Engine, price: Price, by: By) -> str:
    out = io.StringIO()
    with engine.connect() as connection:
        show_spend(connection, price, by, Console(file=out, width=120))
    return out.getvalue()


def test_every_submission_that_may_be_charged_is_a_line(engine: Engine, spent: Price) -> None:
    with engine.connect() as connection:
        lines = list(read_lines(connection, spent))
    assert [(line.looks, line.uses, line.amount, line.charged) for line in lines] == [
        (3, 3, Decimal("2.85"), True),
        (10, 10, Decimal("9.50"), True),
        (2, 2, Decimal("1.90"), True),
        (1, 0, Decimal("0.95"), False),
    ]


@pytest.mark.parametrize(
    ("by", "amounts"),
    [
        (By.COLLECTION, {"autumn": "2.85", "winter": "11.40", "spring": "0"}),
        (By.RUN, {"dag/1": "2.85", "dag/2": "11.40", "dag/3": "0"}),
        (By.DAY, {f"{datetime.now(UTC):%Y-%m-%d}": "14.25"}),
    ],
)
def test_it_is_summed_up(by: By, amounts: dict[str, str], engine: Engine, spent: Price) -> None:
    with engine.connect() as connection:
        found = read_spent(connection, spent, by)
    assert {one.name: one.amount for one in found} == {name: Decimal(one) for name, one in amounts.items()}
    assert sum(one.in_doubt for one in found) == Decimal("0.95")
    assert sum(one.submissions for one in found) == 3


def test_a_run_is_shown_beside_its_estimate(engine: Engine, spent: Price) -> None:
    with engine.connect() as connection:
        found = {line.name: line for line in read_spent(connection, spent, By.RUN)}
    assert found["dag/2"].estimate == found["dag/2"].amount
    assert "estimated" in shown(engine, spent, By.RUN)


@pytest.mark.parametrize("by", [By.DAY, By.COLLECTION, By.RUN])
def test_the_screen_ends_with_the_sum(by: By, engine: Engine, spent: Price) -> None:
    assert "15 uses in all, ¥14.25" in shown(engine, spent, by)


def test_packs_say_what_is_left_of_them_and_what_was_beyond(engine: Engine, spent: Price) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    small = Pack(name="small", size=10, price=Decimal(9), bought_at=yesterday)
    table = shown(engine, spent.model_copy(update={"packs": (small,)}), By.PACK)
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines()]
    assert ["small", "10", "0", "¥9", "¥0.90", f"{small.ends_at:%Y-%m-%d %H:%M}"] in cells
    assert ["no pack", "5", "", "¥4.75", "", ""] in cells


def test_looks_that_failed_cost_what_the_settings_say(engine: Engine, spent: Price) -> None:
    with engine.begin() as connection:
        connection.execute(update(looks).where(looks.c.collection == "autumn").values(state="FAILED"))
    with engine.connect() as connection:
        charged = next(read_lines(connection, spent))
        free = next(read_lines(connection, spent.model_copy(update={"failed": FailedLooks.FREE})))
    assert (charged.failed, charged.uses, charged.amount) == (3, 3, Decimal("2.85"))
    assert (free.failed, free.uses, free.amount) == (3, 0, 0)


@pytest.mark.parametrize("failed", list(FailedLooks))
@pytest.mark.parametrize("settled", [False, True])
def test_days_runs_and_collections_come_to_what_the_bill_has_line_by_line(
    engine: Engine, spent: Price, failed: FailedLooks, *, settled: bool
) -> None:
    price = spent.model_copy(update={"failed": failed})
    with engine.begin() as connection:
        some = looks.c.collection == "winter"
        connection.execute(update(looks).where(some, looks.c.position % 3 == 0).values(state="FAILED"))
        connection.execute(
            update(submissions).where(submissions.c.state == "SUBMITTED").values(state="COLLECTED")
        )
    if settled:
        total_settled(engine)
    with engine.connect() as connection:
        lines = list(read_lines(connection, price))
        by = {by: read_spent(connection, price, by) for by in (By.DAY, By.RUN, By.COLLECTION)}
    assert sum(line.failed for line in lines) == 4
    billed = sum(line.amount for line in lines if line.charged)
    assert billed == (Decimal("14.25") if failed is FailedLooks.CHARGED else Decimal("10.45"))
    assert {name: sum(one.amount for one in found) for name, found in by.items()} == dict.fromkeys(by, billed)
    assert {name: sum(one.looks for one in found) for name, found in by.items()} == dict.fromkeys(by, 15)
    assert {name: sum(one.submissions for one in found) for name, found in by.items()} == dict.fromkeys(by, 3)
    uses = sum(line.uses for line in lines)
    assert [sum(one.uses for one in by[name]) for name in (By.DAY, By.RUN)] == [uses, uses]


def test_a_failure_is_of_the_submission_that_it_came_after(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    ours = with_budget(settings)
    path = export("a-", 2)
    send(engine, ours, plan(engine, ours, path))
    with engine.begin() as connection:
        connection.execute(update(looks).values(state="FAILED"))
    close_run(engine, ours, "dag/1")
    send(engine, ours, plan(engine, ours, path, "dag/2"))
    with engine.connect() as connection:
        assert [line.failed for line in read_lines(connection, ours.price)] == [2, 0]


def test_what_a_person_has_declared_lost_costs_nothing(engine: Engine, spent: Price) -> None:
    with engine.connect() as connection:
        doubt = connection.execute(
            text("SELECT id FROM tryon.submissions WHERE state = 'IN_DOUBT'")
        ).scalar_one()
    declare_lost(engine, doubt, Mover("ada"))
    with engine.connect() as connection:
        assert all(line.charged for line in read_lines(connection, spent))


def test_the_bill_has_a_line_for_each_submission(engine: Engine, spent: Price, tmp_path: Path) -> None:
    file = tmp_path / "bill.csv"
    with engine.begin() as connection:
        connection.execute(
            update(submissions).where(submissions.c.run_id == "dag/1").values(request_id="request-1")
        )
    with engine.connect() as connection:
        assert write_bill(connection, spent, file) == 4
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert rows[0]["request_id"] == "request-1"
    assert (rows[0]["looks"], rows[0]["uses"], Decimal(rows[0]["amount"])) == ("3", "3", Decimal("2.85"))
    assert [row["state"] for row in rows] == ["SUBMITTED"] * 3 + ["IN_DOUBT"]
    assert rows[0]["result_key"].startswith("key-")


def test_before_anything_was_sent_nothing_is_spent(engine: Engine) -> None:
    assert "0 uses in all, ¥0" in shown(engine, Price(), By.DAY)


@pytest.fixture
def tryon(
    catalogue_connection: str,
    settings_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[object, str]]:
    """Run the command in this process: ``tryon("--by", "run") -> (exit code, everything it printed)``."""
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))

    def run(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["tryon", "spend", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    return run


@pytest.mark.usefixtures("spent")
def test_the_command_shows_what_was_spent(tryon: Callable[..., tuple[object, str]]) -> None:
    code, printed = tryon("--by", "collection")
    assert code == 0
    assert "winter" in printed
    assert "¥11.40" in printed


def test_a_run_is_named_whole_where_its_id_is_to_be_pasted(
    engine: Engine,
    settings: Settings,
    export: WriteExport,
    tryon: Callable[..., tuple[object, str]],
) -> None:
    run_id = "tryon_nightly/scheduled__2026-11-23T02:00:00.123456+00:00"
    send(engine, settings, plan(engine, settings, export("a-", 1), run_id))
    _, printed = tryon("--by", "run")  # into a pipe
    assert run_id in printed
    out = io.StringIO()
    with engine.connect() as connection:
        show_spend(connection, settings.price, By.RUN, Console(file=out, width=80))
    folded = "".join(line.split("│")[1].strip() for line in out.getvalue().splitlines() if "│" in line)
    assert folded == run_id


@pytest.mark.usefixtures("spent")
def test_the_command_writes_the_bill(tryon: Callable[..., tuple[object, str]], tmp_path: Path) -> None:
    code, printed = tryon("--csv", str(tmp_path / "bill.csv"))
    assert (code, printed.startswith("4 submissions are in")) == (0, True)
    code, printed = tryon("--csv", str(tmp_path / "nowhere" / "bill.csv"))
    assert code == 2
    assert "The bill cannot be written" in printed


def test_the_command_says_what_it_can_show_by(tryon: Callable[..., tuple[object, str]]) -> None:
    assert tryon("--by", "week") == (2, "--by week: one of day, run, collection, pack is expected.\n")
