"""The demo's catalogue on two nights, planned for real and made without Airflow: what is shown after the second."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from sqlalchemy import Engine, insert, select, text, update

from tests.tryon_catalogue.helpers import pretend_checked
from tryon_catalogue.ledger.tables import looks, pictures
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.record import plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import Settings, load_settings
from tryon_demo.outcome import Charges, Outcome, read_outcome, shortcomings
from tryon_demo.scene import SAMPLES, SETTINGS, SHOP_TABLE
from tryon_demo.sheet import write_sheet

LOOKS_OF_THE_SAMPLES = 27


def a_night(engine: Engine, settings: Settings, folder: Path, name: str) -> str:
    """Plan the samples as the export of one date; whatever was planned, by any night, is made and published."""
    export = folder / f"{name}.csv"
    export.write_bytes((SAMPLES / "catalogue.csv").read_bytes())
    pretend_checked(engine, settings, export)
    run = Run(f"tryon_nightly/{name}", str(export), date(2026, 11, 20))
    plan_run(engine, settings, run)
    made = SAMPLES / "images" / "model-mei.jpg"
    with engine.begin() as connection:
        keys = connection.execute(select(looks.c.key).where(looks.c.state == "PLANNED")).scalars().all()
        for state in ("SUBMITTING", "SUBMITTED", "SUCCEEDED", "PUBLISHED"):
            connection.execute(update(looks).where(looks.c.key.in_(keys)).values(state=state))
        facts = {"path": str(made), "url": "u", "sha256": "0" * 64, "bytes": 1, "width": 1, "height": 1}
        if keys:
            connection.execute(insert(pictures), [{"look_key": key, "number": 0, **facts} for key in keys])
    close_run(engine, settings, run.id)
    return run.id


def test_after_a_second_night_everything_is_still_shown_and_nothing_was_paid_for(
    engine: Engine, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE catalogue"))
        connection.execute(text(SHOP_TABLE.read_text(encoding="utf-8")))
    settings = load_settings(SETTINGS)
    outcomes: list[Outcome] = []
    sheets: list[bytes] = []
    for name in ("first", "second"):
        outcomes.append(read_outcome(engine, settings.price, a_night(engine, settings, tmp_path, name)))
        sheets.append(write_sheet(tmp_path, outcomes[-1]).read_bytes())

    first, second = outcomes
    assert (first.account.tried, second.account.tried, second.account.uses) == (LOOKS_OF_THE_SAMPLES, 0, 0)
    assert first.looks == second.looks
    assert {look.state for look in second.looks} == {LookState.PUBLISHED}
    assert sheets[0] == sheets[1]
    page = sheets[1].decode()
    assert page.count("<article>") == LOOKS_OF_THE_SAMPLES
    assert "no image" not in page
    assert shortcomings(second, Charges(0, LOOKS_OF_THE_SAMPLES, 1), "success") == []
