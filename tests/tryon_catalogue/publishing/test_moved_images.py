"""Images whose addresses change every night, as signed ones do: what was paid for is collected all the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from damo_tryon.contract import Answer, FitType, TryOnTask
from damo_tryon.errors import OutcomeUnknownError
from damo_tryon.hooks import DamoTryOnHook
from tests.tryon_catalogue.helpers import good_image, quick_gate, states, submit_now
from tests.tryon_catalogue.planning.test_record import HEADER
from tests.tryon_catalogue.publishing.world import Publish, submission_states
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.images import store_images, url_sha256
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import looks, submissions
from tryon_catalogue.planning.preflight.run import images_of_export
from tryon_catalogue.planning.record import plan_run, record_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.settings import Price, Settings
from tryon_catalogue.submission.doubts import open_doubts, record_found
from tryon_catalogue.submission.gate import Gate
from tryon_catalogue.submission.journal import Batch, load_batch, sent_tasks
from tryon_sandbox.server import RunningSandbox

Night = Callable[[int], Run]
TRUNCATED = {"kind": "truncate", "path": "result", "times": None}


@pytest.fixture
def night(engine: Engine, settings: Settings, tmp_path: Path, website: Website) -> Night:
    """Write the export of a night, in which the same pictures have other addresses: ``night(21) -> run``."""

    def go(day: int) -> Run:
        file = tmp_path / f"{day}.csv"
        rows = (
            f"sku-{n},T,autumn,shirt,{website.url}/top-{n}.png?sig={day},,,{website.url}/anna.png?sig={day}\n"
            for n in range(2)
        )
        file.write_text(HEADER + "".join(rows))
        for images in images_of_export(settings, str(file)):
            with engine.begin() as connection:
                store_images(
                    connection,
                    [
                        good_image(url, role, sha256=url_sha256(url.partition("?")[0]))
                        for url, role in images.keys
                    ],
                )
        return Run(f"night/{day}", str(file), date(2026, 11, day))

    return go


@pytest.fixture
def gate(engine: Engine, settings: Settings, night: Night) -> Gate:
    """A gate at which a newer export is read while somebody waits: his batch has been read, and not been claimed."""
    gate = quick_gate(engine)
    take_turn = gate.take_turn

    def take_turn_late(run_id: str) -> None:
        take_turn(run_id)
        record_run(engine, settings, night(21))

    gate.take_turn = take_turn_late  # type: ignore[method-assign]  # the other run comes at the worst moment
    return gate


def planned(engine: Engine, settings: Settings, run: Run) -> Batch:
    (batch_id,) = plan_run(engine, settings, run).batch_ids
    return load_batch(engine, batch_id)


def nights_sent(engine: Engine) -> list[set[str]]:
    """For each submission, whose night's addresses it sent."""
    with engine.connect() as connection:
        found = connection.execute(select(submissions.c.id).order_by(submissions.c.id)).scalars().all()
    return [
        {url.rpartition("=")[2] for task in sent_tasks(engine, one) for url in task.to_wire().values()}
        for one in found
    ]


def test_a_look_that_is_planned_again_from_new_addresses_does_not_keep_its_neighbours_back(
    engine: Engine, settings: Settings, vendor: RunningSandbox, night: Night, publish: Publish
) -> None:
    batch = planned(engine, settings, night(20))
    vendor.set_faults({"kind": "fail_sub_task", "index": 0})
    submit_now(engine, DamoTryOnHook().submit, batch)
    first = publish(batch, None, TRUNCATED)
    assert (first.failed, len(first.problems)) == (1, 1)
    again = planned(engine, settings, night(21))
    assert states(engine) == ["PLANNED", "SUCCEEDED"]
    second = publish(batch)
    assert (second.published, second.problems) == (1, [])
    submit_now(engine, DamoTryOnHook().submit, again)
    assert publish(again).published == 1
    assert nights_sent(engine) == [{"20"}, {"21"}]
    assert publish(batch).problems == []  # as the recovery does
    assert submission_states(engine) == {"COLLECTED": 2}


@pytest.mark.usefixtures("vendor")
def test_what_is_sent_while_a_newer_export_is_read_is_remembered_as_it_was_sent(
    engine: Engine, settings: Settings, night: Night, gate: Gate, publish: Publish
) -> None:
    batch = planned(engine, settings, night(20))
    submit_now(engine, DamoTryOnHook().submit, batch, gate=gate)
    with engine.connect() as connection:
        assert all(url.endswith("=21") for url in connection.execute(select(looks.c.tops_image)).scalars())
    assert nights_sent(engine) == [{"20"}]
    done = publish(batch)
    assert (done.published, done.problems) == (2, [])


@pytest.mark.usefixtures("vendor")
def test_a_doubt_is_settled_by_the_key_of_what_was_sent(
    engine: Engine, settings: Settings, night: Night, gate: Gate, publish: Publish
) -> None:
    batch = planned(engine, settings, night(20))
    keys: list[str] = []

    def lose_the_answer(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        keys.append(DamoTryOnHook().submit(tasks, fit_type, inference_num).result_key)
        raise OutcomeUnknownError("the answer timed out")

    submit_now(engine, lose_the_answer, batch, gate=gate)
    with engine.connect() as connection:
        (doubt,) = open_doubts(connection)
    found = record_found(
        engine, lambda _: DamoTryOnHook().query, doubt.id, keys[0], by=Mover("ada"), price=Price()
    )
    assert found == 2
    assert publish(batch).published == 2
