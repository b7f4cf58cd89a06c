"""What the tests about money share: limits, nights that are planned and sent, and what the ledger says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, func, select

from damo_tryon.contract import Answer, FitType, TryOnTask
from damo_tryon.errors import ImageRefusedError
from tests.tryon_catalogue.helpers import pretend_checked, quick_gate
from tests.tryon_catalogue.planning.test_record import HEADER
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.states import MAY_COST
from tryon_catalogue.ledger.tables import looks, submissions
from tryon_catalogue.planning.record import Plan, plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import BudgetSettings, Price, Settings
from tryon_catalogue.submission.batch import submit_batch
from tryon_catalogue.submission.journal import load_batch

WriteExport = Callable[..., str]


def write_export(
    engine: Engine, settings: Settings, folder: Path, prefix: str, number: int, *, collection: str = "autumn"
) -> str:
    """Write an export of so many garments, whose pictures are good; gives its path."""
    file = folder / f"{prefix}{collection}.csv"
    rows = [
        f"{prefix}{n},T,{collection},shirt,https://pictures.example/{prefix}{n}.png,,,\n"
        for n in range(number)
    ]
    file.write_text(HEADER + "".join(rows))
    pretend_checked(engine, settings, file)
    return str(file)


def accept(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
    """Take everything, as a vendor in good health does."""
    return Answer(result_key=f"key-{uuid4()}")


def refuse_all(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
    """Refuse every picture."""
    raise ImageRefusedError("not good", code=23500007, proved_not_accepted=True)


def plan(
    engine: Engine, settings: Settings, export: str, run: str = "dag/1", day: str = "2026-11-20"
) -> Plan:
    """Plan a run without asking anybody."""
    return plan_run(engine, settings, Run(run, export, date.fromisoformat(day)))


def send(engine: Engine, settings: Settings, plan: Plan, vendor: Callable[..., Answer] = accept) -> None:
    """Submit every batch of a plan."""
    for batch_id in plan.batch_ids:
        batch = load_batch(engine, batch_id)
        submit_batch(
            engine,
            vendor,
            batch,
            Mover(batch.run_id),
            settings.price,
            budget=settings.budget,
            gate=quick_gate(engine),
        )


def with_budget(settings: Settings, price: dict[str, Any] | None = None, **budget: Any) -> Settings:
    """Change the limits, and the price; a use is ¥1 unless ``price`` says otherwise."""
    changed = {"price": Price(**{"per_use": 1, **(price or {})}), "budget": BudgetSettings(**budget)}
    return settings.model_copy(update=changed)


def committed(engine: Engine) -> Decimal:
    """Add up what may be charged and what is reserved, where a look costs ¥1."""
    with engine.connect() as connection:
        # One statement, so that a look that is just being sent is counted once.
        reserved = select(func.count()).where(looks.c.state == "PLANNED", looks.c.batch_id.is_not(None))
        spent = select(func.coalesce(func.sum(submissions.c.amount), 0)).where(
            submissions.c.state.in_(MAY_COST)
        )
        return Decimal(
            connection.execute(select(reserved.scalar_subquery() + spent.scalar_subquery())).scalar_one()
        )


def waiting(engine: Engine) -> dict[str | None, int]:
    """Count the looks without a batch by what they wait for."""
    with engine.connect() as connection:
        found = connection.execute(
            select(looks.c.reason, func.count().label("looks"))
            .where(looks.c.state == "PLANNED", looks.c.batch_id.is_(None))
            .group_by(looks.c.reason)
        )
        return {row.reason: row.looks for row in found}
