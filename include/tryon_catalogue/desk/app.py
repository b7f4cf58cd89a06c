"""The app behind the entry "Try-on" of Airflow's navigation: its addresses, and who may ask for each."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse

from tryon_catalogue.desk.access import AForm, AVisitor, MayDecide, MayRead
from tryon_catalogue.desk.doubts import read_doubts, resume, settle
from tryon_catalogue.desk.pictures import (
    Kind,
    NoPictureError,
    PictureOf,
    Size,
    file_name,
    media_type,
    read_picture,
)
from tryon_catalogue.desk.rendering import STATIC, static
from tryon_catalogue.desk.review import Filters, read_fragment, read_review
from tryon_catalogue.desk.serving import HEADERS, Desk, base_of, refuse
from tryon_catalogue.desk.today import read_today

if TYPE_CHECKING:
    from tryon_catalogue.desk.review import Filters, read_fragment, read_review
from tryon_catalogue.desk.serving import Shop

MOST_PICTURES: Final = 100
"""Pictures that a look may have, for an address; the vendor makes four at most."""
LookKey = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
_KEY: Final = Query(pattern=r"^([0-9a-f]{64})?$")
_WORDS: Final = Query(max_length=300, pattern=r"^[^\x00]*$")
_LONG: Final = "private, max-age=604800, immutable"
_ASK_AGAIN: Final = "private, no-cache"


def filters_of(
    check: Annotated[str, Query(pattern=r"^[a-z_]{0,40}$")] = "",
    collection: Annotated[str, _WORDS] = "",
    model: Annotated[str, _WORDS] = "",
    run: Annotated[str, _WORDS] = "",
) -> Filters:
    """Read the filters of Review from an address."""
    return Filters(check, collection, model, run)


AFilter = Annotated[Filters, Depends(filters_of)]


def create_app() -> FastAPI:
    """Return the app; Airflow mounts it below ``tryon_catalogue.desk.desk_plugin.DESK_PATH``."""
    # No documentation pages: they would be served without asking who reads them.
    app = FastAPI(title="Try-on", docs_url=None, redoc_url=None, openapi_url=None)
    desk = Desk()
    # Whatever is asked for, the right to read comes first.
    routes = APIRouter(dependencies=[MayRead])
    _add_general(routes, desk)
    _add_review(routes, desk)
    _add_doubts(routes, desk)
    app.include_router(routes)
    app.add_exception_handler(HTTPException, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse)
    return app


def _add_general(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/")
    async def start(request: Request) -> Response:
        return RedirectResponse(f"{base_of(request)}/today", 303)

    @routes.get("/today")
    async def today(request: Request, visitor: AVisitor) -> Response:
        return await desk.show(request, visitor, "today", read_today)

    @routes.get("/static/{name}")
    async def file(name: str) -> Response:
        if name not in STATIC:
            raise HTTPException(404)
        headers = {**HEADERS, "Cache-Control": _LONG}
        return Response(static(name), headers=headers, media_type=STATIC[name])

    @routes.get("/picture/{key}/{kind}/{number}/{size}")
    async def picture(
        request: Request,
        visitor: AVisitor,
        key: LookKey,
        kind: Kind,
        number: Annotated[int, Path(ge=0, lt=MOST_PICTURES)],
        size: Size,
        v: Annotated[str, Query(pattern=r"^[0-9a-f]{0,64}$")] = "",
    ) -> Response:
        asked = PictureOf(key, kind, number, size)

        def read(shop: Shop) -> bytes:
            try:
                return read_picture(shop, asked)
            except NoPictureError:
                raise HTTPException(404) from None

        content = await desk.picture((asked, v), read, visitor)
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        # An address that names the picture's digest will never give another one.
        headers = {**HEADERS, "ETag": tag, "Cache-Control": _LONG if v else _ASK_AGAIN, "Vary": "Cookie"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        headers["Content-Disposition"] = f'inline; filename="{file_name(asked, content)}"'
        return Response(content, headers=headers, media_type=media_type(content))


def _add_review(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/review")
    async def review(
        request: Request, visitor: AVisitor, filters: AFilter, look: Annotated[str, _KEY] = ""
    ) -> Response:
        return await desk.show(
            request, visitor, "review", lambda shop: read_review(shop, visitor, filters, look)
        )

    @routes.get("/review/look/{key}")
    async def fragment(request: Request, visitor: AVisitor, key: LookKey) -> Response:
        return await desk.show(request, visitor, "look", lambda shop: read_fragment(shop, key))


def _add_doubts(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/doubts")
    async def doubts(request: Request, visitor: AVisitor) -> Response:
        return await desk.show(request, visitor, "doubts", read_doubts)

    @routes.post("/doubts/settle", dependencies=[MayDecide])
    async def settle_doubt(request: Request, visitor: AVisitor, form: AForm) -> Response:
        return await desk.decide(request, visitor, "doubts", lambda shop: settle(shop, visitor, form))

    @routes.post("/doubts/resume", dependencies=[MayDecide])
    async def resume_sending(request: Request, visitor: AVisitor, form: AForm) -> Response:
        return await desk.decide(request, visitor, "doubts", lambda shop: resume(shop, visitor, form))


async def _refuse(request: Request, error: Exception) -> Response:
    return refuse(request, error if isinstance(error, HTTPException) else None)
