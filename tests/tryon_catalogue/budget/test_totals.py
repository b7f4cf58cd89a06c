"""What is settled is counted once for its collection, and read no more."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, func, select, text, update

from tests.tryon_catalogue.budgets import WriteExport, plan, send, with_budget, write_export
from tests.tryon_catalogue.helpers import pretend_checked
from tests.tryon_catalogue.planning.test_record import HEADER
from tryon_catalogue.budget.commitments import read_commitments, total_settled
from tryon_catalogue.ledger.tables import collection_totals, looks, submission_looks, submissions
from tryon_catalogue.settings import Settings


@pytest.fixture
def export(engine: Engine, settings: Settings, tmp_path: Path) -> WriteExport:
    """Write an export of garments: ``export("a-", 3, collection="autumn") -> path``."""
    return partial(write_export, engine, settings, tmp_path)


def spent(engine: Engine, settings: Settings) -> tuple[Decimal, Mapping[str, Decimal]]:
    """What counts for today, and for each collection, where nothing is reserved."""
    with engine.connect() as connection:
        taken = read_commitments(connection, settings.price, settings.budget, "dag/next")
    return taken.day, {name: round(amount, 9) for name, amount in taken.collections.items()}


def collect(engine: Engine) -> None:
    """Let everything that was sent be collected, but for the newest submission."""
    newest = select(func.max(submissions.c.id)).scalar_subquery()
    with engine.begin() as connection:
        connection.execute(update(submissions).where(submissions.c.id < newest).values(state="COLLECTED"))


@pytest.fixture
def limited(engine: Engine, settings: Settings, export: WriteExport, tmp_path: Path) -> Settings:
    """Settings with a limit for a collection; two runs were sent, the second with two collections in a submission."""
    limited = with_budget(settings, per_collection=1000)
    send(engine, limited, plan(engine, limited, export("a-", 13)))
    mixed = tmp_path / "mixed.csv"
    mixed.write_text(
        HEADER
        + "".join(
            f"m{n},T,{name},shirt,https://pictures.example/m{n}.png,,,\n"
            for n, name in enumerate(["autumn", "winter", "winter", "", "", "", ""])
        )
    )
    pretend_checked(engine, limited, mixed)
    send(engine, limited, plan(engine, limited, str(mixed), "dag/2"))
    return limited


def test_what_is_settled_counts_the_same_before_and_after_it_is_in_the_totals(
    engine: Engine, limited: Settings, export: WriteExport
) -> None:
    send(engine, limited, plan(engine, limited, export("z-", 1, collection="spring"), "dag/3"))
    collect(engine)
    before = spent(engine, limited)
    assert before == (21, {"autumn": 14, "winter": 2, "": 4, "spring": 1})
    for _ in range(2):
        total_settled(engine)
        assert spent(engine, limited) == before
    with engine.begin() as connection:
        totals = dict(
            connection.execute(select(collection_totals.c.collection, collection_totals.c.amount)).all()
        )
        assert {name: round(amount, 9) for name, amount in totals.items()} == {
            "autumn": 14,
            "winter": 2,
            "": 4,
        }
        # As `tryon review collect` does.
        connection.execute(update(submissions).values(state="SUBMITTED"))
    total_settled(engine)
    assert spent(engine, limited) == before


def test_a_limit_reads_nothing_of_what_is_in_the_totals(engine: Engine, limited: Settings) -> None:
    with engine.begin() as connection:
        connection.execute(update(submissions).values(state="COLLECTED"))
    before = spent(engine, limited)
    total_settled(engine)
    with engine.begin() as connection:
        connection.execute(delete(submission_looks))
    assert spent(engine, limited) == before


def test_runs_that_add_to_the_totals_at_once_add_each_submission_once(
    engine: Engine, limited: Settings
) -> None:
    with engine.begin() as connection:
        connection.execute(update(submissions).values(state="COLLECTED"))
    before = spent(engine, limited)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(total_settled, [engine] * 6))
    assert spent(engine, limited) == before
    with engine.connect() as connection:
        assert connection.execute(select(func.bool_and(submissions.c.in_totals))).scalar_one()


def test_a_collection_whose_limit_is_taken_up_in_the_totals_waits(
    engine: Engine, settings: Settings, export: WriteExport
) -> None:
    limited = with_budget(settings, per_collection=5)
    send(engine, limited, plan(engine, limited, export("a-", 5)))
    with engine.begin() as connection:
        connection.execute(update(submissions).values(state="COLLECTED"))
        connection.execute(text("UPDATE tryon.looks SET state = 'SUCCEEDED'"))
        connection.execute(text("UPDATE tryon.looks SET state = 'PUBLISHED'"))
    more = plan(engine, limited, export("b-", 2), "dag/2")
    assert more.batch_ids == ()
    with engine.connect() as connection:
        waits = connection.execute(select(looks.c.reason).where(looks.c.state == "PLANNED")).scalars().all()
    assert len(waits) == 2
    assert all("per_collection" in reason for reason in waits)
