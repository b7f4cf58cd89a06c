"""Images are really fetched and really measured."""

from __future__ import annotations

import contextlib
import io
import random
import socket
import threading
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from PIL import Image
from tests.guards import GUARD


def noise(size: tuple[int, int]) -> Image.Image:
    return Image.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))


@cache
def large_png() -> bytes:
    content = io.BytesIO()
    noise((1800, 1700)).save(content, "PNG", compress_level=0)
    return content.getvalue()


def redirect_to(place: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", place)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.mark.parametrize("field", ["model_image", "tops_image", "pants_image"])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda d: d.shirt(size=(399, 600)), id="a side under 400 pixels"),
        pytest.param(lambda _: large_png(), id="nine megabytes"),
        pytest.param(lambda d: d.encoded(d.person(), "GIF"), id="neither JPEG nor PNG"),
        pytest.param(lambda d: d.encoded(d.person())[:900], id="cut off"),
        pytest.param(lambda _: b"<html>not here</html>", id="no picture"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda d: d.encoded(Image.new("1", (7000, 6000))), id="too many pixels"),
    ],
)
def test_an_image_that_is_unfit_refuses_the_submission(
    shared: Any, shelf: Any, draw: Any, field: str, make: Callable[[Any], Any]
) -> None:
    before = shared.running.charges().submissions
    response = shared.submit(shared.task(), shared.task(**{field: shelf.put(make(draw))}))

    assert (response.status_code, response.json()["code"]) == (400, "23500007")
    assert response.json()["message"] == "The uploaded image does not meet the requirements."
    assert shared.running.charges().submissions == before


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda d: Image.new("L", (400, 519), 255), id="another size than the model's"),
        pytest.param(lambda d: Image.new("L", (400, 520), 254), id="a grey"),
        pytest.param(lambda d: d.person((400, 520)), id="a photograph"),
    ],
)
def test_a_mask_must_be_of_the_model_s_size_and_black_and_white(
    shared: Any, shelf: Any, draw: Any, refused: Callable[..., None], make: Callable[[Any], Any]
) -> None:
    refused(shared.submit(shared.task(mask_image=shelf.put(make(draw)))), 400, 23500007)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P"])
def test_a_black_and_white_mask_is_taken_in_any_mode(shared: Any, shelf: Any, mode: str) -> None:
    mask = Image.new("L", (400, 520), 0)
    mask.paste(255, (50, 50, 200, 200))

    shared.submitted(shared.task(mask_image=shelf.put(mask.convert(mode))))


def test_nobody_and_several_people_have_codes_of_their_own(
    shared: Any, shelf: Any, draw: Any, refused: Callable[..., None]
) -> None:
    nobody = shelf.put(Image.new("RGB", (500, 500), (200, 210, 220)))
    two = shelf.put(draw.person(people=2))

    refused(shared.submit(shared.task(model_image=nobody)), 400, 23500016, "No people found in the image.")
    refused(shared.submit(shared.task(model_image=two)), 400, 23500015, "Too many people in the image.")


def test_a_url_that_leads_nowhere_is_refused(shared: Any, shelf: Any, refused: Callable[..., None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/a.png"
    loop = f"/{id(shelf)}-loop"
    shelf.put(redirect_to(loop), loop[1:])
    for url in (
        closed,
        f"{shelf.base}/nothing-here.png",
        f"{shelf.base}/衣服.png",
        f"{shelf.base}{loop}",
        "ftp://example.com/a.png",
        "http://a..b/x.png",
        "not a url",
    ):
        message = "The image url provided is invalid or non-accessible."
        refused(shared.submit(shared.task(tops_image=url)), 400, 23500006, message)


def test_a_redirect_or_two_are_followed(shared: Any, shelf: Any, wardrobe: Any) -> None:
    once = shelf.put(redirect_to(wardrobe.shirt))

    shared.submitted(shared.task(tops_image=shelf.put(redirect_to(once))))


@pytest.mark.parametrize(
    "name",
    ["a%28b%29%2Cc.png", "a.png?X-Sig=a%2Fb%2Bc%3D%3D", "x/../a.png", "a.png?x='1'&&y=%7E", "a%zz.png"],
)
def test_a_url_is_asked_for_as_it_was_written_after_a_redirect_too(
    shared: Any, shelf: Any, draw: Any, name: str
) -> None:
    url = shelf.put(draw.shirt(), name)
    shared.submitted(shared.task(tops_image=url, pants_image=shelf.put(redirect_to(url))))

    assert shelf.asked.count(f"/{name}") == 2


def test_what_may_not_stand_in_a_request_is_encoded(shared: Any, shelf: Any, draw: Any) -> None:
    for name in ("caf%C3%A9.png", "a%20b.png"):
        shelf.put(draw.shirt(), name)

    shared.submitted(
        shared.task(tops_image=f"{shelf.base}/café.png", pants_image=shelf.put(redirect_to("/a b.png")))
    )


def test_a_redirect_may_name_only_a_path(shared: Any, shelf: Any, wardrobe: Any) -> None:
    shared.submitted(
        shared.task(
            tops_image=shelf.put(redirect_to("/shirt.jpg")),
            pants_image=shelf.put(redirect_to("../shirt.jpg"), "deep/down"),
        )
    )


@pytest.mark.parametrize(("redirects", "status"), [(3, 200), (4, 400)])
def test_three_redirects_are_followed_and_a_fourth_is_not(
    shared: Any, shelf: Any, wardrobe: Any, redirects: int, status: int
) -> None:
    url = wardrobe.shirt
    for _ in range(redirects):
        url = shelf.put(redirect_to(url))

    assert shared.submit(shared.task(tops_image=url)).status_code == status


def test_the_body_of_a_redirect_is_not_read(shared: Any, shelf: Any, wardrobe: Any) -> None:
    written = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", wardrobe.shirt)
        handler.send_header("Content-Length", str(60 * 2**20))
        handler.end_headers()
        with contextlib.suppress(ConnectionError):
            for _ in range(60):
                handler.wfile.write(bytes(2**20))
                written.append(2**20)

    shared.submitted(shared.task(tops_image=shelf.put(answer)))

    assert sum(written) < 20 * 2**20


def test_headers_that_take_too_long_count_as_not_accessible(
    open_sandbox: Callable[..., Any], shelf: Any, refused: Callable[..., None]
) -> None:
    caller = open_sandbox(image_timeout=0.3)
    done = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        with contextlib.suppress(ConnectionError):
            while not done.wait(0.1):
                handler.wfile.write(b"X-More: to come\r\n")

    refused(caller.submit(caller.task(tops_image=shelf.put(drip))), 400, 23500006)
    done.set()


def test_an_image_that_takes_too_long_counts_as_not_accessible(
    open_sandbox: Callable[..., Any], shelf: Any, refused: Callable[..., None]
) -> None:
    caller = open_sandbox(image_timeout=0.3)
    done = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(100):
            if done.wait(0.1):
                break
            handler.wfile.write(b"x")

    refused(caller.submit(caller.task(tops_image=shelf.put(drip))), 400, 23500006)
    done.set()


def test_an_image_used_by_many_tasks_is_fetched_once(shared: Any, shelf: Any, draw: Any) -> None:
    url = shelf.put(draw.shirt((1, 2, 3)))

    shared.submitted(*[shared.task(tops_image=url) for _ in range(10)])

    assert [shelf.base + path for path in shelf.asked].count(url) == 1


def test_an_image_is_fetched_once_for_a_submission_however_long_it_took(
    open_sandbox: Callable[..., Any], shelf: Any, draw: Any
) -> None:
    caller = open_sandbox(image_cache=0)
    urls = [shelf.put(draw.shirt((5, 6, shade))) for shade in range(3)]

    caller.submitted(*[caller.task(tops_image=url) for url in urls * 2])

    asked = [shelf.base + path for path in shelf.asked]
    assert [asked.count(url) for url in urls] == [1, 1, 1]


def test_an_image_is_kept_from_the_moment_it_arrived(
    open_sandbox: Callable[..., Any], shelf: Any, draw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("tryon_sandbox.images.time", SimpleNamespace(monotonic=lambda: clock.now))
    caller = open_sandbox(image_cache=5)

    def slow(handler: BaseHTTPRequestHandler) -> None:
        clock.now += 9
        content = draw.encoded(draw.shirt((7, 8, 9)))
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    url = shelf.put(slow)
    for wait in (4, 2):
        caller.submitted(caller.task(tops_image=url))
        clock.now += wait
        asked = shelf.asked.count(url.removeprefix(shelf.base))
        assert asked == 1
    caller.submitted(caller.task(tops_image=url))
    assert shelf.asked.count(url.removeprefix(shelf.base)) == 2


def test_an_image_that_did_not_arrive_is_asked_for_again_by_the_next_submission(
    open_sandbox: Callable[..., Any], shelf: Any, draw: Any
) -> None:
    caller = open_sandbox(image_cache=1000)
    url = f"{shelf.base}/late.png"

    early = caller.submit(caller.task(tops_image=url)).json()["code"]
    shelf.put(draw.shirt(), "late.png")

    assert early == "23500006"
    caller.submitted(caller.task(tops_image=url))


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0not EXIF"])
def test_exif_data_that_says_nothing_turns_nothing(shared: Any, shelf: Any, draw: Any, exif: bytes) -> None:
    content = io.BytesIO()
    draw.person().save(content, "JPEG", exif=exif)

    shared.submitted(shared.task(model_image=shelf.put(content.getvalue())))


def test_a_photograph_turned_by_its_exif_data_is_judged_and_drawn_upright(
    shared: Any, shelf: Any, draw: Any
) -> None:
    exif, content = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6  # to be turned a quarter clockwise when shown
    draw.person().rotate(90, expand=True).save(content, "JPEG", exif=exif)
    upright_mask = Image.new("L", (400, 520), 255)
    task = shared.task(model_image=shelf.put(content.getvalue()), mask_image=shelf.put(upright_mask))

    (state,) = shared.ended(shared.submitted(task))

    picture = Image.open(io.BytesIO(requests.get(state["results"][0], timeout=GUARD).content))
    assert picture.size == (400, 520)


def test_an_unfit_image_can_be_set_to_fail_only_its_own_sub_task(
    open_sandbox: Callable[..., Any], shelf: Any
) -> None:
    caller = open_sandbox(bad_image="fail")
    key = caller.submitted(caller.task(tops_image=f"{shelf.base}/gone.png"), caller.task())

    assert [each["status"] for each in caller.ended(key)] == ["FAILED", "SUCCESS"]
    assert caller.running.charges().uses == 2
