from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, text, update

from tests.tryon_catalogue.helpers import good_image, pretend_checked
from tryon_catalogue.exports import ExportError
from tryon_catalogue.ledger.images import store_images
from tryon_catalogue.ledger.tables import batches, garment_looks, looks, rejections, run_looks, runs
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.record import Plan, plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.settings import Settings, load_settings
from tryon_catalogue.settings.casting import RosterModel

HEADER = "sku,title,collection,category,image_url,pants_url,mask_url,model_url\n"
PlanExport = Callable[..., Plan]


def row(sku: str, category: str = "shirt", image: str | None = None) -> str:
    image = f"https://pictures.example/{sku}.png" if image is None else image
    return f"{sku},Title of {sku},autumn,{category},{image},,,\n"


@pytest.fixture
def plan_export(engine: Engine, settings: Settings, tmp_path: Path) -> PlanExport:
    """Write an export and plan it: ``plan_export(rows, run_id=..., day=...) -> Plan``."""

    def plan(rows: list[str], run_id: str = "dag/1", day: str = "2026-11-20") -> Plan:
        file = tmp_path / f"{run_id.replace('/', '-')}.csv"
        file.write_text(HEADER + "".join(rows))
        pretend_checked(engine, settings, file)
        return plan_run(engine, settings, Run(run_id, str(file), date.fromisoformat(day)))

    return plan


def test_every_row_becomes_a_planned_look_or_a_rejection_with_its_reason(
    engine: Engine, plan_export: PlanExport
) -> None:
    plan = plan_export([row("a"), row("b", image=""), row("a"), row("c", category="hat"), row("d")])
    assert (plan.rows, plan.rejected, plan.looks, plan.new) == (5, 3, 2, 2)
    with engine.connect() as connection:
        refused = connection.execute(select(rejections).order_by(rejections.c.line)).all()
        assert [(rejection.line, rejection.sku, rejection.rule) for rejection in refused] == [
            (3, "b", "missing_image"),
            (4, "a", "duplicate_sku"),
            (5, "c", "unknown_category"),
        ]
        assert all(rejection.reason for rejection in refused)


def test_a_text_that_no_database_takes_costs_its_row_and_not_the_run(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    row = {"category": "shirt", "image_url": "https://pictures.example/a.png"}
    rows = [
        {**row, "sku": "cut", "title": "nice \ud83d"},
        {**row, "sku": "\ud83d"},
        {**row, "sku": "lost", "image_url": "", "collection": "\ud83d"},
        {**row, "sku": "good"},
    ]
    file = tmp_path / "export.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    pretend_checked(engine, settings, file)
    plan = plan_run(engine, settings, Run("dag/1", str(file), date(2026, 11, 20)))
    assert (plan.rows, plan.rejected, plan.new) == (4, 3, 1)
    with engine.connect() as connection:
        found = connection.execute(
            select(rejections.c.sku, rejections.c.rule).order_by(rejections.c.line)
        ).all()
    assert [tuple(row) for row in found] == [("cut", "bad_text"), ("�", "bad_text"), ("lost", "bad_text")]


def test_the_shops_row_of_a_rejected_garment_is_written_however_long_its_sku(
    engine: Engine, settings: Settings, plan_export: PlanExport
) -> None:
    sku = "S" * 200
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO catalogue (sku) VALUES (:sku)"), {"sku": sku})
    plan_export([row(sku, image="nowhere")])
    close_run(engine, settings, "dag/1")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT tryon_status FROM catalogue")).scalar_one() == "REJECTED"


def test_a_file_of_an_export_that_cannot_be_read_leaves_the_others_unplanned(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    good = tmp_path / "part-1.csv"
    good.write_text(HEADER + row("a"))
    pretend_checked(engine, settings, good)
    (tmp_path / "part-2.csv").write_text("sku,category\nb,shirt\n")
    with pytest.raises(ExportError, match=r"part-2\.csv has no column 'image_url'"):
        plan_run(engine, settings, Run("dag/1", f"{tmp_path}/part-*.csv", date(2026, 11, 20)))
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(looks)).scalar_one() == 0


def test_planning_a_run_again_changes_nothing(engine: Engine, plan_export: PlanExport) -> None:
    rows = [row(f"sku-{number}") for number in range(25)] + [row("bad", image="")]
    first = plan_export(rows)
    assert plan_export(rows) == first
    with engine.connect() as connection:
        counts = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (looks, run_looks, garment_looks, rejections, batches, runs)
        ]
    assert counts == [25, 25, 25, 1, 3, 1]


def test_a_look_that_has_ended_is_not_planned_again(engine: Engine, plan_export: PlanExport) -> None:
    plan_export([row("a"), row("b")])
    with engine.begin() as connection:
        for state in ("SUBMITTING", "SUBMITTED", "SUCCEEDED", "PUBLISHED"):
            connection.execute(update(looks).values(state=state))
    plan = plan_export([row("a"), row("b"), row("c")], run_id="dag/2", day="2026-11-21")
    assert (plan.looks, plan.new, len(plan.batch_ids)) == (3, 1, 1)
    assert plan_export([row("a")], run_id="dag/3", day="2026-11-22").batch_ids == ()


def test_what_a_dead_run_planned_is_taken_over_by_the_next(engine: Engine, plan_export: PlanExport) -> None:
    plan_export([row("a"), row("b")])
    taken = plan_export([row("b"), row("c")], run_id="dag/2")
    with engine.connect() as connection:
        of_run = select(func.count()).select_from(looks.join(batches, batches.c.id == looks.c.batch_id))
        assert connection.execute(of_run.where(batches.c.run_id == "dag/1")).scalar_one() == 1
        assert connection.execute(of_run.where(batches.c.run_id == "dag/2")).scalar_one() == 2
    assert (taken.new, len(taken.batch_ids)) == (2, 1)


def test_a_batch_holds_looks_of_one_fit_type_in_the_order_of_the_export(
    engine: Engine, plan_export: PlanExport
) -> None:
    plan_export([row(f"sku-{number}", "dress" if number % 3 == 0 else "shirt") for number in range(40)])
    with engine.connect() as connection:
        found = connection.execute(
            select(looks.c.batch_id, looks.c.fit_type, looks.c.tops_image).order_by(
                looks.c.batch_id, looks.c.position
            )
        ).all()
    kinds: dict[int, set[str]] = {}
    for look in found:
        kinds.setdefault(look.batch_id, set()).add(look.fit_type)
    assert sorted(len(kind) for kind in kinds.values()) == [1] * 5
    numbers = [int(look.tops_image.rpartition("-")[2].removesuffix(".png")) for look in found]
    of_dresses = [number for number in numbers if number % 3 == 0]
    assert of_dresses == sorted(of_dresses)


def test_a_batch_is_one_submission(engine: Engine, plan_export: PlanExport, settings: Settings) -> None:
    assert settings.batches.size_for(1000) == 1
    plan = plan_export([row(f"sku-{number}") for number in range(95)])
    assert len(plan.batch_ids) == 10


def test_an_older_export_does_not_take_a_garment_back_to_its_old_look(
    engine: Engine, plan_export: PlanExport
) -> None:
    plan_export([row("a", image="https://pictures.example/new.png")], "dag/new", "2026-11-20")
    plan_export([row("a", image="https://pictures.example/old.png")], "dag/old", "2026-11-01")
    with engine.connect() as connection:
        shown = (
            connection.execute(
                select(looks.c.tops_image).join(garment_looks, garment_looks.c.look_key == looks.c.key)
            )
            .scalars()
            .all()
        )
    assert shown == ["https://pictures.example/new.png"]


def test_a_garment_with_fewer_looks_than_before_keeps_none_of_the_old_ones(
    engine: Engine, plan_export: PlanExport
) -> None:
    plan_export([row("a")])
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tryon.garment_looks (sku, position, look_key, title, collection, export_date, run_id) "
                "SELECT sku, 1, look_key, title, collection, export_date, run_id FROM tryon.garment_looks"
            )
        )
    plan_export([row("a")], "dag/2", "2026-11-21")
    with engine.connect() as connection:
        assert connection.execute(select(garment_looks.c.position)).scalars().all() == [0]


def test_a_garment_that_loses_a_look_loses_its_pictures_in_the_shop_too(
    engine: Engine, plan_export: PlanExport, settings: Settings, tmp_path: Path
) -> None:
    cleo = RosterModel(name="cleo", image="https://pictures.example/cleo.png", tags=["women"])
    roster = settings.roster.model_copy(update={"models": (*settings.roster.models, cleo)})
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO catalogue (sku) VALUES ('a')"))
        store_images(connection, [good_image(cleo.image)])
    plan_export([row("a")])
    export = str(tmp_path / "dag-1.csv")
    both = settings.model_copy(update={"roster": roster})
    plan_run(engine, both, Run("dag/2", export, date(2026, 11, 21)))
    with engine.begin() as connection:
        for state in ("SUBMITTING", "SUBMITTED", "SUCCEEDED", "PUBLISHED"):
            connection.execute(update(looks).values(state=state))
        connection.execute(
            text(
                "INSERT INTO tryon.pictures (look_key, number, path, url, sha256, bytes, width, height) "
                "SELECT key, 0, model, model, '', 1, 1, 1 FROM tryon.looks"
            )
        )
    close_run(engine, both, "dag/2")
    shown = text("SELECT picture_urls FROM catalogue")
    with engine.connect() as connection:
        assert connection.execute(shown).scalar_one() == ["anna", "cleo"]
    plan_run(engine, settings, Run("dag/3", export, date(2026, 11, 22)))
    close_run(engine, settings, "dag/3")
    with engine.connect() as connection:
        assert connection.execute(shown).scalar_one() == ["anna"]


def test_a_look_that_gets_another_place_leaves_the_one_before(
    engine: Engine, plan_export: PlanExport, settings: Settings, tmp_path: Path
) -> None:
    plan_export([row("a"), row("b")])
    broken = RosterModel(name="cleo", image="https://pictures.example/cleo.png", tags=["women"])
    roster = settings.roster.model_copy(update={"models": (broken, *settings.roster.models)})
    changed = settings.model_copy(update={"roster": roster})
    with engine.begin() as connection:
        facts = {"rule": "too_small", "measured": "9 px", "limit": "150 px", "advice": "take a larger one"}
        store_images(connection, [good_image(broken.image, **facts)])
    plan_run(engine, changed, Run("dag/2", str(tmp_path / "dag-1.csv"), date(2026, 11, 21)))
    with engine.connect() as connection:
        found = connection.execute(select(garment_looks.c.sku, garment_looks.c.position).order_by("sku"))
        assert found.all() == [("a", 1), ("b", 1)]


def test_runs_that_plan_the_same_export_at_once_share_its_looks(
    engine: Engine, plan_export: PlanExport
) -> None:
    rows = [row(f"sku-{number}") for number in range(200)]
    with ThreadPoolExecutor(4) as pool:
        plans = list(pool.map(lambda number: plan_export(rows, f"dag/{number}"), range(4)))
    assert all(plan.looks == 200 for plan in plans)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(looks)).scalar_one() == 200
        unassigned = select(func.count()).select_from(looks).where(looks.c.batch_id.is_(None))
        assert connection.execute(unassigned).scalar_one() == 0


def walk(engine: Engine, *states: LookState) -> None:
    with engine.begin() as connection:
        for state in states:
            accepted = {"attempts": looks.c.attempts + 1} if state is LookState.SUBMITTED else {}
            connection.execute(update(looks).values(state=state.value, **accepted))


SENT_AND_FAILED = (LookState.SUBMITTING, LookState.SUBMITTED, LookState.FAILED)


def test_a_failed_look_is_tried_again_by_later_runs_until_it_has_had_its_attempts(
    engine: Engine, plan_export: PlanExport, settings: Settings
) -> None:
    plan_export([row("a")])
    walk(engine, *SENT_AND_FAILED)
    assert plan_export([row("a")]).batch_ids == ()  # not by the run that failed it
    second = plan_export([row("a")], "dag/2")
    assert (second.new, len(second.batch_ids)) == (1, 1)
    walk(engine, *SENT_AND_FAILED)
    assert settings.safety.max_attempts == 2
    assert plan_export([row("a")], "dag/3").new == 0


def test_a_failed_look_that_nobody_asks_for_any_more_is_left_alone(
    engine: Engine, plan_export: PlanExport
) -> None:
    plan_export([row("a")])
    walk(engine, *SENT_AND_FAILED)
    plan_export([row("b")], "dag/2")
    with engine.connect() as connection:
        assert set(connection.execute(select(looks.c.state)).scalars()) == {"FAILED", "PLANNED"}


def test_what_a_person_has_given_up_is_not_tried_again(engine: Engine, plan_export: PlanExport) -> None:
    plan_export([row("a")])
    walk(engine, LookState.SUBMITTING, LookState.IN_DOUBT, LookState.FAILED)
    assert plan_export([row("a")], "dag/2").new == 0


def test_a_rejected_look_is_never_tried_again_by_itself(engine: Engine, plan_export: PlanExport) -> None:
    plan_export([row("a")])
    walk(engine, LookState.SUBMITTING, LookState.REJECTED)
    assert plan_export([row("a")], "dag/2").new == 0


def test_planning_a_run_anew_renews_the_moment_that_stops_are_held_against(
    engine: Engine, plan_export: PlanExport
) -> None:
    moments = []
    for _ in range(2):
        plan_export([row("a")])
        with engine.connect() as connection:
            moments.append(connection.execute(select(runs.c.planned_at)).scalar_one())
    assert moments[0] < moments[1]


def test_a_run_that_is_just_reading_the_same_export_does_not_keep_its_looks_from_another(
    engine: Engine, plan_export: PlanExport
) -> None:
    plan_export([row("a"), row("b")])
    with engine.begin() as reading:
        # What a row of run_looks that another run is about to commit holds on the look it names.
        reading.execute(select(looks.c.key).with_for_update(key_share=True, read=True))
        assert len(plan_export([row("a"), row("b")], "dag/2").batch_ids) == 1
        with engine.connect() as connection:
            assert set(
                connection.execute(
                    select(batches.c.run_id).join(looks, looks.c.batch_id == batches.c.id)
                ).scalars()
            ) == {"dag/2"}


def test_two_looks_of_one_key_in_one_export_are_one_look_of_two_garments(
    engine: Engine, plan_export: PlanExport
) -> None:
    plan = plan_export([row("a", image="https://p.example/x.png"), row("b", image="https://p.example/x.png")])
    assert (plan.looks, plan.new) == (1, 1)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(garment_looks)).scalar_one() == 2


MEASURE = """
import sys
from datetime import date
from pathlib import Path
from tryon_catalogue.ledger.database import engine_for
from tryon_catalogue.looks import LookState
from tryon_catalogue.planning.record import plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import load_settings
engine = engine_for(sys.argv[1], "tryon")
settings = load_settings(Path(sys.argv[2]))
settings = settings.model_copy(update={"export": settings.export.model_copy(update={"chunk_rows": 1000})})
plan = plan_run(engine, settings, Run("dag/large", sys.argv[3], date(2026, 11, 20)))
# Not ru_maxrss, which counts what the process was forked from.
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(plan.rows, plan.new, len(plan.batch_ids), int(peak) // 1024)
"""


def believe_tables_empty(engine: Engine) -> None:
    """Bring PostgreSQL's planner to where autovacuum leaves it when it looks while a first chunk is being written.

    From then on it takes each table for empty, however long it grows, and a join of two long tables compares every
    row of the one with every row of the other: hours, where no index keeps it from doing so.
    """
    with engine.begin() as connection:
        ours = connection.execute(
            text(
                "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'tryon'::regnamespace"
            )
        ).scalars()
        for table in ours.all():
            connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
            connection.execute(
                text("UPDATE pg_class SET reltuples = 0, relpages = 100 WHERE oid = CAST(:t AS regclass)"),
                {"t": table},
            )


def test_ten_times_the_rows_are_planned_in_little_more_memory(
    engine: Engine, settings_file: Path, tmp_path: Path
) -> None:
    """Ten times the rows may cost only a little more memory: the skus, not the rows."""
    peaks = {}
    for count in (1_000, 10_000):
        with engine.begin() as connection:
            connection.execute(text("TRUNCATE tryon.runs, tryon.looks CASCADE"))
        export = tmp_path / f"{count}.csv"
        with export.open("w") as file:
            file.write(HEADER)
            file.writelines(row(f"sku-{number}") for number in range(count))
        pretend_checked(engine, load_settings(settings_file), export)
        believe_tables_empty(engine)
        url = engine.url.render_as_string(hide_password=False)
        answer = subprocess.run(
            [sys.executable, "-c", MEASURE, url, str(settings_file), str(export)],
            check=True,
            capture_output=True,
            text=True,
        )
        rows, new, batch_count, peaks[count] = map(int, answer.stdout.split())
        assert (rows, new) == (count, count)
        assert batch_count <= 1000
    assert peaks[10_000] < peaks[1_000] + 20, peaks
