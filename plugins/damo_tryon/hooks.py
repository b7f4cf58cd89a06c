"""The vendor's two calls for Airflow: ``submit``, which costs money, and ``query``, which is free.

The hook stands on the HTTP provider's: it is a connection type of its own with that provider's way to name
connections and hand out sessions. It does not send through the provider's ``run``, for that one reduces
errors to their HTTP status, turns unknown extras into headers, takes the login for Basic authentication and
logs the promise to send again whenever a connection breaks.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from pydantic import ValidationError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from damo_tryon.answers import Call, read_query_answer, read_submit_answer
from damo_tryon.connection import TryOnConnection
from damo_tryon.contract import (
    QUERY_PATH,
    SUBMIT_PATH,
    Answer,
    FitType,
    Submission,
    TryOnTask,
)
from damo_tryon.errors import (
    ConnectionSettingsError,
    MalformedRequestError,
    NotConnectedError,
    PollFailedError,
    ThrottledError,
    TryOnError,
    UnknownResultKeyError,
)
from damo_tryon.names import DEFAULT_CONN_ID
from damo_tryon.redaction import redaction_of
from damo_tryon.transport import Attempt, apost, new_session, post, shared_session

_TEST_RESULT_KEY: Final = "airflow-connection-test"
"""Not a key the vendor hands out, so a query for it can only be answered that there is no such record."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and how patiently, a hook repeats what is safe to repeat.

    Attributes:
        attempts: HTTP attempts in all, the first included.
        first_wait: Seconds of the first wait at most; the limit doubles with each attempt. The wait is drawn
            at random below the limit, so that mapped tasks do not come back in step.
        longest_wait: Seconds of any wait at most, one asked for by ``Retry-After`` included.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 30.0

    def wait(self, state: RetryCallState) -> float:
        """Return the seconds to wait after a failed attempt."""
        drawn = wait_random_exponential(multiplier=self.first_wait, max=self.longest_wait)(state)
        error = state.outcome.exception() if state.outcome else None
        requested = error.retry_after if isinstance(error, ThrottledError) else None
        return min(self.longest_wait, (requested or 0.0) + drawn)


ONCE: Final = RetryPolicy(attempts=1)


class DamoTryOnHook(HttpHook):
    """Calls the try-on service with the credentials of a ``damo_tryon`` connection.

    Args:
        http_conn_id: Id of the Airflow connection. Host (default: the vendor's), AppCode in the password;
            or AppKey in the login and AppSecret in the password. See ``TryOnConnection.read`` for extras.
        retry: How often what is safe to repeat is repeated.
    """

    conn_name_attr = "http_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "damo_tryon"
    hook_name = "Alibaba DAMO try-on"

    def __init__(self, http_conn_id: str = DEFAULT_CONN_ID, *, retry: RetryPolicy = RetryPolicy()) -> None:
        super().__init__(method="POST", http_conn_id=http_conn_id)
        self.retry = retry
        self._settings: TryOnConnection | None = None

    def submit(self, tasks: Sequence[TryOnTask], fit_type: FitType | str, inference_num: int = 1) -> Answer:
        """Submit tasks: the call that is charged (vendor document, section 5.1).

        It is sent again only after what proves that nothing was accepted and may pass: no connection, and
        throttling. Everything else is raised at once.

        Args:
            tasks: 1 to 10 tasks.
            fit_type: Kind of garment, for all of them.
            inference_num: Pictures of each task, 1 to 4.

        Returns:
            The accepted submission with its result key.

        Raises:
            OutcomeUnknownError: It was sent and no readable answer came. Never send it again unasked.
            TryOnError: Any other subclass; ``proved_not_accepted`` says whether sending again is safe.
        """
        try:
            submission = Submission.model_validate(
                {"fit_type": fit_type, "inference_num": inference_num, "tasks": tuple(tasks)}
            )
        except ValidationError as error:
            raise MalformedRequestError(_rule_broken(error), proved_not_accepted=True) from error
        settings = self._read_settings()
        body = _json_bytes(submission.to_wire())

        def send() -> Answer:
            attempt = _attempt(settings, SUBMIT_PATH, body, Call.SUBMIT)
            # A session of its own for each attempt: a kept-alive connection may have been closed by the
            # server a moment ago, and then the request would look sent and be in doubt for nothing.
            with new_session() as session:
                session.headers["Connection"] = "close"
                reply = post(session, attempt)
            return read_submit_answer(reply, internal_error_is_refusal=settings.internal_error_is_refusal)

        answer: Answer = self._retrying("submit", _safe_to_resubmit)(send)
        self.log.info(
            "Submitted %d tasks: result key %s, request id %s",
            len(submission.tasks),
            answer.result_key,
            answer.request_id,
        )
        return answer

    @property
    def longest_submit_seconds(self) -> float:
        """The longest that ``submit`` takes, with its repetitions, to learn nothing from a vendor that stays silent.

        In seconds, and no bound on every call: an answer that has begun is waited for as long as it goes on coming,
        for it is worth money, and the time-outs hold for each address of a host that has several, and not for
        looking up its name. Whoever takes a call for dead by this must still take the answer of one that was not.
        """
        settings = self._read_settings()
        attempts = self.retry.attempts
        return (
            attempts * (settings.connect_timeout + settings.read_timeout)
            + (attempts - 1) * self.retry.longest_wait
        )

    def query(self, result_key: str) -> Answer:
        """Ask how a submission stands (vendor document, section 5.2). It is free and may be repeated.

        Args:
            result_key: The key that ``submit`` returned.

        Raises:
            TryOnError: The subclass that says why there is no answer, once repeating has not helped.
        """
        settings = self._read_settings()
        answer: Answer = self._retrying("query", _worth_retrying)(self._ask, settings, result_key)
        self._log_progress(answer)
        return answer

    async def async_query(self, result_key: str) -> Answer:
        """Ask as ``query`` does, once and without blocking the event loop; the caller has its own patience.

        Args:
            result_key: The key that ``submit`` returned.

        Raises:
            TryOnError: The subclass that says why there is no answer.
        """
        settings = await self._aread_settings()
        reply = await apost(_query_attempt(settings, result_key))
        answer = read_query_answer(reply, result_key)
        self._log_progress(answer)
        return answer

    def test_connection(self) -> tuple[bool, str]:
        """Say whether the service can be reached with these credentials, without spending anything.

        A query for a key that cannot exist is answered with "no records found" (23500008) only after the
        gateway and the vendor have accepted the credentials.
        """
        try:
            self._ask(self._read_settings(), _TEST_RESULT_KEY)
        except UnknownResultKeyError:
            pass
        except TryOnError as error:
            return False, str(error)
        return True, "The vendor answered and accepted the credentials; nothing was spent."

    def get_conn(
        self, headers: Mapping[Any, Any] | None = None, extra_options: Mapping[str, Any] | None = None
    ) -> requests.Session:
        """Return this process's session; it carries no credentials, for those belong to one attempt."""
        del headers, extra_options  # the provider's hook would keep them on the session
        self.base_url = self._read_settings().base_url
        return shared_session()

    def seal(self, text: str) -> str:
        """Seal a text, so that whoever knows the connection's secret can tell that another who does wrote it.

        Nobody learns the secret by it, as long as it cannot be guessed; the vendor's are random.

        Raises:
            ConnectionSettingsError: The connection is missing or cannot be used.
        """
        key = "\n".join(self._read_settings().credentials.secrets)
        return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()

    def _ask(self, settings: TryOnConnection, result_key: str) -> Answer:
        return read_query_answer(post(shared_session(), _query_attempt(settings, result_key)), result_key)

    def _read_settings(self) -> TryOnConnection:
        if self._settings is None:
            try:
                connection = self.get_connection(self.http_conn_id)
            except AirflowNotFoundException as error:
                raise _no_connection(self.http_conn_id) from error
            self._settings = TryOnConnection.read(connection, connection.extra_dejson)
        return self._settings

    async def _aread_settings(self) -> TryOnConnection:
        if self._settings is None:
            try:
                connection = await BaseHook.aget_connection(self.http_conn_id)
            except AirflowNotFoundException as error:
                raise _no_connection(self.http_conn_id) from error
            except Exception as error:
                # Airflow's API server or a backend of secrets, whatever it raises; its words may hold a secret.
                raise PollFailedError(
                    f"the connection {self.http_conn_id!r} could not be read ({type(error).__name__})",
                    next_step="See whether Airflow's API server and its secrets backend are well.",
                ) from error
            self._settings = TryOnConnection.read(connection, await connection.aextra_dejson())
        return self._settings

    def _retrying(self, call: str, worth_it: Callable[[BaseException], bool]) -> Retrying:
        def announce(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            self.log.warning(
                "%s, attempt %d of %d, is repeated in %.1f s. %s",
                call,
                state.attempt_number,
                self.retry.attempts,
                state.upcoming_sleep,
                error,
            )

        return Retrying(
            stop=stop_after_attempt(self.retry.attempts),
            wait=self.retry.wait,
            retry=retry_if_exception(worth_it),
            before_sleep=announce,
            reraise=True,
        )

    def _log_progress(self, answer: Answer) -> None:
        self.log.info(
            "Result key %s: %s (request id %s)",
            answer.result_key,
            ", ".join(f"{count} {status}" for status, count in answer.counts.items() if count),
            answer.request_id,
        )


def _safe_to_resubmit(error: BaseException) -> bool:
    """Proved not accepted AND likely to pass: anything else would risk a second charge or waste time."""
    return isinstance(error, NotConnectedError | ThrottledError) and error.proved_not_accepted


def _worth_retrying(error: BaseException) -> bool:
    return isinstance(error, TryOnError) and error.temporary


def _attempt(
    settings: TryOnConnection, path: str, body: bytes, call: Call, result_key: str | None = None
) -> Attempt:
    # Made anew for each attempt: the headers hold a nonce, a time and perhaps a signature.
    return Attempt(
        url=settings.base_url + path,
        headers=settings.credentials.headers("POST", path, body),
        body=body,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        call=call,
        result_key=result_key,
        redaction=redaction_of(*settings.credentials.secrets),
    )


def _query_attempt(settings: TryOnConnection, result_key: str) -> Attempt:
    body = _json_bytes({"data": {"result_key": result_key}})
    return _attempt(settings, QUERY_PATH, body, Call.QUERY, result_key)


def _json_bytes(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _rule_broken(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        for problem in error.errors(include_url=False)
    )


def _no_connection(conn_id: str) -> ConnectionSettingsError:
    return ConnectionSettingsError(
        f"there is no connection {conn_id!r}",
        next_step=(
            f"Create it: airflow connections add {conn_id} --conn-type damo_tryon --conn-password <AppCode>."
        ),
    )
