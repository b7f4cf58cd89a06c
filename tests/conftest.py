"""What tests of every part share: a real PostgreSQL server, and a fresh database for each test that asks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

from tryon_catalogue.local.postgres import LocalPostgres

if TYPE_CHECKING:
    from xdist.remote import Producer

# What starts Airflow: two at once would take each other's time.
WITH_AIRFLOW = (
    "tests/e2e/",
    "tests/dags/test_nightly.py",
    "tests/tryon_catalogue/demo/test_run.py",
    "tests/tryon_catalogue/local/test_stack.py",
)
_database_numbers = itertools.count(1)


class OneAirflow(LoadScopeScheduling):
    """Shares the tests among processes one by one, but for those with an Airflow of their own: one process has them."""

    def _split_scope(self, nodeid: str) -> str:
        return "with Airflow" if nodeid.startswith(WITH_AIRFLOW) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Begin with those, which take longest."""
    return OneAirflow(config, log)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """One server for the whole session, started when first asked for. Do not stop it: others use it."""
    with LocalPostgres(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture
def catalogue_database_url(postgres: LocalPostgres) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database that only this test uses; removed when the test ends."""
    name = f"catalogue_{next(_database_numbers)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)
