"""The client against the stand-in vendor, which shares no code with it: do both read the document alike?"""

from __future__ import annotations

import asyncio
import functools
import io
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import time_machine
from PIL import Image, ImageDraw
from tests.guards import GUARD

from damo_tryon.contract import Answer, FitType, SubTaskStatus, TryOnTask
from damo_tryon.errors import (
    GATEWAY_RULES,
    VENDOR_CODES,
    CredentialsError,
    ImageRefusedError,
    MalformedRequestError,
    MismatchedAnswerError,
    OutcomeUnknownError,
    PersonCountError,
    PollFailedError,
    TryOnError,
    UnknownResultKeyError,
    VendorInternalError,
)
from damo_tryon.hooks import ONCE, DamoTryOnHook, RetryPolicy

PATIENT = RetryPolicy(attempts=4, first_wait=0.001, longest_wait=0.01)


def figures(count: int, size: tuple[int, int] = (400, 520)) -> bytes:
    """A picture of upright figures on a plain background."""
    picture = Image.new("RGB", size, (240, 240, 240))
    width = size[0] / max(count, 1)
    for at in range(count):
        left = at * width + width * 0.3
        ImageDraw.Draw(picture).rectangle((left, 20, left + width * 0.4, size[1] - 20), fill=(70, 60, 90))
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


class QuietFiles(SimpleHTTPRequestHandler):
    """Serves a folder without a word. What an address has after its `?` makes the picture another one."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send the query behind the picture, where nobody who draws it looks."""
        super().copyfile(source, outputfile)
        outputfile.write(self.query)

    @property
    def query(self) -> bytes:
        """What stands after the `?`."""
        return self.path.partition("?")[2].encode()

    def send_header(self, keyword: str, value: str) -> None:
        """Count the query in."""
        longer = keyword.lower() == "content-length" and self.query
        super().send_header(keyword, str(int(value) + len(self.query)) if longer else value)

    def log_message(self, *_args: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a folder with images, fit and unfit."""
    folder = tmp_path_factory.mktemp("images")
    pictures = {"model": figures(1), "tops": figures(1), "crowd": figures(2), "nobody": figures(0)}
    pictures["small"] = figures(1, (399, 399))
    for name, content in pictures.items():
        (folder / f"{name}.png").write_bytes(content)
    handler = functools.partial(QuietFiles, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Sandbox:
    """A running stand-in vendor."""

    url: str
    appcode: str
    appkey: str
    appsecret: str

    def charges(self) -> dict[str, Any]:
        """What it accepted and charged so far."""
        report: dict[str, Any] = requests.get(f"{self.url}/_sandbox/charges", timeout=GUARD).json()
        return report

    def suffer(self, *faults: dict[str, Any]) -> None:
        """Replace the faults to come."""
        requests.put(f"{self.url}/_sandbox/faults", json=list(faults), timeout=GUARD).raise_for_status()


@pytest.fixture(scope="module")
def running_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for all tests; it refuses every nonce it has seen before."""
    options = ["--json", "--strict-nonce", "--latency=0.1", "--submit-rate=0", "--query-rate=0"]
    options += ["--concurrency=0", "--pictures=plain", "--url-life=60", "--port=0"]
    log = (tmp_path_factory.mktemp("sandbox") / "log").open("wb")
    with (
        log,
        subprocess.Popen(
            [sys.executable, "-m", "tryon_sandbox", *options], stdout=subprocess.PIPE, stderr=log
        ) as process,
    ):
        try:
            yield Sandbox(**json.loads(process.stdout.readline()))  # type: ignore[union-attr] # it is a pipe
        finally:
            process.terminate()


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox without faults; whatever a test did, no nonce was used twice and no look paid twice."""
    running_sandbox.suffer()
    yield running_sandbox
    report = running_sandbox.charges()
    assert report["nonces_reused"] == 0
    assert report["max_times_one_look_was_charged"] <= 1


Connect = Callable[..., DamoTryOnHook]


@pytest.fixture
def connect(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Make a hook whose connection has the given fields."""

    def hook(retry: RetryPolicy = PATIENT, **fields: Any) -> DamoTryOnHook:
        given = {"conn_type": "damo_tryon", "host": sandbox.url, "password": sandbox.appcode} | fields
        monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", json.dumps(given))
        return DamoTryOnHook(retry=retry)

    return hook


@pytest.fixture
def hook(connect: Connect) -> DamoTryOnHook:
    """A hook with the sandbox's AppCode."""
    return connect()


@pytest.fixture
def task(images: str) -> TryOnTask:
    """A task that nobody has submitted yet."""
    return new_task(images)


def new_task(images: str, model: str = "model", tops: str = "tops") -> TryOnTask:
    unique = uuid.uuid4().hex
    return TryOnTask(
        model_image=f"{images}/{model}.png?{unique}",
        tops_image=f"{images}/{tops}.png?{unique}",
    )


def until_ended(hook: DamoTryOnHook, result_key: str) -> Answer:
    deadline = time.monotonic() + GUARD
    while not (answer := hook.query(result_key)).ended:
        assert time.monotonic() < deadline, answer
    return answer


def until_charged(sandbox: Sandbox, submissions: int) -> None:
    deadline = time.monotonic() + GUARD
    while (charged := sandbox.charges()["submissions"]) != submissions:
        assert time.monotonic() < deadline, charged


def failure(hook: DamoTryOnHook, *tasks: TryOnTask) -> TryOnError:
    with pytest.raises(TryOnError) as caught:
        hook.submit(tasks, FitType.HALF_BODY)
    return caught.value


WAYS = ["AppCode", "HmacSHA256", "HmacSHA1"]


@pytest.mark.parametrize("way", WAYS)
def test_a_submission_goes_all_the_way_to_its_pictures(
    sandbox: Sandbox, connect: Connect, images: str, way: str
) -> None:
    signed = {"login": sandbox.appkey, "password": sandbox.appsecret, "extra": {"signature_method": way}}
    hook = connect(**({} if way == "AppCode" else signed))
    before = sandbox.charges()["uses"]
    tasks = [
        new_task(images),
        new_task(images).model_copy(update={"pants_image": f"{images}/tops.png?{uuid.uuid4().hex}"}),
    ]
    submitted = hook.submit(tasks, FitType.FULL_BODY, inference_num=2)
    assert submitted.counts[SubTaskStatus.WAITING] == 2
    ended = until_ended(hook, submitted.result_key)
    assert asyncio.run(hook.async_query(submitted.result_key)).counts == ended.counts
    for sub_task in ended.matched_to(tasks):
        assert sub_task.status is SubTaskStatus.SUCCESS
        for url in sub_task.results:
            assert requests.get(url, timeout=GUARD).headers["content-type"] == "image/jpeg"
        assert len(sub_task.results) == 2
    assert sandbox.charges()["uses"] == before + 4


@pytest.mark.parametrize("way", WAYS)
async def test_an_event_loop_may_authenticate_in_every_way(
    sandbox: Sandbox, connect: Connect, way: str
) -> None:
    signed = {"login": sandbox.appkey, "password": sandbox.appsecret, "extra": {"signature_method": way}}
    hook = connect(**({} if way == "AppCode" else signed))
    with pytest.raises(UnknownResultKeyError):
        await hook.async_query("0" * 32)


def test_a_connection_test_passes_and_spends_nothing(sandbox: Sandbox, hook: DamoTryOnHook) -> None:
    before = sandbox.charges()["uses"]
    assert hook.test_connection()[0]
    assert sandbox.charges()["uses"] == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "wrong"},
        {"login": "wrong", "password": "wrong"},
        {"login": "right", "password": "wrong"},
    ],
)
def test_wrong_credentials_are_told_as_such(
    sandbox: Sandbox, connect: Connect, task: TryOnTask, wrong: dict[str, str]
) -> None:
    if wrong.get("login") == "right":
        wrong = wrong | {"login": sandbox.appkey}
    hook = connect(**wrong)
    error = failure(hook, task)
    assert isinstance(error, CredentialsError)
    assert error.proved_not_accepted
    passed, words = hook.test_connection()
    assert not passed
    assert "did not accept our credentials" in words


def test_a_clock_that_is_wrong_is_told_as_a_request_that_cannot_be_taken(
    sandbox: Sandbox, connect: Connect, task: TryOnTask
) -> None:
    hook = connect(login=sandbox.appkey, password=sandbox.appsecret)
    with time_machine.travel(time.time() - 20 * 60):
        error = failure(hook, task)
    assert isinstance(error, MalformedRequestError)
    assert "clock" in str(error)


@pytest.mark.parametrize(
    ("model", "refusal"),
    [
        ("missing", (ImageRefusedError, 23500006)),
        ("small", (ImageRefusedError, 23500007)),
        ("crowd", (PersonCountError, 23500015)),
        ("nobody", (PersonCountError, 23500016)),
    ],
)
def test_an_unfit_image_is_refused_and_costs_nothing(
    sandbox: Sandbox, hook: DamoTryOnHook, images: str, model: str, refusal: tuple[type, int]
) -> None:
    before = sandbox.charges()["uses"]
    error = failure(hook, new_task(images), new_task(images, model=model))
    assert (type(error), error.code) == refusal
    assert error.proved_not_accepted
    assert error.request_id
    assert sandbox.charges()["uses"] == before


@pytest.mark.parametrize("code", sorted(VENDOR_CODES))
def test_every_code_of_the_vendor_is_read_for_what_it_is(
    sandbox: Sandbox, connect: Connect, task: TryOnTask, code: int
) -> None:
    sandbox.suffer({"kind": "refuse", "code": code, "times": 2})
    hook = connect(retry=ONCE)
    error = failure(hook, task)
    rule = VENDOR_CODES[code]
    assert (type(error), error.code, error.proved_not_accepted) == (rule.error, code, rule.proves_refusal)
    with pytest.raises(rule.error):
        hook.query("0" * 32)


@pytest.mark.parametrize("code", sorted(frozenset().union(*(rule.codes for rule in GATEWAY_RULES))))
def test_every_code_of_the_gateway_is_read_for_what_it_is(
    sandbox: Sandbox, connect: Connect, task: TryOnTask, code: str
) -> None:
    sandbox.suffer({"kind": "gateway_error", "code": code})
    error = failure(connect(retry=ONCE), task)
    (kind,) = [rule.error for rule in GATEWAY_RULES if code in rule.codes]
    assert type(error) is (kind or OutcomeUnknownError)
    assert error.proved_not_accepted is (kind is not None)


def test_throttling_is_waited_out_and_paid_once(
    sandbox: Sandbox, hook: DamoTryOnHook, task: TryOnTask
) -> None:
    sandbox.suffer(
        {"kind": "throttle", "style": "vendor"},
        {"kind": "throttle", "style": "gateway", "retry_after": 0},
    )
    before = sandbox.charges()
    hook.submit([task], FitType.HALF_BODY)
    after = sandbox.charges()
    assert after["submissions"] == before["submissions"] + 1
    assert after["calls"]["submit"] == before["calls"]["submit"] + 3


ACCEPTED_AND_LOST: list[dict[str, Any]] = [
    {"kind": "lose_answer"},
    {"kind": "reset_mid_body"},
    {"kind": "truncate"},
    {"kind": "truncate", "keep": 0},
    *({"kind": "http_5xx_empty", "accepted": True, "status": status} for status in (500, 502, 503, 504)),
    {"kind": "http_500_envelope", "accepted": True},
]


@pytest.mark.parametrize("fault", ACCEPTED_AND_LOST, ids=str)
def test_an_answer_that_is_lost_is_in_doubt_and_charged_once(
    sandbox: Sandbox, hook: DamoTryOnHook, task: TryOnTask, fault: dict[str, Any]
) -> None:
    before = sandbox.charges()
    sandbox.suffer(fault)
    error = failure(hook, task)
    expected = VendorInternalError if fault["kind"] == "http_500_envelope" else OutcomeUnknownError
    assert (type(error), error.proved_not_accepted) == (expected, False)
    after = sandbox.charges()
    assert after["submissions"] == before["submissions"] + 1
    assert after["calls"]["submit"] == before["calls"]["submit"] + 1


def test_an_answer_that_comes_too_late_is_in_doubt_and_charged_once(
    sandbox: Sandbox, connect: Connect, task: TryOnTask
) -> None:
    before = sandbox.charges()["submissions"]
    sandbox.suffer({"kind": "delay", "accepted": True, "seconds": 20})
    error = failure(connect(extra={"read_timeout": 0.5}), task)
    assert (type(error), error.proved_not_accepted) == (OutcomeUnknownError, False)
    until_charged(sandbox, before + 1)


@pytest.mark.parametrize("fault", [{"kind": "close"}, {"kind": "http_5xx_empty"}], ids=str)
def test_a_failure_before_acceptance_that_proves_nothing_is_not_repeated_either(
    sandbox: Sandbox, hook: DamoTryOnHook, task: TryOnTask, fault: dict[str, Any]
) -> None:
    before = sandbox.charges()["calls"]["submit"]
    sandbox.suffer(fault)
    assert type(failure(hook, task)) is OutcomeUnknownError
    assert sandbox.charges()["calls"]["submit"] == before + 1


QUERY_FAULTS: list[dict[str, Any]] = [
    {"kind": "close"},
    {"kind": "lose_answer"},
    {"kind": "reset_mid_body"},
    {"kind": "truncate"},
    {"kind": "throttle"},
    {"kind": "http_5xx_empty"},
    {"kind": "http_500_envelope"},
]


@pytest.mark.parametrize("fault", QUERY_FAULTS, ids=str)
def test_a_query_is_repeated_until_it_is_answered(
    sandbox: Sandbox, hook: DamoTryOnHook, task: TryOnTask, fault: dict[str, Any]
) -> None:
    result_key = hook.submit([task], FitType.HALF_BODY).result_key
    sandbox.suffer(fault | {"path": "query", "times": 2})
    assert hook.query(result_key).result_key == result_key


async def test_a_lost_answer_to_a_query_is_a_bad_poll_in_an_event_loop(
    sandbox: Sandbox, hook: DamoTryOnHook, task: TryOnTask
) -> None:
    submitted = await asyncio.to_thread(hook.submit, [task], FitType.HALF_BODY)
    sandbox.suffer({"kind": "lose_answer", "path": "query"})
    with pytest.raises(PollFailedError):
        await hook.async_query(submitted.result_key)
    assert (await hook.async_query(submitted.result_key)).result_key == submitted.result_key


@pytest.mark.parametrize("fault", [{"kind": "swap_results"}, {"kind": "wrong_echo", "index": 1}], ids=str)
def test_an_answer_about_other_images_is_never_matched_by_guessing(
    sandbox: Sandbox, hook: DamoTryOnHook, images: str, fault: dict[str, Any]
) -> None:
    tasks = [new_task(images), new_task(images)]
    result_key = hook.submit(tasks, FitType.HALF_BODY).result_key
    sandbox.suffer(fault | {"path": "query"})
    with pytest.raises(MismatchedAnswerError):
        hook.query(result_key).matched_to(tasks)


def test_one_failed_sub_task_leaves_the_other_its_pictures(
    sandbox: Sandbox, hook: DamoTryOnHook, images: str
) -> None:
    sandbox.suffer({"kind": "fail_sub_task", "index": 0})
    result_key = hook.submit([new_task(images), new_task(images)], FitType.HALF_BODY).result_key
    failed, made = until_ended(hook, result_key).sub_tasks
    assert (failed.status, failed.results) == (SubTaskStatus.FAILED, ())
    assert (made.status, len(made.results)) == (SubTaskStatus.SUCCESS, 1)
