"""One live owner per folder, by a lock that the operating system releases when the owner dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO


class FolderInUseError(RuntimeError):
    """A live process owns the folder; the message names it and says what to do."""


class FolderLock:
    """The right to run things in a folder.

    Args:
        folder: It has to exist when the lock is taken.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._file: IO[str] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether we own the folder."""
        return self._file is not None

    def take(self) -> None:
        """Become the owner; nothing to do when we are.

        Raises:
            FolderInUseError: Somebody else is, and lives.
        """
        if self._file is not None:
            return
        lock = self._path.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            owner = lock.read().strip()
            lock.close()
            raise FolderInUseError(
                f"{self._path.parent} is in use by another live process, number {owner}: "
                "end that one first, or name another folder"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._file = lock

    def release(self) -> None:
        """Let go of the folder; nothing to do when it is not ours."""
        if self._file is not None:
            self._file.close()
            self._file = None
