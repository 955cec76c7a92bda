"""A TCP proxy between the planes that spoils the link: it delays, cuts, doubles and injects frames, or falls silent.

It understands just enough of WebSocket (RFC 6455, 5.2) to see where a frame ends, so that faults happen between frames, as a
real network under TCP would have it look to the endpoints. Everything that passed is kept for the tests to read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

_TEXT = 1
_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Passed:
    """One text frame: which way ('down' is towards the data plane), when (monotonic seconds), on which connection, its JSON."""

    way: str
    at: float
    connection: int
    message: dict[str, Any]


class FaultLink:
    """Listens on `port` and relays to 127.0.0.1:`target`, spoiling what is asked for.

    `delay` gives the seconds each frame is kept; with `double` every text frame is passed twice, except a hello: that is who
    speaks, not something said.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.delay: Callable[[], float] = lambda: 0.0
        self.double = False
        self.refuse = False
        self.passed: list[Passed] = []
        self.on_passed: Callable[[Passed], None] = lambda _: None
        self._flows = asyncio.Event()
        self._flows.set()
        self._connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._down: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accepted, '127.0.0.1', 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        self.mend()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection; new ones are let in (unless `refuse`)."""
        for writer in list(self._writers):
            writer.transport.abort()

    def half_open(self) -> None:
        """Pass nothing any more, either way, while every connection stays open."""
        self._flows.clear()

    def mend(self) -> None:
        """Pass everything again, what was kept back first."""
        self._flows.set()

    def inject(self, message: dict[str, Any]) -> None:
        """Send a text frame to the data plane as if the control plane had."""
        assert self._down is not None, 'no data plane is connected'
        self._down.write(text_frame(json.dumps(message).encode()))

    def messages(self, way: str, kind: str) -> list[dict[str, Any]]:
        """What passed one way of one type, in order."""
        return [row.message for row in self.passed if row.way == way and row.message.get('type') == kind]

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A data plane has dialled."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._flows.wait()
            if self.refuse:
                raise ConnectionRefusedError
            up_reader, up_writer = await asyncio.open_connection('127.0.0.1', self.target)
        except OSError:
            writer.transport.abort()
        else:
            await self._relay((reader, writer), (up_reader, up_writer))
        finally:
            self._tasks.discard(task)

    async def _relay(self, below: _Ends, above: _Ends) -> None:
        """Relay both ways until one of them ends, then close both connections."""
        self._connections += 1
        self._writers |= {below[1], above[1]}
        self._down = below[1]
        ways = [
            asyncio.create_task(self._one_way('up', self._connections, below[0], above[1])),
            asyncio.create_task(self._one_way('down', self._connections, above[0], below[1])),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for writer in (below[1], above[1]):
                self._writers.discard(writer)
                writer.close()

    async def _one_way(self, way: str, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one direction until it ends."""
        with contextlib.suppress(OSError, EOFError):
            writer.write(await reader.readuntil(b'\r\n\r\n'))
            async for raw, payload in frames(reader):
                await asyncio.sleep(self.delay())
                await self._flows.wait()
                if payload is not None:
                    row = Passed(way, time.monotonic(), number, json.loads(payload))
                    self.passed.append(row)
                    self.on_passed(row)
                writer.write(raw * 2 if self.double and payload is not None and row.message['type'] != 'hello' else raw)
                await writer.drain()

    async def __aenter__(self) -> FaultLink:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes | None]]:
    """The frames of one direction: (as it came in, payload of an unfragmented text frame or None). EOFError at the end."""
    while True:
        head = await reader.readexactly(2)
        length = head[1] & 0x7F
        more = await reader.readexactly({126: 2, 127: 8}.get(length, 0))
        if more:
            length = int.from_bytes(more)
        mask = await reader.readexactly(4) if head[1] & 0x80 else b''
        body = await reader.readexactly(length)
        text = head[0] == 0x80 | _TEXT
        yield head + more + mask + body, unmask(body, mask) if text else None


def unmask(body: bytes, mask: bytes) -> bytes:
    """Undo the masking of RFC 6455, 5.3 (`mask` empty: there was none)."""
    if not mask:
        return body
    stretched = (mask * (len(body) // 4 + 1))[: len(body)]
    return (int.from_bytes(body) ^ int.from_bytes(stretched)).to_bytes(len(body))


def text_frame(payload: bytes) -> bytes:
    """An unmasked text frame, as servers send it."""
    size = len(payload)
    if size < 126:
        return bytes([0x80 | _TEXT, size]) + payload
    if size < 1 << 16:
        return bytes([0x80 | _TEXT, 126]) + size.to_bytes(2) + payload
    return bytes([0x80 | _TEXT, 127]) + size.to_bytes(8) + payload
