"""The trigger that waits in the triggerer for a batch's turn to submit.

All that wait in one process for turns over one connection look at the ledger together, once a second: a hundred of
them cost as much as one. Its arguments are stored in Airflow's metadata database, so no secret is among them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final
from weakref import WeakKeyDictionary

from airflow.triggers.base import BaseTrigger, TriggerEvent

from damo_tryon.contract import Answer
from damo_tryon.errors import JobFailedError, TryOnError, UnknownResultKeyError
from tryon_catalogue.workflow.export_trigger import FIRST_LOOK_AFTER, Clock

if TYPE_CHECKING:
    from tryon_catalogue.submission.turns import Line

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS: Final = 1.2
"""With the signs of life, and the questions about what has ended, it is less than one statement a second."""
SECONDS_BETWEEN_SIGNS_OF_LIFE: Final = 30.0
SECONDS_WITHOUT_LEDGER: Final = 10.0
"""Until the ledger is asked again after it gave no answer."""
SECONDS_FULL_BEFORE_ASKING: Final = 60.0


class TurnTrigger(BaseTrigger):
    """Waits until a batch that stands in the line is let go, and fires once.

    Args:
        backfill: Whether it is of a backfill, which goes behind the nights.
        deadline: When to give up, in seconds since the epoch: absolute, so that a restart of the triggerer does not
            extend it.
    """

    def __init__(self, *, conn_id: str, batch_id: int, backfill: bool, deadline: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow gives it no annotations
        self.conn_id = conn_id
        self.batch_id = batch_id
        self.backfill = backfill
        self.deadline = deadline
        self.clock = Clock()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger is made from again in the triggerer; no secret is among it."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "conn_id": self.conn_id,
                "batch_id": self.batch_id,
                "backfill": self.backfill,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait beside the others and fire once, with whether the turn has come."""
        # One that fires earlier can overtake the scheduler, which then fails the task.
        await self.clock.sleep(FIRST_LOOK_AFTER)
        came = await SharedLine.of(self.conn_id, self.clock).wait(self.batch_id, self.backfill, self.deadline)
        payload = {"came": came, "deadline": self.deadline}
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]  # as above


class SharedLine:
    """The line of one connection for all who wait in one event loop: while anybody does, it looks for all of them.

    Args:
        clock: Of the first who waits.
    """

    _lines: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, SharedLine]]] = (
        WeakKeyDictionary()
    )

    def __init__(self, conn_id: str, clock: Clock) -> None:
        self._conn_id = conn_id
        self._clock = clock
        self._waiters: dict[int, tuple[bool, asyncio.Future[None]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, conn_id: str, clock: Clock) -> SharedLine:
        """Give the one of this event loop."""
        lines = cls._lines.setdefault(asyncio.get_running_loop(), {})
        return lines.setdefault(conn_id, cls(conn_id, clock))

    async def wait(self, batch_id: int, backfill: bool, deadline: float) -> bool:
        """Wait until a batch is let go.

        Args:
            deadline: When to give up, in seconds since the epoch.

        Returns:
            Whether it was let go in time.
        """
        future = asyncio.get_running_loop().create_future()
        mine = self._waiters[batch_id] = (backfill, future)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._pass_on)
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock.now())):
                await future
        except TimeoutError:
            return False
        finally:
            if self._waiters.get(batch_id) is mine:
                del self._waiters[batch_id]
        return True

    def _pass_on(self, looking: asyncio.Task[None]) -> None:
        """Let what looking has stumbled over be raised by each task, which is tried again."""
        error = None if looking.cancelled() else looking.exception()
        for _, future in self._waiters.values():
            if error is not None and not future.done():
                future.set_exception(error)

    async def _look(self) -> None:
        """Look for all who wait, until nobody does."""
        from sqlalchemy.exc import InterfaceError, OperationalError

        from tryon_catalogue.ledger.database import engine_from_triggerer
        from tryon_catalogue.settings import load_settings
        from tryon_catalogue.submission.turns import Line, Waiter

        settings = await asyncio.to_thread(load_settings)
        line = Line(await engine_from_triggerer(settings), self._conn_id, settings)
        alive_until = full_since = 0.0
        while self._waiters:
            seconds = SECONDS_BETWEEN_LOOKS
            try:
                now = self._clock.now()
                # In threads: PostgreSQL's driver would hold up every other trigger of the process.
                if now >= alive_until:
                    waiters = [
                        Waiter(batch_id, backfill) for batch_id, (backfill, _) in self._waiters.items()
                    ]
                    await asyncio.to_thread(line.stay, waiters)
                    alive_until = now + SECONDS_BETWEEN_SIGNS_OF_LIFE
                else:
                    traffic, free = await asyncio.to_thread(line.look, list(self._waiters))
                    if line.may_let_go(traffic):
                        free |= await asyncio.to_thread(line.let_go)
                    self._wake(free)
                    full_since = (full_since or now) if line.is_full(traffic) else 0.0
                    if full_since and now - full_since >= SECONDS_FULL_BEFORE_ASKING:
                        full_since = now
                        self._ask_the_silent(line)
            except (OperationalError, InterfaceError) as error:
                log.warning("The ledger gives no answer; it is asked again in a while: %s", error.orig)
                seconds = SECONDS_WITHOUT_LEDGER
            await self._clock.sleep(seconds)

    def _wake(self, free: frozenset[int]) -> None:
        for batch_id in free & self._waiters.keys():
            _, future = self._waiters.pop(batch_id)
            if not future.done():
                future.set_result(None)

    def _ask_the_silent(self, line: Line) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(ask_the_silent(line, self._conn_id))


async def ask_the_silent(line: Line, conn_id: str) -> None:
    """Ask the vendor for the oldest submissions in flight, where nobody has seen any end for long."""
    from damo_tryon.hooks import ONCE, DamoTryOnHook

    query = DamoTryOnHook(conn_id, retry=ONCE).async_query
    ended = {
        key: moment
        for key in await asyncio.to_thread(line.silent_keys)
        if (moment := await _end_of(query, key))
    }
    await asyncio.to_thread(line.note_ended, ended)


async def _end_of(query: Callable[[str], Awaitable[Answer]], key: str) -> datetime | None:
    """Give when a submission was seen to have ended, which is now; None when it was not."""
    try:
        ended = (await query(key)).ended
    except (UnknownResultKeyError, JobFailedError):
        ended = True
    except TryOnError as error:
        log.warning("Whether anything in flight has ended is not known: %s", error)
        return None
    return datetime.now(UTC) if ended else None
