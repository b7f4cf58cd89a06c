"""What the vendor and the gateway before it say when they refuse.

Two tables and two exceptions. The vendor's refusals (document, section 6) travel in a JSON envelope; the
gateway's have an empty body and speak through headers. Nothing here knows why anything is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class VendorCode(IntEnum):
    """The error codes of the vendor's document, section 6. There is no 23500010."""

    INTERNAL_ERROR = 23500000
    NOT_AUTHORISED = 23500001
    NO_SUCH_SERVICE = 23500002
    CREDITS_EXHAUSTED = 23500003
    THROTTLED = 23500004
    NOT_COMPLIANT = 23500005
    URL_NOT_ACCESSIBLE = 23500006
    IMAGE_UNFIT = 23500007
    UNKNOWN_RESULT_KEY = 23500008
    PARAMETER_MISSING = 23500009
    JOB_FAILED = 23500011
    BODY_MISSING = 23500012
    PARAMETER_ILLEGAL = 23500013
    ILLEGAL_SERVICE_NAME = 23500014
    TOO_MANY_PEOPLE = 23500015
    NO_PEOPLE = 23500016


@dataclass(frozen=True, slots=True)
class Meaning:
    """The HTTP status and the words a code comes with."""

    status: int
    message: str


VENDOR_MEANINGS: dict[VendorCode, Meaning] = {
    VendorCode.INTERNAL_ERROR: Meaning(500, "Internal server error."),
    VendorCode.NOT_AUTHORISED: Meaning(401, "Authorization required to perform current operation."),
    VendorCode.NO_SUCH_SERVICE: Meaning(404, "Specified service does not exist."),
    VendorCode.CREDITS_EXHAUSTED: Meaning(403, "User credit points are exhausted."),
    VendorCode.THROTTLED: Meaning(403, "Request was denied due to request throttling."),
    VendorCode.NOT_COMPLIANT: Meaning(403, "The image did not pass the content compliance check."),
    VendorCode.URL_NOT_ACCESSIBLE: Meaning(400, "The image url provided is invalid or non-accessible."),
    VendorCode.IMAGE_UNFIT: Meaning(400, "The uploaded image does not meet the requirements."),
    VendorCode.UNKNOWN_RESULT_KEY: Meaning(
        400, "No records found related to the specified resultKey parameter."
    ),
    VendorCode.PARAMETER_MISSING: Meaning(400, "Required parameters cannot be empty."),
    VendorCode.JOB_FAILED: Meaning(500, "Job execution failed."),
    VendorCode.BODY_MISSING: Meaning(400, "Required request body is missing."),
    VendorCode.PARAMETER_ILLEGAL: Meaning(400, "Illegal input parameter found."),
    VendorCode.ILLEGAL_SERVICE_NAME: Meaning(400, "Illegal service name."),
    VendorCode.TOO_MANY_PEOPLE: Meaning(400, "Too many people in the image."),
    VendorCode.NO_PEOPLE: Meaning(400, "No people found in the image."),
}


class VendorRefusal(Exception):  # noqa: N818 - it is what the vendor says, not an error of ours
    """The vendor's service says no: the caller gets an envelope with this code."""

    def __init__(self, code: VendorCode, *, retry_after: int | None = None) -> None:
        super().__init__(f"{int(code)} {VENDOR_MEANINGS[code].message}")
        self.code = code
        self.retry_after = retry_after


GATEWAY_MEANINGS: dict[str, Meaning] = {
    "A400AC": Meaning(400, "Invalid AppCode"),
    "A401AC": Meaning(401, "Invalid AppCode"),
    "A400IK": Meaning(400, "Invalid AppKey"),
    "A403IS": Meaning(403, "Invalid Signature"),
    "I403AA": Meaning(403, "Unauthorized"),
    "B403MQ": Meaning(403, "Api Market Subscription quota exhausted"),
    "B403ME": Meaning(403, "Api Market Subscription expired"),
    "B403MI": Meaning(403, "Api Market Subscription invalid"),
    "B403MO": Meaning(403, "Api Market Instance overdue"),
    "B403OD": Meaning(403, "Provider Account overdue"),
    "T429ID": Meaning(429, "Throttled by INNER DOMAIN Flow Control"),
    "T429IN": Meaning(429, "Throttled by INSTANCE Flow Control"),
    "T429GR": Meaning(429, "Throttled by GROUP Flow Control"),
    "T429PA": Meaning(429, "Throttled by API Flow Control"),
    "T429PR": Meaning(429, "Throttled by PLUGIN Flow Control"),
    "T429SR": Meaning(429, "Throttled by SERVER Flow Control"),
    "T429MR": Meaning(429, "Throttled by MARKET Flow Control"),
    "I400MH": Meaning(400, "Header is Required"),
    "I400I5": Meaning(400, "Invalid Content-MD5"),
    "I400NC": Meaning(400, "X-Ca-Nonce is required"),
    "I400HD": Meaning(400, "Invalid Header"),
    "I404NF": Meaning(404, "API not found"),
    "I413RL": Meaning(413, "Request body too Large"),
    "X500ER": Meaning(500, "Internal Error"),
    "D502FC": Meaning(502, "Failed To Invoke Backend Service"),
    "D503CB": Meaning(503, "Backend circuit breaker"),
    "D503BB": Meaning(503, "Backend unavailable"),
    "X503BZ": Meaning(503, "Service busy"),
    "D504RE": Meaning(504, "Backend read error"),
    "D504CO": Meaning(504, "Backend connection error"),
    "D504TO": Meaning(504, "Backend timeout"),
}


class GatewayRefusal(Exception):  # noqa: N818 - it is what the gateway says, not an error of ours
    """The gateway says no before the vendor's service is asked: an empty body, and headers.

    Args:
        code: For X-Ca-Error-Code; None leaves that header out, as the gateway does for some of its errors.
        message: For X-Ca-Error-Message; the code's usual words when not given.
        status: The HTTP status; the code's usual one when not given, 400 without a code.
        retry_after: Seconds for a Retry-After header.
    """

    def __init__(
        self,
        code: str | None,
        message: str | None = None,
        *,
        status: int | None = None,
        retry_after: int | None = None,
    ) -> None:
        usual = GATEWAY_MEANINGS.get(code or "", Meaning(400, "Bad Request"))
        self.code = code
        self.message = message or usual.message
        self.status = status or usual.status
        self.retry_after = retry_after
        super().__init__(f"{self.code or self.status} {self.message}")
