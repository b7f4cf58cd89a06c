"""What a person may answer when a run asks whether it may spend. DAG files import it: it imports nothing."""

from __future__ import annotations

from typing import Final

APPROVE: Final = "Approve"
APPROVE_UP_TO: Final = "Approve up to"
REJECT: Final = "Reject"
OPTIONS: Final = (APPROVE, APPROVE_UP_TO, REJECT)
UP_TO_LOOKS: Final = "up_to_looks"
UP_TO_AMOUNT: Final = "up_to_amount"
FORM_FIELDS: Final = (UP_TO_LOOKS, UP_TO_AMOUNT)


class AnswerError(Exception):
    """An answer that cannot be used; nothing was reserved, and the question is asked again."""
