"""The trigger that waits in the triggerer for an export to come: it only looks, and says when looking is over.

What the end of waiting means is the sensor's business, which looks for itself once more. Its arguments are stored in
Airflow's metadata database, so no secret is among them: the object storage's credentials are read from the connection
inside the triggerer.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

FIRST_LOOK_AFTER: Final = 5.0
"""Seconds between deferring and the first look, at least: a trigger that fires earlier can overtake the scheduler,
which then fails the task because its executor reported success while it is still queued."""

SPREAD: Final = 0.1
"""Share of an interval that is drawn at random and added, so that many nights that wait do not look together."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the trigger sees it; tests bring their own.

    Attributes:
        now: Seconds since the epoch; not a monotonic clock, for a deadline has to hold in another process too.
        sleep: Waits for a number of seconds.
    """

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class ExportTrigger(BaseTrigger):
    """Looks for an export until it is there and complete, or until the time is up, and fires once.

    Args:
        path: Path or URL of the export.
        conn_id: Airflow connection of the object storage; None for none.
        marker: Name of the file beside it without which it is not complete; None for none.
        deadline: When to give up, in seconds since the epoch: absolute, so that a restart of the triggerer does not
            extend it. One last look is made then.
        interval: Seconds between two looks, ``FIRST_LOOK_AFTER`` at least.
    """

    def __init__(
        self, *, path: str, conn_id: str | None, marker: str | None, deadline: float, interval: float
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives it no annotations
        self.path = path
        self.conn_id = conn_id
        self.marker = marker
        self.deadline = deadline
        self.interval = max(interval, FIRST_LOOK_AFTER)
        self.clock = Clock()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger is made from again in the triggerer; no secret is among it."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "path": self.path,
                "conn_id": self.conn_id,
                "marker": self.marker,
                "deadline": self.deadline,
                "interval": self.interval,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look inside this one loop and fire once. Deferring again for each look would leak file handles."""
        from tryon_catalogue.exports.places import problem_with

        while True:
            wait = self.interval * (1 + SPREAD * random.random())  # noqa: S311  # guards no secret
            remaining = max(self.deadline - self.clock.now(), FIRST_LOOK_AFTER)
            await self.clock.sleep(min(wait, remaining))
            # In a thread: files and object storage would hold up every other trigger of the process. What their
            # libraries raise is as good as an answer, for the next look may succeed and the sensor has the last one.
            look = asyncio.to_thread(problem_with, self.path, self.conn_id, self.marker)
            (problem,) = await asyncio.gather(look, return_exceptions=True)
            if problem is None or self.clock.now() >= self.deadline:
                yield TriggerEvent(None if problem is None else str(problem))  # type: ignore[no-untyped-call]  # as above
                return
            self.log.info(
                "%s; looked for again in about %.0f s", str(problem) or repr(problem), self.interval
            )
