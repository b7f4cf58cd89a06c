"""The ledger's figures for Airflow's own metrics (StatsD, OpenTelemetry or Datadog, as Airflow is set up).

They are gauges read from the ledger and not counters of what a task did: a task that dies takes no figure with it,
and a task that runs twice counts nothing twice. The names carry the states, because plain StatsD drops tags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow.sdk.observability import stats
from sqlalchemy import func, select

from tryon_catalogue.ledger.states import PAID, SubmissionState
from tryon_catalogue.ledger.tables import looks, submissions
from tryon_catalogue.looks import LookState

if TYPE_CHECKING:
    from sqlalchemy import Engine

PREFIX: Final = "tryon"
"""First part of each name; Airflow puts its own ``[metrics] statsd_prefix`` before it."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the ledger amounts to.

    Attributes:
        looks: Number of looks in each state, those with none included.
        submissions: Number of submissions in each state, those with none included.
        uses: Uses that are expected to be charged for everything accepted so far.
        oldest_unpublished_seconds: Age of the oldest accepted submission that is not collected; 0 without one.
    """

    looks: dict[LookState, int]
    submissions: dict[SubmissionState, int]
    uses: int
    oldest_unpublished_seconds: float

    @property
    def gauges(self) -> dict[str, float]:
        """Name of each metric -> its value."""
        return {
            **{f"{PREFIX}.looks.{state.value.lower()}": count for state, count in self.looks.items()},
            **{
                f"{PREFIX}.submissions.{state.value.lower()}": count
                for state, count in self.submissions.items()
            },
            f"{PREFIX}.uses": self.uses,
            f"{PREFIX}.oldest_unpublished_seconds": self.oldest_unpublished_seconds,
        }


def read_figures(engine: Engine) -> Figures:
    """Count the looks and the submissions of the ledger by their states."""
    with engine.connect() as connection:
        of_looks = connection.execute(select(looks.c.state, func.count()).group_by(looks.c.state)).all()
        of_submissions = connection.execute(
            select(
                submissions.c.state,
                func.count(),
                func.sum(submissions.c.uses),
                func.extract("epoch", func.now() - func.min(submissions.c.answered_at)),
            ).group_by(submissions.c.state)
        ).all()
    known = {SubmissionState(state): (count, uses, age) for state, count, uses, age in of_submissions}
    nothing = (0, 0, 0.0)
    return Figures(
        looks={**dict.fromkeys(LookState, 0), **{LookState(state): count for state, count in of_looks}},
        submissions={state: known.get(state, nothing)[0] for state in SubmissionState},
        uses=sum(known.get(state, nothing)[1] for state in PAID),
        oldest_unpublished_seconds=float(known.get(SubmissionState.SUBMITTED, nothing)[2] or 0.0),
    )


def send(figures: Figures) -> None:
    """Hand the figures to Airflow's metrics; nothing happens where Airflow has none set up."""
    for name, value in figures.gauges.items():
        stats.gauge(name, value)
