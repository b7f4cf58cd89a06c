"""The trigger that waits for results in the triggerer: it only polls, and says what it saw in one event.

It never submits, never raises what the sensor should raise, and carries no secret: its arguments are stored
in Airflow's metadata database, so credentials are read from the connection inside the triggerer. What the
event means for the task is ``damo_tryon.sensors``' business.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from weakref import WeakKeyDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from damo_tryon.contract import Answer
from damo_tryon.errors import ThrottledError, TryOnError
from damo_tryon.watching import ResultEvent, Watch

FIRST_POLL_AFTER: Final = 5.0
"""Seconds between deferring and the first poll, at least. A trigger that fires earlier can overtake the
scheduler, which then fails the task because its executor reported success while it is still queued."""

LAST_ROUND: Final = 60.0
"""Seconds that polls under way at the deadline may take to end."""

_SLOWER: Final = 2.0  # each throttled round doubles the interval
# Share of the time that is left by reckoning. The vendor works on several sub-tasks side by side, so a submission that
# has begun may end sooner; and a guess that is too long costs the picture's time, one that is too short only a query.
_OF_WHAT_IS_LEFT: Final = 0.6


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a trigger asks.

    Attributes:
        first: Seconds before the first poll, at least.
        growth: Factor from one interval to the next, 1 or more.
        longest: Seconds of the longest interval; throttling can ask for more.
        spread: Share of an interval that is drawn at random and added, so that a hundred triggers that were
            deferred together do not ask together.
    """

    first: float = FIRST_POLL_AFTER
    growth: float = 1.5
    longest: float = 60.0
    spread: float = 0.25

    def interval(self, base: float) -> float:
        """Return the seconds to wait: the base and a random share of it, at most ``longest``."""
        longest_base = max(self.first, self.longest / (1 + self.spread))
        return min(base, longest_base) * (1 + self.spread * random.random())  # noqa: S311 - guards no secret


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the trigger sees it; tests bring their own.

    Attributes:
        now: Seconds since the epoch. Not a monotonic clock: a deadline has to hold in another process too.
        sleep: Waits for a number of seconds.
    """

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class TryOnResultTrigger(BaseTrigger):
    """Polls the vendor until every sub-task of every submission has ended, and fires one ``ResultEvent``.

    Args:
        conn_id: Id of the Airflow connection.
        result_keys: The submissions to wait for. A key is not asked for again once it has ended.
        deadline: When to give up, in seconds since the epoch. Absolute, so that a restart of the triggerer
            does not extend it. One last poll is made before giving up, which may take a minute more.
        first_poll_after: Seconds before the first poll, at least; 5 at the least.
        interval: Seconds between the first two polls; as long as before the first when left out.
        seconds_per_task: How long the vendor takes for one sub-task, as far as it is known: what has begun is
            asked for again somewhat before what is left of it should have ended, and nothing else sooner than that.
        growth: Factor from one interval to the next.
        longest_interval: Seconds of the longest interval.
        max_concurrency: Queries under way at once, at most.
        max_bad_polls: Polls of one key in a row that may fail before the trigger gives up.

    Raises:
        ValueError: ``max_concurrency`` or ``max_bad_polls`` is below 1.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        result_keys: Sequence[str],
        deadline: float,
        first_poll_after: float = FIRST_POLL_AFTER,
        interval: float | None = None,
        seconds_per_task: float = 0.0,
        growth: float = 1.5,
        longest_interval: float = 60.0,
        max_concurrency: int = 5,
        max_bad_polls: int = 5,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives it no annotations
        at_least_one(max_concurrency=max_concurrency, max_bad_polls=max_bad_polls)
        self.conn_id = conn_id
        self.result_keys = list(result_keys)
        self.deadline = deadline
        self.first_poll_after = first_poll_after
        self.interval = interval
        self.seconds_per_task = seconds_per_task
        self.growth = growth
        self.longest_interval = longest_interval
        self.max_concurrency = max_concurrency
        self.max_bad_polls = max_bad_polls
        self.clock = Clock()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger is made from again in the triggerer; no secret is among it."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "conn_id": self.conn_id,
                "result_keys": self.result_keys,
                "deadline": self.deadline,
                "first_poll_after": self.first_poll_after,
                "interval": self.interval,
                "seconds_per_task": self.seconds_per_task,
                "growth": self.growth,
                "longest_interval": self.longest_interval,
                "max_concurrency": self.max_concurrency,
                "max_bad_polls": self.max_bad_polls,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll inside this one loop and fire once. Deferring again for each poll would leak file handles."""
        from damo_tryon.hooks import DamoTryOnHook

        hook = DamoTryOnHook(self.conn_id)
        event = await self._wait(hook.async_query)
        payload = event.model_copy(update={"seen_at": self.clock.now()}).model_dump(mode="json")
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]  # Airflow gives it no annotations

    async def throttled(self, error: ThrottledError) -> None:
        """Hear that the vendor throttles polls. Override it to slow down others than the triggers of this process.

        Args:
            error: The vendor's answer.
        """

    async def _wait(self, query: Query) -> ResultEvent:
        watch = Watch(self.result_keys, self.max_bad_polls)
        brake = Brake.of(self.conn_id)
        pace = Pace(self.interval or self.first_poll_after, self.growth, self.longest_interval)
        if self.interval is None:
            base, wait = pace.first, pace.interval(pace.first)
        else:  # the first poll is at a moment that is reckoned with
            base, wait = pace.first / pace.growth, self.first_poll_after
        soonest = FIRST_POLL_AFTER
        while True:
            if (held := brake.left(self.clock.now())) > wait:  # by another: not all come at once after it
                wait = held * (1 + pace.spread * random.random())  # noqa: S311 - guards no secret
            await self.clock.sleep(max(soonest, min(wait, self._left)))
            soonest = 0.0
            polls = _Round(watch, query, self.max_concurrency)
            with suppress(TimeoutError):  # of this round; what it has learnt counts
                async with asyncio.timeout(max(0.0, self._left) + LAST_ROUND):
                    await polls.run()
            if polls.stopped:
                return polls.stopped
            if not watch.pending:
                return watch.ended()
            if self.clock.now() >= self.deadline:
                return watch.late(f"by {_as_text(self.deadline)}")
            base *= _SLOWER if polls.throttling is not None else pace.growth
            wait = max(pace.interval(base), polls.asked_to_wait)
            if polls.throttling is not None:
                brake.pull(self.clock.now(), max(min(base, pace.longest), polls.asked_to_wait))
                await self.throttled(polls.throttling)
            elif left := min(self.seconds_per_task * watch.unfinished, pace.longest):
                wait = max(_OF_WHAT_IS_LEFT * left, pace.first) if watch.begun else max(left, wait)

    @property
    def _left(self) -> float:
        return self.deadline - self.clock.now()


class Brake:
    """Until when nobody of this process polls over a connection, because the vendor throttles one of them."""

    _brakes: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Brake]]] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._until = 0.0

    @classmethod
    def of(cls, conn_id: str) -> Brake:
        """Give the one of a connection in this event loop."""
        return cls._brakes.setdefault(asyncio.get_running_loop(), {}).setdefault(conn_id, cls())

    def pull(self, now: float, seconds: float) -> None:
        """Hold everybody for so many seconds from now, if they are not held for longer."""
        self._until = max(self._until, now + seconds)

    def left(self, now: float) -> float:
        """Give the seconds for which everybody is held."""
        return self._until - now


Query = Callable[[str], Awaitable[Answer]]


def at_least_one(**numbers: int) -> None:
    """Refuse a number below 1.

    Args:
        numbers: What is given, by the name of its argument.

    Raises:
        ValueError: One is below 1.
    """
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} is {number}, expected 1 or more")


def _as_text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


class _Round:
    """One poll of every pending key, a few at a time; after throttling or a stop no further key."""

    def __init__(self, watch: Watch, query: Query, max_concurrency: int) -> None:
        self.throttling: ThrottledError | None = None
        self.asked_to_wait = 0.0
        self.stopped: ResultEvent | None = None
        self._watch = watch
        self._query = query
        self._places = asyncio.Semaphore(max_concurrency)

    async def run(self) -> None:
        """Poll, and know afterwards whether there is an event to stop with."""
        async with asyncio.TaskGroup() as polls:
            for key in self._watch.pending:
                polls.create_task(self._poll(key))

    async def _poll(self, key: str) -> None:
        async with self._places:
            if self.throttling is not None or self.stopped is not None:
                return
            try:
                self._watch.saw(key, await self._query(key))
            except TryOnError as error:
                if isinstance(error, ThrottledError):
                    self.throttling = error
                    self.asked_to_wait = max(self.asked_to_wait, error.retry_after or 0.0)
                self.stopped = self._watch.failed(key, error) or self.stopped
