"""Looks a second to the vendor and pictures a second back, each beside a bare loop that remembers nothing."""

from __future__ import annotations

import asyncio
import csv
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import aiohttp
import requests
from ground import MODEL, TOPS, Ground, database_cpu

from damo_tryon.hooks import ONCE, DamoTryOnHook
from tryon_catalogue.ledger.moves import Mover
from tryon_catalogue.planning.preflight.run import preflight_run
from tryon_catalogue.planning.record import plan_run
from tryon_catalogue.planning.runs import Run
from tryon_catalogue.publishing.publisher import Publisher
from tryon_catalogue.submission.batch import submit_batch
from tryon_catalogue.submission.gate import Gate
from tryon_catalogue.submission.journal import load_batch

ROUNDS = 3
LOOKS_A_ROUND = 100
AT_ONCE = 10  # of a submission


@dataclass(frozen=True, slots=True)
class Beside:
    """The same work done by us and by a bare loop, in turns.

    Attributes:
        count: How much of it each did.
        ours: Seconds we took.
        bare: Seconds the bare loop took.
        cpu: Seconds of CPU that we took, the database's among them.
    """

    count: int
    ours: float
    bare: float
    cpu: float

    @property
    def ratio(self) -> float:
        """How many times as long we take."""
        return self.ours / self.bare


def measure_vendor(ground: Ground) -> tuple[Beside, Beside]:
    """Submit and publish in turns with a bare loop; gives the two comparisons."""
    times = dict.fromkeys(("submit", "bare submit", "publish", "bare download"), 0.0)
    cpus = dict.fromkeys(times, 0.0)

    def cpu() -> float:
        return time.process_time() + database_cpu(ground.postgres)

    def timed(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        began, used = time.perf_counter(), cpu()
        came = work(*arguments)
        times[name] += time.perf_counter() - began
        cpus[name] += cpu() - used
        return came

    for number in range(ROUNDS):
        batch_ids = _plan(ground, number)
        keys = timed("bare submit", _bare_submit, ground, number)
        timed("submit", _submit, ground, batch_ids)
        links = [_links(ground, key) for key in keys]  # as the publishing has to ask as well
        timed("bare download", _bare_download, ground, keys)
        timed("publish", _publish, ground, batch_ids)
        if sum(map(len, links)) != LOOKS_A_ROUND:
            raise RuntimeError(
                "the sandbox had not made all pictures: the figures would compare different work"
            )
    count = ROUNDS * LOOKS_A_ROUND
    return (
        Beside(count, times["submit"], times["bare submit"], cpus["submit"]),
        Beside(count, times["publish"], times["bare download"], cpus["publish"]),
    )


def _plan(ground: Ground, number: int) -> tuple[int, ...]:
    export = ground.folder / f"round-{number}.csv"
    with export.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "title", "collection", "category", "image_url"])
        for place in range(LOOKS_A_ROUND):
            top = f"{ground.images_url}/{TOPS[place % len(TOPS)]}?ours={number}-{place}"
            writer.writerow([f"{number}-{place}", "Tee", "SS26", "tshirt", top])
    preflight_run(ground.engine, ground.settings, str(export))
    return plan_run(
        ground.engine, ground.settings, Run(f"bench/{number}", str(export), date(2026, 11, 20))
    ).batch_ids


def _submit(ground: Ground, batch_ids: tuple[int, ...]) -> None:
    hook = DamoTryOnHook(retry=ONCE)
    for batch_id in batch_ids:
        batch = load_batch(ground.engine, batch_id)
        gate = Gate(ground.engine, "damo_tryon", ground.settings, batch)
        submit_batch(
            ground.engine,
            hook.submit,
            batch,
            Mover(batch.run_id),
            ground.settings.price,
            budget=ground.settings.budget,
            gate=gate,
        )


def _bare_submit(ground: Ground, number: int) -> list[str]:
    keys = []
    with requests.Session() as session:
        for first in range(0, LOOKS_A_ROUND, AT_ONCE):
            task_list = [
                {
                    "model_image": f"{ground.images_url}/{MODEL}",
                    "tops_image": f"{ground.images_url}/{TOPS[place % len(TOPS)]}?bare={number}-{first + place}",
                }
                for place in range(AT_ONCE)
            ]
            data = {"fit_type": "HALF_BODY", "inference_num": 1, "task_list": task_list}
            keys.append(_call(session, ground, "submit", data)["result_key"])
    return keys


def _links(ground: Ground, key: str) -> list[str]:
    with requests.Session() as session:
        answer = _call(session, ground, "query", {"result_key": key})
    return [link for task in answer["task_list"] for link in task.get("results") or []]


def _call(session: requests.Session, ground: Ground, what: str, data: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"APPCODE {ground.appcode}", "X-Ca-Nonce": str(uuid.uuid4())}
    url = f"{ground.sandbox_url}/api/v1/tryon/{what}"
    answer: dict[str, Any] = session.post(url, json={"data": data}, headers=headers, timeout=60).json()[
        "data"
    ]
    return answer


def _publish(ground: Ground, batch_ids: tuple[int, ...]) -> None:
    hook = DamoTryOnHook()
    for batch_id in batch_ids:
        batch = load_batch(ground.engine, batch_id)
        by = Mover(batch.run_id)
        done = Publisher(ground.engine, ground.settings, lambda _: hook.query, by).publish_batch(batch)
        if not done.published or done.review or done.problems:
            raise RuntimeError(f"not every picture was published: {done}")


def _bare_download(ground: Ground, keys: list[str]) -> None:
    async def download(links: list[str]) -> None:
        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(_body(session, link) for link in links))

    for key in keys:
        asyncio.run(download(_links(ground, key)))


async def _body(session: aiohttp.ClientSession, link: str) -> bytes:
    async with session.get(link) as response:
        return await response.read()
