"""What tests of every part share: a real PostgreSQL server, and a fresh database for each test that asks."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tryon_demo.local.postgres import LocalPostgres

if "AIRFLOW_HOME" not in os.environ:
    # Importing Airflow makes its home folder; the tests' one is not that of the person who runs them.
    _AIRFLOW_HOME = TemporaryDirectory(prefix="airflow-home-", ignore_cleanup_errors=True)
    os.environ["AIRFLOW_HOME"] = _AIRFLOW_HOME.name

# The settings of the person who runs the tests are a shop's; the tests' are the sample shop's.
for _name in [one for one in os.environ if re.match(r"TRYON_(?!WRITE_)", one, re.IGNORECASE)]:
    del os.environ[_name]
os.environ["TRYON_SETTINGS"] = str(Path(__file__).parents[1] / "include" / "samples" / "tryon.toml")

# No property depends on how fast this machine is.
hypothesis_settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("any speed")

# What the tests of the shop's side and of the demo share; loaded after the environment is as the tests want it.
pytest_plugins = ["tests.tryon_catalogue.fixtures"]

_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of a random name is made in it
_MEMORY_TO_SPARE = 4 * 1024**3
_database_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory, where the machine has 4 GB to spare: a database is made in 0.02 s there, on disk in 0.3."""
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _MEMORY_TO_SPARE:
        yield tmp_path_factory.mktemp("quick")
        return
    with TemporaryDirectory(prefix="tryon-tests-", dir=_MEMORY) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres(quick_folder: Path) -> Iterator[LocalPostgres]:
    """One server for the whole session, started when first asked for. Do not stop it: others use it."""
    with LocalPostgres(quick_folder / "postgres", durable=False) as server:
        yield server


@contextmanager
def fresh_database(server: LocalPostgres, template: str = "template1") -> Iterator[str]:
    """Make a database within the block, and give its SQLAlchemy URL.

    Args:
        template: The database it is a copy of.
    """
    name = f"fresh_{next(_database_numbers)}"
    yield server.create_database(name, template=template)
    server.drop_database(name)


@pytest.fixture
def empty_database_url(postgres: LocalPostgres) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database that only this test uses; removed when the test ends."""
    with fresh_database(postgres) as url:
        yield url
