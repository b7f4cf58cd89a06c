"""An export that comes late into a bucket: a real S3 client, which remembers listings, and a stand-in of S3."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tryon_catalogue.exports.places import problem_with

BUCKET = "shop-exports"
REGION = "eu-central-1"
SECRET = "do-not-tell"
CONN_ID = "late_shop_bucket"  # Airflow keeps a storage by its connection: one of its own


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def storage(address: str, monkeypatch: pytest.MonkeyPatch) -> boto3.client:
    """The bucket, and the Airflow connection to it."""
    extra = {"endpoint_url": address, "region_name": REGION}
    said = {"conn_type": "aws", "login": "shop", "password": SECRET, "extra": extra}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(said))
    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name=REGION,
        aws_access_key_id="shop",
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return client


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
