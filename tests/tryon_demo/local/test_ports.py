"""Ports that are free, named, or stay the same."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tryon_demo.local.ports import (
    PortTakenError,
    free_port,
    is_free,
    listens,
    named_port,
    remembered_port,
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_remembered_port_is_the_same_at_the_next_start(tmp_path: Path) -> None:
    port = remembered_port(tmp_path / "home", "images")
    assert remembered_port(tmp_path / "home", "images") == port
    assert remembered_port(tmp_path / "home", "sandbox") != port
    assert json.loads((tmp_path / "home" / "ports.json").read_text())["images"] == port


def test_a_remembered_port_taken_by_a_stranger_is_named_with_its_file(
    tmp_path: Path, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    (tmp_path / "ports.json").write_text(json.dumps({"images": port}))
    with pytest.raises(PortTakenError, match=rf"port {port}, kept for images in .*ports\.json") as caught:
        remembered_port(tmp_path, "images")
    assert f"delete {tmp_path}" in str(caught.value)


def test_a_named_port_is_taken_at_its_word(listener: socket.socket) -> None:
    with pytest.raises(PortTakenError, match="named for the pages"):
        named_port(listener.getsockname()[1], "the pages")
    port = free_port()
    assert named_port(port, "the pages") == port
    assert is_free(named_port(0, "the pages"))


def test_listening_is_told_from_silence(listener: socket.socket) -> None:
    assert listens(listener.getsockname()[1])
    assert not listens(free_port())
