"""`clear counters`: workers are asked, and the departed row and what the supervisor counts are cleared here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dataplane.board import Bells, Board
from dataplane.core.changes import AdoptFile
from dataplane.core.counters import C
from dataplane.core.layout import NOBODY, Layout
from dataplane.core.ledger import Ledger
from dataplane.core.plane import SUPERVISOR, Plane
from dataplane.health.watch import Watch
from dataplane.supervisor.checkfigures import CheckFigures
from dataplane.supervisor.clearing import Clearing
from dataplane.supervisor.holds import Holds
from dataplane.supervisor.outages import Outages
from dataplane.supervisor.questions import Answers
from tests.inprocess import SNAPSHOT

AT = Layout(workers=2, servers=8, backends=4, frontends=2, entries=16)


class Scene:
    """A board with everything counted, and workers that say what they were asked."""

    def __init__(self) -> None:
        self.board = Board.create(AT)
        self.ledger = Ledger(AT)
        self.ledger.adopt(self.ledger.propose(AdoptFile(SNAPSHOT)), 0)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.silent: tuple[int, ...] = ()
        self.meanwhile: Callable[[], None] = lambda: None
        watches: dict[tuple[int, bool], Watch] = {}
        holds = Holds(self.board, Bells.create(2), Plane(self.board.cells, AT, SUPERVISOR, lambda: 0))
        self.clearing = Clearing(
            self.board.cells,
            AT,
            self.ledger,
            holds=holds,
            workers=self,
            checks=CheckFigures(self.ledger, watches, lambda: 0),
            outages=Outages(self.ledger, self.board.cells, AT, lambda: 0),
        )

    async def ask(self, what: str, **fields: Any) -> Answers:
        self.asked.append((what, fields))
        self.meanwhile()
        return Answers(silent=self.silent)

    def fill(self) -> list[int]:
        """Count 5 of two things in the departed row of everything; returns where."""
        row, tables = AT.departed, self.ledger.tables
        blocks = [AT.frontend_counters(row, one) for one in tables.frontends]
        blocks += [AT.backend_counters(row, one) for one in tables.backends]
        blocks += [AT.server_counters(row, one) for one in tables.servers]
        for block in blocks:
            self.board.cells[block + C.STOT] = self.board.cells[block + C.SMAX] = 5
        return blocks

    def left(self, blocks: list[int]) -> list[tuple[int, int]]:
        cells = self.board.cells
        return [(cells[block + C.STOT], cells[block + C.SMAX]) for block in blocks]


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_the_maxima(scene: Scene) -> None:
    blocks = scene.fill()
    assert await scene.clearing.all(everything=False) == ()
    assert scene.left(blocks) == [(5, 0)] * len(blocks)
    assert scene.asked == [('clear', {'everything': False, 'server': NOBODY})]


async def test_everything(scene: Scene) -> None:
    scene.silent = (1,)
    blocks = scene.fill()
    assert await scene.clearing.all(everything=True) == (1,)
    assert scene.left(blocks) == [(0, 0)] * len(blocks)


async def test_one_server(scene: Scene) -> None:
    index = scene.ledger.tables.server_of('px', 's2')
    assert index is not None
    blocks = scene.fill()
    await scene.clearing.server(index)
    mine = AT.server_counters(AT.departed, index)
    assert scene.left([mine]) == [(0, 0)]
    assert scene.left([block for block in blocks if block != mine]) == [(5, 5)] * (len(blocks) - 1)
    assert scene.asked == [('clear', {'everything': True, 'server': index})]


async def test_a_server_that_goes_meanwhile_takes_its_counters_along(scene: Scene) -> None:
    index = scene.ledger.tables.server_of('px', 's1')
    assert index is not None
    blocks = scene.fill()
    px, empty = SNAPSHOT.backends
    fewer = replace(SNAPSHOT, backends=(replace(px, servers=px.servers[1:]), empty))
    scene.meanwhile = lambda: scene.ledger.adopt(scene.ledger.propose(AdoptFile(fewer)), 0)
    await scene.clearing.server(index)
    assert scene.left(blocks) == [(5, 5)] * len(blocks)
