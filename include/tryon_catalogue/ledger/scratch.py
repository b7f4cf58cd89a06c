"""A copy of what a plan needs of the ledger, for one transaction: what is written there leaves no trace.

A preview is the real plan over such a copy. Over the ledger itself, though rolled back at the end, that plan would hold
every look of the export until then: a night that plans meanwhile would wait for all of it, or come to a deadlock with
it. The copy is read as of one moment. Of the ledger it takes the locks of a SELECT and no others, and it needs no right
to write there.

What has ended long ago stays where it is, unless the export asks for it: a ledger of years is not copied for a preview.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from tryon_catalogue.ledger.states import NOT_ENDED
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
    from datetime import datetime

    from sqlalchemy import Connection, Engine

COPIED: Final = (runs, collections)
"""What a plan reads and writes, with all its rows. A table in none of these tuples is read where it is."""
COPIED_IN_PART: Final = (submissions, looks, run_looks, garment_looks)
"""The same with the rows that may count: what is open, and what the export asks for; see `copy_requested`."""
LEFT_EMPTY: Final = (rejections,)
"""What a plan writes, and reads of its own run only."""
TEMPORARY: Final = "pg_temp"
"""PostgreSQL's name for the temporary schema of whoever asks."""
_OPEN: Final = ", ".join(f"'{state.value}'" for state in NOT_ENDED)
_OPEN_LOOKS: Final = f"SELECT key FROM {TEMPORARY}.looks"
_NO_GARMENTS: Final = "SELECT NULL::text"


@contextmanager
def scratch_ledger(engine: Engine, schema: str, since: datetime | None = None) -> Iterator[Connection]:
    """Give a connection to a copy of the ledger; everything is rolled back at the end, whatever happens.

    Args:
        schema: The ledger's schema.
        since: Settled submissions from then on are there too; today's are always.
    """
    with engine.connect() as connection:
        connection.execution_options(
            isolation_level="REPEATABLE READ", schema_translate_map={SCHEMA: TEMPORARY}
        )
        transaction = connection.begin()
        try:
            _copy(connection, schema, since)
            yield connection
        finally:
            transaction.rollback()


def copy_requested(connection: Connection, schema: str, asked: str) -> None:
    """Copy what the ledger has of the looks and garments that a part of an export asks for, before it is planned.

    Args:
        connection: To the copy.
        schema: The ledger's schema.
        asked: A table with the ``key`` of each look and the ``sku`` of its garment.
    """
    # Each by its key, one by one: left the choice, PostgreSQL reads all of the ledger for a few thousand.
    connection.execute(
        text(
            f"""
            INSERT INTO {TEMPORARY}.looks
            SELECT found.* FROM {asked} asked
            JOIN LATERAL (SELECT * FROM "{schema}".looks WHERE looks.key = asked.key LIMIT 1) found ON true
            ON CONFLICT DO NOTHING
            """
        )
    )
    _copy_garments(connection, schema, f"SELECT key FROM {asked}", f"SELECT sku FROM {asked}")


def _copy(connection: Connection, schema: str, since: datetime | None) -> None:
    for table in metadata.sorted_tables:
        name, source = table.name, f'"{schema}".{table.name}'
        if table not in (*COPIED, *COPIED_IN_PART, *LEFT_EMPTY):
            connection.execute(text(f"CREATE TEMPORARY VIEW {name} AS TABLE {source}"))
            continue
        connection.execute(
            text(f"CREATE TEMPORARY TABLE {name} (LIKE {source} INCLUDING ALL) ON COMMIT DROP")
        )
        if table in COPIED:
            connection.execute(text(f"INSERT INTO {TEMPORARY}.{name} OVERRIDING SYSTEM VALUE TABLE {source}"))
    _copy_open(connection, schema, since)
    for table in (*COPIED, *COPIED_IN_PART):
        # Nobody but this transaction could count it.
        connection.execute(text(f"ANALYZE {TEMPORARY}.{table.name}"))


def _copy_open(connection: Connection, schema: str, since: datetime | None) -> None:
    """Copy what is not ended, with all that belongs to it, and the submissions that count against a limit by time."""
    connection.execute(
        text(
            f"""
            INSERT INTO {TEMPORARY}.submissions OVERRIDING SYSTEM VALUE
            SELECT * FROM "{schema}".submissions
            WHERE NOT in_totals OR intended_at >= least(:since, date_trunc('day', now(), 'UTC'))
            """
        ),
        {"since": since},
    )
    connection.execute(
        text(
            f"""
            INSERT INTO {TEMPORARY}.looks
            SELECT * FROM "{schema}".looks WHERE state IN ({_OPEN})
            UNION
            SELECT looks.* FROM {TEMPORARY}.submissions
            JOIN LATERAL (
                SELECT looks.* FROM "{schema}".submission_looks
                JOIN "{schema}".looks ON looks.key = submission_looks.look_key
                WHERE submission_looks.submission_id = submissions.id OFFSET 0
            ) looks ON NOT in_totals
            """
        )
    )
    connection.execute(
        text(
            f"""
            INSERT INTO {TEMPORARY}.run_looks
            SELECT found.* FROM {TEMPORARY}.looks
            JOIN LATERAL (
                SELECT * FROM "{schema}".run_looks WHERE run_looks.look_key = looks.key OFFSET 0
            ) found ON true
            """
        )
    )
    _copy_garments(connection, schema, _OPEN_LOOKS, _NO_GARMENTS)


def _copy_garments(connection: Connection, schema: str, keys: str, skus: str) -> None:
    """Copy garments, each whole: one that is there has been planned by now, perhaps with fewer looks than before."""
    connection.execute(
        text(
            f"""
            INSERT INTO {TEMPORARY}.garment_looks
            SELECT found.* FROM (
                {skus}
                UNION
                SELECT shown.sku FROM ({keys}) AS asked (key)
                JOIN LATERAL (
                    SELECT sku FROM "{schema}".garment_looks WHERE garment_looks.look_key = asked.key OFFSET 0
                ) shown ON true
            ) AS garments (sku)
            JOIN LATERAL (
                SELECT * FROM "{schema}".garment_looks WHERE garment_looks.sku = garments.sku OFFSET 0
            ) found ON true
            WHERE NOT EXISTS (SELECT FROM {TEMPORARY}.garment_looks there WHERE there.sku = garments.sku)
            """
        )
    )
