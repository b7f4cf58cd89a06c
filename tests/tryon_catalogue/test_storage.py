"""Object storage that cannot be used: what its own library raises, and what a person reads of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest

from tests.tryon_catalogue.s3 import connection_to
from tryon_catalogue.exports import ExportError
from tryon_catalogue.exports.places import export_files, problem_with
from tryon_catalogue.pictures.archive import Archive
from tryon_catalogue.reporting.report.thumbnails import reader_of
from tryon_catalogue.settings import ArchiveSettings
from tryon_catalogue.storage import StorageError, object_at, shown_place

CONN_ID = "storage_nowhere"  # Airflow keeps a storage by its connection: one of its own
WHAT_TO_DO = "Check the credentials and the endpoint of its Airflow connection"
DIGEST = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to a storage that nobody answers for; it is asked once."""
    connection = json.loads(connection_to("http://127.0.0.1:9"))
    connection["extra"]["config_kwargs"] = {"retries": {"max_attempts": 0}, "connect_timeout": 1}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(connection))


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("path", ["s3://shop/x.csv", "s3://shop/*.csv"])
def test_an_export_in_a_storage_that_does_not_answer_is_told_with_what_to_do(path: str) -> None:
    words = f"^the export s3://{CONN_ID}@shop/.* cannot be opened or read: .*{WHAT_TO_DO}"
    with pytest.raises(ExportError, match=words):
        export_files(path, CONN_ID, None)


@pytest.mark.usefixtures("nowhere")
def test_whoever_waits_for_an_export_waits_for_its_storage_too() -> None:
    assert WHAT_TO_DO in str(problem_with("s3://shop/x.csv", CONN_ID, "_SUCCESS"))


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    "ask",
    [
        lambda settings: Archive(settings).read_input(DIGEST),
        lambda settings: Archive(settings).put_input(DIGEST, b"small"),
        lambda settings: reader_of(settings)("s3://shop/tryon/a.jpg"),
    ],
    ids=["read", "put", "shown in a report"],
)
def test_an_archive_that_does_not_answer_is_an_error_of_the_storage(
    ask: Callable[[ArchiveSettings], object],
) -> None:
    with pytest.raises(StorageError, match=f"s3://shop/tryon.* cannot be used: .*{WHAT_TO_DO}"):
        ask(ArchiveSettings(path="s3://shop/tryon", conn_id=CONN_ID))


@pytest.mark.parametrize("url", ["http://shop.example/x.csv?key=abc", "gs://shop/x.csv", "nonsense://x"])
def test_a_storage_that_airflow_does_not_know_is_told_with_those_that_it_knows(url: str) -> None:
    for ask in (export_files, problem_with):
        with pytest.raises(ExportError, match="file://, s3:// and plain paths work") as told:
            ask(url, None, None)
        assert "abc" not in str(told.value)


@pytest.mark.parametrize("password", ["hunter2", "hunter2/x+y", "/hunter2", "hunter2/a:b@c", "7/hunter2"])
def test_a_password_in_a_url_is_not_taken_for_a_connection_nor_said_again(password: str) -> None:
    with pytest.raises(ExportError, match="there is a password in its URL") as told:
        export_files(f"s3://shop:{password}@bucket/x.csv", None, None)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "conn_id", "path"),
    [
        # Airflow keeps a storage by its connection: one of its own
        ("s3://bucket_in_url@bucket/x.csv", "bucket_in_url", "bucket/x.csv"),
        ("s3://bucket/2026@v2/x.csv", None, "bucket/2026@v2/x.csv"),
        ("s3://bucket/T02:00@v2/x.csv", None, "bucket/T02:00@v2/x.csv"),
    ],
)
def test_an_at_sign_without_a_password_before_it_opens_as_it_stands(
    url: str, conn_id: str | None, path: str
) -> None:
    place = object_at(url, None)
    assert (place.conn_id, place.path) == (conn_id, path)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("exports/cat?.csv", "exports/cat?.csv"),
        ("s3://bucket/cat?.csv", "s3://bucket/cat?.csv"),
        ("s3://shop_bucket@bucket/x.csv", "s3://shop_bucket@bucket/x.csv"),
        ("s3://bucket/T02:00@v2/x.csv", "s3://bucket/T02:00@v2/x.csv"),
        ("no s3://AKIA1:abc/d+x@bucket/x.csv here", "no s3://***@bucket/x.csv here"),
        ("file:///a:b@c.csv", "file:///a:b@c.csv"),
        ("ftp://u:p@host/x", "ftp://***@host/x"),
        ("https://u:p/q@host/x", "https://***@host/x"),
        ("http://localhost:8123/x@2x.png", "http://localhost:8123/x@2x.png"),
        ("https://token@host/x", "https://***@host/x"),
        ("GET https://host/x?sig=1: refused", "GET https://host/x?*** refused"),
    ],
)
def test_a_place_is_shown_without_what_opens_it(place: str, said: str) -> None:
    assert shown_place(place) == said
