"""The operator that submits looks, and the link from its task to a page with their pictures.

It turns what a DAG says into submissions of at most ten looks, and hands them to ``damo_tryon.submitting``
with a journal in Airflow's task state. It does not wait: the sensor does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.configuration import conf
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryPolicy, RetryRule
from airflow.sdk.execution_time.context import NEVER_EXPIRE

from damo_tryon.contract import MAX_TASKS, Answer, FitType, Submission, TryOnTask
from damo_tryon.errors import (
    CredentialsError,
    ImageRefusedError,
    InDoubtError,
    MalformedRequestError,
    OutcomeUnknownError,
    PackageUsedUpError,
    TryOnError,
)
from damo_tryon.inputs import fit_type_in, inference_num_in, tasks_in
from damo_tryon.journal import Journal, TaskStateJournal
from damo_tryon.names import DEFAULT_CONN_ID, RESULTS_PATH, XCOM_IN_DOUBT, XCOM_REFUSED
from damo_tryon.results_note import leave_note
from damo_tryon.submitting import Accepted, InDoubt, Outcome, Refused, outcomes, remembered

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.xcom_arg import XComArg
    from airflow.sdk.types import TaskInstanceKey

    from damo_tryon.hooks import DamoTryOnHook

SUBMIT_RETRY_POLICY: Final = ExceptionRetryPolicy(
    [
        RetryRule(
            [CredentialsError, PackageUsedUpError, MalformedRequestError],
            RetryAction.FAIL,
            reason="no submission will get through before a person has acted",
        ),
        RetryRule(
            [InDoubtError, OutcomeUnknownError],
            RetryAction.FAIL,
            reason="what may have been paid for is not sent again before a person has decided",
        ),
        RetryRule(ImageRefusedError, RetryAction.FAIL, reason="the same image would be refused again"),
    ]
)
"""Stops at once where a retry is in vain; throttling and lost connections go by the task's ``retries``."""


class OnRefused(StrEnum):
    """What the task does in the end when the vendor refused some looks for their images."""

    CONTINUE = "continue"
    FAIL = "fail"


class OnDoubt(StrEnum):
    """What the task does about looks that may or may not have been accepted."""

    FAIL = "fail"
    CONTINUE = "continue"
    RESEND = "resend"


class TryOnResultsLink(BaseOperatorLink):
    """A button on the submit task that opens the page with its pictures."""

    name = "Results"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the page's address on the same server that shows the button."""
        del operator
        query = urlencode(
            {
                "dag_id": ti_key.dag_id,
                "run_id": ti_key.run_id,
                "task_id": ti_key.task_id,
                "map_index": -1 if ti_key.map_index is None else ti_key.map_index,
            }
        )
        # The path alone: people may reach the server by another name than the one it has for itself.
        base = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")
        return f"{base}{RESULTS_PATH}/results?{query}"


@dataclass(slots=True)
class _Tally:
    """What became of each distinct look so far.

    Attributes:
        places: The looks, with the index at which each first stands in the list given.
        outcomes: What is known of them.
    """

    places: Mapping[TryOnTask, int]
    outcomes: dict[TryOnTask, Outcome] = field(default_factory=dict)

    @classmethod
    def of(cls, tasks: Sequence[TryOnTask]) -> _Tally:
        places: dict[TryOnTask, int] = {}
        for place, task in enumerate(tasks):
            places.setdefault(task, place)
        return cls(places)

    def add(self, outcome: Outcome) -> None:
        self.outcomes.update(dict.fromkeys(outcome.submission.tasks, outcome))

    @property
    def result_keys(self) -> list[str]:
        """Each result key once, in the order of the first look that it carries."""
        found = [self.outcomes.get(task) for task in self.places]
        return list(dict.fromkeys(known.result_key for known in found if isinstance(known, Accepted)))

    @property
    def refused(self) -> dict[int, TryOnError]:
        """Why a look was refused, by its index."""
        return self._errors(Refused)

    @property
    def in_doubt(self) -> dict[int, TryOnError]:
        """Why a look is in doubt, by its index."""
        return self._errors(InDoubt)

    def _errors(self, kind: type[Refused] | type[InDoubt]) -> dict[int, TryOnError]:
        found = ((place, self.outcomes.get(task)) for task, place in self.places.items())
        return {place: known.error for place, known in found if isinstance(known, kind)}


class TryOnSubmitOperator(BaseOperator):
    """Submits looks, each of them once, and returns the result keys of the accepted submissions.

    Any number of looks is put into submissions of at most ten. A look listed twice is submitted once. Where
    the vendor refuses a submission for an image, it is split until the bad look stands alone and the good
    ones are through. A later try of the same task instance (retry, clear, a worker that died) reuses what was
    accepted, look by look, even when the list has changed since. Of a task that raises all the same, whatever it
    is, what was accepted is there as its return value, for a sensor with ``trigger_rule="all_done"``; where
    Airflow does not take it any more, the keys are in the log. A process that is killed returns nothing.

    Airflow keeps the memory by task instance, and so by map index: of a task that is mapped over looks whose list
    has changed by the time it is cleared, another index holds a look's memory, and the look is paid for again.
    Give one task all looks, or a subclass a journal of its own, as ``tryon_catalogue`` does.

    It knows a look by its full URLs, their queries included. Presigned URLs that are made anew for a retry or a clear
    are other looks to it, and those are paid for again: give addresses that stay, or compute them once in a task
    upstream and take its XCom, which a retry or a clear of this task alone leaves as it is.

    For catalogues, subclass it: ``read_tasks`` says what to submit, ``make_journal`` where it is remembered.

    Args:
        tasks: The looks: mappings with model_image, tops_image and perhaps pants_image and mask_image (URLs),
            ``TryOnTask``s, an XCom of such a list, or such a list as JSON text. Templated. An empty list
            submits nothing and succeeds.
        fit_type: HALF_BODY or FULL_BODY, for all of them. Templated.
        inference_num: Pictures of each look, 1 to 4. Templated.
        conn_id: Id of the Airflow connection. Templated.
        on_refused: What to do once all good looks are through and some were refused for their images:
            "continue" with the good ones, or "fail". The refused are logged and pushed as XCom ``refused``
            either way. When nothing at all was accepted the task fails.
        on_doubt: What to do about looks whose submission was begun and never answered. "fail": send nothing
            further and fail. "continue": leave them out and push them as XCom ``in_doubt``. "resend": send
            what was in doubt before this was said once more, which can be a second charge. Sending spends the
            word: what is sent under it, for the first time or again, and then left in doubt is not sent again by
            the task's retries, nor by a clear, before another word is said: "resend" and a space with anything
            behind it, such as "resend 2". Templated, so that a person can say it before clearing the task, for
            instance by an Airflow variable: ``on_doubt="{{ var.value.get('tryon_on_doubt', 'fail') }}"``.
        retry_policy: Default ``SUBMIT_RETRY_POLICY``; None for Airflow's plain retries.
        kwargs: What ``BaseOperator`` takes.

    Raises:
        MalformedRequestError: What was given breaks a rule of the vendor's document; nothing was sent.
        ImageRefusedError: No look was accepted, or some were refused and ``on_refused`` is "fail".
        InDoubtError: An earlier try left looks in doubt and ``on_doubt`` is "fail"; nothing was sent.
        OutcomeUnknownError: A submission was sent now and nobody knows what became of it.
        TryOnError: The vendor refused a call as a whole: credentials, package, throttling, no connection.
    """

    template_fields: Sequence[str] = ("tasks", "fit_type", "inference_num", "conn_id", "on_doubt")
    template_fields_renderers = {"tasks": "json"}  # noqa: RUF012 - Airflow reads a plain class attribute
    operator_extra_links = (TryOnResultsLink(),)
    ui_color = "#d9efe4"

    def __init__(
        self,
        *,
        tasks: Sequence[Mapping[str, Any] | TryOnTask] | str | XComArg,
        fit_type: FitType | str,
        inference_num: int | str = 1,
        conn_id: str = DEFAULT_CONN_ID,
        on_refused: OnRefused | str = OnRefused.CONTINUE,
        on_doubt: OnDoubt | str = OnDoubt.FAIL,
        retry_policy: RetryPolicy | None = SUBMIT_RETRY_POLICY,
        **kwargs: Any,
    ) -> None:
        super().__init__(retry_policy=retry_policy, **kwargs)
        self.tasks = tasks
        self.fit_type = fit_type
        self.inference_num = inference_num
        self.conn_id = conn_id
        self.on_refused = OnRefused(on_refused)
        self.on_doubt = on_doubt

    def read_tasks(self, context: Context) -> tuple[TryOnTask, ...]:
        """Return what to submit. Override it to take the looks from elsewhere."""
        del context
        return tasks_in(self.tasks)

    def make_journal(self, context: Context) -> Journal:
        """Return what remembers submissions. Override it to keep the memory in tables of your own."""
        return TaskStateJournal(
            context["task_state_store"],
            retention=NEVER_EXPIRE,
            resend_word=str(self.on_doubt) if self._doubt_rule is OnDoubt.RESEND else None,
        )

    @cached_property
    def hook(self) -> DamoTryOnHook:
        """The vendor, through the connection ``conn_id``."""
        from damo_tryon.hooks import DamoTryOnHook

        return DamoTryOnHook(self.conn_id)

    def execute(self, context: Context) -> list[str]:
        """Submit what is not yet submitted and return all result keys, each once, in the looks' order."""
        tasks = self.read_tasks(context)
        tally = _Tally.of(tasks)
        if repeated := len(tasks) - len(tally.places):
            self.log.warning("%d of %d looks are listed again; each is submitted once", repeated, len(tasks))
        try:
            failure = self._submit(context, tally) if tasks else None
            keys = tally.result_keys
            self.log.info("%d looks, %d result keys: %s", len(tally.places), len(keys), ", ".join(keys))
            self._report(context, XCOM_REFUSED, tally.refused)
            self._report(context, XCOM_IN_DOUBT, tally.in_doubt)
        except BaseException:
            # Without a key this may have come before the memory was read, and [] would claim that nothing was paid for.
            if paid_for := tally.result_keys:
                self._leave_behind(context, paid_for)
            raise
        if failure := failure or self._verdict(tally):
            self._leave_behind(context, keys)
            raise failure
        if keys:
            leave_note(context["ti"], self.hook, keys)
        return keys

    def _leave_behind(self, context: Context, keys: list[str]) -> None:
        """Push what a task that fails would have returned; should that fail too, the task's own error is raised."""
        try:
            context["ti"].xcom_push(BaseXCom.XCOM_RETURN_KEY, keys)
            if keys:
                leave_note(context["ti"], self.hook, keys)
        except Exception:  # whatever it is: the caller raises what the task failed at first
            self.log.exception("These result keys could not be pushed as XCom: %s", ", ".join(keys))

    def _submit(self, context: Context, tally: _Tally) -> TryOnError | None:
        """Submit all looks that can be; return the error that stopped it, so that the rest is reported first."""
        journal = self.make_journal(context)
        fit_type, inference_num = fit_type_in(self.fit_type), inference_num_in(self.inference_num)

        def submission(tasks: Sequence[TryOnTask]) -> Submission:
            return Submission(fit_type=fit_type, inference_num=inference_num, tasks=tuple(tasks))

        for task in tally.places:
            if known := remembered(look := submission([task]), journal.recall(look)):
                tally.add(known)
        if self._may_go_on(tally):
            unsent = [task for task in tally.places if task not in tally.outcomes]
            try:
                self._send(journal, [submission(group) for group in _groups(unsent)], tally)
            except TryOnError as error:
                return error
        return None

    def _send(self, journal: Journal, submissions: Sequence[Submission], tally: _Tally) -> None:
        if submissions:
            self.hook.get_conn()  # an unusable connection is to be found out before there is any intent

        def send(tasks: Sequence[TryOnTask], fit_type: FitType, inference_num: int) -> Answer:
            answer = self.hook.submit(tasks, fit_type, inference_num)
            sent = Submission(fit_type=fit_type, inference_num=inference_num, tasks=tuple(tasks))
            # At once: the journal may fail now, and the key is paid for.
            tally.add(Accepted(sent, answer.result_key))
            return answer

        for submission in submissions:
            for outcome in outcomes(send, journal, submission):
                tally.add(outcome)
                if not self._may_go_on(tally):
                    return

    def _may_go_on(self, tally: _Tally) -> bool:
        return self._doubt_rule is OnDoubt.CONTINUE or not tally.in_doubt

    def _verdict(self, tally: _Tally) -> TryOnError | None:
        nothing = not tally.result_keys
        if tally.in_doubt and (nothing or not self._may_go_on(tally)):
            return _summed_up(tally.in_doubt, len(tally.places), _NEXT_STEP_FOR_DOUBTS)
        if tally.refused and (nothing or self.on_refused is OnRefused.FAIL):
            return _summed_up(tally.refused, len(tally.places), _NEXT_STEP_FOR_REFUSED)
        return None

    def _report(self, context: Context, key: str, errors: Mapping[int, TryOnError]) -> None:
        for place, error in errors.items():
            self.log.error("Look %d is %s. %s", place, key.replace("_", " "), error)
        if errors:
            context["ti"].xcom_push(
                key,
                [
                    {
                        "index": place,
                        "code": error.code,
                        "message": error.message,
                        "request_id": error.request_id,
                    }
                    for place, error in errors.items()
                ],
            )

    @property
    def _doubt_rule(self) -> OnDoubt:
        if str(self.on_doubt).startswith(f"{OnDoubt.RESEND} "):
            return OnDoubt.RESEND
        try:
            return OnDoubt(self.on_doubt)
        except ValueError as error:
            raise MalformedRequestError(
                f"on_doubt is {self.on_doubt!r}, expected one of {', '.join(OnDoubt)}",
                proved_not_accepted=True,
                next_step="Correct the task's arguments.",
            ) from error


_NEXT_STEP_FOR_REFUSED: Final = (
    "The log names each of them: replace its images, then clear the task; "
    "what was accepted is not sent again."
)
_NEXT_STEP_FOR_DOUBTS: Final = (
    "The log names each of them: compare the vendor's bill with what was sent, then clear the task with "
    'on_doubt="resend" (where that was said before, "resend 2" and so on) to send them once more, or '
    '"continue" to go on without them.'
)


def _summed_up(errors: Mapping[int, TryOnError], looks: int, next_step: str) -> TryOnError:
    place, first = next(iter(errors.items()))
    return type(first)(
        f"{len(errors)} of {looks} looks, the first being number {place}: {first.message}",
        code=first.code,
        request_id=first.request_id,
        next_step=next_step,
    )


def _groups(tasks: Sequence[TryOnTask]) -> list[Sequence[TryOnTask]]:
    return [tasks[start : start + MAX_TASKS] for start in range(0, len(tasks), MAX_TASKS)]
