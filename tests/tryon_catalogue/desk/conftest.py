"""What tests of the pages share: Airflow's own tables, the running desk, and a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow import settings as airflow_settings
from airflow.models import import_all_models
from airflow.models.base import Base

from tests.guards import GUARD
from tests.tryon_catalogue.desk.serving import CHROMIUM, FLAGS, Served, needs_a_browser, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def airflow_tables(postgres: Any, request: pytest.FixtureRequest) -> Iterator[None]:
    """Airflow's tables, empty, in a database of their own; Airflow's ORM points there meanwhile."""
    name = f"airflow_of_{request.module.__name__.rpartition('.')[2]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", postgres.create_database(name))
        patch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "a-secret-made-up-for-these-tests-" * 2)
        patch.setenv("AIRFLOW__API__SECRET_KEY", "another-secret-made-up-for-these-tests")
        airflow_settings.dispose_orm(do_log=False)
        airflow_settings.configure_vars()
        airflow_settings.configure_orm()
        import_all_models()
        Base.metadata.create_all(airflow_settings.engine)
        yield
        airflow_settings.dispose_orm(do_log=False)
    airflow_settings.configure_vars()
    airflow_settings.configure_orm()


@pytest.fixture(scope="module")
def running_desk(airflow_tables: None) -> Iterator[Served]:
    """The desk, served as Airflow serves it."""
    with serve() as served:
        yield served


@pytest.fixture
def desk(
    running_desk: Served, settings_file: Path, catalogue_connection: str, monkeypatch: pytest.MonkeyPatch
) -> Served:
    """The desk over the ledger of this test."""
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    return running_desk


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser. Its tests are not asynchronous: it has an event loop of its own."""
    needs_a_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, desk: Served) -> Iterator[Open]:
    """Open a page of the desk as somebody: ``open_page("review", name="mei", role="user", width=1400)``."""
    contexts = []

    def open_as(
        path: str = "today", *, name: str = "mei", role: str | None = "user", width: int = 1400, **more: Any
    ) -> Page:
        options = {
            "locale": "en-GB",
            "timezone_id": "UTC",
            "viewport": {"width": width, "height": 900},
        } | more
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(GUARD * 1000)
        context.add_cookies([desk.cookie(name, role)])  # type: ignore[list-item]  # plain words of a cookie
        page = context.new_page()
        page.goto(f"{desk.url}/{path}")
        return page

    yield open_as
    for context in contexts:
        context.close()
