"""The settings of a sandbox.

No figure here is read from the client's package: the sandbox is there to check that client, so the two share nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class BadImage(StrEnum):
    """What becomes of a submission one of whose images is unfit. The vendor's document leaves it open."""

    REFUSE = "refuse"
    """The whole submission is refused with the image's code, and nothing is charged."""
    FAIL = "fail"
    """The submission is accepted and charged, and that one sub-task ends FAILED."""


class Pictures(StrEnum):
    """How result pictures are made."""

    DRAWN = "drawn"
    """The model in the garments, some tenths of a second each."""
    PLAIN = "plain"
    """Pasted together in milliseconds, for measurements with thousands of looks."""


class Use(StrEnum):
    """What one use is that is charged. The vendor's document does not say."""

    PICTURE = "picture"
    """Every result picture that is asked for."""
    LOOK = "look"
    """Every sub-task, however many pictures it asks for."""
    SUBMISSION = "submission"
    """The whole submission."""


class FailedLooks(StrEnum):
    """What a sub-task costs that FAILED. The vendor's document does not say."""

    CHARGED = "charged"
    """As much as one that went well."""
    FREE = "free"
    """Nothing: its uses are given back."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Both ways a caller can prove itself. Kept out of every repr."""

    appcode: str = field(repr=False)
    appkey: str
    appsecret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """Settings of one sandbox; a rate or a count of 0 means "no limit".

    The rates and the latency are those of a sibling service, because the vendor's document names none.

    Attributes:
        appcode, appkey, appsecret: The accepted credentials; None takes those the state file remembers, or
            makes random ones.
        latency: Seconds one sub-task spends in RUNNING.
        credits: Uses the account holds at its start; None never runs out.
        use: What one use is.
        failed: What a sub-task costs that FAILED.
        submit_rate, query_rate: Calls per second let through.
        concurrency: Sub-tasks running at once; those beyond it stay WAITING.
        url_life: Seconds a result link works after the answer that carried it.
        bad_image: What an unfit image does to the submission it came in.
        pictures: How result pictures are made.
        strict_nonce: Refuse every nonce seen in the last 15 minutes, under AppCode too.
        image_timeout: Seconds one image may take to arrive, without those in which its server answers what was
            asked of it before.
        image_cache: Seconds a downloaded image is not asked for again.
        state: SQLite file to go on from; None keeps everything in memory.
        seed: Makes faults with a probability repeatable.

    Raises:
        ValueError: A rate or a time is negative or not a finite number.
    """

    appcode: str | None = field(default=None, repr=False)
    appkey: str | None = None
    appsecret: str | None = field(default=None, repr=False)
    latency: float = 15.0
    credits: int | None = None
    use: Use = Use.PICTURE
    failed: FailedLooks = FailedLooks.CHARGED
    submit_rate: float = 10.0
    query_rate: float = 20.0
    concurrency: int = 5
    url_life: float = 1800.0
    bad_image: BadImage = BadImage.REFUSE
    pictures: Pictures = Pictures.DRAWN
    strict_nonce: bool = False
    image_timeout: float = 10.0
    image_cache: float = 5.0
    state: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Hold rates and times to what can be counted with."""
        for name in ("latency", "submit_rate", "query_rate", "url_life", "image_timeout", "image_cache"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value}: a finite number of at least 0 is wanted")
