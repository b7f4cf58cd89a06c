"""What is paid for and hangs: the vendor knows its key no more, its links are dead, the shop's row is refused."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, event, select, text, update

from damo_tryon.contract import Answer, SubTaskStatus
from damo_tryon.hooks import DamoTryOnHook
from tests.tryon_catalogue.helpers import nobody_knows, states
from tests.tryon_catalogue.publishing.world import (
    BLANK,
    Publish,
    SendAgain,
    Submit,
    files,
    grow_old,
    kept,
    killed_in,
    result_keys,
    shop_row,
    submission_states,
)
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import garment_looks, looks
from tryon_catalogue.publishing import review
from tryon_catalogue.settings import Settings
from tryon_catalogue.submission.retry import NoSuchLookError

PERSON = Mover("mei")
DEAD_LINKS = {"kind": "expire_early", "times": None}


@pytest.fixture(params=[True, False], ids=["labelled", "not labelled"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """The settings, with labels and without."""
    labels = settings.labels.model_copy(update={"enabled": request.param})
    return settings.model_copy(update={"labels": labels})


def shut(engine: Engine, *skus: str) -> None:
    """Let the shop's table refuse the row of sku-0, or of these, as soon as it says anything of a picture."""
    named = ", ".join(f"'{sku}'" for sku in skus or ["sku-0"])
    with engine.begin() as connection:
        connection.execute(
            text(
                f"ALTER TABLE catalogue ADD CONSTRAINT shut CHECK (sku NOT IN ({named}) OR "
                "tryon_status IS NULL OR tryon_status NOT IN ('PUBLISHED', 'REVIEW'))"
            )
        )


def put_right(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP CONSTRAINT shut"))


def failed(key: str) -> Answer:
    """The vendor's answer, had every sub-task failed."""
    answer = DamoTryOnHook().query(key)
    parts = [
        one.model_copy(update={"status": SubTaskStatus.FAILED, "results": ()}) for one in answer.sub_tasks
    ]
    return answer.model_copy(update={"sub_tasks": tuple(parts)})


def unpublished(engine: Engine, settings: Settings, submit: Submit, publish: Publish) -> None:
    """A look that is SUCCEEDED, of which nothing was fetched."""
    publish(submit(1), None, DEAD_LINKS)
    assert (states(engine), files(settings)) == (["SUCCEEDED"], [])


@pytest.mark.parametrize("made", [False, True])
def test_what_the_vendor_does_not_know_for_too_long_is_left_to_a_person_and_never_paid_again_by_itself(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, made: bool
) -> None:
    batch = submit(1)
    if made:
        publish(batch, None, DEAD_LINKS)
    before = states(engine)
    done = publish(batch, nobody_knows)
    assert (states(engine), len(done.problems), done.review) == (before, 1, 0)
    grow_old(engine)
    done = publish(batch, nobody_knows)
    assert (states(engine), done.problems, done.review) == (["REVIEW"], [], 1)
    assert submission_states(engine) == {"COLLECTED": 1}
    with engine.connect() as connection:
        (waiting,) = review.open_reviews(connection)
        assert connection.execute(select(looks.c.attempts)).scalar_one() == 1
    (key,) = result_keys(engine, batch)
    for words in (key, "24 hours", "connection damo_tryon", "support"):
        assert words in waiting.reason
    row = shop_row(engine, "sku-0")
    assert (row.tryon_status, row.picture_url) == ("REVIEW", None)
    assert key in str(row.tryon_detail)
    assert len(review.remake(engine, ["sku-0"], PERSON)) == 1


def test_what_was_asked_for_in_the_wrong_place_is_collected_on_a_persons_word_without_paying_again(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish
) -> None:
    batch = submit(2)
    grow_old(engine)
    publish(batch, nobody_knows)
    assert len(review.recollect(engine, ["sku-0"], PERSON)) == 1
    assert (states(engine), submission_states(engine)) == (["SUBMITTED", "REVIEW"], {"SUBMITTED": 1})
    assert len(publish(batch, nobody_knows).problems) == 1
    assert publish(batch).published == 1
    assert (states(engine), submission_states(engine)) == (["PUBLISHED", "REVIEW"], {"COLLECTED": 1})
    with engine.connect() as connection:
        assert set(connection.execute(select(looks.c.attempts)).scalars()) == {1}


def test_what_is_with_us_is_not_asked_for_again(engine: Engine, submit: Submit, publish: Publish) -> None:
    publish(submit(1), None, BLANK)
    with pytest.raises(NoSuchLookError, match="are with us"):
        review.recollect(engine, ["sku-0"], PERSON)
    assert states(engine) == ["REVIEW"]


def test_a_look_made_again_keeps_its_shown_pictures_when_its_new_key_is_forgotten(
    engine: Engine, submit: Submit, publish: Publish, send_again: SendAgain
) -> None:
    batch = submit(1)
    publish(batch)
    before = shop_row(engine, "sku-0").picture_url
    send_again(batch)
    grow_old(engine)
    publish(batch, nobody_knows)
    assert states(engine) == ["REVIEW"]
    assert shop_row(engine, "sku-0").picture_url == before
    assert [row.shown for row in kept(engine)] == [True]


def test_what_was_made_and_is_said_to_have_failed_for_too_long_is_left_to_a_person(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish
) -> None:
    batch = submit(1)
    publish(batch, None, DEAD_LINKS)
    assert "now says that it failed" in publish(batch, failed).problems[0]
    grow_old(engine)
    done = publish(batch, failed)
    assert (states(engine), done.problems, done.review, done.failed) == (["REVIEW"], [], 1, 0)


@pytest.mark.parametrize("fault", [None, DEAD_LINKS])
def test_pictures_whose_row_was_refused_are_published_without_the_vendor(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, fault: dict[str, object] | None
) -> None:
    batch = submit(2)
    shut(engine)
    assert len(publish(batch).problems) == 1
    assert states(engine) == ["SUCCEEDED", "PUBLISHED"]
    (waiting,) = (row for row in kept(engine) if not row.shown)
    with engine.begin() as connection:  # what a new picture would be named after has changed meanwhile
        connection.execute(update(garment_looks).values(collection="winter"))
    assert len(publish(batch, nobody_knows).problems) == 1
    put_right(engine)
    grow_old(engine)
    done = publish(batch, nobody_knows) if fault is None else publish(batch, None, fault)
    assert (done.published, done.problems, states(engine)) == (1, [], ["PUBLISHED"] * 2)
    assert shop_row(engine, "sku-0").picture_url == waiting.url
    assert [row.shown for row in kept(engine)] == [True, True]
    assert len(files(settings)) == 2
    assert submission_states(engine) == {"COLLECTED": 1}


def test_pictures_whose_row_was_refused_keep_what_speaks_against_them(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(1)
    shut(engine)
    publish(batch, None, BLANK)
    assert (states(engine), shop_row(engine, "sku-0").tryon_status) == (["SUCCEEDED"], None)
    put_right(engine)
    assert publish(batch, nobody_knows).review == 1
    with engine.connect() as connection:
        (waiting,) = review.open_reviews(connection)
    assert "picture 1" in waiting.reason
    assert len(waiting.paths) == 1


def test_pictures_that_were_archived_by_a_try_that_died_are_published_without_the_vendor(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = submit(1)
    killed_in(monkeypatch, "write_looks", publish, batch)
    assert (states(engine), kept(engine)) == (["SUCCEEDED"], [])
    (archived,) = files(settings)
    before = archived.read_bytes()
    assert publish(batch, nobody_knows).published == 1
    assert (files(settings), archived.read_bytes()) == ([archived], before)
    assert [row.path for row in kept(engine)] == [str(archived)]


def test_what_is_ready_together_is_committed_together(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(6)
    shut(engine, "sku-0", "sku-1", "sku-2", "sku-3", "sku-4", "sku-5")
    assert len(publish(batch).problems) == 6
    put_right(engine)
    moves: list[int] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE tryon.looks SET state"):
            moves.append(cursor.rowcount)  # type: ignore[attr-defined]  # the driver's own

    event.listen(engine, "after_cursor_execute", note)
    assert publish(batch, nobody_knows).published == 6
    assert moves == [6]


def test_pictures_that_a_person_refused_are_not_taken_for_those_of_the_next_submission(
    engine: Engine, submit: Submit, publish: Publish, send_again: SendAgain
) -> None:
    batch = submit(1)
    publish(batch, None, BLANK)
    review.remake(engine, ["sku-0"], PERSON)
    send_again(batch)
    publish(batch, None, DEAD_LINKS)
    assert len(publish(batch, nobody_knows).problems) == 1
    assert (states(engine), kept(engine)) == (["SUCCEEDED"], [])
    assert publish(batch).published == 1
