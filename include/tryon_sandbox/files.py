"""A folder of pictures named by the digest of their bytes."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path


class PictureFiles:
    """Keeps bytes under their SHA-256; the same bytes are kept once.

    Args:
        folder: Made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)

    def put(self, content: bytes) -> str:
        """Keep bytes; gives their digest. A reader never sees a half-written file."""
        digest = hashlib.sha256(content).hexdigest()
        path = self.path(digest)
        if not path.exists():
            unfinished = path.with_name(f".{digest}.{os.getpid()}.{threading.get_ident()}")
            unfinished.write_bytes(content)
            unfinished.replace(path)
        return digest

    def path(self, digest: str) -> Path:
        """Where bytes of that digest are."""
        return self._folder / digest

    def read(self, digest: str) -> bytes:
        """The bytes of a digest. Raises FileNotFoundError when they were never kept."""
        return self.path(digest).read_bytes()
