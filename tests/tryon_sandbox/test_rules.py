"""Which bodies the vendor takes, and with which code it refuses the others."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tryon_sandbox.codes import VendorCode, VendorRefusal
from tryon_sandbox.rules import read_query, read_submission, url_is_valid

TASK = {"model_image": "http://a/m.png", "tops_image": "http://a/t.png"}


def body(**changes: Any) -> bytes:
    data = {"fit_type": "HALF_BODY", "task_list": [TASK]} | changes
    return json.dumps({"data": {k: v for k, v in data.items() if v != "LEFT OUT"}}).encode()


MISSING, ILLEGAL, NO_BODY = (
    VendorCode.PARAMETER_MISSING,
    VendorCode.PARAMETER_ILLEGAL,
    VendorCode.BODY_MISSING,
)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", NO_BODY),
        (b" \n", NO_BODY),
        (b"null", NO_BODY),
        (b"{", ILLEGAL),
        (b"\xff\xfe\x00", ILLEGAL),
        (b"[" * 200_000, ILLEGAL),
        (b"9" * 5_000, ILLEGAL),
        (b"[]", ILLEGAL),
        (b"{}", MISSING),
        (b'{"data": null}', MISSING),
        (b'{"data": []}', ILLEGAL),
        (body(fit_type="LEFT OUT"), MISSING),
        (body(fit_type=""), MISSING),
        (body(fit_type="half_body"), ILLEGAL),
        (body(fit_type=1), ILLEGAL),
        (body(inference_num=0), ILLEGAL),
        (body(inference_num=5), ILLEGAL),
        (body(inference_num="1"), ILLEGAL),
        (body(inference_num=True), ILLEGAL),
        (body(task_list="LEFT OUT"), MISSING),
        (body(task_list=[]), MISSING),
        (body(task_list={}), ILLEGAL),
        (body(task_list=[TASK] * 11), ILLEGAL),
        (body(task_list=["http://a/m.png"]), ILLEGAL),
        (body(task_list=[{"tops_image": "http://a/t.png"}]), MISSING),
        (body(task_list=[{"model_image": "http://a/m.png"}]), MISSING),
        (body(task_list=[TASK | {"model_image": ""}]), MISSING),
        (body(task_list=[TASK | {"tops_image": 3}]), ILLEGAL),
        (body(task_list=[TASK | {"pants_image": []}]), ILLEGAL),
        (body(task_list=[TASK | {"tops_image": "http://a/\ud800.png"}]), ILLEGAL),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused_with_the_document_s_code(raw: bytes, code: VendorCode) -> None:
    with pytest.raises(VendorRefusal) as refusal:
        read_submission(raw)
    assert refusal.value.code is code


def test_a_whole_body_is_read_as_it_is() -> None:
    tasks = [TASK | {"pants_image": "", "mask_image": None}, TASK | {"ops_image": "http://a/o.png"}]
    read = read_submission(body(inference_num=4, task_list=tasks))

    assert (read.fit_type, read.inference_num) == ("HALF_BODY", 4)
    assert read.tasks[0].pants_image == ""
    assert read.tasks[0].urls == ("http://a/m.png", "http://a/t.png")
    assert read.tasks[1].tops_image == "http://a/t.png"


def test_one_picture_is_made_when_no_number_is_given_and_ten_tasks_are_allowed() -> None:
    read = read_submission(body(inference_num=None, task_list=[TASK] * 10))

    assert (read.inference_num, len(read.tasks)) == (1, 10)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", NO_BODY),
        (b'{"data": {}}', MISSING),
        (b'{"data": {"result_key": ""}}', MISSING),
        (b'{"data": {"result_key": 7}}', ILLEGAL),
        (b'{"data": {"result_key": "\\ud800"}}', VendorCode.UNKNOWN_RESULT_KEY),
        (b'{"data": {"result_key": "DROP TABLE"}}', VendorCode.UNKNOWN_RESULT_KEY),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(raw: bytes, code: VendorCode) -> None:
    with pytest.raises(VendorRefusal) as refusal:
        read_query(raw)
    assert refusal.value.code is code


@pytest.mark.parametrize(
    ("url", "valid"),
    [
        ("https://img.example.com/abc.png", True),
        ("http://127.0.0.1:8080/a.jpg?x=1", True),
        ("http://[::1]:80/a.png", True),
        ("https://img.example.com/%E8%A1%A3.png", True),
        ("https://img.example.com/衣服.png", False),
        ("https://例子.com/a.png", False),
        ("https://img.example.com/，.png", False),
        ("ftp://img.example.com/a.png", False),
        ("img.example.com/a.png", False),
        ("https:///a.png", False),
        ("https://a:99999/a.png", False),
        ("http://[::1/a.png", False),
        ("http://a/ b.png", False),
        ("http://a/\ud800.png", False),
        ("", False),
    ],
)
def test_a_url_is_http_or_https_with_a_host_and_without_chinese(url: str, valid: bool) -> None:
    assert url_is_valid(url) is valid


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "fit_type", "task_list", "model_image", "tops_image", "inference_num", "result_key"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON | st.builds(lambda inner: {"data": inner}, JSON))
def test_whatever_is_sent_is_read_or_refused_and_nothing_else(value: object) -> None:
    for read in (read_submission, read_query):
        with contextlib.suppress(VendorRefusal):
            read(json.dumps(value).encode())


@given(st.text())
def test_any_text_is_judged_as_a_url(text: str) -> None:
    assert url_is_valid(text) in {True, False}
    assert url_is_valid(f"http://{text}") in {True, False}
