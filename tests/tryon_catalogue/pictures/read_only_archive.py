"""Tries an archive that becomes read-only while it is used, on a file system that is. A program of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.tryon_catalogue.namespaces import enter, make_read_only
from tryon_catalogue.pictures.archive import Archive
from tryon_catalogue.settings import ArchiveSettings
from tryon_catalogue.storage import StorageError

DIGEST = "0" * 64


def main() -> None:
    """Print what is said by the check before anything is spent, and by putting a file, and what can still be read."""
    folder = Path(sys.argv[1])
    archive = Archive(ArchiveSettings(path=str(folder), public_url=None))
    archive.check()
    archive.put_input(DIGEST, b"before")
    enter()
    make_read_only(folder)
    seen = {"read": (archive.read_input(DIGEST) or b"").decode()}
    try:
        archive.check()
    except StorageError as error:
        seen["check"] = str(error)
    try:
        archive.put_input(DIGEST, b"after")
    except OSError as error:
        seen["put"] = str(error)
    seen["kept"] = (archive.read_input(DIGEST) or b"").decode()
    archive.put_input(DIGEST, b"before")  # what is there already needs no writing
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
