"""Raw bytes over real sockets: a client that sends exactly what it is told, a server that answers exactly what it is told."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

HOST = b'Host: a\r\n'
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'


@dataclass
class Call:
    """One connection to a `RawServer`, as its script sees it. `head` is the current request's, with its empty line."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    head: bytes = b''

    def send(self, data: bytes) -> None:
        """Write bytes."""
        self.writer.write(data)

    def reset(self) -> None:
        """Cut the connection without a word."""
        reset(self.writer)

    async def body(self) -> bytes:
        """The request's body: by its length, or chunked (decoded, trailers included as they came)."""
        lower = self.head.lower()
        if b'transfer-encoding: chunked' in lower:
            return await self._chunks()
        at = lower.find(b'content-length: ')
        return await self.reader.readexactly(int(lower[at + 16 :].split(b'\r\n')[0])) if at >= 0 else b''

    async def _chunks(self) -> bytes:
        out = b''
        while size := int(await self.reader.readuntil(b'\r\n'), 16):
            out += (await self.reader.readexactly(size + 2))[:-2]
        assert await self.reader.readuntil(b'\r\n') == b'\r\n'
        return out


Script = Callable[[Call], Awaitable[None]]


@dataclass
class RawServer:
    """`async with RawServer(script) as server`: the script is run for each request head; heads are kept in `heads`."""

    script: Script
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    open: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> RawServer:
        self._server = await asyncio.start_server(self._serve, '127.0.0.1', 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *raised: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        call = Call(reader, writer, self.connections)
        try:
            while True:
                call.head = await reader.readuntil(b'\r\n\r\n')
                self.heads.append(call.head)
                await self.script(call)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the peer, or the test, has had enough
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.close()


def answering(data: bytes) -> Script:
    """A script that reads the body and answers `data`."""

    async def script(call: Call) -> None:
        await call.body()
        call.send(data)

    return script


async def ok(call: Call) -> None:
    """The script that reads the body and answers 200."""
    await call.body()
    call.send(OK)


class Gated:
    """A server that answers when its gate is opened, and notices who leaves before."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    async def __call__(self, call: Call) -> None:
        await call.body()
        opened, left = asyncio.create_task(self.gate.wait()), asyncio.create_task(call.reader.read(1))
        await asyncio.wait((opened, left), return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        left.cancel()
        await asyncio.gather(opened, left, return_exceptions=True)
        if not self.gate.is_set():
            raise ConnectionError('the proxy closed the connection')
        call.send(OK)


class RawClient:
    """A client connection: `await RawClient.to(port)`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, port: int) -> RawClient:
        return cls(*await asyncio.open_connection('127.0.0.1', port))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(b'\r\n\r\n'), 30)

    async def exactly(self, count: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(count), 30)

    async def rest(self) -> bytes:
        """Everything until the connection ends, which a reset does as well; closes it then."""
        out = b''
        try:
            while piece := await asyncio.wait_for(self.reader.read(65_536), 30):
                out += piece
        except ConnectionError:
            pass
        self.writer.close()
        return out

    async def answer(self) -> tuple[int, bytes]:
        """One response with a length: its status and body."""
        head = await self.head()
        at = head.lower().find(b'content-length: ')
        body = await self.exactly(int(head[at + 16 :].split(b'\r\n')[0])) if at >= 0 else b''
        return int(head.split()[1]), body

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Cut the connection, whatever of what was sent is still on its way."""
        reset(self.writer)


def reset(writer: asyncio.StreamWriter) -> None:
    """Send a RST. Without lingering for 0 s the end would come behind data that a peer which does not read never takes."""
    sock = writer.get_extra_info('socket')
    if sock is not None:  # else it is closed already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    writer.transport.abort()


async def ask(port: int, raw: bytes) -> bytes:
    """Send `raw` on a new connection and return everything until it ends. The request should say `Connection: close`."""
    client = await RawClient.to(port)
    client.send(raw)
    return await client.rest()


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Let the loop run until `condition` holds; fails after `seconds`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not condition():
        assert loop.time() < end, 'the condition did not come true in time'
        await asyncio.sleep(0.002)
