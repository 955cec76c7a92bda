"""One worker's path of a request with nothing outside it: real board, desk, clients and connections, transports of memory.

A round is one request of each client. It is begun as a busy loop turn begins, with bytes for every client, and goes on in
real loop turns, as what is sent leaves at the end of one and a waiter is given its slot in the next. The transports stand where the
kernel would; timers of the log run once per round instead of after some milliseconds, so that every round is the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable
from typing import Any, Final, cast

from bench.cases import payload
from bench.configs import Ports, haproxy
from bench.guard.stages import Stage
from dataplane.board import Bells, Board
from dataplane.config import load
from dataplane.core.changes import AdoptFile
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.plane import SUPERVISOR, Plane
from dataplane.worker.access_log import AccessLog
from dataplane.worker.arrival import Arrival
from dataplane.worker.client import Client
from dataplane.worker.clock import now_ms
from dataplane.worker.contents import Contents
from dataplane.worker.context import Context
from dataplane.worker.desk import Desk
from dataplane.worker.sides import Checked
from dataplane.worker.upstream import Upstream

_TURNS: Final = 10
"""Loop turns without any progress after which a round is stuck; the longest way (a slot is given, sent, answered) is 4."""

_LAYOUT: Final = Layout(workers=2, servers=16, backends=4, frontends=4, entries=1000)


class Wrong(Exception):
    """A request was not served as it should be: its instructions mean nothing."""


class Memory(asyncio.Transport):
    """A transport that keeps what was written since it was last asked."""

    def __init__(self, written: Callable[[], None] | None = None) -> None:
        super().__init__({'peername': ('127.0.0.1', 40_000), 'sockname': ('127.0.0.1', 8080)})
        self._written = written
        self._kept = b''

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._written is not None and not self._kept:
            self._written()
        self._kept += bytes(data)

    def take(self) -> bytes:
        kept, self._kept = self._kept, b''
        return kept

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        raise Wrong('a connection was given up')

    close = abort


class Owner:
    """Of the clients: nobody leaves, and nobody stops being read, while requests are counted."""

    def parted(self, client: Checked, frontend: int) -> None:
        raise Wrong(f'{client!r} of frontend {frontend} is gone')

    def admits(self, client: Client, arrival: Arrival) -> bool:
        raise Wrong(f'{client!r} has said by a PROXY header who it is: {arrival!r}')

    def deaf(self, client: Checked) -> None:
        raise Wrong(f'{client!r} is not read')

    def is_gone(self, sock: socket.socket, *, half: bool) -> bool:
        raise Wrong(f'{sock!r} is looked at, half {half}')


class Later:
    """In place of the loop's timers: what should be called later is called when `run` is."""

    def __init__(self) -> None:
        self._due: list[Callable[[], Any]] = []

    def call_later(self, delay: float, callback: Callable[[], Any]) -> None:
        self._due.append(callback)

    def run(self) -> None:
        due, self._due = self._due, []
        for callback in due:
            callback()


class Rig:
    """One per stage; to be made inside the loop, and closed."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._open = contextlib.ExitStack()
        self._loop = asyncio.get_running_loop()
        self._later = Later()
        self._drain = self._open.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._drain.bind(('127.0.0.1', 0))
        self._drain.settimeout(0)
        self._context = self._worker()
        self._asked: list[tuple[Upstream, Memory]] = []
        self._clients = [self._client() for _ in range(stage.case.connections)]
        for server in self._context.desk.tables.servers:
            for _ in self._clients:
                self._idle(server)
        self._requests = [stage.request(number) for number in range(len(self._clients))]
        self._answer, self._body, self._upload = stage.answer(), payload(stage.case.body), payload(stage.case.upload)

    # -- what a supervisor, a listener and servers would have done ---------------------------------------------------

    def _worker(self) -> Context:
        """A worker that has joined a board with the stage's configuration committed."""
        board, bells = Board.create(_LAYOUT), Bells.create(_LAYOUT.workers)
        self._open.callback(board.close)
        self._open.callback(bells.close)
        ledger = Ledger(_LAYOUT)
        text = haproxy(self._stage.case, Ports(8080, 8081, self._drain.getsockname()[1]), self._stage.everything)
        snapshot = load([('haproxy.cfg', text)], {}, cores=1).snapshot
        ledger.adopt(ledger.propose(AdoptFile(snapshot)), now_ms())
        supervisor = Plane(board.cells, _LAYOUT, SUPERVISOR, lambda: 0)
        board.lock()
        supervisor.enter(torn=False)
        supervisor.commit(ledger.commit(1))
        supervisor.leave()
        board.unlock()
        desk = Desk(board, bells, 0, ledger.tables, loop=self._loop, rng=random.Random(0))
        log = AccessLog(cast(asyncio.AbstractEventLoop, self._later), board.cells, _LAYOUT, 0)
        self._open.callback(log.close)
        context = Context(self._loop, desk, board.cells, _LAYOUT, 0, log, Contents(self._loop))
        context.adopt(snapshot.globals)
        log.adopt(snapshot.globals, ())
        context.pools.adopt(ledger.tables)
        return context

    def _client(self) -> tuple[Client, Memory]:
        """A client that was served once: with `http-reuse safe` a first request travels over no idle connection."""
        sock = self._open.enter_context(socket.socket())
        client, transport = Client(self._context, Owner(), 0, self._context.desk.tables.frontends[0], sock), Memory()
        client.connection_made(transport)
        client.requests = 1
        return client, transport

    def _idle(self, server: int) -> None:
        """A connection to a server that has carried requests and waits in the pool for another one."""
        context = self._context
        pool = context.pools.of(server, context.desk.tables.servers[server])
        upstream = Upstream(self._loop, context.outbox, server, 0, None, pool.forget)
        transport = Memory(lambda: self._asked.append((upstream, transport)))
        upstream.connection_made(transport)
        upstream.uses = 2
        pool.give(upstream, now_ms(), private=False)

    # -- what is counted ---------------------------------------------------------------------------------------------

    async def rounds(self, count: int) -> None:
        """Serve one request of each client, `count` times."""
        for _ in range(count):
            await self._round()

    async def _round(self) -> None:
        for (client, _), request in zip(self._clients, self._requests, strict=True):
            client.data_received(request)
        served = idle = 0
        while served < len(self._clients):
            await asyncio.sleep(0)
            asked, self._asked = self._asked, []
            idle = 0 if asked else idle + 1
            if idle > _TURNS:
                raise Wrong(f'{len(self._clients) - served} of {len(self._clients)} requests did not reach a server')
            for upstream, transport in asked:
                self._check_request(transport.take())
                upstream.data_received(self._answer)
            served += len(asked)
        await asyncio.sleep(0)
        for _, transport in self._clients:
            self._check_answer(transport.take())
        self._context.wheel.turn(now_ms())
        self._later.run()

    def _check_request(self, sent: bytes) -> None:
        if not sent.endswith(b'\r\n\r\n' + self._upload):
            raise Wrong(f'a server was sent {sent[:500]!r}')

    def _check_answer(self, sent: bytes) -> None:
        if not (sent.startswith(b'HTTP/1.1 200 OK\r\n') and sent.endswith(b'\r\n\r\n' + self._body)):
            raise Wrong(f'a client was sent {sent[:500]!r}')

    # -- the end -----------------------------------------------------------------------------------------------------

    def check_log(self) -> None:
        """With everything on every request left its line; the receiver's buffer holds the first ones."""
        if not self._stage.everything:
            return
        try:
            line = self._drain.recv(65_536)
        except BlockingIOError:
            raise Wrong('no access log line was sent') from None
        if self._stage.case.path.encode() not in line:
            raise Wrong(f'the access log has {line!r}')

    def close(self) -> None:
        """Give back what was opened."""
        self._open.close()
