"""Waiting for a condition with a deadline: the one way these tests wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import requests
from sqlalchemy.exc import OperationalError

from tests.guards import GUARD
from tryon_demo.local.api import AirflowApiError

T = TypeVar("T")

EVERY_SECONDS = 0.3
SERVER_ERROR = 500


class NeverCameTrueError(AssertionError):
    """A condition did not come true in time."""


def until(ask: Callable[[], T], what: str, *, seconds: float = GUARD, every: float = EVERY_SECONDS) -> T:
    """Ask again and again until the answer counts as true, and return it.

    What is asked may be away for a while, or too busy to answer: these tests see to that.

    Args:
        ask: Asked at least once.
        what: The condition in words, for the error.
        seconds: The deadline.
        every: Seconds between two questions.
    """
    deadline = time.monotonic() + seconds
    while True:
        said: object
        try:
            if answer := ask():
                return answer
            said = answer
        except (AirflowApiError, requests.RequestException, OperationalError) as error:
            if isinstance(error, AirflowApiError) and error.status and error.status < SERVER_ERROR:
                raise
            said = error
        if time.monotonic() > deadline:
            raise NeverCameTrueError(f"after {seconds:.0f} s not yet: {what}; the last answer was {said!r}")
        time.sleep(every)
