"""The vendor's API as a whole, over a real socket."""

from __future__ import annotations

import io
import math
import socket
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image
from tests.guards import GUARD

from tryon_sandbox.settings import Pictures, SandboxSettings

SUBMIT = "/api/v1/tryon/submit"
QUERY = "/api/v1/tryon/query"


def test_a_submission_is_accepted_waits_and_ends_with_pictures_of_the_models_size(
    open_sandbox: Callable[..., Any],
) -> None:
    caller = open_sandbox(pictures=Pictures.DRAWN)
    response = caller.submit(caller.task(pants_image="", mask_image=caller.wardrobe.mask), number=2)
    body = response.json()

    assert response.status_code == 200
    assert (body["code"], body["message"], body["success"]) == (0, "success", True)
    key = body["data"]["result_key"]
    assert len(key) == 32
    assert body["data"]["task_list"] == [
        {
            "status": "WAITING",
            "results": [],
            "model_image": caller.wardrobe.model,
            "tops_image": caller.wardrobe.shirt,
            "pants_image": "",
        }
    ]
    (ended,) = caller.ended(key)
    assert ended["status"] == "SUCCESS"
    assert len(ended["results"]) == 2
    contents = [requests.get(url, timeout=GUARD).content for url in ended["results"]]
    assert len(set(contents)) == 2
    for content in contents:
        picture = Image.open(io.BytesIO(content))
        assert (picture.format, picture.size) == ("JPEG", (400, 520))


def test_the_table_s_name_for_the_tops_field_is_understood_too(caller: Any) -> None:
    key = caller.submitted({"model_image": caller.wardrobe.model, "ops_image": caller.wardrobe.shirt})

    (ended,) = caller.ended(key)
    assert (ended["status"], ended["tops_image"]) == ("SUCCESS", caller.wardrobe.shirt)


def test_the_same_look_is_drawn_alike_every_time(caller: Any) -> None:
    keys = [caller.submitted(), caller.submitted()]

    contents = {requests.get(caller.ended(key)[0]["results"][0], timeout=GUARD).content for key in keys}
    assert len(contents) == 1


def test_result_links_carry_the_host_the_caller_used(caller: Any) -> None:
    key = caller.submitted()
    caller.ended(key)
    port = caller.running.url.rpartition(":")[2]
    response = caller.post(QUERY, {"data": {"result_key": key}}, caller.headers(Host=f"localhost:{port}"))

    (state,) = response.json()["data"]["task_list"]
    assert state["results"][0].startswith(f"http://localhost:{port}/_results/")


def test_charges_name_every_look_with_its_times_uses_and_keys(caller: Any) -> None:
    other = caller.task(pants_image=caller.wardrobe.trousers, mask_image="")
    first = caller.submitted(caller.task(), other, number=2)
    second = caller.submitted(caller.task(), number=2)
    third = caller.submitted(caller.task(), number=1)
    caller.states(first)

    charges = caller.running.charges()

    assert (charges.uses, charges.submissions, charges.max_times_one_look_was_charged) == (7, 3, 2)
    assert (charges.calls.submit, charges.calls.query, charges.credits_left) == (3, 1, None)
    found = {(look.inference_num, look.pants_image): look for look in charges.looks}
    twice = found[2, None]
    assert (twice.times, twice.uses, set(twice.result_keys)) == (2, 4, {first, second})
    assert found[2, caller.wardrobe.trousers].result_keys == [first]
    assert (found[1, None].uses, found[1, None].result_keys) == (1, [third])
    assert {look.mask_image for look in charges.looks} == {None}


def test_a_submission_beyond_the_credits_is_refused_whole_and_costs_nothing(
    open_sandbox: Callable[..., Any],
) -> None:
    caller = open_sandbox(credits=3)
    caller.submitted(number=2)

    refused = caller.submit(number=2)
    fits = caller.submit(number=1)
    used_up = caller.submit(number=1)

    assert (refused.status_code, refused.json()["code"]) == (403, "23500003")
    assert refused.json()["message"] == "User credit points are exhausted."
    assert fits.status_code == 200
    assert used_up.json()["code"] == "23500003"
    charges = caller.running.charges()
    assert (charges.uses, charges.credits_left, charges.submissions) == (3, 0, 2)


def test_calls_beyond_the_rate_are_throttled_with_the_vendor_s_envelope(
    open_sandbox: Callable[..., Any], clock: Any
) -> None:
    caller = open_sandbox(submit_rate=2, query_rate=1, clock=clock)

    codes = [caller.submit().json()["code"] for _ in range(3)]
    asked = [caller.query("0" * 32).json()["code"] for _ in range(2)]
    clock.now += 1.01
    later = caller.submit()

    assert codes == [0, 0, "23500004"]
    assert asked == ["23500008", "23500004"]
    assert later.status_code == 200
    assert caller.running.charges().submissions == 3


def test_a_malformed_call_uses_up_the_rate_and_one_the_gateway_refuses_does_not(
    open_sandbox: Callable[..., Any], clock: Any, gateway_error: Callable[..., str]
) -> None:
    caller = open_sandbox(submit_rate=2, clock=clock)
    without_nonce = caller.headers()
    del without_nonce["X-Ca-Nonce"]

    for _ in range(3):
        gateway_error(caller.post(SUBMIT, {}, without_nonce), 400, "I400NC")
    codes = [caller.post(SUBMIT, {}).json()["code"] for _ in range(3)]

    assert codes == ["23500009", "23500009", "23500004"]


@pytest.mark.parametrize("said", ["application/json; charset=UTF-8", "text/plain"])
def test_whatever_the_content_type_says_it_is_only_to_be_there(caller: Any, said: str) -> None:
    response = caller.post(
        QUERY, {"data": {"result_key": "0" * 32}}, caller.headers(**{"Content-Type": said})
    )

    assert response.json()["code"] == "23500008"


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("undress", 404, "23500002"), ("sub%20mit", 400, "23500014"), ("9", 400, "23500014")],
)
def test_a_service_the_vendor_does_not_have_is_refused_with_its_codes(
    caller: Any, name: str, status: int, code: str
) -> None:
    response = caller.post(f"/api/v1/tryon/{name}", {})

    assert (response.status_code, response.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/v1/tryon/submit"), ("POST", "/api/v2/tryon/submit"), ("GET", "/")]
)
def test_a_path_the_gateway_does_not_know_is_its_own_error(
    caller: Any, gateway_error: Callable[..., str], method: str, path: str
) -> None:
    response = requests.request(method, caller.running.url + path, headers=caller.headers(), timeout=GUARD)

    gateway_error(response, 404, "I404NF")


def test_a_link_dies_in_its_time_and_asking_again_gives_a_fresh_one(
    open_sandbox: Callable[..., Any], clock: Any
) -> None:
    caller = open_sandbox(url_life=60, clock=clock)
    key = caller.submitted()
    (old,) = caller.ended(key)[0]["results"]
    clock.now += 50
    (fresh,) = caller.states(key)[0]["results"]
    clock.now += 11

    dead = requests.get(old, timeout=GUARD)
    alive = requests.get(fresh, timeout=GUARD)

    assert (dead.status_code, dead.headers["Content-Type"].split(";")[0]) == (403, "application/xml")
    assert "<Code>AccessDenied</Code>" in dead.text
    assert "expired" in dead.text
    assert alive.status_code == 200


def test_a_head_of_a_link_is_answered_as_a_get_without_its_body(shared: Any) -> None:
    (link,) = shared.ended(shared.submitted())[0]["results"]

    whole, head = requests.get(link, timeout=GUARD), requests.head(link, timeout=GUARD)

    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "Content-Length"):
        assert head.headers[name] == whole.headers[name]


def test_a_picture_whose_file_is_gone_is_not_found(caller: Any) -> None:
    (link,) = caller.ended(caller.submitted())[0]["results"]
    for file in Path(caller.running.sandbox._scratch.name).iterdir():
        file.unlink()

    response = requests.get(link, timeout=GUARD)

    assert (response.status_code, "<Code>NoSuchKey</Code>" in response.text) == (404, True)


def test_what_the_sandbox_does_wrong_itself_comes_in_the_vendor_s_envelope_and_is_logged(
    caplog: pytest.LogCaptureFixture,
    caller: Any,
    refused: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    wait_for: Callable[..., Any],
) -> None:
    def trip(_body: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(caller.running.sandbox, "query", trip)

    refused(caller.query("0" * 32), 500, 23500000)
    wait_for(lambda: caplog.text, lambda said: "ZeroDivisionError" in said)


@pytest.mark.parametrize("figure", [math.inf, math.nan, -1.0])
@pytest.mark.parametrize("name", ["latency", "submit_rate", "query_rate", "url_life", "image_timeout"])
def test_a_rate_or_a_time_that_is_no_figure_is_refused_at_the_start(name: str, figure: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {figure}: a finite number"):
        SandboxSettings(**{name: figure})


def test_links_nobody_was_given_open_nothing(caller: Any) -> None:
    key = caller.submitted()
    (link,) = caller.ended(key)[0]["results"]
    stem = link.rpartition("/")[0]

    for made_up in (
        f"{stem[:-1]}x/1.jpg",
        f"{stem}/2.jpg",
        f"{stem}/0.jpg",
        f"{caller.running.url}/_results/-/1.jpg",
    ):
        assert requests.get(made_up, timeout=GUARD).status_code == 403
    assert requests.get(f"{stem}/one.jpg", timeout=GUARD).status_code == 404


def test_submissions_whose_pictures_never_come_hold_up_neither_another_submission_nor_a_query(
    open_sandbox: Callable[..., Any], shelf: Any, wait_for: Callable[..., Any]
) -> None:
    caller = open_sandbox(image_timeout=600)  # longer than a test may take
    over = threading.Event()
    never = [shelf.put(lambda _: over.wait()) for _ in range(20)]
    key = caller.submitted()

    def give_up(number: int) -> requests.Response:
        mine = type(caller)(caller.running, caller.wardrobe)
        return mine.submit(mine.task(tops_image=never[number]))

    with ThreadPoolExecutor(20) as pool:
        dead = [pool.submit(give_up, number) for number in range(20)]
        wait_for(lambda: caller.running.charges().calls.submit, lambda calls: calls == 21)
        try:
            caller.submitted()
            caller.states(key)
            assert not any(each.done() for each in dead)
        finally:
            over.set()
        codes = {each.result().json()["code"] for each in dead}

    assert codes == {"23500006"}


def test_a_query_is_answered_while_submissions_take_up_every_place(
    open_sandbox: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, wait_for: Callable[..., Any]
) -> None:
    monkeypatch.setattr("tryon_sandbox.service._SUBMITTERS", 1)
    caller = open_sandbox(image_timeout=GUARD)
    key = caller.submitted()
    # The server lets everybody connect and never answers; when the block ends, it hangs up.
    with ThreadPoolExecutor(1) as pool, socket.create_server(("127.0.0.1", 0)) as silent:
        image = f"http://127.0.0.1:{silent.getsockname()[1]}"
        dead = pool.submit(
            type(caller)(caller.running, caller.wardrobe).submit, caller.task(tops_image=image)
        )
        wait_for(lambda: caller.running.charges().calls.submit, lambda calls: calls == 2)
        caller.states(key)
        assert not dead.done()


def test_many_callers_at_once_are_each_charged_once_and_all_served(caller: Any) -> None:
    keys: list[str] = []
    lock = threading.Lock()

    def work(_: int) -> None:
        key = type(caller)(caller.running, caller.wardrobe).submitted()
        with lock:
            keys.append(key)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(120)))

    charges = caller.running.charges()
    assert (charges.submissions, charges.uses) == (120, 120)
    assert len(set(keys)) == 120
    assert Counter(charges.looks[0].result_keys) == Counter(keys)
    assert all(caller.ended(key)[0]["status"] == "SUCCESS" for key in keys[:10])
