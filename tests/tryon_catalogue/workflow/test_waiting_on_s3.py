"""An export that comes late into a bucket: a real S3 client, which remembers listings, and a stand-in of S3."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest

from tests.tryon_catalogue.s3 import connection_to, new_bucket, s3_server
from tryon_catalogue.exports.places import problem_with

BUCKET = "shop-exports"
CONN_ID = "late_shop_bucket"  # Airflow keeps a storage by its connection: one of its own


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.client]:
    """The bucket, and the Airflow connection to it."""
    with s3_server() as address:
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", connection_to(address))
        yield new_bucket(address, BUCKET)


def test_it_is_seen_though_its_folder_was_listed_before_and_only_with_its_marker(
    storage: boto3.client,
) -> None:
    path = f"s3://{BUCKET}/2026-11-20/*.csv"

    def said() -> str:
        return str(problem_with(path, CONN_ID, "_SUCCESS"))

    storage.put_object(Bucket=BUCKET, Key="2026-11-20/started", Body=b"x")
    assert "there is no _SUCCESS" in said()
    storage.put_object(Bucket=BUCKET, Key="2026-11-20/_SUCCESS", Body=b"")
    assert "fits no file" in said()
    storage.put_object(Bucket=BUCKET, Key="2026-11-20/part-1.csv", Body=b"")
    assert "is empty" in said()
    storage.put_object(Bucket=BUCKET, Key="2026-11-20/part-1.csv", Body=b"sku\n")
    assert problem_with(path, CONN_ID, "_SUCCESS") is None
