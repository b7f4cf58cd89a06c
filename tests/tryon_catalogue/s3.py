"""A stand-in of S3 on a socket of this machine, a bucket in it, and the Airflow connection by which we reach it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer

_SECRET = "do-not-tell"
_USER = "shop"
_REGION = "eu-central-1"


@contextmanager
def s3_server() -> Iterator[str]:
    """Run a server within the block, and give its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def new_bucket(address: str, name: str) -> boto3.client:
    """Make a bucket, and return the client that made it.

    Args:
        address: Of the server.
        name: Of the bucket.
    """
    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name=_REGION,
        aws_access_key_id=_USER,
        aws_secret_access_key=_SECRET,
    )
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": _REGION})
    return client


def connection_to(address: str) -> str:
    """Write the Airflow connection to a server, as AIRFLOW_CONN_* takes it.

    Args:
        address: Of the server.
    """
    extra = {"endpoint_url": address, "region_name": _REGION}
    return json.dumps({"conn_type": "aws", "login": _USER, "password": _SECRET, "extra": extra})
