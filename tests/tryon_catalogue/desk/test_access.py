"""Who may read the pages, who may decide, and what other sites cannot make somebody's browser do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from airflow.api_fastapi.app import create_auth_manager, get_auth_manager
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from tests.tryon_catalogue.desk.serving import token_of
from tests.tryon_catalogue.desk.shop_floor import Piece, furnish
from tests.tryon_catalogue.helpers import states
from tests.tryon_catalogue.reporting.report.books import write_submission
from tryon_catalogue.desk.app import create_app
from tryon_catalogue.settings import Settings

HOST = "http://testserver"
PAGES = ("today", "review", "garments", "rejected", "doubts")


@pytest.fixture
def app(
    airflow_tables: None, settings_file: Path, catalogue_connection: str, monkeypatch: pytest.MonkeyPatch
) -> FastAPI:
    """The desk, not below any path."""
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    create_auth_manager()
    return create_app()


def somebody(app: FastAPI, role: str | None, name: str = "mei") -> TestClient:
    return TestClient(app, cookies={COOKIE_NAME_JWT_TOKEN: token_of(name, role)}, follow_redirects=False)


@pytest.fixture
def doubt(engine: Engine, settings: Settings) -> int:
    """A submission that was never answered."""
    keys = furnish(engine, settings, [Piece("TS-1", state="IN_DOUBT", made=())])
    return write_submission(engine, keys, "IN_DOUBT", uses=1)


def token_on(client: TestClient) -> str:
    page = client.get("/doubts").text
    return page.partition('data-token="')[2].partition('"')[0]


def give_up(client: TestClient, doubt: int, token: str, **headers: str) -> Any:
    form = {"submission": str(doubt), "how": "give_up", "token": token}
    return client.post("/doubts/settle", data=form, headers={"Accept": "application/json", **headers})


def every_route(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Each method and path that the app answers, with values for what stands in the path."""
    values = {"{name}": "desk.css", "{key}": "0" * 64, "{kind}": "new", "{number}": "1", "{size}": "whole"}
    for route in app.routes:
        assert isinstance(route, APIRoute), route
        path = route.path
        for place, value in values.items():
            path = path.replace(place, value)
        for method in route.methods:
            yield method, path


def test_no_address_answers_a_stranger(app: FastAPI) -> None:
    asked = {
        (method, path): TestClient(app).request(method, path).status_code for method, path in every_route(app)
    }
    assert asked
    assert set(asked.values()) == {401}


def test_no_address_answers_somebody_without_a_role(app: FastAPI) -> None:
    client = somebody(app, None)
    assert {client.request(*asked).status_code for asked in every_route(app)} == {403}


def test_a_viewer_reads_every_page_and_may_change_nothing(app: FastAPI, doubt: int) -> None:
    client = somebody(app, "viewer")
    for page in PAGES:
        answer = client.get(f"/{page}")
        assert answer.status_code == 200, page
        assert '<form method="post"' not in answer.text
    # What comes next is asked for with a form, for it may be long; it changes nothing for a viewer.
    changing = [asked for asked in every_route(app) if asked[0] == "POST" and asked[1] != "/review/next"]
    assert changing
    token = token_on(client)
    for method, path in changing:
        assert client.request(method, path, data={"token": token}).status_code == 403, path


def test_rights_are_asked_for_the_runs_of_the_nights(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    client = somebody(app, "user")
    asked: list[tuple[str, str, str | None]] = []

    def may(*, method: Any, access_entity: Any, details: Any, user: Any) -> bool:
        asked.append((str(method), access_entity.name, details.id))
        return method == "GET"

    monkeypatch.setattr(get_auth_manager(), "is_authorized_dag", may)
    client.get("/today?dag_id=another")
    assert client.post("/doubts/settle?dag_id=another").status_code == 403
    assert set(asked) == {("GET", "RUN", "tryon_nightly"), ("PUT", "RUN", "tryon_nightly")}


def test_who_may_edit_runs_decides_and_stands_in_the_history(
    app: FastAPI, doubt: int, engine: Engine
) -> None:
    client = somebody(app, "user")
    answer = give_up(client, doubt, token_on(client))
    assert answer.json() == {"ok": True, "message": "1 look is given up."}
    with engine.connect() as connection:
        last = connection.execute(text("SELECT run, to_state FROM tryon.look_moves ORDER BY id DESC LIMIT 1"))
        assert tuple(last.one()) == ("mei", "FAILED")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": HOST},
    ],
)
def test_what_another_site_sends_changes_nothing_even_with_the_token(
    app: FastAPI, doubt: int, engine: Engine, headers: dict[str, str]
) -> None:
    client = somebody(app, "user")
    answer = give_up(client, doubt, token_on(client), **headers)
    assert answer.status_code == 403
    assert "not come from a page" in answer.json()["message"]
    assert states(engine) == ["IN_DOUBT"]


@pytest.mark.parametrize("headers", [{}, {"Origin": HOST}, {"Sec-Fetch-Site": "same-origin"}])
def test_what_our_own_pages_send_is_taken(app: FastAPI, doubt: int, headers: dict[str, str]) -> None:
    client = somebody(app, "user")
    assert give_up(client, doubt, token_on(client), **headers).status_code == 200


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_the_token_of_a_page_changes_nothing(
    app: FastAPI, doubt: int, engine: Engine, token: str
) -> None:
    assert give_up(somebody(app, "user"), doubt, token).status_code == 400
    assert states(engine) == ["IN_DOUBT"]


def test_the_token_of_one_person_is_worth_nothing_for_another(
    app: FastAPI, doubt: int, engine: Engine
) -> None:
    token = token_on(somebody(app, "user", "ben"))
    assert give_up(somebody(app, "user"), doubt, token).status_code == 400
    assert states(engine) == ["IN_DOUBT"]


def test_a_page_that_was_open_for_days_is_to_be_loaded_again(app: FastAPI, doubt: int) -> None:
    client = somebody(app, "user")
    with time_machine.travel("2020-01-01", tick=False):
        client.cookies[COOKIE_NAME_JWT_TOKEN] = token_of("mei", "user")
        token = token_on(client)
    client.cookies[COOKIE_NAME_JWT_TOKEN] = token_of("mei", "user")
    answer = give_up(client, doubt, token)
    assert answer.status_code == 400
    assert "Load it again" in answer.json()["message"]


def test_a_form_is_bounded(app: FastAPI) -> None:
    client = somebody(app, "user")
    assert client.post("/doubts/settle", content=b"x" * 70_000).status_code == 413


def test_without_a_script_a_decision_is_answered_with_a_page(app: FastAPI, doubt: int) -> None:
    client = somebody(app, "user")
    form = {"submission": str(doubt), "how": "give_up", "token": token_on(client)}
    answer = client.post("/doubts/settle", data=form)
    assert answer.status_code == 200
    assert "1 look is given up." in answer.text
    answer = client.post("/doubts/settle", data=form)
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.text
    assert "somebody was faster" in answer.text


def test_pages_load_nothing_from_elsewhere_and_stand_in_no_frame_of_others(app: FastAPI) -> None:
    policy = somebody(app, "viewer").get("/today").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'self'" in policy
