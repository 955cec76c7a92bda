"""Servers that are well, and servers that fail in every way. A connection they do not answer stays open until they end."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK'


class Server:
    """What it does can be changed while it runs: `says` after something was heard (at once with `first`), then closes."""

    def __init__(self) -> None:
        self.says = OK
        self.first = False
        self.hangs = False
        self.resets = False
        self.endless = False
        self.slow = 0.0
        self.heard: list[bytes] = []
        self.accepted = 0
        self.sent = 0
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._open.add(writer)
        try:
            await self._answer(reader, writer)
        except OSError:
            pass  # a check hangs up by a reset
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.first:
            data = await reader.read(4096)
            if not data:
                return
            self.heard.append(data)
        if self.hangs:
            await reader.read()
        if self.resets:
            linger = struct.pack('ii', 1, 0)
            writer.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return
        for part in (self.says[at : at + 1] for at in range(len(self.says))) if self.slow else (self.says,):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(self.slow)
        while self.endless:
            writer.write(b'x' * 65_536)
            self.sent += 65_536
            await writer.drain()

    def hang_up(self) -> None:
        for writer in self._open:
            writer.transport.abort()


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.handle, '127.0.0.1', 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        server.hang_up()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def refusing() -> int:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return int(sock.getsockname()[1])
