"""What the next run would do, said beforehand: it counts as a run does, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
from sqlalchemy import Connection, Engine, func, select, text, update

from damo_tryon.contract import Answer, FitType, TryOnTask
from damo_tryon.errors import CredentialsError, OutcomeUnknownError
from tests.tryon_catalogue.budgets import WriteExport, plan, send, with_budget, write_export
from tryon_catalogue.budget.commitments import CUTTING_LOCK, one_at_a_time
from tryon_catalogue.exports import ExportError
from tryon_catalogue.ledger.database import engine_for
from tryon_catalogue.ledger.images import KnownImage, store_images
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import garment_looks, looks, metadata, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.pictures.rules import ImageRole
from tryon_catalogue.planning import preview as of_preview
from tryon_catalogue.planning.preview import NextRun, preview_run, read_asked, run_over
from tryon_catalogue.planning.record import Plan, plan_run
from tryon_catalogue.planning.reserve import Estimate, choose
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import OnDoubt, Settings
from tryon_catalogue.settings.casting import RosterModel
from tryon_catalogue.submission.doubts import give_up, open_doubts
from tryon_catalogue.submission.stops import StopKind, set_stop

SITE = "https://pictures.example"
ROWS = [
    f"s1,shirt,{SITE}/1.jpg,Shirt [one]",
    f"s2,shirt,{SITE}/2.jpg,",
    f"d1,dress,{SITE}/3.jpg,",
    f"h1,hat,{SITE}/4.jpg,",
    "s3,shirt,,",
    f"s4,shirt,{SITE}/1.jpg,",
]


@pytest.fixture
def export(tmp_path: Path) -> str:
    """Two shirts, a dress, a hat that no rule is for, a row without a picture, and a shirt of an equal picture."""
    path = tmp_path / "export.csv"
    path.write_text("\n".join(["sku,category,image_url,title", *ROWS]) + "\n")
    return str(path)


@pytest.fixture
def write(engine: Engine, settings: Settings, tmp_path: Path) -> WriteExport:
    """Write an export of so many garments whose pictures are good: ``write("a-", 5) -> path``."""
    return partial(write_export, engine, settings, tmp_path)


def plan_earlier(engine: Engine, settings: Settings, export: str) -> None:
    """Plan the export once preflight has found every picture good."""
    urls = [f"{SITE}/{name}" for name in ("1.jpg", "2.jpg", "3.jpg", "anna.png", "ben.png")]
    found = [KnownImage(url, ImageRole.PICTURE, sha256=f"{number:064x}") for number, url in enumerate(urls)]
    with engine.begin() as connection:
        store_images(connection, found)
    plan_run(engine, settings, Run("dag/earlier", export, date(2026, 1, 31)))


def next_run(engine: Engine, settings: Settings, export: str) -> NextRun:
    return preview_run(engine, settings, run_over(export, settings))[1]


def doubt_all(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
    """Give no answer."""
    raise OutcomeUnknownError("the answer timed out")


def rows_of(engine: Engine) -> dict[str, list[str]]:
    """Read everything that stands in the ledger, and which tables and views there are."""
    with engine.connect() as connection:
        everything = {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in metadata.sorted_tables
        }
        names = connection.execute(text("SELECT relnamespace, relname FROM pg_class ORDER BY 1, 2"))
        return {**everything, "pg_class": [repr(name) for name in names]}


def as_somebody(engine: Engine, options: str) -> Engine:
    """Give an engine whose sessions begin with some of PostgreSQL's settings."""
    return engine_for(engine.url.update_query_dict({"options": options}), "tryon")


def test_what_an_export_asks_for_is_counted_without_a_ledger(export: str, settings: Settings) -> None:
    asked = read_asked(settings, run_over(export, settings))
    assert (asked.rows, asked.garments, asked.rejected_rows) == (6, 4, 2)
    assert asked.rejected == {"unknown_category": 1, "missing_image": 1}
    # Two shirts of one picture are one look.
    assert asked.kinds == {("HALF_BODY", 1): 2, ("FULL_BODY", 1): 1}
    assert [sku for sku, _ in asked.first] == ["s1", "s2", "d1"]
    assert asked.unchecked == 4  # with the model's


def test_looks_that_a_person_gave_up_are_made_by_no_run_and_in_no_preview(
    engine: Engine, settings: Settings, write: WriteExport
) -> None:
    export = write("a-", 5)
    send(engine, settings, plan(engine, settings, export), doubt_all)
    close_run(engine, settings, "dag/1")
    with engine.connect() as connection:
        (doubt,) = open_doubts(connection)
    give_up(engine, doubt.id, Mover("ada"))
    found = next_run(engine, settings, export)
    assert (found.estimate.looks, found.at_rest, found.known) == (0, 5, {LookState.FAILED: 5})
    assert plan(engine, settings, export, "dag/2").batch_ids == ()


def test_what_a_limit_held_back_is_in_the_preview_of_the_night_that_takes_it_up(
    engine: Engine, settings: Settings, write: WriteExport
) -> None:
    narrow, wide = with_budget(settings, per_run=2), with_budget(settings, per_run=4)
    send(engine, narrow, plan(engine, narrow, write("a-", 5)))
    close_run(engine, narrow, "dag/1")
    export = write("b-", 1)
    few, all_of_it = next_run(engine, narrow, export), next_run(engine, wide, export)
    assert (all_of_it.estimate.looks, all_of_it.estimate.leftovers) == (4, 3)
    assert [(listed.sku, listed.why) for listed in all_of_it.listed] == [
        *((f"a-{number}", "left over") for number in (2, 3, 4)),
        ("b-0", "new"),
    ]
    assert (few.estimate.looks, few.estimate.leftovers, list(few.estimate.held.values())) == (2, 2, [2])
    plan(engine, wide, export, "dag/2")
    with engine.connect() as connection:
        reserved = connection.execute(
            select(func.count()).where(looks.c.state == "PLANNED", looks.c.batch_id.is_not(None))
        )
        assert reserved.scalar_one() == 4


def test_the_ledgers_looks_are_known_by_what_their_pictures_are(
    export: str, settings: Settings, engine: Engine
) -> None:
    plan_earlier(engine, settings, export)
    with engine.begin() as connection:
        key = connection.execute(
            select(garment_looks.c.look_key).where(garment_looks.c.sku == "d1")
        ).scalar_one()
        for state in ("SUBMITTING", "SUBMITTED", "SUCCEEDED", "PUBLISHED"):
            connection.execute(update(looks).where(looks.c.key == key).values(state=state))
    moved = Path(export).read_text().replace("/3.jpg", "/moved.jpg")
    Path(export).write_text(moved)
    with engine.begin() as connection:
        store_images(connection, [KnownImage(f"{SITE}/moved.jpg", ImageRole.PICTURE, sha256=f"{2:064x}")])
    asked, found = preview_run(engine, settings, run_over(export, settings))
    assert found.known == {LookState.PLANNED: 2, LookState.PUBLISHED: 1}
    assert (asked.kinds.total(), found.estimate.looks, asked.unchecked) == (3, 2, 0)


def test_a_failed_look_is_to_make_while_it_has_attempts_left(
    export: str, settings: Settings, engine: Engine
) -> None:
    plan_earlier(engine, settings, export)
    with engine.begin() as connection:
        for state in ("SUBMITTING", "SUBMITTED", "FAILED"):
            connection.execute(update(looks).values(state=state))
        first = connection.execute(select(looks.c.key).limit(1)).scalar_one()
        connection.execute(
            update(looks).where(looks.c.key == first).values(attempts=settings.safety.max_attempts)
        )
    found = next_run(engine, settings, export)
    assert (found.known, found.estimate.looks) == ({LookState.FAILED: 3}, 2)
    assert {listed.why for listed in found.listed} == {"FAILED"}


def test_a_picture_that_breaks_a_rule_leaves_its_row_out_and_says_why(
    export: str, settings: Settings, engine: Engine
) -> None:
    with engine.begin() as connection:
        store_images(
            connection, [KnownImage(f"{SITE}/3.jpg", ImageRole.PICTURE, sha256="0" * 64, rule="too_small")]
        )
    asked, found = preview_run(engine, settings, run_over(export, settings))
    assert (asked.garments, asked.rejected["too_small"], found.estimate.looks) == (3, 1, 2)
    assert asked.examples["too_small"][0].sku == "d1"


def test_a_model_whose_picture_breaks_a_rule_is_told_once_however_many_garments_it_was_for(
    export: str, settings: Settings, engine: Engine
) -> None:
    ben = RosterModel(name="ben", image=f"{SITE}/ben.png", tags=["women"])
    models = (settings.roster.models[0], ben)
    both = settings.model_copy(update={"roster": settings.roster.model_copy(update={"models": models})})
    with engine.begin() as connection:
        bad = KnownImage(f"{SITE}/ben.png", ImageRole.PICTURE, sha256="0" * 64, rule="too_small")
        store_images(connection, [bad])
    asked, found = preview_run(engine, both, run_over(export, both))
    assert (asked.rejected["too_small"], asked.rejected_rows, found.estimate.looks) == (1, 2, 3)


def test_garments_that_a_full_export_no_longer_has_are_counted(
    export: str, settings: Settings, engine: Engine
) -> None:
    plan_earlier(engine, settings, export)
    Path(export).write_text("\n".join(["sku,category,image_url,title", ROWS[0], ROWS[4]]) + "\n")
    of_changes = settings.export.model_copy(update={"kind": "incremental"})
    changes = settings.model_copy(update={"export": of_changes})
    assert next_run(engine, settings, export).missing == 3
    assert next_run(engine, changes, export).missing is None


def test_a_garment_that_stands_twice_in_the_export_is_there_once(
    export: str, settings: Settings, engine: Engine
) -> None:
    plan_earlier(engine, settings, export)
    rows = [ROWS[0], ROWS[4], ROWS[0], ROWS[3], ROWS[0]]
    Path(export).write_text("\n".join(["sku,category,image_url,title", *rows]) + "\n")
    in_chunks = settings.export.model_copy(update={"chunk_rows": 2})
    assert next_run(engine, settings.model_copy(update={"export": in_chunks}), export).missing == 3


def test_stops_and_a_person_who_would_be_asked_are_told_and_change_no_price(
    engine: Engine, settings: Settings, write: WriteExport
) -> None:
    careful = with_budget(settings, approve_above=4)
    for conn_id in (settings.vendor.conn_id, "another"):
        set_stop(engine, conn_id, StopKind.CREDENTIALS, CredentialsError("no"), "dag/1")
    found = next_run(engine, careful, write("a-", 5))
    assert (found.estimate.amount, found.asks_first) == (Decimal(5), True)
    assert [stop.conn_id for stop in found.stops] == [settings.vendor.conn_id]
    assert not next_run(engine, with_budget(settings, approve_above=5), write("a-", 5)).asks_first


@pytest.fixture
def lively(engine: Engine, settings: Settings, write: WriteExport) -> tuple[Settings, str]:
    """A ledger in which a plan changes every table that it can, and the export to plan."""
    few, some = with_budget(settings, per_run=4), with_budget(settings, per_run=6)
    send(engine, few, plan(engine, few, write("a-", 8)), doubt_all)
    close_run(engine, few, "dag/1")
    send(engine, some, plan(engine, some, write("b-", 2), "dag/2"))
    with engine.begin() as connection:
        connection.execute(update(looks).where(looks.c.state == "SUBMITTED").values(state="FAILED"))
    close_run(engine, some, "dag/2")
    resubmit = settings.safety.model_copy(update={"on_doubt": OnDoubt.RESUBMIT, "resubmit_after_hours": 0})
    path = Path(write("b-", 3))
    path.write_text(path.read_text() + "c,T,winter,hat,,,,\n")
    return few.model_copy(update={"safety": resubmit}), str(path)


def test_a_preview_changes_nothing_in_the_ledger(engine: Engine, lively: tuple[Settings, str]) -> None:
    settings, export = lively
    before = rows_of(engine)
    found = next_run(engine, settings, export)
    assert rows_of(engine) == before
    plan(engine, settings, export, "dag/3")
    changed = {name for name, rows in rows_of(engine).items() if rows != before[name]}
    assert {"runs", "looks", "run_looks", "garment_looks", "submissions", "rejections"} <= changed
    assert found.estimate.leftovers


def test_whoever_may_only_read_the_ledger_may_preview(engine: Engine, lively: tuple[Settings, str]) -> None:
    settings, export = lively
    with engine.begin() as connection:
        connection.execute(text("CREATE ROLE reader; GRANT USAGE ON SCHEMA tryon TO reader"))
        connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA tryon TO reader"))
    try:
        found = next_run(as_somebody(engine, "-c role=reader"), settings, export)
    finally:
        with engine.begin() as connection:
            connection.execute(text("DROP OWNED BY reader; DROP ROLE reader"))
    assert found == next_run(engine, settings, export)


IMPATIENT = "-c lock_timeout=2s"


def test_a_preview_waits_for_no_run_that_is_planning(engine: Engine, lively: tuple[Settings, str]) -> None:
    settings, export = lively
    with engine.connect() as night:
        one_at_a_time(night, CUTTING_LOCK)
        night.execute(select(looks).with_for_update())
        night.execute(update(submissions).values(message="being written"))
        assert next_run(as_somebody(engine, IMPATIENT), settings, export).estimate.looks == 4
        night.rollback()


def test_a_run_that_plans_the_same_export_meanwhile_waits_for_no_preview(
    engine: Engine, lively: tuple[Settings, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, export = lively
    nights: list[Plan] = []

    def choose_later(connection: Connection, settings: Settings, run_id: str) -> Estimate:
        nights.append(plan(as_somebody(engine, IMPATIENT), settings, export, "dag/meanwhile"))
        return choose(connection, settings, run_id)

    expected = next_run(engine, settings, export)
    monkeypatch.setattr(of_preview, "choose", choose_later)
    # What is committed meanwhile is not seen: the copy is of one moment.
    assert next_run(engine, settings, export) == expected
    assert len(nights[0].batch_ids) == 1


@pytest.mark.parametrize("end", [KeyboardInterrupt, ExportError("e.csv", "it is broken")])
def test_a_preview_that_is_broken_off_leaves_nothing_and_no_session(
    engine: Engine, lively: tuple[Settings, str], monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    settings, export = lively
    before = rows_of(engine)
    monkeypatch.setattr(of_preview, "choose", Mock(side_effect=end))
    with pytest.raises((KeyboardInterrupt, ExportError)):
        next_run(engine, settings, export)
    assert rows_of(engine) == before
    others = text(
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND relation IS NOT NULL"
    )
    with engine.connect() as connection:
        assert connection.execute(others).scalar_one() == 0


def test_an_export_is_named_by_its_path_or_its_date(settings: Settings) -> None:
    today = datetime.now(UTC).date()
    by_path, by_date = run_over("s3://shop/a.csv", settings), run_over("2026-01-31", settings)
    assert (by_path.export, by_path.export_date) == ("s3://shop/a.csv", today)
    assert by_date.export.endswith("exports/2026-01-31.csv")
    assert by_date.export_date == date(2026, 1, 31)
    assert run_over(None, settings).export.endswith(f"exports/{today}.csv")
