"""The shop's table as it may be: what it takes, what it refuses, and that one refused row holds back no other."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event, make_url, text
from sqlalchemy.exc import OperationalError

from tryon_catalogue.ledger.database import engine_for
from tryon_catalogue.publishing.shop_table import CatalogueError, ShopTable, Written
from tryon_catalogue.settings import CatalogueColumns, CatalogueSettings

SETTINGS = CatalogueSettings(
    table="catalogue",
    key="sku",
    columns=CatalogueColumns(
        picture_url="picture_url",
        picture_urls="picture_urls",
        status="tryon_status",
        detail="tryon_detail",
        updated_at="tryon_updated_at",
    ),
)
RAISES = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.sku = '2' THEN {does}; END IF; RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON catalogue FOR EACH ROW EXECUTE FUNCTION refuse();
"""


def change(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def table_of(engine: Engine) -> ShopTable:
    with engine.connect() as connection:
        return ShopTable(connection, SETTINGS)


def write(engine: Engine, **details: str | None) -> Written:
    """Write a status and these details, sku -> words, with ``_`` before the sku."""
    table = table_of(engine)
    rows = [{"sku": sku[1:], "status": "REJECTED", "detail": words} for sku, words in details.items()]
    with engine.begin() as connection:
        return table.write(connection, rows)


def details(engine: Engine) -> dict[str, str | None]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT sku::text, tryon_detail FROM catalogue ORDER BY sku"))
        return {row.sku: row.tryon_detail for row in rows}


@pytest.fixture
def rows(engine: Engine) -> Engine:
    """The database whose shop's table has the rows 1, 2 and 3."""
    change(engine, "INSERT INTO catalogue (sku) VALUES ('1'), ('2'), ('3')")
    return engine


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "ALTER TABLE catalogue ALTER COLUMN tryon_detail TYPE varchar(9)",
            "value too long for type character varying(9): make the column that is too short longer",
        ),
        (
            "ALTER TABLE catalogue ADD CONSTRAINT brief CHECK (length(tryon_detail) < 10)",
            'violates check constraint "brief": let the table\'s constraint allow it',
        ),
        (RAISES.format(does="RAISE EXCEPTION 'not this one'"), "not this one: see the table's triggers"),
        (
            RAISES.format(does="RAISE EXCEPTION 'no right' USING ERRCODE = '42501'"),
            "no right: give the database's user the right",
        ),
        (
            RAISES.format(does="RAISE EXCEPTION 'not in the end'").replace(
                "CREATE TRIGGER refuse BEFORE UPDATE ON catalogue",
                "CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON catalogue DEFERRABLE INITIALLY DEFERRED",
            ),
            "not in the end: see the table's triggers",
        ),
    ],
    ids=["type", "check", "trigger", "rights", "deferred"],
)
def test_a_row_that_the_table_refuses_is_named_and_the_others_are_written(
    rows: Engine, statement: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    change(rows, statement)
    with caplog.at_level(logging.ERROR):
        written = write(rows, _1="fine", _2="a very long reason", _3="fine")
    assert written.changed == 2
    (refusal,) = written.refused
    assert (refusal.sku, refusal.row_exists) == ("2", True)
    assert words in refusal.reason
    assert "a very long reason" not in str(refusal)
    assert [record.message for record in caplog.records] == [f"Not written to the catalogue: {refusal}"]
    assert details(rows) == {"1": "fine", "2": None, "3": "fine"}


def test_a_sku_that_the_key_cannot_hold_is_named_and_the_others_are_written(rows: Engine) -> None:
    change(rows, "ALTER TABLE catalogue ALTER COLUMN sku TYPE bigint USING sku::bigint")
    written = write(rows, _1="fine", _TEST="fine", _3="fine")
    assert written.changed == 2
    (refusal,) = written.refused
    assert (refusal.sku, refusal.row_exists) == ("TEST", False)
    assert "invalid input syntax for type bigint" in refusal.reason
    with rows.begin() as connection:
        there, impossible = table_of(rows).find(connection, ["1", "TEST", "4"])
    assert (there, set(impossible)) == ({"1"}, {"TEST"})


@pytest.mark.parametrize(
    ("kind", "sku", "written"),
    [
        ("bigint", "0x7B", "123"),
        ("bigint", "00123", "123"),
        ("numeric(10,0)", "1.4", "1"),
        ("numeric(10,0)", "1e0", "1"),
        ("numeric(10,2)", "123", "123.00"),
        ("numeric", "1.23e2", "123"),
        ("double precision", "1e2", "100"),
        ("number_of_a_garment", "+1", "1"),
    ],
)
def test_a_number_that_is_written_otherwise_is_not_taken_for_another_garments(
    rows: Engine, kind: str, sku: str, written: str
) -> None:
    change(
        rows,
        "CREATE DOMAIN number_of_a_garment AS integer",
        "INSERT INTO catalogue (sku) VALUES ('100'), ('123')",
        f"ALTER TABLE catalogue ALTER COLUMN sku TYPE {kind} USING sku::{kind}",
    )
    before = details(rows)
    found = write(rows, **{f"_{sku}": "another's"})
    (refusal,) = found.refused
    assert (found.changed, refusal.sku, refusal.row_exists) == (0, sku, False)
    assert f"it is written {written}: write the sku as the key is written" in refusal.reason
    assert details(rows) == before
    own = dict.fromkeys(before, "its own")
    assert write(rows, **{f"_{sku}": words for sku, words in own.items()}).changed == len(before)
    assert details(rows) == own


def test_what_does_not_fit_a_row_that_is_not_there_is_no_refusal(rows: Engine) -> None:
    change(rows, "ALTER TABLE catalogue ALTER COLUMN tryon_detail TYPE varchar(9)")
    written = write(rows, _1="fine", _4="a very long reason")
    assert (written.changed, written.refused) == (1, [])


def test_the_signature_of_an_address_is_not_told(rows: Engine) -> None:
    change(rows, RAISES.format(does="RAISE EXCEPTION 'bad \"%\"', NEW.tryon_detail"))
    (refusal,) = write(rows, _2="https://cdn.example/1.jpg?sig=secret").refused
    assert 'bad "https://cdn.example/1.jpg?…"' in refusal.reason


@pytest.mark.parametrize(
    "does",
    [
        "PERFORM pg_terminate_backend(pg_backend_pid())",
        "RAISE EXCEPTION 'try again' USING ERRCODE = '40P01'",
        "RAISE EXCEPTION 'too slow' USING ERRCODE = '57014'",
    ],
    ids=["lost", "deadlock", "timeout"],
)
def test_what_may_go_well_another_time_stays_an_error_and_writes_nothing(rows: Engine, does: str) -> None:
    change(rows, RAISES.format(does=does))
    with pytest.raises(OperationalError):
        write(rows, _1="fine", _2="fine", _3="fine")
    assert details(rows) == {"1": None, "2": None, "3": None}


def test_one_refused_row_of_many_costs_few_statements(engine: Engine) -> None:
    change(
        engine,
        "INSERT INTO catalogue (sku) SELECT n::text FROM generate_series(1, 500) n",
        "ALTER TABLE catalogue ADD CHECK (sku <> '321' OR tryon_detail IS NULL)",
    )
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    written = write(engine, **{f"_{n}": "fine" for n in range(1, 501)})
    assert (written.changed, [row.sku for row in written.refused]) == (499, ["321"])
    assert len([one for one in statements if one.startswith("UPDATE")]) < 25


def check(engine: Engine, public_url: str | None = None) -> None:
    table = table_of(engine)
    with engine.connect() as connection:
        table.check(connection, public_url)


def test_a_table_that_takes_everything_passes_and_keeps_its_rows(rows: Engine) -> None:
    change(rows, RAISES.format(does="RAISE EXCEPTION 'touched'"))
    check(rows)
    assert details(rows) == {"1": None, "2": None, "3": None}


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (
            ["ALTER TABLE catalogue ALTER COLUMN tryon_status TYPE varchar(9)"],
            "the column catalogue.tryon_status does not take 'SUBMITTING' (value too long",
        ),
        (
            [
                "CREATE TYPE shown AS ENUM ('PUBLISHED', 'REJECTED')",
                "ALTER TABLE catalogue ALTER COLUMN tryon_status TYPE shown USING NULL",
            ],
            "the column catalogue.tryon_status does not take 'PLANNED' (invalid input value for enum shown",
        ),
        (
            [
                "CREATE DOMAIN word AS text CHECK (VALUE <> 'IN_DOUBT')",
                "ALTER TABLE catalogue ALTER COLUMN tryon_status TYPE word",
            ],
            "the column catalogue.tryon_status does not take 'IN_DOUBT' (value for domain word violates check",
        ),
        (
            ["ALTER TABLE catalogue ALTER COLUMN picture_url TYPE integer USING NULL"],
            "the column catalogue.picture_url does not take 'https://pictures.example/1.jpg'",
        ),
        (
            ["ALTER TABLE catalogue ALTER COLUMN tryon_detail SET NOT NULL"],
            "the column catalogue.tryon_detail must not be NOT NULL",
        ),
        (
            ["ALTER TABLE catalogue ALTER COLUMN tryon_updated_at TYPE integer USING NULL"],
            'it cannot be written to (column "tryon_updated_at" is of type integer',
        ),
    ],
    ids=["short", "enum", "domain", "number", "not null", "stamp"],
)
def test_a_table_that_would_refuse_what_is_written_to_it_is_found_out_before(
    engine: Engine, statements: list[str], words: str
) -> None:
    change(engine, *statements)
    with pytest.raises(CatalogueError) as caught:
        check(engine)
    assert words in str(caught.value)
    assert "the table catalogue is not fit for what [catalogue] writes to it" in str(caught.value)


def test_a_constraint_that_refuses_a_made_up_address_is_no_fault_of_the_table(rows: Engine) -> None:
    change(
        rows,
        "CREATE DOMAIN ours AS text CHECK (VALUE LIKE 'https://cdn.shop.example/%')",
        "ALTER TABLE catalogue ALTER COLUMN picture_url TYPE ours",
    )
    check(rows)


def test_a_column_too_short_for_the_address_of_the_archive_is_found_out_before(rows: Engine) -> None:
    change(rows, "ALTER TABLE catalogue ALTER COLUMN picture_url TYPE varchar(36)")
    check(rows)
    with pytest.raises(
        CatalogueError, match=r"does not take 'https://cdn\.shop\.example/try-on/spring/1\.jpg'"
    ):
        check(rows, "https://cdn.shop.example/try-on/spring/")


@pytest.fixture
def reader(engine: Engine, catalogue_database_url: str) -> Iterator[Engine]:
    """An engine of a user who may read the shop's table, and nothing else."""
    change(engine, "CREATE ROLE reader LOGIN", "GRANT SELECT ON catalogue TO reader")
    user = engine_for(make_url(catalogue_database_url).set(username="reader"), "tryon")
    yield user
    user.dispose()
    change(engine, "DROP OWNED BY reader", "DROP ROLE reader")


def test_a_user_without_the_right_to_write_is_found_out_before(engine: Engine, reader: Engine) -> None:
    with pytest.raises(
        CatalogueError, match="permission denied for table catalogue: give the database's user"
    ):
        check(reader)
    columns = ", ".join(SETTINGS.columns.named.values())
    change(engine, f"GRANT UPDATE ({columns}) ON catalogue TO reader")
    check(reader)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("text", ""),
        (
            "bigint",
            "its key sku is BIGINT: a sku that is not written just as the database writes the number (00123 for 123) "
            "can never be found in it",
        ),
        ("varchar(12)", "its key sku is VARCHAR(12): a longer sku can never be found in it"),
        ("uuid", "its key sku is UUID: a sku that is no such value can never be found in it"),
    ],
)
def test_what_the_key_can_never_hold_is_said(engine: Engine, kind: str, words: str) -> None:
    change(engine, f"ALTER TABLE catalogue ALTER COLUMN sku TYPE {kind} USING sku::{kind}")
    assert table_of(engine).limits() == words


def test_columns_too_short_for_reasons_and_addresses_are_named(engine: Engine) -> None:
    assert table_of(engine).narrow() == ""
    change(
        engine,
        "ALTER TABLE catalogue ALTER COLUMN tryon_detail TYPE varchar(100)",
        "ALTER TABLE catalogue ALTER COLUMN picture_urls TYPE varchar(90)[] USING NULL",
        "ALTER TABLE catalogue ALTER COLUMN tryon_status TYPE varchar(10)",
        "ALTER TABLE catalogue ALTER COLUMN tryon_updated_at TYPE varchar(40)",
    )
    assert (
        "too short in picture_urls (90 characters), tryon_detail (100 characters):"
        in table_of(engine).narrow()
    )
