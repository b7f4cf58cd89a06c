"""The looks of what is paid for and not collected, as the ledger has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from tryon_catalogue.ledger.states import NOT_ENDED, UNCOLLECTED, SubmissionState
from tryon_catalogue.ledger.tables import garment_looks, images, looks, submission_looks, submissions
from tryon_catalogue.looks import LookState
from tryon_catalogue.publishing.postprocessing import Made
from tryon_catalogue.submission.journal import look_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from tryon_catalogue.looks import Look
    from tryon_catalogue.submission.uncollected import UncollectedSubmission


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps something from being published.

    Attributes:
        words: A sentence.
        expired: True when a link had died, so that a fresh one may help.
    """

    words: str
    expired: bool = False


@dataclass(frozen=True, slots=True)
class PaidLook:
    """A look of a submission.

    Attributes:
        made: What was asked for, and what its pictures are named after.
        state: Where it stands.
        moved_at: Since when.
        ours: Whether no newer submission has it.
        results: Addresses of its pictures, by the vendor's newest answer.
    """

    made: Made
    state: LookState
    moved_at: datetime
    ours: bool
    results: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The look's key."""
        return self.made.key

    @property
    def look(self) -> Look:
        """What was asked for."""
        return self.made.look

    @property
    def open(self) -> bool:
        """Whether it is this submission that the look waits for."""
        return self.ours and self.state in UNCOLLECTED

    def problem(self, words: str, *, expired: bool = False) -> Problem:
        """Say what keeps the look from being published."""
        return Problem(f"look {self.key[:10]} (sku {self.made.sku or 'of no garment now'}): {words}", expired)


def paid_looks(engine: Engine, submission: UncollectedSubmission) -> list[PaidLook]:
    """Read every look of a submission, in the order sent."""
    # A look of several garments is named after the first of them.
    first = (
        select(
            garment_looks.c.look_key,
            func.min(garment_looks.c.sku).label("garment_sku"),
            func.min(garment_looks.c.title).label("garment_title"),
            func.min(garment_looks.c.collection).label("garment_collection"),
        )
        .group_by(garment_looks.c.look_key)
        .subquery()
    )
    # Whatever its address, the same bytes have the same size.
    size = (
        select(func.jsonb_build_array(images.c.width, images.c.height))
        .where(images.c.sha256 == looks.c.model_sha256)
        .limit(1)
        .scalar_subquery()
    )
    with engine.connect() as connection:
        rows = connection.execute(
            select(
                looks,
                first.c.garment_sku,
                first.c.garment_title,
                first.c.garment_collection,
                size.label("model_size"),
                submission.ours.label("ours"),
            )
            .join(submission_looks, submission_looks.c.look_key == looks.c.key)
            .outerjoin(first, first.c.look_key == looks.c.key)
            .where(submission_looks.c.submission_id == submission.id)
            .order_by(submission_looks.c.position)
        ).all()
    return [
        PaidLook(_made(row, submission.result_key), LookState(row.state), row.moved_at, row.ours)
        for row in rows
    ]


def close_submission(engine: Engine, submission: UncollectedSubmission) -> None:
    """Call a submission collected once each of its looks has an end, or waits for a newer submission."""
    open_looks = select(func.count()).select_from(looks).where(submission.ours, looks.c.state.in_(NOT_ENDED))
    with engine.begin() as connection:
        if not connection.execute(open_looks).scalar_one():
            connection.execute(
                update(submissions)
                .where(submissions.c.id == submission.id)
                .values(state=SubmissionState.COLLECTED.value, collected_at=func.now())
            )


def _made(row: Any, result_key: str) -> Made:
    return Made(
        key=row.key,
        look=look_of(row),
        result_key=result_key,
        sku=row.garment_sku or "",
        title=row.garment_title or "",
        collection=row.garment_collection or "",
        digests=(row.model_sha256, row.tops_sha256, row.pants_sha256, row.mask_sha256),
        model_size=None if row.model_size is None else (row.model_size[0], row.model_size[1]),
    )
