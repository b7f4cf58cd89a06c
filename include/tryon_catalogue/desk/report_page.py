"""The report in the Airflow UI: the same page as ``tryon report`` writes, for people who may see that run.

Served by Airflow's API server to people who may read the runs of that DAG, and to nobody else. It reads the ledger
and the archive, and changes nothing. It takes neither a connection nor a path from the address.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final, Literal

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from psycopg.errors import LockNotAvailable, QueryCanceled
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from damo_tryon.serving import RETRY_AFTER, BusyError, PageMaker
from tryon_catalogue.ledger.database import engine_from_connection, with_patience
from tryon_catalogue.looks import LookState
from tryon_catalogue.reporting.report.command import file_name
from tryon_catalogue.reporting.report.facts import Selection
from tryon_catalogue.reporting.report.reading import NoSuchRunError, read_extract, read_report
from tryon_catalogue.reporting.report.rendering import render, render_notice
from tryon_catalogue.reporting.report.thumbnails import Thumbnails, reader_of
from tryon_catalogue.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tryon_catalogue.settings import Settings

log = logging.getLogger(__name__)

_LOCK_SECONDS: Final = 2.0
_STATEMENT_SECONDS: Final = 10.0
_FILE_PATIENCE: Final = 300.0  # seconds that a browser waits for thousands of looks in one file

# What may be loaded the page says itself; who may put it into a frame only a header can say.
_HEADERS: Final = {
    "Content-Security-Policy": "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_MOST_PAGES: Final = 1_000_000
_PLAIN: Final = Query(max_length=200, pattern=r"^[^\x00]*$")
_RETRY: Final = {"Retry-After": str(RETRY_AFTER)}
# For browsers, which take no notice of Retry-After.
_COME_BACK: Final = {**_RETRY, "Refresh": str(RETRY_AFTER)}
_NO_CONNECTION: Final = (
    "The API server finds no connection {}, which [catalogue] conn_id names. Add it to Airflow."
)
_NO_LEDGER: Final = (
    "The ledger behind the connection {} gives no answer, or its tables are missing or of an older release. The API "
    "server's log says which; `tryon init` makes the tables."
)
_LEDGER_BUSY: Final = "The ledger behind the connection {} is busy. Load this page again in a moment."

_REFUSALS: Final = {
    401: "Log in to Airflow in this browser, then open this page again.",
    403: "You may not see the runs of this DAG. Ask whoever manages your Airflow.",
    404: "This run has read no export, or has not yet: the ledger does not know it, so there is nothing to report.",
    422: "The address of this page is incomplete. Open it with the tab of a DAG run.",
}


def create_app() -> FastAPI:
    """Return the app; Airflow mounts it below ``tryon_catalogue.desk.report_plugin.REPORT_PATH``."""
    # No documentation pages: they would be served without asking who reads them.
    app = FastAPI(title="Try-on report", docs_url=None, redoc_url=None, openapi_url=None)
    pages = _Pages()
    app.add_api_route(
        "/run",
        pages.show,
        methods=["GET"],
        response_class=HTMLResponse,
        dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))],
    )
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse)
    return app


class _Pages:
    """Makes the pages; small images are kept from one to the next."""

    def __init__(self) -> None:
        self._thumbnails: Thumbnails | None = None
        self._pages = PageMaker[str]()
        # A whole report keeps a processor busy for seconds, and the API server has other people to serve.
        self._files = PageMaker[str](at_once=1, patience=_FILE_PATIENCE)

    async def show(
        self,
        request: Request,
        *,
        # The pattern is Airflow's own; it also keeps out "~", which the access check reads as "any DAG".
        dag_id: Annotated[str, Query(pattern=r"^[\w.-]+$")],
        run_id: Annotated[str, Query(pattern=r"^[^\x00]+$")],
        page: Annotated[int, Query(ge=1, le=_MOST_PAGES)] = 1,
        rejections: Annotated[int, Query(ge=1, le=_MOST_PAGES)] = 1,
        look: Annotated[str, Query(pattern=r"^[0-9a-f]{0,64}$")] = "",
        state: LookState | Literal[""] = "",
        collection: Annotated[str, _PLAIN] = "",
        model: Annotated[str, _PLAIN] = "",
        text: Annotated[str, _PLAIN] = "",
        download: bool = False,
    ) -> HTMLResponse:
        """Show a page of the report of a run, or give all of it as a file."""
        if request.query_params.getlist("dag_id") != [dag_id]:
            # Two of them: access might be checked for one and the report shown of the other.
            raise HTTPException(422)
        run = f"{dag_id}/{run_id}"
        selection = Selection(page, rejections, look, state, collection, model, text)
        try:
            if download:
                whole = await self._files.page(run, lambda: self._files.in_thread(self._file, run))
                name = {"Content-Disposition": f'attachment; filename="{file_name(run)}"'}
                return HTMLResponse(whole, headers=_HEADERS | name)
            address = {"dag_id": dag_id, "run_id": run_id}
            shown = await self._pages.page(
                (run, selection), lambda: self._pages.in_thread(self._page, run, selection, address)
            )
        except BusyError as busy:
            notice = f"{busy} Nothing is wrong: this page asks again in {RETRY_AFTER} seconds."
            raise HTTPException(503, notice, headers=_COME_BACK) from None
        return HTMLResponse(shown, headers=_HEADERS)

    def _page(self, run: str, selection: Selection, address: Mapping[str, str]) -> str:
        settings = _settings()
        with _ledger(settings, run) as engine:
            report = read_extract(engine, settings.price, run, selection)
        return render(report, self._small(settings), settings.archive, address=address)

    def _file(self, run: str) -> str:
        settings = _settings()
        with _ledger(settings, run) as engine:
            report = read_report(engine, settings.price, run)
        return render(report, self._small(settings), settings.archive)

    def _small(self, settings: Settings) -> Thumbnails:
        self._thumbnails = self._thumbnails or Thumbnails(reader_of(settings.archive))
        return self._thumbnails


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        raise HTTPException(503, f"The settings cannot be read. {error}") from None


@contextmanager
def _ledger(settings: Settings, run: str) -> Iterator[Engine]:
    """Give the ledger for the block; what goes wrong with it there becomes an answer in words."""
    conn_id = settings.catalogue.conn_id
    try:
        yield with_patience(
            engine_from_connection(settings), lock=_LOCK_SECONDS, statement=_STATEMENT_SECONDS
        )
    except NoSuchRunError:
        raise HTTPException(404) from None
    except AirflowNotFoundException:
        raise HTTPException(503, _NO_CONNECTION.format(conn_id)) from None
    except (OperationalError, InterfaceError, ProgrammingError) as error:
        # Its text shows where the database is: that is for the log.
        log.warning("The report of %s cannot be read from the ledger: %s", run, error.orig)
        busy = isinstance(error.orig, LockNotAvailable | QueryCanceled)
        text = (_LEDGER_BUSY if busy else _NO_LEDGER).format(conn_id)
        raise HTTPException(503, text, headers=_RETRY) from None


async def _refuse(_request: Request, error: Exception) -> Response:
    status, details, headers = 422, "", dict(_HEADERS)
    if isinstance(error, HTTPException):
        status, details = error.status_code, str(error.detail)
        headers |= error.headers or {}
    notice = render_notice("No report to show", _REFUSALS.get(status, details))
    return HTMLResponse(notice, status_code=status, headers=headers)
