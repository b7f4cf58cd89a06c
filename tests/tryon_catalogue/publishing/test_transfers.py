"""The way from a link to the row of the shop: links die, transfers break, archives and tables refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.tryon_catalogue.helpers import states
from tests.tryon_catalogue.publishing.world import (
    Publish,
    Submit,
    files,
    kept,
    killed_in,
    shop_row,
)
from tryon_catalogue.settings import Settings
from tryon_sandbox.server import RunningSandbox


def test_dead_links_are_asked_for_anew_once_in_the_same_try(
    engine: Engine, submit: Submit, publish: Publish, vendor: RunningSandbox
) -> None:
    batch = submit(3)
    queries = vendor.charges().calls.query
    done = publish(batch, None, {"kind": "expire_early", "times": 1})
    assert (done.published, done.problems) == (3, [])
    assert vendor.charges().calls.query >= queries + 2


def test_links_that_die_at_once_are_a_problem_of_this_try_only(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(2)
    done = publish(batch, None, {"kind": "expire_early", "times": None})
    assert (done.published, len(done.problems)) == (0, 2)
    assert "sku-0" in done.problems[0]
    assert "HTTP 403" in done.problems[0]
    assert states(engine) == ["SUCCEEDED"] * 2
    assert publish(batch).published == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "truncate", "path": "result", "times": 2},
        {"kind": "reset_mid_body", "path": "result", "times": 2},
        {"kind": "close", "path": "result", "times": 2},
        {"kind": "http_5xx_empty", "path": "result", "times": 2},
        {"kind": "spoil_picture", "how": "not_a_picture", "times": 2},
    ],
    ids=lambda fault: str(fault["kind"]),
)
def test_a_broken_transfer_is_tried_again_a_few_times(
    engine: Engine, submit: Submit, publish: Publish, fault: dict[str, object]
) -> None:
    done = publish(submit(1), None, fault)
    assert (done.published, done.problems) == (1, [])


def test_a_transfer_that_stays_broken_leaves_the_look_to_the_next_try(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(2)
    done = publish(batch, None, {"kind": "truncate", "path": "result", "times": None})
    assert (done.published, len(done.problems)) == (0, 2)
    assert states(engine) == ["SUCCEEDED"] * 2
    assert publish(batch).published == 2


def test_a_crash_between_archive_and_commit_loses_and_repeats_nothing(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = submit(1)
    killed_in(monkeypatch, "write_garments", publish, batch)
    assert (states(engine), kept(engine), len(files(settings))) == (["SUCCEEDED"], [], 1)
    assert shop_row(engine, "sku-0").tryon_status is None
    assert publish(batch).published == 1
    assert (len(kept(engine)), len(files(settings))) == (1, 1)


def test_a_row_that_the_shops_table_refuses_keeps_only_its_own_look_back(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(3)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue ADD CHECK (sku <> 'sku-1' OR picture_url IS NULL)"))
    done = publish(batch)
    assert (done.published, len(done.problems)) == (2, 1)
    assert "sku-1" in done.problems[0]
    assert "catalogue_check" in done.problems[0]
    assert "UPDATE" not in done.problems[0]
    assert states(engine) == ["PUBLISHED", "SUCCEEDED", "PUBLISHED"]
    assert [row.shown for row in kept(engine)] == [True, False, True]


def test_a_garment_that_the_shops_key_cannot_hold_is_published_like_one_without_a_row(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(1)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE catalogue"))
        connection.execute(text("ALTER TABLE catalogue ALTER COLUMN sku TYPE bigint USING sku::bigint"))
    assert publish(batch).problems == []
    assert (states(engine), len(kept(engine))) == (["PUBLISHED"], 1)


def test_an_archive_that_takes_nothing_in_the_middle_of_a_run_keeps_what_is_paid_for_until_it_does(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, vendor: RunningSandbox
) -> None:
    batch = submit(2)
    paid = vendor.charges().uses
    archive = Path(settings.archive.path)
    # A file in its place: a read-only folder keeps out no root, as whom containers run tests.
    archive.write_text("nothing can be written below a file")
    done = publish(batch)
    assert (done.published, len(done.problems)) == (0, 2)
    assert all("could not be archived" in problem for problem in done.problems)
    assert (states(engine), kept(engine)) == (["SUCCEEDED"] * 2, [])
    archive.unlink()
    assert publish(batch).published == 2
    assert vendor.charges().uses == paid


def test_a_picture_that_cannot_be_archived_is_a_problem_of_its_look(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish
) -> None:
    batch = submit(2)
    folder = Path(settings.archive.path, "autumn")
    folder.mkdir(parents=True)
    Path(folder, "sku-0").write_text("a file where a folder is needed")
    done = publish(batch)
    assert (done.published, len(done.problems)) == (1, 1)
    assert "could not be archived" in done.problems[0]
    assert states(engine) == ["SUCCEEDED", "PUBLISHED"]
