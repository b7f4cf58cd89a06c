"""Serves the pages of the desk: makes them in threads of their own, and says in words what goes wrong.

Nothing here holds up what Airflow's API server does for others; see `damo_tryon.serving`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk.exceptions import AirflowNotFoundException
from fastapi import HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from psycopg.errors import LockNotAvailable, QueryCanceled
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError

from damo_tryon.serving import RETRY_AFTER, BusyError, PageMaker
from tryon_catalogue.desk.access import Visitor
from tryon_catalogue.desk.language import Speech, language_of
from tryon_catalogue.desk.rendering import render
from tryon_catalogue.ledger.database import engine_from_connection, with_patience
from tryon_catalogue.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tryon_catalogue.settings import Settings

log = logging.getLogger(__name__)

_LOCK_SECONDS: Final = 2.0
_STATEMENT_SECONDS: Final = 10.0
_RETRY: Final = {"Retry-After": str(RETRY_AFTER)}
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    # One address, two languages: nothing between us and the reader may take the one for the other.
    "Vary": "Accept-Language, Cookie",
}


class Refusal(Exception):  # noqa: N818  # it is an answer, as the pages call it
    """A decision cannot be taken like that; nothing was changed. Its text is for the person.

    Args:
        conflict: Whether somebody was faster.
    """

    def __init__(self, message: str, *, conflict: bool = False) -> None:
        super().__init__(message)
        self.conflict = conflict


@dataclass(frozen=True, slots=True)
class Shop:
    """What pages are made from: the settings and the ledger."""

    settings: Settings
    engine: Engine


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a decision.

    Attributes:
        message: For the person.
        facts: Further, for the script of the page.
    """

    message: str
    facts: Mapping[str, object] | None = None


class Desk:
    """Makes pages, takes decisions and reads pictures, a bounded number of each at once."""

    def __init__(self) -> None:
        # Nothing is kept: whoever has decided something sees it on the next page.
        self._pages = PageMaker[str](at_once=12, readers=48, fresh=0)
        self._decisions = PageMaker[str](at_once=6, readers=24, fresh=0)
        # A browser asks for six at once, and loads five looks ahead.
        self._pictures = PageMaker[bytes](at_once=16, readers=96, fresh=30)

    async def show(
        self, request: Request, visitor: Visitor, page: str, read: Callable[[Shop], Mapping[str, Any]]
    ) -> HTMLResponse:
        """Show a page.

        Args:
            page: Name of its template, without the ending.
            read: Gives what the template shows; in a thread of the desk's.
        """

        def make() -> str:
            with a_shop() as shop:
                values = read(shop)
            return render(page, visitor, base_of(request), values)

        key = (visitor, request.url.path, request.url.query)
        with _busy(visitor):
            return HTMLResponse(
                await self._pages.page(key, lambda: self._pages.in_thread(make)), headers=HEADERS
            )

    async def text(self, read: Callable[[Shop], str], visitor: Visitor) -> str:
        """Make a text that is no page, such as a file for a spreadsheet."""

        def make() -> str:
            with a_shop() as shop:
                return read(shop)

        with _busy(visitor):
            return await self._pages.page(object(), lambda: self._pages.in_thread(make))

    async def picture(self, key: object, read: Callable[[Shop], bytes], visitor: Visitor) -> bytes:
        """Read a picture.

        Args:
            key: What it depends on.
        """

        def make() -> bytes:
            with a_shop() as shop:
                return read(shop)

        with _busy(visitor):
            return await self._pictures.page(("picture", key), lambda: self._pictures.in_thread(make))

    async def decide(
        self, request: Request, visitor: Visitor, back: str, decide: Callable[[Shop], Outcome]
    ) -> Response:
        """Take a decision, and say what came of it: as a page, or as JSON to a script that asks for it.

        Args:
            back: The page that a person goes on with, below the app.
            decide: Takes it, in a thread of the desk's. What it raises as `Refusal` is told to the person.
        """

        def make() -> str:
            with a_shop() as shop:
                try:
                    outcome = decide(shop)
                except Refusal as refusal:
                    return json.dumps(
                        {"ok": False, "conflict": refusal.conflict, "message": str(refusal)},
                        ensure_ascii=False,
                    )
            return json.dumps(
                {**(outcome.facts or {}), "ok": True, "message": outcome.message}, ensure_ascii=False
            )

        with _busy(visitor):
            told = await self._decisions.page(object(), lambda: self._decisions.in_thread(make))
        answer = json.loads(told)
        status = 200 if answer["ok"] else 409
        if _wants_json(request):
            return Response(told, status, HEADERS, media_type="application/json")
        page = render(
            "notice",
            visitor,
            base_of(request),
            {"heading": "done" if answer["ok"] else "not_done", "message": answer["message"], "back": back},
        )
        return HTMLResponse(page, status, headers=HEADERS)


def base_of(request: Request) -> str:
    """Give the path below which the app is served."""
    return str(request.scope.get("root_path", "")).rstrip("/")


@contextmanager
def a_shop() -> Iterator[Shop]:
    """Give settings and ledger for the block; what goes wrong with them there becomes an answer in words."""
    try:
        settings = load_settings()
    except SettingsError as error:
        raise HTTPException(503, f"settings:{error}") from None
    conn_id = settings.catalogue.conn_id
    try:
        engine = engine_from_connection(settings)
        yield Shop(settings, with_patience(engine, lock=_LOCK_SECONDS, statement=_STATEMENT_SECONDS))
    except AirflowNotFoundException:
        raise HTTPException(503, f"no_connection:{conn_id}") from None
    except (OperationalError, InterfaceError, ProgrammingError) as error:
        # Its text shows where the database is: that is for the log.
        log.warning("The desk cannot read the ledger: %s", error.orig)
        busy = isinstance(error.orig, LockNotAvailable | QueryCanceled)
        raise HTTPException(
            503, f"{'ledger_busy' if busy else 'no_ledger'}:{conn_id}", headers=_RETRY
        ) from None


@contextmanager
def _busy(visitor: Visitor) -> Iterator[None]:
    try:
        yield
    except BusyError:
        raise HTTPException(503, "busy:", headers=_RETRY) from None


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def refuse(request: Request, error: HTTPException | None) -> Response:
    """Say in words why somebody gets no page.

    Args:
        error: What was refused; None for an address that means nothing.
    """
    status = error.status_code if error else 422
    speech = Speech(language_of(request.headers.get("accept-language", "")))
    kind, _, detail = str(error.detail if error else "").partition(":")
    name = {401: "refused_401", 404: "refused_404", 422: "refused_422"}.get(status, f"refused_{kind}")
    if status == 403 and kind != "site":
        name = "refused_changing" if request.method == "POST" else "refused_reading"
    message = speech(name, detail=detail) if name in _refusals() else str(error.detail if error else "")
    headers = {**HEADERS, **((error.headers or {}) if error else {})}
    if _wants_json(request):
        return Response(
            json.dumps({"ok": False, "message": message}, ensure_ascii=False),
            status,
            headers,
            media_type="application/json",
        )
    visitor = Visitor("", may_decide=False, language=speech.language, token="")
    page = render("notice", visitor, base_of(request), {"heading": "no_page", "message": message, "back": ""})
    return HTMLResponse(page, status, headers=headers)


def _refusals() -> Mapping[str, tuple[str, str]]:
    from tryon_catalogue.desk.language import WORDS

    return WORDS
