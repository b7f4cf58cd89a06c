"""Pictures that come back and are not as they should be: kept, kept out of the catalogue, and left to a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import Engine, select, text

from damo_tryon.hooks import DamoTryOnHook
from tests.tryon_catalogue.helpers import PlanBatch, some_looks, states, submit_now
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import looks, pictures, submissions
from tryon_catalogue.publishing import review
from tryon_catalogue.publishing.labels import read_label
from tryon_catalogue.publishing.publisher import Published, Publisher
from tryon_catalogue.publishing.writeback import RowRefusedError
from tryon_catalogue.reporting.account import close_run
from tryon_catalogue.reporting.notes import as_text, read_run_note
from tryon_catalogue.reporting.report.reading import read_report
from tryon_catalogue.settings import Settings
from tryon_catalogue.submission.journal import load_batch
from tryon_catalogue.submission.retry import NoSuchLookError
from tryon_sandbox.server import RunningSandbox

PERSON = Mover("mei")
Night = Callable[..., Published]


@pytest.fixture
def ours(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with an archive of their own."""
    archive = settings.archive.model_copy(update={"path": str(tmp_path / "archive")})
    return settings.model_copy(update={"archive": archive})


@pytest.fixture
def night(
    *,
    engine: Engine,
    ours: Settings,
    vendor: RunningSandbox,
    website: Website,
    plan_batch: PlanBatch,
) -> Night:
    """Submit looks and publish them into faults: ``night(count, *faults, pictures=1, **judgement settings)``."""

    def run(count: int, *faults: dict[str, Any], pictures: int = 1, **changes: Any) -> Published:
        changed = ours.model_copy(update={"judgement": ours.judgement.model_copy(update=changes)})
        wanted = [replace(look, inference_num=pictures) for look in some_looks(count, website.url)]
        batch, _ = plan_batch(wanted)
        hook = DamoTryOnHook()
        submit_now(engine, hook.submit, batch)
        with engine.connect() as connection:
            (key,) = connection.execute(select(submissions.c.result_key)).scalars()
        while not hook.query(key).ended:
            pass
        vendor.set_faults(*faults)
        try:
            return Publisher(engine, changed, lambda _: hook.query, Mover(batch.run_id)).publish_batch(batch)
        finally:
            vendor.set_faults()

    return run


def blank(**changes: Any) -> dict[str, Any]:
    return {"kind": "spoil_picture", "how": "blank", "path": "result", "times": None, **changes}


def shop_row(engine: Engine, sku: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(text("SELECT * FROM catalogue WHERE sku = :sku"), {"sku": sku}).one()


def test_a_bad_picture_is_kept_and_not_shown_and_the_others_are(engine: Engine, night: Night) -> None:
    done = night(2, blank(times=1))
    assert (done.published, done.review, done.problems) == (1, 1, [])
    with engine.connect() as connection:
        (waiting,) = review.open_reviews(connection)
        kept = connection.execute(select(pictures).where(pictures.c.look_key == waiting.key)).one()
    assert "picture 1" in waiting.reason
    assert Path(waiting.paths[0]).exists()
    assert (kept.score < 0.5, kept.verdict["one_colour"]["passed"]) == (True, False)
    (sku,) = waiting.skus
    assert (shop_row(engine, sku).tryon_status, shop_row(engine, sku).picture_url) == ("REVIEW", None)


def test_a_good_picture_has_its_score_and_says_what_it_is(engine: Engine, night: Night) -> None:
    assert night(1).published == 1
    with engine.connect() as connection:
        kept = connection.execute(select(pictures)).one()
    assert kept.score >= 0.5
    label = read_label(Path(kept.path).read_bytes())
    assert label is not None
    assert (label.sku, label.creator_tool) == ("sku-0", "Alibaba DAMO Academy virtual try-on")
    with Image.open(kept.thumbnail) as small:
        assert (small.format, max(small.size) <= 512) == ("JPEG", True)


def test_the_settings_may_publish_what_does_not_pass(engine: Engine, night: Night) -> None:
    done = night(1, blank(), below="publish")
    assert (done.published, done.review) == (1, 0)
    assert shop_row(engine, "sku-0").tryon_status == "PUBLISHED"


def test_of_several_pictures_the_best_is_put_first(engine: Engine, night: Night) -> None:
    done = night(1, blank(times=1), pictures=2, below="publish")
    assert done.published == 1
    with engine.connect() as connection:
        scores = connection.execute(select(pictures.c.score).order_by(pictures.c.number)).scalars().all()
    assert scores[0] >= 0.5 > scores[1]


def test_a_bad_picture_of_three_is_left_out_and_said_and_the_good_ones_are_shown(
    engine: Engine, ours: Settings, night: Night
) -> None:
    done = night(1, blank(times=1), pictures=3)
    assert (done.published, done.review) == (1, 0)
    with engine.connect() as connection:
        kept = connection.execute(select(pictures).order_by(pictures.c.number)).all()
        reason = connection.execute(select(looks.c.reason)).scalar_one()
    report = read_report(engine, ours.price, "dag/run")
    assert [(picture.shown, picture.doubts is None) for picture in kept] == [
        (True, True),
        (True, True),
        (False, False),
    ]
    # The number that is named is the number of the file.
    assert Path(kept[2].path).stem.endswith("-3")
    assert reason.startswith("1 of 3 pictures left out\npicture 3: ")
    assert shop_row(engine, "sku-0").picture_url == kept[0].url
    (look,) = report.looks
    assert [(picture.number, picture.left_out) for picture in look.pictures] == [
        (1, False),
        (2, False),
        (3, True),
    ]
    assert all(f"picture 3: {doubt}" in reason for doubt in look.pictures[2].doubts.splitlines())
    assert look.pictures[2].doubts


@pytest.mark.parametrize(
    ("at_least", "state"), [(1, "PUBLISHED"), (2, "PUBLISHED"), (3, "REVIEW"), (4, "REVIEW")]
)
def test_a_look_waits_for_a_person_when_too_few_of_its_pictures_are_good(
    engine: Engine, night: Night, at_least: int, state: str
) -> None:
    night(1, blank(times=1), pictures=3, at_least=at_least)
    assert states(engine) == [state]


def test_a_look_of_fewer_pictures_than_are_wanted_is_published_when_all_are_good(
    engine: Engine, night: Night
) -> None:
    night(1, pictures=2, at_least=4)
    assert states(engine) == ["PUBLISHED"]


def test_a_person_accepts_single_pictures_and_the_others_stay_out(
    engine: Engine, ours: Settings, night: Night
) -> None:
    night(1, blank(times=1), pictures=3, at_least=3)
    with pytest.raises(NoSuchLookError, match="has no new picture 4; it has pictures 1, 2, 3"):
        review.accept(engine, ours, ["sku-0"], PERSON, only=[1, 4])
    assert states(engine) == ["REVIEW"]
    review.accept(engine, ours, ["sku-0"], PERSON, only=[2])
    with engine.connect() as connection:
        shown = connection.execute(select(pictures.c.number).where(pictures.c.shown)).scalars().all()
        reason = connection.execute(select(looks.c.reason)).scalar_one()
    assert (states(engine), shown, reason) == (["PUBLISHED"], [1], "found good by mei: picture 2")


def test_nothing_is_judged_where_that_is_off(engine: Engine, night: Night) -> None:
    assert night(1, blank(), enabled=False).published == 1
    with engine.connect() as connection:
        assert connection.execute(select(pictures.c.score)).scalar_one() is None


def test_what_a_person_accepts_is_in_the_catalogue_at_once(
    engine: Engine, ours: Settings, night: Night
) -> None:
    night(1, blank())
    (key,) = review.accept(engine, ours, ["sku-0"], PERSON)
    assert states(engine) == ["PUBLISHED"]
    row = shop_row(engine, "sku-0")
    assert (row.tryon_status, Path(row.picture_url).exists()) == ("PUBLISHED", True)
    with engine.connect() as connection:
        told = connection.execute(
            text("SELECT run, reason FROM tryon.look_moves WHERE look_key = :key ORDER BY id DESC LIMIT 1"),
            {"key": key},
        ).one()
    assert tuple(told) == ("mei", "found good by mei")


def test_a_look_whose_row_the_shops_table_refuses_waits_still_and_the_others_are_published(
    engine: Engine, ours: Settings, night: Night
) -> None:
    night(3, blank())
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue ADD CHECK (sku <> 'sku-1' OR picture_url IS NULL)"))
    with pytest.raises(
        RowRefusedError, match="2 looks are published; these wait for review still: sku sku-1: "
    ):
        review.accept(engine, ours, ["sku-0", "sku-1", "sku-2"], PERSON)
    assert states(engine) == ["PUBLISHED", "REVIEW", "PUBLISHED"]
    assert shop_row(engine, "sku-2").tryon_status == "PUBLISHED"


def test_what_a_person_wants_made_again_is_planned(engine: Engine, night: Night) -> None:
    night(1, blank())
    assert len(review.remake(engine, ["sku-0"], PERSON)) == 1
    assert states(engine) == ["PLANNED"]


@pytest.mark.parametrize("name", ["sku-1", "nobody", "abc"])
def test_only_what_waits_for_review_is_meant(engine: Engine, ours: Settings, night: Night, name: str) -> None:
    night(2, blank(times=1))
    with engine.connect() as connection:
        (waiting,) = review.open_reviews(connection)
    other = next(sku for sku in ("sku-0", "sku-1") if sku not in waiting.skus)
    with pytest.raises(NoSuchLookError, match="REVIEW"):
        review.accept(engine, ours, [other if name == "sku-1" else name], PERSON)
    assert sorted(states(engine)) == ["PUBLISHED", "REVIEW"]


def test_pictures_that_are_archived_already_are_not_fetched_again(
    engine: Engine, ours: Settings, vendor: RunningSandbox, night: Night
) -> None:
    night(1)
    with engine.begin() as connection:  # as after a try that died before it said what it had archived
        connection.execute(text("DELETE FROM tryon.pictures"))
        connection.execute(text("ALTER TABLE tryon.looks DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE tryon.looks SET state = 'SUCCEEDED'"))
        connection.execute(text("ALTER TABLE tryon.looks ENABLE TRIGGER USER"))
        connection.execute(text("UPDATE tryon.submissions SET state = 'SUBMITTED'"))
        batch_id = connection.execute(text("SELECT id FROM tryon.batches")).scalar_one()
    vendor.set_faults({"kind": "http_5xx_empty", "path": "result", "status": 503, "times": None})
    publisher = Publisher(engine, ours, lambda conn_id: DamoTryOnHook(conn_id).query, Mover("dag/run"))
    assert publisher.publish_batch(load_batch(engine, batch_id)).published == 1
    with engine.connect() as connection:
        assert Path(connection.execute(select(pictures.c.path)).scalar_one()).exists()


def test_pictures_that_cannot_be_fetched_for_too_long_are_left_to_a_person(
    engine: Engine, ours: Settings, vendor: RunningSandbox, night: Night
) -> None:
    gone = {"kind": "truncate", "path": "result", "times": None}
    assert len(night(1, gone).problems) == 1
    with engine.begin() as connection:
        connection.execute(text("UPDATE tryon.looks SET moved_at = now() - interval '25 hours'"))
        batch_id = connection.execute(text("SELECT id FROM tryon.batches")).scalar_one()
    vendor.set_faults(gone)
    done = Publisher(
        engine, ours, lambda conn_id: DamoTryOnHook(conn_id).query, Mover("dag/run")
    ).publish_batch(load_batch(engine, batch_id))
    assert (done.review, done.problems) == (1, [])
    with engine.connect() as connection:
        (waiting,) = review.open_reviews(connection)
    assert "could not be fetched for too long" in waiting.reason
    assert "`tryon review collect`" in waiting.reason


def test_a_look_without_a_new_picture_cannot_be_accepted_and_nothing_changes(
    engine: Engine, ours: Settings, night: Night
) -> None:
    night(2, blank())
    with engine.begin() as connection:
        first = connection.execute(text("SELECT key FROM tryon.looks WHERE position = 0")).scalar_one()
        connection.execute(text("DELETE FROM tryon.pictures WHERE look_key = :key"), {"key": first})
    with pytest.raises(NoSuchLookError, match=rf"(?s){first[:10]}: picture 1.*`tryon review again LOOK...`"):
        review.accept(engine, ours, ["sku-0", "sku-1"], PERSON)
    assert states(engine) == ["REVIEW", "REVIEW"]
    assert shop_row(engine, "sku-0").tryon_status == "REVIEW"
    with engine.connect() as connection:
        told = as_text(read_run_note(engine, close_run(engine, ours, "dag/run")))
    assert f"tryon review collect {first[:10]}" in told
    review.accept(engine, ours, ["sku-1"], PERSON)
    assert len(review.remake(engine, ["sku-0"], PERSON)) == 1


def test_the_old_pictures_of_a_look_made_again_are_not_accepted_in_place_of_new_ones(
    engine: Engine, ours: Settings, night: Night
) -> None:
    night(1)
    with engine.begin() as connection:  # made again, and its new pictures could not be had
        for state in ("PLANNED", "SUBMITTING", "SUBMITTED", "SUCCEEDED", "REVIEW"):
            connection.execute(text("UPDATE tryon.looks SET state = :state"), {"state": state})
    with pytest.raises(NoSuchLookError, match="no new picture"):
        review.accept(engine, ours, ["sku-0"], PERSON)
    assert states(engine) == ["REVIEW"]


def test_the_account_of_a_run_says_what_waits_for_review_and_how_to_accept_it(
    engine: Engine, ours: Settings, night: Night
) -> None:
    night(1, blank())
    told = as_text(read_run_note(engine, close_run(engine, ours, "dag/run")))
    with engine.connect() as connection:
        (waiting,) = review.open_reviews(connection, "dag/run")
        assert review.open_reviews(connection, "dag/another") == []
    assert f"tryon review accept {waiting.key[:10]}" in told
    assert "sku-0 on anna: picture 1" in told
