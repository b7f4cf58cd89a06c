"""Image hosts as shops have reported them, as real servers: what they check, negotiate, and turn away."""

from __future__ import annotations

import asyncio
from http.server import BaseHTTPRequestHandler

import pytest

from tests.tryon_catalogue.vendor import Website, figure
from tryon_catalogue.pictures.fetch import (
    BusyError,
    FetchedInput,
    FetchError,
    Manners,
    open_fetcher,
)
from tryon_catalogue.pictures.rules import ImageRole
from tryon_catalogue.planning.preflight.images import Checked, check_urls
from tryon_catalogue.settings import FetchSettings

LOCAL = FetchSettings(allow_private=True, timeout_seconds=600)
PICTURE = figure((600, 800))
SIGNED = "/a%2Fb%7Ec%2c/%41~.png?Signature=%2B%3d,~&x=%7e"


def fetch_input(
    url: str, limits: FetchSettings = LOCAL, manners: Manners | None = None
) -> FetchedInput | None:
    async def go() -> FetchedInput | None:
        async with open_fetcher(limits, manners=manners) as fetcher:
            return await fetcher.fetch_input(url, max_bytes=1_000_000)

    return asyncio.run(go())


def check(url: str) -> Checked:
    async def go() -> list[Checked]:
        async with open_fetcher(LOCAL) as fetcher:
            return [found async for found in check_urls([(url, ImageRole.PICTURE)], {}, fetcher)]

    (found,) = asyncio.run(go())
    return found


def send(request: BaseHTTPRequestHandler, content: bytes, status: int = 200, **headers: str) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def test_a_url_that_is_signed_over_its_bytes_goes_out_as_it_is_even_behind_a_redirect(
    website: Website,
) -> None:
    path = SIGNED.partition("?")[0]
    website.put(path, PICTURE)
    website.redirect("/moved", SIGNED)
    website.asked.clear()
    for url in (website.url + SIGNED, f"{website.url}/moved"):
        assert fetch_input(url) == FetchedInput(PICTURE, None, None)
    assert website.asked == [SIGNED, "/moved", SIGNED]


def test_a_link_to_a_result_goes_out_as_it_is(website: Website) -> None:
    website.put(SIGNED.partition("?")[0], PICTURE)
    website.asked.clear()

    async def go() -> bytes:
        async with open_fetcher(LOCAL) as fetcher:
            return (await fetcher.fetch(website.url + SIGNED)).content

    assert asyncio.run(go()) == PICTURE
    assert website.asked == [SIGNED]


def test_a_host_that_refuses_unknown_programs_is_told_the_name_of_the_settings(website: Website) -> None:
    def choosy(request: BaseHTTPRequestHandler) -> None:
        send(request, PICTURE, 200 if request.headers["User-Agent"] == "shop-robot/1" else 403)

    url = website.put("/choosy.png", choosy)
    with pytest.raises(FetchError, match="HTTP 403: it wants a login, or turns us away"):
        fetch_input(url)
    assert fetch_input(url, LOCAL.model_copy(update={"user_agent": "shop-robot/1"})) is not None
    assert "airflow-damo-tryon" in LOCAL.user_agent
    rejection = check(url).rejection
    assert rejection is not None
    assert "[fetch] user_agent" in rejection.advice


def test_a_host_that_chooses_the_format_is_asked_for_what_the_vendor_takes(website: Website) -> None:
    def negotiating(request: BaseHTTPRequestHandler) -> None:
        accepted = request.headers["Accept"]
        webp = "image/webp" in accepted or "*/*" in accepted
        send(request, figure((600, 800), "WEBP") if webp else PICTURE)

    assert check(website.put("/either.png", negotiating)).rejection is None


def test_a_host_that_has_neither_by_its_own_word_is_asked_for_anything(website: Website) -> None:
    def strict(request: BaseHTTPRequestHandler) -> None:
        send(request, PICTURE, 200 if request.headers["Accept"] == "*/*" else 406)

    assert check(website.put("/strict.png", strict)).rejection is None


def test_a_login_a_page_and_a_webp_are_called_what_they_are(website: Website) -> None:
    website.put("/login", b"<!DOCTYPE html><html><form>Password</form></html>")
    behind_login = check(website.redirect("/behind.jpg", "/login")).rejection
    page = check(f"{website.url}/login").rejection
    webp = check(website.put("/made.jpg", figure((600, 800), "WEBP"))).rejection
    gone = check(f"{website.url}/gone.jpg").rejection
    assert behind_login is not None
    assert page is not None
    assert webp is not None
    assert gone is not None
    assert behind_login.measured == f"the URL leads to a page, perhaps a login ({website.url}/login)"
    assert page.measured == "the URL is that of a page"
    assert "JPEG" not in page.advice
    assert "may make WebP of it on the way" in webp.advice
    assert "there is nothing, or no longer" in gone.measured


def test_a_header_goes_to_the_host_that_wants_it_and_to_no_other(website: Website) -> None:
    seen: list[str | None] = []

    def noting(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers["X-Api-Key"])
        if request.path == "/elsewhere":
            port = request.server.server_address[1]
            send(request, b"", 302, Location=f"http://localhost:{port}/noting")
        else:
            send(request, PICTURE)

    manners = Manners(headers={"127.0.0.1": {"X-Api-Key": "secret"}})
    website.put("/noting", noting)
    assert fetch_input(website.put("/elsewhere", noting), manners=manners) is not None
    assert seen == ["secret", None]
    assert "secret" not in repr(manners)


def test_a_header_is_not_sent_in_the_open(website: Website) -> None:
    from yarl import URL

    from tryon_catalogue.pictures.fetch import Fetcher

    manners = Manners(headers={"cdn.example": {"X-Api-Key": "secret"}})

    async def go() -> list[dict[str, str]]:
        async with open_fetcher(FetchSettings(), manners=manners) as fetcher:
            assert isinstance(fetcher, Fetcher)
            return [
                dict(fetcher._headers_for(URL(f"{scheme}://cdn.example/a.png")))
                for scheme in ("http", "https")
            ]

    assert asyncio.run(go()) == [{}, {"X-Api-Key": "secret"}]


def test_a_pause_that_is_longer_than_the_time_of_a_file_is_called_busy_at_once(website: Website) -> None:
    website.asked.clear()
    url = website.put("/busy.png", lambda request: send(request, b"", 503, Retry_After="86400"))
    with pytest.raises(BusyError, match=r"busy \(127.0.0.1: HTTP 503\)") as caught:
        fetch_input(f"{url}?Signature=do-not-tell")
    assert "do-not-tell" not in str(caught.value)
    assert len(website.asked) == 1
