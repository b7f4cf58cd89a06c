"""Reaching object storage through Airflow's connections, and what its libraries raise, in plain words.

Exports are read from it and pictures are kept in it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import ObjectStoragePath

SCHEMES: Final = ("file", "s3", "gs", "abfs", "oss")
"""What providers of Airflow bring; those that are installed are named to whoever asks for another."""
LIBRARIES: Final = frozenset(
    {"adlfs", "aiobotocore", "aiohttp", "airflow", "azure", "botocore", "fsspec", "gcsfs", "google", "s3fs"}
)
"""Packages whose own exceptions say that the storage cannot be used. There is no common class for them, and which
of them are installed is the shop's choice."""

# A login begins with a colon before the first slash, and goes on to the last @: a secret key may have slashes in it.
# Without a colon, what stands there in the URL of a storage is the name of an Airflow connection.
_LOGIN = re.compile(
    r"(?P<web>https?:)//(?:[^/\s:]*:(?!\d+/)\S*|[^/\s]*)@"  # what follows a host's colon may be its port
    r"|(?<!http:)(?<!https:)(?<!/)//[^/\s:]*:\S*@"
)
_QUERY = re.compile(r"(https?://[^?\s]*)\?\S*")


class StorageError(OSError):
    """Object storage cannot be used; says why and what to do."""


def shown_place(place: str) -> str:
    """Give a path or URL as it may stand in a log: without a login, the signature of a link, or bytes that are no text.

    Args:
        place: The path or URL; words around it are left as they are.
    """
    text = place.encode(
        errors="replace"
    ).decode()  # a name in a folder may be no text, and then no log takes it
    return _QUERY.sub(r"\1?***", _LOGIN.sub(r"\g<web>//***@", text))


def object_at(url: str, conn_id: str | None) -> ObjectStoragePath:
    """Give a place in object storage; nothing is opened yet.

    Args:
        url: Such as ``s3://bucket/folder``.
        conn_id: Airflow connection of the storage; None for the one before the URL's ``@``, or none.

    Raises:
        StorageError: There is no such storage here, or the URL has a password in it.
    """
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import has_fs

    scheme = url.partition("://")[0]
    # Airflow takes what stands there for the name of a connection, and would log it.
    if _LOGIN.search(url):
        raise StorageError(
            "there is a password in its URL; put it into an Airflow connection, and name that as conn_id"
        )
    try:
        place = ObjectStoragePath(url, conn_id=conn_id)
        _ = place.fs  # what gives the storage, and knows which there are
    except ValueError as error:
        known = ", ".join(f"{one}://" for one in SCHEMES if has_fs(one))
        raise StorageError(
            f"{scheme}:// is no storage that this Airflow knows ({error}); here {known} and plain paths work, and each "
            "storage whose Airflow provider is installed. What a web server has must be downloaded first"
        ) from error
    return place


@contextmanager
def plain_storage_errors(where: str = "") -> Iterator[None]:
    """Let no exception of a storage's library through.

    Args:
        where: What the words begin with, such as ``the archive s3://bucket``.

    Raises:
        StorageError: In place of them, and of an OSError, which they use for much.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in LIBRARIES:
            raise
        said = shown_place(str(error).strip().split("\n", 1)[0].rstrip(".")) or type(error).__name__
        raise StorageError(
            f"{f'{shown_place(where)} cannot be used: ' if where else ''}{said}. Check the credentials and the "
            "endpoint of its Airflow connection (conn_id), and that the bucket is there and can be reached"
        ) from error
