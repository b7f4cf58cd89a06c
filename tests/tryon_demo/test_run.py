"""The demo as a person starts it: the command in a process of its own, on a home that is left as it fell."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from tests.guards import GUARD
from tryon_catalogue.ledger.database import engine_for
from tryon_catalogue.ledger.tables import looks
from tryon_catalogue.looks import LookState
from tryon_catalogue.pictures.archive import OURS
from tryon_catalogue.settings import ENV_FILE
from tryon_demo.local.locks import FolderLock
from tryon_demo.local.postgres import LocalPostgres
from tryon_demo.local.processes import marked_processes
from tryon_demo.run import run_demo

LOOKS = 27
LONGEST_DEMO_SECONDS = 600
REAL_SHOP = {"TRYON_CATALOGUE__TABLE": "shop.products", "tryon_price__per_use": "7"}
"""Settings of a shop of the person's own, which are no business of the demo's."""
NOT_SENT_YET = {LookState.PLANNED.value, LookState.SUBMITTING.value}


@pytest.fixture(autouse=True)
def _environment_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_FILE, os.environ[ENV_FILE])  # a demo in this process drops it


def start(home: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start a demo that ends by itself."""
    with output.open("wb") as file:
        return subprocess.Popen(
            [Path(sys.executable).with_name("tryon"), "demo", "--home", home, "--exit"],
            env={**os.environ, **REAL_SHOP, "COLUMNS": "120"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def running(home: Path, output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a demo that is told to leave when the block is left, if it has not by then."""
    process = start(home, output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(GUARD)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a demo ended and what it printed, with runs of spaces made one."""

    code: int
    said: str


def run_to_the_end(home: Path, output: Path) -> Ended:
    with running(home, output) as process:
        code = process.wait(LONGEST_DEMO_SECONDS)
    return Ended(code, " ".join(output.read_text().split()))


def states(home: Path) -> Counter[str]:
    """Count the looks of a demo from outside; none while its ledger is not there yet."""
    engine = engine_for(LocalPostgres(home / "postgres").url("catalogue"), "tryon")
    try:
        with engine.connect() as connection:
            found = connection.execute(
                select(looks.c.state, func.count().label("looks")).group_by(looks.c.state)
            )
            return Counter({row.state: row.looks for row in found})
    except DBAPIError:
        return Counter()


def wait_until_all_is_sent(home: Path, demo: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST_DEMO_SECONDS
    while (counts := states(home)).total() < LOOKS or any(counts[state] for state in NOT_SENT_YET):
        assert demo.poll() is None, "the demo ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.1)


def pictures_of(home: Path) -> list[Path]:
    """Find the archived pictures; small copies lie beside them in folders of their own."""
    archive = home / "archive"
    return [path for path in archive.rglob("*.jpg") if path.relative_to(archive).parts[0] not in OURS]


def left_behind(home: Path) -> list[psutil.Process]:
    """What still runs of a demo's home; its PostgreSQL may belong to another user, and is known by its socket."""
    socket = LocalPostgres(home / "postgres").socket_folder / ".s.PGSQL.5432"
    assert not socket.exists()
    return marked_processes(home)


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_a_first_demo_makes_every_look_and_ends_well(tmp_path: Path) -> None:
    home = tmp_path / "demo"

    ended = run_to_the_end(home, tmp_path / "first.txt")

    assert ended.code == 0, ended.said
    assert "looks 27 to make │" in ended.said
    assert "27 uses by the sandbox, 27 expected by the ledger" in ended.said
    assert "✓ Every look ended as it should." in ended.said
    assert len(pictures_of(home)) == LOOKS
    assert "All 27 looks published" in (home / "report.html").read_text(encoding="utf-8")
    assert left_behind(home) == []


@pytest.mark.e2e
@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_demo_after_a_killed_one_finishes_its_night_and_pays_for_nothing_again(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    with running(home, tmp_path / "killed.txt") as demo:
        wait_until_all_is_sent(home, demo)

        refused = run_to_the_end(home, tmp_path / "refused.txt")
        assert refused.code == 1
        assert "in use by another live process" in refused.said
        assert "Traceback" not in refused.said

        demo.kill()
        demo.wait()

    ended = run_to_the_end(home, tmp_path / "next.txt")

    assert ended.code == 0, ended.said
    assert "looks 0 to make, 27 known before" in ended.said
    assert "cost ¥0 " in ended.said
    assert "0 uses by the sandbox, 0 expected by the ledger" in ended.said
    assert "27 looks paid for so far, none of them twice" in ended.said
    assert len(pictures_of(home)) == LOOKS
    assert left_behind(home) == []


def test_a_port_that_is_taken_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_demo(tmp_path / "demo", stay=False, airflow_port=port) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"The demo cannot go on: port {port}")
    assert said.count("\n") == 1


def test_a_home_that_another_process_holds_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holder = FolderLock(tmp_path)
    holder.take()
    try:
        assert run_demo(tmp_path, stay=False) == 1
    finally:
        holder.release()
    assert f"{tmp_path} is in use by another live process" in capsys.readouterr().err


def test_a_home_that_is_a_file_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo").write_text("not a folder")
    assert run_demo(tmp_path / "demo", stay=False) == 1
    assert str(tmp_path / "demo") in capsys.readouterr().err


def test_where_nothing_is_a_terminal_plain_lines_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo").write_text("not a folder")
    run_demo(tmp_path / "demo", stay=False)
    said = capsys.readouterr().out
    assert "Starting (the first time takes about a minute) …\n" in said
    assert "\x1b" not in said


def test_the_settings_of_a_real_shop_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REAL_SHOP.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "demo").write_text("not a folder")
    run_demo(tmp_path / "demo", stay=False)
    assert [name for name in os.environ if name.upper().startswith("TRYON_")] == []


def test_away_from_a_checkout_the_demo_says_that_it_needs_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tryon_demo.scene.SETTINGS", tmp_path / "tryon.toml")
    assert run_demo(tmp_path / "demo", stay=False) == 1
    said = capsys.readouterr().err
    assert said.startswith("The demo cannot go on: it needs the DAGs and the samples of a checkout")
    assert "`make demo`" in said
    assert not (tmp_path / "demo").exists()
