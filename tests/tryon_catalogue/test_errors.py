from __future__ import annotations

import traceback

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from tryon_catalogue.errors import LedgerUnavailableError, plain_errors
from tryon_catalogue.ledger.database import engine_for


class BadExportError(Exception):
    """Says enough by itself."""


def _read() -> None:
    try:
        raise KeyError("deep inside")
    except KeyError as cause:
        raise BadExportError("the export has no column sku; check [export.columns]") from cause


def test_an_expected_error_comes_without_its_causes() -> None:
    with pytest.raises(BadExportError) as caught, plain_errors(BadExportError):
        _read()
    told = "".join(traceback.format_exception(caught.value))
    assert "the export has no column sku" in told
    assert "deep inside" not in told


def test_an_unexpected_error_keeps_them() -> None:
    with pytest.raises(BadExportError) as caught, plain_errors(LookupError):
        _read()
    assert "deep inside" in "".join(traceback.format_exception(caught.value))


def test_a_database_that_is_away_is_told_in_one_sentence() -> None:
    away = engine_for("postgresql://nobody@127.0.0.1:1/none", "tryon")
    with (
        pytest.raises(LedgerUnavailableError, match="gives no answer") as caught,
        plain_errors(),
        away.connect(),
    ):
        pass
    assert caught.value.__suppress_context__


def test_missing_tables_are_told_with_the_command_that_makes_them(empty_database_url: str) -> None:
    empty = engine_for(empty_database_url, "tryon")
    with (
        pytest.raises(LedgerUnavailableError, match="run: tryon init"),
        plain_errors(),
        empty.connect() as connection,
    ):
        connection.execute(text("SELECT * FROM tryon.looks"))


def test_another_mistake_in_a_statement_is_a_bug_and_stays_as_it_is(engine: Engine) -> None:
    with pytest.raises(ProgrammingError), plain_errors(), engine.connect() as connection:
        connection.execute(text("SELEC 1"))
