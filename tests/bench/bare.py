"""The same looks without a memory: submit, poll, download, in one bare asyncio program. It forgets all if it dies."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp

LOOKS_A_SUBMISSION: Final = 10
SECONDS_BETWEEN_POLLS: Final = 1.0
SUBMISSIONS_A_SECOND: Final = 5
RUNNING: Final = {"WAITING", "RUNNING"}


def run_bare(url: str, appcode: str, looks: Sequence[dict[str, str]], folder: Path, at_once: int) -> float:
    """Make pictures of looks, and give the seconds until the last one is in the folder.

    Args:
        url: Of the vendor.
        appcode: Lets us in.
        looks: Tasks as the vendor takes them, ten to a submission.
        folder: Is filled with the pictures.
        at_once: Submissions that the vendor has at once.
    """
    began = time.monotonic()
    asyncio.run(_all(url, appcode, looks, folder, at_once))
    return time.monotonic() - began


async def _all(url: str, appcode: str, looks: Sequence[dict[str, str]], folder: Path, at_once: int) -> None:
    room, door = asyncio.Semaphore(at_once), asyncio.Lock()
    async with aiohttp.ClientSession(headers={"Authorization": f"APPCODE {appcode}"}) as session:

        async def call(path: str, data: dict[str, Any]) -> dict[str, Any]:
            headers = {"X-Ca-Nonce": str(uuid.uuid4())}
            async with session.post(
                f"{url}/api/v1/tryon/{path}", json={"data": data}, headers=headers
            ) as answer:
                found = (await answer.json())["data"]
                return dict(found)

        async def submission(number: int, tasks: Sequence[dict[str, str]]) -> None:
            async with room:
                async with door:
                    await asyncio.sleep(1 / SUBMISSIONS_A_SECOND)
                    key = (await call("submit", {"fit_type": "HALF_BODY", "task_list": tasks}))["result_key"]
                states = [{"status": "WAITING"}]
                while any(state["status"] in RUNNING for state in states):
                    await asyncio.sleep(SECONDS_BETWEEN_POLLS)
                    states = (await call("query", {"result_key": key}))["task_list"]
            for position, state in enumerate(states):
                for link in state["results"]:
                    async with session.get(link) as picture:
                        (folder / f"{number}-{position}.jpg").write_bytes(await picture.read())

        groups = [looks[at : at + LOOKS_A_SUBMISSION] for at in range(0, len(looks), LOOKS_A_SUBMISSION)]
        await asyncio.gather(*(submission(number, group) for number, group in enumerate(groups)))
