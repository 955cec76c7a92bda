"""A control plane that says exactly what a test tells it to, over a real WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.server import Server, ServerConnection, serve

from dataplane.wire.codec import FROM_DATAPLANE, chunked, decode, encode
from dataplane.wire.events import Ack, Event, Hello, Message, Nack
from dataplane.wire.state import State, diff, digest


def event(seq: int, old: State, new: State, *, term: int = 1, prev: int | None = None) -> Event:
    """The event at `seq` that leads from `old` to `new` (and follows seq - 1 unless said otherwise)."""
    prev = seq - 1 if prev is None else prev
    return Event(term=term, seq=seq, prev_seq=prev, ts=0, changes=tuple(diff(old, new)), state_hash=digest(new))


class Link:
    """One connection as the control plane sees it."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    async def send(self, *messages: Message) -> None:
        for message in messages:
            await self.connection.send(encode(message))

    async def snapshot(self, term: int, seq: int, state: State) -> None:
        for frame in chunked(term, seq, state):
            await self.connection.send(frame)

    async def next(self, *kinds: type[Message]) -> Message:
        """The next message, of one of these kinds if any are given."""
        async with asyncio.timeout(30):
            while True:
                message = decode(await self.connection.recv(), FROM_DATAPLANE)
                if not kinds or isinstance(message, kinds):
                    return message

    async def answer(self) -> Ack:
        """The next answer, which must be an ack."""
        message = await self.next(Ack, Nack)
        assert isinstance(message, Ack), message
        return message

    async def acked(self) -> tuple[int, int]:
        message = await self.next(Ack, Nack)
        assert isinstance(message, Ack), message
        return message.term, message.seq

    async def nacked(self) -> Nack:
        message = await self.next(Ack, Nack)
        assert isinstance(message, Nack), message
        return message

    async def gone(self) -> None:
        async with asyncio.timeout(30):
            await self.connection.wait_closed()


class Control:
    """The control plane's end: hands out connections in the order they came."""

    def __init__(self) -> None:
        self.links: asyncio.Queue[Link] = asyncio.Queue()
        self.tokens: list[str] = []
        self.paths: list[str] = []
        self.server: Server

    @property
    def url(self) -> str:
        port = next(iter(self.server.sockets)).getsockname()[1]
        return f'http://127.0.0.1:{port}'

    async def handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        self.tokens.append(connection.request.headers.get('Authorization', ''))
        self.links.put_nowait(Link(connection))
        await connection.wait_closed()

    async def link(self) -> tuple[Link, Hello]:
        async with asyncio.timeout(30):
            link = await self.links.get()
        hello = await link.next()
        assert isinstance(hello, Hello)
        return link, hello


@asynccontextmanager
async def control() -> AsyncIterator[Control]:
    made = Control()
    async with serve(made.handle, '127.0.0.1', 0, compression=None, max_size=None) as made.server:
        yield made
