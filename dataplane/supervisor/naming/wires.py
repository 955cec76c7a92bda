"""The sockets to one nameserver. What comes in on them comes from its address: they are connected.

A question that could not be sent, or was told to have reached nobody, is reported (`failed`); one that is not answered is the
timers' of whoever asked. Nothing here waits for anybody, and nothing grows: what cannot be sent now is refused.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, cast

from dataplane.core.lookup import Nameserver

Received = Callable[[bytes], None]
_ROTATES: Final = 32
"""Questions from one port; behind them, when none is outstanding, another is taken: a number alone is soon guessed."""
_LONGEST: Final = 65_535
_WAITING: Final = 256
_IDLE: Final = 5.0
"""s; HAProxy's connections live as long (configuration manual, nameserver)."""
_PATIENCE: Final = 5.0


class UdpWire:
    """Datagrams to and from one nameserver."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, to: Nameserver, received: Received, failed: Callable[[], None]
    ) -> None:
        self._loop, self._to, self._received, self._failed = loop, to, received, failed
        self._socket: socket.socket | None = None
        self._sent = 0

    def send(self, message: bytes, *, fresh: bool) -> bool:
        """Send a question. `fresh`: no other is outstanding. Returns whether that could be done."""
        if fresh and self._sent >= _ROTATES:
            self.close()
        try:
            if self._socket is None:
                self._open()
            assert self._socket is not None
            self._socket.send(message)
        except OSError:
            self.close()
            return False
        self._sent += 1
        return True

    def _open(self) -> None:
        family = socket.AF_INET6 if ':' in self._to.host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            address = socket.getaddrinfo(
                self._to.host, self._to.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
            )
            opened.connect(address[0][4])
        except OSError:
            opened.close()
            raise
        self._socket, self._sent = opened, 0
        self._loop.add_reader(opened.fileno(), self._readable)

    def _readable(self) -> None:
        """Take one message per turn of the loop; the socket is looked at again for the next."""
        if self._socket is None:
            return
        try:
            message = self._socket.recv(_LONGEST)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._failed()
            return
        self._received(message)

    def close(self) -> None:
        """Close it; the next question opens it again."""
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None


class TcpWire(asyncio.Protocol):
    """A connection to one nameserver while there is something to ask, each message behind its length (RFC 1035, 4.2.2)."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, to: Nameserver, received: Received, failed: Callable[[], None]
    ) -> None:
        self._loop, self._to, self._received, self._failed = loop, to, received, failed
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._waiting: list[bytes] = []
        self._buffer = bytearray()
        self._idle: asyncio.TimerHandle | None = None

    def send(self, message: bytes, *, fresh: bool) -> bool:
        """Send a question, now or as soon as there is a connection. Returns whether there is room for it."""
        del fresh  # a connection needs no other port
        if self._transport is None and len(self._waiting) >= _WAITING:
            return False
        if self._transport is not None and self._transport.get_write_buffer_size() > _LONGEST:
            self.close()  # nobody reads there
            return False
        self._waiting.append(len(message).to_bytes(2, 'big') + message)
        if self._transport is not None:
            self._flush()
        elif self._connecting is None:
            self._connecting = self._loop.create_task(self._connect())
        return True

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._loop.create_connection(lambda: self, self._to.host, self._to.port)
        except (OSError, TimeoutError):
            lost, self._waiting = len(self._waiting), []
            for _ in range(lost):
                self._failed()
        finally:
            self._connecting = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: it is there."""
        self._transport = cast('asyncio.Transport', transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Asyncio: bytes came; a message is at most 64 KB, and each is taken as soon as it is whole."""
        self._buffer += data
        while len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], 'big')
            if len(self._buffer) < end:
                break
            message = bytes(self._buffer[2:end])
            del self._buffer[:end]
            self._received(message)
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio: it is gone."""
        del exc
        self._transport = None
        self._buffer.clear()

    def _flush(self) -> None:
        assert self._transport is not None
        waiting, self._waiting = self._waiting, []
        self._transport.write(b''.join(waiting))
        self._rest()

    def _rest(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self._loop.call_later(_IDLE, self.close)

    def close(self) -> None:
        """Close it; the next question opens it again."""
        if self._idle is not None:
            self._idle.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self._waiting.clear()
