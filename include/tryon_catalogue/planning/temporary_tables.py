"""Tables that live as long as one transaction: the looks that a chunk asks for, and how a run is cut.

A hundred thousand looks are planned by a few statements over them instead of a few statements each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CHAR,
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    MetaData,
    SmallInteger,
    Table,
    Text,
    select,
    text,
)

from tryon_catalogue.ledger.tables import KEY, looks

if TYPE_CHECKING:
    from sqlalchemy import Connection, FromClause

_metadata = MetaData()

REQUESTED = Table(
    "requested",
    _metadata,
    Column("sku", Text, index=True),
    Column("place", SmallInteger, doc="among the looks of the garment, from 0"),
    Column("cast", SmallInteger, doc="looks of the garment, those that its pictures rule out included"),
    Column("title", Text),
    Column("collection", Text),
    Column("priority", Float, doc="of the garment; null when it has none"),
    Column("position", BigInteger, doc="in the export"),
    Column("first", Boolean, doc="whether the look stands here for the first time"),
    Column("key", KEY),
    Column("fit_type", Text),
    Column("inference_num", SmallInteger),
    Column("model", Text),
    Column("model_image", Text),
    Column("tops_image", Text),
    Column("pants_image", Text),
    Column("mask_image", Text),
    Column("model_sha256", CHAR(64)),
    Column("tops_sha256", CHAR(64)),
    Column("pants_sha256", CHAR(64)),
    Column("mask_sha256", CHAR(64)),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""One row for each look of each garment, whether the ledger has the look or not."""

LOOKS_OF_RUN = Table(
    "looks_of_run",
    _metadata,
    Column("key", KEY, index=True),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""The looks that a run asks for and that have not ended, or are to be made again."""

CANDIDATES = Table(
    "candidates",
    _metadata,
    Column("key", KEY, primary_key=True),
    Column("fit_type", Text),
    Column("inference_num", SmallInteger),
    Column("collection", Text),
    Column("reserved", Boolean, doc="another run that is alive has reserved it"),
    Column("leftover", Boolean, doc="no row of the run's export asks for it"),
    Column("remake", Boolean, doc="it has ended, and the run is asked to make it again"),
    Column("held_before", Boolean, doc="a limit did not let it go earlier"),
    Column("first_date", Date, doc="of its collection"),
    Column("position", BigInteger, doc="in the export"),
    Column("goes", Boolean, doc="whether the run sends it"),
    Column("shown", Boolean, doc="whether a garment shows it; only asked of leftovers"),
    Column("priority", Float, doc="the highest of the garments that show it; only asked for where it counts"),
    Column("held_by", Text, doc="why there is no money for it; null when there is, or another run keeps it"),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""The looks that a run may send, whether there is money for them or not."""

CUT = Table(
    "cut",
    _metadata,
    Column("key", KEY, index=True),
    Column("fit_type", Text),
    Column("inference_num", SmallInteger),
    Column("place", BigInteger, doc="among the looks of its kind, from 0"),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""The looks that get a batch, in the order in which they are to be sent."""


def fill_requested(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Make the table `REQUESTED` and fill it; it is gone when the transaction ends.

    Args:
        rows: Values in the order of the table's columns.
    """
    REQUESTED.create(connection)
    driver: Any = connection.connection.driver_connection
    columns = ", ".join(f'"{column.name}"' for column in REQUESTED.columns)
    with driver.cursor() as cursor, cursor.copy(f"COPY {REQUESTED.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    ready(connection, REQUESTED)


def requested_looks() -> tuple[FromClause, FromClause]:
    """Give the ledger's looks that the rows of `REQUESTED` ask for: each once, and that table joined with them.

    Each is looked up by its key, one by one: PostgreSQL, left the choice, reads the whole ledger for a chunk, or all
    that is planned. So what else is asked of them does not go into the look-up.
    """
    found = select(looks).where(looks.c.key == REQUESTED.c.key).limit(1).lateral("found")
    return found, REQUESTED.join(found, REQUESTED.c.first)


def ready(connection: Connection, table: Table) -> None:
    """Let PostgreSQL count a table that was just filled: without that it takes it for empty, and plans badly.

    Whatever it believes of the ledger's own tables, the indexes of this one keep a join from comparing every row with
    every row: autovacuum that looks at a new ledger during its first night finds it empty, and says so until it looks
    again.

    Args:
        connection: In the transaction that made the table.
        table: One of the tables above.
    """
    connection.execute(text(f"ANALYZE {table.name}"))
