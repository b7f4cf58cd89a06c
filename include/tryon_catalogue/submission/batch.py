"""Submitting a batch: its looks in submissions of ten, each look exactly once, bad ones found and left out.

The operator hands over the call that costs money.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from damo_tryon.contract import MAX_TASKS, FitType, Submission
from damo_tryon.errors import ThrottledError
from damo_tryon.submitting import Accepted, InDoubt, Refused, outcomes
from tryon_catalogue.budget.commitments import LimitReachedError, hold_back, is_narrow
from tryon_catalogue.budget.limits import ASKED_FOR_AGAIN, GOES_FIRST, Limit, reason_for
from tryon_catalogue.ledger.tables import looks, submissions
from tryon_catalogue.submission.journal import (
    ClaimLostError,
    LedgerJournal,
    doubt_unanswered,
    planned_looks,
)

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from damo_tryon.submitting import Send
    from tryon_catalogue.ledger.moves import Mover
    from tryon_catalogue.settings import BudgetSettings, Price
    from tryon_catalogue.submission.gate import Gate
    from tryon_catalogue.submission.journal import Batch

log = logging.getLogger(__name__)

# Each doubt may have cost money: when one answer after another stays away, stop asking and come back later.
MOST_DOUBTS_IN_A_ROW = 2


@dataclass(slots=True)
class Submitted:
    """What came of submitting a batch in this try.

    Attributes:
        accepted: Looks that the vendor took.
        rejected: Looks that the vendor refused, each for itself.
        in_doubt: Looks of which nobody knows, those of earlier tries included.
    """

    accepted: int = 0
    rejected: int = 0
    in_doubt: int = 0


def submit_batch(
    engine: Engine,
    send: Send,
    batch: Batch,
    by: Mover,
    price: Price,
    *,
    budget: BudgetSettings,
    gate: Gate,
) -> Submitted:
    """Send every look of a batch that is still planned.

    A later try goes on where an earlier one stopped: what was accepted is not sent again, what was begun and
    never answered is put in doubt.

    Args:
        send: The hook's ``submit``, which leaves throttling to the gate.

    Raises:
        tryon_catalogue.submission.errors.NotYetError: The rest waits for its turn, in the line.
        damo_tryon.errors.TryOnError: A refusal of the call as a whole, or too many doubts in a row; what was accepted
            before it is in the ledger.
    """
    done = Submitted()
    # Tries of one task follow each other: what is still open is of a dead one.
    if doubted := doubt_unanswered(engine, submissions.c.batch_id == batch.id, by):
        log.warning(
            "Batch %s: %s submissions of an earlier try are in doubt; see `tryon doubts`",
            batch.id,
            len(doubted),
        )
    journal = LedgerJournal(engine, batch, by, price, budget, gate=gate)
    doubts_in_a_row = 0
    while planned := planned_looks(engine, batch, MAX_TASKS):
        tasks = {look.to_task(): key for key, look in planned.items()}
        journal.name_looks(tasks)
        submission = Submission(
            fit_type=FitType(batch.fit_type), inference_num=batch.inference_num, tasks=tuple(tasks)
        )
        try:
            for outcome in outcomes(send, journal, submission):
                count = len(outcome.submission.tasks)
                match outcome:
                    case Accepted():
                        done.accepted += count
                        doubts_in_a_row = 0
                    case Refused():
                        done.rejected += count
                        log.warning(
                            "The vendor refused look %s: %s",
                            tasks[outcome.submission.tasks[0]],
                            outcome.error,
                        )
                    case InDoubt():
                        done.in_doubt += count
                        doubts_in_a_row += 1
                        log.error("%s", outcome.error)
                        if doubts_in_a_row >= MOST_DOUBTS_IN_A_ROW:
                            raise outcome.error
        except ThrottledError as error:
            log.info("Batch %s: %s", batch.id, error)  # the gate knows, and lets nobody through for a while
        except ClaimLostError as lost:
            log.info("Batch %s: %s by another run; going on with the rest", batch.id, lost)
        except LimitReachedError as reached:
            _hold_back(engine, batch, reached, price, budget)
    return done


def _hold_back(
    engine: Engine, batch: Batch, reached: LimitReachedError, price: Price, budget: BudgetSettings
) -> None:
    """Give up what there is no money for in this run; another collection of the batch may have some."""
    which = looks.c.batch_id == batch.id
    if reached.limit is Limit.COLLECTION:
        which &= looks.c.collection == reached.collection
    with engine.begin() as connection:
        then = ASKED_FOR_AGAIN if is_narrow(connection, batch.run_id) else GOES_FIRST
        reason = reason_for(reached.limit, budget, price.currency, reached.collection, then)
        hold_back(connection, which, reason, batch.run_id)
    log.warning("Batch %s: what is not sent yet %s", batch.id, reason)
