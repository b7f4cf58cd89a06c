from __future__ import annotations

import asyncio
import contextlib
import io
import socket
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from tests.tryon_catalogue.vendor import Website, figure
from tryon_catalogue.pictures.fetch import ATTEMPTS, Fetched, FetchError, open_fetcher, shown
from tryon_catalogue.settings import FetchSettings

# Longer than a test may take.
LOCAL = FetchSettings(allow_private=True, timeout_seconds=600)
PICTURE = figure()
SECRET = "Signature=do-not-tell"


class Names(AbstractResolver):
    """A name server of our own: name -> address."""

    def __init__(self, **addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As the dictionary says."""
        if host not in self.addresses:
            raise OSError(f"{host} is not known")
        address = self.addresses[host]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing to close."""


def fetch(url: str, limits: FetchSettings = LOCAL, resolver: AbstractResolver | None = None) -> Fetched:
    async def go() -> Fetched:
        async with open_fetcher(limits, resolver) as fetcher:
            return await fetcher.fetch(url)

    return asyncio.run(go())


def refusal(url: str, **options: Any) -> str:
    """Fetch what cannot be fetched, and give the words for it."""
    with pytest.raises(FetchError) as caught:
        fetch(url, **options)
    assert SECRET not in f"{caught.value!s}{caught.value!r}"
    return str(caught.value)


@pytest.mark.parametrize(("kind", "ending"), [("PNG", "png"), ("JPEG", "jpg")])
def test_a_picture_is_fetched_with_its_digest_and_measures(website: Website, kind: str, ending: str) -> None:
    content = figure((40, 30), kind)
    fetched = fetch(website.put(f"/small.{ending}", content) + f"?{SECRET}")
    assert (fetched.content, fetched.format) == (content, kind)
    assert (fetched.width, fetched.height) == (40, 30)
    assert len(fetched.sha256) == 64


def test_a_jpeg_that_carries_a_second_picture_is_a_jpeg(website: Website) -> None:
    content = io.BytesIO()
    picture = Image.new("RGB", (8, 8))
    picture.save(content, "MPO", save_all=True, append_images=[picture])
    assert fetch(website.put("/two.jpg", content.getvalue())).format == "JPEG"


def test_a_file_over_the_limit_is_not_read_to_its_end(website: Website) -> None:
    sent: list[int] = []

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b"x" * 10_000)
            sent.append(10_000)

    message = refusal(website.put("/endless", endless), limits=LOCAL.model_copy(update={"max_bytes": 50_000}))
    assert "larger than 50,000 bytes" in message
    assert sum(sent) < 20_000_000


def test_a_body_that_never_ends_is_given_up_in_time(website: Website) -> None:
    ended = asyncio.Event()

    def dripping(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not ended.is_set():
            request.wfile.write(b"x")

    limits = LOCAL.model_copy(update={"timeout_seconds": 0.3, "max_bytes": 10**9})
    assert "took longer than 0.3 s" in refusal(website.put("/dripping", dripping), limits=limits)
    ended.set()


def test_the_time_is_for_all_attempts_together(website: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tryon_catalogue.pictures.fetch.ATTEMPTS", 10**9)
    monkeypatch.setattr("tryon_catalogue.pictures.fetch.LONGEST_PAUSE_SECONDS", 0.01)

    def broken(request: BaseHTTPRequestHandler) -> None:
        request.send_response(503)
        request.end_headers()

    limits = LOCAL.model_copy(update={"timeout_seconds": 0.3})
    assert "took longer" in refusal(website.put("/broken", broken), limits=limits)


def test_redirects_are_followed_up_to_the_limit(website: Website) -> None:
    website.put("/here.png", PICTURE)
    website.redirect("/1", "/2")
    website.redirect("/2", f"{website.url}/3")
    website.redirect("/3", "here.png")
    assert fetch(f"{website.url}/1").content == PICTURE
    limits = LOCAL.model_copy(update={"max_redirects": 2})
    assert "redirects more than 2 times" in refusal(f"{website.url}/1?{SECRET}", limits=limits)


def test_redirects_in_a_circle_end(website: Website) -> None:
    assert "redirects more than 3" in refusal(website.redirect("/circle", "/circle"))


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://example.com/a.png", "http://:80/", "http://[::1"]
)
def test_a_redirect_to_anything_but_a_web_address_is_refused(website: Website, target: str) -> None:
    assert "leads to, something that is not an" in refusal(website.redirect("/elsewhere", target))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "",
        "/picture.png",
        "http://[::1",
        f"ftp://user:word@host/a?{SECRET}",
        "http://a:b/",
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    assert "not an" in refusal(url)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104 - nothing is bound to it
        "[::1]",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:100.100.100.200]",
        "[::ffff:6464:64c8]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
        "[::127.0.0.1]",
        "[fec0::1]",
        "[ff02::1]",
        "[fe80::1%25lo]",
        "224.0.0.1",
        "１２７.0.0.1",  # the HTTP client takes full-width digits for digits
        "localhost",
        "0x7f.1",
    ],
)
def test_private_addresses_are_refused_however_they_are_written(host: str) -> None:
    assert "private address" in refusal(f"http://{host}:9/picture.png?{SECRET}", limits=FetchSettings())


@pytest.mark.parametrize("host", ["127.1", "2130706433"])
def test_addresses_in_old_spellings_are_refused(host: str) -> None:
    assert "not an address" in refusal(f"http://{host}:9/picture.png?{SECRET}", limits=FetchSettings())


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "192.168.0.7", "::1", "fe80::1", "fe80::1%lo", "::ffff:100.100.100.200", "64:ff9b::a00:1"],
)
def test_a_name_that_resolves_to_a_private_address_is_refused(address: str) -> None:
    names = Names(**{"pictures.example": address})
    message = refusal("http://pictures.example:9/a.png", limits=FetchSettings(), resolver=names)
    assert "private address of pictures.example" in message


def test_a_redirect_to_a_private_address_is_refused(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The site passes for a public one; where it leads to does not.
    port = website.url.rpartition(":")[2]
    names = Names(**{"public.example": "127.0.0.1", "inside.example": "10.0.0.1"})
    monkeypatch.setattr("tryon_catalogue.pictures.fetch._is_private", lambda address: address != "127.0.0.1")
    website.put("/fine.png", PICTURE)
    assert fetch(f"http://public.example:{port}/fine.png", FetchSettings(), names).content == PICTURE
    for target in ("http://10.0.0.1/", "http://inside.example/", "http://[::ffff:10.0.0.1]/"):
        website.redirect("/inside", target)
        message = refusal(f"http://public.example:{port}/inside", limits=FetchSettings(), resolver=names)
        assert "leads to the private address" in message


def test_the_address_that_is_connected_to_is_judged_however_it_was_found(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A resolver that lets through what it should not, as one that is asked twice and answers differently may.
    monkeypatch.setattr("tryon_catalogue.pictures.fetch._PublicResolver", lambda resolver: resolver)
    website.put("/fine.png", PICTURE)
    port = website.url.rpartition(":")[2]
    for address in ("127.0.0.1", "::ffff:127.0.0.1"):
        names = Names(**{"rebound.example": address})
        url = f"http://rebound.example:{port}/fine.png"
        assert fetch(url, LOCAL, names).content == PICTURE
        assert "private address" in refusal(url, limits=FetchSettings(), resolver=names)


def test_an_unknown_name_is_a_fetch_error() -> None:
    message = refusal(f"http://nowhere.example/a.png?{SECRET}", limits=FetchSettings(), resolver=Names())
    assert "nowhere.example" in message


def test_a_closed_port_is_a_fetch_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert "could not be fetched" in refusal(f"http://127.0.0.1:{unused.getsockname()[1]}/a?{SECRET}")


@pytest.mark.parametrize(("status", "expired"), [(403, True), (404, True), (410, True), (401, False)])
def test_only_a_link_that_is_no_longer_good_counts_as_expired(
    website: Website, status: int, expired: bool
) -> None:
    def refuse(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.end_headers()

    website.asked.clear()
    with pytest.raises(FetchError, match=f"HTTP {status}") as caught:
        fetch(website.put("/refused", refuse))
    assert caught.value.expired is expired
    assert len(website.asked) == 1  # asking again would be answered the same


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>sorry</html>",
        PICTURE[: len(PICTURE) // 2],
        figure(kind="GIF"),
        figure(kind="JPEG")[:-400],
    ],
    ids=["empty", "html", "half a picture", "gif", "cut off"],
)
def test_a_body_that_is_no_whole_picture_is_asked_for_a_few_times(website: Website, content: bytes) -> None:
    website.asked.clear()
    message = refusal(website.put("/odd", content) + f"?{SECRET}")
    assert "not a whole JPEG or PNG picture" in message
    assert len(website.asked) == ATTEMPTS


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(website: Website) -> None:
    url = website.put("/wide.png", figure((300, 200)))
    limits = LOCAL.model_copy(update={"max_pixels": 59_999})
    assert "300 x 200 pixels, more than 59,999" in refusal(url, limits=limits)
    assert fetch(url, LOCAL.model_copy(update={"max_pixels": 60_000})).width == 300


def test_a_compressed_answer_cannot_grow_beyond_the_limit(website: Website) -> None:
    import gzip

    def compressed(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Encoding", "gzip")
        request.end_headers()
        request.wfile.write(gzip.compress(b"\0" * 10_000_000))

    limits = LOCAL.model_copy(update={"max_bytes": 100_000})
    assert "not a whole" in refusal(website.put("/bomb", compressed), limits=limits)


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    kind=st.sampled_from(["PNG", "JPEG"]),
    keep=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(1, 255)), max_size=8),
)
def test_a_spoilt_file_is_a_picture_or_a_fetch_error_and_nothing_else(
    kind: str, keep: float, flips: list[tuple[float, int]], website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tryon_catalogue.pictures.fetch.ATTEMPTS", 1)
    content = bytearray(figure((24, 20), kind))
    for place, change in flips:
        content[int(place * len(content))] ^= change
    url = website.put("/spoilt", bytes(content[: int(keep * len(content))]))
    with contextlib.suppress(FetchError):
        assert fetch(url).width > 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"https://user:word@host:8443/a/b.png?{SECRET}#x", "https://host:8443/a/b.png"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        (f"http://[::1/?{SECRET}", "(an address that cannot be read)"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(url: str, expected: str) -> None:
    assert shown(url) == expected
