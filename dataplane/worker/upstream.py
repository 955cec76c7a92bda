"""One connection to a server: connecting, carrying one exchange after the other, idle in between.

The socket is made and connected here rather than by the loop, so that `shutdown` can be truthful at every stage: when it
returns, shutdown(2) has been done and the server has been told (design, the board, rule 6). A transport's own abort()
would tell it one loop turn later.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, cast

from dataplane.wire.outgoing import bind_to
from dataplane.worker.outbox import LARGE, Sender
from dataplane.worker.transport import tcp_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.core.outbound import Source
    from dataplane.worker.halves import ServerUser
    from dataplane.worker.outbox import Outbox

Address = tuple[socket.AddressFamily, Any]
CameTo = int | tuple[str, int]
"""Whatever of its client's destination it goes to: nothing (0), the port, or address and port."""
Ends = tuple[tuple[str, int], tuple[str, int]]
_UNDERWAY: Final = (0, errno.EINPROGRESS)


class Link(IntEnum):
    """Stage of a connection to a server."""

    NEW = 0
    CONNECTING = 1
    ATTACHING = 2
    OPEN = 3
    CLOSED = 4


_OPEN: Final = Link.OPEN  # named per request: see core/plane.py


class Upstream(Sender):
    """`generation` is the server's session generation it was opened under; `uses` counts the requests sent on it; `port` is
    the one its client came to, where the server has none of its own and this leads to that.

    `preface` is what is said on it first (the PROXY protocol), `source` where it comes from.
    `private`: its client has said there who it is (NTLM, Negotiate), so that it is nobody else's.
    `parted` is called with this connection when it ends while nobody uses it (idle in a pool).
    """

    __slots__ = (
        '_is_closing', '_loop', '_outbox', '_paced', '_parted', '_put', '_sock', '_task', '_transport', '_unsent', '_waiting',
        'came_to', 'congested', 'generation', 'held', 'idle_since', 'link', 'preface', 'private', 'server', 'source', 'user', 'uses',
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, outbox: Outbox, server: int, generation: int, user: ServerUser | None,
        parted: Callable[[Upstream], None],
    ) -> None:  # fmt: skip
        self._loop = loop
        self._outbox = outbox
        self._unsent = b''
        self._waiting = 0
        self.congested = self.held = self._paced = False
        self._parted = parted
        self._sock: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        # of the transport, bound once: found by name they cost a request 600 instructions more
        self._put: Callable[[bytes], None] | None = None
        self._is_closing: Callable[[], bool] | None = None
        self._task: asyncio.Task[None] | None = None
        self.server = server
        self.generation = generation
        self.user = user
        self.uses = 0
        self.came_to: CameTo = 0
        self.private = False
        self.preface = b''
        self.source: Source | None = None
        self.idle_since = 0
        self.link = Link.NEW

    # -- connecting ----------------------------------------------------------------------------------------------

    def connect(self, address: Address) -> None:
        """Begin to connect to an address in numbers. The user hears on_connected or on_connect_failed, never inline."""
        family, where = address
        self.link = Link.CONNECTING
        try:
            self._sock = sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            if self.source is not None and family != socket.AF_UNIX:
                bind_to(sock, self.source.host, self.source.port, self.source.interface)
            error = sock.connect_ex(where)
        except OSError as failure:
            error = failure.errno or errno.EIO
        if error in _UNDERWAY:
            self._loop.add_writer(sock.fileno(), self._writable)
        else:
            self._loop.call_soon(self._failed, error)

    def resolve_and_connect(self, host: str, port: int) -> None:
        """The same for a host name, by the system's resolver and without blocking the loop."""
        self.link = Link.CONNECTING
        self._task = self._loop.create_task(self._resolve(host, port))

    async def _resolve(self, host: str, port: int) -> None:
        try:
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (
            OSError,
            UnicodeError,
        ):  # the second: a label that is empty or too long can be no name (RFC 1035, 2.3.4)
            self._failed(errno.EHOSTUNREACH)
            return
        if self.link is Link.CONNECTING:
            self.connect((found[0][0], found[0][4]))

    def _writable(self) -> None:
        sock = cast(socket.socket, self._sock)
        self._loop.remove_writer(sock.fileno())
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._failed(error)
            return
        self.link = Link.ATTACHING
        self._task = self._loop.create_task(self._attach(sock))

    async def _attach(self, sock: socket.socket) -> None:
        """Let the loop take the connected socket over.

        By the call for accepted sockets: uvloop ties the socket object to its transport there at once, but in
        create_connection only a loop turn after connection_made. A transport aborted in between closes the descriptor,
        and the socket object closes the same number again when it may be another connection's.
        """
        try:
            await self._loop.connect_accepted_socket(lambda: self, sock)
        except OSError as failure:
            self._failed(failure.errno or errno.EIO)

    def _failed(self, error: int) -> None:
        if self.link is Link.CLOSED:
            return
        self.link = Link.CLOSED
        if self._sock is not None:
            self._sock.close()
        user, self.user = self.user, None
        if user is not None:
            user.on_connect_failed(error)

    # -- what the transport says ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has taken the socket over."""
        self._transport = wire = cast(asyncio.Transport, transport)
        self._put, self._is_closing = wire.write, wire.is_closing
        if self.link is Link.CLOSED:
            wire.abort()
            return
        self.link = _OPEN
        if self.preface:
            self.write(self.preface)
        if self.user is not None:
            self.user.on_connected()

    def data_received(self, data: bytes) -> None:
        """Bytes for the user; without one they are the start of no response, and the connection is poisoned."""
        if self.user is not None:
            self.user.on_server_data(data)
        else:
            self._part()

    def eof_received(self) -> bool:
        """The server sends no more."""
        if self.user is not None:
            return self.user.on_server_eof()
        self._part()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, by whomever."""
        if self.link is Link.CLOSED:
            return
        self.link = Link.CLOSED
        self._shut()
        user, self.user = self.user, None
        if user is not None:
            user.on_server_lost()
        else:
            self._parted(self)

    def pause_writing(self) -> None:
        """More is buffered than the server takes."""
        self.congested = True
        self.has_taken()
        if self.user is not None:
            self.user.on_server_congested(congested=True)

    def resume_writing(self) -> None:
        """The server has caught up."""
        self.congested = False
        if self.user is not None:
            self.user.on_server_congested(congested=False)

    def _part(self) -> None:
        if self.link is not Link.CLOSED:
            self.shutdown()
            self._parted(self)

    # -- what the user does --------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes to the server, small pieces at the end of this turn (outbox.py)."""
        if self._transport is None or self.link is not _OPEN:
            return
        first = not self._unsent
        self._unsent = data if first else self._unsent + data
        if len(self._unsent) >= LARGE:
            self.push()
        elif first:
            self._outbox.post(self)

    def push(self) -> None:
        """Hand what waits to the transport, now; after `shutdown` nothing of it is sent any more."""
        data, self._unsent = self._unsent, b''
        if data and self._put is not None and self.link is _OPEN:
            self._outbox.sent += len(data)
            self._put(data)

    def write_eof(self) -> None:
        """Send no more to the server, but go on reading."""
        self.push()
        if self._transport is not None and self.link is _OPEN and self._transport.can_write_eof():
            self._transport.write_eof()

    def close(self) -> None:
        """End it once everything is sent; its user hears `on_server_lost` then, when the server has been told."""
        self.push()
        if self._transport is not None and self.link is _OPEN:
            self._transport.close()

    def hold(self, *, held: bool) -> None:
        """Stop, or go on, reading from the server."""
        self.held = held
        self._listen()

    def pace(self, *, paced: bool) -> None:
        """The same, until its user has looked at what has come."""
        self._paced = paced
        self._listen()

    def _listen(self) -> None:
        if self._transport is None or not self.is_alive():
            return
        if self.held or self._paced:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def has_taken(self) -> bool:
        """While it is congested: has the server taken more than was added since this was asked last?"""
        before, self._waiting = self._waiting, 0 if self._transport is None else self._transport.get_write_buffer_size()
        return self.congested and self._waiting < before

    def tcp_info(self, name: str) -> int | None:
        """What the system knows of the connection (transport.py)."""
        return None if self._sock is None else tcp_info(self._sock, name)

    def ends(self) -> Ends | None:
        """Its own address and the server's; None of a unix socket, and when it is not connected any more."""
        if self._sock is None or self._sock.family == socket.AF_UNIX:
            return None
        try:
            return self._sock.getsockname(), self._sock.getpeername()
        except OSError:
            return None

    def is_alive(self) -> bool:
        """May a request be sent on it?"""
        return self.link is _OPEN and self._is_closing is not None and not self._is_closing()

    def shutdown(self) -> None:
        """End it now, at whatever stage: once this returns the server has been told. Its user hears no more of it."""
        if self.link is Link.CLOSED:
            return
        link, self.link = self.link, Link.CLOSED
        self.user = None
        sock = self._sock
        if sock is None:
            return
        if link is Link.CONNECTING:
            self._loop.remove_writer(sock.fileno())
            sock.close()
            return
        self._shut()
        if self._transport is not None:
            self._transport.abort()

    def _shut(self) -> None:
        """Tell the server now: the transport itself closes a loop turn later."""
        if self._sock is not None:
            try:
                self._sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the server was first
