"""Answers that break: a connection ended early, or a body that stops halfway.

uvicorn hides the socket from the application, so a small protocol class puts the connection's transport into
each request's state; ending it touches that one connection and no other.
"""

from __future__ import annotations

import asyncio
import socket
import struct

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_TRANSPORT = "sandbox_transport"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class SeverableProtocol(H11Protocol):
    """uvicorn's own protocol; requests carry their connection's transport in their state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Note the transport for the requests of this connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _TRANSPORT: transport}


class SeveredResponse(Response):
    """No answer at all: the connection ends instead.

    Args:
        reset: End it with a TCP reset rather than an orderly close.
    """

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End the connection, and return once the server has noticed."""
        transport: asyncio.Transport = scope["state"][_TRANSPORT]
        if self._reset:
            transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE
            )
            transport.abort()
        else:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


class HalfResponse(Response):
    """The headers of a whole answer, half of its body, and then the end of the connection."""

    def __init__(self, whole: Response) -> None:
        super().__init__(status_code=whole.status_code)
        self.raw_headers = list(whole.raw_headers)
        self._half = bytes(whole.body[: len(whole.body) // 2])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the half, then close: what was written still goes out."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._half, "more_body": True})
        await SeveredResponse(reset=False)(scope, receive, send)
