"""The sandbox's HTTP application: its routes and its OpenAPI description.

The control endpoints under `/_sandbox/` need no credentials: the sandbox is a tool for one machine and
listens on the loopback address unless told otherwise.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from tryon_sandbox.codes import VENDOR_MEANINGS, GatewayRefusal, VendorCode, VendorRefusal
from tryon_sandbox.connection import SeveredResponse
from tryon_sandbox.fault_list import FaultsError, read_faults
from tryon_sandbox.faults import FAULT_LIST, Fault
from tryon_sandbox.sandbox import Sandbox
from tryon_sandbox.service import Service, refused
from tryon_sandbox.wire import (
    API_PARAMETERS,
    QUERY_BODY,
    SECURITY_SCHEMES,
    SUBMIT_BODY,
    ChargesReport,
    FaultProblem,
    FaultsRefusal,
    RefusalAnswer,
    SuccessAnswer,
)

_API = "/api/"
SUBMIT_PATH = "/api/v1/tryon/submit"
QUERY_PATH = "/api/v1/tryon/query"
_SERVICE_PATH = "/api/v1/tryon/{service}"
_RESULT_PATH = "/_results/{token}/{number}.jpg"

_GATEWAY_STATUSES = {413: "The body is too large.", 429: "Throttled by the gateway."}


def create_app(sandbox: Sandbox) -> FastAPI:
    """The application of a sandbox. It closes its own threads at shutdown, but not the sandbox."""
    service = Service(sandbox)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="Try-on sandbox",
        version="1",
        description="A stand-in of the vendor's virtual try-on API. It recognises nobody.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    _add_api(app, service)
    _add_control(app, sandbox)

    @app.exception_handler(HTTPException)
    async def no_such_api(_request: Request, _error: HTTPException) -> Response:
        # A path or a method without a route is an API the gateway does not know.
        return refused(GatewayRefusal("I404NF"))

    @app.exception_handler(ClientDisconnect)
    async def nobody_there(_request: Request, _error: ClientDisconnect) -> Response:
        return SeveredResponse(reset=False)

    @app.exception_handler(Exception)
    async def broken(request: Request, _error: Exception) -> Response:
        # What the sandbox itself does wrong looks like the vendor's own trouble; the server logs the traceback.
        within_api = request.scope["path"].startswith(_API)
        return refused(VendorRefusal(VendorCode.INTERNAL_ERROR) if within_api else GatewayRefusal("X500ER"))

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            schema["components"]["securitySchemes"] = SECURITY_SCHEMES
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend its description
    return app


def _add_api(app: FastAPI, service: Service) -> None:
    api: dict[str, Any] = {"responses": _documented_responses(), "tags": ["api"], "response_model": None}
    security: list[dict[str, list[str]]] = [{name: []} for name in SECURITY_SCHEMES]

    def described(body: dict[str, Any]) -> dict[str, Any]:
        return {"requestBody": body, "parameters": API_PARAMETERS, "security": security}

    @app.post(SUBMIT_PATH, summary="Submit looks", openapi_extra=described(SUBMIT_BODY), **api)
    async def submit(request: Request) -> Response:
        return await service.submit(request)

    @app.post(QUERY_PATH, summary="Ask how a submission stands", openapi_extra=described(QUERY_BODY), **api)
    async def query(request: Request) -> Response:
        return await service.query(request)

    @app.post(_SERVICE_PATH, include_in_schema=False)
    async def unknown_service(request: Request, service_name: str = "") -> Response:
        return await service.unknown_service(request, request.path_params["service"])

    @app.head(_RESULT_PATH, include_in_schema=False)
    @app.get(
        _RESULT_PATH,
        summary="A result picture",
        tags=["results"],
        response_class=Response,
        responses={
            200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
            403: {
                "description": "The link has expired, or was never given out.",
                "content": {"application/xml": {"schema": {"type": "string"}}},
            },
            404: {"description": "No picture can have such a number, or its file is gone."},
        },
    )
    async def result(token: str, number: str) -> Response:
        if not (number.isascii() and number.isdigit() and len(number) < 3):
            return refused(GatewayRefusal("I404NF"))
        return await service.picture(token, int(number))


def _add_control(app: FastAPI, sandbox: Sandbox) -> None:
    @app.get("/_sandbox/charges", summary="What was accepted and charged", tags=["control"])
    def charges() -> ChargesReport:
        return sandbox.charges()

    @app.get("/_sandbox/faults", summary="The faults still to come", tags=["control"])
    def faults() -> list[Fault]:
        return sandbox.plan.left()

    @app.put(
        "/_sandbox/faults",
        summary="Replace the faults",
        tags=["control"],
        response_model=list[Fault],
        responses={422: {"model": FaultsRefusal, "description": "It is no list of faults: where, and why."}},
        openapi_extra={"requestBody": _faults_body()},
    )
    async def replace_faults(request: Request) -> Any:
        try:
            sandbox.plan.replace(read_faults(await request.body()))
        except FaultsError as error:
            problems = [FaultProblem(where=where, msg=problem) for where, problem in error.problems]
            return Response(
                FaultsRefusal(detail=problems).model_dump_json(), 422, media_type="application/json"
            )
        return sandbox.plan.left()


def _faults_body() -> dict[str, Any]:
    """The list is read by the sandbox itself, whatever Content-Type it comes with."""
    schema = FAULT_LIST.json_schema(ref_template="#/components/schemas/{model}")
    del schema["$defs"]  # the description of the answer brings them along
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _documented_responses() -> dict[int | str, dict[str, Any]]:
    """200 and every status an error can have. The gateway's errors have an empty body under the same ones."""
    reasons: dict[int, list[str]] = {}
    for code, meaning in VENDOR_MEANINGS.items():
        reasons.setdefault(meaning.status, []).append(f"{int(code)} {meaning.message}")
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": RefusalAnswer, "description": " / ".join(reasons[status])}
        for status in sorted(reasons)
    }
    responses[200] = {"model": SuccessAnswer, "description": "It went well."}
    responses |= {status: {"description": text} for status, text in _GATEWAY_STATUSES.items()}
    return responses
