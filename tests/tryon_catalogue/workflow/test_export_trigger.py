"""The trigger that waits for an export: its pace, its patience, what it stores. Its clock is made up, files are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.module_loading import import_string

from tryon_catalogue.exports import places
from tryon_catalogue.workflow.export_trigger import FIRST_LOOK_AFTER, SPREAD, Clock, ExportTrigger

START = 1_000_000.0
ROW = "sku,category,image_url\na,dress,https://shop.example/a.jpg\n"


class Time:
    """A clock that only moves when somebody sleeps; things happen when it has moved so far."""

    def __init__(self, *events: tuple[float, Callable[[], object]]) -> None:
        self.now = START
        self.slept: list[float] = []
        self.events = list(events)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        while self.events and self.now >= START + self.events[0][0]:
            self.events.pop(0)[1]()


def trigger_for(path: Path | str, time: Time, seconds: float = 1_000.0, **changes: Any) -> ExportTrigger:
    values = {"conn_id": None, "marker": None, "deadline": START + seconds, "interval": 60.0, **changes}
    made = ExportTrigger(path=str(path), **values)
    made.clock = Clock(now=lambda: time.now, sleep=time.sleep)
    return made


async def fired(made: ExportTrigger) -> Any:
    (event,) = [event async for event in made.run()]
    return event.payload


async def test_it_fires_once_the_export_is_there(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    time = Time((200, lambda: file.write_text(ROW)))
    assert await fired(trigger_for(file, time)) is None
    assert 200 <= time.now - START <= 200 + 60 * (1 + SPREAD)


async def test_it_waits_for_the_marker_too(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    marker = tmp_path / "_SUCCESS"
    time = Time((100, lambda: file.write_text(ROW)), (400, marker.touch))
    assert await fired(trigger_for(file, time, marker="_SUCCESS")) is None
    assert time.now - START >= 400


async def test_a_file_that_is_still_empty_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.touch()
    time = Time((300, lambda: file.write_text(ROW)))
    assert await fired(trigger_for(file, time)) is None
    assert time.now - START >= 300


async def test_an_export_in_object_storage_is_seen_though_its_folder_was_listed_before(
    tmp_path: Path,
) -> None:
    time = Time((100, lambda: (tmp_path / "part-1.csv").write_text(ROW)))
    assert await fired(trigger_for(f"file://{tmp_path}/*.csv", time)) is None
    assert time.now - START < 200


async def test_a_storage_that_is_away_for_a_while_does_not_end_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "export.csv"
    file.write_text(ROW)
    faults = [RuntimeError("no endpoint"), TimeoutError()]
    looked = places.problem_with

    def look(*where: Any) -> Any:
        if faults:
            raise faults.pop()
        return looked(*where)

    monkeypatch.setattr(places, "problem_with", look)
    time = Time()
    assert await fired(trigger_for(file, time)) is None
    assert len(time.slept) == 3


async def test_it_gives_up_at_the_hour_with_one_last_look(tmp_path: Path) -> None:
    time = Time()
    said = await fired(trigger_for(tmp_path / "export.csv", time, seconds=150))
    assert "is not there" in said
    assert 150 <= time.now - START <= 150 + FIRST_LOOK_AFTER
    assert len(time.slept) == 3


@pytest.mark.parametrize("interval", [0.1, 60.0])
async def test_the_first_look_comes_late_enough_for_the_scheduler(tmp_path: Path, interval: float) -> None:
    time = Time()
    await fired(trigger_for(tmp_path / "export.csv", time, seconds=-5, interval=interval))
    assert time.slept[0] >= FIRST_LOOK_AFTER


async def test_nights_that_wait_together_do_not_look_together(tmp_path: Path) -> None:
    firsts = set()
    for _ in range(10):
        time = Time()
        await fired(trigger_for(tmp_path / "export.csv", time, seconds=100))
        firsts.add(time.slept[0])
    assert len(firsts) > 5


def test_it_is_made_anew_from_what_airflow_stores_of_it() -> None:
    made = ExportTrigger(
        path="s3://shop/{ds}.csv", conn_id="shop", marker="_SUCCESS", deadline=START, interval=30.0
    )
    path, stored = made.serialize()
    again = import_string(path)(**json.loads(json.dumps(stored)))
    assert again.serialize() == made.serialize()
