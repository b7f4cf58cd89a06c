"""A name server of our own, which may answer otherwise the second time that it is asked."""

from __future__ import annotations

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

Answers = Sequence[Sequence[str]]
"""IPv4 addresses at the first question, at the second, and so on; the last for all that follow."""

_KEPT: Final = 0  # seconds for which an answer may be kept


class NameServer(socketserver.UDPServer):
    """Answers for the names that it is given, and counts how often each was asked for.

    Args:
        address: To listen on.
        names: What to answer.
    """

    def __init__(self, address: tuple[str, int], names: Mapping[str, Answers]) -> None:
        super().__init__(address, _Handler)
        self.names = names
        self.asked: Counter[str] = Counter()

    def answer_to(self, message: bytes) -> bytes:
        """Answer a message of the protocol."""
        query = dns.message.from_wire(message)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA | dns.flags.RA
        if question.rdtype == dns.rdatatype.A and name in self.names:
            answers = self.names[name]
            addresses = answers[min(self.asked[name], len(answers) - 1)]
            self.asked[name] += 1
            reply.answer.append(dns.rrset.from_text(question.name, _KEPT, "IN", "A", *addresses))
        return reply.to_wire()


class _Handler(socketserver.BaseRequestHandler):
    server: NameServer

    def handle(self) -> None:
        message, answering = self.request
        answering.sendto(self.server.answer_to(message), self.client_address)


@contextmanager
def name_server(names: Mapping[str, Answers], address: tuple[str, int]) -> Iterator[NameServer]:
    """Run a name server within the block."""
    with NameServer(address, names) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
