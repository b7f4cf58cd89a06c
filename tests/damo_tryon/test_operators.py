"""The submit operator: what it sends, what it remembers, and what a person sees when something is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.retry_policy import RetryAction

from damo_tryon.contract import TryOnTask
from damo_tryon.errors import (
    CredentialsError,
    ImageRefusedError,
    InDoubtError,
    MalformedRequestError,
    NotConnectedError,
    OutcomeUnknownError,
    PackageUsedUpError,
    PersonCountError,
    ThrottledError,
    TryOnError,
)
from damo_tryon.hooks import DamoTryOnHook
from damo_tryon.journal import Journal, TaskStateJournal
from damo_tryon.names import XCOM_RESULTS
from damo_tryon.operators import SUBMIT_RETRY_POLICY, TryOnResultsLink, TryOnSubmitOperator
from damo_tryon.results_note import Place, ResultsNote


class TaskInstance:
    """What one task instance keeps: its state outlives tries, its XComs do not."""

    dag_id, run_id, task_id, map_index = "shop", "night", "submit", None

    def __init__(self) -> None:
        self.state: dict[str, str] = {}
        self.xcoms: dict[str, Any] = {}

    def get(self, key: str, default: object = None) -> object:
        return json.loads(self.state[key]) if key in self.state else default

    def set(self, key: str, value: object, *, retention: object = None) -> None:
        self.state[key] = json.dumps(value)

    def xcom_push(self, key: str, value: object) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def run(self, operator: TryOnSubmitOperator) -> Any:
        self.xcoms.clear()
        return operator.execute({"ti": self, "task_state_store": self})


def look(name: str) -> dict[str, str]:
    return {"model_image": "https://img.test/model.png", "tops_image": f"https://img.test/{name}.png"}


def looks(*names: str) -> list[dict[str, str]]:
    return [look(name) for name in names]


def make(tasks: Any, **settings: Any) -> TryOnSubmitOperator:
    return TryOnSubmitOperator(task_id="submit", tasks=tasks, fit_type="HALF_BODY", **settings)


class Vendor:
    """Scripts the server and reads what it was sent."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def accepts(self, *result_keys: str) -> None:
        for result_key in result_keys:
            data = {"result_key": result_key, "task_list": []}
            self.server.then_answer(200, json.dumps({"code": 0, "requestId": "r", "data": data}).encode())

    def refuses(self, code: int, times: int = 1, http_status: int = 400) -> None:
        for _ in range(times):
            body = {"code": code, "message": "words", "requestId": f"r{code}", "success": False}
            self.server.then_answer(http_status, json.dumps(body).encode())

    def loses_the_answer(self) -> None:
        self.server.then_close()

    @property
    def sent(self) -> list[list[str]]:
        """The names of the looks of each call."""
        calls = [json.loads(received.body)["data"]["task_list"] for received in self.server.received]
        return [[task["tops_image"].split("/")[-1].removesuffix(".png") for task in call] for call in calls]


@pytest.fixture
def vendor(server: Any, connect: Callable[..., None]) -> Vendor:
    connect(server.url)
    return Vendor(server)


@pytest.fixture
def ti() -> TaskInstance:
    return TaskInstance()


def test_any_number_of_looks_goes_out_in_submissions_of_ten(ti: TaskInstance, vendor: Vendor) -> None:
    names = [f"look{number}" for number in range(23)]
    vendor.accepts("k1", "k2", "k3")
    assert ti.run(make(looks(*names))) == ["k1", "k2", "k3"]
    assert vendor.sent == [names[:10], names[10:20], names[20:]]


def test_no_looks_are_no_work(ti: TaskInstance, vendor: Vendor) -> None:
    assert ti.run(make([])) == []
    assert vendor.sent == []


def test_a_look_listed_twice_is_paid_for_once(ti: TaskInstance, vendor: Vendor) -> None:
    vendor.accepts("k1")
    assert ti.run(make(looks("a", "b", "a"))) == ["k1"]
    assert vendor.sent == [["a", "b"]]


def test_a_later_try_reuses_what_was_accepted_and_sends_the_rest(ti: TaskInstance, vendor: Vendor) -> None:
    names = [f"look{number}" for number in range(20)]
    vendor.accepts("k1")
    vendor.refuses(23500001, http_status=401)
    with pytest.raises(CredentialsError):
        ti.run(make(looks(*names)))
    vendor.accepts("k2")
    assert ti.run(make(looks(*names))) == ["k1", "k2"]
    assert vendor.sent == [names[:10], names[10:], names[10:]]


def test_a_later_try_with_another_list_still_pays_for_no_look_twice(ti: TaskInstance, vendor: Vendor) -> None:
    vendor.accepts("k1", "k2")
    assert ti.run(make(looks("a", "b", "c"))) == ["k1"]
    assert ti.run(make(looks("new", "c", "b"))) == ["k2", "k1"]
    assert vendor.sent == [["a", "b", "c"], ["new"]]


def test_a_look_is_known_by_its_full_addresses_so_that_those_signed_anew_are_paid_for_again(
    ti: TaskInstance, vendor: Vendor
) -> None:
    def signed(signature: str) -> list[dict[str, str]]:
        return [{name: f"{url}?sig={signature}" for name, url in look("a").items()}]

    vendor.accepts("k1", "k2")
    assert ti.run(make(signed("monday"))) == ["k1"]
    assert ti.run(make(signed("monday"))) == ["k1"]
    assert ti.run(make(signed("tuesday"))) == ["k2"]


def test_the_good_looks_go_through_and_the_refused_are_told(ti: TaskInstance, vendor: Vendor) -> None:
    vendor.refuses(23500007)
    vendor.accepts("k1")
    vendor.refuses(23500016)
    assert ti.run(make(looks("a", "b"))) == ["k1"]
    assert vendor.sent == [["a", "b"], ["a"], ["b"]]
    assert ti.xcoms["refused"] == [
        {"index": 1, "code": 23500016, "message": "words", "request_id": "r23500016"}
    ]


def test_a_task_may_be_asked_to_fail_on_a_refused_look_once_the_good_ones_are_through(
    ti: TaskInstance, vendor: Vendor
) -> None:
    vendor.refuses(23500007, times=2)
    vendor.accepts("k1")
    with pytest.raises(ImageRefusedError, match=r"1 of 2 looks, the first being number 0: words.*clear the"):
        ti.run(make(looks("bad", "good"), on_refused="fail"))
    assert [entry["index"] for entry in ti.xcoms["refused"]] == [0]
    vendor.accepts("k2")  # a person has replaced the image and cleared the task
    assert ti.run(make(looks("better", "good"), on_refused="fail")) == ["k2", "k1"]
    assert vendor.sent[-1] == ["better"]


def test_when_nothing_was_accepted_the_task_fails_with_the_vendors_code(
    ti: TaskInstance, vendor: Vendor
) -> None:
    vendor.refuses(23500015, times=3)
    with pytest.raises(PersonCountError, match="2 of 2 looks") as caught:
        ti.run(make(looks("a", "b")))
    assert caught.value.code == 23500015
    assert "Split the submission" not in str(caught.value)


def test_an_unanswered_submission_stops_the_task_and_later_tries_send_nothing(
    ti: TaskInstance, vendor: Vendor
) -> None:
    names = [f"look{number}" for number in range(20)]
    vendor.loses_the_answer()
    with pytest.raises(OutcomeUnknownError, match=r"10 of 20 looks.*bill.*on_doubt"):
        ti.run(make(looks(*names)))
    with pytest.raises(InDoubtError, match=r"10 of 20 looks.*bill.*on_doubt"):
        ti.run(make(looks(*names)))
    with pytest.raises(InDoubtError):  # another list makes no difference to looks in doubt
        ti.run(make(looks("look3", "new")))
    assert vendor.sent == [names[:10]]
    assert [entry["index"] for entry in ti.xcoms["in_doubt"]] == [0]


def test_what_was_accepted_is_there_to_be_collected_although_the_task_fails(
    ti: TaskInstance, vendor: Vendor
) -> None:
    vendor.accepts("k1")
    vendor.refuses(23500003, http_status=403)
    with pytest.raises(PackageUsedUpError):
        ti.run(make(looks(*(f"look-{number}" for number in range(20)))))
    assert ti.xcoms["return_value"] == ["k1"]


def test_what_an_earlier_try_paid_for_is_there_although_the_connection_cannot_even_be_read(
    ti: TaskInstance, vendor: Vendor
) -> None:
    names = [f"look-{number}" for number in range(20)]
    vendor.accepts("k1")
    vendor.refuses(23500003, http_status=403)
    with pytest.raises(PackageUsedUpError):
        ti.run(make(looks(*names)))

    def get_conn() -> None:
        raise RuntimeError("the secrets backend is away")

    operator = make(looks(*names))
    operator.__dict__["hook"] = SimpleNamespace(get_conn=get_conn)
    with pytest.raises(RuntimeError, match="secrets backend"):
        ti.run(operator)
    assert ti.xcoms["return_value"] == ["k1"]


# Each submission is written down twice: that it is intended, and what came of it.
@pytest.mark.parametrize(("write", "paid_for"), [(1, None), (2, ["k1"]), (3, ["k1"]), (4, ["k1", "k2"])])
@pytest.mark.parametrize("failure", [RuntimeError("no more"), KeyboardInterrupt("no more")])
def test_what_was_paid_for_is_there_although_writing_it_down_fails(
    vendor: Vendor, write: int, paid_for: list[str] | None, failure: BaseException
) -> None:
    class Forgetful(TaskInstance):
        writes = 0

        def set(self, key: str, value: object, *, retention: object = None) -> None:
            self.writes += 1
            if self.writes == write:
                raise failure

    ti = Forgetful()
    vendor.accepts("k1", "k2")
    with pytest.raises(type(failure), match="no more"):
        ti.run(make(looks(*(f"look-{number}" for number in range(20)))))
    assert ti.xcoms.get("return_value") == paid_for


def test_a_failure_is_told_as_it_is_although_its_keys_cannot_be_pushed(
    ti: TaskInstance, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def xcom_push(_key: str, _value: object) -> None:
        raise RuntimeError("the API server is away")

    monkeypatch.setattr(ti, "xcom_push", xcom_push)
    vendor.accepts("k1")
    vendor.refuses(23500003, http_status=403)
    with pytest.raises(PackageUsedUpError):
        ti.run(make(looks(*(f"look-{number}" for number in range(20)))))
    assert "could not be pushed as XCom: k1" in capsys.readouterr().out


def test_by_a_persons_word_looks_in_doubt_are_left_out(ti: TaskInstance, vendor: Vendor) -> None:
    names = [f"look{number}" for number in range(20)]
    vendor.loses_the_answer()
    vendor.accepts("k2")
    assert ti.run(make(looks(*names), on_doubt="continue")) == ["k2"]
    assert [entry["index"] for entry in ti.xcoms["in_doubt"]] == list(range(10))
    assert ti.run(make(looks(*names), on_doubt="continue")) == ["k2"]
    assert len(vendor.sent) == 2


def test_leaving_out_everything_is_not_success(ti: TaskInstance, vendor: Vendor) -> None:
    vendor.loses_the_answer()
    with pytest.raises(OutcomeUnknownError):
        ti.run(make(looks("a"), on_doubt="continue"))


def test_by_a_persons_word_looks_in_doubt_are_sent_once_more(ti: TaskInstance, vendor: Vendor) -> None:
    vendor.loses_the_answer()
    with pytest.raises(OutcomeUnknownError):
        ti.run(make(looks("a")))
    operator = make(looks("a"), on_doubt="{{ word }}")
    operator.render_template_fields({"word": "resend"})
    vendor.accepts("k1")
    assert ti.run(operator) == ["k1"]
    assert ti.run(make(looks("a"))) == ["k1"]
    assert vendor.sent == [["a"], ["a"]]


def test_one_word_sends_a_doubt_once_more_however_often_the_task_is_tried(
    ti: TaskInstance, vendor: Vendor
) -> None:
    for _ in range(3):
        vendor.loses_the_answer()
    with pytest.raises(OutcomeUnknownError):
        ti.run(make(looks("a")))
    with pytest.raises(OutcomeUnknownError):
        ti.run(make(looks("a"), on_doubt="resend"))
    for _ in range(2):
        with pytest.raises(InDoubtError, match=r"resend 2"):
            ti.run(make(looks("a"), on_doubt="resend"))
    assert len(vendor.sent) == 2
    with pytest.raises(OutcomeUnknownError):
        ti.run(make(looks("a"), on_doubt="resend 2"))
    assert len(vendor.sent) == 3


def test_a_worker_that_dies_while_it_sends_a_doubt_again_is_not_followed_by_one_that_does(
    ti: TaskInstance, vendor: Vendor
) -> None:
    class Died(BaseException):
        """The end of a process, as far as a test can have one."""

    def die(*_call: object) -> None:
        calls.append(_call)
        raise Died

    calls: list[object] = []
    vendor.loses_the_answer()
    with pytest.raises(OutcomeUnknownError):
        ti.run(make(looks("a")))
    for end in (Died, InDoubtError, InDoubtError):
        operator = make(looks("a"), on_doubt="resend")
        operator.__dict__["hook"] = SimpleNamespace(get_conn=lambda: None, submit=die)
        with pytest.raises(end):
            ti.run(operator)
    assert len(calls) == 1


def test_even_when_told_to_send_doubts_again_a_try_does_not_do_so_to_its_own(
    ti: TaskInstance, vendor: Vendor
) -> None:
    vendor.loses_the_answer()
    with pytest.raises(OutcomeUnknownError):
        ti.run(make(looks("a"), on_doubt="resend"))
    assert len(vendor.sent) == 1


def test_an_unusable_connection_leaves_no_doubt_behind(
    ti: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_DAMO_TRYON", raising=False)
    with pytest.raises(CredentialsError, match="connection"):
        ti.run(make(looks("a")))
    assert ti.state == {}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"inference_num": 5}, "inference_num is 5"),
        ({"on_doubt": "perhaps"}, "on_doubt is 'perhaps', expected one of fail, continue, resend"),
    ],
)
def test_what_breaks_a_rule_is_refused_before_anything_is_sent(
    ti: TaskInstance, vendor: Vendor, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(MalformedRequestError, match=words):
        ti.run(make(looks("a"), **settings))
    assert vendor.sent == []


def test_everything_that_is_sent_may_come_from_a_template(ti: TaskInstance, vendor: Vendor) -> None:
    operator = TryOnSubmitOperator(
        task_id="submit",
        tasks="{{ looks | tojson }}",
        fit_type="{{ fit }}",
        inference_num="{{ number }}",
        conn_id="{{ conn }}",
    )
    operator.render_template_fields(
        {"looks": looks("a"), "fit": "FULL_BODY", "number": 3, "conn": "damo_tryon"}
    )
    vendor.accepts("k1")
    assert ti.run(operator) == ["k1"]
    sent = json.loads(vendor.server.received[0].body)["data"]
    assert (sent["fit_type"], sent["inference_num"]) == ("FULL_BODY", 3)


def test_templates_inside_the_looks_are_rendered() -> None:
    operator = make([{"model_image": "{{ model }}", "tops_image": "https://img.test/t.png"}])
    operator.render_template_fields({"model": "https://img.test/m.png"})
    assert operator.tasks[0]["model_image"] == "https://img.test/m.png"


def test_keys_and_connection_are_noted_for_the_results_page_under_seal(
    ti: TaskInstance, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "damo_tryon", "host": vendor.server.url, "password": "s3cr3t"}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(connection))
    vendor.accepts("k1")
    ti.run(make(looks("a"), conn_id="other"))
    hook = DamoTryOnHook("other")
    place = Place("shop", "night", "submit", -1)
    left = ResultsNote.read(ti.xcoms[XCOM_RESULTS])
    assert left is not None
    assert (left.conn_id, left.result_keys) == ("other", ("k1",))
    assert left.holds(place, hook)
    assert not replace(left, result_keys=("k2",)).holds(place, hook)
    assert "s3cr3t" not in json.dumps(ti.xcoms)


def test_neither_looks_nor_credentials_are_kept_in_state_or_xcom(ti: TaskInstance, vendor: Vendor) -> None:
    vendor.refuses(23500007)
    vendor.accepts("k1")
    vendor.refuses(23500007)
    ti.run(make(looks("a", "b")))
    kept = json.dumps([ti.state, ti.xcoms])
    assert "img.test" not in kept
    assert "code-of-the-tests" not in kept


def test_a_catalogue_brings_its_own_looks_and_its_own_journal(ti: TaskInstance, vendor: Vendor) -> None:
    store = TaskInstance()

    class CatalogueOperator(TryOnSubmitOperator):
        def read_tasks(self, context: Any) -> tuple[TryOnTask, ...]:
            return (TryOnTask(**look(f"of-{self.tasks}")),)

        def make_journal(self, context: Any) -> Journal:
            return TaskStateJournal(store)

    vendor.accepts("k1")
    operator = CatalogueOperator(task_id="submit", tasks="batch-7", fit_type="HALF_BODY")
    assert ti.run(operator) == ["k1"]
    assert vendor.sent == [["of-batch-7"]]
    assert ti.state == {}
    assert store.state != {}


def test_the_link_leads_to_the_results_of_this_very_task_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://air.test/flow/")
    key = SimpleNamespace(
        dag_id="d", run_id="manual__2026-01-01T00:00:00+00:00", task_id="g.submit", map_index=3
    )
    link = TryOnResultsLink().get_link(make([]), ti_key=key)
    assert link == (
        "/flow/damo-tryon/results?dag_id=d&run_id=manual__2026-01-01T00%3A00%3A00%2B00%3A00"
        "&task_id=g.submit&map_index=3"
    )


@pytest.mark.parametrize("map_index", [None, -1])
def test_the_link_of_an_unmapped_task_has_the_index_airflow_stores(map_index: int | None) -> None:
    key = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=map_index)
    assert TryOnResultsLink().get_link(make([]), ti_key=key).endswith("&map_index=-1")


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (CredentialsError("no"), RetryAction.FAIL),
        (MalformedRequestError("no"), RetryAction.FAIL),
        (InDoubtError("no"), RetryAction.FAIL),
        (OutcomeUnknownError("no"), RetryAction.FAIL),
        (PersonCountError("no"), RetryAction.FAIL),
        (ThrottledError("no"), RetryAction.DEFAULT),
        (NotConnectedError("no"), RetryAction.DEFAULT),
    ],
)
def test_a_retry_that_is_in_vain_is_not_made(error: TryOnError, action: RetryAction) -> None:
    assert SUBMIT_RETRY_POLICY.evaluate(error, 1, 3).action is action


@pytest.mark.parametrize("map_it", [True, False])
def test_the_retry_policy_is_the_default_also_of_a_mapped_task_and_can_be_taken_away(map_it: bool) -> None:
    with DAG("d"):
        if map_it:
            task: Any = TryOnSubmitOperator.partial(task_id="submit", fit_type="HALF_BODY").expand(tasks=[[]])
        else:
            task = make([])
        plain = TryOnSubmitOperator(task_id="plain", tasks=[], fit_type="HALF_BODY", retry_policy=None)
    assert task.retry_policy is SUBMIT_RETRY_POLICY
    assert plain.retry_policy is None


def test_a_dag_with_both_can_be_stored_by_airflow() -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("d") as dag:
        make([TryOnTask(**look("a")), look("b")])
    stored = json.dumps(DagSerialization.to_dict(dag))
    assert "_link_TryOnResultsLink" in stored
    assert json.loads(stored)["dag"]["tasks"][0]["__var"]["has_retry_policy"] is True
