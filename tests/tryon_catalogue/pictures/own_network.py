"""Fetches pictures in a network of its own, where it owns the whole internet: addresses, web servers, name server.

A program of its own: it leaves the machine's network for good. The system's resolver asks our name server there, as
its /etc/resolv.conf says; an address such as 93.184.215.14 is one of this process. Prints what was seen, as JSON.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import socket
import struct
import sys
import tempfile
import threading
import urllib.request
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tests.tryon_catalogue.namespaces import NETWORK, enter, put_before
from tests.tryon_catalogue.pictures.name_server import Answers, name_server
from tests.tryon_catalogue.vendor import figure
from tryon_catalogue.pictures.addresses import is_public
from tryon_catalogue.pictures.fetch import FetchError, open_fetcher
from tryon_catalogue.settings import FetchSettings

PUBLIC, INSIDE, METADATA = "93.184.215.14", "10.20.30.40", "169.254.169.254"
PORTS: Final = (80, 8080)
PICTURE: Final = figure()
SECRET: Final = b"what only the inside may read"
NAMES: Final[Mapping[str, Answers]] = {
    "steady.test": [[PUBLIC]],
    "rebound.test": [[PUBLIC], [INSIDE]],
    "between.test": [[PUBLIC], [METADATA]],
    "turned.test": [[METADATA]],
    "both.test": [[INSIDE, PUBLIC]],
    "naive.test": [[PUBLIC], [INSIDE]],
}

_SET_FLAGS, _SET_ADDRESS, _UP = 0x8914, 0x8916, 0x1


def leave_the_network(home: Path) -> None:
    """Make a network of this process alone, whose names are ours."""
    enter(NETWORK)
    for name, content in {"resolv.conf": "nameserver 127.0.0.1\n", "nsswitch.conf": "hosts: dns\n"}.items():
        theirs = Path("/etc", name)
        if theirs.exists():
            ours = home / name
            ours.write_text(content)
            put_before(ours, theirs.resolve())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
        for number, address in enumerate((PUBLIC, INSIDE, METADATA), start=1):
            packed = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, _SET_ADDRESS, struct.pack("16s16s", f"lo:{number}".encode(), packed))


def web_server(address: str, port: int, asked: Counter[str]) -> ThreadingHTTPServer:
    """Serve pictures at the public address, and a secret anywhere else; count who is asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked[address] += 1
            target = self.path.partition("to=")[2]
            self.send_response(302 if target else 200)
            if target:
                self.send_header("Location", target)
            body = b"" if target else PICTURE if address == PUBLIC else SECRET
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((address, port), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


async def fetched(url: str) -> str:
    """Fetch with the limits that hold by default, names being looked up as the system does."""
    async with open_fetcher(FetchSettings()) as fetcher:
        try:
            return "the picture" if (await fetcher.fetch(url)).content == PICTURE else "something else"
        except FetchError as error:
            return str(error)


def naively(url: str, name: str) -> str:
    """Judge the name's address, then let a client look it up again: what an attacker hopes for."""
    if not is_public(socket.gethostbyname(name)):
        return "refused"
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  # http, and nothing but our own servers
        return "the secret" if answer.read() == SECRET else "something else"


def main() -> None:
    """Print what came of each fetch, and what the servers were asked."""
    with tempfile.TemporaryDirectory() as home, ExitStack() as stack:
        leave_the_network(Path(home))
        asked: Counter[str] = Counter()
        for address in (PUBLIC, INSIDE, METADATA):
            for port in PORTS:
                stack.enter_context(web_server(address, port, asked))
        names = stack.enter_context(name_server(NAMES, ("127.0.0.1", 53)))
        # The name between.test is looked up once for each of its ports: an answer is kept for both name and port.
        urls = {
            "judged": "http://rebound.test/a.png",
            "rebound": "http://rebound.test/a.png",
            "redirected": "http://steady.test/?to=http://turned.test/latest/meta-data/",
            "redirected by number": f"http://steady.test/?to=http://{METADATA}/latest/meta-data/",
            "rebound between": "http://between.test/?to=http://between.test:8080/latest/meta-data/",
            "both": "http://both.test/a.png",
        }
        seen: dict[str, Any] = {case: asyncio.run(fetched(url)) for case, url in urls.items()}
        seen["asked"] = dict(asked)
        seen["look-ups"] = dict(names.asked)
        seen["naive"] = naively("http://naive.test/a.png", "naive.test")
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
