"""The types that a shop's columns may have: seen through domains and arrays, and named where they are not known."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, Engine, MetaData, Table, text

from tests.tryon_catalogue.publishing.test_shop_table import change, check, table_of
from tryon_catalogue.publishing.column_types import is_number, length
from tryon_catalogue.publishing.shop_table import CatalogueError


def column_of(engine: Engine, kind: str) -> Column[str]:
    """A column of a type, as it is in the database."""
    change(
        engine,
        "CREATE DOMAIN short AS varchar(9)",
        "CREATE DOMAIN number AS bigint",
        f"CREATE TABLE one (of {kind})",
    )
    with engine.connect() as connection:
        return Table("one", MetaData(), autoload_with=connection).c.of


@pytest.mark.parametrize(
    ("kind", "longest", "number"),
    [
        ("text", 0, False),
        ("varchar(9)", 9, False),
        ("varchar(9)[]", 9, False),
        ("short", 0, False),  # SQLAlchemy does not read the length of what a domain is made of
        ("jsonb", 0, False),
        ("uuid", 0, False),
        ("smallint", 0, True),
        ("numeric(10,2)", 0, True),
        ("real", 0, True),
        ("double precision", 0, True),
        ("number", 0, True),
    ],
)
def test_a_columns_length_is_seen_through_an_array_and_that_it_is_a_number_through_a_domain(
    engine: Engine, kind: str, longest: int, number: bool
) -> None:
    column = column_of(engine, kind)
    assert (length(column), is_number(column)) == (longest, number)


@pytest.mark.filterwarnings("ignore:Did not recognize type")
@pytest.mark.parametrize(
    ("name", "kind"), [("sku", "pg_lsn"), ("picture_url", "xml"), ("picture_urls", "xml[]"), ("sku", "pair")]
)
def test_a_column_of_a_type_that_is_not_known_is_named_with_its_type(
    engine: Engine, name: str, kind: str
) -> None:
    change(
        engine,
        "CREATE TYPE pair AS (a text, b text)",
        f"ALTER TABLE catalogue ALTER COLUMN {name} TYPE {kind} USING NULL::{kind}",
    )
    with pytest.raises(CatalogueError) as caught:
        table_of(engine)
    assert f"columns of a type that cannot be written to: {name} ({kind}); make them text" in str(
        caught.value
    )


def test_a_domain_over_json_is_written_like_json(engine: Engine) -> None:
    change(
        engine,
        "CREATE DOMAIN addresses AS json",
        "ALTER TABLE catalogue ALTER COLUMN picture_urls TYPE addresses USING NULL",
        "INSERT INTO catalogue (sku) VALUES ('1')",
    )
    check(engine)
    urls = ["https://pictures.example/1.jpg"]
    for changed in (1, 0):
        with engine.begin() as connection:
            written = table_of(engine).write(connection, [{"sku": "1", "picture_urls": urls}])
        assert (written.changed, written.refused) == (changed, [])
    with engine.connect() as connection:
        assert connection.execute(text("SELECT picture_urls FROM catalogue")).scalar_one() == urls
