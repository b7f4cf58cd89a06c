"""The trigger that waits for a batch's results, and what it tells the ledger on the way.

The gate learns of it when the vendor throttles polls, and when submissions have ended: that makes room for the next
one at once, however long the task then waits for a worker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from airflow.triggers.base import TriggerEvent

from damo_tryon import errors
from damo_tryon.errors import TryOnError
from damo_tryon.triggers import TryOnResultTrigger
from tryon_catalogue.submission import errors as our_errors

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from damo_tryon.errors import ThrottledError

log = logging.getLogger(__name__)

FAILURE: Final = "failure"
_CARRIED: Final = ("message", "code", "request_id", "next_step", "result_key")


class BatchResultTrigger(TryOnResultTrigger):
    """Polls the vendor for a batch's submissions; see ``TryOnResultTrigger``.

    Args:
        failure: What submitting the batch failed with, as ``carry`` writes it; the event hands it back.
    """

    def __init__(self, *, failure: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.failure = failure

    def carry(self, failure: TryOnError | None) -> None:
        """Take along what submitting failed with: the task that goes on after the wait is another process."""
        if failure is not None:
            kept = {name: getattr(failure, name) for name in _CARRIED}
            self.failure = {"kind": type(failure).__name__, **kept}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the trigger is made from again in the triggerer; no secret is among it."""
        path, arguments = super().serialize()
        return path, arguments | {FAILURE: self.failure}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll, note in the ledger what has ended, and fire once."""
        async for event in super().run():
            if event.payload["error"] is None:  # exactly when all have ended
                await self._note_ended(float(event.payload["seen_at"]))
            yield TriggerEvent({**event.payload, FAILURE: self.failure})  # type: ignore[no-untyped-call]  # Airflow gives it no annotations

    async def throttled(self, error: ThrottledError) -> None:
        """Hold back everybody who submits over the connection."""
        from tryon_catalogue.submission.gate import throttle

        await asyncio.to_thread(throttle, await self._ledger(), self.conn_id, error)

    async def _note_ended(self, moment: float) -> None:
        from sqlalchemy.exc import InterfaceError, OperationalError

        from tryon_catalogue.submission.turns import note_ended

        ended = dict.fromkeys(self.result_keys, datetime.fromtimestamp(moment, UTC))
        try:
            await asyncio.to_thread(note_ended, await self._ledger(), ended)
        except (OperationalError, InterfaceError) as error:
            log.warning("The ledger gives no answer; the task notes what has ended: %s", error.orig)

    async def _ledger(self) -> Engine:
        from tryon_catalogue.ledger.database import engine_from_triggerer
        from tryon_catalogue.settings import load_settings

        return await engine_from_triggerer(await asyncio.to_thread(load_settings))


def failure_in(event: object) -> tuple[TryOnError | None, object]:
    """Take the failure that was carried out of an event.

    Args:
        event: What the triggerer fired, not yet checked.

    Returns:
        The failure, if any, and the event as ``TryOnResultTrigger`` fires it.
    """
    if not isinstance(event, Mapping):
        return None, event
    seen = dict(event)
    carried = seen.pop(FAILURE, None)
    if not carried:
        return None, seen
    kinds = vars(errors) | vars(our_errors)
    kind: type[TryOnError] = kinds[carried["kind"]]
    return kind(**{name: carried[name] for name in _CARRIED}), seen
