from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from tryon_catalogue.ledger.database import engine_for, migrate
from tryon_catalogue.ledger.tables import metadata


def test_the_migrations_make_the_tables_that_the_code_expects(engine: Engine) -> None:
    options = {
        "include_schemas": True,
        "version_table_schema": "tryon",
        # Indexes and constraints are the migrations' own; what the code relies on is columns and their types.
        "include_object": lambda _, __, kind, ___, ____: kind in {"table", "column"},
        "include_name": lambda name, kind, parent: kind != "schema" or name == "tryon",
    }
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    assert differences == []


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    before = _tables(engine, "tryon")
    migrate(engine, "tryon")
    assert _tables(engine, "tryon") == before


def test_the_ledger_keeps_to_the_schema_that_the_settings_name(empty_database_url: str) -> None:
    engine = engine_for(empty_database_url, "looks_of_the_shop")
    migrate(engine, "looks_of_the_shop")
    assert "looks" in _tables(engine, "looks_of_the_shop")
    assert _tables(engine, "public") == []
    with engine.connect() as connection:
        assert connection.execute(metadata.tables["tryon.looks"].select()).all() == []
        assert connection.execute(text("SHOW search_path")).scalar_one() == '"$user", public'


def _tables(engine: Engine, schema: str) -> list[str]:
    return sorted(inspect(engine).get_table_names(schema))
