"""A copy of the ledger that lasts as long as one transaction: what a plan writes there leaves no trace.

A preview is the real plan over such a copy. Over the ledger itself, though rolled back at the end, that plan would hold
every look of the export until then: a night that plans meanwhile would wait for all of it, or come to a deadlock with
it. The copy is read as of one moment. Of the ledger it takes the locks of a SELECT and no others, and it needs no right
to write there.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from tryon_catalogue.ledger.tables import (
    SCHEMA,
    collections,
    garment_looks,
    looks,
    metadata,
    rejections,
    run_looks,
    runs,
    submissions,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

COPIED: Final = (runs, looks, run_looks, garment_looks, collections, submissions)
"""What a plan reads and writes: tables with their rows. A table in neither tuple is read where it is."""
LEFT_EMPTY: Final = (rejections,)
"""What a plan writes, and reads of its own run only."""
TEMPORARY: Final = "pg_temp"
"""PostgreSQL's name for the temporary schema of whoever asks."""


@contextmanager
def scratch_ledger(engine: Engine, schema: str) -> Iterator[Connection]:
    """Give a connection to a copy of the ledger; everything is rolled back at the end, whatever happens.

    Args:
        schema: The ledger's schema.
    """
    with engine.connect() as connection:
        connection.execution_options(
            isolation_level="REPEATABLE READ", schema_translate_map={SCHEMA: TEMPORARY}
        )
        transaction = connection.begin()
        try:
            _copy(connection, schema)
            yield connection
        finally:
            transaction.rollback()


def _copy(connection: Connection, schema: str) -> None:
    for table in metadata.sorted_tables:
        name, source = table.name, f'"{schema}".{table.name}'
        if table not in (*COPIED, *LEFT_EMPTY):
            connection.execute(text(f"CREATE TEMPORARY VIEW {name} AS TABLE {source}"))
            continue
        connection.execute(
            text(f"CREATE TEMPORARY TABLE {name} (LIKE {source} INCLUDING ALL) ON COMMIT DROP")
        )
        if table in COPIED:
            connection.execute(text(f"INSERT INTO {TEMPORARY}.{name} OVERRIDING SYSTEM VALUE TABLE {source}"))
            # Nobody but this transaction could count it.
            connection.execute(text(f"ANALYZE {TEMPORARY}.{name}"))
