"""Reaching the ledger's database and bringing its tables up to date.

The database is the one behind an Airflow connection (``catalogue_db`` unless the settings name another), which
holds the shop's catalogue table as well; the ledger keeps to a schema of its own.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event, func, inspect, make_url, select, text
from sqlalchemy.pool import NullPool

from tryon_catalogue.ledger.tables import SCHEMA

if TYPE_CHECKING:
    from airflow.sdk import Connection as AirflowConnection
    from sqlalchemy import URL, Connection, Engine

    from tryon_catalogue.settings import Settings

MIGRATIONS = Path(__file__).with_name("migrations")
# Any fixed number will do: it keeps two processes from migrating the same database at once.
_MIGRATION_LOCK = 7_296_044_131


class LedgerSchemaError(Exception):
    """The ledger's schema is not there and the database's user may not make it; says what is to be run."""


def engine_for(url: URL | str, schema: str) -> Engine:
    """Make an engine whose statements find the ledger's tables in ``schema``.

    Args:
        schema: The PostgreSQL schema that holds the ledger's tables.
    """
    # Airflow's own choice of driver; it sends the rows of one statement without waiting for each.
    url = make_url(url).set(drivername="postgresql+psycopg")
    # A task opens few connections and ends: a pool would only hold them open across forks.
    engine = create_engine(url, poolclass=NullPool)
    return engine.execution_options(schema_translate_map={SCHEMA: schema})


def engine_from_connection(settings: Settings) -> Engine:
    """Make the ledger's engine from the Airflow connection that the settings name.

    Raises:
        airflow.exceptions.AirflowNotFoundException: When there is no such connection.
    """
    from airflow.sdk import BaseHook

    return _engine_over(BaseHook.get_connection(settings.catalogue.conn_id), settings)


async def engine_from_triggerer(settings: Settings) -> Engine:
    """Do the same inside an event loop, where asking Airflow for a connection must not block.

    Raises:
        airflow.exceptions.AirflowNotFoundException: When there is no such connection.
    """
    from airflow.sdk import BaseHook

    return _engine_over(await BaseHook.aget_connection(settings.catalogue.conn_id), settings)


def _engine_over(connection: AirflowConnection, settings: Settings) -> Engine:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    hook = PostgresHook(postgres_conn_id=settings.catalogue.conn_id, connection=connection)
    return engine_for(hook.sqlalchemy_url, settings.ledger.schema_name)


def with_patience(engine: Engine, *, lock: float, statement: float) -> Engine:
    """Let the engine's transactions give up, rather than wait for long: for people who wait for a page.

    Args:
        lock: Seconds that a statement may wait for a lock; so long the database may take to be reached, too.
        statement: Seconds that a statement may take.

    Returns:
        An engine of its own. What is given up raises sqlalchemy.exc.OperationalError.
    """
    url = engine.url.update_query_dict({"connect_timeout": str(math.ceil(lock))})
    impatient = create_engine(url, poolclass=NullPool)
    limits = ", ".join(
        f"set_config('{name}', '{round(seconds * 1000)}ms', true)"
        for name, seconds in {"lock_timeout": lock, "statement_timeout": statement}.items()
    )

    # In each transaction, not as options of the session: those are refused by poolers before a database.
    @event.listens_for(impatient, "begin")
    def limit(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT {limits}")

    return impatient.execution_options(**engine.get_execution_options())


def migrate(engine: Engine, schema: str) -> None:
    """Create the ledger's tables, or bring them to the newest revision; safe to run at any time.

    Args:
        schema: The schema to fill; it is created unless it is there.

    Raises:
        LedgerSchemaError: It is not there, and the database's user has no right to create it.
    """
    config = _config()
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        _make_schema(connection, schema)
        config.attributes.update(connection=connection, schema=schema)
        command.upgrade(config, "head")


def _make_schema(connection: Connection, schema: str) -> None:
    # CREATE SCHEMA IF NOT EXISTS asks for the right to create schemas even where there is nothing to create.
    if inspect(connection).has_schema(schema):
        return
    database, user, may = connection.execute(
        select(
            func.current_database(),
            func.current_user(),
            func.has_database_privilege(func.current_database(), "CREATE"),
        )
    ).one()
    if not may:
        raise LedgerSchemaError(
            f"The database {database} has no schema {schema}, and its user {user} may not make one. Let whoever "
            f'administers the database run there: CREATE SCHEMA "{schema}" AUTHORIZATION "{user}"; and then run '
            "`tryon init` again."
        )
    connection.execute(text(f'CREATE SCHEMA "{schema}"'))


def revisions(engine: Engine, schema: str) -> tuple[str | None, str | None]:
    """Say at which revision the ledger's tables are, and which is the newest."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table_schema": schema})
        return context.get_current_revision(), ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
