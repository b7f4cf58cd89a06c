"""The report in the Airflow UI: who may see it, and what is said when there is nothing to show.

Airflow's own security code runs for real, on Airflow's own tables in PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow.api_fastapi.app import create_auth_manager, get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, make_url, text

from tests.tryon_catalogue.helpers import connection_to_database
from tests.tryon_catalogue.reporting.report.books import Entry, open_run, write_looks
from tryon_catalogue.desk import report_page
from tryon_catalogue.desk.report_page import create_app
from tryon_catalogue.reporting.report import extract, reading

PLACE = {"dag_id": "tryon_nightly", "run_id": "manual__1"}


@pytest.fixture
def app(
    airflow_tables: None, settings_file: Path, catalogue_connection: str, monkeypatch: pytest.MonkeyPatch
) -> FastAPI:
    """The page as the API server would serve it."""
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    create_auth_manager()
    return create_app()


@pytest.fixture
def stranger(app: FastAPI) -> TestClient:
    """Somebody who is not logged in."""
    return TestClient(app)


@pytest.fixture
def reader(app: FastAPI) -> TestClient:
    """Somebody logged in, as browsers are, by a cookie, who may read DAGs."""
    return TestClient(app, cookies={COOKIE_NAME_JWT_TOKEN: token_of("viewer")})


def token_of(role: str | None) -> str:
    return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="u", role=role))


@pytest.fixture
def run(engine: Engine) -> None:
    open_run(engine)
    write_looks(engine, [Entry("TS-1"), Entry("TS-2", state="FAILED")])


@pytest.mark.usefixtures("run")
def test_a_reader_sees_the_report_in_a_frame_of_airflows_own(reader: TestClient) -> None:
    answer = reader.get("/run", params=PLACE)
    assert answer.status_code == 200
    assert "1 of 2 looks published" in answer.text
    assert "TS-2" in answer.text
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("run")
def test_a_reader_may_save_the_report_as_a_file(reader: TestClient) -> None:
    assert (
        "?dag_id=tryon_nightly&amp;run_id=manual__1&amp;download=1" in reader.get("/run", params=PLACE).text
    )
    answer = reader.get("/run", params={**PLACE, "download": "1"})
    assert answer.headers["content-disposition"] == (
        'attachment; filename="tryon-report-tryon_nightly-manual__1.html"'
    )
    assert "Save as a file" not in answer.text


@pytest.mark.usefixtures("run")
def test_a_stranger_is_told_to_log_in(stranger: TestClient) -> None:
    answer = stranger.get("/run", params=PLACE)
    assert answer.status_code == 401
    assert "Log in to Airflow" in answer.text
    assert "TS-1" not in answer.text


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("token", ["nobody", "made-up"])
def test_somebody_without_rights_to_the_dag_is_refused(stranger: TestClient, token: str) -> None:
    bearer = token_of(None) if token == "nobody" else token
    assert (
        stranger.get("/run", params=PLACE, headers={"Authorization": f"Bearer {bearer}"}).status_code == 403
    )


@pytest.mark.usefixtures("run")
def test_rights_are_asked_for_the_runs_of_the_dag_that_is_shown(
    reader: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def may(*, method: Any, access_entity: Any, details: Any, user: Any) -> bool:
        asked.append((str(method), access_entity.name, details.id))
        return False

    monkeypatch.setattr(get_auth_manager(), "is_authorized_dag", may)
    assert reader.get("/run", params=PLACE).status_code == 403
    assert asked == [("GET", "RUN", "tryon_nightly")]


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    "query",
    [
        "dag_id=allowed&dag_id=tryon_nightly",
        "dag_id=tryon_nightly&dag_id=allowed",
        "dag_id=~",
        "dag_id=a/b",
        "",
    ],
)
def test_no_address_shows_another_dag_than_the_one_rights_were_asked_for(
    reader: TestClient, query: str
) -> None:
    answer = reader.get(f"/run?{query}&run_id=manual__1")
    assert answer.status_code == 422
    assert "TS-1" not in answer.text


@pytest.mark.usefixtures("run")
def test_a_run_that_the_ledger_does_not_know_is_answered_without_naming_others(reader: TestClient) -> None:
    answer = reader.get("/run", params={**PLACE, "run_id": "none"})
    assert answer.status_code == 404
    assert "has read no export" in answer.text
    assert "manual__1" not in answer.text
    assert reader.get("/run", params={**PLACE, "run_id": "a\x00b"}).status_code == 422


def test_a_ledger_that_is_not_there_is_said_in_words_without_where_it_is(
    reader: TestClient, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_there = connection_to_database(make_url(empty_database_url))
    monkeypatch.setenv("AIRFLOW_CONN_CATALOGUE_DB", nothing_there)
    answer = reader.get("/run", params=PLACE)
    assert answer.status_code == 503
    assert "tryon init" in answer.text
    monkeypatch.setenv("TRYON_CATALOGUE__CONN_ID", "nowhere")
    answer = reader.get("/run", params=PLACE)
    assert answer.status_code == 503
    assert "no connection nowhere" in answer.text


def test_settings_that_cannot_be_read_are_said_in_words(
    reader: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRYON_SETTINGS", str(tmp_path / "none.toml"))
    answer = reader.get("/run", params=PLACE)
    assert answer.status_code == 503
    assert "settings cannot be read" in answer.text


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """The ledger as somebody holds it who changes its tables, for the block."""
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE tryon.looks IN ACCESS EXCLUSIVE MODE"))
        yield
        connection.rollback()


def crowd(app: FastAPI) -> httpx.AsyncClient:
    """Many people at once, all of them logged in, on one event loop as in the API server."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://airflow",
        cookies={COOKIE_NAME_JWT_TOKEN: token_of("viewer")},
    )


@pytest.mark.usefixtures("run")
async def test_a_locked_ledger_holds_neither_readers_nor_the_threads_of_the_api_server(
    app: FastAPI, engine: Engine
) -> None:
    """However long the lock is held: the block ends when everybody has an answer."""
    async with crowd(app) as people:
        with locked(engine):
            pages = [{**PLACE, "page": str(number % 30 + 1)} for number in range(60)]
            reads = [asyncio.create_task(people.get("/run", params=page)) for page in pages]
            refused, _ = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
            assert refused
            while not all(read.done() for read in reads):
                if current_default_thread_limiter().borrowed_tokens == 0:
                    break  # nobody's access is looked up now, and readers still wait: not there
                await asyncio.sleep(0)
            else:
                pytest.fail("whoever waited did so in a thread of the API server")
            answers = await asyncio.gather(*reads)
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        assert {answer.text.count("is busy") for answer in answers} == {0, 1}  # the ledger, or these pages
        assert (await people.get("/run", params=PLACE)).status_code == 200


@pytest.mark.usefixtures("run")
async def test_a_report_that_many_ask_for_is_made_once(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(*arguments: Any) -> Any:
        made.append(arguments[2])
        return reading.read_extract(*arguments)

    monkeypatch.setattr(report_page, "read_extract", counted)
    async with crowd(app) as people:
        answers = await asyncio.gather(*(people.get("/run", params=PLACE) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    assert made == ["tryon_nightly/manual__1"]


@pytest.mark.usefixtures("run")
def test_who_is_sent_away_by_a_crowd_is_told_to_come_back_and_their_browser_does(
    reader: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: Any) -> str:
        raise report_page.BusyError("Many people are asking for such pages just now.")

    monkeypatch.setattr(report_page.PageMaker, "page", busy)
    for more in ({}, {"download": "1"}):
        answer = reader.get("/run", params={**PLACE, **more})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == answer.headers["refresh"]
        assert "Nothing is wrong" in answer.text
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("run")
def test_a_long_report_comes_in_pages_and_the_file_has_all_of_it(
    reader: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (reading, extract):
        monkeypatch.setattr(module, "LOOKS_ON_A_PAGE", 1)
    first = reader.get("/run", params=PLACE).text
    assert "Page 1 of 2" in first
    second = reader.get("/run", params={**PLACE, "page": "2"}).text
    narrowed = reader.get("/run", params={**PLACE, "state": "FAILED"}).text
    assert [page.count('<article class="card"') for page in (first, second, narrowed)] == [1, 1, 1]
    assert ["TS-2" in page for page in (first, second, narrowed)] == [False, True, True]
    whole = reader.get("/run", params={**PLACE, "page": "2", "download": "1"}).text
    assert whole.count('<article class="card"') == 2


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    "query",
    [
        {"page": "0"},
        {"page": "x"},
        {"page": str(10**30)},
        {"rejections": "-1"},
        {"state": "GONE"},
        {"look": "../x"},
        {"text": "a" * 300},
        {"model": "a\0"},
    ],
    ids=str,
)
def test_an_address_that_no_page_has_written_is_refused(reader: TestClient, query: dict[str, str]) -> None:
    assert reader.get("/run", params={**PLACE, **query}).status_code == 422


def test_nothing_but_the_page_is_served(stranger: TestClient) -> None:
    assert [stranger.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json", "/")] == [404] * 4
