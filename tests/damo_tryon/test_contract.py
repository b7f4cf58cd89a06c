"""The vendor's document in code: what can be built, what is sent, what is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from damo_tryon import contract
from damo_tryon.contract import Answer, FitType, Submission, SubTask, SubTaskStatus, TryOnTask, url_problem
from damo_tryon.errors import MismatchedAnswerError

MODEL, TOPS, PANTS, MASK = (f"https://img.example/{name}.png" for name in ("model", "tops", "pants", "mask"))
TASK = TryOnTask(model_image=MODEL, tops_image=TOPS)

paths = st.text(alphabet="abcdefghij0123456789-_./", min_size=1, max_size=20)
urls = st.builds("{}://img.example/{}".format, st.sampled_from(["http", "https"]), paths)
tasks = st.builds(
    TryOnTask,
    model_image=urls,
    tops_image=urls,
    pants_image=st.none() | urls,
    mask_image=st.none() | urls,
)
submissions = st.builds(
    Submission,
    fit_type=st.sampled_from(FitType),
    inference_num=st.integers(1, 4),
    tasks=st.lists(tasks, min_size=1, max_size=2).map(tuple),
)


def wire_sub_task(status: str = "WAITING", **fields: object) -> dict[str, object]:
    return {"status": status, "model_image": MODEL, "tops_image": TOPS} | fields


def test_limits_are_those_of_the_document() -> None:
    assert (contract.MAX_TASKS, contract.MIN_INFERENCE_NUM, contract.MAX_INFERENCE_NUM) == (10, 1, 4)
    assert (contract.MIN_SIDE_PX, contract.MAX_IMAGE_BYTES) == (400, 5_000_000)
    assert contract.IMAGE_FORMATS == ("JPEG", "PNG")
    assert contract.DEFAULT_HOST + contract.SUBMIT_PATH == (
        "damotryon.market.alicloudapi.com/api/v1/tryon/submit"
    )
    assert contract.QUERY_PATH == "/api/v1/tryon/query"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "empty"),
        ("ftp://img.example/a.png", "neither an http nor an https URL"),
        ("img.example/a.png", "neither an http nor an https URL"),
        ("data:image/png;base64,AAAA", "neither an http nor an https URL"),
        ("https:///a.png", "names no host"),
        ("https://img.example/模特.png", "Chinese characters (first: 模)"),
        ("https://图片.example/a.png", "Chinese characters"),
        ("https://img.example/a.png?x=（1）", "Chinese characters"),
        ("https://img.example/\U00020000.png", "Chinese characters"),
        ("https://img.example/a b.png", "blanks"),
        ("https://img.example/a.png\n", "blanks"),
        ("https://img.example/\ud800.png", "blanks"),
        ("https://img.example:port/a.png", "not a URL"),
        ("https://[::1/a.png", "not a URL"),
    ],
)
def test_a_url_the_vendor_cannot_take_is_named_in_words(url: str, expected: str) -> None:
    assert expected in str(url_problem(url))


@pytest.mark.parametrize(
    "url",
    [
        "http://img.example/a.png",
        "HTTPS://img.example:8443/a.png?size=1&x=%E6%A8%A1",
        "https://img.example/%E6%A8%A1.png",
        "http://127.0.0.1:9000/a.jpg",
    ],
)
def test_other_urls_are_fine(url: str) -> None:
    assert url_problem(url) is None


@given(st.text(max_size=40))
def test_any_text_is_judged_without_an_exception(text: str) -> None:
    assert url_problem(text) is None or str(url_problem(text))


@pytest.mark.parametrize("field", ["model_image", "tops_image", "pants_image", "mask_image"])
def test_a_task_refuses_a_bad_url_in_any_field_and_names_the_field(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        TryOnTask.model_validate(
            {"model_image": MODEL, "tops_image": TOPS, field: "https://a.example/衣.png"}
        )


@pytest.mark.parametrize("field", ["model_image", "tops_image"])
def test_a_task_needs_a_model_and_a_top(field: str) -> None:
    given = {"model_image": MODEL, "tops_image": TOPS}
    with pytest.raises(ValidationError, match=field):
        TryOnTask.model_validate(given | {field: ""})
    with pytest.raises(ValidationError, match=field):
        TryOnTask.model_validate({name: url for name, url in given.items() if name != field})


def test_the_misspelt_field_of_the_documents_table_is_not_taken() -> None:
    with pytest.raises(ValidationError, match="ops_image"):
        TryOnTask.model_validate({"model_image": MODEL, "ops_image": TOPS})


def test_an_empty_optional_image_counts_as_absent_and_is_not_sent() -> None:
    task = TryOnTask(model_image=MODEL, tops_image=TOPS, pants_image="", mask_image="")
    assert task == TASK
    assert task.to_wire() == {"model_image": MODEL, "tops_image": TOPS}


def test_a_submission_is_written_as_the_documents_example() -> None:
    task = TryOnTask(model_image=MODEL, tops_image=TOPS, pants_image=PANTS, mask_image=MASK)
    submission = Submission(fit_type=FitType.FULL_BODY, inference_num=2, tasks=(task, TASK))
    assert submission.to_wire() == {
        "data": {
            "fit_type": "FULL_BODY",
            "inference_num": 2,
            "task_list": [
                {"model_image": MODEL, "tops_image": TOPS, "pants_image": PANTS, "mask_image": MASK},
                {"model_image": MODEL, "tops_image": TOPS},
            ],
        }
    }


@pytest.mark.parametrize("number", [0, 5, -1, True, 1.5, "2"])
def test_a_number_of_pictures_outside_one_to_four_is_refused(number: object) -> None:
    with pytest.raises(ValidationError, match="inference_num"):
        Submission.model_validate({"fit_type": "HALF_BODY", "inference_num": number, "tasks": [TASK]})


@pytest.mark.parametrize("count", [0, 11])
def test_a_submission_of_no_or_of_eleven_tasks_is_refused(count: int) -> None:
    with pytest.raises(ValidationError, match="tasks"):
        Submission(fit_type=FitType.HALF_BODY, tasks=(TASK,) * count)


def test_an_unknown_fit_type_is_refused() -> None:
    with pytest.raises(ValidationError, match="fit_type"):
        Submission.model_validate({"fit_type": "UPPER_BODY", "tasks": [TASK]})


@given(submissions, submissions)
def test_fingerprints_are_equal_exactly_when_the_same_would_be_sent(
    first: Submission, second: Submission
) -> None:
    assert (first.fingerprint() == second.fingerprint()) == (first.to_wire() == second.to_wire())
    assert Submission.model_validate(first.model_dump()).fingerprint() == first.fingerprint()


def test_the_order_of_the_tasks_is_part_of_the_fingerprint() -> None:
    other = TryOnTask(model_image=MODEL, tops_image=PANTS)
    one = Submission(fit_type=FitType.HALF_BODY, tasks=(TASK, other))
    assert one.fingerprint() != Submission(fit_type=FitType.HALF_BODY, tasks=(other, TASK)).fingerprint()


@pytest.mark.parametrize("status", ["WAITING", "RUNNING", "FAILED"])
def test_urls_beside_any_status_but_success_are_dropped(status: str) -> None:
    sub_task = SubTask.model_validate(wire_sub_task(status, results=["http://img.example/1.png"]))
    assert sub_task.results == ()


@pytest.mark.parametrize(
    ("results", "read"),
    [
        (["http://img.example/1.png", "http://img.example/2.png"], 2),
        (None, 0),
        ([], 0),
        ([None, "", "http://img.example/1.png"], 1),
        ({}, 0),
    ],
)
def test_the_results_of_a_success_may_be_anything_and_only_urls_are_kept(results: object, read: int) -> None:
    assert len(SubTask.model_validate(wire_sub_task("SUCCESS", results=results)).results) == read


def test_missing_results_and_unknown_fields_are_no_trouble() -> None:
    sub_task = SubTask.model_validate(wire_sub_task("SUCCESS", score=0.9, pants_image=""))
    assert (sub_task.results, sub_task.pants_image) == ((), None)


def test_a_status_is_read_in_any_case_and_an_unknown_one_is_refused() -> None:
    assert SubTask.model_validate(wire_sub_task(" success ")).status is SubTaskStatus.SUCCESS
    with pytest.raises(ValidationError, match="status"):
        SubTask.model_validate(wire_sub_task("QUEUED"))


@pytest.mark.parametrize(
    ("statuses", "ended"),
    [
        ((), False),
        (("WAITING",), False),
        (("SUCCESS", "RUNNING"), False),
        (("SUCCESS", "FAILED"), True),
        (("FAILED",), True),
    ],
)
def test_an_answer_has_ended_when_every_sub_task_has(statuses: tuple[str, ...], ended: bool) -> None:
    answer = Answer.from_wire({"result_key": "k", "task_list": [wire_sub_task(s) for s in statuses]})
    assert answer.ended is ended
    assert sum(answer.counts.values()) == len(statuses)
    assert set(answer.counts) == set(SubTaskStatus)


def test_an_answer_survives_json() -> None:
    sub_task = wire_sub_task("SUCCESS", results=["http://img.example/1.png"])
    answer = Answer.from_wire({"result_key": "k", "task_list": [sub_task]}, "r")
    assert Answer.model_validate_json(answer.model_dump_json()) == answer


@given(st.lists(tasks, min_size=1, max_size=4))
def test_sub_tasks_that_echo_what_was_sent_are_matched_by_position(sent: list[TryOnTask]) -> None:
    echoed = [{"status": "WAITING", **task.to_wire()} for task in sent]
    matched = Answer.from_wire({"result_key": "k", "task_list": echoed}).matched_to(sent)
    assert [sub_task.tops_image for sub_task in matched] == [task.tops_image for task in sent]


@pytest.mark.parametrize(
    ("changed", "sent"),
    [
        ({"model_image": PANTS}, TASK),
        ({"tops_image": PANTS}, TASK),
        ({"tops_image": None}, TASK),
        ({"pants_image": PANTS}, TASK),
        ({}, TryOnTask(model_image=MODEL, tops_image=TOPS, pants_image=PANTS)),
    ],
)
def test_a_sub_task_with_other_urls_is_an_error(changed: dict[str, object], sent: TryOnTask) -> None:
    answer = Answer.from_wire({"result_key": "k", "task_list": [wire_sub_task(**changed)]}, "r")
    with pytest.raises(MismatchedAnswerError, match="sub-task 1 of 1") as caught:
        answer.matched_to([sent])
    assert (caught.value.result_key, caught.value.request_id) == ("k", "r")


def test_sub_tasks_in_another_order_are_not_put_right_by_guessing() -> None:
    other = TryOnTask(model_image=MODEL, tops_image=PANTS)
    echoed = [{"status": "WAITING", **task.to_wire()} for task in (other, TASK)]
    with pytest.raises(MismatchedAnswerError, match="sub-task 1 of 2"):
        Answer.from_wire({"result_key": "k", "task_list": echoed}).matched_to([TASK, other])


@pytest.mark.parametrize("count", [0, 2])
def test_another_number_of_sub_tasks_is_an_error(count: int) -> None:
    answer = Answer.from_wire({"result_key": "k", "task_list": [wire_sub_task()] * count})
    with pytest.raises(MismatchedAnswerError, match=f"1 tasks were sent and {count} sub-tasks came back"):
        answer.matched_to([TASK])
