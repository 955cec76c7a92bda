"""The accepted socket of a client as a transport: what is written, when it is not read, how it is closed.

client.py makes an HTTP connection of it. Unsent output is bounded by the transport's high-water mark: above it the server
is not read (`congested`), and `timeout client` limits each time in which the client takes nothing.
"""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Final, cast

from dataplane.worker.clock import now_ms
from dataplane.worker.halves import ClientEnd
from dataplane.worker.outbox import LARGE
from dataplane.worker.transport import tcp_info
from dataplane.worker.wheel import Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.core.model import Frontend
    from dataplane.worker.arrival import Arrival
    from dataplane.worker.context import Context
    from dataplane.worker.framing import Body
    from dataplane.worker.sides import Owner

_LINGER: Final = 1_000
_TCP_REPAIR: Final = 19  # linux/tcp.h; Python has no name for it
_RESET: Final = struct.pack('ii', 1, 0)
_HOPS: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TTL), socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
}  # fmt: skip


_SERVICE: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TOS), socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
}  # fmt: skip


class Phase(IntEnum):
    """What a client connection is doing. FRESH: nothing of a first request has come; IDLE: between two requests."""

    FRESH = 0
    IDLE = 1
    HEAD = 2
    BUSY = 3
    LINGER = 4
    CLOSED = 5


class Hold(IntEnum):
    """Reasons for not reading from a client; a bit each."""

    BODY = 1
    PIPELINE = 2
    TURN = 4


# named per request: see core/plane.py
_CLOSED: Final = Phase.CLOSED


class Connection(ClientEnd):
    """One accepted connection of frontend number `index`."""

    __slots__ = (
        '_began', '_buffer', '_context', '_eof', '_frontend', '_holds', '_index', '_owner', '_put', '_sock', '_stalled', '_timer',
        '_transport', '_unsent', '_wall', '_write_paused', 'arrival', 'phase',
    )  # fmt: skip

    def __init__(self, context: Context, owner: Owner, index: int, frontend: Frontend, sock: socket.socket) -> None:
        self._context = context
        self._owner = owner
        self._index = index
        self._frontend = frontend
        self.patience = frontend.timeouts.client
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._put: Callable[[bytes], None] | None = None  # its write, bound once, as in upstream.py
        self._timer = Timer(self._expired)
        self._buffer = self._unsent = b''
        self._holds = 0
        self._eof = self._write_paused = False
        self._stalled = 0
        self.address, self.port = '', 0
        self.local_address, self.local_port = '', 0
        self._wall = context.clock.wall()
        self._began = self.since = context.clock.ms()
        self.idle_ms = self.listener = -1
        self.variables = None
        self.tracking = None
        self.arrival: Arrival | None = None
        self.bind = self.ends = None
        self.tlvs = None
        self.phase = Phase.FRESH

    def _note_first_byte(self) -> None:
        """A request begins with its first byte; what was before is idle time."""
        clock = self._context.clock
        self._began, self._wall = clock.ms(), clock.wall()
        self.idle_ms = self._began - self.since

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has taken the accepted socket over."""
        self._transport = wire = cast(asyncio.Transport, transport)
        self._put = wire.write
        peer, local = transport.get_extra_info('peername'), transport.get_extra_info('sockname')
        if isinstance(peer, tuple) and isinstance(local, tuple):
            self.address, self.port, self.local_address, self.local_port = peer[0], peer[1], local[0], local[1]
        arrival = self.arrival
        if arrival is not None and not arrival.announced:
            self.arrival = None
            self.place(arrival)

    def place(self, arrival: Arrival) -> None:
        """Let what rules or a PROXY header have said of both ends count for its requests."""
        if arrival.moved:
            self.ends = arrival.connection
            self.address, self.port, self.local_address, self.local_port = arrival.session
        self.tlvs = None if arrival.header is None else arrival.header.tlvs

    # -- reading -----------------------------------------------------------------------------------------------------

    def _hold(self, reason: Hold, *, held: bool) -> None:
        before = self._holds
        self._holds = before | reason if held else before & ~reason
        if self._transport is None or bool(before) == bool(self._holds) or self._transport.is_closing():
            return
        if self._holds:
            self._transport.pause_reading()
            self._owner.deaf(self)
        else:
            self._transport.resume_reading()

    def _pace(self, body: Body) -> None:
        """More has come of a body than is looked at in one turn: go on in the next, and read no more until then."""
        self._hold(Hold.TURN, held=True)
        self._context.loop.call_soon(self._next_turn, body)

    def _next_turn(self, body: Body) -> None:
        self._hold(Hold.TURN, held=False)
        self._go_on(body)

    def _go_on(self, body: Body) -> None:
        """Look at what else has come of a body, if it is still wanted."""
        raise NotImplementedError

    def _put_off(self, data: bytes) -> None:
        """This turn of the loop has had its time: what came has its own in the next, and no more is read until then."""
        self._buffer += data
        self._hold(Hold.TURN, held=True)
        self._context.loop.call_soon(self._in_turn)

    def _in_turn(self) -> None:
        if self._context.is_overdue():
            self._context.loop.call_soon(self._in_turn)
            return
        self._hold(Hold.TURN, held=False)
        self._next()

    def _next(self) -> None:
        """Go on with what came before it could be looked at, if there still is anybody."""
        raise NotImplementedError

    # -- writing -----------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes, small pieces at the end of this turn (outbox.py)."""
        if self._transport is None or self.phase is _CLOSED:
            return
        first = not self._unsent
        self._unsent = data if first else self._unsent + data
        if len(self._unsent) >= LARGE:
            self.push()
        elif first:
            self._context.outbox.post(self)

    def push(self) -> None:
        """Hand what waits to the transport, now."""
        data, self._unsent = self._unsent, b''
        if data and self._put is not None and self.phase is not _CLOSED:
            self._context.outbox.sent += len(data)
            self._put(data)

    def write_eof(self) -> None:
        """Send no more."""
        self.push()
        if self._transport is not None and not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()

    def is_congested(self) -> bool:
        """Is more waiting to be sent than should be?"""
        return self._write_paused

    def pause_writing(self) -> None:
        """More is buffered than the client takes: `timeout client` limits each time in which it takes nothing."""
        self._write_paused = True
        assert self._transport is not None
        self._stalled = self._transport.get_write_buffer_size()
        self._arm(self._stall_limit())
        self._congested(congested=True)

    def _stall_limit(self) -> int | None:
        """How long the client may take nothing of what waits for it (ms)."""
        return self.patience

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._write_paused = False
        if self.phase is Phase.LINGER:
            return  # what is left to send is still limited
        self._timer.disarm()
        self._congested(congested=False)

    def _congested(self, *, congested: bool) -> None:
        """Tell whoever produces what is written."""
        raise NotImplementedError

    # -- closing -----------------------------------------------------------------------------------------------------

    def close(self, *, linger: bool) -> None:
        """Close once everything is sent. `linger`: the client may still be sending; closing now would reset the
        connection and could destroy the answer on its way, so what comes is discarded for a moment (RFC 9112, 9.6).
        """
        transport = self._transport
        if transport is None or self.phase is _CLOSED:
            return
        self.push()
        self.phase = Phase.LINGER
        self._stalled = transport.get_write_buffer_size()
        self._buffer = b''
        self._hold(Hold.PIPELINE, held=False)
        self._hold(Hold.BODY, held=False)
        if linger and not self._eof:
            self.write_eof()
            self._arm(self._frontend.timeouts.client if self._stalled else _LINGER)
        else:
            self._arm(self._frontend.timeouts.client)
            transport.close()

    def _arm(self, timeout: int | None) -> None:
        """One timer for all that is waited for here: while output waits (`_write_paused`) it limits that, and nothing else."""
        if timeout is None:
            self._timer.disarm()
        else:
            self._context.wheel.arm(self._timer, now_ms() + timeout)

    def check(self) -> None:
        """While it is not read: has its peer gone? Called now and then by its owner."""
        raise NotImplementedError

    def tcp_info(self, name: str) -> int | None:
        """What the system knows of the connection (transport.py)."""
        return None if self.phase is _CLOSED else tcp_info(self._sock, name)

    def set_tos(self, value: int) -> None:
        """The type of service (RFC 2474) of the packets that are sent from here on."""
        level, option = _SERVICE.get(self._sock.family, (None, 0))
        if level is not None and self.phase is not _CLOSED:
            self._sock.setsockopt(level, option, value)

    def vanish(self) -> None:
        """Let the end of the connection, which follows, not be told to the client."""
        hide_end(self._sock)

    def close_idle(self) -> None:
        """A soft stop: close it if it waits for a next request."""
        raise NotImplementedError

    def _is_taking(self) -> bool:
        """The time is over while output waits: did the client take some of it meanwhile? Then it goes on."""
        if self._transport is None or not (self._write_paused or self.phase is Phase.LINGER):
            return False
        left = self._transport.get_write_buffer_size()
        if not left and self._stalled and self.phase is Phase.LINGER:
            self._stalled = 0
            self._arm(_LINGER)
            return True
        if not left or left >= self._stalled:
            return False
        self._stalled = left
        self._arm(self._stall_limit())
        return True

    def _expired(self) -> None:
        """The connection's own timer has fired."""
        raise NotImplementedError


def has_unread(sock: socket.socket) -> bool:
    """Did the peer send something, or end, that was not read yet?"""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def hide_end(sock: socket.socket) -> None:
    """`silent-drop`: where the system allows it, nothing is sent any more when the socket is closed; else what is sent gets no further
    than the next router, as HAProxy does it.
    """
    try:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if sock.family in _HOPS:
            level, option = _HOPS[sock.family]
            sock.setsockopt(level, option, 1)
