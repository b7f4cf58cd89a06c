from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import Engine, select, text, update

from damo_tryon.hooks import DamoTryOnHook
from tests.tryon_catalogue.airflow_context import context, set_scene
from tests.tryon_catalogue.helpers import states, submit_now
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.errors import RunFailedError
from tryon_catalogue.exports import ExportMissingError
from tryon_catalogue.ledger.tables import garment_looks, looks, runs, submissions
from tryon_catalogue.planning import reserve
from tryon_catalogue.planning.approval_options import APPROVE_UP_TO, REJECT, AnswerError
from tryon_catalogue.planning.request import RequestError
from tryon_catalogue.publishing.publisher import PublishError
from tryon_catalogue.publishing.writeback import CatalogueError
from tryon_catalogue.reporting.asset import CATALOGUE_ALIAS
from tryon_catalogue.submission.journal import load_batch
from tryon_catalogue.workflow import tasks
from tryon_catalogue.workflow.context import ON_DEMAND
from tryon_sandbox.server import RunningSandbox

HEADER = "sku,title,collection,category,image_url,pants_url,mask_url,model_url\n"
InContext = Callable[..., Any]


@pytest.fixture
def in_context(
    engine: Engine,
    settings_file: Path,
    vendor: RunningSandbox,
    website: Website,
    monkeypatch: pytest.MonkeyPatch,
) -> InContext:
    """Stand in a task of the run ``dag/night``; ``in_context(**changes)`` changes what it finds around it."""
    set_scene(monkeypatch, settings_file, engine, vendor, website)
    exports = settings_file.parent / "exports"
    exports.mkdir()
    rows = "".join(f"sku-{n},,autumn,shirt,{website.url}/top-{n}.png,,,\n" for n in range(3))
    (exports / "2026-11-20.csv").write_text(f"{HEADER}{rows}bad,,autumn,shirt,,,,\n")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO catalogue (sku) VALUES ('sku-0'), ('sku-1'), ('sku-2'), ('bad')")
        )

    def stand(**changes: Any) -> Any:
        around = context(**changes)
        monkeypatch.setattr(tasks, "get_current_context", lambda: around)
        return around

    stand()
    return stand


def send(engine: Engine, batch_id: int) -> None:
    """Submit a batch and wait until the vendor has ended it."""
    batch = load_batch(engine, batch_id)
    hook = DamoTryOnHook()
    submit_now(engine, hook.submit, batch)
    with engine.connect() as connection:
        keys = connection.execute(select(submissions.c.result_key)).scalars().all()
    for key in keys:
        while not hook.query(key).ended:
            pass


def check_and_plan() -> list[int]:
    """Run the first two tasks of a night."""
    tasks.preflight()
    return tasks.plan()


def test_planning_gives_the_batches_of_the_dates_export(engine: Engine, in_context: InContext) -> None:
    planned = check_and_plan()
    assert len(planned) == 1
    assert tasks.plan() == planned
    assert states(engine) == ["PLANNED"] * 3
    with engine.connect() as connection:
        run = connection.execute(select(runs)).one()
    assert (run.id, run.export_date, run.rows_read) == ("dag/night", date(2026, 11, 20), 4)


def test_a_person_can_name_another_export(
    engine: Engine, in_context: InContext, tmp_path: Path, website: Website
) -> None:
    file = tmp_path / "exports" / "some.csv"
    file.write_text(f"{HEADER}sku-9,,autumn,shirt,{website.url}/top-9.png,,,\n")
    in_context(export=str(file))
    assert len(check_and_plan()) == 1
    assert len(states(engine)) == 1


def test_a_missing_export_is_told(in_context: InContext) -> None:
    in_context(logical_date=datetime(2026, 11, 19, tzinfo=UTC))
    for task in (tasks.preflight, tasks.plan):
        with pytest.raises(ExportMissingError, match=r"2026-11-19\.csv"):
            task()


def test_a_catalogue_that_is_not_as_the_settings_say_stops_the_run_before_it_is_planned(
    engine: Engine, in_context: InContext
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP COLUMN tryon_status"))
    with pytest.raises(CatalogueError, match="tryon_status"):
        tasks.preflight()
    assert states(engine) == []


def test_publishing_again_and_again_publishes_once(engine: Engine, in_context: InContext) -> None:
    (batch_id,) = check_and_plan()
    tasks.publish(batch_id, context())
    assert set(states(engine)) == {"PLANNED"}
    send(engine, batch_id)
    for _ in range(2):
        tasks.publish(batch_id, context())
        assert set(states(engine)) == {"PUBLISHED"}


def test_what_could_not_be_published_fails_the_task_and_names_each_look(
    engine: Engine, in_context: InContext, vendor: RunningSandbox
) -> None:
    (batch_id,) = check_and_plan()
    send(engine, batch_id)
    vendor.set_faults({"kind": "expire_early", "times": None})
    with pytest.raises(PublishError) as caught:
        tasks.publish(batch_id, context())
    assert "3 could not be published" in str(caught.value)
    assert [sku for sku in ("sku-0", "sku-1", "sku-2") if sku not in str(caught.value)] == []
    vendor.set_faults()
    tasks.publish(batch_id, context())
    assert set(states(engine)) == {"PUBLISHED"}


def test_an_account_is_green_with_its_counts(engine: Engine, in_context: InContext) -> None:
    (batch_id,) = check_and_plan()
    send(engine, batch_id)
    tasks.publish(batch_id, context())
    counts = tasks.account()
    assert (counts["looks"], counts["rows"], counts["rejected_rows"]) == ({"PUBLISHED": 3}, 4, 1)
    assert json.loads(json.dumps(counts)) == counts  # fit for an XCom
    tasks.verdict()


def test_an_account_that_changed_the_catalogue_is_an_event_of_the_asset(
    engine: Engine, in_context: InContext
) -> None:
    (batch_id,) = check_and_plan()
    send(engine, batch_id)
    tasks.publish(batch_id, context())
    around = in_context()
    tasks.account()
    (event,) = around["outlet_events"][CATALOGUE_ALIAS].asset_alias_events
    assert event.dest_asset_key.name == "tryon_catalogue"
    assert event.extra == {
        "run_id": "dag/night",
        "export_date": "2026-11-20",
        "published": 3,
        "rejected": 0,
        "failed": 0,
        "in_doubt": 0,
        "review": 0,
        "waiting": 0,
        "rejected_rows": 1,
        "uses": 3,
        "amount": "2.85",
        "currency": "CNY",
    }


def test_an_account_that_changed_nothing_is_no_event(in_context: InContext) -> None:
    around = in_context()
    tasks.begin_run(around)
    tasks.account()
    assert around["outlet_events"][CATALOGUE_ALIAS].asset_alias_events == []


def test_a_run_whose_export_was_never_read_is_red(in_context: InContext) -> None:
    tasks.begin_run(in_context())
    tasks.account()
    with pytest.raises(RunFailedError, match="not read to its end"):
        tasks.verdict()


def test_a_run_that_is_begun_again_is_not_judged_by_the_plan_it_had(in_context: InContext) -> None:
    tasks.begin_run(in_context())
    check_and_plan()
    tasks.begin_run(in_context())
    assert not tasks.account()["planned"]
    check_and_plan()
    assert tasks.account()["planned"]


def test_a_run_whose_plan_died_before_it_was_cut_is_red_until_it_is_cut(
    engine: Engine, in_context: InContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(reserve, "cut_run", Mock(side_effect=ConnectionError("the database is away")))
        for _ in range(2):
            with pytest.raises(ConnectionError):
                check_and_plan()
    closed = tasks.account()
    assert (closed["planned"], closed["cut"], closed["held"]) == (True, False, 3)
    with pytest.raises(RunFailedError, match="not decided what of it goes"):
        tasks.verdict()
    assert len(check_and_plan()) == 1
    assert tasks.account()["cut"]


def test_a_run_with_an_answer_that_means_nothing_is_red(in_context: InContext, settings_file: Path) -> None:
    settings_file.write_text(f"{settings_file.read_text()}\n[budget]\napprove_above = 1\n")
    assert not isinstance(check_and_plan(), list)
    with pytest.raises(AnswerError, match="without a number"):
        tasks.go_ahead(APPROVE_UP_TO, {}, "ada")
    tasks.account()
    with pytest.raises(RunFailedError, match="an answer that it can use"):
        tasks.verdict()


def test_a_run_of_which_a_person_lets_nothing_go_is_not_red_for_it(
    in_context: InContext, settings_file: Path
) -> None:
    settings_file.write_text(f"{settings_file.read_text()}\n[budget]\napprove_above = 1\n")
    check_and_plan()
    assert tasks.go_ahead(REJECT, {}, "ada") == []
    tasks.account()
    tasks.verdict()


def test_a_verdict_on_too_little_is_red_and_the_account_is_kept(
    engine: Engine, in_context: InContext
) -> None:
    check_and_plan()
    with engine.begin() as connection:
        connection.execute(update(looks).values(state="REJECTED", reason="refused"))
    tasks.account()
    with pytest.raises(RunFailedError, match="0 of 3 looks"):
        tasks.verdict()
    with engine.connect() as connection:
        assert connection.execute(select(runs.c.summary)).scalar_one()["looks"] == {"REJECTED": 3}


def test_what_is_planned_is_the_newest_export_that_was_checked(
    engine: Engine, settings_file: Path, website: Website, in_context: InContext
) -> None:
    pressed = datetime(2026, 11, 22, 9, tzinfo=UTC)
    around = in_context(dag_id=ON_DEMAND, logical_date=None, run_after=pressed, run_type="manual")
    tasks.begin_run(around)
    tasks.preflight()
    came = settings_file.parent / "exports" / "2026-11-21.csv"
    came.write_text(f"{HEADER}late,,autumn,shirt,{website.url}/top-9.png,,,\n")
    tasks.plan()
    with engine.connect() as connection:
        run = connection.execute(select(runs)).one()
        planned = (
            connection.execute(select(garment_looks.c.sku).order_by(garment_looks.c.sku)).scalars().all()
        )
    assert (run.export_date, run.looks_new) == (date(2026, 11, 20), 3)
    assert planned == ["sku-0", "sku-1", "sku-2"]
    # Begun again, it looks again.
    assert tasks.begin_run(around).run.export == str(came)


def test_a_person_who_asks_for_what_the_export_has_nothing_of_is_told_so_at_once(
    in_context: InContext,
) -> None:
    in_context(run_type="manual", collections=["sumer"])
    with pytest.raises(RequestError, match="has no row of what was asked for: only collection sumer"):
        tasks.preflight()


def test_a_night_of_a_season_may_have_nothing_of_a_collection(in_context: InContext) -> None:
    in_context(run_type="backfill", collections=["summer"])
    assert check_and_plan() == []
    account = tasks.account()
    assert (account["asked_for"], account["rows"]) == ("only collection summer", 0)


def test_a_parameter_that_nobody_knows_is_refused_by_the_first_task(in_context: InContext) -> None:
    in_context(sku=["sku-0"])
    with pytest.raises(RequestError, match="sku: a run cannot be asked for that"):
        tasks.preflight()


def test_a_dry_run_fans_out_to_nothing_and_gives_counts_and_the_price(in_context: InContext) -> None:
    in_context(run_type="manual", dry_run=True, skus=["sku-0", "sku-1"])
    assert check_and_plan() == []
    account = tasks.account()
    assert (account["would_make"], account["estimate"], account["uses"]) == (2, "1.90", 0)
