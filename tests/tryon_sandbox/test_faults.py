"""Each kind of fault, over a real socket."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from PIL import Image
from pydantic import ValidationError
from tests.guards import GUARD

from tryon_sandbox.calls import Endpoint, Stage
from tryon_sandbox.codes import GATEWAY_MEANINGS, VENDOR_MEANINGS, VendorCode
from tryon_sandbox.fault_plan import FaultPlan
from tryon_sandbox.faults import FAULT_LIST

BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture
def faulty(shared: Any) -> Any:
    """The shared sandbox; its faults are taken back afterwards."""
    yield shared
    shared.running.set_faults()


def submissions(caller: Any) -> int:
    return int(caller.running.charges().submissions)


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        ({"kind": "lose_answer", "path": "submit"}, 1),
        ({"kind": "reset_mid_body", "path": "submit"}, 1),
        ({"kind": "close", "path": "submit"}, 0),
    ],
)
def test_a_broken_connection_tells_nothing_and_the_charges_tell_what_happened(
    faulty: Any, fault: dict[str, Any], accepted: int
) -> None:
    before = submissions(faulty)
    faulty.running.set_faults(fault)

    with pytest.raises(BROKEN):
        faulty.submit()

    assert submissions(faulty) - before == accepted
    assert faulty.submit().status_code == 200


def test_breaking_one_connection_leaves_the_others_alone(faulty: Any) -> None:
    other = type(faulty)(faulty.running, faulty.wardrobe)
    other.query("0" * 32)
    port = other.session.get_adapter("http://").poolmanager.connection_from_url(faulty.running.url)
    connections = port.num_connections
    faulty.running.set_faults({"kind": "close", "path": "submit"})

    with pytest.raises(BROKEN):
        faulty.submit()

    assert other.query("0" * 32).status_code == 400
    assert port.num_connections == connections


@pytest.mark.parametrize("code", list(VendorCode))
def test_any_of_the_vendor_s_codes_can_be_wished_for_and_charges_nothing(
    faulty: Any, refused: Callable[..., None], code: VendorCode
) -> None:
    before = submissions(faulty)
    faulty.running.set_faults({"kind": "refuse", "path": "submit", "code": int(code)})

    refused(faulty.submit(), VENDOR_MEANINGS[code].status, int(code), VENDOR_MEANINGS[code].message)
    assert submissions(faulty) == before


@pytest.mark.parametrize("code", sorted(GATEWAY_MEANINGS))
def test_any_of_the_gateway_s_codes_can_be_wished_for(
    faulty: Any, gateway_error: Callable[..., str], code: str
) -> None:
    faulty.running.set_faults({"kind": "gateway_error", "path": "query", "code": code})

    message = gateway_error(faulty.query("0" * 32), GATEWAY_MEANINGS[code].status, code)
    assert message == GATEWAY_MEANINGS[code].message


@pytest.mark.parametrize(
    ("fault", "status", "code", "message"),
    [
        ({"message": "Quota Exhausted"}, 403, None, "Quota Exhausted"),
        ({"message": "Invalid Timestamp", "status": 400}, 400, None, "Invalid Timestamp"),
        ({"code": "T429IN", "status": 403}, 403, "T429IN", "Throttled by INSTANCE Flow Control"),
        ({"code": "A403IS", "message": "Empty Signature"}, 403, "A403IS", "Empty Signature"),
    ],
)
def test_the_gateway_s_errors_can_come_by_their_message_alone(
    faulty: Any, gateway_error: Callable[..., str], *, fault: Any, status: int, code: str | None, message: str
) -> None:
    faulty.running.set_faults({"kind": "gateway_error", **fault})

    assert gateway_error(faulty.submit(), status, code) == message


def test_throttling_comes_in_both_styles_with_a_time_to_wait(
    faulty: Any, refused: Callable[..., None], gateway_error: Callable[..., str]
) -> None:
    faulty.running.set_faults(
        {"kind": "throttle", "retry_after": 3}, {"kind": "throttle", "style": "gateway", "retry_after": 4}
    )
    vendor, gateway = faulty.submit(), faulty.submit()

    refused(vendor, 403, 23500004)
    gateway_error(gateway, 429, "T429IN")
    assert [each.headers["Retry-After"] for each in (vendor, gateway)] == ["3", "4"]


@pytest.mark.parametrize("accepted", [False, True])
def test_a_server_error_may_come_before_or_after_accepting(
    faulty: Any, refused: Callable[..., None], gateway_error: Callable[..., str], accepted: bool
) -> None:
    before = submissions(faulty)
    faulty.running.set_faults(
        {"kind": "http_500_envelope", "accepted": accepted},
        {"kind": "http_5xx_empty", "status": 504, "accepted": accepted},
    )

    refused(faulty.submit(), 500, 23500000)
    gateway_error(faulty.submit(), 504, "D504TO")
    assert submissions(faulty) - before == (2 if accepted else 0)


def test_a_delayed_submission_is_accepted_though_its_caller_left(
    faulty: Any, wait_for: Callable[..., Any]
) -> None:
    before = submissions(faulty)
    faulty.running.set_faults({"kind": "delay", "path": "submit", "seconds": 0.6, "accepted": True})
    data = json.dumps({"data": {"fit_type": "HALF_BODY", "task_list": [faulty.task()]}})
    with contextlib.closing(HTTPConnection(urlsplit(faulty.running.url).netloc)) as caller:
        caller.request("POST", "/api/v1/tryon/submit", data, faulty.headers())

    wait_for(lambda: submissions(faulty), lambda found: found == before + 1)


def test_a_delay_goes_on_to_the_next_fault(faulty: Any, refused: Callable[..., None]) -> None:
    faulty.running.set_faults({"kind": "delay", "seconds": 0.3}, {"kind": "refuse", "code": 23500005})
    begun = time.monotonic()

    refused(faulty.submit(), 403, 23500005)
    assert time.monotonic() - begun >= 0.3


def test_a_cut_off_answer_is_no_json_though_accepted(faulty: Any) -> None:
    before = submissions(faulty)
    faulty.running.set_faults({"kind": "truncate", "path": "submit", "keep": 0.7})
    response = faulty.submit()

    assert response.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        response.json()
    assert submissions(faulty) == before + 1


def test_chosen_sub_tasks_fail_and_a_submission_without_them_leaves_the_fault_unused(faulty: Any) -> None:
    trousers = faulty.wardrobe.trousers
    faulty.running.set_faults(
        {"kind": "fail_sub_task", "url_contains": "trousers"}, {"kind": "fail_sub_task", "index": 2}
    )
    untouched = faulty.submitted(faulty.task(), faulty.task())
    key = faulty.submitted(faulty.task(), faulty.task(pants_image=trousers), faulty.task())
    after = faulty.submitted(faulty.task(pants_image=trousers))

    assert [each["status"] for each in faulty.ended(untouched)] == ["SUCCESS", "SUCCESS"]
    failed = faulty.ended(key)
    assert [each["status"] for each in failed] == ["SUCCESS", "FAILED", "FAILED"]
    assert failed[1]["results"] == []
    assert [each["status"] for each in faulty.ended(after)] == ["SUCCESS"]


def test_answers_can_be_swapped_or_echo_what_nobody_sent(faulty: Any) -> None:
    key = faulty.submitted(faulty.task(), faulty.task(tops_image=faulty.wardrobe.trousers))
    honest = [each["tops_image"] for each in faulty.ended(key)]
    faulty.running.set_faults({"kind": "swap_results"}, {"kind": "wrong_echo", "index": 1})
    spoilt = faulty.states(key)

    assert [each["tops_image"] for each in spoilt] == honest[::-1]
    assert spoilt[0]["model_image"] == faulty.wardrobe.model
    assert spoilt[1]["model_image"] not in {faulty.wardrobe.model, faulty.wardrobe.shirt}
    assert [each["tops_image"] for each in faulty.states(key)] == honest


def test_links_can_be_dead_on_arrival_and_the_next_answer_s_are_good(faulty: Any) -> None:
    key = faulty.submitted()
    faulty.ended(key)
    faulty.running.set_faults({"kind": "expire_early"})
    dead, good = (faulty.states(key)[0]["results"][0] for _ in range(2))

    assert requests.get(dead, timeout=GUARD).status_code == 403
    assert requests.get(good, timeout=GUARD).status_code == 200


def test_a_vendor_that_is_slower_takes_so_many_times_as_long(
    open_sandbox: Callable[..., Any], clock: Any
) -> None:
    caller = open_sandbox(latency=10, clock=clock)
    caller.running.set_faults({"kind": "slow", "factor": 10})
    slow, quick = caller.submitted(), caller.submitted()
    clock.now += 99
    assert [each["status"] for each in caller.ended(quick)] == ["SUCCESS"]
    assert [each["status"] for each in caller.states(slow)] == ["RUNNING"]
    clock.now += 2
    assert [each["status"] for each in caller.ended(slow)] == ["SUCCESS"]


def test_a_slow_vendor_has_ended_nothing_until_it_is_told_to(faulty: Any) -> None:
    key = faulty.submitted()
    faulty.ended(key)
    faulty.running.set_faults({"kind": "still_running", "times": None})
    slow = faulty.states(key)
    faulty.running.set_faults()

    assert [(each["status"], each["results"]) for each in slow] == [("RUNNING", [])]
    assert faulty.states(key)[0]["status"] == "SUCCESS"


def test_a_fault_can_be_kept_to_the_calls_that_name_a_text(faulty: Any) -> None:
    with_trousers = faulty.task(pants_image=faulty.wardrobe.trousers)
    faulty.running.set_faults(
        {"kind": "refuse", "code": 23500005, "path": "submit", "containing": "trousers.png"},
        {"kind": "fail_sub_task", "index": 0, "containing": "trousers.png"},
        {"kind": "wrong_echo", "path": "query", "containing": "trousers.png"},
    )

    other = faulty.submitted()
    assert faulty.submit(with_trousers).status_code == 403
    key = faulty.submitted(with_trousers)
    assert faulty.states(other)[0]["model_image"] == faulty.wardrobe.model
    assert faulty.states(key)[0]["model_image"] != faulty.wardrobe.model
    assert [each["status"] for each in faulty.ended(other)] == ["SUCCESS"]
    assert [each["status"] for each in faulty.ended(key)] == ["FAILED"]


def test_a_text_is_found_in_a_url_however_the_body_escapes_it(
    faulty: Any, refused: Callable[..., None]
) -> None:
    faulty.running.set_faults({"kind": "refuse", "code": 23500005, "containing": faulty.wardrobe.shirt})
    body = json.dumps({"data": {"fit_type": "HALF_BODY", "task_list": [faulty.task()]}}).replace("/", "\\/")

    refused(faulty.post("/api/v1/tryon/submit", body.encode()), 403, 23500005)


def test_the_fault_of_a_picture_can_be_kept_to_one_submission(faulty: Any) -> None:
    keys = [faulty.submitted(), faulty.submitted()]
    links = [faulty.ended(key)[0]["results"][0] for key in keys]
    faulty.running.set_faults({"kind": "http_5xx_empty", "path": "result", "containing": keys[1]})

    assert [requests.get(link, timeout=GUARD).status_code for link in links] == [200, 502]


def test_revoked_credentials_stay_revoked(faulty: Any, gateway_error: Callable[..., str]) -> None:
    faulty.running.set_faults({"kind": "revoke_appcode"})

    for _ in range(3):
        gateway_error(faulty.submit(), 401, "A401AC")


def test_who_signs_is_told_that_the_key_is_revoked(faulty: Any, gateway_error: Callable[..., str]) -> None:
    faulty.running.set_faults({"kind": "revoke_appcode"})
    body = b'{"data": {"result_key": "0"}}'
    path = "/api/v1/tryon/query"

    assert gateway_error(faulty.post(path, body, faulty.signed_headers(path, body)), 400, "A400IK")


def test_a_fresh_nonce_can_be_taken_for_a_used_one(faulty: Any, gateway_error: Callable[..., str]) -> None:
    faulty.running.set_faults({"kind": "nonce_used"})

    assert gateway_error(faulty.submit(), 403, None) == "Nonce Used"


def test_pictures_can_be_spoilt_cut_off_lost_or_late(faulty: Any) -> None:
    (link,) = faulty.ended(faulty.submitted())[0]["results"]
    whole = requests.get(link, timeout=GUARD).content
    faulty.running.set_faults(
        {"kind": "spoil_picture", "how": "blank"},
        {"kind": "spoil_picture", "how": "tiny"},
        {"kind": "spoil_picture", "how": "not_a_picture"},
        {"kind": "truncate", "path": "result", "keep": 0.4},
        {"kind": "http_5xx_empty", "path": "result", "status": 503, "times": 1},
        {"kind": "delay", "path": "result", "seconds": 0.01},
    )
    served = [requests.get(link, timeout=GUARD) for _ in range(5)]

    assert served[0].status_code == 503
    blank, tiny = (Image.open(io.BytesIO(each.content)) for each in served[1:3])
    assert (blank.size, len(blank.getcolors())) == (Image.open(io.BytesIO(whole)).size, 1)
    assert tiny.size == (32, 32)
    assert served[3].content == b"<html>sorry</html>"
    assert whole.startswith(served[4].content)
    assert len(served[4].content) == int(len(whole) * 0.4)
    assert requests.get(link, timeout=GUARD).content == whole


def test_a_picture_can_be_the_input_as_it_was_another_garment_or_a_part_of_itself(
    faulty: Any, wardrobe: Any
) -> None:
    (link,) = faulty.ended(faulty.submitted())[0]["results"]
    faulty.running.set_faults(
        {"kind": "spoil_picture", "how": "unchanged_input"},
        {"kind": "spoil_picture", "how": "wrong_garment"},
        {"kind": "spoil_picture", "how": "cropped"},
    )
    bare, other, part, whole = (fetched(link) for _ in range(4))

    assert {each.size for each in (bare, other, part)} == {whole.size}
    assert distance(bare, fetched(wardrobe.model)) < 2
    chest = (170, 180, 230, 260)
    red, changed = (np.asarray(each.crop(chest)).mean(axis=(0, 1)) for each in (whole, other))
    assert np.abs(red - changed).max() > 60, "the garment has another colour"
    assert distance(whole.crop((0, 0, 400, 90)), other.crop((0, 0, 400, 90))) < 2, "the head is the same"
    assert distance(part, whole) > 10
    width, height = whole.size
    middle = whole.crop(
        (round(width * 0.19), round(height * 0.19), round(width * 0.81), round(height * 0.81))
    )
    assert distance(part, middle.resize(whole.size)) < 3


@pytest.mark.parametrize("how", ["unchanged_input", "wrong_garment", "cropped"])
def test_a_link_nobody_gave_out_is_refused_whatever_is_to_be_spoilt(faulty: Any, how: str) -> None:
    (link,) = faulty.ended(faulty.submitted())[0]["results"]
    faulty.running.set_faults({"kind": "spoil_picture", "how": how})

    assert requests.get(link.replace("/1.jpg", "/7.jpg"), timeout=GUARD).status_code == 403


def fetched(link: str) -> Image.Image:
    return Image.open(io.BytesIO(requests.get(link, timeout=GUARD).content)).convert("RGB")


def distance(first: Image.Image, second: Image.Image) -> float:
    """Mean difference of levels."""
    return float(np.abs(np.asarray(first, dtype=np.int16) - np.asarray(second, dtype=np.int16)).mean())


@pytest.mark.parametrize("kind", ["close", "reset_mid_body"])
def test_the_connection_of_a_picture_can_break(faulty: Any, kind: str) -> None:
    (link,) = faulty.ended(faulty.submitted())[0]["results"]
    faulty.running.set_faults({"kind": kind, "path": "result"})

    with pytest.raises(BROKEN):
        requests.get(link, timeout=GUARD)
    assert requests.get(link, timeout=GUARD).status_code == 200


def test_the_control_endpoint_replaces_shows_and_counts_down(faulty: Any) -> None:
    control = f"{faulty.running.url}/_sandbox/faults"
    wanted = [{"kind": "refuse", "code": 23500005, "times": 2}, {"kind": "lose_answer", "times": None}]

    stored = requests.put(control, json=wanted, timeout=GUARD)
    faulty.submit()
    left = requests.get(control, timeout=GUARD).json()
    requests.put(control, json=[], timeout=GUARD)

    assert stored.status_code == 200
    assert [(each["kind"], each["times"], each["path"]) for each in left] == [
        ("refuse", 1, "any"),
        ("lose_answer", None, "any"),
    ]
    assert requests.get(control, timeout=GUARD).json() == []


@pytest.mark.parametrize("media", ["application/x-www-form-urlencoded", "text/plain", None])
def test_a_list_of_faults_is_taken_whatever_its_content_type(faulty: Any, media: str | None) -> None:
    response = requests.put(
        f"{faulty.running.url}/_sandbox/faults",
        data=b'[{"kind": "nonce_used"}]',
        headers={"Content-Type": media} if media else {},
        timeout=GUARD,
    )

    assert (response.status_code, [each["kind"] for each in response.json()]) == (200, ["nonce_used"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "expire_early", "seconds": float("inf")},
        {"kind": "delay", "seconds": float("nan")},
        {"kind": "close", "containing": "\ud800"},
        {"kind": "explode"},
        {"kind": "lose_answer", "colour": "red"},
        {"kind": "refuse"},
        {"kind": "refuse", "code": 23500010},
        {"kind": "gateway_error", "code": "Z999ZZ"},
        {"kind": "expire_early", "path": "submit"},
        {"kind": "fail_sub_task"},
        {"kind": "fail_sub_task", "index": 0, "url_contains": "a"},
        {"kind": "spoil_picture", "how": "prettier"},
        {"kind": "delay", "seconds": -1},
        {"kind": "close", "times": 0},
        {"kind": "close", "containing": ""},
        {"kind": "still_running", "path": "submit"},
        {"kind": "close", "probability": 2},
    ],
)
def test_a_fault_that_is_none_is_refused_in_plain_words(shared: Any, wrong: dict[str, Any]) -> None:
    raw = json.dumps([wrong])
    response = requests.put(f"{shared.running.url}/_sandbox/faults", data=raw, timeout=GUARD)

    assert response.status_code == 422
    assert response.json()["detail"][0]["msg"]
    with pytest.raises(ValidationError):
        FAULT_LIST.validate_python([wrong])


def test_chances_are_the_same_for_the_same_seed_and_about_as_wished() -> None:
    faults = FAULT_LIST.validate_python(
        [{"kind": "close", "probability": 0.3, "times": None}, {"kind": "lose_answer", "path": "submit"}]
    )

    def drawn(seed: int) -> list[int]:
        plan = FaultPlan(faults, seed=seed)
        return [len(plan.draw(Stage.ARRIVAL, Endpoint.QUERY)) for _ in range(400)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 80 < sum(drawn(1)) < 160


def test_a_fault_for_one_path_leaves_the_other_alone() -> None:
    plan = FaultPlan(FAULT_LIST.validate_python([{"kind": "lose_answer", "path": "submit"}]))

    assert plan.draw(Stage.ANSWERING, Endpoint.QUERY) == []
    assert len(plan.draw(Stage.ANSWERING, Endpoint.SUBMIT)) == 1
    assert plan.draw(Stage.ANSWERING, Endpoint.SUBMIT) == plan.left() == []
