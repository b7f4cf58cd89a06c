"""Every case of the table over a real web server, held against what the vendor's stand-in says of it."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psutil
import pytest

from tests.tryon_catalogue.pictures.cases import CASES, Case, Vendor
from tests.tryon_catalogue.pictures.files import SIZE, drawn, encoded, jpeg_padded_to, mask, turned_by_exif
from tests.tryon_catalogue.pictures.test_fetch import Names
from tests.tryon_catalogue.vendor import Website, open_website
from tryon_catalogue.pictures.fetch import open_fetcher
from tryon_catalogue.pictures.rules import ImageRole, ImageRule, mask_size_problem
from tryon_catalogue.planning.preflight.images import Checked, Known, PreflightLimits, check_urls
from tryon_catalogue.planning.preflight.person_check import PEOPLE_RULES
from tryon_catalogue.settings import FetchSettings
from tryon_sandbox.codes import VendorCode
from tryon_sandbox.files import PictureFiles
from tryon_sandbox.images import ImageDesk
from tryon_sandbox.rules import Task

LONGER_THAN_A_TEST = 600  # seconds, so that it ends none: pytest's own time-out comes before
LOCAL = FetchSettings(allow_private=True, timeout_seconds=LONGER_THAN_A_TEST)
PICTURE, MASK = ImageRole.PICTURE, ImageRole.MASK
GOOD = encoded(drawn())

ImageKey = tuple[str, ImageRole]


@dataclass(frozen=True)
class Version:
    """What is known of an image."""

    etag: str | None = None
    last_modified: str | None = None


@pytest.fixture(scope="module")
def site() -> Iterator[Website]:
    with open_website() as site:
        site.put("/model.png", GOOD)
        yield site


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageDesk]:
    """The stand-in's own way of fetching and judging images."""
    files = PictureFiles(Path(tmp_path_factory.mktemp("sandbox")))
    desk = ImageDesk(files, timeout=LONGER_THAN_A_TEST, cache=0)
    yield desk
    desk.close()


def checked(
    keys: Iterable[ImageKey],
    known: Mapping[ImageKey, Known] | None = None,
    *,
    fetch: FetchSettings = LOCAL,
    limits: PreflightLimits | None = None,
    names: Names | None = None,
    seen: Callable[[Checked], None] = lambda _: None,
) -> dict[ImageKey, Checked]:
    """Check addresses and give what was found, by what was wanted."""

    async def go() -> dict[ImageKey, Checked]:
        found: dict[ImageKey, Checked] = {}
        async with open_fetcher(fetch, names) as fetcher:
            async for result in check_urls(keys, known or {}, fetcher, limits):
                assert (result.url, result.role) not in found, "given twice"
                found[result.url, result.role] = result
                seen(result)
        return found

    return asyncio.run(go())


def address_of(case: Case, site: Website) -> str:
    """Put the case's page on the site."""
    path = "/" + case.name.replace(" ", "-").replace(",", "").replace("'", "").replace(":", "-")
    if case.page is not None:
        site.put(path, case.page())
    return case.url(site, site.url + path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.role.value}: {case.name}")
def test_each_case_of_the_table_ends_as_documented_and_as_the_vendor_s_stand_in_says(
    case: Case, site: Website, desk: ImageDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = None
    if case.public:
        # The site passes for a public one.
        names = Names(**{"inside.example": "192.168.0.7", "public.example": "127.0.0.1"})
        passing = frozenset({"127.0.0.1"})
        monkeypatch.setattr(
            "tryon_catalogue.pictures.fetch._is_private", lambda address: address not in passing
        )
    url = address_of(case, site)
    model = f"{site.url}/model.png"
    site.asked.clear()

    keys = [(url, case.role), (model, PICTURE)] if case.role is MASK else [(url, case.role)]
    fetch = FetchSettings(allow_private=not case.public, timeout_seconds=case.patience)
    found = checked(keys, fetch=fetch, names=names)
    result = found[url, case.role]
    findings = list(result.findings)
    if case.role is MASK and result.facts is not None:
        model_facts = found[model, PICTURE].facts
        assert model_facts is not None
        size = mask_size_problem(result.facts, model_facts)
        findings += [size] if size is not None else []

    rejecting = [finding.rule for finding in findings if finding.rejects]
    assert rejecting[:1] == ([] if case.rule is None else [case.rule])
    assert {finding.rule for finding in findings if not finding.rejects} == case.warns
    for finding in findings:
        assert finding.measured
        assert finding.limit
        assert finding.advice
        assert "secret-word" not in f"{finding}"
    if case.rule is ImageRule.BAD_URL:
        assert site.asked == []

    if case.vendor is Vendor.NOT_ASKED:
        return
    tried = Task(model, model, None, url) if case.role is MASK else Task(model, url, None, None)
    if url:  # an absent image is another rule's
        taken = not isinstance(desk.examine([tried])[0], VendorCode)
        assert taken is (case.vendor is Vendor.TAKES) is (case.rule is None)


def test_the_table_has_every_rule_in_it() -> None:
    rules = {case.rule for case in CASES} | {rule for case in CASES for rule in case.warns}
    # People are looked for elsewhere, and have a table of their own.
    assert rules - {None} == set(ImageRule) - {ImageRule.UNCHECKED} - PEOPLE_RULES
    assert len(CASES) >= 40
    assert len({(case.name, case.role) for case in CASES}) == len(CASES)


def test_a_good_image_comes_with_its_facts_version_and_small_copy(site: Website) -> None:
    def page(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("ETag", '"v1"')
        request.send_header("Last-Modified", "Wed, 01 Jul 2026 10:00:00 GMT")
        request.send_header("Content-Length", str(len(GOOD)))
        request.end_headers()
        request.wfile.write(GOOD)

    url = site.put("/versioned.png", page)
    result = checked([(url, PICTURE)])[url, PICTURE]

    assert result.facts is not None
    assert (result.facts.width, result.facts.height, result.facts.bytes) == (*SIZE, len(GOOD))
    assert (result.etag, result.last_modified) == ('"v1"', "Wed, 01 Jul 2026 10:00:00 GMT")
    assert (result.rejection, result.unchanged, result.repaired) == (None, False, None)
    assert result.thumbnail is not None


def test_an_image_wanted_often_and_in_two_roles_is_fetched_once(site: Website) -> None:
    url = site.put("/both.png", encoded(mask()))
    site.asked.clear()

    found = checked([(url, PICTURE), (url, MASK), (url, PICTURE)] * 5)

    assert site.asked == ["/both.png"]
    assert found[url, PICTURE].rejection is found[url, MASK].rejection is None


class TestAVersionThatIsKnown:
    """The server is asked whether it has another one."""

    @pytest.fixture
    def url(self, site: Website) -> str:
        def page(request: BaseHTTPRequestHandler) -> None:
            fresh = request.headers["If-None-Match"] == '"now"'
            request.send_response(304 if fresh else 200)
            request.send_header("ETag", '"now"')
            request.send_header("Content-Length", "0" if fresh else str(len(GOOD)))
            request.end_headers()
            if not fresh:
                request.wfile.write(GOOD)

        return site.put("/known.png", page)

    def test_is_not_fetched_again(self, url: str) -> None:
        result = checked([(url, PICTURE)], {(url, PICTURE): Version('"now"')})[url, PICTURE]
        assert (result.unchanged, result.facts, result.findings) == (True, None, ())

    def test_is_fetched_when_it_is_no_longer_the_server_s(self, url: str) -> None:
        result = checked([(url, PICTURE)], {(url, PICTURE): Version('"then"')})[url, PICTURE]
        assert not result.unchanged
        assert (result.facts is not None, result.etag) == (True, '"now"')

    def test_is_fetched_when_it_is_not_known_in_every_role(self, url: str) -> None:
        found = checked([(url, PICTURE), (url, MASK)], {(url, PICTURE): Version('"now"')})
        assert [result.unchanged for result in found.values()] == [False, False]

    def test_is_not_fetched_when_it_is_known_in_every_role(self, url: str) -> None:
        known = {(url, role): Version('"now"') for role in ImageRole}
        assert all(result.unchanged for result in checked(known, known).values())


def test_one_image_s_trouble_is_its_own(site: Website) -> None:
    good = [site.put(f"/good-{number}.png", GOOD) for number in range(10)]
    bad = [f"{site.url}/gone-{number}.png" for number in range(10)]
    keys = [(url, PICTURE) for pair in zip(good, bad, strict=True) for url in pair]

    found = checked(keys)

    assert {url for (url, _), result in found.items() if result.rejection is None} == set(good)
    rejections = [found[url, PICTURE].rejection for url in bad]
    assert [result and (result.rule, result.measured) for result in rejections] == [
        (ImageRule.UNREACHABLE, "the URL answered HTTP 404: there is nothing, or no longer")
    ] * 10


def test_who_takes_no_more_leaves_nothing_running(site: Website) -> None:
    keys = [(site.put(f"/many-{number}.png", GOOD), PICTURE) for number in range(40)]
    site.asked.clear()

    async def go() -> int:
        async with open_fetcher(LOCAL) as fetcher:
            checking = check_urls(keys, {}, fetcher, PreflightLimits(concurrency=4))
            await anext(checking)
            await checking.aclose()
            return len(asyncio.all_tasks())

    assert asyncio.run(go()) == 1
    assert len(site.asked) <= 8


def test_a_repair_is_made_only_when_it_is_asked_for(site: Website) -> None:
    too_large = site.put("/large.jpg", jpeg_padded_to(5_000_001))
    lying = site.put("/lying.jpg", turned_by_exif(6))
    keys = [(too_large, PICTURE), (lying, PICTURE)]

    assert all(result.repaired is None for result in checked(keys).values())

    found = checked(keys, limits=PreflightLimits(repair=True))
    large = found[too_large, PICTURE]
    assert large.rejection is not None  # what the shop serves stays what it is
    for result in found.values():
        assert result.repaired is not None
        assert result.repaired.facts.findings == ()
    turned = found[lying, PICTURE].repaired
    assert turned is not None
    assert (turned.facts.width, turned.facts.height) == (SIZE[1], SIZE[0])


def test_two_thousand_images_are_checked_in_bounded_memory_a_few_at_a_time(site: Website) -> None:
    """A file is 200 kB: all of them would take 400 MB."""
    images, size, limits = 2_000, 200_000, PreflightLimits(concurrency=16)
    drawing = encoded(drawn((400, 500)), "JPEG")
    body = drawing + bytes(size - len(drawing) - 16)
    at_once, most = 0, 0
    counting = threading.Lock()

    def page(request: BaseHTTPRequestHandler) -> None:
        nonlocal at_once, most
        with counting:
            at_once += 1
            most = max(most, at_once)
        content = body + random.Random(request.path).randbytes(16)
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        with counting:
            at_once -= 1
        request.wfile.write(content)

    site.put("/one-of-many", page)
    process = psutil.Process()
    keys = [(f"{site.url}/one-of-many?{number}", PICTURE) for number in range(images)]
    checked(keys[:50], limits=limits)  # what is loaded once is no image's
    before = peak = process.memory_info().rss
    digests: set[str | None] = set()

    def seen(result: Checked) -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)
        digests.add(result.facts.sha256 if result.facts and result.rejection is None else None)

    checked(keys, limits=limits, seen=seen)

    assert len(digests - {None}) == images
    assert most <= limits.concurrency
    # The thumbnails, which this test keeps, and the files on both sides of the connections.
    assert peak - before < 100_000_000
