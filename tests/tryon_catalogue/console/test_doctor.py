"""What the doctor says of each thing, right and wrong: a real database, a real stand-in vendor, real files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import pytest
from sqlalchemy import Engine, text

from tests.tryon_catalogue.vendor import connection_to, open_vendor
from tryon_catalogue.console.doctor import examine
from tryon_catalogue.ledger.database import MIGRATIONS
from tryon_catalogue.workflow.pool import PoolError, check_pools
from tryon_sandbox.server import RunningSandbox

EXPORT = "sku,category,image_url,title,collection,pants_url,mask_url,model_url\n"
NEWEST = max(file.name[:4] for file in MIGRATIONS.glob("versions/0*.py"))
GOOD_ROW = "1,shirt,https://pictures.example/1.png,Shirt,autumn,,,\n"
BAD_ROW = "2,shirt,,Shirt without a picture,autumn,,,\n"


@pytest.fixture(scope="module")
def vendor() -> Iterator[RunningSandbox]:
    """A stand-in vendor for all tests here: nobody changes it."""
    with open_vendor() as sandbox:
        yield sandbox


@pytest.fixture
def healthy(
    engine: Engine,
    catalogue_connection: str,
    settings_file: Path,
    vendor: RunningSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Everything in order; gives the folder with the settings and the export."""
    monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", connection_to(vendor))
    monkeypatch.setenv("TRYON_SETTINGS", str(settings_file))
    # A real Airflow's pools are looked at in test_pool: they take an Airflow with a database of its own.
    monkeypatch.setattr(
        "tryon_catalogue.workflow.pool.check_pools", create_autospec(check_pools, return_value="both")
    )
    export = settings_file.parent / "export.csv"
    export.write_text(EXPORT + GOOD_ROW + BAD_ROW)
    monkeypatch.setenv("TRYON_EXPORT__PATH", str(export))
    return settings_file.parent


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Let the doctor look; gives what it said of each thing, beginning with ok or NOT."""
    examine()
    lines = [line for line in capsys.readouterr().out.splitlines() if line[:4] in {"ok  ", "NOT "}]
    return {line[4:20].strip(): f"{line[:4].strip()} {line[20:]}" for line in lines}


def test_when_all_is_right_each_line_says_what_was_found(
    healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert examine() is True
    capsys.readouterr()

    found = findings(capsys)

    assert found["settings"] == "ok 2 models, 2 casting rules"
    assert found["database"].startswith("ok PostgreSQL 18")
    assert found["ledger"].startswith(f"ok at revision {NEWEST}")
    assert found["catalogue table"].startswith("ok catalogue has the columns picture_url, ")
    assert found["pools"] == "ok both"
    assert found["vendor"].startswith("ok The vendor answered and accepted the credentials")
    assert found["export"].endswith("of the first 2 rows 1 can be used")
    assert found["archive"] == f"ok {healthy / 'archive'} can be written to"


def test_settings_that_cannot_be_right_end_the_examination(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRYON_PRICE__USE", "gram")
    assert examine() is False
    said = capsys.readouterr().out
    assert said.startswith("NOT settings")
    assert "price.use" in said.lower() or "PRICE__USE" in said
    assert "database" not in said


def test_without_a_database_the_rest_is_looked_at_all_the_same(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CATALOGUE_DB", "postgresql://shop:secret@127.0.0.1:1/shop")
    found = findings(capsys)
    assert found["database"].startswith("NOT the connection catalogue_db leads to no database (")
    assert found["database"].endswith("correct its host, port and login")
    assert "secret" not in str(found)
    for name in ("ledger", "catalogue table"):
        assert found[name] == "NOT cannot be looked at before the database is right"
    assert found["vendor"].startswith("ok")


def test_a_missing_connection_is_told_with_the_two_ways_to_add_it(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_CATALOGUE_DB")
    monkeypatch.delenv("AIRFLOW_CONN_DAMO_TRYON")
    found = findings(capsys)
    assert "there is no Airflow connection catalogue_db" in found["database"]
    assert "AIRFLOW_CONN_CATALOGUE_DB" in found["database"]
    assert found["vendor"].startswith("NOT")
    assert "damo_tryon" in found["vendor"]


def test_a_connection_that_airflow_cannot_read_is_not_told_to_be_missing(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CATALOGUE_DB", "postgresql://shop:sec#ret@127.0.0.1:5432/shop")
    found = findings(capsys)["database"]
    assert found.startswith(
        "NOT the Airflow connection catalogue_db is no address that can be read: write AIRFLOW_"
    )
    assert "sec#ret" not in found


def test_a_ledger_without_tables_is_told_to_be_made(
    healthy: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA tryon CASCADE"))
    found = findings(capsys)
    assert found["ledger"].startswith(f"NOT its tables are at revision None, {NEWEST}")
    assert found["ledger"].endswith("run `tryon init`")


def test_a_column_that_the_shop_lacks_is_named(
    healthy: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue DROP COLUMN tryon_detail"))
    assert "the table catalogue has no column tryon_detail" in findings(capsys)["catalogue table"]


def test_a_key_of_numbers_is_said_to_find_no_other_skus(
    healthy: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE catalogue ALTER COLUMN sku TYPE bigint USING sku::bigint"))
    found = findings(capsys)["catalogue table"]
    assert found.startswith("ok")
    assert "its key sku is BIGINT: a sku that is not written just as the database writes the number" in found


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("tryon_status TYPE varchar(9)", "tryon_status does not take 'SUBMITTING'"),
        ("tryon_detail TYPE varchar(100)", "too short in tryon_detail (100 characters)"),
    ],
)
def test_a_column_that_would_refuse_rows_is_named(
    healthy: Path, engine: Engine, capsys: pytest.CaptureFixture[str], change: str, words: str
) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"ALTER TABLE catalogue ALTER COLUMN {change}"))
    found = findings(capsys)["catalogue table"]
    assert found.startswith("NOT")
    assert words in found


def test_a_table_that_is_not_there_is_named(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRYON_CATALOGUE__TABLE", "wares")
    assert "there is no table wares" in findings(capsys)["catalogue table"]


def test_a_pool_that_is_not_as_it_should_be_is_told(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = create_autospec(
        check_pools, side_effect=PoolError("there is no pool damo_tryon: run `tryon init`")
    )
    monkeypatch.setattr("tryon_catalogue.workflow.pool.check_pools", missing)
    assert findings(capsys)["pools"] == "NOT there is no pool damo_tryon: run `tryon init`"


def test_a_vendor_that_does_not_know_the_appcode_is_told_without_the_appcode(
    healthy: Path, vendor: RunningSandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {"conn_type": "damo_tryon", "host": vendor.url, "password": "mistyped-code"}
    monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", json.dumps(wrong))
    found = findings(capsys)["vendor"]
    assert found.startswith("NOT")
    assert "AppCode" in found
    assert "mistyped-code" not in found


def test_a_vendor_that_nobody_answers_for_is_told(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = {"conn_type": "damo_tryon", "host": "http://127.0.0.1:1", "password": "code"}
    monkeypatch.setenv("AIRFLOW_CONN_DAMO_TRYON", json.dumps(nobody))
    assert findings(capsys)["vendor"].startswith("NOT")


def test_an_export_that_is_not_there_is_told_with_its_path(
    healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (healthy / "export.csv").unlink()
    found = findings(capsys)["export"]
    assert found.startswith("NOT")
    assert str(healthy / "export.csv") in found


def test_an_export_without_rows_is_told(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (healthy / "export.csv").write_text(EXPORT)
    assert findings(capsys)["export"].endswith("has no rows: nothing would be made")


def test_an_export_of_which_no_row_can_be_used_is_told_with_the_first_reason(
    healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (healthy / "export.csv").write_text(EXPORT + BAD_ROW)
    found = findings(capsys)["export"]
    assert found.startswith("NOT")
    assert "none of the first 1 rows can be used. Line 2: The row has no image_url" in found


@pytest.fixture
def only_of_spring(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export to write, of which the settings mean the rows of a collection, and which is read a row at a time."""
    monkeypatch.setenv("TRYON_EXPORT__FILTERS", '[{"column": "collection", "only": "spring"}]')
    monkeypatch.setenv("TRYON_EXPORT__CHUNK_ROWS", "1")
    return healthy / "export.csv"


def test_rows_that_are_left_out_first_do_not_hide_those_that_are_meant(
    only_of_spring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only_of_spring.write_text(EXPORT + GOOD_ROW + BAD_ROW + GOOD_ROW.replace("autumn", "spring"))
    assert findings(capsys)["export"].endswith(
        "of the first 3 rows (2 left out because collection is not 'spring') 1 can be used"
    )


def test_an_export_of_which_no_row_is_meant_is_told_with_the_filter(
    only_of_spring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only_of_spring.write_text(EXPORT + GOOD_ROW + BAD_ROW)
    found = findings(capsys)["export"]
    assert found.startswith("NOT ")
    assert found.endswith(
        "none of its 2 rows (2 left out because collection is not 'spring') is meant, so nothing would be made: see "
        "[[export.filters]]"
    )


def test_an_export_without_a_named_column_is_told_with_the_column(
    healthy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (healthy / "export.csv").write_text("style,category,image_url\n1,shirt,https://pictures.example/1.png\n")
    found = findings(capsys)["export"]
    assert found.startswith("NOT")
    assert "sku" in found


def test_an_archive_that_is_a_file_is_told(healthy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (healthy / "archive").write_text("not a folder")
    found = findings(capsys)["archive"]
    assert found == f"NOT {healthy / 'archive'} is a file, where a folder is to be: set [archive] path"


def test_a_bucket_is_taken_at_its_word(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRYON_ARCHIVE__PATH", "s3://shop-archive/tryon")
    assert findings(capsys)["archive"].startswith("ok s3://shop-archive/tryon")


def test_an_export_in_a_storage_that_is_not_known_leaves_the_other_checks(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRYON_EXPORT__PATH", "http://hunter2@shop.example/{ds}.csv")
    monkeypatch.setenv("TRYON_ARCHIVE__PATH", "gs://shop/tryon")
    found = findings(capsys)
    assert found["export"].startswith("NOT the export http://***@shop.example/")
    assert found["archive"].startswith("NOT gs:// is no storage that this Airflow knows")
    assert found["labels"].startswith("ok")


def test_whatever_a_check_meets_the_others_are_made(
    healthy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of order\nand more")

    monkeypatch.setattr("tryon_catalogue.exports.read_export", broken)
    found = findings(capsys)
    assert found["export"] == "NOT RuntimeError: out of order"
    assert found["labels"].startswith("ok")
