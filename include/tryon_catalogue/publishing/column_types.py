"""What the types of the shop's columns mean for what is written to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, JSON, Float, Integer, Numeric, String, cast, text
from sqlalchemy.dialects.postgresql import DOMAIN, JSONB
from sqlalchemy.types import NullType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, ColumnElement, Connection, Table
    from sqlalchemy.types import TypeEngine


def plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Give what a domain is made of; another type as it is."""
    return plain(kind.data_type) if isinstance(kind, DOMAIN) else kind


def is_number(column: ColumnElement[Any]) -> bool:
    """Tell whether a column is of a type of which one value may be written in several ways: 123, 00123, 1.23e2."""
    return isinstance(plain(column.type), (Integer, Numeric, Float))


def length(column: ColumnElement[Any]) -> int:
    """Give how many characters a column or each value of its array takes; 0 for any number, or where not known."""
    kind = _of_each(column)
    return (kind.length if isinstance(kind, String) else None) or 0


def comparable(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give a value as PostgreSQL can compare it: it knows no equality of the type json."""
    return cast(value, JSONB) if isinstance(plain(value.type), JSON) else value


def unknown(connection: Connection, table: Table, columns: Sequence[Column[Any]]) -> list[str]:
    """Name the columns of types that SQLAlchemy does not know, each with the database's name of its type."""
    name = connection.dialect.identifier_preparer.format_table(table)
    type_name = text(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = CAST(:table AS regclass) AND attname = :column"
    )
    return [
        f"{column.name} ({connection.execute(type_name, {'table': name, 'column': column.name}).scalar_one()})"
        for column in columns
        if isinstance(_of_each(column), NullType)
    ]


def _of_each(column: ColumnElement[Any]) -> TypeEngine[Any]:
    """Give the type of a column, or of each value of its array."""
    kind = plain(column.type)
    return plain(kind.item_type) if isinstance(kind, ARRAY) else kind
