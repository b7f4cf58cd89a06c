"""Namespaces of Linux: what a process does to its file systems and its network there, nobody else sees.

For programs of their own: a process cannot come back. Root may make them everywhere, others where the kernel lets them.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.guards import GUARD
from tryon_demo.scene import PROJECT

NETWORK: Final = 0x40000000
_MOUNTS, _USER = 0x00020000, 0x10000000
_BIND, _RECURSIVE, _PRIVATE, _READ_ONLY, _AGAIN = 0x1000, 0x4000, 0x40000, 0x1, 0x20
_NO_SUCH_RIGHT: Final = 77
_libc = ctypes.CDLL(None, use_errno=True)


def output_of(module: str, *arguments: str) -> str:
    """Run a program that makes namespaces; gives what it printed. Skips the test, and says so, where it may not."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=GUARD,
        check=False,
    )
    if done.returncode == _NO_SUCH_RIGHT:
        pytest.skip(f"the kernel lets nobody make namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def enter(more: int = 0) -> None:
    """Get file systems of this process's own, and whatever else is named; ends the program where it may not.

    Args:
        more: Such as ``NETWORK``.
    """
    user, group = os.getuid(), os.getgid()
    try:
        _must(_libc.unshare(_MOUNTS | more | (_USER if user else 0)))
    except PermissionError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_NO_SUCH_RIGHT)
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _must(_libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None))


def put_before(ours: Path, theirs: Path) -> None:
    """Let a file or folder be seen at the place of another."""
    _must(_libc.mount(bytes(ours), bytes(theirs), None, _BIND, None))


def make_read_only(folder: Path) -> None:
    """Make a folder a file system that nobody writes to, not even root."""
    put_before(folder, folder)
    _must(_libc.mount(None, bytes(folder), None, _BIND | _AGAIN | _READ_ONLY, None))


def _must(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
