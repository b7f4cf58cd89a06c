"""The pool in a real Airflow's metadata database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tryon_catalogue.settings import load_settings
from tryon_catalogue.workflow.pool import (
    AS_MANY_AS_A_RUN_HAS,
    FEWEST_SLOTS,
    PoolError,
    check_pools,
    make_pool,
    slots_of,
)
from tryon_demo.local.postgres import LocalPostgres

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def airflow_database(postgres: LocalPostgres) -> Iterator[str]:
    """The URL of an empty database for Airflow."""
    yield postgres.create_database("airflow_for_the_pool")
    postgres.drop_database("airflow_for_the_pool")


@pytest.fixture
def airflow(airflow_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An Airflow that has its database and nothing else; gives the URL."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", airflow_database)
    return airflow_database


def test_a_pool_that_is_missing_or_another_than_the_settings_say_is_told_made_and_changed(
    airflow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    monkeypatch.setenv("TRYON_BATCHES__POOL", "checked")
    settings = load_settings()

    with pytest.raises(
        PoolError, match=r"there is no pool checked, .*there is no pool checked_backfill.*`tryon init`"
    ):
        check_pools(settings)

    make_pool("checked", 3)
    make_pool("checked_backfill", 8)
    with pytest.raises(
        PoolError, match="the pool checked has 3 slots, and the settings say 20: run `tryon init`"
    ):
        check_pools(settings)

    make_pool("checked", 20)
    assert check_pools(settings) == "checked with 20 slots, checked_backfill with 8 slots"

    with create_engine(airflow).begin() as connection:
        found = connection.execute(
            text("SELECT slots, include_deferred FROM slot_pool WHERE pool = 'checked'")
        ).all()
        assert found == [(20, True)]
        connection.execute(text("UPDATE slot_pool SET include_deferred = false WHERE pool = 'checked'"))
    with pytest.raises(PoolError, match="the pool checked does not count deferred tasks"):
        check_pools(settings)


def test_backfills_have_a_pool_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRYON_BATCHES__POOL", "shop")
    monkeypatch.setenv("TRYON_VENDOR__MAX_IN_FLIGHT", "12")
    monkeypatch.setenv("TRYON_BACKFILL__MAX_IN_FLIGHT", "9")
    assert slots_of(load_settings()) == {"shop": 12, "shop_backfill": 9}
    monkeypatch.setenv("TRYON_BACKFILL__MAX_IN_FLIGHT", "0")
    assert slots_of(load_settings()) == {"shop": 12, "shop_backfill": 12}


def test_a_vendor_without_a_limit_has_pools_that_bound_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRYON_VENDOR__MAX_IN_FLIGHT", "0")
    monkeypatch.setenv("TRYON_BACKFILL__MAX_IN_FLIGHT", "9")
    assert set(slots_of(load_settings()).values()) == {AS_MANY_AS_A_RUN_HAS, 9}


def test_a_vendor_that_takes_one_at_a_time_need_not_wait_until_its_pictures_are_published(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRYON_VENDOR__MAX_IN_FLIGHT", "1")
    assert set(slots_of(load_settings()).values()) == {FEWEST_SLOTS}


def test_an_airflow_without_its_database_is_told_with_its_own_words(
    airflow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg2://shop:secret@127.0.0.1:1/x"
    )
    with pytest.raises(PoolError) as caught:
        make_pool("damo_tryon", 16)
    assert "OperationalError" in str(caught.value)
    assert "`airflow db check`" in str(caught.value)
    assert "secret" not in str(caught.value)
