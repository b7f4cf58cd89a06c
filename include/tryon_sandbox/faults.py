"""The faults that a sandbox can have, and what each one does.

A fault is a pydantic model; its `kind` tells the kinds apart. What a fault does is said by hooks with
harmless defaults (`delay`, `refusal`, `rewrite`, `link_life`, `spoil_picture`, `spoil`), so whoever serves a
request only calls the hooks of the faults that fire, and a new kind is a new class and a line in `Fault`. When it
may fire is its stage; whether it does is the fault plan's part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator
from starlette.responses import Response

from tryon_sandbox.calls import Endpoint, Fate, Stage
from tryon_sandbox.codes import GATEWAY_MEANINGS, GatewayRefusal, VendorCode, VendorRefusal
from tryon_sandbox.connection import HalfResponse, SeveredResponse
from tryon_sandbox.rules import Task
from tryon_sandbox.spoiling import Sitting, Spoiling, spoilt

_API = frozenset({Endpoint.SUBMIT, Endpoint.QUERY})
_EVERYWHERE = frozenset(Endpoint)


class BaseFault(BaseModel):
    """What every fault has.

    Attributes:
        path: The calls it may happen to; "any" means all its kind can happen to.
        times: How often it happens; null means for ever.
        probability: Of happening at a call it may happen to; drawn from the sandbox's seed.
        containing: Keeps it to calls that have this text in their address or body, or are answered about a
            submission that has it in a URL. Of what is reset on arrival only the address is known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    can_happen_to: ClassVar[frozenset[Endpoint]] = _API
    ends_the_matter: ClassVar[bool] = True
    """Whether no further fault of the same stage is looked for once this one fires."""

    path: Literal["submit", "query", "result", "any"] = "any"
    times: Annotated[int, Field(ge=1)] | None = 1
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    containing: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _path_is_possible(self) -> BaseFault:
        if self.path != "any" and Endpoint(self.path) not in self.can_happen_to:
            possible = ", ".join(sorted(self.can_happen_to))
            raise ValueError(f"this kind of fault can happen to {possible}, not to {self.path}")
        return self

    @property
    def stage(self) -> Stage:
        """When it may fire."""
        return Stage.ADMITTED

    def concerns(self, endpoint: Endpoint, text: str = "") -> bool:
        """Whether it may fire at a call of that endpoint with this text."""
        possible = endpoint in self.can_happen_to and self.path in ("any", endpoint)
        return possible and (self.containing is None or self.containing in text)

    def delay(self) -> float:
        """Seconds to wait."""
        return 0.0

    def refusal(self) -> VendorRefusal | GatewayRefusal | None:
        """What to refuse the call with."""
        return None

    def refusal_of_signed(self) -> VendorRefusal | GatewayRefusal | None:
        """What to refuse a signed call with."""
        return self.refusal()

    def rewrite(self, data: dict[str, Any]) -> dict[str, Any]:
        """Change the `data` of an answer before it is written."""
        return data

    def link_life(self, seconds: float) -> float:
        """Change how long an answer's links are good for."""
        return seconds

    def spoil_picture(self, content: bytes, _sitting: Callable[[], Sitting]) -> bytes:
        """Change a result picture before it is sent; the sitting is what it was drawn from."""
        return content

    def spoil(self, response: Response) -> Response:
        """Replace the finished response."""
        return response


class _AnsweringFault(BaseFault):
    @property
    def stage(self) -> Stage:
        return Stage.ANSWERING


class _EitherSideFault(BaseFault):
    accepted: bool = False
    """False: before anything is accepted. True: after it was accepted, and charged."""

    @property
    def stage(self) -> Stage:
        return Stage.ANSWERING if self.accepted else Stage.ADMITTED


class Close(BaseFault):
    """The connection is reset before anything is read."""

    can_happen_to: ClassVar[frozenset[Endpoint]] = _EVERYWHERE
    kind: Literal["close"]

    @property
    def stage(self) -> Stage:
        """On arrival."""
        return Stage.ARRIVAL

    def spoil(self, response: Response) -> Response:
        """Nothing but a reset."""
        return SeveredResponse(reset=True)


class LoseAnswer(_AnsweringFault):
    """Everything is done, a submission accepted and charged, and the connection closes without an answer."""

    kind: Literal["lose_answer"]

    def spoil(self, response: Response) -> Response:
        """Nothing but the end of the connection."""
        return SeveredResponse(reset=False)


class Delay(_EitherSideFault):
    """The call takes longer, before it is worked on or (`accepted`) after."""

    can_happen_to: ClassVar[frozenset[Endpoint]] = _EVERYWHERE
    ends_the_matter: ClassVar[bool] = False
    kind: Literal["delay"]
    seconds: Annotated[float, Field(gt=0, le=600)]

    def delay(self) -> float:
        """As set."""
        return self.seconds


class Refuse(BaseFault):
    """The vendor refuses with one of the document's codes; nothing is accepted or charged."""

    kind: Literal["refuse"]
    code: VendorCode

    def refusal(self) -> VendorRefusal:
        """The code's envelope."""
        return VendorRefusal(self.code)


class Throttle(BaseFault):
    """Too many calls, says the vendor (23500004) or the gateway (T429IN, an empty body)."""

    kind: Literal["throttle"]
    style: Literal["vendor", "gateway"] = "vendor"
    retry_after: Annotated[int, Field(ge=0, le=3600)] | None = None

    def refusal(self) -> VendorRefusal | GatewayRefusal:
        """The vendor's or the gateway's, as `style` says."""
        if self.style == "gateway":
            return GatewayRefusal("T429IN", retry_after=self.retry_after)
        return VendorRefusal(VendorCode.THROTTLED, retry_after=self.retry_after)


class GatewayError(BaseFault):
    """Any of the gateway's errors: by its code, for example B403MQ, a used-up package, or by its message alone, as
    the gateway has it for `Quota Exhausted`.
    """

    kind: Literal["gateway_error"]
    code: str | None = None
    message: Annotated[str, Field(min_length=1)] | None = None
    """In place of the code's usual words."""
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    """In place of the code's usual status; 403 without a code."""

    @model_validator(mode="after")
    def _code_is_known(self) -> GatewayError:
        if self.code is None and self.message is None:
            raise ValueError("give a code, a message, or both")
        if self.code is not None and self.code not in GATEWAY_MEANINGS:
            raise ValueError(f"the gateway's codes are {', '.join(sorted(GATEWAY_MEANINGS))}")
        return self

    def refusal(self) -> GatewayRefusal:
        """As set, with the code's usual status and words for what is not."""
        status = 403 if self.status is None and self.code is None else self.status
        return GatewayRefusal(self.code, self.message, status=status)


class RevokeAppCode(BaseFault):
    """From now on no credentials are good any more: the gateway says A401AC, or A400IK to who signs."""

    kind: Literal["revoke_appcode"]
    times: Annotated[int, Field(ge=1)] | None = None

    def refusal(self) -> GatewayRefusal:
        """A401AC."""
        return GatewayRefusal("A401AC")

    def refusal_of_signed(self) -> GatewayRefusal:
        """A400IK: who signs has no AppCode that could be wrong."""
        return GatewayRefusal("A400IK")


class NonceUsed(BaseFault):
    """The gateway takes the nonce for a used one, whatever it is."""

    kind: Literal["nonce_used"]

    def refusal(self) -> GatewayRefusal:
        """As for a real replay."""
        return GatewayRefusal(None, "Nonce Used", status=403)


class InternalErrorEnvelope(_EitherSideFault):
    """HTTP 500 with the vendor's envelope, code 23500000."""

    kind: Literal["http_500_envelope"]

    def refusal(self) -> VendorRefusal:
        """23500000."""
        return VendorRefusal(VendorCode.INTERNAL_ERROR)


_FAILURE_CODES = {500: "X500ER", 502: "D502FC", 503: "D503CB", 504: "D504TO"}


class EmptyServerError(_EitherSideFault):
    """A 5xx of the gateway: an empty body and its headers."""

    can_happen_to: ClassVar[frozenset[Endpoint]] = _EVERYWHERE
    kind: Literal["http_5xx_empty"]
    status: Literal[500, 502, 503, 504] = 502

    def refusal(self) -> GatewayRefusal:
        """The gateway's code for that status."""
        return GatewayRefusal(_FAILURE_CODES[self.status])


class AcceptingFault(BaseFault):
    """A fault of what becomes of a submission that is accepted."""

    can_happen_to: ClassVar[frozenset[Endpoint]] = frozenset({Endpoint.SUBMIT})
    ends_the_matter: ClassVar[bool] = False

    @property
    def stage(self) -> Stage:
        """While a submission is being accepted."""
        return Stage.ACCEPTING

    def fate(self, tasks: Sequence[Task]) -> Fate:
        """What becomes of a submission of these tasks; the usual fate where the fault does not concern it."""
        return Fate()


class FailSubTask(AcceptingFault):
    """Sub-tasks of an accepted submission end FAILED: the one at `index`, or those with a URL that holds
    `url_contains`. A submission without such a sub-task does not use the fault up.
    """

    kind: Literal["fail_sub_task"]
    index: Annotated[int, Field(ge=0, le=9)] | None = None
    url_contains: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> FailSubTask:
        if (self.index is None) == (self.url_contains is None):
            raise ValueError("give either index or url_contains")
        return self

    def fate(self, tasks: Sequence[Task]) -> Fate:
        """Those positions are to fail."""
        if self.url_contains is None:
            return Fate(frozenset(at for at in range(len(tasks)) if at == self.index))
        return Fate(
            frozenset(at for at, task in enumerate(tasks) if any(self.url_contains in u for u in task.urls))
        )


class Slow(AcceptingFault):
    """The sub-tasks of an accepted submission run `factor` times as long as they would."""

    kind: Literal["slow"]
    factor: Annotated[float, Field(ge=1)]

    def fate(self, tasks: Sequence[Task]) -> Fate:
        """The same for each of them."""
        return Fate(slowness=self.factor)


class Truncate(_AnsweringFault):
    """The answer is cut off, though as HTTP it is whole: `keep` is the share of its bytes that are left."""

    can_happen_to: ClassVar[frozenset[Endpoint]] = _EVERYWHERE
    kind: Literal["truncate"]
    keep: Annotated[float, Field(ge=0, lt=1)] = 0.5

    def spoil(self, response: Response) -> Response:
        """The beginning only."""
        kept = bytes(response.body[: int(len(response.body) * self.keep)])
        headers = {k: v for k, v in response.headers.items() if k != "content-length"}
        return Response(kept, response.status_code, headers)


class ResetMidBody(_AnsweringFault):
    """The connection ends in the middle of the answer's body."""

    can_happen_to: ClassVar[frozenset[Endpoint]] = _EVERYWHERE
    kind: Literal["reset_mid_body"]

    def spoil(self, response: Response) -> Response:
        """Half of it, then the end."""
        return HalfResponse(response)


class SwapResults(_AnsweringFault):
    """The sub-tasks of the answer come in reversed order."""

    ends_the_matter: ClassVar[bool] = False
    kind: Literal["swap_results"]

    def rewrite(self, data: dict[str, Any]) -> dict[str, Any]:
        """Reversed."""
        return {**data, "task_list": data["task_list"][::-1]}


class WrongEcho(_AnsweringFault):
    """The sub-task at `index` echoes a model URL nobody sent. An answer without it is left alone."""

    ends_the_matter: ClassVar[bool] = False
    kind: Literal["wrong_echo"]
    index: Annotated[int, Field(ge=0, le=9)] = 0

    def rewrite(self, data: dict[str, Any]) -> dict[str, Any]:
        """With one URL changed."""
        wrong = "https://example.invalid/somebody-else.jpg"
        echoed = [
            {**each, "model_image": wrong} if at == self.index else each
            for at, each in enumerate(data["task_list"])
        ]
        return {**data, "task_list": echoed}


class StillRunning(_AnsweringFault):
    """The answer says that no sub-task has ended, however long ago they have: the vendor is slow today."""

    can_happen_to: ClassVar[frozenset[Endpoint]] = frozenset({Endpoint.QUERY})
    ends_the_matter: ClassVar[bool] = False
    kind: Literal["still_running"]

    def rewrite(self, data: dict[str, Any]) -> dict[str, Any]:
        """RUNNING and without results."""
        running = [{**each, "status": "RUNNING", "results": []} for each in data["task_list"]]
        return {**data, "task_list": running}


class ExpireEarly(_AnsweringFault):
    """The links of the answer are good for `seconds` only; 0 means they are dead on arrival."""

    can_happen_to: ClassVar[frozenset[Endpoint]] = frozenset({Endpoint.QUERY})
    ends_the_matter: ClassVar[bool] = False
    kind: Literal["expire_early"]
    seconds: Annotated[float, Field(ge=0)] = 0.0

    def link_life(self, seconds: float) -> float:
        """Never longer than it was."""
        return min(seconds, self.seconds)


class SpoilPicture(_AnsweringFault):
    """A result picture that is no good, in one of the ways of `spoiling.Spoiling`."""

    can_happen_to: ClassVar[frozenset[Endpoint]] = frozenset({Endpoint.RESULT})
    kind: Literal["spoil_picture"]
    how: Spoiling = Spoiling.BLANK

    def spoil_picture(self, content: bytes, sitting: Callable[[], Sitting]) -> bytes:
        """Another body under the same headers."""
        return spoilt(self.how, content, sitting)


Fault = Annotated[
    Close
    | LoseAnswer
    | Delay
    | Refuse
    | Throttle
    | GatewayError
    | RevokeAppCode
    | NonceUsed
    | InternalErrorEnvelope
    | EmptyServerError
    | FailSubTask
    | Slow
    | Truncate
    | ResetMidBody
    | SwapResults
    | WrongEcho
    | StillRunning
    | ExpireEarly
    | SpoilPicture,
    Field(discriminator="kind"),
]
"""Any fault, told apart by its kind."""

FAULT_LIST: TypeAdapter[list[Fault]] = TypeAdapter(list[Fault])
"""Reads a fault list from JSON; raises pydantic.ValidationError."""
