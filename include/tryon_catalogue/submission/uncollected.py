"""What is paid for and not collected yet: whoever waits for a batch, shows its results or publishes it asks here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from tryon_catalogue.ledger.states import SubmissionState
from tryon_catalogue.ledger.tables import submissions
from tryon_catalogue.submission.journal import waits_for

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine


@dataclass(frozen=True, slots=True)
class UncollectedSubmission:
    """A submission that is paid for and not collected yet.

    Attributes:
        conn_id: The Airflow connection it went over, whose account alone knows the result key.
    """

    id: int
    result_key: str
    conn_id: str

    @property
    def ours(self) -> ColumnElement[bool]:
        """Select the looks that wait for it, and for no newer one."""
        return waits_for(submissions.c.id == self.id)


def uncollected_submissions(engine: Engine, batch_id: int) -> list[UncollectedSubmission]:
    """Read what is to be collected of a batch, oldest first."""
    with engine.connect() as connection:
        found = connection.execute(
            select(submissions.c.id, submissions.c.result_key, submissions.c.conn_id)
            .where(
                submissions.c.batch_id == batch_id,
                submissions.c.state == SubmissionState.SUBMITTED.value,
            )
            .order_by(submissions.c.id)
        ).all()
    return [UncollectedSubmission(row.id, row.result_key, row.conn_id) for row in found]
