"""A server that counts what is in it, by itself and without trusting the proxy in front of it.

A request is in the server from the moment its head has been read until its answer is about to be written. Before a request
is counted, the server looks at each of its other busy connections with MSG_PEEK: one whose peer has closed it (or shut it
down) does not count any more, even if the loop has not yet been told. The same is asked of the request's own connection:
what was sent over a new one and given up may be read after what was sent later over an old one. So a proxy is within its
`maxconn` exactly when `most` never rises above it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

_CONTENT_LENGTH = b'content-length:'


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that reached the server: its target, the monotonic second, and how many were in the server with it."""

    target: str
    at: float
    inside: int


class Upstream:
    """An HTTP/1.1 server, on loopback or on an address that is `host`, that answers every request after a while with its own name.

    `service`: called for each request, gives its service time in seconds. While `hold()` is in force nothing is answered.
    """

    def __init__(self, name: str, service: float | Callable[[], float] = 0.005, host: str = '127.0.0.1') -> None:
        self.name = name
        self.host = host
        self.port = 0
        self.most = 0
        self.arrivals: list[Arrival] = []
        self.busy: set[_Exchange] = set()
        self.open: set[_Exchange] = set()
        self._service = service if callable(service) else lambda: service
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen, on `port` or on any free one."""
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Exchange(self), self.host, port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        for exchange in list(self.open):
            exchange.cut()
        self._flows.set()
        await asyncio.sleep(0)

    def hold(self) -> None:
        """Answer nothing until `let_go`."""
        self._flows.clear()

    def let_go(self) -> None:
        """Answer what is inside and what comes."""
        self._flows.set()

    def forget(self) -> None:
        """Begin counting anew; what is inside stays."""
        self.arrivals.clear()
        self.most = len(self.busy)

    def inside(self) -> int:
        """Requests in the server whose peer is still there, as of this instant."""
        return sum(1 for exchange in self.busy if exchange.peer_is_there())

    def enter(self, exchange: _Exchange, target: str) -> None:
        """Count a request whose head has just been read."""
        self.busy.discard(exchange)
        inside = self.inside() + exchange.peer_is_there()
        self.busy.add(exchange)
        self.most = max(self.most, inside)
        self.arrivals.append(Arrival(target, time.monotonic(), inside))

    async def pause(self) -> None:
        """The service time of one request."""
        await asyncio.sleep(self._service())
        await self._flows.wait()

    async def __aenter__(self) -> Upstream:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Exchange(asyncio.Protocol):
    """One connection from the proxy."""

    def __init__(self, server: Upstream) -> None:
        self._server = server
        self._received = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport
        self._probe: socket.socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # A duplicate of the descriptor: the loop's own wrapper does not let others read.
        self._probe = socket.socket(fileno=os.dup(transport.get_extra_info('socket').fileno()))
        self._server.open.add(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._next()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.open.discard(self)
        self._server.busy.discard(self)
        self._probe.close()
        if self._task is not None:
            self._task.cancel()

    def peer_is_there(self) -> bool:
        """False once the peer has closed, shut down or reset the connection, told by the socket itself."""
        try:
            return self._probe.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b''
        except BlockingIOError:
            return True
        except OSError:
            return False

    def cut(self) -> None:
        """Reset the connection."""
        self._transport.abort()

    def _next(self) -> None:
        if self._task is not None or self._transport.is_closing():
            return
        end = self._received.find(b'\r\n\r\n')
        if end < 0:
            return
        head = bytes(self._received[:end])
        length = _content_length(head)
        if len(self._received) < end + 4 + length:
            return
        del self._received[: end + 4 + length]
        target = head.split(b' ', 2)[1].decode('latin-1')
        self._server.enter(self, target)
        self._task = asyncio.get_running_loop().create_task(self._answer(target))

    async def _answer(self, target: str) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self._server.pause()
            self._server.busy.discard(self)
            body = f'{self._server.name} {target}\n'.encode()
            head = f'HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nX-Server: {self._server.name}\r\n\r\n'
            self._transport.write(head.encode() + body)
            self._task = None
            self._next()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b'\r\n')[1:]:
        if line.startswith(_CONTENT_LENGTH):
            return int(line[len(_CONTENT_LENGTH) :])
    return 0
