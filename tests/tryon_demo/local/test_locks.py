"""Folders with one owner."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tryon_demo.local.locks import FolderInUseError, FolderLock


def test_a_folder_has_one_live_owner_and_a_killed_one_gives_it_up(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tryon_demo.local.locks import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1])); lock.take(); print(flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    lock = FolderLock(tmp_path)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        with pytest.raises(FolderInUseError, match=f"number {owner.pid}"):
            lock.take()
        assert not lock.is_ours
        owner.kill()
    lock.take()
    lock.take()
    assert lock.is_ours
    lock.release()
    assert not lock.is_ours
