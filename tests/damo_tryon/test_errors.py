"""One exception for each meaning: texts, proofs, tables, and the way through a pickle."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from damo_tryon import errors
from damo_tryon.errors import GATEWAY_RULES, VENDOR_CODES, ThrottledError, TryOnError

CLASSES = [
    kind for _name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, TryOnError)
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_says_what_was_wrong_where_and_what_to_do(kind: type[TryOnError]) -> None:
    error = kind("the words", code=23500013, request_id="r-1", result_key="k-1")
    text = str(error)
    assert text.startswith(f"{kind.meaning}: the words (code 23500013, request id r-1, result key k-1). ")
    assert text.endswith(kind.default_next_step)
    assert text.endswith((".", '".'))


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_without_details_is_still_a_sentence(kind: type[TryOnError]) -> None:
    assert str(kind()) == f"{kind.meaning}. {kind.default_next_step}"


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("send", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])  # noqa: S301 - our own pickle
def test_every_error_comes_whole_out_of_a_pickle(kind: type[TryOnError], send: object) -> None:
    error = kind(
        "the words",
        code="T429ID",
        request_id="r",
        proved_not_accepted=True,
        next_step="Do this.",
        result_key="k",
    )
    arrived = send(error)  # type: ignore[operator] # parametrized by hand
    assert type(arrived) is kind
    assert vars(arrived) == vars(error)
    assert str(arrived) == str(error)


def test_the_wait_asked_for_comes_through_a_pickle() -> None:
    arrived = pickle.loads(pickle.dumps(ThrottledError("slow down", retry_after=7.5)))  # noqa: S301 - our own pickle
    assert arrived.retry_after == 7.5


def test_every_class_stands_in_the_tree_of_the_module() -> None:
    for kind in CLASSES:
        assert kind.__name__ in str(errors.__doc__)


def test_only_what_never_left_proves_by_itself_that_nothing_was_accepted() -> None:
    proving = {kind.__name__ for kind in CLASSES if kind.default_proved_not_accepted}
    assert proving == {"NotConnectedError", "ConnectionSettingsError"}


def test_the_table_holds_the_documents_sixteen_codes_and_not_23500010() -> None:
    assert set(VENDOR_CODES) == set(range(23500000, 23500017)) - {23500010}


def test_only_an_internal_error_leaves_open_whether_a_submission_was_accepted() -> None:
    assert {code for code, rule in VENDOR_CODES.items() if not rule.proves_refusal} == {23500000}


def test_no_gateway_code_or_message_stands_in_two_rows() -> None:
    for cells in ([rule.codes for rule in GATEWAY_RULES], [rule.statuses for rule in GATEWAY_RULES]):
        assert sum(map(len, cells)) == len(frozenset().union(*cells))
    starts = [start for rule in GATEWAY_RULES for start in rule.message_starts]
    for start in starts:
        assert [other for other in starts if start.startswith(other)] == [start]
        assert start == start.lower()
