"""The shapes on the wire: the answers of the API and of the control endpoints, and the requests' JSON Schema.

Models for writing answers and for the OpenAPI description. Requests are only described here; they are read by
`rules`, because the vendor refuses a bad one with its own codes and not with a framework's.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tryon_sandbox.jobs import Status
from tryon_sandbox.rules import FIT_TYPES, MOST_PICTURES, MOST_TASKS


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SubTaskAnswer(_Wire):
    """One element of an answer's task_list. A mask is not echoed (document, section 5.1)."""

    status: Status
    results: list[str] = Field(description="Links to the pictures; empty until SUCCESS.")
    model_image: str
    tops_image: str
    pants_image: str | None = Field(default=None, description="As it was sent; left out when it was not.")


class AnswerData(_Wire):
    """The `data` of an answer."""

    result_key: str = Field(pattern="^[0-9a-f]{32}$")
    task_list: list[SubTaskAnswer] = Field(max_length=MOST_TASKS)


class SuccessAnswer(_Wire):
    """An answer to a call that went well."""

    code: Literal[0]
    message: Literal["success"]
    requestId: str  # noqa: N815 - the document's name
    success: Literal[True]
    data: AnswerData


class RefusalAnswer(_Wire):
    """An answer that refuses (document, section 6). Its code is text, as the document's table has it."""

    code: str = Field(pattern="^235000[0-9]{2}$")
    message: str
    requestId: str  # noqa: N815 - the document's name
    success: Literal[False]


class ChargedLookReport(_Wire):
    """One look, known by the bytes of its pictures, and what was charged for it.

    The four images are the URLs it was first sent with.
    """

    fit_type: str
    inference_num: int
    model_image: str
    tops_image: str
    pants_image: str | None
    mask_image: str | None
    urls: list[str] = Field(description="Every URL the look was ever sent with.")
    times: int = Field(description="How often the look was accepted.")
    charged: int = Field(description="How often it was charged: less often where FAILED looks are free.")
    uses: int = Field(description="Uses charged for it in all.")
    result_keys: list[str]


class CallCounts(_Wire):
    """Calls that reached the sandbox, refused ones included."""

    submit: int
    query: int
    result: int


class ChargesReport(_Wire):
    """What the sandbox accepted and charged: the measure of "paid once"."""

    uses: int
    submissions: int
    max_times_one_look_was_charged: int
    max_times_the_same_pictures_were_charged: int = Field(
        description="As above, where the same bytes at any other address are the same look."
    )
    looks: list[ChargedLookReport]
    calls: CallCounts
    nonces_reused: int
    credits_left: int | None


class FaultProblem(_Wire):
    """What is wrong with a list of faults."""

    where: str = Field(description="Such as [0].seconds.")
    msg: str


class FaultsRefusal(_Wire):
    """The answer to a list of faults that is none."""

    detail: list[FaultProblem]


_URL = {"type": "string", "minLength": 1, "description": "http or https, without Chinese characters."}
_MAYBE_URL = {"type": ["string", "null"], "description": "As above; absent, null or empty for none."}


def _body(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    data = {"type": "object", "properties": properties, "required": required}
    schema = {"type": "object", "properties": {"data": data}, "required": ["data"]}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


SUBMIT_BODY = _body(
    {
        "fit_type": {"type": "string", "enum": sorted(FIT_TYPES)},
        "inference_num": {"type": "integer", "minimum": 1, "maximum": MOST_PICTURES, "default": 1},
        "task_list": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_TASKS,
            "items": {
                "type": "object",
                "properties": {
                    "model_image": _URL,
                    "tops_image": _URL | {"description": "The document's table also calls it ops_image."},
                    "pants_image": _MAYBE_URL,
                    "mask_image": _MAYBE_URL,
                },
                "required": ["model_image", "tops_image"],
            },
        },
    },
    ["fit_type", "task_list"],
)
"""OpenAPI request body of `submit` (document, section 5.1)."""

QUERY_BODY = _body({"result_key": {"type": "string", "minLength": 1}}, ["result_key"])
"""OpenAPI request body of `query` (document, section 5.2)."""

API_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "X-Ca-Nonce",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "description": "Random text, another one for every request.",
    }
]
"""OpenAPI header parameters of both API endpoints. Authorization is a security scheme."""

SECURITY_SCHEMES: dict[str, Any] = {
    "AppCode": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`APPCODE <code>`, with one space.",
    },
    "Signature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Ca-Signature",
        "description": "With X-Ca-Key, X-Ca-Timestamp, X-Ca-Nonce and X-Ca-Signature-Headers.",
    },
}
"""The two ways to authenticate."""
