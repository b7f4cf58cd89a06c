"""What a DAG author or a template wrote, read into typed values."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from airflow.sdk.execution_time.lazy_sequence import LazyXComSequence

from damo_tryon.contract import FitType, TryOnTask
from damo_tryon.errors import MalformedRequestError
from damo_tryon.inputs import fit_type_in, inference_num_in, keys_in, tasks_in

LOOK = {"model_image": "https://img.test/m.png", "tops_image": "https://img.test/t.png"}


@pytest.mark.parametrize("value", [[LOOK], (LOOK,), [TryOnTask(**LOOK)], json.dumps([LOOK])])
def test_tasks_may_be_mappings_or_tasks_or_json(value: object) -> None:
    assert tasks_in(value) == (TryOnTask(**LOOK),)


@pytest.mark.parametrize("value", [[], "", "[]"])
def test_no_tasks_are_no_error(value: object) -> None:
    assert tasks_in(value) == ()


def test_every_bad_task_is_named_with_index_and_field_and_without_its_url() -> None:
    bad = [
        LOOK,
        {**LOOK, "tops_image": "ftp://img.test/t.png?sig=s3cr3t"},
        {"model_image": "https://img.test/模特.png"},
    ]
    with pytest.raises(MalformedRequestError) as caught:
        tasks_in(bad)
    message = str(caught.value)
    assert "tasks[1].tops_image is neither an http nor an https URL" in message
    assert "tasks[2].model_image holds Chinese characters" in message
    assert "tasks[2].tops_image Field required" in message
    assert "s3cr3t" not in message
    assert caught.value.proved_not_accepted


@pytest.mark.parametrize("value", [None, 3, {"model_image": "x"}, "[{'model_image': 'x'}]", "{{ tasks }}"])
def test_what_is_no_list_of_tasks_is_refused_with_a_way_out(value: object) -> None:
    with pytest.raises(MalformedRequestError, match=r"tasks is .*expected a list"):
        tasks_in(value)


@pytest.mark.parametrize("value", ["HALF_BODY", "half_body", FitType.HALF_BODY, " HALF_BODY "])
def test_a_fit_type_may_be_text(value: object) -> None:
    assert fit_type_in(value) is FitType.HALF_BODY


def test_an_unknown_fit_type_names_the_known_ones() -> None:
    with pytest.raises(MalformedRequestError, match="fit_type is 'DRESS', expected HALF_BODY or FULL_BODY"):
        fit_type_in("DRESS")


@pytest.mark.parametrize(("value", "number"), [(1, 1), ("4", 4), (" 2 ", 2)])
def test_a_number_of_pictures_may_be_text(value: object, number: int) -> None:
    assert inference_num_in(value) == number


@pytest.mark.parametrize("value", [0, 5, "0", "many", "", "1.5", 2.0, None, True, -1])
def test_a_number_of_pictures_out_of_bounds_is_refused(value: object) -> None:
    with pytest.raises(MalformedRequestError, match=r"inference_num is .*from 1 to 4"):
        inference_num_in(value)


class LazyXComs(LazyXComSequence[Any]):
    """A mapped task's output: one request for a slice, one for each item."""

    def __init__(self, items: list[object]) -> None:
        self.items = items
        self.requests = 0

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        self.requests += 1
        return self.items[index]


class Mapped(Sequence[object]):
    """What ``task.output.map(function)`` is read as: a slice of it is not what it is for a list."""

    def __init__(self, items: list[object], function: Callable[[Any], object]) -> None:
        self.items = items
        self.function = function

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: Any) -> Any:
        return self.function(self.items[index])


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("k1", ("k1",)),
        (" k1 ", ("k1",)),
        ("", ()),
        ([], ()),
        (["k1", "k2"], ("k1", "k2")),
        ([["k1"], [], ["k2", "k3"]], ("k1", "k2", "k3")),
        ('["k1", "k2"]', ("k1", "k2")),
    ],
)
def test_result_keys_may_be_one_or_many_or_lists_of_lists(value: object, keys: tuple[str, ...]) -> None:
    assert keys_in(value) == keys


def test_the_output_of_a_mapped_task_is_read_in_one_request() -> None:
    lazy = LazyXComs([["k1"], ["k2"]])
    assert keys_in(lazy) == ("k1", "k2")
    assert lazy.requests == 1


def test_what_is_made_of_the_output_of_a_task_is_read_item_by_item() -> None:
    assert keys_in(Mapped([["k1"], ["k2"], ["k3"]], lambda keys: keys[0])) == ("k1", "k2", "k3")
    made = Mapped(
        [1, 2], lambda number: {"model_image": "https://a.b/m.png", "tops_image": f"https://a.b/{number}.png"}
    )
    assert [task.tops_image for task in tasks_in(made)] == ["https://a.b/1.png", "https://a.b/2.png"]


@pytest.mark.parametrize("nothing", ["None", " null ", ["k1", "None"]])
def test_what_a_template_makes_of_nothing_is_no_result_key(nothing: object) -> None:
    with pytest.raises(MalformedRequestError, match="expected a result key"):
        keys_in(nothing)


@pytest.mark.parametrize("value", [None, 3, [None], {"key": "k"}, "['k1']"])
def test_what_is_no_result_key_is_refused_with_a_way_out(value: object) -> None:
    with pytest.raises(MalformedRequestError, match=r"result_keys is .*expected a list"):
        keys_in(value)
