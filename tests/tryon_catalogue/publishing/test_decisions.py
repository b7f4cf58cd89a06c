"""What people decide in review, picture by picture, with reasons; and taking it back."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text, update

from tests.tryon_catalogue.desk.shop_floor import Piece, catalogue_row, furnish
from tests.tryon_catalogue.helpers import states
from tryon_catalogue.ledger.decisions import Reason, Word, claim
from tryon_catalogue.ledger.moves import Mover, move
from tryon_catalogue.ledger.tables import claims, decisions, looks, pictures
from tryon_catalogue.looks import LookState
from tryon_catalogue.publishing.review import (
    CannotUndoError,
    accept,
    recollect,
    refuse,
    remake,
    undo,
)
from tryon_catalogue.settings import Settings
from tryon_catalogue.submission.retry import NoSuchLookError

MEI, BEN = Mover("mei"), Mover("ben")
THREE = Piece("TS-1", made=("", "colours", ""), before=1)


@pytest.fixture
def key(engine: Engine, settings: Settings) -> str:
    """A look of three pictures, the second of which is bad; the catalogue shows one from before."""
    return furnish(engine, settings, [THREE])[0]


def rows(engine: Engine) -> list[tuple[bool, int]]:
    """Each picture of the ledger: whether it is shown, and its number."""
    with engine.connect() as connection:
        found = connection.execute(
            select(pictures.c.shown, pictures.c.number).order_by(pictures.c.shown, pictures.c.number)
        )
        return [(row.shown, row.number) for row in found]


def seen(engine: Engine) -> Any:
    with engine.connect() as connection:
        return connection.execute(select(looks.c.moved_at)).scalar_one()


def test_good_pictures_of_a_look_go_to_the_catalogue_and_a_bad_one_is_left_out(
    engine: Engine, settings: Settings, key: str
) -> None:
    assert accept(engine, settings, [key], MEI, Word(numbers=frozenset({0, 2}))) == [key]
    assert rows(engine) == [(False, 1), (True, 0), (True, 2)]
    row = catalogue_row(engine, "TS-1")
    assert row.picture_urls == [f"https://cdn.example/{key[:10]}-b-{n}.jpg" for n in (1, 3)]
    assert row.tryon_status == "PUBLISHED"
    with engine.connect() as connection:
        reason = connection.execute(select(looks.c.reason)).scalar_one()
    assert reason == "found good by mei (picture 1, 3 of 3)"


@pytest.mark.parametrize("numbers", [set(), {3}, {0, 9}])
def test_a_picture_that_is_not_there_is_not_accepted(
    engine: Engine, settings: Settings, key: str, numbers: set[int]
) -> None:
    with pytest.raises(NoSuchLookError, match="its new pictures are 1, 2, 3"):
        accept(engine, settings, [key], MEI, Word(numbers=frozenset(numbers)))
    assert states(engine) == ["REVIEW"]


def test_a_decision_keeps_person_reasons_and_note(engine: Engine, settings: Settings, key: str) -> None:
    word = Word(reasons=(Reason.COLOUR, Reason.LENGTH), note="a sleeve is missing")
    refuse(engine, settings, [key], MEI, word)
    with engine.connect() as connection:
        kept = connection.execute(select(decisions)).one()
        reason = connection.execute(select(looks.c.reason)).scalar_one()
    assert (kept.person, kept.action, kept.reasons, kept.note) == (
        "mei",
        "refuse",
        ["colour", "length"],
        "a sleeve is missing",
    )
    assert reason == "refused by mei: colour, length or sleeve; a sleeve is missing"
    row = catalogue_row(engine, "TS-1")
    assert row.tryon_status == "FAILED"
    assert "refused by mei: colour" in row.tryon_detail


def test_what_is_refused_keeps_the_pictures_from_before(engine: Engine, settings: Settings, key: str) -> None:
    refuse(engine, settings, [key], MEI)
    assert catalogue_row(engine, "TS-1").picture_url == f"https://cdn.example/{key[:10]}-a-1.jpg"


def test_an_acceptance_is_taken_back_with_every_picture(engine: Engine, settings: Settings, key: str) -> None:
    before = rows(engine)
    accept(engine, settings, [key], MEI, Word(numbers=frozenset({0})))
    assert undo(engine, settings, MEI) == key
    assert rows(engine) == before
    assert states(engine) == ["REVIEW"]
    row = catalogue_row(engine, "TS-1")
    assert row.picture_url == f"https://cdn.example/{key[:10]}-a-1.jpg"
    assert row.tryon_status == "REVIEW"
    accept(engine, settings, [key], MEI)
    assert len(catalogue_row(engine, "TS-1").picture_urls) == 3


def test_the_first_acceptance_of_a_garment_that_is_taken_back_leaves_its_row_without_a_picture(
    engine: Engine, settings: Settings
) -> None:
    furnish(engine, settings, [Piece("TS-2")])
    accept(engine, settings, ["TS-2"], MEI)
    assert catalogue_row(engine, "TS-2").picture_url
    undo(engine, settings, MEI)
    row = catalogue_row(engine, "TS-2")
    assert (row.picture_url, row.picture_urls) == (None, None)


@pytest.mark.parametrize("decide", ["remake", "refuse"])
def test_a_remake_and_a_refusal_are_taken_back(
    engine: Engine, settings: Settings, key: str, decide: str
) -> None:
    before = rows(engine)
    if decide == "remake":
        remake(engine, [key], MEI)
    else:
        refuse(engine, settings, [key], MEI)
    undo(engine, settings, MEI)
    assert (states(engine), rows(engine)) == (["REVIEW"], before)
    with engine.connect() as connection:
        assert "picture 2: colours" in connection.execute(select(looks.c.reason)).scalar_one()


def test_one_person_does_not_take_back_what_another_decided(
    engine: Engine, settings: Settings, key: str
) -> None:
    accept(engine, settings, [key], BEN)
    with pytest.raises(CannotUndoError, match="no decision of mei"):
        undo(engine, settings, MEI)


def test_a_decision_is_taken_back_once(engine: Engine, settings: Settings, key: str) -> None:
    accept(engine, settings, [key], MEI)
    undo(engine, settings, MEI)
    with pytest.raises(CannotUndoError):
        undo(engine, settings, MEI)


def test_a_remake_that_a_run_has_reserved_is_not_taken_back(
    engine: Engine, settings: Settings, key: str
) -> None:
    remake(engine, [key], MEI)
    with engine.begin() as connection:
        batch = connection.execute(text("SELECT max(id) FROM tryon.batches")).scalar_one()
        connection.execute(text("UPDATE tryon.runs SET ended_at = NULL, opened_at = now()"))
        connection.execute(update(looks).values(batch_id=batch))
    with pytest.raises(CannotUndoError, match="Something has come of"):
        undo(engine, settings, MEI)
    assert states(engine) == ["PLANNED"]


def test_what_was_sent_since_is_not_taken_back(engine: Engine, settings: Settings, key: str) -> None:
    remake(engine, [key], MEI)
    with engine.begin() as connection:
        move(connection, looks.c.key == key, LookState.SUBMITTING, Mover("dag/run"))
    with pytest.raises(CannotUndoError):
        undo(engine, settings, MEI, key[:8])


def test_asking_the_vendor_once_more_is_free_and_not_taken_back(engine: Engine, settings: Settings) -> None:
    furnish(engine, settings, [Piece("TS-3", made=())])
    recollect(engine, ["TS-3"], MEI)
    with pytest.raises(CannotUndoError, match="free"):
        undo(engine, settings, MEI)


def test_a_decision_on_pictures_that_were_made_again_since_is_refused(
    engine: Engine, settings: Settings, key: str
) -> None:
    word = Word(seen=seen(engine))
    remake(engine, [key], BEN)
    undo(engine, settings, BEN)
    with pytest.raises(NoSuchLookError, match="since you saw it"):
        accept(engine, settings, [key], MEI, word)
    assert accept(engine, settings, [key], MEI, Word(seen=seen(engine))) == [key]


def test_no_run_makes_by_itself_what_a_person_refused(engine: Engine, settings: Settings, key: str) -> None:
    from tryon_catalogue.planning import record as planning
    from tryon_catalogue.planning.runs import Run

    refuse(engine, settings, [key], MEI)
    with engine.begin() as connection:
        connection.execute(
            update(looks).values(batch_id=text("(SELECT max(id) FROM tryon.batches)"), attempts=0)
        )
        other = Run("tryon_nightly/next", "export.csv", None)  # type: ignore[arg-type]  # of no date
        planning._retry_failed(connection, settings.safety, other, [key])
    assert states(engine) == ["FAILED"]


def test_a_look_is_kept_for_whoever_is_shown_it_until_that_runs_out(
    engine: Engine, settings: Settings, key: str
) -> None:
    with engine.begin() as connection:
        assert claim(connection, [key], "mei") == [key]
        assert claim(connection, [key], "ben") == []
        assert claim(connection, [key], "mei") == [key]
        connection.execute(update(claims).values(until=func.now() - text("interval '1 second'")))
        assert claim(connection, [key], "ben") == [key]
    accept(engine, settings, [key], BEN)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(claims)).scalar_one() == 0
