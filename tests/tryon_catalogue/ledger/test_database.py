from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, make_url, select, text

from tryon_catalogue.ledger.database import MIGRATIONS, LedgerSchemaError, engine_for, migrate
from tryon_catalogue.ledger.tables import collection_totals, metadata, pictures, runs, submissions
from tryon_catalogue.submission.journal import sent_tasks


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


def test_what_was_sent_before_that_was_kept_is_taken_from_the_looks(old_ledger: Engine) -> None:
    migrate(old_ledger, "tryon")
    (task,) = sent_tasks(old_ledger, 1)
    assert task.to_wire() == {
        "model_image": "https://a.example/m",
        "tops_image": "https://a.example/t",
        "pants_image": "https://a.example/p",
    }


@pytest.mark.parametrize(
    "ways", [("PUBLISHED",), ("REVIEW",), ("PUBLISHED", "PLANNED"), ("REVIEW", "PLANNED")]
)
def test_pictures_from_before_are_shown_unless_a_person_had_yet_to_look_at_them(
    old_ledger: Engine, ways: tuple[str, ...]
) -> None:
    with old_ledger.begin() as connection:
        for state in ("SUCCEEDED", *ways):
            connection.execute(text("UPDATE tryon.looks SET state = :state"), {"state": state})
    migrate(old_ledger, "tryon")
    with old_ledger.connect() as connection:
        assert connection.execute(select(pictures.c.shown)).scalar_one() is (ways[0] == "PUBLISHED")


def test_pictures_that_a_person_refused_before_a_look_was_made_again_wait_no_longer(
    old_ledger: Engine,
) -> None:
    with old_ledger.begin() as connection:
        for state in ("SUCCEEDED", "REVIEW", "PLANNED", "SUBMITTING", "SUBMITTED", "SUCCEEDED"):
            connection.execute(text("UPDATE tryon.looks SET state = :state"), {"state": state})
    migrate(old_ledger, "tryon")
    with old_ledger.connect() as connection:
        assert connection.execute(select(pictures)).all() == []


def test_what_earlier_submissions_came_to_is_in_the_totals(old_ledger: Engine) -> None:
    with old_ledger.begin() as connection:
        connection.execute(text("UPDATE tryon.submissions SET state = 'COLLECTED', amount = 0.95"))
    migrate(old_ledger, "tryon")
    with old_ledger.connect() as connection:
        assert connection.execute(select(collection_totals)).all() == [("", Decimal("0.95"), 1, 1)]
        assert connection.execute(select(submissions.c.in_totals)).scalars().all() == [True]


def test_of_runs_of_an_earlier_release_those_that_were_planned_count_as_cut(first_ledger: Engine) -> None:
    with first_ledger.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO tryon.runs (id, export, export_date, started_at, planned_at) VALUES"
                " ('planned', 'e', '2026-11-20', '2026-11-21 02:00Z', '2026-11-21 02:10Z'),"
                " ('dead', 'e', '2026-11-20', '2026-11-21 02:00Z', NULL)"
            )
        )
    migrate(first_ledger, "tryon")
    with first_ledger.connect() as connection:
        found = {run.id: run for run in connection.execute(select(runs))}
    assert (found["planned"].cut_at, found["dead"].cut_at) == (found["planned"].planned_at, None)
    assert all(run.opened_at == run.started_at for run in found.values())
    assert all((run.rows_further, run.rows_left_out) == (0, {}) for run in found.values())


@pytest.fixture
def first_ledger(empty_database_url: str) -> Engine:
    """A ledger of the first revision, empty."""
    engine = engine_for(empty_database_url, "tryon")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA tryon"))
        config.attributes.update(connection=connection, schema="tryon")
        command.upgrade(config, "0001")
    return engine


@pytest.fixture
def old_ledger(first_ledger: Engine) -> Engine:
    """A ledger of the first revision, with a look that was submitted, and a picture of it."""
    with first_ledger.begin() as connection:
        connection.execute(text("SET LOCAL search_path TO tryon"))
        connection.execute(
            text("""
            INSERT INTO runs (id, export, export_date) VALUES ('dag/run', 'export.csv', '2026-11-20');
            INSERT INTO batches (run_id, fit_type, inference_num) VALUES ('dag/run', 'HALF_BODY', 1);
            INSERT INTO looks (key, fit_type, inference_num, model, model_image, tops_image, pants_image, state,
                position, moved_run, moved_try)
            VALUES (repeat('a', 64), 'HALF_BODY', 1, 'anna', 'https://a.example/m', 'https://a.example/t',
                'https://a.example/p', 'SUBMITTED', 0, 'dag/run', 1);
            INSERT INTO submissions (batch_id, run_id, try_number, conn_id, state, fit_type, inference_num, result_key)
            VALUES (1, 'dag/run', 1, 'damo_tryon', 'SUBMITTED', 'HALF_BODY', 1, 'key');
            INSERT INTO submission_looks VALUES (1, 0, repeat('a', 64));
            INSERT INTO pictures (look_key, number, path, url, sha256, bytes, width, height)
            VALUES (repeat('a', 64), 0, '/1.jpg', '/1.jpg', repeat('b', 64), 1, 1, 1);
            """)
        )
    return first_ledger


@pytest.fixture
def shop_user(empty_database_url: str) -> Iterator[Engine]:
    """An engine of a user who has no right in the database but those that a test gives to the role shop_user."""
    admin = engine_for(empty_database_url, "tryon")
    with admin.begin() as connection:
        connection.execute(text("CREATE ROLE shop_user LOGIN"))
    user = engine_for(make_url(empty_database_url).set(username="shop_user"), "tryon")
    yield user
    user.dispose()
    with admin.begin() as connection:
        connection.execute(text("DROP OWNED BY shop_user CASCADE"))
        connection.execute(text("DROP ROLE shop_user"))
    admin.dispose()


def test_a_schema_that_an_administrator_has_made_needs_no_right_to_make_one(
    shop_user: Engine, empty_database_url: str
) -> None:
    with engine_for(empty_database_url, "tryon").begin() as admin:
        admin.execute(text("CREATE SCHEMA tryon AUTHORIZATION shop_user"))
    migrate(shop_user, "tryon")
    migrate(shop_user, "tryon")
    assert "looks" in _tables(shop_user, "tryon")


def test_without_schema_and_right_the_error_says_what_the_administrator_has_to_run(
    shop_user: Engine, empty_database_url: str
) -> None:
    with pytest.raises(LedgerSchemaError) as caught:
        migrate(shop_user, "tryon")
    command = 'CREATE SCHEMA "tryon" AUTHORIZATION "shop_user";'
    assert command in str(caught.value)
    with engine_for(empty_database_url, "tryon").begin() as admin:
        admin.execute(text(command))
    migrate(shop_user, "tryon")
    assert "looks" in _tables(shop_user, "tryon")


def _tables(engine: Engine, schema: str) -> list[str]:
    return sorted(inspect(engine).get_table_names(schema))
