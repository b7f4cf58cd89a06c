"""The vendor's trigger, which tells the gate when the vendor throttles polls: submissions slow down as well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from damo_tryon.triggers import TryOnResultTrigger

if TYPE_CHECKING:
    from damo_tryon.errors import ThrottledError


class BatchResultTrigger(TryOnResultTrigger):
    """Polls the vendor for a batch's submissions; see ``TryOnResultTrigger``."""

    async def throttled(self, error: ThrottledError) -> None:
        """Hold back everybody who submits over the connection."""
        from tryon_catalogue.ledger.database import engine_from_triggerer
        from tryon_catalogue.settings import load_settings
        from tryon_catalogue.submission.gate import throttle

        engine = await engine_from_triggerer(await asyncio.to_thread(load_settings))
        await asyncio.to_thread(throttle, engine, self.conn_id, error)
