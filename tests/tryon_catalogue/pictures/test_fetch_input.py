"""Fetching what the vendor is to see: bytes as they are, asked for once, and not at all when nothing changed."""

from __future__ import annotations

import asyncio
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.tryon_catalogue.vendor import Website, figure
from tryon_catalogue.pictures.fetch import (
    ATTEMPTS,
    BadUrlError,
    FetchedInput,
    FetchError,
    TooLargeError,
    open_fetcher,
)
from tryon_catalogue.settings import FetchSettings

# Longer than a test may take.
LOCAL = FetchSettings(allow_private=True, timeout_seconds=600)
PICTURE = figure()
SECRET = "Signature=do-not-tell"


def fetch_input(url: str, max_bytes: int = 100_000, **options: Any) -> FetchedInput | None:
    async def go() -> FetchedInput | None:
        async with open_fetcher(LOCAL) as fetcher:
            return await fetcher.fetch_input(url, max_bytes=max_bytes, **options)

    return asyncio.run(go())


def versioned(website: Website, path: str, content: bytes = PICTURE, **names: str) -> str:
    """Put a page on the site that has a version; gives its address."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        for name, value in names.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return website.put(path, answer)


@pytest.mark.parametrize("content", [b"", b"<html>sorry</html>", PICTURE, PICTURE[:50]])
def test_an_input_is_fetched_as_it_is_and_once(website: Website, content: bytes) -> None:
    url = versioned(website, "/input", content, ETag='W/"a b"', Last_Modified="Wed, 01 Jul 2026 10:00:00 GMT")
    website.asked.clear()
    assert fetch_input(url) == FetchedInput(content, 'W/"a b"', "Wed, 01 Jul 2026 10:00:00 GMT")
    assert website.asked == ["/input"]


@pytest.mark.parametrize("etag", ["", "x" * 257, 'caf\xe9"', "a\tb"])
def test_a_version_that_could_not_be_asked_about_is_not_kept(website: Website, etag: str) -> None:
    fetched = fetch_input(versioned(website, "/odd-version", ETag=etag))
    assert fetched is not None
    assert fetched.etag is None


def test_the_version_that_is_known_is_asked_about_even_behind_a_redirect(website: Website) -> None:
    asked: list[tuple[str | None, str | None]] = []

    def unchanged(request: BaseHTTPRequestHandler) -> None:
        asked.append((request.headers["If-None-Match"], request.headers["If-Modified-Since"]))
        request.send_response(304)
        request.end_headers()

    website.put("/unchanged", unchanged)
    url = website.redirect("/moved", "/unchanged")
    assert fetch_input(url, etag='"1"', last_modified="Wed") is None
    assert fetch_input(url, last_modified="Wed") is None
    assert asked == [('"1"', "Wed"), (None, "Wed")]
    with pytest.raises(FetchError, match="HTTP 304"):
        fetch_input(url)


def test_the_bytes_of_an_input_have_a_limit_of_their_own(website: Website) -> None:
    def unannounced(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(b"x" * 1001)

    assert fetch_input(website.put("/exact", b"x" * 1000), max_bytes=1000) is not None
    for url, size in (
        (website.put("/announced", b"x" * 1001), 1001),
        (website.put("/unannounced", unannounced), None),
    ):
        with pytest.raises(TooLargeError, match="larger than 1,000 bytes") as caught:
            fetch_input(url, max_bytes=1000)
        assert (caught.value.limit, caught.value.size) == (1000, size)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("{site}/衣服.png", "Chinese"),
        ("{site}/a b.png", "blanks"),
        (f"ftp://a.example/x?{SECRET}", "neither an http"),
        (f"http://me:{SECRET}@a.example/x", "holds a login"),
        ("", "is empty"),
        ("http://[::1", "is not a URL"),
    ],
)
def test_an_input_s_url_that_the_vendor_cannot_take_is_not_asked_for(
    website: Website, url: str, words: str
) -> None:
    website.asked.clear()
    with pytest.raises(BadUrlError, match=words) as caught:
        fetch_input(url.format(site=website.url))
    assert SECRET not in str(caught.value)
    assert website.asked == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP"])
def test_an_input_that_was_packed_for_the_way_is_unpacked_within_the_limit(
    website: Website, encoding: str
) -> None:
    import gzip
    import zlib

    pack = zlib.compress if encoding == "deflate" else gzip.compress
    url = versioned(website, "/packed", pack(b"\0" * 5000), Content_Encoding=encoding)
    fetched = fetch_input(url, max_bytes=5000)
    assert fetched is not None
    assert fetched.content == b"\0" * 5000
    with pytest.raises(TooLargeError):
        fetch_input(url, max_bytes=4999)


@pytest.mark.parametrize(("encoding", "words"), [("gzip", "cannot be unpacked"), ("br", "packed as 'br'")])
def test_an_input_that_cannot_be_unpacked_is_a_fetch_error(
    website: Website, encoding: str, words: str
) -> None:
    with pytest.raises(FetchError, match=words):
        fetch_input(versioned(website, "/mispacked", PICTURE, Content_Encoding=encoding))


def test_an_input_s_broken_transfer_is_tried_again(website: Website) -> None:
    tries: list[int] = []

    def at_last(request: BaseHTTPRequestHandler) -> None:
        tries.append(1)
        request.send_response(200 if len(tries) == ATTEMPTS else 503)
        request.send_header("Content-Length", "2")
        request.end_headers()
        request.wfile.write(b"ok")

    fetched = fetch_input(website.put("/at-last", at_last))
    assert fetched is not None
    assert (fetched.content, len(tries)) == (b"ok", ATTEMPTS)
