"""The archive in a bucket: a real S3 client talks to a stand-in of S3 over a socket."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import boto3
import pytest
from PIL import Image

from tests.tryon_catalogue.s3 import connection_to, new_bucket, s3_server
from tryon_catalogue.pictures.archive import Archive, ArchivedPicture, PictureName
from tryon_catalogue.pictures.fetch import Fetched
from tryon_catalogue.settings import ArchiveSettings

KEY = "0123456789abcdef" * 4
BUCKET = "shop-pictures"
NAME = PictureName("2026 秋季", "上衣/A1", "小美", KEY, "89abcdef", 0)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with s3_server() as started:
        yield started


@pytest.fixture(scope="module")
def storage(address: str) -> boto3.client:
    return new_bucket(address, BUCKET)


@pytest.fixture(autouse=True)
def connection(address: str, storage: boto3.client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Airflow connection of the storage, and an empty bucket with versions behind it."""
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_BUCKET", connection_to(address))
    storage.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for one in versions(storage):
        storage.delete_object(Bucket=BUCKET, Key=one["Key"], VersionId=one["VersionId"])


def versions(storage: boto3.client) -> list[dict[str, str]]:
    return list(storage.list_object_versions(Bucket=BUCKET).get("Versions", []))


def archive(bucket: str = BUCKET) -> Archive:
    return Archive(ArchiveSettings(path=f"s3://{bucket}/tryon", conn_id="shop_bucket"))


def picture(content: bytes = b"picture") -> Fetched:
    return Fetched(content, hashlib.sha256(content).hexdigest(), "JPEG", 1, 1, Image.new("RGB", (1, 1)))


def test_a_picture_is_put_under_its_name_and_found_again(storage: boto3.client) -> None:
    place = archive().put(NAME, picture())
    assert place.path == place.url == f"s3://{BUCKET}/tryon/2026-秋季/上衣-A1/小美-0123456789-89abcdef-1.jpg"
    key = place.path.removeprefix(f"s3://{BUCKET}/")
    assert storage.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"picture"
    assert archive().find(NAME) == ArchivedPicture(place, b"picture", "JPEG")


def test_the_same_picture_again_is_no_new_version(storage: boto3.client) -> None:
    archive().put(NAME, picture())
    archive().put(NAME, picture())
    assert len(versions(storage)) == 1
    archive().put(NAME, picture(b"another"))
    assert len(versions(storage)) == 2


def test_a_large_picture_arrives_whole(storage: boto3.client) -> None:
    content = bytes(range(256)) * 4 * 12_000  # more than one part of an upload in parts
    archive().put(NAME, picture(content))
    found = archive().find(NAME)
    assert found is not None
    assert found.content == content
    assert len(versions(storage)) == 1


def test_small_copies_are_kept_and_read() -> None:
    assert archive().read_input(KEY) is None
    archive().put_input(KEY, b"small")
    assert archive().read_input(KEY) == b"small"
    assert (
        archive().put_thumbnail(NAME, b"small").path.startswith(f"s3://{BUCKET}/tryon/thumbnails/2026-秋季/")
    )


def test_a_bucket_that_is_not_there_is_an_error_of_the_storage() -> None:
    assert archive("no-such-bucket").find(NAME) is None
    with pytest.raises(OSError, match="bucket does not exist"):
        archive("no-such-bucket").put(NAME, picture())
