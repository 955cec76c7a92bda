"""A board in shared memory, bells, the real ledger and two desks in one process, and a stream that notes what it is told."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from dataplane.board import Bells, Board
from dataplane.core import invariants, stream
from dataplane.core.changes import AdoptFile, Change
from dataplane.core.commit import stage
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Snapshot
from dataplane.core.plane import Plane
from dataplane.core.stream import Admission, Stream
from dataplane.worker.desk import Desk, Effects
from tests.unit.core.farm import backend, file, server

COMPILED = Path(stream.__file__).suffix != '.py'
LAYOUT = Layout(workers=2, servers=6, backends=3, frontends=2, entries=300, wheels=1_024)


class Request(Stream):
    """A stream that notes what it is told and does what an exchange must: ask again, or leave."""

    __slots__ = ('desk', 'route_to', 'told')

    def __init__(self, desk: Desk, backend: int = 0) -> None:
        super().__init__(backend)
        self.desk = desk
        self.told: list[str] = []
        self.route_to = backend

    def route(self) -> int:
        return self.route_to

    def on_slot(self) -> None:
        self.told.append('slot')

    def on_refused(self, why: Admission) -> None:
        self.told.append(why.name)

    def on_server_left(self) -> None:
        self.told.append('left')
        self.told.append(self.desk.again(self).name)

    def on_shutdown(self) -> None:
        self.told.append('shutdown')
        self.desk.leave(self)


class House:
    """Board, bells, ledger and two desks."""

    def __init__(self, *limits: int) -> None:
        self.board = Board.create(LAYOUT)
        self.bells = Bells.create(2)
        self.ledger = Ledger(LAYOUT)
        self.limits = limits
        self.revision = 0
        self.plane = Plane(self.board.cells, LAYOUT, -1, lambda: 0)
        self.ledger.adopt(self.ledger.propose(AdoptFile(self.snapshot())), 0)
        self.commit()
        loop = asyncio.get_running_loop()
        self.desks = [
            Desk(self.board, self.bells, worker, self.ledger.tables, loop=loop, rng=random.Random(1))
            for worker in (0, 1)
        ]
        for worker, desk in enumerate(self.desks):
            loop.add_reader(self.bells.fds[worker], self._rung, worker, desk)

    def snapshot(self, extra: int = 0) -> Snapshot:
        lines = [server(f's{n}', n, maxconn=most, minconn=most) for n, most in enumerate(self.limits, 1)]
        other = backend('other', 4, *[server(f'o{n}', n) for n in range(1, 2 + extra)])
        return file(backend('px', 3, *lines), other)

    def _rung(self, worker: int, desk: Desk) -> None:
        self.bells.clear(worker)
        desk.settle()

    def commit(self, *changes: Change) -> None:
        """Make changes true, and pump as the supervisor does."""
        for change in changes:
            self.ledger.apply(change, 0)  # type: ignore[arg-type]
        self.revision += 1
        revision = self.ledger.commit(self.revision)
        stage(self.board.cells, revision)
        self.hold(lambda: self.plane.commit(revision))
        while self.hold(self.plane.pump_idle):
            pass

    def hold(self, act: object) -> object:
        torn = self.board.lock()
        self.plane.enter(torn=torn)
        if torn:
            self.board.consistent()
        out = act()  # type: ignore[operator]
        for worker in self.plane.leave():
            self.bells.ring(worker if worker >= 0 else self.bells.supervisor)
        self.board.unlock()
        return out

    async def applied(self, worker: int) -> Effects:
        """Let a worker's effects of the current revision come to their end."""
        done: asyncio.Future[Effects] = asyncio.get_running_loop().create_future()
        self.desks[worker].effects(self.revision, done.set_result)
        return await done

    async def until(self, *requests: Request, told: int = 1) -> None:
        """Wait until each of them was told so many things."""
        while any(len(request.told) < told for request in requests):  # noqa: ASYNC110 - a turn of the loop is what is awaited
            await asyncio.sleep(0)

    def close(self) -> None:
        for worker in (0, 1):
            asyncio.get_running_loop().remove_reader(self.bells.fds[worker])
        invariants.check(self.board.cells, LAYOUT)
        self.bells.close()
        self.board.close()
