"""The app behind the entry "Try-on" of Airflow's navigation: its addresses, and who may ask for each."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse

from tryon_catalogue.budget.spend import By
from tryon_catalogue.desk.access import AForm, AVisitor, MayDecide, MayRead
from tryon_catalogue.desk.decisions import accept_all, decide, read_next, take_back
from tryon_catalogue.desk.doubts import read_doubts, resume, settle
from tryon_catalogue.desk.garments import GarmentSearch, read_garment, read_garments, retry_look
from tryon_catalogue.desk.money import bill, read_money
from tryon_catalogue.desk.pictures import (
    Kind,
    NoPictureError,
    PictureOf,
    Size,
    file_name,
    media_type,
    read_picture,
)
from tryon_catalogue.desk.rejected import Search, read_rejected, read_rejected_picture, studio_list
from tryon_catalogue.desk.rendering import STATIC, static
from tryon_catalogue.desk.review import Filters, read_fragment, read_review
from tryon_catalogue.desk.serving import HEADERS, Desk, base_of, refuse
from tryon_catalogue.desk.today import read_today

if TYPE_CHECKING:
    from collections.abc import Callable

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


def search_of(
    rule: Annotated[str, _WORDS] = "",
    text: Annotated[str, _WORDS] = "",
    run: Annotated[str, _WORDS] = "",
    before: Annotated[int, Query(ge=0, lt=2**62)] = 0,
) -> Search:
    """Read what is looked for among the rejected rows from an address."""
    return Search(rule, text.strip(), run, before)


ASearch = Annotated[Search, Depends(search_of)]
AFilter = Annotated[Filters, Depends(filters_of)]


def picture_of(
    key: LookKey, kind: Kind, number: Annotated[int, Path(ge=0, lt=MOST_PICTURES)], size: Size
) -> PictureOf:
    """Read which picture is asked for from an address."""
    return PictureOf(key, kind, number, size)


APicture = Annotated[PictureOf, Depends(picture_of)]


def create_app() -> FastAPI:
    """Return the app; Airflow mounts it below ``tryon_catalogue.desk.desk_plugin.DESK_PATH``."""
    # No documentation pages: they would be served without asking who reads them.
    app = FastAPI(title="Try-on", docs_url=None, redoc_url=None, openapi_url=None)
    desk = Desk()
    # Whatever is asked for, the right to read comes first.
    routes = APIRouter(dependencies=[MayRead])
    _add_general(routes, desk)
    _add_review(routes, desk)
    _add_garments(routes, desk)
    _add_rejected(routes, desk)
    _add_doubts(routes, desk)
    _add_money(routes, desk)
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
        asked: APicture,
        v: Annotated[str, Query(pattern=r"^[0-9a-f]{0,64}$")] = "",
    ) -> Response:
        read = _or_404(partial(read_picture, asked=asked))
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

    @routes.post("/review/next")
    async def coming(request: Request, visitor: AVisitor, form: AForm) -> Response:
        return await desk.decide(request, visitor, "review", lambda shop: read_next(shop, visitor, form))

    @routes.post("/review/decide", dependencies=[MayDecide])
    async def decide_look(request: Request, visitor: AVisitor, form: AForm) -> Response:
        return await desk.decide(request, visitor, "review", lambda shop: decide(shop, visitor, form))

    @routes.post("/review/undo", dependencies=[MayDecide])
    async def undo_last(request: Request, visitor: AVisitor, form: AForm) -> Response:
        return await desk.decide(request, visitor, "review", lambda shop: take_back(shop, visitor))

    @routes.post("/review/accept-all", dependencies=[MayDecide])
    async def accept_looks(request: Request, visitor: AVisitor, form: AForm) -> Response:
        return await desk.decide(request, visitor, "review", lambda shop: accept_all(shop, visitor, form))


def _add_garments(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/garments")
    async def garments(
        request: Request,
        visitor: AVisitor,
        text: Annotated[str, _WORDS] = "",
        collection: Annotated[str, _WORDS] = "",
        after: Annotated[str, _WORDS] = "",
    ) -> Response:
        search = GarmentSearch(text.strip(), collection.strip(), after)
        return await desk.show(request, visitor, "garments", lambda shop: read_garments(shop, search))

    @routes.get("/garment")
    async def garment(request: Request, visitor: AVisitor, sku: Annotated[str, _WORDS]) -> Response:
        return await desk.show(request, visitor, "garment", lambda shop: read_garment(shop, sku))

    @routes.post("/garment/retry", dependencies=[MayDecide])
    async def retry(request: Request, visitor: AVisitor, form: AForm) -> Response:
        return await desk.decide(request, visitor, "garments", lambda shop: retry_look(shop, visitor, form))


def _add_rejected(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/rejected")
    async def rejected(request: Request, visitor: AVisitor, search: ASearch) -> Response:
        return await desk.show(request, visitor, "rejected", lambda shop: read_rejected(shop, search))

    @routes.get("/rejected.csv")
    async def studio(visitor: AVisitor, search: ASearch) -> Response:
        text = await desk.text(lambda shop: studio_list(shop, search), visitor)
        return _file(text, "rejected.csv")

    @routes.get("/rejected/picture/{number}")
    async def picture(visitor: AVisitor, number: Annotated[int, Path(ge=1, lt=2**62)]) -> Response:
        content = await desk.picture(
            ("rejected", number), _or_404(partial(read_rejected_picture, rejection_id=number)), visitor
        )
        return Response(content, headers={**HEADERS, "Cache-Control": _LONG}, media_type="image/jpeg")


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


def _add_money(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/money")
    async def money(request: Request, visitor: AVisitor, by: By = By.DAY) -> Response:
        return await desk.show(request, visitor, "money", lambda shop: read_money(shop, by))

    @routes.get("/money.csv")
    async def lines(visitor: AVisitor) -> Response:
        return _file(await desk.text(bill, visitor), "bill.csv")


def _or_404(read: Callable[[Shop], bytes]) -> Callable[[Shop], bytes]:
    def tried(shop: Shop) -> bytes:
        try:
            return read(shop)
        except NoPictureError:
            raise HTTPException(404) from None

    return tried


def _file(text: str, name: str) -> Response:
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="tryon-{name}"'}
    return Response(text, headers=headers, media_type="text/csv; charset=utf-8")


async def _refuse(request: Request, error: Exception) -> Response:
    return refuse(request, error if isinstance(error, HTTPException) else None)
