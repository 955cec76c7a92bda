"""A control plane on a free port with real SQLite, and a data plane that speaks the wire over a real WebSocket.

The data plane here is scripted: it folds what it is sent as a real one does, but answers only when the test says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from controlplane.app import Running, Settings, authority_of, open_socket, open_store, read_tls, running, server_of
from controlplane.auth import Authority
from controlplane.push import PushSettings
from dataplane.wire import codec
from dataplane.wire import state as wire
from dataplane.wire.events import (
    SHARES,
    Ack,
    Drained,
    Event,
    Goodbye,
    Hello,
    Inventory,
    Lease,
    Message,
    Nack,
    Renew,
    Snapshot,
    Status,
)

QUICK = PushSettings(batch_s=0.02, retry_s=0.01, retry_max_s=0.02)


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane and a client of its REST interface."""

    plane: Running
    client: httpx.AsyncClient
    address: str

    async def put_app(self, servers: int = 2, name: str = 'app') -> None:
        """Backend `name` with servers s1, s2, ..."""
        specs = {f's{n}': {'address': '127.0.0.1', 'port': 9000 + n, 'maxConn': 1} for n in range(1, servers + 1)}
        answer = await self.client.put(f'/v1/backends/{name}', json={'servers': specs})
        assert answer.status_code == 201, answer.text

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something known to the convergence is so."""
        moved = asyncio.Event()
        stop = self.plane.sequencer.convergence.listen(moved.set)
        try:
            async with asyncio.timeout(30):
                while not holds():
                    moved.clear()
                    await moved.wait()
        finally:
            stop()


@contextlib.asynccontextmanager
async def control_plane(
    store: str, push: PushSettings = QUICK, authority: Authority | None = None, trust: ssl.SSLContext | bool = True,
    **more: Any,
) -> AsyncIterator[ControlPlane]:  # fmt: skip
    """`authority`: who decides (None: as the settings say); `more`: of the settings."""
    settings = Settings(store=store, port=0, push=push, **more)
    with open_socket(settings.host, settings.port, alone=settings.tokens is None) as listener:
        address = f'127.0.0.1:{listener.getsockname()[1]}'
        async with running(settings, open_store(store)) as plane:
            server = server_of(plane, authority or authority_of(settings), read_tls(settings.tls), settings.recheck_s)
            task = asyncio.ensure_future(server.serve([listener]))
            try:
                scheme = 'http' if settings.tls is None else 'https'
                async with httpx.AsyncClient(base_url=f'{scheme}://{address}', timeout=20, verify=trust) as client:
                    yield ControlPlane(plane, client, address)
            finally:
                server.should_exit = True
                await task


class DataPlane:
    """A data plane in the test's hands. `state`, `term`, `seq` are what it has applied."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = wire.empty()
        self.term, self.seq, self.seen = 0, 0, 0
        self.socket: ClientConnection | None = None
        self.assembler = codec.Assembler()

    async def dial(self, address: str, token: str | None = None, **hello: Any) -> None:
        headers = {} if token is None else {'Authorization': f'Bearer {token}'}
        self.socket = await connect(f'ws://{address}/v1/push', additional_headers=headers, max_size=codec.MAX_FRAME)
        await self.hello(**hello)

    async def hello(self, **hello: Any) -> None:
        default = Hello(
            dp_id=self.name, term=self.term, seq=self.seq, term_seen=self.seen,
            state_hash=wire.digest(self.state), workers=2,
        )  # fmt: skip
        await self.send(replace(default, **hello))

    async def dial_with_shares(
        self, address: str, *rows: tuple[str, str, str, int, int], lapsed: bool = False, **hello: Any
    ) -> None:
        """As one that knows shares, and holds `rows`."""
        await self.dial(address, features=(SHARES,), **hello)
        await self.send(Inventory(lapsed=lapsed, servers=rows))

    async def renewed(self, asked: int, within: float = 10) -> Lease | None:
        """Ask for a lease, and read until it comes (other messages are let pass); None: not in time."""
        assert self.socket is not None
        await self.send(Renew(asked=asked))
        try:
            async with asyncio.timeout(within):
                while True:
                    message = codec.decode(await self.socket.recv(), codec.FROM_CONTROLPLANE)
                    if isinstance(message, Lease) and message.asked == asked:
                        return message
        except TimeoutError:
            return None

    def share(self, server: str = 's1', backend: str = 'app') -> tuple[int, bool] | None:
        """What it was told of a server: (share, whether some are due); None: its limit is its own."""
        spec = self.state['backends'][backend]['servers'][server]
        return (spec['share'], spec.get('shareDue', False)) if 'share' in spec else None

    async def send(self, message: Message) -> None:
        assert self.socket is not None
        await self.socket.send(codec.encode(message))

    async def next(self) -> Message:
        """The next message that is not a lease."""
        assert self.socket is not None
        async with asyncio.timeout(30):
            while True:
                message = codec.decode(await self.socket.recv(), codec.FROM_CONTROLPLANE)
                if not isinstance(message, Lease):
                    return message

    async def take(self) -> Snapshot | Event:
        """The next snapshot (all of it) or event, applied but not acknowledged."""
        while True:
            message = await self.next()
            if isinstance(message, Event):
                assert (message.term, message.prev_seq) == (self.term, self.seq), 'a gap'
                self._adopt(message, wire.fold(self.state, message.changes))
                return message
            assert isinstance(message, Snapshot)
            state = self.state if codec.same(message) else self.assembler.add(message)
            if state is not None:
                self._adopt(message, state)
                return message

    def _adopt(self, message: Snapshot | Event, state: wire.State) -> None:
        assert wire.digest(state) == message.state_hash
        assert (message.term, message.seq) > (self.term, self.seq)
        self.state, self.term, self.seq = state, message.term, message.seq
        self.seen = max(self.seen, message.term)

    async def ack(self) -> None:
        await self.send(
            Ack(term=self.term, seq=self.seq, state_hash=wire.digest(self.state), pause_us=12, workers=(0, 1))
        )

    async def apply(self) -> Snapshot | Event:
        message = await self.take()
        await self.ack()
        return message

    async def refuse(self, message: Event | Snapshot, code: str, *backends: str) -> None:
        await self.send(
            Nack(
                term=message.term, seq=message.seq, code=code, detail='because', backends=backends,
                applied_term=self.term, applied_seq=self.seq,
            )
        )  # fmt: skip

    async def drained(self, backend: str, server: str, state: str = 'drain') -> None:
        await self.send(Drained(term=self.term, seq=self.seq, servers=((backend, server, state),)))

    async def status(self, backend: str, server: str, flight: int, queued: int = 0, **local: str) -> None:
        told = tuple((backend, server, setting, value) for setting, value in local.items())
        rows = ((backend, server, flight, queued, 'UP'),)
        await self.send(Status(term=self.term, seq=self.seq, servers=rows, local=told or None))

    async def waiting(self, backend: str, queued: int) -> None:
        """A status without a row: so many wait in the backend's own queue."""
        queues = ((backend, queued),) if queued else None
        await self.send(Status(term=self.term, seq=self.seq, servers=(), queues=queues))

    async def goodbye(self) -> None:
        await self.send(Goodbye(reason='soft stop'))
        await self.closed()

    async def closed(self) -> tuple[int, str]:
        """Read until the link is closed: (code, reason)."""
        assert self.socket is not None
        try:
            async with asyncio.timeout(30):
                while True:
                    await self.socket.recv()
        except ConnectionClosed as end:
            return (end.rcvd.code, end.rcvd.reason) if end.rcvd is not None else (1006, '')

    async def cut(self) -> None:
        if self.socket is not None:
            self.socket.transport.abort()
            await self.socket.wait_closed()


Dial = Callable[..., Awaitable[DataPlane]]


async def sent_away(address: str) -> tuple[int, str]:
    """(code, reason) with which a control plane closes a link before anything was said on it."""
    async with connect(f'ws://{address}/v1/push') as link, asyncio.timeout(30):
        await link.wait_closed()
    assert link.close_code is not None
    return link.close_code, link.close_reason or ''
