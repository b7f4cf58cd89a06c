"""Pages that wait for others: made once for all who ask, a few at a time, and in nobody else's threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from damo_tryon.serving import BusyError, PageMaker


class Kitchen:
    """Makes pages that are done when the test says so.

    Attributes:
        made: The pages whose making was begun.
        done: Set when they may be finished.
    """

    def __init__(self) -> None:
        self.made: list[str] = []
        self.done = asyncio.Event()

    def make(self, page: str) -> Callable[[], Awaitable[str]]:
        async def making() -> str:
            self.made.append(page)
            await self.done.wait()
            return page

        return making


async def ask(maker: PageMaker, kitchen: Kitchen, key: str, count: int = 1) -> list[asyncio.Task[str]]:
    """Let people ask for a page, and go on when each of them waits or was sent away."""
    tasks = [asyncio.create_task(maker.page(key, kitchen.make(key))) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_what_many_ask_for_at_once_is_made_once() -> None:
    maker, kitchen = PageMaker(), Kitchen()
    readers = await ask(maker, kitchen, "a", 10)
    kitchen.done.set()
    assert await asyncio.gather(*readers) == ["a"] * 10
    assert kitchen.made == ["a"]


async def test_one_page_too_many_is_refused_at_once_and_those_in_the_making_are_not() -> None:
    maker, kitchen = PageMaker(at_once=2), Kitchen()
    first = await ask(maker, kitchen, "a") + await ask(maker, kitchen, "b")
    (refused,) = await ask(maker, kitchen, "c")
    assert isinstance(refused.exception(), BusyError)
    first += await ask(maker, kitchen, "a")
    kitchen.done.set()
    assert await asyncio.gather(*first) == ["a", "b", "a"]
    assert kitchen.made == ["a", "b"]


async def test_one_reader_too_many_is_sent_away_at_once() -> None:
    maker, kitchen = PageMaker(readers=3), Kitchen()
    waiting = await ask(maker, kitchen, "a", 3)
    (refused,) = await ask(maker, kitchen, "a")
    assert isinstance(refused.exception(), BusyError)
    kitchen.done.set()
    assert await asyncio.gather(*waiting) == ["a"] * 3
    assert await maker.page("a", kitchen.make("a")) == "a"


async def test_who_was_told_to_come_back_finds_the_page() -> None:
    maker, kitchen = PageMaker(patience=0.01), Kitchen()
    with pytest.raises(BusyError, match="goes on being made"):
        await maker.page("a", kitchen.make("a"))
    kitchen.done.set()
    assert await maker.page("a", kitchen.make("a")) == "a"
    assert kitchen.made == ["a"]


async def test_a_reader_who_goes_away_takes_the_page_from_nobody() -> None:
    maker, kitchen = PageMaker(), Kitchen()
    first, second = await ask(maker, kitchen, "a", 2)
    first.cancel()
    kitchen.done.set()
    assert await second == "a"


@pytest.mark.parametrize("problem", [ValueError("no"), TimeoutError("of the page's own")])
async def test_what_goes_wrong_is_told_to_all_who_wait_and_tried_anew_by_who_comes_later(
    problem: Exception,
) -> None:
    maker, kitchen = PageMaker(), Kitchen()

    async def fail() -> str:
        await kitchen.done.wait()
        raise problem

    readers = [asyncio.create_task(maker.page("a", fail)) for _ in range(3)]
    await asyncio.sleep(0)
    kitchen.done.set()
    assert await asyncio.gather(*readers, return_exceptions=True) == [problem] * 3
    assert await maker.page("a", kitchen.make("a")) == "a"


@pytest.mark.parametrize(("fresh", "times"), [(1000.0, 1), (0.0, 2)])
async def test_a_page_is_kept_for_as_long_as_it_is_fresh(fresh: float, times: int) -> None:
    maker, kitchen = PageMaker(fresh=fresh), Kitchen()
    kitchen.done.set()
    for _ in range(2):
        await maker.page("a", kitchen.make("a"))
    assert kitchen.made == ["a"] * times


async def test_no_more_is_kept_than_there_is_room_for() -> None:
    maker, kitchen = PageMaker(most_kept=2, fresh=1000.0), Kitchen()
    kitchen.done.set()
    for key in ("a", "b", "ccc", "b", "d", "b"):
        assert await maker.page(key, kitchen.make(key)) == key
    assert kitchen.made == ["a", "b", "ccc", "b", "d"]


async def test_what_waits_waits_in_a_thread_of_its_own() -> None:
    maker = PageMaker(at_once=2)
    assert (await maker.in_thread(lambda: threading.current_thread().name)).startswith("tryon-page")
