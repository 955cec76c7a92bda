"""A plane whose servers are checked in virtual time: the real ledger, board and checker, without processes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from dataplane.core.changes import Change
from dataplane.core.checks import Pace, Probe, ServerCheck
from dataplane.core.ledger import ServerRecord
from dataplane.core.model import AdminState, Backend, Global, Server, Snapshot
from dataplane.core.state import OpState
from dataplane.health.checker import Checker
from dataplane.supervisor.checkfigures import BoardView
from tests.inprocess import Plane
from tests.unit.health.words import Process

PACE = Pace(inter=1_000, fastinter=200, downinter=5_000, rise=2, fall=3)
READY, DRAIN, MAINT = AdminState.READY, AdminState.DRAIN, AdminState.MAINT


CHECK = ServerCheck(pace=PACE)


def server(
    port: int, name: str = 's1', number: int = 1, *, check: ServerCheck | None = CHECK, **settings: Any
) -> Server:
    return Server(name=name, id=number, host='127.0.0.1', port=port, check=check, **settings)


class Scene:
    """A plane whose changes the checker follows, as the supervisor has it."""

    def __init__(self, *servers: Server, probe: Probe | None = None, **settings: Any) -> None:
        loop = asyncio.get_running_loop()
        backend = Backend(name='be', id=2, servers=servers, probe=probe or Probe())
        self.plane = Plane(snapshot=Snapshot(globals=Global(nbthread=2, node='n1', **settings), backends=(backend,)))
        self.lines: list[str] = []
        view = BoardView(self.plane.cells, self.plane.layout)
        self.checker = Checker(
            loop,
            self,
            view,
            lambda level, text: self.lines.append(text),
            lambda backend, level, text: self.lines.append(text),
            Process(),
            rng=random.Random(1),
            workers=4,
        )
        self.ledger = self.plane.ledger
        self.batches: list[int] = []
        self.checker.follow()

    async def submit(self, changes: Sequence[Change], *, source: str) -> object:
        self.batches.append(len(changes))
        outcome = await self.plane.submit(changes, source=source)
        self.checker.follow()
        return outcome

    def record(self, name: str = 's1') -> ServerRecord:
        return self.ledger.server('be', name)

    def state(self, name: str = 's1') -> OpState:
        return self.record(name).opstate

    def status(self, name: str = 's1') -> str:
        self.plane.watches.update(self.checker.watches)
        return self.plane.figures.status(self.record(name).index)


@asynccontextmanager
async def scene(*servers: Server, **settings: Any) -> AsyncIterator[Scene]:
    made = Scene(*servers, **settings)
    try:
        yield made
    finally:
        made.checker.close()
