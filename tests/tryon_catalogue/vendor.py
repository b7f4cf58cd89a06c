"""The vendor's and the pictures' side for tests: a real web server with pictures, and a stand-in vendor."""

from __future__ import annotations

import contextlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image, ImageDraw

from tryon_sandbox.server import RunningSandbox, running
from tryon_sandbox.settings import Pictures, SandboxSettings

QUICK = SandboxSettings(
    latency=0, submit_rate=0, query_rate=0, concurrency=0, pictures=Pictures.PLAIN, image_cache=60
)


def figure(size: tuple[int, int] = (400, 520), kind: str = "PNG") -> bytes:
    """Make the file of a picture of one upright figure."""
    picture = Image.new("RGB", size, (240, 240, 240))
    width, height = size
    ImageDraw.Draw(picture).rectangle(
        (width * 0.3, height * 0.04, width * 0.7, height * 0.96), fill=(70, 60, 90)
    )
    content = io.BytesIO()
    picture.save(content, kind)
    return content.getvalue()


class Website:
    """A web server's pages: bytes by path, or a function that answers by itself. Unknown paths are 404.

    Args:
        url: Its address, without a slash at the end.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.pages: dict[str, bytes | Callable[[BaseHTTPRequestHandler], None]] = {}

    def put(self, path: str, page: bytes | Callable[[BaseHTTPRequestHandler], None]) -> str:
        """Put a page on the site; gives its address."""
        self.pages[path] = page
        return self.url + path

    def redirect(self, path: str, target: str) -> str:
        """Put a redirect on the site; gives its address."""

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(302)
            request.send_header("Location", target)
            request.send_header("Content-Length", "0")
            request.end_headers()

        return self.put(path, answer)


@contextmanager
def open_website() -> Iterator[Website]:
    """Serve a site with pictures of anna and of the tops 0 to 29, until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            page = site.pages.get(self.path.partition("?")[0])
            with contextlib.suppress(ConnectionError):  # who asked may have had enough
                if callable(page):
                    page(self)
                    return
                self.send_response(404 if page is None else 200)
                self.send_header("Content-Length", str(len(page or b"")))
                self.end_headers()
                self.wfile.write(page or b"")

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    site = Website(f"http://127.0.0.1:{server.server_port}")
    picture = figure()
    for path in ("/anna.png", *(f"/top-{number}.png" for number in range(30))):
        site.put(path, picture + path.encode())  # bytes of its own, after the picture's end
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def open_vendor() -> Iterator[RunningSandbox]:
    """Run a stand-in vendor that is as quick as it can be."""
    with running(QUICK) as sandbox:
        yield sandbox


def connection_to(sandbox: RunningSandbox) -> str:
    """Give the Airflow connection to a stand-in vendor as JSON."""
    return json.dumps(
        {"conn_type": "damo_tryon", "host": sandbox.url, "password": sandbox.credentials.appcode}
    )
