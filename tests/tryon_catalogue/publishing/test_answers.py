"""What the vendor answers when it is asked what became of a submission, and what publishing makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, select, update

from damo_tryon.contract import Answer, SubTaskStatus
from damo_tryon.errors import CredentialsError, NotConnectedError, PackageUsedUpError, ThrottledError
from damo_tryon.hooks import DamoTryOnHook
from tests.tryon_catalogue.helpers import NO_LIMITS, quick_gate, some_looks, states
from tests.tryon_catalogue.publishing.world import (
    QUICK,
    Publish,
    Submit,
    kept,
    result_keys,
    shop_row,
    submission_states,
)
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import looks
from tryon_catalogue.publishing.publisher import FAILED_REASON
from tryon_catalogue.publishing.review import open_reviews
from tryon_catalogue.settings import Price
from tryon_catalogue.submission.batch import submit_batch
from tryon_catalogue.words import counted


def test_a_look_the_vendor_cannot_make_fails_with_a_reason_and_the_others_go_on(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    done = publish(submit(4, ({"kind": "fail_sub_task", "index": 2},)))
    assert (done.published, done.failed, done.problems) == (3, 1, [])
    assert states(engine) == ["PUBLISHED", "PUBLISHED", "FAILED", "PUBLISHED"]
    shop = shop_row(engine, "sku-2")
    assert (shop.tryon_status, shop.picture_url, shop.picture_urls) == ("FAILED", None, None)
    assert FAILED_REASON in str(shop.tryon_detail)
    assert submission_states(engine) == {"COLLECTED": 1}


def test_what_the_vendor_has_not_ended_waits_for_a_later_try(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(3)

    def half_done(key: str) -> Answer:
        answer = DamoTryOnHook().query(key)
        first, second, third = answer.sub_tasks
        running = first.model_copy(update={"status": SubTaskStatus.RUNNING, "results": ()})
        waiting = second.model_copy(update={"status": SubTaskStatus.WAITING, "results": ()})
        return answer.model_copy(update={"sub_tasks": (running, waiting, third)})

    done = publish(batch, half_done)
    assert (done.published, done.unfinished, done.problems) == (1, 2, [])
    assert states(engine) == ["SUBMITTED", "SUBMITTED", "PUBLISHED"]
    assert submission_states(engine) == {"SUBMITTED": 1}
    assert publish(batch).published == 2
    assert submission_states(engine) == {"COLLECTED": 1}


@pytest.mark.parametrize("kind", ["swap_results", "wrong_echo"])
def test_of_an_answer_that_does_not_fit_nothing_is_published_and_other_submissions_are(
    engine: Engine, submit: Submit, publish: Publish, kind: str
) -> None:
    batch = submit(13)
    done = publish(batch, None, {"kind": kind})
    assert (done.published, len(done.problems)) == (3, 1)
    assert result_keys(engine, batch)[0] in done.problems[0]
    assert states(engine) == ["SUBMITTED"] * 10 + ["PUBLISHED"] * 3
    assert len(kept(engine)) == 3
    assert publish(batch).published == 10


@pytest.mark.parametrize("number", [0, 1, 3])
def test_another_number_of_pictures_than_asked_for_is_kept_and_left_to_a_person(
    engine: Engine, submit: Submit, publish: Publish, website: Website, number: int
) -> None:
    batch = submit([replace(look, inference_num=2) for look in some_looks(2, website.url)])

    def other_number(key: str) -> Answer:
        answer = DamoTryOnHook().query(key)
        first, second = answer.sub_tasks
        some = (first.results * 2)[:number]
        return answer.model_copy(update={"sub_tasks": (first.model_copy(update={"results": some}), second)})

    done = publish(batch, other_number)
    assert (done.published, done.review, done.problems) == (1, 1, [])
    assert states(engine) == ["REVIEW", "PUBLISHED"]
    with engine.connect() as connection:
        (waiting,) = open_reviews(connection)
    assert f"{counted(number, 'picture')} came, 2 were asked" in waiting.reason
    assert (waiting.skus, len(waiting.paths)) == (("sku-0",), number)


def test_an_unknown_result_key_is_a_problem_of_its_submission_only(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(12)
    done = publish(batch, None, {"kind": "refuse", "path": "query", "code": 23500008})
    assert (done.published, len(done.problems)) == (2, 1)
    assert "23500008" in done.problems[0]
    assert result_keys(engine, batch)[0] in done.problems[0]
    assert states(engine) == ["SUBMITTED"] * 10 + ["PUBLISHED"] * 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "revoke_appcode"}, CredentialsError),
        ({"kind": "throttle", "path": "query", "times": None}, ThrottledError),
        ({"kind": "gateway_error", "code": "B403MQ", "times": None}, PackageUsedUpError),
    ],
    ids=["credentials", "throttled", "used up"],
)
def test_what_every_query_would_be_answered_ends_the_try_at_once(
    engine: Engine, submit: Submit, publish: Publish, fault: dict[str, object], error: type[Exception]
) -> None:
    batch = submit(11)
    with pytest.raises(error):
        publish(batch, None, fault)
    assert states(engine) == ["SUBMITTED"] * 11
    assert publish(batch).published == 11


def test_a_query_whose_answer_stays_broken_says_nothing_of_other_submissions(
    submit: Submit, publish: Publish
) -> None:
    done = publish(submit(12), None, {"kind": "close", "path": "query", "times": QUICK.attempts})
    assert (done.published, len(done.problems)) == (2, 1)


def test_a_vendor_that_cannot_be_reached_ends_the_try_at_once(submit: Submit, publish: Publish) -> None:
    asked: list[str] = []

    def unreachable(key: str) -> Answer:
        asked.append(key)
        raise NotConnectedError("refused", result_key=key)

    with pytest.raises(NotConnectedError):
        publish(submit(12), unreachable)
    assert len(asked) == 1


def test_a_look_sent_again_is_ended_by_its_newer_submission_alone(
    engine: Engine, submit: Submit, publish: Publish, website: Website
) -> None:
    batch = submit(2, ({"kind": "fail_sub_task", "index": 0},))

    def second_is_running(key: str) -> Answer:
        answer = DamoTryOnHook().query(key)
        first, second = answer.sub_tasks
        running = second.model_copy(update={"status": SubTaskStatus.RUNNING, "results": ()})
        return answer.model_copy(update={"sub_tasks": (first, running)})

    assert (publish(batch, second_is_running)).failed == 1
    with engine.begin() as connection:  # a person wants the failed one made again
        connection.execute(update(looks).where(looks.c.state == "FAILED").values(state="PLANNED"))
    submit_batch(
        engine,
        DamoTryOnHook().submit,
        batch,
        Mover("somebody"),
        Price(),
        budget=NO_LIMITS,
        gate=quick_gate(engine),
    )
    old, new = result_keys(engine, batch)

    def newer_is_running(key: str) -> Answer:
        answer = DamoTryOnHook().query(key)
        if key == old:
            return answer
        running = [
            one.model_copy(update={"status": SubTaskStatus.RUNNING, "results": ()})
            for one in answer.sub_tasks
        ]
        return answer.model_copy(update={"sub_tasks": tuple(running)})

    done = publish(batch, newer_is_running)
    assert (done.published, done.failed, done.unfinished) == (1, 0, 1)
    assert states(engine) == ["SUBMITTED", "PUBLISHED"]
    assert submission_states(engine) == {"COLLECTED": 1, "SUBMITTED": 1}
    assert publish(batch).published == 1
    assert states(engine) == ["PUBLISHED", "PUBLISHED"]
    assert new != old


def test_a_job_that_failed_as_a_whole_ends_its_looks(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    done = publish(submit(12), None, {"kind": "refuse", "path": "query", "code": 23500011})
    assert (done.published, done.failed, done.problems) == (2, 10, [])
    assert states(engine) == ["FAILED"] * 10 + ["PUBLISHED"] * 2
    assert submission_states(engine) == {"COLLECTED": 2}
    with engine.connect() as connection:
        assert set(connection.execute(select(looks.c.vendor_code)).scalars()) == {"23500011", None}
    assert "23500011" in str(shop_row(engine, "sku-0").tryon_detail)
