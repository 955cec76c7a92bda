"""One conversation over a socket: a bare non-blocking one, because a check is a few system calls and 2,000 of them a second are usual.

The conversation decides (`dataplane.health.run`), this does: it dials, sends, receives and keeps the time. It tells its result
once, or never when it was cancelled. What is read is bounded by the conversation; what is not answered in time is over.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from dataplane.core.outbound import NOWHERE, ProxyProtocol, Source, local_header
from dataplane.health.result import Result, Status, presentable
from dataplane.health.run import Action, Conversation, Dial, Say
from dataplane.wire.outgoing import bind_to
from dataplane.wire.unixhost import is_unix, unix_path

_READ: Final = 16_384
_LINGER: Final = struct.pack('ii', 1, 0)
_UNDER_WAY: Final = (0, 115)  # EINPROGRESS


@dataclass(frozen=True, slots=True)
class Limits:
    """Milliseconds: for making a connection, and for what follows; `rest` None: one limit for both together."""

    connect: int
    rest: int | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where its connections come from, and what is said on them first."""

    source: Source | None = None
    proxy: ProxyProtocol | None = None


NO_ORIGIN: Final = Origin()


class Dialogue:
    """One check under way."""

    __slots__ = ('_action', '_began', '_conversation', '_done', '_family', '_handle', '_host', '_limits', '_linger', '_loop', '_origin', '_out',
                 '_port', '_reading', '_resolving', '_sock', '_writing')  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        conversation: Conversation,
        host: str,
        port: int,
        limits: Limits,
        done: Callable[[Result], None],
        origin: Origin = NO_ORIGIN,
    ) -> None:
        self._origin = origin
        self._loop, self._conversation = loop, conversation
        self._host, self._port, self._limits, self._done = host, port, limits, done
        self._sock: socket.socket | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._resolving: asyncio.Task[None] | None = None
        self._out = b''
        self._reading = self._writing = self._linger = False
        self._began = loop.time()

    def start(self) -> None:
        """Begin; the result may be told before this returns."""
        self._handle = self._loop.call_later(self._limits.connect / 1000, self._timed_out)
        self._do(self._conversation.begin())

    def cancel(self) -> None:
        """End without a result."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._resolving is not None:
            self._resolving.cancel()
            self._resolving = None
        self._hang_up()

    # -- what the conversation asks for -------------------------------------------------------------------------------

    def _do(self, action: Action) -> None:
        if isinstance(action, Result):
            self._finish(action)
        elif isinstance(action, Dial):
            self._hang_up()
            self._linger = action.linger
            self._dial(action.addr or self._host, action.port or self._port)
        elif isinstance(action, Say):
            self._out = action.data
            self._send()
        elif not self._reading and self._sock is not None:
            self._reading = True
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def _finish(self, result: Result) -> None:
        duration = round((self._loop.time() - self._began) * 1000)
        self.cancel()
        self._done(Result(result.status, result.code, presentable(result.info), duration))

    def _hang_up(self) -> None:
        """Let the connection go: by a reset, unless it is to linger, so that nothing is left behind, neither here nor with the server."""
        sock, self._sock = self._sock, None
        if sock is None:
            return
        if self._reading:
            self._loop.remove_reader(sock.fileno())
        if self._writing:
            self._loop.remove_writer(sock.fileno())
        self._reading = self._writing = False
        sock.close()

    # -- connecting -------------------------------------------------------------------------------------------------

    def _dial(self, host: str, port: int) -> None:
        if is_unix(host):
            self._connect(socket.AF_UNIX, unix_path(host))
            return
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        if family == socket.AF_INET and not host.replace('.', '').isdecimal():
            self._resolving = self._loop.create_task(self._resolve(host, port))
        else:
            self._connect(family, (host, port))

    async def _resolve(self, host: str, port: int) -> None:
        try:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as problem:
            self._resolving = None
            self._finish(Result(Status.L4CON, info=problem.strerror or str(problem)))
            return
        self._resolving = None
        self._connect(found[0][0], found[0][4])

    def _connect(self, family: int, address: object) -> None:
        try:
            self._sock = sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            if not self._linger:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            if family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                hindrance = self._bound(sock)
                if hindrance:
                    self._finish(self._conversation.unreachable(f"Can't bind to source address ({hindrance})"))
                    return
            error = sock.connect_ex(address)  # type: ignore[arg-type]
        except OSError as problem:
            # no descriptor left, or an address of no use: what it says of the server is that it was not asked
            self._finish(Result(Status.SOCKERR, info=problem.strerror or str(problem)))
            return
        if error not in _UNDER_WAY:
            refused = self._conversation.unreachable(f'General socket error ({os.strerror(error)})')
            self._finish(replace(refused, status=Status.SOCKERR) if family == socket.AF_UNIX else refused)
            return
        self._writing = True
        self._loop.add_writer(sock.fileno(), self._connected)

    def _bound(self, sock: socket.socket) -> str:
        """Let it come from where it should; what stands against it, '' for nothing."""
        source = self._origin.source
        if source is not None:
            try:
                bind_to(sock, source.host, source.port, source.interface)
            except OSError as problem:
                return problem.strerror or str(problem)
        return ''

    def _connected(self) -> None:
        sock = self._sock
        assert sock is not None
        self._loop.remove_writer(sock.fileno())
        self._writing = False
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._finish(self._conversation.unreachable(os.strerror(error)))
            return
        if self._limits.rest is not None:
            assert self._handle is not None
            self._handle.cancel()
            self._handle = self._loop.call_later(self._limits.rest / 1000, self._timed_out)
        action = self._conversation.connected()
        if self._origin.proxy is None:
            self._do(action)
        else:
            self._introduce(sock, self._origin.proxy, action)

    def _introduce(self, sock: socket.socket, settings: ProxyProtocol, action: Action) -> None:
        """The PROXY protocol comes first. A connection that was just made has room for it."""
        try:
            ends = (NOWHERE, NOWHERE)
            if sock.family != socket.AF_UNIX:
                ends = sock.getsockname()[:2], sock.getpeername()[:2]
            sock.send(local_header(settings, *ends))
        except OSError as problem:
            self._do(self._conversation.broken(problem.strerror or str(problem)))
            return
        self._do(action)

    # -- talking ----------------------------------------------------------------------------------------------------

    def _send(self) -> None:
        sock = self._sock
        if sock is None:
            return
        try:
            sent = sock.send(self._out) if self._out else 0
        except BlockingIOError:
            sent = 0
        except OSError as problem:
            self._do(self._conversation.broken(problem.strerror or str(problem)))
            return
        self._out = self._out[sent:]
        if self._out and not self._writing:
            self._writing = True
            self._loop.add_writer(sock.fileno(), self._send)
        elif not self._out:
            if self._writing:
                self._loop.remove_writer(sock.fileno())
                self._writing = False
            self._do(self._conversation.said())

    def _readable(self) -> None:
        """Read all that is there. The loop tells of a reset behind an answer once, together with the answer, and never again."""
        sock = self._sock
        while self._reading and sock is not None and sock is self._sock:
            try:
                data = sock.recv(_READ)
            except BlockingIOError:
                return
            except OSError as problem:
                self._deaf(sock)
                self._do(self._conversation.broken(problem.strerror or str(problem)))
                return
            if data:
                self._do(self._conversation.heard(data))
            else:
                self._deaf(sock)
                self._do(self._conversation.ended())

    def _deaf(self, sock: socket.socket) -> None:
        self._loop.remove_reader(sock.fileno())
        self._reading = False

    def _timed_out(self) -> None:
        self._finish(self._conversation.timed_out())
