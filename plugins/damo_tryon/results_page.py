"""One page that shows what came of a submit task: each look, its status and its pictures, as of now.

Served by Airflow's API server to people who may read the XComs of that DAG, and to nobody else. It reads the
note that the task has left, asks the vendor, and changes nothing. It runs no script, and keeps a page for a few
seconds only. Neither an address nor an XCom that somebody else wrote can name keys or a connection to it: see
``damo_tryon.results_note``.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlencode

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader
from sqlalchemy import select

from damo_tryon.contract import SubTask, SubTaskStatus, url_problem
from damo_tryon.errors import TryOnError
from damo_tryon.hooks import DamoTryOnHook
from damo_tryon.names import XCOM_RESULTS
from damo_tryon.results_note import Place, ResultsNote
from damo_tryon.serving import RETRY_AFTER, BusyError, PageMaker

log = logging.getLogger(__name__)

PAGE_SIZE: Final = 20
"""Submissions shown on one page: each is one query to the vendor."""
PATIENCE: Final = 20.0
"""Seconds a reader waits for the vendor at most; what has not been answered by then says so."""
_QUERIES_AT_ONCE: Final = 5

_TEMPLATES: Final = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
# Of the style as the page includes it: the browser takes no other.
_STYLE: Final = _TEMPLATES.get_template("results_page.css").render()
_STYLE_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

# Pictures come from whatever host the vendor or the shop uses; nothing else is loaded from anywhere.
_HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; img-src http: https: data:; style-src 'sha256-{_STYLE_DIGEST}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_NO_PICTURE: Final = {
    SubTaskStatus.WAITING: "Waiting to be made.",
    SubTaskStatus.RUNNING: "Being made.",
    SubTaskStatus.SUCCESS: "Made, but the vendor gave no link.",
    SubTaskStatus.FAILED: "The vendor could not make it, and gives no reason.",
}

_REFUSALS: Final = {
    401: "Log in to Airflow in this browser, then open this page again.",
    403: "You may not see the results of this DAG. Ask whoever manages your Airflow for its XComs.",
    404: "There are no result keys for this task: it has not finished, nothing was accepted, or it was cleared.",
    422: "The address of this page is incomplete. Open it with the Results button of a submit task.",
}
_NOT_BELIEVED: Final = (
    "The page cannot tell that this task itself wrote down its result keys, so it asks the vendor for none of them. "
    "Either the connection that the task used has another secret by now or is gone, or somebody has changed the task's "
    f"XCom “{XCOM_RESULTS}”. Clear the task if that is to be put right: what is paid for is not sent again."
)
# The second is for browsers, which take no notice of the first.
_COME_BACK: Final = {"Retry-After": str(RETRY_AFTER), "Refresh": str(RETRY_AFTER)}


@dataclass(frozen=True, slots=True)
class Picture:
    """An image on the page.

    Attributes:
        label: What it shows.
        url: Where it is.
        shown: Whether it may be loaded and linked: http and https only.
    """

    label: str
    url: str
    shown: bool

    @classmethod
    def of(cls, label: str, url: str) -> Picture:
        """Make one; a URL that is not plain http or https becomes mere text."""
        return cls(label, url, shown=url_problem(url) is None)


@dataclass(frozen=True, slots=True)
class ShownSubTask:
    """A sub-task on the page: its status, its inputs, its pictures, and a text where there are none."""

    status: str
    given: tuple[Picture, ...]
    made: tuple[Picture, ...]
    text: str

    @classmethod
    def of(cls, sub_task: SubTask) -> ShownSubTask:
        """Read one from the vendor's answer."""
        named = {"model": sub_task.model_image, "tops": sub_task.tops_image, "pants": sub_task.pants_image}
        return cls(
            status=str(sub_task.status),
            given=tuple(Picture.of(label, url) for label, url in named.items() if url),
            made=tuple(
                Picture.of(f"picture {number}", url) for number, url in enumerate(sub_task.results, start=1)
            ),
            text=_NO_PICTURE[sub_task.status],
        )


@dataclass(frozen=True, slots=True)
class ShownSubmission:
    """A submission on the page: its sub-tasks, or the problem that kept us from seeing them."""

    result_key: str
    sub_tasks: tuple[ShownSubTask, ...] = ()
    problem: str = ""


_MOST_MAP_INDEX = 2**31 - 1  # of Airflow's column


def create_app() -> FastAPI:
    """Return the app; Airflow mounts it below ``damo_tryon.names.RESULTS_PATH``."""
    # No documentation pages: they would be served without asking who reads them.
    app = FastAPI(title="Try-on results", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route(
        "/results",
        _Pages().show,
        methods=["GET"],
        response_class=HTMLResponse,
        dependencies=[Depends(_refuse_nul), Depends(requires_access_dag("GET", DagAccessEntity.XCOM))],
    )
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse)
    return app


async def _refuse_nul(request: Request) -> None:
    """Refuse what no database takes, before whatever asks one."""
    if any("\0" in value for value in request.query_params.values()):
        raise HTTPException(404)


class _Pages:
    """Makes the pages; each asks the vendor once, however many ask for it at the same time."""

    def __init__(self) -> None:
        # More patient than what each page has for the vendor, so that a page says which answers are missing.
        self._maker = PageMaker[str](patience=PATIENCE + 10)

    async def show(
        self,
        request: Request,
        *,
        # The pattern is Airflow's own; it also keeps out "~", which the access check reads as "any DAG".
        dag_id: Annotated[str, Query(pattern=r"^[\w.-]+$")],
        run_id: Annotated[str, Query(min_length=1)],
        task_id: Annotated[str, Query(min_length=1)],
        map_index: Annotated[int, Query(ge=-1, le=_MOST_MAP_INDEX)] = -1,
        page: Annotated[int, Query(ge=1)] = 1,
    ) -> HTMLResponse:
        """Show one page of a task instance's submissions, asked of the vendor while the reader waits."""
        if request.query_params.getlist("dag_id") != [dag_id]:
            # Two of them: access might be checked for one and the results shown of the other.
            raise HTTPException(422)
        place = Place(dag_id, run_id, task_id, map_index)
        try:
            body = await self._maker.page((place, page), lambda: self._make(place, page))
        except BusyError as busy:
            text = f"{busy} Nothing is wrong: this page asks again in {RETRY_AFTER} seconds."
            raise HTTPException(503, text, headers=_COME_BACK) from None
        return HTMLResponse(body, headers=_HEADERS)

    async def _make(self, place: Place, page: int) -> str:
        note = await self._maker.in_thread(read_note, place)
        if note is None:
            raise HTTPException(404)
        hook = DamoTryOnHook(note.conn_id)
        try:
            # In a thread, and before the first query: in the API server connections can be read only that way.
            believed = await self._maker.in_thread(note.holds, place, hook)
        except (
            Exception
        ):  # whatever a backend of secrets raises: its words would tell which connections there are
            log.exception("The connection of %s cannot be used for the page of its results", place)
            believed = False
        if not believed:
            raise HTTPException(409, _NOT_BELIEVED)
        result_keys = note.result_keys
        pages = -(-len(result_keys) // PAGE_SIZE)
        page = min(page, pages)
        shown = await self._ask(hook, result_keys[(page - 1) * PAGE_SIZE : page * PAGE_SIZE])
        totals = Counter(sub_task.status for submission in shown for sub_task in submission.sub_tasks)
        return _render(
            title="Try-on results",
            place=place,
            submissions=shown,
            totals={str(status): totals[status] for status in SubTaskStatus},
            total_keys=len(result_keys),
            page=page,
            pages=pages,
            links={"previous": _link(place, page - 1), "next": _link(place, page + 1)},
        )

    async def _ask(self, hook: DamoTryOnHook, result_keys: Sequence[str]) -> list[ShownSubmission]:
        places = asyncio.Semaphore(_QUERIES_AT_ONCE)
        deadline = asyncio.get_running_loop().time() + PATIENCE

        async def ask(result_key: str) -> ShownSubmission:
            try:
                async with asyncio.timeout_at(deadline), places:
                    answer = await hook.async_query(result_key)
            except TimeoutError:
                return ShownSubmission(
                    result_key, problem="The vendor took too long to answer. Reload the page."
                )
            except TryOnError as error:
                return ShownSubmission(result_key, problem=str(error))
            return ShownSubmission(
                result_key, tuple(ShownSubTask.of(sub_task) for sub_task in answer.sub_tasks)
            )

        return list(await asyncio.gather(*map(ask, result_keys)))


def read_note(place: Place) -> ResultsNote | None:
    """Read the note that a task has left; None where there is none, or one without keys."""
    # The value as stored: text and lists of it need no decoding, and so nothing is built from what a table holds.
    query = select(XComModel.value).where(
        XComModel.dag_id == place.dag_id,
        XComModel.run_id == place.run_id,
        XComModel.task_id == place.task_id,
        XComModel.map_index == place.map_index,
        XComModel.key == XCOM_RESULTS,
    )
    with create_session() as session:
        note = ResultsNote.read(session.scalar(query))
    return note if note is not None and note.result_keys else None


def _link(place: Place, page: int) -> str:
    return "?" + urlencode({**asdict(place), "page": page})


async def _refuse(_request: Request, error: Exception) -> Response:
    status, details, headers = 422, "", dict(_HEADERS)
    if isinstance(error, HTTPException):
        status, details = error.status_code, str(error.detail)
        headers |= error.headers or {}
    notice = _render(title="No results to show", notice=_REFUSALS.get(status, details))
    return HTMLResponse(notice, status_code=status, headers=headers)


def _render(**values: object) -> str:
    return _TEMPLATES.get_template("results_page.html").render(values)
