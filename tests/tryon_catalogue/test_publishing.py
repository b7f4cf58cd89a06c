from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, Row, insert, select, text, update

from damo_tryon.contract import Answer, FitType, SubTaskStatus
from damo_tryon.errors import CredentialsError, NotConnectedError, PackageUsedUpError, ThrottledError
from damo_tryon.hooks import DamoTryOnHook, RetryPolicy
from tests.tryon_catalogue.helpers import NO_LIMITS, PlanBatch, quick_gate, some_looks, states
from tests.tryon_catalogue.vendor import Website
from tryon_catalogue.archive import OURS
from tryon_catalogue.catalogue import Catalogue, CatalogueError
from tryon_catalogue.ledger.journal import Batch
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.ledger.tables import garment_looks, look_moves, looks, pictures, submissions
from tryon_catalogue.looks import Look
from tryon_catalogue.publishing import FAILED_REASON, Published, Publisher, Query
from tryon_catalogue.review import open_reviews
from tryon_catalogue.settings import Price, Settings
from tryon_catalogue.submission import submit_batch
from tryon_sandbox.server import RunningSandbox

QUICK = RetryPolicy(attempts=2, first_wait=0.001, longest_wait=0.01)
Submit = Callable[..., Batch]
Publish = Callable[..., Published]


@pytest.fixture
def submit(engine: Engine, plan_batch: PlanBatch, vendor: RunningSandbox, website: Website) -> Submit:
    """Plan some looks by hand and submit them: ``submit(looks or how many) -> batch``."""

    def go(wanted: int | list[Look], faults: tuple[dict[str, object], ...] = ()) -> Batch:
        batch, _ = plan_batch(some_looks(wanted, website.url) if isinstance(wanted, int) else wanted)
        vendor.set_faults(*faults)
        send = DamoTryOnHook(retry=QUICK).submit
        submit_batch(
            engine, send, batch, Mover(batch.run_id), Price(), budget=NO_LIMITS, gate=quick_gate(engine)
        )
        vendor.set_faults()
        return batch

    return go


@pytest.fixture
def publish(engine: Engine, settings: Settings, vendor: RunningSandbox) -> Publish:
    """Publish a batch in one try: ``publish(batch, query=None) -> Published``; waits for the vendor first."""

    def go(batch: Batch, query: Query | None = None, *faults: dict[str, object]) -> Published:
        hook = DamoTryOnHook(retry=QUICK)
        wait_for_vendor(engine, batch)
        vendor.set_faults(*faults)
        try:
            publisher = Publisher(engine, settings, query or hook.query, Mover(batch.run_id))
            return publisher.publish_batch(batch)
        finally:
            vendor.set_faults()

    return go


def send(engine: Engine, batch: Batch) -> None:
    """Submit what is planned of a batch."""
    hook = DamoTryOnHook(retry=QUICK)
    submit_batch(
        engine, hook.submit, batch, Mover(batch.run_id), Price(), budget=NO_LIMITS, gate=quick_gate(engine)
    )


def result_keys(engine: Engine, batch: Batch) -> list[str]:
    """The result keys of a batch, oldest first."""
    with engine.connect() as connection:
        of_batch = select(submissions.c.result_key).where(submissions.c.batch_id == batch.id)
        return list(connection.execute(of_batch.order_by(submissions.c.id)).scalars())


def wait_for_vendor(engine: Engine, batch: Batch) -> None:
    """Ask until every sub-task has ended, which takes the stand-in some milliseconds."""
    hook = DamoTryOnHook(retry=QUICK)
    for key in result_keys(engine, batch):
        while not hook.query(key).ended:
            pass


def submission_states(engine: Engine) -> Counter[str]:
    """How many submissions are in which state."""
    with engine.connect() as connection:
        return Counter(connection.execute(select(submissions.c.state)).scalars())


def shop_row(engine: Engine, sku: str) -> Row[tuple[object, ...]]:
    """A row of the shop's table."""
    with engine.connect() as connection:
        return connection.execute(text("SELECT * FROM catalogue WHERE sku = :sku"), {"sku": sku}).one()


def kept(engine: Engine) -> list[Row[tuple[object, ...]]]:
    """The pictures the ledger knows, in the order of looks and numbers."""
    with engine.connect() as connection:
        return list(
            connection.execute(
                select(pictures, looks.c.position)
                .join(looks, looks.c.key == pictures.c.look_key)
                .order_by(looks.c.position, pictures.c.number)
            ).all()
        )


def files(settings: Settings) -> list[Path]:
    """Every file below the archive but the small copies, unfinished ones included."""
    root = Path(settings.archive.path)
    found = (path for path in root.rglob("*") if path.is_file())
    return sorted(path for path in found if path.relative_to(root).parts[0] not in OURS)


def test_a_picture_is_archived_recorded_and_written_to_the_catalogue(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish
) -> None:
    done = publish(submit(12))
    assert (done.published, done.failed, done.waiting, done.problems) == (12, 0, 0, [])
    assert states(engine) == ["PUBLISHED"] * 12
    assert submission_states(engine) == {"COLLECTED": 2}
    for row in kept(engine):
        content = Path(row.path).read_bytes()
        assert (row.sha256, row.bytes) == (hashlib.sha256(content).hexdigest(), len(content))
        shop = shop_row(engine, f"sku-{row.position}")
        assert (shop.picture_url, shop.picture_urls) == (row.url, [row.url])
        assert (shop.tryon_status, shop.tryon_detail) == ("PUBLISHED", None)
        assert shop.tryon_updated_at is not None
    assert len(files(settings)) == 12


def test_all_pictures_of_a_look_are_kept_in_their_order(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, website: Website
) -> None:
    publish(submit([replace(look, inference_num=3) for look in some_looks(2, website.url)]))
    rows = kept(engine)
    assert [(row.position, row.number) for row in rows] == [(at, n) for at in range(2) for n in range(3)]
    assert shop_row(engine, "sku-0").picture_urls == [row.url for row in rows[:3]]
    assert [path.name[-6:] for path in files(settings)[:3]] == ["-1.jpg", "-2.jpg", "-3.jpg"]


def test_publishing_twice_changes_nothing(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, vendor: RunningSandbox
) -> None:
    batch = submit(3)
    publish(batch)
    before = (kept(engine), shop_row(engine, "sku-1"), files(settings))
    with engine.begin() as connection:  # as if the last word had been lost
        connection.execute(update(submissions).values(state="SUBMITTED"))
    calls = vendor.charges().calls
    done = publish(batch)
    assert (done.published, done.problems) == (0, [])
    assert (kept(engine), shop_row(engine, "sku-1"), files(settings)) == before
    assert vendor.charges().calls.result == calls.result
    assert submission_states(engine) == {"COLLECTED": 1}


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
    assert (done.published, done.waiting, done.problems) == (1, 2, [])
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

    class Killed(BaseException):
        """As abrupt as a process that ends."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Catalogue, "write_garments", die)
        with pytest.raises(Killed):
            publish(batch)
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
    assert len(kept(engine)) == 2


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
    assert f"{number} pictures came, 2 were asked" in waiting.reason
    assert (waiting.skus, len(waiting.paths)) == (("sku-0",), number)


def test_a_look_of_two_garments_is_written_to_both_rows(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(1)
    with engine.begin() as connection:
        one = connection.execute(select(garment_looks)).one()._asdict()
        connection.execute(insert(garment_looks).values(**{**one, "sku": "twin"}))
        connection.execute(text("INSERT INTO catalogue (sku) VALUES ('twin')"))
    publish(batch)
    assert shop_row(engine, "twin").picture_url == shop_row(engine, "sku-0").picture_url
    assert shop_row(engine, "twin").tryon_status == "PUBLISHED"
    assert len(kept(engine)) == 1


def test_an_unknown_result_key_is_a_problem_of_its_submission_only(
    engine: Engine, submit: Submit, publish: Publish
) -> None:
    batch = submit(12)
    done = publish(batch, None, {"kind": "refuse", "path": "query", "code": 23500008})
    assert (done.published, len(done.problems)) == (2, 1)
    assert "23500008" in done.problems[0]
    assert result_keys(engine, batch)[0] in done.problems[0]
    assert states(engine) == ["SUBMITTED"] * 10 + ["PUBLISHED"] * 2


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


def test_a_missing_column_is_found_before_the_vendor_is_asked(
    engine: Engine, settings: Settings, submit: Submit
) -> None:
    batch = submit(1)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP COLUMN tryon_detail"))
    asked: list[str] = []

    def query(key: str) -> Answer:
        asked.append(key)
        return DamoTryOnHook().query(key)

    with pytest.raises(CatalogueError, match="tryon_detail"):
        Publisher(engine, settings, query, Mover(batch.run_id)).publish_batch(batch)
    assert asked == []


def test_two_tries_at_once_publish_each_look_once(
    engine: Engine, settings: Settings, submit: Submit, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = submit(8)
    both_have_asked = threading.Barrier(2)
    met = threading.local()

    def query(key: str) -> Answer:
        answer = DamoTryOnHook().query(key)
        if not hasattr(met, "done"):
            met.done = True
            both_have_asked.wait()
        return answer

    wait_for_vendor(engine, batch)
    publish_only = Publisher(engine, settings, query, Mover(batch.run_id)).publish_batch
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(publish_only, [batch, batch]))
    assert sum(done.published for done in both) == 8
    assert [done.problems for done in both] == [[], []]
    assert len(kept(engine)) == len(files(settings)) == 8
    with engine.connect() as connection:
        moves = Counter(connection.execute(select(look_moves.c.to_state)).scalars())
    assert moves["PUBLISHED"] == 8


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
    assert (done.published, done.failed, done.waiting) == (1, 0, 1)
    assert states(engine) == ["SUBMITTED", "PUBLISHED"]
    assert submission_states(engine) == {"COLLECTED": 1, "SUBMITTED": 1}
    assert publish(batch).published == 1
    assert states(engine) == ["PUBLISHED", "PUBLISHED"]
    assert new != old


def test_full_body_looks_and_looks_of_no_garment_are_published_too(
    engine: Engine, submit: Submit, publish: Publish, website: Website
) -> None:
    look = Look(FitType.FULL_BODY, 1, "", f"{website.url}/anna.png", f"{website.url}/top-1.png")
    batch = submit([look])
    with engine.begin() as connection:
        connection.execute(garment_looks.delete())
    assert publish(batch).published == 1
    assert "/no-collection/sku/model-" in kept(engine)[0].path
