"""The results page: who may see it, what it shows, and what it never lets through.

Airflow's own security code runs for real, on Airflow's own tables in PostgreSQL.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from airflow import settings
from airflow.api_fastapi.app import create_auth_manager, get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import delete, insert, select, text

from damo_tryon import results_page
from damo_tryon.hooks import DamoTryOnHook
from damo_tryon.names import DEFAULT_CONN_ID, XCOM_RESULTS
from damo_tryon.results_note import leave_note
from damo_tryon.results_page import PAGE_SIZE, create_app

APP_CODE = "code-of-the-tests"  # of the connection that ``connect`` makes
Forged = Callable[[object], str]
PLACE = {"dag_id": "shop", "run_id": "manual__1", "task_id": "submit"}


@pytest.fixture(scope="module")
def airflow_tables(postgres: Any) -> Iterator[None]:
    """Airflow's tables, empty, in a database of their own; Airflow's ORM points there meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        url = postgres.create_database("airflow_of_the_results_page")
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a-secret-made-up-for-these-tests-" * 2)
        settings.dispose_orm(do_log=False)
        settings.configure_vars()
        settings.configure_orm()
        import_all_models()
        Base.metadata.create_all(settings.engine)
        yield
        settings.dispose_orm(do_log=False)
    settings.configure_vars()
    settings.configure_orm()


@pytest.fixture
def app(airflow_tables: None) -> Iterator[FastAPI]:
    """The page as the API server would serve it, without a single task instance yet."""
    create_auth_manager()
    yield create_app()
    with create_session() as session:
        session.execute(delete(XComModel))


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


def push(key: str, value: object, **place: Any) -> None:
    """Store an XCom as a worker's would be, without the run and the task instance it belongs to."""
    row = {**PLACE, "map_index": -1, **place, "key": key, "value": value}
    with create_session() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))  # no foreign keys
        session.execute(insert(XComModel).values(dag_run_id=1, timestamp=datetime.now(UTC), **row))


def leave(*result_keys: str, conn_id: str = DEFAULT_CONN_ID, secret: str = APP_CODE, **place: Any) -> None:
    """Leave the note of a task that knows the secret, at a place of its own."""
    ti = SimpleNamespace(**{**PLACE, "map_index": -1, **place})
    ti.xcom_push = lambda key, value: push(key, value, **place)
    leave_note(ti, Connected(conn_id, secret), result_keys)


@dataclass(frozen=True)
class Connected:
    """A hook whose connection is wherever the task runs."""

    http_conn_id: str
    secret: str

    def seal(self, text: str) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(
                "AIRFLOW_CONN_OF_THE_TASK", json.dumps({"conn_type": "damo_tryon", "password": self.secret})
            )
            return DamoTryOnHook("of_the_task").seal(text)


class Vendor:
    """Answers a query for a key with that key's sub-tasks, or with an error's code."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.answers: dict[str, bytes] = {}

    def knows(self, result_key: str, *sub_tasks: dict[str, Any], code: int = 0) -> None:
        body = {"code": code, "message": "words", "requestId": "r1"}
        data = {} if code else {"data": {"result_key": result_key, "task_list": list(sub_tasks)}}
        self.answers[result_key] = json.dumps(body | data).encode()
        self.server.script.append(self._answer)

    def _answer(self, handler: Any) -> None:
        port = handler.client_address[1]
        asked = [json.loads(one.body) for one in self.server.received if one.client_port == port]
        body = self.answers[asked[-1]["data"]["result_key"]]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def vendor(server: Any, connect: Callable[..., None]) -> Vendor:
    connect(server.url)
    return Vendor(server)


def sub_task(status: str, *results: str, tops: str = "https://img.test/tops.png") -> dict[str, Any]:
    return {
        "status": status,
        "model_image": "https://img.test/model.png",
        "tops_image": tops,
        "results": list(results),
    }


def test_a_stranger_is_told_to_log_in(stranger: TestClient) -> None:
    leave("key")
    answer = stranger.get("/results", params=PLACE)
    assert answer.status_code == 401
    assert "Log in to Airflow" in answer.text


def test_somebody_without_rights_to_the_dag_is_refused(stranger: TestClient) -> None:
    leave("key")
    headers = {"Authorization": f"Bearer {token_of(None)}"}
    assert stranger.get("/results", params=PLACE, headers=headers).status_code == 403


def test_a_made_up_token_is_refused(stranger: TestClient) -> None:
    headers = {"Authorization": "Bearer made-up"}
    assert stranger.get("/results", params=PLACE, headers=headers).status_code == 403


def test_rights_are_asked_for_the_xcoms_of_the_dag_that_is_shown(
    reader: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def may(*, method: Any, access_entity: Any, details: Any, user: Any) -> bool:
        asked.append((str(method), access_entity.name, details.id))
        return False

    monkeypatch.setattr(get_auth_manager(), "is_authorized_dag", may)
    assert reader.get("/results", params=PLACE).status_code == 403
    assert asked == [("GET", "XCOM", "shop")]


@pytest.mark.parametrize(
    "query", ["dag_id=allowed&dag_id=shop", "dag_id=shop&dag_id=allowed", "dag_id=~", ""]
)
def test_no_address_shows_another_dag_than_the_one_rights_were_asked_for(
    reader: TestClient, query: str
) -> None:
    leave("key")
    answer = reader.get(f"/results?{query}&run_id=manual__1&task_id=submit")
    assert answer.status_code == 422
    assert "address" in answer.text


def test_nothing_but_the_page_is_served(stranger: TestClient) -> None:
    assert [stranger.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json", "/")] == [404] * 4


@pytest.mark.parametrize("name", ["dag_id", "run_id", "task_id"])
def test_a_nul_in_the_address_is_refused_with_the_headers_of_every_page(
    reader: TestClient, name: str
) -> None:
    answer = reader.get("/results", params={**PLACE, name: "a\0b"})
    assert answer.status_code == 404
    assert "Content-Security-Policy" in answer.headers


def test_each_look_is_shown_with_status_garments_and_pictures(reader: TestClient, vendor: Vendor) -> None:
    leave("key-1", "key-2")
    made = sub_task("SUCCESS", "https://out.test/1.png", "https://out.test/2.png")
    vendor.knows("key-1", made, sub_task("FAILED"))
    vendor.knows("key-2", sub_task("RUNNING"))
    answer = reader.get("/results", params=PLACE)
    assert answer.status_code == 200
    pictures = re.findall(r'<img src="([^"]+)"', answer.text)
    assert pictures.count("https://img.test/model.png") == 3
    assert {"https://out.test/1.png", "https://out.test/2.png"} < set(pictures)
    totals = dict(re.findall(r"<li class=\"(\w+)\"><b>(\d+)</b>", answer.text))
    assert totals == {"WAITING": "0", "RUNNING": "1", "SUCCESS": "1", "FAILED": "1"}
    assert "The vendor could not make it, and gives no reason." in answer.text
    assert "Being made." in answer.text


def test_a_mapped_task_shows_its_own_results_only(reader: TestClient, vendor: Vendor) -> None:
    leave("of-0", map_index=0)
    leave("of-1", map_index=1)
    vendor.knows("of-1", sub_task("WAITING"))
    answer = reader.get("/results", params={**PLACE, "map_index": 1})
    assert "of-1" in answer.text
    assert "of-0" not in answer.text


def test_what_goes_wrong_with_one_submission_is_said_beside_the_others(
    reader: TestClient, vendor: Vendor
) -> None:
    leave("key-1", "key-2")
    vendor.knows("key-1", code=23500008)
    vendor.knows("key-2", sub_task("SUCCESS", "https://out.test/1.png"))
    answer = reader.get("/results", params=PLACE)
    assert answer.status_code == 200
    assert "The vendor has no record of this result key" in answer.text
    assert "23500008" in answer.text
    assert "https://out.test/1.png" in answer.text


def test_a_vendor_that_does_not_answer_does_not_hold_the_reader(
    reader: TestClient, server: Any, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(server.url)
    leave("key")
    server.then_stay_silent()
    monkeypatch.setattr(results_page, "PATIENCE", 0.2)
    answer = reader.get("/results", params=PLACE)
    assert "took too long" in answer.text


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        7,
        "results",
        {"some": "thing"},
        {"conn_id": "damo_tryon", "result_keys": [], "seal": ""},
        {"conn_id": "damo_tryon", "result_keys": [["key"]], "seal": ""},
        {"conn_id": "../variables/damo_tryon", "result_keys": ["key"], "seal": ""},
        {"conn_id": 7, "result_keys": ["key"], "seal": ""},
    ],
    ids=str,
)
def test_a_task_without_result_keys_is_a_plain_word(reader: TestClient, value: object) -> None:
    if value is not None:
        push(XCOM_RESULTS, value)
    answer = reader.get("/results", params=PLACE)
    assert answer.status_code == 404
    assert "no result keys" in answer.text


def test_the_connection_is_the_tasks_own_and_not_the_readers_choice(
    reader: TestClient, vendor: Vendor, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = {"conn_type": "damo_tryon", "host": server.url, "password": "code-of-another"}
    monkeypatch.setenv("AIRFLOW_CONN_ANOTHER", json.dumps(connection))
    leave("key")
    leave("key", conn_id="another", secret="code-of-another", map_index=1)
    for _ in range(2):
        vendor.knows("key", sub_task("WAITING"))
    reader.get("/results", params={**PLACE, "conn_id": "another"})
    reader.get("/results", params={**PLACE, "map_index": 1})
    used = [received.headers["authorization"] for received in server.received]
    assert used == ["APPCODE code-of-the-tests", "APPCODE code-of-another"]


def note(*result_keys: str, conn_id: str = DEFAULT_CONN_ID, seal: str = "0" * 64) -> dict[str, Any]:
    return {"conn_id": conn_id, "result_keys": list(result_keys), "seal": seal}


@pytest.fixture
def forged(reader: TestClient, vendor: Vendor, server: Any, monkeypatch: pytest.MonkeyPatch) -> Forged:
    """What somebody can try who may write XComs, and may read no connection; none of it is asked of the vendor."""
    for name, code in {"ANOTHER": "code-of-another", "EMPTY": ""}.items():
        connection = {"conn_type": "damo_tryon", "host": server.url, "password": code}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(connection))

    def shown(value: object) -> str:
        with create_session() as session:
            session.execute(delete(XComModel))
        push(XCOM_RESULTS, value)
        answer = reader.get("/results", params=PLACE)
        assert answer.status_code == 409
        assert server.received == []
        return answer.text

    return shown


def sealed(*result_keys: str, **more: Any) -> dict[str, Any]:
    """Read the note that a task has really left."""
    leave(*result_keys, **more)
    with create_session() as session:
        found = session.scalars(select(XComModel.value).where(XComModel.key == XCOM_RESULTS)).all()
    return dict(found[-1])


def test_whoever_writes_a_note_names_no_other_connection_and_no_other_keys(forged: Forged) -> None:
    real = sealed("key")
    pages = {
        forged(attempt)
        for attempt in (
            note("key"),
            note("key", seal=""),
            note("key", seal="é"),
            note("key", conn_id="another"),
            note("key", conn_id="empty"),
            note("key", conn_id="not-there"),
            real | {"conn_id": "another"},
            real | {"result_keys": ["key-of-others"]},
            real | {"result_keys": ["key", "key-of-others"]},
        )
    }
    # One and the same: nobody learns which connections there are.
    assert len(pages) == 1
    assert "XCom" in pages.pop()


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"dag_id": "other"},
        {"run_id": "manual__2"},
        {"task_id": "other"},
        {"map_index": 1},
        {"dag_id": "sho", "run_id": "pmanual__1"},
    ],
    ids=str,
)
def test_a_note_of_one_place_is_worth_nothing_at_another(forged: Forged, elsewhere: dict[str, Any]) -> None:
    forged(sealed("key", **elsewhere))


def test_a_note_is_worth_nothing_once_the_connection_has_another_secret(forged: Forged) -> None:
    forged(sealed("key", secret="an-earlier-code"))


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//out.test/1"]
)
def test_what_is_no_http_url_is_neither_loaded_nor_linked(
    reader: TestClient, vendor: Vendor, url: str
) -> None:
    leave("key")
    vendor.knows("key", sub_task("SUCCESS", url))
    page = reader.get("/results", params=PLACE).text
    assert url in page
    assert f'href="{url}' not in page
    assert f'src="{url}' not in page


def test_nothing_the_vendor_or_a_task_says_becomes_html(reader: TestClient, vendor: Vendor) -> None:
    evil = '"><script>alert(1)</script>'
    leave(evil)
    vendor.knows(evil, sub_task("SUCCESS", f"https://out.test/{evil}", tops=evil))
    page = reader.get("/results", params=PLACE).text
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_may_load_pictures_and_its_own_style_and_nothing_else(
    reader: TestClient, vendor: Vendor
) -> None:
    leave("key")
    vendor.knows("key", sub_task("SUCCESS", "https://out.test/1.png"))
    answer = reader.get("/results", params=PLACE)
    policy = answer.headers["content-security-policy"]
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert answer.headers["cache-control"] == "no-store"
    links = re.findall(r"<a [^>]+>", answer.text)
    assert links
    assert all('rel="noopener noreferrer"' in link for link in links)
    images = re.findall(r"<img [^>]+>", answer.text)
    assert all('referrerpolicy="no-referrer"' in image for image in images)


def test_many_submissions_are_shown_page_by_page(reader: TestClient, vendor: Vendor, server: Any) -> None:
    leave(*(f"key-{number}" for number in range(PAGE_SIZE + 1)))
    for number in range(PAGE_SIZE):
        vendor.knows(f"key-{number}", sub_task("WAITING"))
    first = reader.get("/results", params=PLACE).text
    assert len(server.received) == PAGE_SIZE
    assert "Page 1 of 2" in first
    link = re.search(r'<a href="([^"]+)">Next', first)
    assert link is not None
    vendor.knows(f"key-{PAGE_SIZE}", sub_task("WAITING"))
    second = reader.get("/results" + link.group(1).replace("&amp;", "&")).text
    assert f"key-{PAGE_SIZE}" in second
    assert len(server.received) == PAGE_SIZE + 1


async def test_readers_of_one_page_ask_the_vendor_once_and_one_page_too_many_is_refused_at_once(
    app: FastAPI, server: Any, connect: Callable[..., None]
) -> None:
    connect(server.url)
    for number in range(20):
        leave("key", map_index=number)
        server.then_stay_silent()
    cookies = {COOKIE_NAME_JWT_TOKEN: token_of("viewer")}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow", cookies=cookies) as people:
        places = [{**PLACE, "map_index": number % 20} for number in range(60)]
        reads = [asyncio.create_task(people.get("/results", params=place)) for place in places]
        waiting = set(reads)
        while len(waiting) > 4 * 3:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        server.released.set()
        shown = await asyncio.gather(*waiting)
    refused = [read.result() for read in reads if read not in waiting]
    assert {(answer.status_code, answer.headers["retry-after"]) for answer in refused} == {(503, "5")}
    assert all("Nothing is wrong" in answer.text for answer in refused)
    assert [answer.status_code for answer in shown] == [200] * 12
    assert len(server.received) == 4
