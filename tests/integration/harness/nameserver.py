"""A nameserver in the test process: real sockets, UDP and TCP on one port, and whatever answers a test wants.

`records` is its zone, by name (lower case, without the dot at the end) and type; a name that is not there is NXDOMAIN, a type
that is not there is an answer without records. `additional` goes along with SRV answers. What else a nameserver may do wrong is
said by the other attributes, each of which counts for all questions until it is taken back.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass(eq=False)
class Nameserver:
    """One of them. `asked`: questions so far, as (name, type, 'udp' or 'tcp'). `connections`, `peers`: how many of TCP there were, and from which
    ports of UDP it was asked. `silent`: it does not answer.

    `rcode`: it answers with that. `truncates`: over UDP it says so. `wrong_id`, `wrong_name`: it answers what was not asked;
    `garbage`: bytes that are no message; `forged`: an address that somebody else, who knows the question, answers from another port.
    """

    host: str = '127.0.0.1'
    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    additional: list[tuple[str, str, str]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    payloads: list[int] = field(default_factory=list)
    silent: bool = False
    rcode: int | None = None
    truncates: bool = False
    wrong_id: bool = False
    wrong_name: bool = False
    garbage: bytes | None = None
    forged: str | None = None
    port: int = 0
    connections: int = 0
    peers: set[int] = field(default_factory=set)
    _transport: asyncio.DatagramTransport | None = None
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Nameserver:
        loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, self.host, self.port, family=socket.AF_INET)
        self.port = self._server.sockets[0].getsockname()[1]
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(self.host, self.port)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.close()
            await self._server.wait_closed()

    @property
    def address(self) -> str:
        """As a `nameserver` line has it."""
        return f'{self.host}:{self.port}'

    def has(self, name: str, *addresses: str) -> None:
        """The name has these addresses of IPv4, and none of IPv6."""
        self.records[name, 'A'] = list(addresses)

    async def was_asked(self, name: str, times: int = 1, *, kind: str = '', within: float = 10.0) -> None:
        """Wait until it was asked for a name so many times more than until now. TimeoutError."""

        def seen() -> int:
            return sum(one == name and kind in ('', what) for one, what, _ in self.asked)

        wanted = seen() + times
        async with asyncio.timeout(within):
            while seen() < wanted:
                self._changed.clear()
                await self._changed.wait()

    def answer(self, wire: bytes, how: str) -> bytes | None:
        """What it says to a packet, None for nothing."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, how))
        self.payloads.append(query.payload)
        self._changed.set()
        if self.silent:
            return None
        if self.garbage is not None:
            return self.garbage
        answer = dns.message.make_response(query, recursion_available=True)
        if self.wrong_id:
            answer.id = (query.id + 1) & 0xFFFF
        if self.wrong_name:
            answer.question = [dns.rrset.RRset(dns.name.from_text('elsewhere.'), question.rdclass, question.rdtype)]
        if self.rcode is not None:
            answer.set_rcode(dns.rcode.Rcode(self.rcode))
        elif how == 'udp' and self.truncates:
            answer.flags |= dns.flags.TC
        else:
            self._fill(answer, name, kind)
        return answer.to_wire(max_size=65_535)

    def forge(self, wire: bytes, peer: tuple[str, int]) -> None:
        """Answer from another port, before the true answer."""
        query = dns.message.from_wire(wire)
        answer = dns.message.make_response(query)
        name = query.question[0].name.to_text(omit_final_dot=True)
        answer.answer += _sets([(name, 'A', [str(self.forged)])])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((self.host, 0))
            stranger.sendto(answer.to_wire(), peer)

    def _fill(self, answer: Any, name: str, kind: str) -> None:
        known = {what for known, what in self.records if known == name}
        if not known:
            answer.set_rcode(dns.rcode.NXDOMAIN)
            return
        if 'CNAME' in known:
            target = self.records[name, 'CNAME'][0]
            answer.answer += _sets([(name, 'CNAME', [f'{target}.'])])
            name = target
        answer.answer += _sets([(name, kind, self.records.get((name, kind), []))])
        if kind == 'SRV':
            answer.additional += _sets((owner, what, [value]) for owner, what, value in self.additional)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await reader.readexactly(2), 'big')
                answer = self.answer(await reader.readexactly(size), 'tcp')
                if answer is not None:
                    writer.write(len(answer).to_bytes(2, 'big') + answer)
                    await writer.drain()
        self._writers.discard(writer)
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Nameserver) -> None:
        self._server = server

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._server.peers.add(addr[1])
        if self._server.forged is not None:
            self._server.forge(data, addr)
        answer = self._server.answer(data, 'udp')
        if answer is not None:
            self._transport.sendto(answer, addr)


def _sets(wanted: Iterable[tuple[str, str, list[str]]]) -> list[Any]:
    return [dns.rrset.from_text(f'{name}.', 60, 'IN', kind, *values) for name, kind, values in wanted if values]
