"""The report in the Airflow UI: the same page as ``tryon report`` writes, for people who may see that run.

Served by Airflow's API server to people who may read the runs of that DAG, and to nobody else. It reads the ledger
and the archive, and changes nothing. It takes neither a connection nor a path from the address.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from threading import BoundedSemaphore
from types import MappingProxyType
from typing import Annotated, Final

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from tryon_catalogue.ledger.database import engine_from_connection
from tryon_catalogue.reporting.report.command import file_name
from tryon_catalogue.reporting.report.reading import NoSuchRunError, read_report
from tryon_catalogue.reporting.report.rendering import render, render_notice
from tryon_catalogue.reporting.report.thumbnails import Thumbnails, reader_of
from tryon_catalogue.settings import SettingsError, load_settings

log = logging.getLogger(__name__)

_PATIENCE: Final = 30.0  # seconds that a reader waits for somebody else's report to be made
_NO_MORE: Final[Mapping[str, str]] = MappingProxyType({})

# What may be loaded the page says itself; who may put it into a frame only a header can say.
_HEADERS: Final = {
    "Content-Security-Policy": "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_NO_CONNECTION: Final = (
    "The API server finds no connection {}, which [catalogue] conn_id names. Add it to Airflow."
)
_NO_LEDGER: Final = (
    "The ledger behind the connection {} gives no answer, or its tables are missing or of an older release. Its log "
    "says which; `tryon init` makes the tables."
)

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
        # A long report keeps a processor busy for seconds, and the API server has other people to serve.
        self._one_at_a_time = BoundedSemaphore()

    # Not async: the ledger and the archive are waited for in a thread, and only there connections can be read.
    def show(
        self,
        request: Request,
        *,
        # The pattern is Airflow's own; it also keeps out "~", which the access check reads as "any DAG".
        dag_id: Annotated[str, Query(pattern=r"^[\w.-]+$")],
        run_id: Annotated[str, Query(pattern=r"^[^\x00]+$")],
        download: bool = False,
    ) -> HTMLResponse:
        """Show the report of a run, or give it as a file."""
        if request.query_params.getlist("dag_id") != [dag_id]:
            # Two of them: access might be checked for one and the report shown of the other.
            raise HTTPException(422)
        run = f"{dag_id}/{run_id}"
        if not self._one_at_a_time.acquire(timeout=_PATIENCE):
            raise HTTPException(503, "Another report is being made just now. Reload the page in a moment.")
        try:
            page = self._page(run, None if download else f"?{request.url.query}&download=1")
        finally:
            self._one_at_a_time.release()
        return _html(
            200,
            page,
            {"Content-Disposition": f'attachment; filename="{file_name(run)}"'} if download else _NO_MORE,
        )

    def _page(self, run: str, download_link: str | None) -> str:
        try:
            settings = load_settings()
            report = read_report(engine_from_connection(settings), settings.price, run)
        except NoSuchRunError:
            raise HTTPException(404) from None
        except SettingsError as error:
            raise HTTPException(503, f"The settings cannot be read. {error}") from None
        except AirflowNotFoundException:
            raise HTTPException(503, _NO_CONNECTION.format(settings.catalogue.conn_id)) from None
        except (OperationalError, InterfaceError, ProgrammingError) as error:
            # Its text shows where the database is: that is for the log.
            log.warning("The report of %s cannot be read from the ledger: %s", run, error.orig)
            raise HTTPException(503, _NO_LEDGER.format(settings.catalogue.conn_id)) from None
        self._thumbnails = self._thumbnails or Thumbnails(reader_of(settings.archive))
        return render(report, self._thumbnails, settings.archive, download_link=download_link)


async def _refuse(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 422
    details = str(error.detail) if isinstance(error, HTTPException) else ""
    return _html(status, render_notice("No report to show", _REFUSALS.get(status, details)))


def _html(status: int, page: str, headers: Mapping[str, str] = _NO_MORE) -> HTMLResponse:
    return HTMLResponse(page, status_code=status, headers={**_HEADERS, **headers})
