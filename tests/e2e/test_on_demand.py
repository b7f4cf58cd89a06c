"""Pictures on demand: through the REST API and the command line, with good input and with bad, and paid for once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.e2e.wardrobe import PERSON
from tests.e2e.world import Export, World
from tests.guards import GUARD
from tryon_catalogue.ledger.tables import garment_looks, looks, rejections
from tryon_demo.local.api import AirflowApiError, DagRun, RunState

DAG_ID = "tryon_on_demand"
MEN = 2  # models of the roster with that tag
PICTURES = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that was asked for something.

    Attributes:
        conf: What it was asked for.
    """

    world: World
    run_id: str
    conf: Mapping[str, Any]

    def end(self) -> DagRun:
        """Wait until it has ended, well or badly."""
        return self.world.scene.api.wait_for_run(DAG_ID, self.run_id, timeout=GUARD)

    def account(self) -> dict[str, Any]:
        """Read what its account says."""
        return dict(self.world.scene.api.xcom(DAG_ID, self.run_id, "account"))

    def tries(self, task_id: str) -> list[tuple[str | None, int]]:
        """Read the state of each instance of a task, and how often it was tried."""
        found = self.world.scene.api.task_instances(DAG_ID, self.run_id)
        return [(one.state, one.try_number) for one in found if one.task_id == task_id]

    def log(self, task_id: str) -> str:
        """Read what a task's first try has logged."""
        return self.world.scene.api.log(DAG_ID, self.run_id, task_id)


def ask(world: World, run_id: str, **conf: Any) -> Asked:
    """Ask for pictures through the REST API."""
    run = world.scene.api.trigger_dag(DAG_ID, conf=conf, run_id=run_id)
    return Asked(world, run.run_id, conf)


@dataclass(frozen=True, slots=True)
class Runs:
    """What was asked of one export of three garments that may be worn by anybody of the roster.

    Attributes:
        typed: Asked on the command line for two garments and one there is not, on men, two pictures each.
        dry: The same as a dry run, asked before.
        misspelled: Asked with a name that the form does not have.
        unknown: Asked for a garment that is not there.
        charged_before: Times each look of the first two garments was charged before anything was made again.
    """

    export: Export
    typed: Asked
    dry: Asked
    misspelled: Asked
    unknown: Asked
    charged_before: list[int]


@pytest.fixture(scope="module")
def runs(world: World) -> Runs:
    """Everything that was asked of one export, side by side; all of it has ended."""
    export = world.export("on-demand", 3)
    person = f"{world.wardrobe.url}/{PERSON}"
    export.path.write_text(export.path.read_text("utf-8").replace(person, ""), "utf-8")
    wanted = conf_of(export)
    dry = ask(world, "dry", **{**wanted, "dry_run": True})
    dry.end()
    misspelled = ask(world, "misspelled", export=str(export.path), sku=["x"])
    unknown = ask(world, "unknown", export=str(export.path), skus=["no-such-sku"])
    world.airflow_command("dags", "trigger", DAG_ID, "--run-id", "typed", "--conf", json.dumps(wanted))
    typed = Asked(world, "typed", wanted)
    for run in (typed, misspelled, unknown):
        run.end()
    return Runs(export, typed, dry, misspelled, unknown, charges(export))


def conf_of(export: Export) -> dict[str, Any]:
    """Ask for the first two garments, and for one there is not."""
    skus = [one.sku for one in export.garments[:2]]
    return {
        "export": str(export.path),
        "skus": [*skus, "no-such-sku"],
        "tag": "men",
        "inference_num": PICTURES,
    }


def charges(export: Export) -> list[int]:
    """Ask the sandbox how often it charged each look of the export."""
    tops = {garment.top for garment in export.garments}
    bill = export.world.scene.charges()["looks"]
    return [look["times"] for look in bill if look["tops_image"] in tops]


def skus_with_looks(export: Export) -> list[str]:
    with export.world.ledger.connect() as connection:
        found = connection.execute(
            select(garment_looks.c.sku, func.count())
            .join(looks, looks.c.key == garment_looks.c.look_key)
            .where(export.of_ours)
            .group_by(garment_looks.c.sku)
            .order_by(garment_looks.c.sku)
        ).all()
    return [sku for sku, count in found for _ in range(count)]


def test_whoever_asks_for_two_garments_on_men_gets_two_garments_on_men(runs: Runs) -> None:
    assert runs.typed.end().state is RunState.SUCCESS
    account = runs.typed.account()
    assert account["looks"] == {"PUBLISHED": 2 * MEN}
    assert account["uses"] == 2 * MEN * PICTURES
    assert "2 pictures a look" in account["asked_for"]
    assert runs.charged_before == [1] * 2 * MEN
    assert skus_with_looks(runs.export) == [one.sku for one in runs.export.garments[:2] for _ in range(MEN)]


def test_the_garment_that_is_not_there_is_named(runs: Runs) -> None:
    of_run = rejections.c.run_id == f"{DAG_ID}/typed"
    with runs.export.world.ledger.connect() as connection:
        (told,) = connection.execute(select(rejections).where(of_run)).all()
    assert told.rule == "unknown_sku"
    assert "no-such-sku" in told.reason


def test_a_dry_run_says_the_price_and_spends_nothing(runs: Runs) -> None:
    assert runs.dry.end().state is RunState.SUCCESS
    account = runs.dry.account()
    assert (account["would_make"], account["estimate"], account["uses"]) == (2 * MEN, "7.60", 0)
    assert [state for state, _ in runs.dry.tries("batch")] in ([], ["skipped"])
    log = runs.dry.log("plan")
    assert all(one.sku in log for one in runs.export.garments[:2])
    assert runs.export.garments[2].sku not in log


@pytest.mark.parametrize(
    "conf",
    [
        {"inference_num": 9},
        {"inference_num": "two"},
        {"skus": "a"},
        {"skus": [1]},
        {"tag": "children"},
        {"fit_type": "LEGS"},
        {"budget": -1},
        {"dry_run": "perhaps"},
        {"redo": "everything"},
    ],
    ids=str,
)
def test_what_the_form_can_tell_is_refused_before_there_is_a_run(world: World, conf: dict[str, Any]) -> None:
    with pytest.raises(AirflowApiError) as refused:
        ask(world, "refused", **conf)
    assert refused.value.status is not None
    assert 400 <= refused.value.status < 500


@pytest.mark.parametrize(
    ("which", "task_id", "words"),
    [
        (
            "misspelled",
            "export",
            "sku: a run cannot be asked for that; there are export, skus, collections, tag,",
        ),
        ("unknown", "preflight", "has no row of what was asked for: only sku no-such-sku."),
    ],
)
def test_what_only_the_run_can_tell_is_said_before_anything_is_planned_and_once(
    runs: Runs, which: str, task_id: str, words: str
) -> None:
    run: Asked = getattr(runs, which)
    assert run.end().state is RunState.FAILED
    assert run.tries(task_id) == [("failed", 1)]
    assert words in run.log(task_id)
    assert [tries for task in ("account", "verdict") for _, tries in run.tries(task) if tries > 1] == []


def test_what_is_made_again_is_paid_for_once_more_however_often_the_run_is_cleared(
    world: World, runs: Runs
) -> None:
    sku = runs.export.garments[0].sku
    again = ask(world, "again", **{**runs.typed.conf, "skus": [sku], "redo": "all"})
    assert again.end().state is RunState.SUCCESS
    assert again.account()["uses"] == MEN * PICTURES
    twice = sorted(charges(runs.export))
    world.scene.api.clear_run(DAG_ID, again.run_id)
    assert again.end().state is RunState.SUCCESS
    assert sorted(charges(runs.export)) == twice == [1] * MEN + [2] * MEN
