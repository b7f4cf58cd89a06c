"""The states of a submission. The states of a look, which is what is paid for, are in ``looks``."""

from __future__ import annotations

from enum import StrEnum


class SubmissionState(StrEnum):
    """Where one call of ``submit`` stands. The values are what the ledger stores."""

    SUBMITTING = "SUBMITTING"
    """The intent is committed; the answer is not known."""
    SUBMITTED = "SUBMITTED"
    """The vendor has it: there is a result key."""
    REFUSED = "REFUSED"
    """It is proved that the vendor does not have it."""
    IN_DOUBT = "IN_DOUBT"
    """It was sent, or about to be, and its answer never came."""
    WRITTEN_OFF = "WRITTEN_OFF"
    """It was in doubt, and a person or a setting has decided to go on as if the vendor did not have it."""
    COLLECTED = "COLLECTED"
    """Every look of it has an end."""
