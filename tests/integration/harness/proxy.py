"""One worker's traffic in this very process: real board, ledger, desk and sockets, no supervisor.

The supervisor's part is played by `change`: it proposes, commits under the lock and runs the effects, as one revision.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dataplane.board import Bells, Board
from dataplane.core.changes import AdoptFile, Change, StructuralChange
from dataplane.core.commit import stage
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Backend, Bind, Frontend, Global, LogTarget, Server, Snapshot, Timeouts
from dataplane.core.plane import SUPERVISOR, Plane
from dataplane.core.tables import Tables
from dataplane.worker.access_log import AccessLog
from dataplane.worker.contents import Contents
from dataplane.worker.desk import Desk, Effects
from dataplane.worker.traffic import Traffic

SHORT = Timeouts(client=5_000, server=5_000, connect=2_000, queue=5_000, http_request=5_000, http_keep_alive=5_000)


def server(name: str, port: int, number: int = 1, **settings: Any) -> Server:
    """A `server` line on loopback; minconn follows maxconn as the compiler would have it."""
    settings.setdefault('minconn', settings.get('maxconn', 0))
    return Server(name=name, id=number, host='127.0.0.1', port=port, **settings)


def snapshot(
    servers: Sequence[Server], *, frontend: dict[str, Any] | None = None, backend: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
) -> Snapshot:  # fmt: skip
    """A frontend `fe` on its way to a backend `be`; the dictionaries overrule single fields."""
    front: dict[str, Any] = {'timeouts': SHORT, 'default_backend': 'be', 'maxconn': 1000, 'httplog': True} | (
        frontend or {}
    )
    back: dict[str, Any] = {'timeouts': SHORT} | (backend or {})
    bind = Bind(name='fe:1', host='127.0.0.1', port=0)
    return Snapshot(
        globals=Global(**(settings or {})),
        frontends=(Frontend(name='fe', id=2, binds=(bind,), **front),),
        backends=(Backend(name='be', id=3, servers=tuple(servers), **back),),
    )


def limited(**timeouts: int) -> dict[str, Any]:
    """The timeouts of `SHORT`, some of them set otherwise, as fields of a frontend or backend."""
    values = {name: getattr(SHORT, name) for name in ('client', 'server', 'connect', 'queue', 'http_request')}
    return {'timeouts': Timeouts(**(values | timeouts))}


class Proxy:
    """`async with Proxy(snapshot) as proxy`: it listens on `proxy.port`, its log arrives at `proxy.log_lines()`."""

    def __init__(self, configuration: Snapshot, *, entries: int = 512) -> None:
        self._log = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._log.bind(('127.0.0.1', 0))
        self._log.setblocking(False)
        self._target = LogTarget(address=f'127.0.0.1:{self._log.getsockname()[1]}', format='raw', length=65_535)
        self.layout = Layout(workers=1, servers=16, backends=4, frontends=4, entries=entries, wheels=16_384)
        self.board = Board.create(self.layout)
        self.bells = Bells.create(1)
        self.ledger = Ledger(self.layout)
        self._revision = 0
        self._adopt_first(configuration)

    def _adopt_first(self, configuration: Snapshot) -> None:
        proposal = self.ledger.propose(AdoptFile(self._logging(configuration)))
        self.ledger.adopt(proposal, _now())
        self._commit()

    def _logging(self, configuration: Snapshot) -> Snapshot:
        frontends = tuple(replace(f, log_targets=f.log_targets or (self._target,)) for f in configuration.frontends)
        return replace(configuration, frontends=frontends)

    @property
    def tables(self) -> Tables:
        return self.ledger.tables

    async def __aenter__(self) -> Proxy:
        loop = asyncio.get_running_loop()
        self.desk = Desk(self.board, self.bells, 0, self.ledger.tables, loop=loop, rng=random.Random(1))
        self.log = AccessLog(loop, self.board.cells, self.layout, 0)
        self.traffic = Traffic(
            loop=loop, desk=self.desk, board_cells=self.board.cells, layout=self.layout, worker=0, log=self.log,
            contents=Contents(loop),
        )  # fmt: skip
        self._listening = socket.socket()
        self._listening.bind(('127.0.0.1', 0))
        self._listening.listen(128)
        self.port = self._listening.getsockname()[1]
        self.traffic.listen(self._listening, 0, 'fe:1')
        loop.add_reader(self.bells.fds[0], self._rung)
        loop.add_reader(self.bells.fds[1], self._pump)
        return self

    async def __aexit__(self, *raised: object) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.bells.fds[0])
        loop.remove_reader(self.bells.fds[1])
        self.traffic.close()
        self.log.close()
        for _ in range(3):
            await asyncio.sleep(0)
        self._listening.close()
        self._log.close()
        self.bells.close()
        self.board.close()

    def _rung(self) -> None:
        self.bells.clear(0)
        self.desk.settle()

    def _pump(self) -> None:
        """The supervisor's own holds, until nothing is left to pump."""
        self.bells.clear(1)
        more = True
        while more:
            plane = Plane(self.board.cells, self.layout, SUPERVISOR, lambda: 0)
            assert self.board.lock() is False
            plane.enter(torn=False)
            more = plane.pump_idle()
            rings = plane.leave()
            self.board.unlock()
            for ring in rings:
                self.bells.ring(ring if ring >= 0 else 1)
                if ring < 0:
                    break

    def _commit(self) -> None:
        self._revision += 1
        plane = Plane(self.board.cells, self.layout, SUPERVISOR, lambda: 0)
        commit = self.ledger.commit(self._revision)
        stage(self.board.cells, commit)
        assert self.board.lock() is False
        plane.enter(torn=False)
        plane.commit(commit)
        plane.leave(0)
        self.board.unlock()

    async def change(self, *changes: Change | Snapshot) -> Effects:
        """Bring changes through prepare, commit and effects; returns what they did."""
        for change in changes:
            if isinstance(change, Snapshot | StructuralChange):
                structural = AdoptFile(self._logging(change)) if isinstance(change, Snapshot) else change
                proposal = self.ledger.propose(structural)
                self.desk.prepare(proposal.tables)
                self.ledger.adopt(proposal, _now())
            else:
                self.ledger.apply(change, _now())
        self._commit()
        self._pump()
        applied: asyncio.Future[Effects] = asyncio.get_running_loop().create_future()
        # a test may have given the change up meanwhile
        self.desk.effects(self._revision, lambda effects: None if applied.done() else applied.set_result(effects))
        async with asyncio.timeout(30):  # wait_for would swallow a cancellation that meets the result
            return await applied

    def served(self, server: int = 0) -> int:
        """Slots taken of a server."""
        return self.board.cells[self.layout.TOTAL + server]

    def queued(self, backend: int = 0) -> int:
        """Streams in the backend's queue."""
        return self.board.cells[self.layout.QUEUE_LENGTH + self.layout.backend_queue(backend)]

    def counter(self, counter: int, *, server: int | None = None, backend: int | None = None) -> int:
        """A counter of a server, a backend, or else the frontend."""
        if server is not None:
            return self.board.cells[self.layout.server_counters(0, server) + counter]
        if backend is not None:
            return self.board.cells[self.layout.backend_counters(0, backend) + counter]
        return self.board.cells[self.layout.frontend_counters(0, 0) + counter]

    async def log_lines(self, count: int = 1) -> list[str]:
        """The next lines of the access log."""
        loop = asyncio.get_running_loop()
        return [(await asyncio.wait_for(loop.sock_recv(self._log, 65_535), 30)).decode() for _ in range(count)]


def _now() -> int:
    return time.monotonic_ns() // 1_000_000
