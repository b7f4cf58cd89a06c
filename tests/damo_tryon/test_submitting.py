"""Submitting once, and splitting what was refused: against a vendor that counts what it accepts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from damo_tryon.contract import Answer, FitType, Submission, TryOnTask
from damo_tryon.errors import (
    CredentialsError,
    ImageRefusedError,
    InDoubtError,
    NotConnectedError,
    OutcomeUnknownError,
    PersonCountError,
    ThrottledError,
    TryOnError,
    VendorInternalError,
)
from damo_tryon.journal import Journal, TaskStateJournal
from damo_tryon.submitting import (
    Accepted,
    InDoubt,
    Outcome,
    Refused,
    looks_of,
    outcomes,
    submit_once,
    submit_split,
)

IMAGE_CODES = (23500005, 23500006, 23500007, 23500015, 23500016)


class MemoryStore:
    """A task state that lives in a dict."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def get(self, key: str, default: object = None) -> object:
        return self.values.get(key, default)

    def set(self, key: str, value: object, *, retention: object = None) -> None:
        self.values[key] = value


class Vendor:
    """Accepts what holds no bad look, refuses the rest with the code of the first bad one."""

    def __init__(self, bad: dict[str, int] | None = None) -> None:
        self.bad = bad or {}
        self.calls: list[tuple[str, ...]] = []
        self.accepted: Counter[str] = Counter()
        self.fails_with: Callable[[tuple[str, ...]], BaseException | None] = lambda _looks: None

    def submit(self, tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        looks = tuple(name_of(task) for task in tasks)
        self.calls.append(looks)
        if error := self.fails_with(looks):
            raise error
        for look in looks:
            if code := self.bad.get(look):
                kind = PersonCountError if code in {23500015, 23500016} else ImageRefusedError
                raise kind("refused", code=code, request_id=f"r{len(self.calls)}", proved_not_accepted=True)
        self.accepted.update(looks)
        return Answer(result_key=f"key{len(self.calls)}")


def task(name: str) -> TryOnTask:
    return TryOnTask(model_image="https://img.test/model.png", tops_image=f"https://img.test/{name}.png")


def name_of(task: TryOnTask) -> str:
    return task.tops_image.removeprefix("https://img.test/").removesuffix(".png")


def submission(*names: str) -> Submission:
    return Submission(fit_type=FitType.HALF_BODY, tasks=tuple(task(name) for name in names))


def names_in(outcome: Outcome) -> list[str]:
    return [name_of(task) for task in outcome.submission.tasks]


def unknown(_looks: tuple[str, ...]) -> TryOnError:
    return OutcomeUnknownError("the connection broke", request_id="r-lost")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def journal(store: MemoryStore) -> Journal:
    return TaskStateJournal(store)


def test_an_accepted_submission_is_not_sent_again_by_a_later_try(store: MemoryStore) -> None:
    vendor = Vendor()
    first = submit_once(vendor.submit, TaskStateJournal(store), submission("a", "b"))
    second = submit_once(vendor.submit, TaskStateJournal(store), submission("a", "b"))
    assert isinstance(first, Accepted)
    assert first.result_key == "key1"
    assert not first.reused
    assert second == Accepted(submission("a", "b"), "key1", reused=True)
    assert len(vendor.calls) == 1


def test_the_intent_is_committed_before_the_call(store: MemoryStore) -> None:
    def send(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
        remembered = TaskStateJournal(store).recall(submission("a"))
        assert remembered is not None
        assert remembered.state == "INTENDED"
        return Answer(result_key="k")

    assert isinstance(submit_once(send, TaskStateJournal(store), submission("a")), Accepted)


@pytest.mark.parametrize(
    "error",
    [
        OutcomeUnknownError("the connection broke", request_id="r-lost"),
        VendorInternalError("internal", code=23500000, request_id="r-lost"),
    ],
)
def test_an_unanswered_submission_is_in_doubt_and_never_sent_again_by_itself(
    store: MemoryStore, error: TryOnError
) -> None:
    vendor = Vendor()
    vendor.fails_with = lambda _looks: error
    with pytest.raises(OutcomeUnknownError, match=r"a\.png on .*model\.png.*r-lost.*bill") as fresh:
        submit_once(vendor.submit, TaskStateJournal(store), submission("a", "b"))
    assert fresh.value.code == error.code
    vendor.fails_with = lambda _looks: None
    with pytest.raises(InDoubtError, match=r"a\.png on .*model\.png.*r-lost.*bill"):
        submit_once(vendor.submit, TaskStateJournal(store), submission("a", "b"))
    assert len(vendor.calls) == 1


def test_a_process_that_dies_in_the_call_leaves_a_doubt(store: MemoryStore) -> None:
    vendor = Vendor()
    vendor.fails_with = lambda _looks: KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        submit_once(vendor.submit, TaskStateJournal(store), submission("a"))
    with pytest.raises(InDoubtError, match="the process ended"):
        submit_once(vendor.submit, TaskStateJournal(store), submission("a"))
    assert len(vendor.calls) == 1


@pytest.mark.parametrize(
    "error",
    [
        NotConnectedError("refused"),
        ThrottledError("slow down", code=23500004, proved_not_accepted=True),
        CredentialsError("no", code="A401AC", proved_not_accepted=True),
    ],
)
def test_a_refusal_of_the_whole_call_is_raised_and_free_to_go_on(
    store: MemoryStore, error: TryOnError
) -> None:
    vendor = Vendor()
    vendor.fails_with = lambda _looks: error
    with pytest.raises(type(error)):
        submit_split(vendor.submit, TaskStateJournal(store), submission("a", "b"))
    assert len(vendor.calls) == 1  # not split
    vendor.fails_with = lambda _looks: None
    split = submit_split(vendor.submit, TaskStateJournal(store), submission("a", "b"))
    assert [names_in(part) for part in split.accepted] == [["a", "b"]]


def test_what_the_journal_raises_keeps_the_submission_from_being_sent(journal: Journal) -> None:
    class ClaimLostError(Exception):
        pass

    class Claims(TaskStateJournal):
        def intend(self, submission: Submission) -> None:
            raise ClaimLostError

    vendor = Vendor()
    with pytest.raises(ClaimLostError):
        submit_split(vendor.submit, Claims(MemoryStore()), submission("a", "b"))
    assert vendor.calls == []


def test_a_refusal_without_splitting_names_the_whole_submission(journal: Journal) -> None:
    vendor = Vendor(bad={"b": 23500016})
    outcome = submit_once(vendor.submit, journal, submission("a", "b"))
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, PersonCountError)
    assert names_in(outcome) == ["a", "b"]


@given(
    bad=st.dictionaries(st.integers(0, 9), st.sampled_from(IMAGE_CODES)),
    count=st.integers(1, 10),
)
def test_every_good_look_is_accepted_once_and_every_bad_one_is_refused_with_its_own_code(
    bad: dict[int, int], count: int
) -> None:
    names = [f"look{number}" for number in range(count)]
    expected = {f"look{number}": code for number, code in bad.items() if number < count}
    vendor = Vendor(bad=expected)
    split = submit_split(vendor.submit, TaskStateJournal(MemoryStore()), submission(*names))

    assert vendor.accepted == Counter(name for name in names if name not in expected)
    assert {names_in(part)[0]: part.error.code for part in split.refused} == expected
    assert all(len(part.submission.tasks) == 1 for part in split.refused)
    accepted = [name for part in split.accepted for name in names_in(part)]
    assert accepted == [name for name in names if name not in expected]  # in order, each once


@given(data=st.data(), count=st.integers(1, 10))
def test_one_bad_look_costs_at_most_the_promised_number_of_calls(data: st.DataObject, count: int) -> None:
    bad = data.draw(st.integers(0, count - 1))
    vendor = Vendor(bad={str(bad): 23500007})
    submit_split(vendor.submit, TaskStateJournal(MemoryStore()), submission(*map(str, range(count))))
    assert len(vendor.calls) <= math.floor(2 * math.log2(count) + 2)
    assert len(vendor.calls) <= 7


@given(
    bad=st.dictionaries(st.integers(0, 9), st.sampled_from(IMAGE_CODES)),
    dies_at=st.lists(st.integers(0, 12), max_size=3),
)
def test_a_split_that_is_interrupted_goes_on_where_it_stopped_and_pays_for_nothing_twice(
    bad: dict[int, int], dies_at: list[int]
) -> None:
    """Each try stops at some outcome; the next one starts with nothing but the journal."""
    names = [f"look{number}" for number in range(10)]
    expected = {f"look{number}": code for number, code in bad.items()}
    vendor, store = Vendor(bad=expected), MemoryStore()
    for stop in dies_at:
        running = outcomes(vendor.submit, TaskStateJournal(store), submission(*names))
        for _ in zip(range(stop), running, strict=False):
            pass
    split = submit_split(vendor.submit, TaskStateJournal(store), submission(*names))
    assert vendor.accepted == Counter(name for name in names if name not in expected)
    assert {names_in(part)[0] for part in split.refused} == set(expected)


def test_a_group_refused_for_an_image_is_never_sent_whole_again(store: MemoryStore) -> None:
    """Its good half may have been accepted since, so the whole would pay for that half twice."""
    vendor = Vendor(bad={"d": 23500006})
    submit_split(vendor.submit, TaskStateJournal(store), submission("a", "b", "c", "d"))
    vendor.bad = {}  # the image was put in its place
    split = submit_split(vendor.submit, TaskStateJournal(store), submission("a", "b", "c", "d"))
    assert vendor.accepted == Counter({"a": 1, "b": 1, "c": 1, "d": 1})
    assert [names_in(part) for part in split.accepted] == [["a", "b"], ["c"], ["d"]]
    assert [part.reused for part in split.accepted] == [True, True, False]


def test_a_doubt_in_a_split_stops_it_and_leaves_the_rest_unsent(journal: Journal) -> None:
    vendor = Vendor(bad={"a": 23500005})
    vendor.fails_with = lambda looks: unknown(looks) if looks == ("b",) else None
    with pytest.raises(OutcomeUnknownError):
        submit_split(vendor.submit, journal, submission("a", "b", "c", "d"))
    assert ("c", "d") not in vendor.calls


def test_whoever_reads_the_outcomes_one_by_one_may_go_on_behind_a_doubt(journal: Journal) -> None:
    vendor = Vendor(bad={"a": 23500005})
    vendor.fails_with = lambda looks: unknown(looks) if looks == ("b",) else None
    found = list(outcomes(vendor.submit, journal, submission("a", "b", "c", "d")))
    assert [(type(outcome), names_in(outcome)) for outcome in found] == [
        (Refused, ["a"]),
        (InDoubt, ["b"]),
        (Accepted, ["c", "d"]),
    ]


def test_nothing_is_sent_before_the_next_outcome_is_asked_for(journal: Journal) -> None:
    vendor = Vendor(bad={"a": 23500005})
    running = outcomes(vendor.submit, journal, submission("a", "b", "c", "d"))
    assert vendor.calls == []
    next(running)
    assert vendor.calls == [("a", "b", "c", "d"), ("a", "b"), ("a",)]


def test_looks_are_named_without_what_a_url_may_hold_in_secret() -> None:
    secret = TryOnTask(
        model_image="https://user:word@img.test/m.png",
        tops_image="https://img.test/t.png?X-Signature=s3cr3t",
    )
    one = Submission(fit_type=FitType.HALF_BODY, tasks=(secret,))
    assert looks_of(one) == "1 look (https://img.test/t.png on https://img.test/m.png)"
    assert looks_of(submission(*"abcde")).startswith("5 looks (")
    assert looks_of(submission(*"abcde")).endswith(" and 2 more)")
