"""The task that plans a run, and asks a person first when it would cost more than the settings let it by itself.

A night below the threshold never waits: it is cut in the same task that planned it. Above it the task waits in
Airflow's state for required actions, which takes neither a slot nor the triggerer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.execution_time.hitl import HITLUser

from tryon_catalogue.planning.approval_options import (
    APPROVE,
    APPROVE_UP_TO,
    OPTIONS,
    REJECT,
    UP_TO_AMOUNT,
    UP_TO_LOOKS,
    AnswerError,
)
from tryon_catalogue.workflow import tasks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from tryon_catalogue.settings.money import Approver, BudgetSettings

DEFAULTS: Final[Mapping[str, str]] = {"reject": REJECT, "approve": APPROVE}


class PlanOperator(HITLOperator):
    """Plans the export of the run's date, and returns the ids of the batches with work left.

    Args:
        budget: How long a person has to answer, what is taken for the answer after that, and who may answer.

    Raises:
        tryon_catalogue.exports.ExportError: The file cannot be read as an export.
        tryon_catalogue.planning.approval_options.AnswerError: The answer means nothing; the next try asks again.
    """

    template_fields = ()

    def __init__(self, *, budget: BudgetSettings, **kwargs: Any) -> None:
        kwargs.pop(
            "params", None
        )  # the DAG's, which Airflow hands to every operator: they are no fields of the form
        super().__init__(
            subject="Spend?",
            options=list(OPTIONS),
            defaults=DEFAULTS[budget.unanswered],
            response_timeout=timedelta(hours=budget.answer_within_hours),
            params={
                UP_TO_LOOKS: Param(
                    None,
                    type=["null", "integer"],
                    minimum=1,
                    title="Up to so many looks",
                    description=f"for “{APPROVE_UP_TO}”",
                    source="task",
                ),
                UP_TO_AMOUNT: Param(
                    None,
                    type=["null", "number"],
                    minimum=0,
                    title="Up to so much money",
                    description=f"for “{APPROVE_UP_TO}”",
                    source="task",
                ),
            },
            **kwargs,
        )
        self._budget = budget

    def execute(self, context: Context) -> list[int]:
        """Plan, and cut what may go; or ask, which ends this try without an answer."""
        planned = tasks.plan()
        if isinstance(planned, list):
            return planned
        self.subject, self.body = planned.subject, planned.body
        self.assigned_users = [
            HITLUser(id=person.id, name=person.name or person.id) for person in self._approvers(context)
        ]
        super().execute(context)
        raise RuntimeError("HITLOperator.execute is expected to wait for an answer, and returned")

    def execute_complete(self, context: Context, event: dict[str, Any]) -> list[int]:
        """Cut what the answer lets go.

        Args:
            event: The answer, or that the time was up.
        """
        answered = super().execute_complete(context, event)
        (option,) = answered["chosen_options"]
        user = answered["responded_by_user"]
        approvers = self._approvers(context)
        # Airflow has checked it, unless it is set to take everybody for an admin.
        if user and approvers and user["id"] not in {person.id for person in approvers}:
            names = ", ".join(person.name or person.id for person in approvers)
            raise AnswerError(
                f"{user['name']} may not answer for this run; {names} may, by [budget] approvers. "
                "The question is asked again."
            )
        return tasks.go_ahead(
            option, answered["params_input"], user["name"] if user else None, answered["responded_at"]
        )

    def _approvers(self, context: Context) -> tuple[Approver, ...]:
        return self._budget.approvers_of(context["dag_run"].triggering_user_name)
