"""Two publishers beside each other, of which the slow one is overtaken: the look has been made again meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import Engine, update

from damo_tryon.contract import Answer, SubTaskStatus
from damo_tryon.hooks import DamoTryOnHook
from tests.tryon_catalogue.helpers import states
from tests.tryon_catalogue.publishing.world import (
    Publish,
    SendAgain,
    Submit,
    kept,
    submission_states,
    wait_for_vendor,
)
from tryon_catalogue.ledger.tables import looks
from tryon_catalogue.pictures.fetch import Fetched
from tryon_catalogue.publishing.postprocessing import Finished, Finisher, Made


def test_pictures_of_an_older_submission_do_not_take_the_place_of_those_that_are_to_come(
    engine: Engine,
    submit: Submit,
    publish: Publish,
    send_again: SendAgain,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch = submit(1)
    finish = Finisher.finish

    def slow(finisher: Finisher, made: Made, pictures: Sequence[Fetched]) -> Finished:
        finished = finish(finisher, made, pictures)
        monkeypatch.setattr(Finisher, "finish", finish)
        publish(batch)
        send_again(batch)
        wait_for_vendor(engine, batch)
        # Whoever collects the new submission has asked, and not yet fetched.
        with engine.begin() as connection:
            connection.execute(update(looks).values(state="SUCCEEDED"))
        return finished

    monkeypatch.setattr(Finisher, "finish", slow)
    assert publish(batch).published == 0
    old = [row.path for row in kept(engine)]
    assert states(engine) == ["SUCCEEDED"]
    assert publish(batch).published == 1
    assert [row.path for row in kept(engine)] != old
    assert submission_states(engine) == {"COLLECTED": 2}


@pytest.mark.parametrize("status", [SubTaskStatus.SUCCESS, SubTaskStatus.FAILED])
def test_what_is_said_of_an_older_submission_does_not_move_a_look_that_was_sent_again(
    engine: Engine, submit: Submit, publish: Publish, send_again: SendAgain, status: SubTaskStatus
) -> None:
    batch = submit(1)

    def slow(key: str) -> Answer:
        answer = DamoTryOnHook().query(key)
        if states(engine) == ["SUBMITTED"]:
            publish(batch)
            send_again(batch)
        (one,) = answer.sub_tasks
        results = one.results if status is SubTaskStatus.SUCCESS else ()
        sub_tasks = (one.model_copy(update={"status": status, "results": results}),)
        return answer.model_copy(update={"sub_tasks": sub_tasks})

    done = publish(batch, slow)
    assert (done.published, done.failed, done.review) == (0, 0, 0)
    assert states(engine) == ["SUBMITTED"]
    assert publish(batch).published == 1
    assert submission_states(engine) == {"COLLECTED": 2}
