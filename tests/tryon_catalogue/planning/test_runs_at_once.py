"""Runs side by side and one limit: what they send together, by the vendor's own bill, never passes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from damo_tryon.hooks import ONCE, DamoTryOnHook
from tests.tryon_catalogue.budgets import committed, plan, send, waiting, with_budget, write_export
from tests.tryon_catalogue.helpers import pretend_checked, states
from tests.tryon_catalogue.planning.test_record import HEADER
from tests.tryon_catalogue.vendor import connection_to, figure, open_vendor, open_website
from tryon_catalogue.ledger.database import engine_for
from tryon_catalogue.ledger.tables import submissions
from tryon_catalogue.settings import Settings

FORK = get_context("fork")
RUNS, LOOKS = 10, 5


def plan_and_send(url: str, settings: Settings, export: str, run: str) -> None:
    """Do what a night does, in a process of its own with connections of its own."""
    engine = engine_for(url, "tryon")
    send(engine, settings, plan(engine, settings, export, run), DamoTryOnHook(retry=ONCE).submit)
    engine.dispose()


def write_real_export(engine: Engine, settings: Settings, file: Path, site: str) -> str:
    """Write an export whose pictures a vendor can fetch; gives its path."""
    rows = [
        f"{file.stem}-{n},T,autumn,shirt,{site}/{file.stem}-{n}.png,,,{site}/anna.png\n" for n in range(LOOKS)
    ]
    file.write_text(HEADER + "".join(rows))
    pretend_checked(engine, settings, file)
    return str(file)


@pytest.mark.parametrize("budget", [{"per_day": 23}, {"per_collection": 23}])
def test_ten_runs_at_once_are_charged_what_the_limit_allows_and_no_more(
    budget: dict[str, int],
    engine: Engine,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limited = with_budget(settings, **budget)
    url = engine.url.render_as_string(hide_password=False)
    with open_website() as site, open_vendor() as vendor:
        monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", connection_to(vendor))
        exports = []
        for run in range(RUNS):
            for number in range(LOOKS):
                site.put(f"/{run}-{number}.png", figure() + f"{run} {number}".encode())
            exports.append(write_real_export(engine, limited, tmp_path / f"{run}.csv", site.url))
        engine.dispose()
        processes = [
            FORK.Process(target=plan_and_send, args=(url, limited, path, f"dag/{number}"))
            for number, path in enumerate(exports)
        ]
        for process in processes:
            process.start()
        most = Decimal(0)
        for process in processes:
            while process.exitcode is None:
                most = max(most, committed(engine))
                process.join(0.05)
        assert [process.exitcode for process in processes] == [0] * RUNS
        bill = vendor.charges()
    assert most <= 23
    # A bill only grows: what it is in the end is the most it ever was.
    assert bill.uses == 23
    assert {look.times for look in bill.looks} == {1}
    assert states(engine).count("SUBMITTED") == 23
    assert sum(waiting(engine).values()) == RUNS * LOOKS - 23


def test_ten_runs_over_one_export_at_once_never_pass_a_limit_together(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    limited = with_budget(settings, per_run=20, per_day=33)
    path = write_export(engine, settings, tmp_path, "a-", 50)

    def night(number: int) -> None:
        send(engine, limited, plan(engine, limited, path, f"dag/{number}"))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(night, range(10)))
    assert 20 <= committed(engine) == states(engine).count("SUBMITTED") <= 33
    with engine.connect() as connection:
        by_run = connection.execute(
            select(func.sum(submissions.c.amount)).group_by(submissions.c.run_id)
        ).scalars()
        assert max(by_run) <= 20
