"""What the journal in Airflow's task state remembers."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from damo_tryon.contract import Answer, FitType, Submission, TryOnTask
from damo_tryon.errors import ImageRefusedError, OutcomeUnknownError, ThrottledError
from damo_tryon.journal import STORE_KEY, Memory, MemoryState, TaskStateJournal, single_looks


class JsonStore:
    """A task state that, like Airflow's, keeps JSON and no Python objects."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.retentions: list[timedelta | None] = []

    def get(self, key: str, default: object = None) -> object:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: object, *, retention: timedelta | None = None) -> None:
        self.values[key] = json.dumps(value)
        self.retentions.append(retention)


def submission(*names: str, inference_num: int = 1) -> Submission:
    tasks = tuple(
        TryOnTask(
            model_image="https://img.test/model.png?token=s3cr3t", tops_image=f"https://img.test/{name}.png"
        )
        for name in names
    )
    return Submission(fit_type=FitType.HALF_BODY, inference_num=inference_num, tasks=tasks)


@pytest.fixture
def store() -> JsonStore:
    return JsonStore()


def test_nothing_is_known_of_a_submission_that_was_never_begun(store: JsonStore) -> None:
    assert TaskStateJournal(store).recall(submission("a")) is None


@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_each_outcome_is_found_by_the_next_try(store: JsonStore, names: tuple[str, ...]) -> None:
    begun = submission(*names)
    error = ImageRefusedError("no person", code=23500006, request_id="r1")

    TaskStateJournal(store).intend(begun)
    assert TaskStateJournal(store).recall(begun) == Memory(MemoryState.INTENDED)
    TaskStateJournal(store).unanswered(begun, OutcomeUnknownError("broken", request_id="r0"))
    assert TaskStateJournal(store).recall(begun) == Memory(
        MemoryState.INTENDED, message="broken", request_id="r0"
    )
    TaskStateJournal(store).refused(begun, error)
    assert TaskStateJournal(store).recall(begun) == Memory(
        MemoryState.REFUSED, code=23500006, message="no person", request_id="r1"
    )
    TaskStateJournal(store).accepted(begun, Answer(result_key="key"))
    assert TaskStateJournal(store).recall(begun) == Memory(MemoryState.ACCEPTED, result_key="key")


def test_a_look_is_found_inside_the_submission_that_carried_it(store: JsonStore) -> None:
    journal = TaskStateJournal(store)
    journal.accepted(submission("a", "b"), Answer(result_key="key"))
    journal.intend(submission("c", "d"))
    journal.refused(submission("e", "f"), ImageRefusedError("bad", code=23500007))
    known = [journal.recall(look) for look in single_looks(submission("b", "d", "e"))]
    assert known == [Memory(MemoryState.ACCEPTED, result_key="key"), Memory(MemoryState.INTENDED), None]


def test_a_look_with_another_number_of_pictures_is_another_look(store: JsonStore) -> None:
    journal = TaskStateJournal(store)
    journal.accepted(submission("a", "b"), Answer(result_key="key"))
    assert journal.recall(submission("a", inference_num=2)) is None


def test_what_was_paid_for_counts_before_what_is_in_doubt(store: JsonStore) -> None:
    journal = TaskStateJournal(store)
    journal.intend(submission("a", "b"))
    journal.accepted(submission("a"), Answer(result_key="key"))
    journal.refused(submission("b"), ThrottledError("slow", code=23500004))
    assert journal.recall(submission("a")) == Memory(MemoryState.ACCEPTED, result_key="key")
    known_of_b = journal.recall(submission("b"))
    assert known_of_b is not None
    assert known_of_b.state is MemoryState.INTENDED


def test_by_an_explicit_word_doubts_are_forgotten_and_nothing_else(store: JsonStore) -> None:
    earlier = TaskStateJournal(store)
    earlier.intend(submission("a"))
    earlier.accepted(submission("b"), Answer(result_key="key"))
    journal = TaskStateJournal(store, resend_word="resend")
    assert journal.recall(submission("a")) is None
    assert journal.recall(submission("b")) == Memory(MemoryState.ACCEPTED, result_key="key")


@pytest.mark.parametrize("answered", [False, True])
def test_a_word_is_spent_by_what_is_sent_under_it_and_another_word_is_another(
    store: JsonStore, answered: bool
) -> None:
    TaskStateJournal(store).intend(submission("a", "b"))
    word = TaskStateJournal(store, resend_word="resend")
    word.intend(submission("b", "c"))  # a list put together anew: b is sent once more, c for the first time
    if answered:
        word.unanswered(submission("b", "c"), OutcomeUnknownError("broken"))
    for looks, sent_again in [(("a",), True), (("b",), False), (("c",), False), (("b", "c"), False)]:
        same = TaskStateJournal(store, resend_word="resend").recall(submission(*looks))
        assert (same is None) is sent_again
        assert TaskStateJournal(store, resend_word="resend 2").recall(submission(*looks)) is None
        assert TaskStateJournal(store).recall(submission(*looks)) is not None


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (Memory(MemoryState.REFUSED, code=23500005), True),
        (Memory(MemoryState.REFUSED, code=23500016), True),
        (Memory(MemoryState.REFUSED, code=23500004), False),
        (Memory(MemoryState.REFUSED, code="T429ID"), False),
        (Memory(MemoryState.REFUSED), False),
        (Memory(MemoryState.INTENDED, code=23500005), False),
    ],
)
def test_only_some_refusals_are_those_of_an_image(memory: Memory, expected: bool) -> None:
    assert memory.refused_for_an_image is expected


def test_no_url_is_kept_and_the_record_of_a_thousand_looks_stays_small(store: JsonStore) -> None:
    journal = TaskStateJournal(store)
    for number in range(100):
        names = [f"{number}-{place}" for place in range(10)]
        journal.accepted(submission(*names), Answer(result_key="0" * 32))
    (record,) = store.values.values()
    assert "img.test" not in record
    assert "s3cr3t" not in record
    assert len(record) < 65_535  # from here on Airflow warns at each write


def test_the_time_airflow_keeps_the_record_is_the_one_asked_for(store: JsonStore) -> None:
    TaskStateJournal(store, retention=timedelta(days=3)).intend(submission("a"))
    assert store.retentions == [timedelta(days=3)]


def test_a_record_of_another_version_is_refused_rather_than_overlooked(store: JsonStore) -> None:
    store.set(STORE_KEY, {"version": 2, "submissions": {}})
    with pytest.raises(ValueError, match=r"version 2.*vendor's bill"):
        TaskStateJournal(store)
