"""What tests of every part share: a real PostgreSQL server, and a fresh database for each test that asks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tryon_catalogue.local.postgres import LocalPostgres

_database_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """One server for the whole session, started when first asked for. Do not stop it: others use it."""
    with LocalPostgres(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@contextmanager
def fresh_database(server: LocalPostgres, template: str = "template1") -> Iterator[str]:
    """Make a database within the block, and give its SQLAlchemy URL.

    :param template: the database it is a copy of
    """
    name = f"fresh_{next(_database_numbers)}"
    yield server.create_database(name, template=template)
    server.drop_database(name)


@pytest.fixture
def empty_database_url(postgres: LocalPostgres) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database that only this test uses; removed when the test ends."""
    with fresh_database(postgres) as url:
        yield url
