"""The order in which a call is served: gateway, faults, rates, work, faults again, answer.

Turns the refusals of every layer into what they look like on the wire. The rules themselves are elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tryon_sandbox.calls import Endpoint, Stage
from tryon_sandbox.codes import VENDOR_MEANINGS, GatewayRefusal, VendorCode, VendorRefusal
from tryon_sandbox.faults import BaseFault
from tryon_sandbox.gateway import MAX_BODY_BYTES, GatewayRequest
from tryon_sandbox.jobs import LinkExpiredError, LinkUnknownError, Status
from tryon_sandbox.sandbox import Sandbox
from tryon_sandbox.spoiling import Sitting
from tryon_sandbox.state import Job
from tryon_sandbox.wire import AnswerData, SubTaskAnswer

_SUBMITTERS = 200
"""Most of them only wait for pictures: so many, that some dead servers of pictures leave room for other submissions."""
_ANSWERERS = 8
"""For what is answered from memory: no submission, however long it takes, holds that up."""
_SERVICE_NAME = re.compile("[a-zA-Z][a-zA-Z0-9_-]*")
_HOST = re.compile(r"[A-Za-z0-9._\-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")
_NOT_FOR_A_HEADER = re.compile(r"[^\x20-\x7e]")
_STORAGE_ERROR = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>{code}</Code>\n  <Message>{message}</Message>\n'
    "  <RequestId>{request_id}</RequestId>\n  <HostId>sandbox</HostId>\n</Error>\n"
)


class Service:
    """Serves one sandbox's calls."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._submitters = ThreadPoolExecutor(_SUBMITTERS, thread_name_prefix="sandbox-submit")
        self._answerers = ThreadPoolExecutor(_ANSWERERS, thread_name_prefix="sandbox-answer")

    def close(self) -> None:
        """Wait for the work in hand."""
        for workers in (self._submitters, self._answerers):
            workers.shutdown(wait=True, cancel_futures=True)

    async def submit(self, request: Request) -> Response:
        """Serve a `submit` call."""

        def show(job: Job, _life: float) -> AnswerData:
            # The answer speaks of the moment of acceptance, when nothing has run yet.
            return _answer(job, [(Status.WAITING, []) for _ in job.sub_tasks])

        return await self._call(request, Endpoint.SUBMIT, self._sandbox.submit, show)

    async def query(self, request: Request) -> Response:
        """Serve a `query` call. Every answer carries fresh links, so asking again revives them."""

        def show(job: Job, life: float) -> AnswerData:
            return _answer(job, [self._state_of(request, job, at, life) for at in range(len(job.sub_tasks))])

        return await self._call(request, Endpoint.QUERY, self._sandbox.query, show)

    async def unknown_service(self, request: Request, name: str) -> Response:
        """Serve a call to a service the vendor does not have."""
        known = _SERVICE_NAME.fullmatch(name) is not None
        code = VendorCode.NO_SUCH_SERVICE if known else VendorCode.ILLEGAL_SERVICE_NAME
        try:
            self._sandbox.gateway.admit(await _read(request), changes_something=False)
        except (VendorRefusal, GatewayRefusal) as refusal:
            return refused(refusal)
        return refused(VendorRefusal(code))

    async def picture(self, token: str, number: int) -> Response:
        """Serve a result picture, as an object store behind a signed link would."""
        self._sandbox.count_call(Endpoint.RESULT)
        if faults := self._sandbox.plan.draw(Stage.ARRIVAL, Endpoint.RESULT, token):
            return _spoilt(Response(), faults)
        try:
            await self._suffer(Stage.ADMITTED, Endpoint.RESULT, token)
            content = self._sandbox.jobs.picture(token, number)
            faults = await self._suffer(Stage.ANSWERING, Endpoint.RESULT, token)
            if faults:  # some of them draw another picture, which takes a while
                loop = asyncio.get_running_loop()
                sitting = partial(self._sandbox.jobs.sitting, token, number)
                content = await loop.run_in_executor(self._answerers, _with_faults, content, sitting, faults)
        except LinkExpiredError:
            return _storage_refusal("AccessDenied", "Request has expired.")
        except LinkUnknownError:
            return _storage_refusal("SignatureDoesNotMatch", "The request signature does not match.")
        except FileNotFoundError:
            return _storage_refusal("NoSuchKey", "The specified key does not exist.", 404)
        except (VendorRefusal, GatewayRefusal) as refusal:
            return refused(refusal)
        return _spoilt(Response(content, media_type="image/jpeg"), faults)

    async def _call(
        self,
        request: Request,
        endpoint: Endpoint,
        work: Callable[[bytes], Job],
        show: Callable[[Job, float], AnswerData],
    ) -> Response:
        sandbox = self._sandbox
        sandbox.count_call(endpoint)
        text = request.scope["path"]
        if faults := sandbox.plan.draw(Stage.ARRIVAL, endpoint, text):
            return _spoilt(Response(), faults)
        try:
            arrived = await _read(request)
            signed = sandbox.gateway.admit(arrived, changes_something=endpoint is Endpoint.SUBMIT)
            text += _text_of(arrived.body)
            await self._suffer(Stage.ADMITTED, endpoint, text, signed=signed)
            sandbox.check_rate(endpoint)
            workers = self._submitters if endpoint is Endpoint.SUBMIT else self._answerers
            job = await asyncio.get_running_loop().run_in_executor(workers, work, arrived.body)
            text += " ".join(url for sub_task in job.sub_tasks for url in sub_task.task.urls)
            faults = await self._suffer(Stage.ANSWERING, endpoint, text, signed=signed)
        except (VendorRefusal, GatewayRefusal) as refusal:
            return refused(refusal)
        life = sandbox.settings.url_life
        for fault in faults:
            life = fault.link_life(life)
        data = show(job, life).model_dump(mode="json", exclude_none=True)
        for fault in faults:
            data = fault.rewrite(data)
        return _spoilt(_succeeded(data), faults)

    async def _suffer(
        self, stage: Stage, endpoint: Endpoint, text: str, *, signed: bool = False
    ) -> list[BaseFault]:
        """Let the stage's faults happen: wait, and raise the refusal of the one that ends the matter."""
        faults = self._sandbox.plan.draw(stage, endpoint, text)
        for fault in faults:
            await asyncio.sleep(fault.delay())
            if (refusal := fault.refusal_of_signed() if signed else fault.refusal()) is not None:
                raise refusal
        return faults

    def _state_of(self, request: Request, job: Job, position: int, life: float) -> tuple[Status, list[str]]:
        jobs = self._sandbox.jobs
        status = jobs.status(job.sub_tasks[position])
        if status is not Status.SUCCESS:
            return status, []
        base = _base_url(request)
        links = jobs.links(job, position, life)
        return status, [f"{base}/_results/{link.token}/{link.number}.jpg" for link in links]


def refused(refusal: VendorRefusal | GatewayRefusal) -> Response:
    """A refusal as it looks on the wire: the vendor's envelope, or the gateway's empty body and headers."""
    if isinstance(refusal, GatewayRefusal):
        headers = {"X-Ca-Error-Message": _NOT_FOR_A_HEADER.sub("?", refusal.message).strip()}
        if refusal.code is not None:
            headers["X-Ca-Error-Code"] = refusal.code
        response = Response(status_code=refusal.status, headers=headers | _request_id_header())
    else:
        meaning = VENDOR_MEANINGS[refusal.code]
        envelope = {
            "code": str(int(refusal.code)),
            "message": meaning.message,
            "requestId": str(uuid.uuid4()),
            "success": False,
        }
        response = _json(envelope, meaning.status)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _succeeded(data: dict[str, Any]) -> Response:
    envelope = {
        "code": 0,
        "message": "success",
        "requestId": uuid.uuid4().hex,
        "success": True,
        "data": data,
    }
    response = _json(envelope, 200)
    response.headers["X-Ca-Error-Message"] = "OK"  # the gateway says so on success too
    return response


def _json(envelope: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(envelope), status, _request_id_header(), media_type="application/json")


def _request_id_header() -> dict[str, str]:
    return {"X-Ca-Request-Id": str(uuid.uuid4()).upper()}


def _storage_refusal(code: str, message: str, status: int = 403) -> Response:
    body = _STORAGE_ERROR.format(code=code, message=message, request_id=uuid.uuid4().hex[:24].upper())
    return Response(body, status, media_type="application/xml")


def _text_of(body: bytes) -> str:
    """A body as text, and again with its escapes undone: a client may write `\\/` for every slash of a URL."""
    text = body.decode(errors="replace")
    try:
        return f"{text} {json.dumps(json.loads(body), ensure_ascii=False)}"
    except (ValueError, RecursionError):
        return text


def _spoilt(response: Response, faults: Sequence[BaseFault]) -> Response:
    for fault in faults:
        response = fault.spoil(response)
    return response


def _with_faults(content: bytes, sitting: Callable[[], Sitting], faults: Sequence[BaseFault]) -> bytes:
    for fault in faults:
        content = fault.spoil_picture(content, sitting)
    return content


def _answer(job: Job, states: list[tuple[Status, list[str]]]) -> AnswerData:
    answers = [
        SubTaskAnswer(
            status=status,
            results=results,
            model_image=sub_task.task.model_image,
            tops_image=sub_task.task.tops_image,
            pants_image=sub_task.task.pants_image,
        )
        for sub_task, (status, results) in zip(job.sub_tasks, states, strict=True)
    ]
    return AnswerData(result_key=job.result_key, task_list=answers)


async def _read(request: Request) -> GatewayRequest:
    """The whole request. Raises GatewayRefusal I413RL for a body the gateway does not take.

    A body that is too large is read to its end and thrown away: a caller still sending would see no answer.
    """
    body = bytearray()
    too_large = False
    async for chunk in request.stream():
        too_large = too_large or len(body) + len(chunk) > MAX_BODY_BYTES
        if too_large:
            body.clear()
        else:
            body += chunk
    if too_large:
        raise GatewayRefusal("I413RL")
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), value)
    return GatewayRequest(
        request.method, request.scope["path"], request.query_params.multi_items(), headers, bytes(body)
    )


def _base_url(request: Request) -> str:
    """The sandbox's own address as this caller reached it."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        name, port = request.scope["server"]
        host = f"{name}:{port}"
    return f"http://{host}"
