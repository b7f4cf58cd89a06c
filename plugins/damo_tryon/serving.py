"""Makes the pages that Airflow's API server shows, without holding what Airflow answers its own requests with.

A page waits for others: a database, an archive, the vendor. Airflow's API server has some forty threads for all that is
asked of it, so none of them may wait for a page. Pages are made in a few threads of their own; who asks for a page that
is being made shares it; who asks for one too many is told at once to come back.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, TypeVar

RETRY_AFTER: Final = 5
"""Seconds after which somebody who was sent away may come back."""

_T = TypeVar("_T")
_Page = TypeVar("_Page", str, bytes)


class BusyError(Exception):
    """Nobody can be given the page now; says why in words. It may be asked for after `RETRY_AFTER` seconds."""


class PageMaker(Generic[_Page]):
    """Makes pages, as text or as bytes, each once for all who ask for it meanwhile, and keeps them for a moment.

    To be used from the event loop that serves the pages. Rights are the caller's to check, before.

    Args:
        at_once: Pages that may be in the making.
        readers: People who may wait for one, all told.
        patience: Seconds that one of them waits. The page is made all the same: who comes back finds it.
        fresh: Seconds for which a page is given to others as it is.
        most_kept: Characters or bytes of all pages that are kept.
    """

    def __init__(
        self,
        *,
        at_once: int = 4,
        readers: int = 16,
        patience: float = 20.0,
        fresh: float = 10.0,
        most_kept: int = 32_000_000,
    ) -> None:
        self.patience = patience
        self._at_once = at_once
        self._readers = readers
        self._fresh = fresh
        self._most_kept = most_kept
        self._waiting = 0
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="tryon-page")
        self._making: dict[Hashable, asyncio.Task[_Page]] = {}
        self._made: OrderedDict[Hashable, tuple[float, _Page]] = OrderedDict()

    async def page(self, key: Hashable, make: Callable[[], Awaitable[_Page]]) -> _Page:
        """Give a page: one that was made just now, one that is being made, or a new one.

        Args:
            key: What the page depends on: whoever gives the same key is given the same page.
            make: Makes it. What it raises is raised to all who wait for it, and not kept.

        Raises:
            BusyError: Too many are asking, or it takes too long.
        """
        self._forget_old()
        if key in self._made:
            return self._made[key][1]
        task = self._making.get(key)
        if self._waiting >= self._readers or (task is None and len(self._making) >= self._at_once):
            raise BusyError("Many people are asking for such pages just now.")
        if task is None:
            task = self._making[key] = asyncio.create_task(self._make(key, make))
            task.add_done_callback(self._end_of(key))
        self._waiting += 1
        try:
            # A reader who gives up, or goes away, takes it from nobody else.
            return await asyncio.wait_for(asyncio.shield(task), self.patience)
        except TimeoutError:
            if task.done():  # the page's own failure
                raise
            raise BusyError("The page takes long to make. It goes on being made.") from None
        finally:
            self._waiting -= 1

    async def in_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        """Do what waits in one of the page's own threads; for use while a page is made."""
        within = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: within.run(work, *arguments)
        )

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[_Page]]) -> _Page:
        page = await make()
        self._made[key] = (time.monotonic() + self._fresh, page)
        while sum(len(kept) for _, kept in self._made.values()) > self._most_kept:
            self._made.popitem(last=False)
        return page

    def _forget_old(self) -> None:
        while self._made and next(iter(self._made.values()))[0] <= time.monotonic():
            self._made.popitem(last=False)

    def _end_of(self, key: Hashable) -> Callable[[asyncio.Task[_Page]], None]:
        def end(task: asyncio.Task[_Page]) -> None:
            del self._making[key]
            if not task.cancelled():
                task.exception()  # known to whoever waited; where nobody did, there is nobody to tell

        return end
