"""Ports on 127.0.0.1: free ones, and ones that stay the same from one start of a home to the next.

URLs of sample images are part of a look's identity as long as nobody has fetched the image: a second run on the
same home has to find them under the same address.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

_FILE_NAME = "ports.json"


class PortTakenError(RuntimeError):
    """Something else listens on a port that has to be this one; the message says what to do."""


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether one could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that fade out do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listens(port: int) -> bool:
    """Whether something takes connections on this port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def named_port(port: int, purpose: str) -> int:
    """The port a person asked for, or a free one for 0.

    Raises:
        PortTakenError: The named port is not free.
    """
    if port == 0:
        return free_port()
    if not is_free(port):
        raise PortTakenError(
            f"port {port}, named for {purpose}, is taken: end what listens there (`lsof -i :{port}` tells), "
            "or name another one, or 0 for any free one"
        )
    return port


def remembered_port(home: Path, name: str) -> int:
    """The port this home uses for `name`: chosen free the first time, the same one ever after.

    Raises:
        PortTakenError: Something else listens on it now. It is not replaced silently, because addresses with
            this port are already on record.
    """
    file = home / _FILE_NAME
    ports: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    if name not in ports:
        ports[name] = free_port()
        home.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(ports, indent=2) + "\n")
    elif not is_free(ports[name]):
        raise PortTakenError(
            f"port {ports[name]}, kept for {name} in {file}, is taken: end what listens there "
            f"(`lsof -i :{ports[name]}` tells), or delete {home} to begin anew with another port"
        )
    return ports[name]
