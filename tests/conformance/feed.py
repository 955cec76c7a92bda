"""A connection that is always read: what came is kept, and whoever waits for more, or for the end, is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from tests.integration.harness.raw import reset


class Feed:
    """Both ends of a stream. `data` is what came and was not yet taken; `ended`: no more will come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.data = b''
        self.ended = False
        self.writer = writer
        self._reader = reader
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def to(cls, port: int) -> Feed:
        """A connection to a proxy. One that was accepted and reset before connect(2) could look has ended, as if it were a moment later."""
        try:
            return cls(*await asyncio.open_connection('127.0.0.1', port))
        except ConnectionResetError:
            ours, theirs = socket.socketpair()
            theirs.close()
            return cls(*await asyncio.open_connection(sock=ours))

    async def _read(self) -> None:
        try:
            while piece := await self._reader.read(1 << 16):
                self.data += piece
                self._changed.set()
        except ConnectionError:
            pass  # a reset is an end as well
        self.ended = True
        self._changed.set()

    async def change(self) -> None:
        """Return when something more came, or the end."""
        if not self.ended:
            self._changed.clear()
            await self._changed.wait()

    def send(self, data: bytes) -> None:
        """Write, if there is still somebody."""
        if not self.writer.transport.is_closing():
            self.writer.write(data)

    def shut(self) -> None:
        """End our direction."""
        with contextlib.suppress(OSError):  # the other side was faster
            self.writer.write_eof()

    def reset(self) -> None:
        """Cut both directions."""
        reset(self.writer)

    async def close(self) -> None:
        """End both directions, and reading."""
        self.writer.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
