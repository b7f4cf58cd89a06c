"""The vendor's errors: one exception for each meaning, and the tables from code to exception.

::

    TryOnError
    ├── CredentialsError          wrong or missing credentials: stop
    │   └── ConnectionSettingsError   the Airflow connection is incomplete or contradicts itself
    ├── PackageUsedUpError        no uses left, expired or unpaid: stop
    ├── ThrottledError            too fast: wait, then again
    ├── ImageRefusedError         an image of the submission was refused
    │   └── PersonCountError      no person in it, or more than one
    ├── MalformedRequestError     our request is wrong: a bug, a setting or a clock
    │   └── UnknownServiceError   path or service name unknown to the vendor
    ├── UnknownResultKeyError     the vendor has no record of a result key
    ├── JobFailedError            the vendor says that the job failed
    ├── VendorInternalError       the vendor's own "Internal server error."
    ├── UndefinedCodeError        a code that the vendor's document does not define
    ├── NotConnectedError         nothing was sent
    ├── OutcomeUnknownError       a submission was sent and nobody knows what became of it
    ├── PollFailedError           a query got no readable answer; asking again is free
    ├── MismatchedAnswerError     an answer that does not belong to what was sent
    ├── ResultTimeoutError        the job did not end in the time given
    ├── InDoubtError              an earlier submission of the same looks has no known outcome
    └── AllFailedError            the job ended and not one sub-task succeeded

Every error can be pickled: Airflow sends errors from one process to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final


class TryOnError(Exception):
    """Anything that went wrong between us and the vendor.

    Args:
        message: What happened: the vendor's words where it gave any, else ours, without a full stop.
        code: The vendor's code (an int, section 6) or the gateway's (text such as ``A401AC``), if any.
        request_id: The vendor's id of the HTTP call; its support asks for it.
        proved_not_accepted: True only when it is certain that the vendor has no submission from this call,
            so that sending it again cannot be charged twice; never after a query, which proves nothing of
            the kind. Default: the class's own.
        next_step: What to do about it, a full sentence. Default: the class's own.
        result_key: The submission's result key, where one is known.
    """

    meaning: ClassVar[str] = "The try-on service could not be used"
    default_next_step: ClassVar[str] = "Look up the code in the vendor's document, section 6."
    default_proved_not_accepted: ClassVar[bool] = False
    temporary: ClassVar[bool] = False
    """Whether the same request may well go through a little later. It does not say that sending it again is
    safe: a query always is, a submission only with ``proved_not_accepted``."""

    def __init__(
        self,
        message: str = "",
        *,
        code: int | str | None = None,
        request_id: str | None = None,
        proved_not_accepted: bool | None = None,
        next_step: str | None = None,
        result_key: str | None = None,
    ) -> None:
        # One positional argument and attributes: that is what makes the default pickling work.
        super().__init__(message)
        self.message = message
        self.code = code
        self.request_id = request_id
        self.proved_not_accepted = (
            self.default_proved_not_accepted if proved_not_accepted is None else proved_not_accepted
        )
        self.next_step = self.default_next_step if next_step is None else next_step
        self.result_key = result_key

    def __str__(self) -> str:
        """Return what was wrong, where, the vendor's code and request id, and what to do next."""
        message = self.message.rstrip(" .")
        sentence = f"{self.meaning}: {message}" if message else self.meaning
        known = {"code": self.code, "request id": self.request_id, "result key": self.result_key}
        details = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
        return f"{sentence}{f' ({details})' if details else ''}. {self.next_step}"


class CredentialsError(TryOnError):
    """Wrong or missing credentials (code 23500001 and the gateway's): stop, nothing else will get through."""

    meaning = "The vendor did not accept our credentials"
    default_next_step = (
        "Check the AppCode, or the AppKey and AppSecret, in the Airflow connection against the vendor's "
        'page of purchased services ("已购买的服务"), then run again.'
    )


class ConnectionSettingsError(CredentialsError):
    """The Airflow connection is missing, incomplete or contradicts itself. Nothing was sent."""

    meaning = "The Airflow connection cannot be used"
    default_next_step = "Correct the connection (Admin, Connections) and run again."
    default_proved_not_accepted = True


class PackageUsedUpError(TryOnError):
    """The package is used up, expired or unpaid (code 23500003 and the gateway's): stop."""

    meaning = "The vendor will not work before it is paid"
    default_next_step = "Buy a package or settle the account in the vendor's marketplace, then run again."


class ThrottledError(TryOnError):
    """Too many requests (code 23500004 and the gateway's): wait, then send again.

    Args:
        message: As for ``TryOnError``, and so are the other arguments.
        retry_after: Seconds to wait by the answer's ``Retry-After`` header, where it had one.
    """

    meaning = "The vendor is throttling us"
    default_next_step = "Wait and send again; if it lasts, run fewer submissions at once."
    temporary = True

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        code: int | str | None = None,
        request_id: str | None = None,
        proved_not_accepted: bool | None = None,
        next_step: str | None = None,
        result_key: str | None = None,
    ) -> None:
        super().__init__(
            message,
            code=code,
            request_id=request_id,
            proved_not_accepted=proved_not_accepted,
            next_step=next_step,
            result_key=result_key,
        )
        self.retry_after = retry_after


class ImageRefusedError(TryOnError):
    """An image was refused (codes 23500005, 23500006, 23500007, 23500015, 23500016).

    The vendor does not say which of the submission's images it means.
    """

    meaning = "The vendor refused an image of the submission"
    default_next_step = (
        "Split the submission to find the look whose image it is, and replace that image; "
        "the vendor's document, section 4, says what an image must be."
    )


class PersonCountError(ImageRefusedError):
    """An image shows no person, or more than one (codes 23500015, 23500016)."""

    meaning = "The vendor did not find exactly one person in a model picture"
    default_next_step = (
        "Split the submission to find the look whose model picture it is, and take a picture of one person, "
        "upright, seen from the front (vendor's document, section 4.1)."
    )


class MalformedRequestError(TryOnError):
    """Our request is wrong (codes 23500009, 23500012, 23500013 and the gateway's): a bug or a clock."""

    meaning = "The request is not one the vendor can take"
    default_next_step = (
        "Sending it again will not help: "
        "check the values named here, the Airflow connection and this machine's clock."
    )


class UnknownServiceError(MalformedRequestError):
    """The vendor does not know the path or the service (codes 23500002, 23500014)."""

    meaning = "The vendor does not know the service that was called"
    default_next_step = "Check the host of the Airflow connection, and whether the vendor has moved its API."


class UnknownResultKeyError(TryOnError):
    """The vendor has no record of a result key (code 23500008)."""

    meaning = "The vendor has no record of this result key"
    default_next_step = (
        "Check that the result key comes from the same account, and ask the vendor's support with it: "
        "the submission may have been paid for."
    )


class JobFailedError(TryOnError):
    """The vendor says that the job failed (code 23500011)."""

    meaning = "The vendor could not carry the job out"
    default_next_step = "Look at the images first: whether this one is charged, only the vendor's bill says."


class VendorInternalError(TryOnError):
    """The vendor's own failure, by its envelope (code 23500000).

    After a submission it is unknown whether the vendor keeps the job, so nothing is proved by default.
    """

    meaning = "The vendor failed on its side"
    default_next_step = (
        "A query can be repeated. A submission is in doubt: "
        "compare the vendor's bill with what was sent before sending it again."
    )
    temporary = True


class UndefinedCodeError(TryOnError):
    """A code of the vendor's own numbers, other than 0, that its document does not define."""

    meaning = "The vendor answered with a code that its document does not define"
    default_next_step = "Ask the vendor's support what the code means, with the request id."
    temporary = True  # nobody has said that it lasts


class NotConnectedError(TryOnError):
    """No connection came about: refused, host name unknown, TLS failed, or connecting took too long."""

    meaning = "The vendor could not be reached and nothing was sent"
    default_next_step = (
        "Check the host of the Airflow connection, the network and the proxy; then send again."
    )
    default_proved_not_accepted = True
    temporary = True


class OutcomeUnknownError(TryOnError):
    """A submission was sent and no readable answer came: it may have been accepted, and charged."""

    meaning = "The submission was sent and its outcome is unknown"
    default_next_step = (
        "It is in doubt and must not be sent again by itself: "
        "compare the vendor's bill with what was sent, then decide."
    )


class PollFailedError(TryOnError):
    """A query got no readable answer. Asking again changes nothing and costs nothing."""

    meaning = "The query got no readable answer"
    default_next_step = "Ask again later; the submission itself is not affected."
    temporary = True


class MismatchedAnswerError(TryOnError):
    """An answer does not belong to what was sent, by position or by the echoed URLs."""

    meaning = "The answer does not belong to what was sent"
    default_next_step = (
        "Nothing is guessed about whose pictures these are: compare the answer with the submission by hand."
    )


class ResultTimeoutError(TryOnError):
    """A job did not end in the time it was given. It goes on at the vendor, and it is paid for."""

    meaning = "The pictures were not ready in time"
    default_next_step = "Ask for the result key again later; do not submit again, the job is paid for."


class InDoubtError(TryOnError):
    """An earlier attempt at the same submission was begun and its outcome is not known."""

    meaning = "An earlier attempt may have been accepted, so nothing was sent"
    default_next_step = "Compare the vendor's bill with what was sent, then settle the doubt by hand."


class AllFailedError(TryOnError):
    """A job ended and not one of its sub-tasks succeeded."""

    meaning = "Not one of the pictures asked for was made"
    default_next_step = "The vendor gives no reason for a sub-task: look at the images of these looks first."


@dataclass(frozen=True, slots=True)
class CodeRule:
    """What one code of the vendor's envelope means.

    Attributes:
        error: The exception for it.
        text: The document's words (section 6), for an answer that gives none.
        proves_refusal: Whether, after a submission, it proves that the vendor has no job.
    """

    error: type[TryOnError]
    text: str
    proves_refusal: bool = True


# Vendor document, section 6, each row but "0 success". 23500010 is missing there and is undefined here.
VENDOR_CODES: Final[dict[int, CodeRule]] = {
    23500000: CodeRule(VendorInternalError, "Internal server error", proves_refusal=False),
    23500001: CodeRule(CredentialsError, "Authorization required to perform current operation"),
    23500002: CodeRule(UnknownServiceError, "Specified service does not exist"),
    23500003: CodeRule(PackageUsedUpError, "User credit points are exhausted"),
    23500004: CodeRule(ThrottledError, "Request was denied due to request throttling"),
    23500005: CodeRule(ImageRefusedError, "The image did not pass the content compliance check"),
    23500006: CodeRule(ImageRefusedError, "The image url provided is invalid or non-accessible"),
    23500007: CodeRule(ImageRefusedError, "The uploaded image does not meet the requirements"),
    23500008: CodeRule(
        UnknownResultKeyError, "No records found related to the specified resultKey parameter"
    ),
    23500009: CodeRule(MalformedRequestError, "Required parameters cannot be empty"),
    23500011: CodeRule(JobFailedError, "Job execution failed"),
    23500012: CodeRule(MalformedRequestError, "Required request body is missing"),
    23500013: CodeRule(MalformedRequestError, "Illegal input parameter found"),
    23500014: CodeRule(UnknownServiceError, "Illegal service name"),
    23500015: CodeRule(PersonCountError, "Too many people in the image"),
    23500016: CodeRule(PersonCountError, "No people found in the image"),
}

UNDEFINED_CODE: Final = CodeRule(UndefinedCodeError, "undefined code")

VENDOR_NUMBERS: Final = range(23500000, 23600000)
"""The numbers that the vendor gives its codes. A body with another one is not the vendor's envelope: a proxy or a
load balancer wrote it, and what became of the request behind it is not known."""


@dataclass(frozen=True, slots=True)
class GatewayRule:
    """One meaning of the gateway in front of the vendor's service.

    Attributes:
        error: The exception for it; None where what became of the request is unknown.
        codes: Values of ``X-Ca-Error-Code``.
        message_starts: Beginnings of ``X-Ca-Error-Message``, in lower case.
        statuses: HTTP statuses that stand for it when there is neither code nor message.
    """

    error: type[TryOnError] | None
    codes: frozenset[str]
    message_starts: tuple[str, ...]
    statuses: frozenset[int]


# The gateway refuses before the vendor's service sees the request, so each row with an error proves that
# nothing was accepted. The last row (error None) proves nothing.
GATEWAY_RULES: Final[tuple[GatewayRule, ...]] = (
    GatewayRule(
        CredentialsError,
        frozenset({"A400AC", "A401AC", "A400IK", "A403IS", "I403AA"}),
        (
            "invalid appcode",
            "invalid appkey",
            "invalid appsecret",
            "invalid signature",
            "empty signature",
            "unauthorized",
        ),
        # A bare 403 could mean several things; stopping is the one that costs nothing.
        frozenset({401, 403}),
    ),
    GatewayRule(
        PackageUsedUpError,
        frozenset({"B403MQ", "B403ME", "B403MI", "B403MO", "B403OD"}),
        ("api market subscription", "quota exhausted", "quota expired", "user arrears"),
        frozenset({402}),
    ),
    GatewayRule(
        ThrottledError,
        frozenset({"T429ID", "T429IN", "T429GR", "T429PA", "T429PR", "T429SR", "T429MR"}),
        ("throttled by",),
        frozenset({429}),
    ),
    GatewayRule(
        MalformedRequestError,
        frozenset({"I400MH", "I400I5", "I400NC", "I404NF", "I400HD", "I413RL"}),
        ("nonce used", "timestamp expired", "invalid timestamp"),
        # 301, 307 and 308 only point elsewhere; 302 and 303 can follow work that was done.
        frozenset({301, 307, 308, 400, 404, 405, 406, 411, 413, 414, 415, 431}),
    ),
    GatewayRule(
        None,
        frozenset(
            {"X500ER", "D502FC", "D503CB", "D503BB", "X503BZ", "D504RE", "D504CO", "D504TO"},
        ),
        ("internal error", "failed to invoke backend service"),
        frozenset(),
    ),
)
