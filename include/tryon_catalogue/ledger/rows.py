"""Many rows in one statement.

PostgreSQL takes a chunk of rows as one JSON value and treats it as a table: a hundred thousand rows go in with a
few statements instead of a hundred thousand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import column, func, literal
from sqlalchemy.dialects.postgresql import JSONB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import TableValuedAlias
    from sqlalchemy.types import TypeEngine


def as_table(rows: Sequence[Mapping[str, Any]], **columns: TypeEngine[Any]) -> TableValuedAlias:
    """Make a table of rows, to select from or to join with.

    Args:
        rows: Column name -> plain value (text, number, None)
        columns: The table's columns and their types.
    """
    # literal() with JSONB serialises the list itself: the value travels as one parameter.
    values = func.jsonb_to_recordset(literal(list(rows), JSONB))
    return values.table_valued(
        *(column(name, kind) for name, kind in columns.items()), name="given"
    ).render_derived(with_types=True)
