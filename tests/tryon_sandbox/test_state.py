"""A sandbox with a state file goes on where the last one stopped."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests
from tests.guards import GUARD

from tryon_sandbox.server import running
from tryon_sandbox.settings import Pictures, SandboxSettings, Use
from tryon_sandbox.state import Store


def test_jobs_charges_credits_nonces_links_and_secrets_survive_a_restart(
    shared: Any, clock: Any, tmp_path: Path, gateway_error: Callable[..., str]
) -> None:
    settings = SandboxSettings(
        latency=60, credits=4, concurrency=1, pictures=Pictures.PLAIN, state=tmp_path / "sandbox.db"
    )
    make = type(shared)
    with running(settings, clock=clock) as first:
        caller = make(first, shared.wardrobe)
        headers = caller.headers()
        body = {
            "data": {"fit_type": "FULL_BODY", "inference_num": 1, "task_list": [caller.task(), caller.task()]}
        }
        key = caller.post("/api/v1/tryon/submit", body, headers).json()["data"]["result_key"]
        before = first.charges()

    with running(settings, clock=clock) as second:
        caller = make(second, shared.wardrobe)
        assert second.credentials == first.credentials
        assert second.charges() == before
        assert gateway_error(caller.post("/api/v1/tryon/submit", body, headers), 403, None) == "Nonce Used"
        assert [each["status"] for each in caller.states(key)] == ["RUNNING", "WAITING"]
        clock.now += 120
        link = caller.ended(key)[0]["results"][0]
        place = link.removeprefix(second.url)
        assert caller.submit(number=3).json()["code"] == "23500003"
        third_key = caller.submitted(number=2)

    with running(settings, clock=clock) as third:
        assert requests.get(third.url + place, timeout=GUARD).status_code == 200
        report = third.charges()
        assert (report.uses, report.credits_left, report.nonces_reused) == (4, 0, 1)
        assert third_key in {found for look in report.looks for found in look.result_keys}
        caller = make(third, shared.wardrobe)
        assert [each["status"] for each in caller.states(third_key)] == ["RUNNING"]


def test_a_state_file_of_a_sandbox_that_did_not_count_yet_is_counted(shared: Any, tmp_path: Path) -> None:
    settings = SandboxSettings(
        latency=0, credits=20, use=Use.LOOK, pictures=Pictures.PLAIN, state=tmp_path / "sandbox.db"
    )
    with running(settings) as first:
        caller = type(shared)(first, shared.wardrobe)
        caller.submitted(caller.task(), caller.task(), number=3)
        caller.submitted()
        before = first.charges()
    with contextlib.closing(sqlite3.connect(tmp_path / "sandbox.db")) as file, file:
        file.execute("DELETE FROM counters WHERE name NOT LIKE 'calls:%'")

    with running(settings) as second:
        after = second.charges()
    with running(replace(settings, use=Use.PICTURE)) as third:
        other = third.charges()

    assert (after, after.credits_left) == (before, 17)
    assert (other.uses, other.credits_left) == (7, 13)


def test_a_picture_not_yet_drawn_is_drawn_after_the_restart(
    shared: Any, shelf: Any, draw: Any, tmp_path: Path
) -> None:
    settings = SandboxSettings(latency=0, submit_rate=0, query_rate=0, state=tmp_path / "sandbox.db")
    make = type(shared)
    tasks = [shared.task(tops_image=shelf.put(draw.shirt((20 * shade, 30, 40)))) for shade in range(10)]
    with running(settings) as first:
        key = make(first, shared.wardrobe).submitted(*tasks)
    store = Store(tmp_path / "sandbox.db")
    undrawn = store.undrawn()
    store.close()

    with running(settings) as second:
        states = make(second, shared.wardrobe).ended(key)

    assert undrawn, "some were still to be drawn when the first sandbox ended"
    assert [(each["status"], len(each["results"])) for each in states] == [("SUCCESS", 1)] * 10


def test_without_a_state_file_nothing_is_left_behind(open_sandbox: Callable[..., Any]) -> None:
    caller = open_sandbox()
    folder = Path(caller.running.sandbox._scratch.name)
    caller.ended(caller.submitted())
    assert any(folder.iterdir())

    caller.running.sandbox.close()

    assert not folder.exists()
