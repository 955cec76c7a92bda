from __future__ import annotations

from array import array
from dataclasses import replace
from typing import Any

from dataplane.core.changes import AdoptFile
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Snapshot
from dataplane.supervisor import inventory as module
from dataplane.supervisor.drained import Holdings
from dataplane.supervisor.inventory import Overhang, inventory
from dataplane.supervisor.translate import translate
from dataplane.wire.state import State
from tests.unit.supervisor.test_translate import backend, server


def state(**servers: dict[str, Any]) -> State:
    return {'backends': {'b': backend(servers)}, 'routes': {}}


class Plant:
    def __init__(self, first: State) -> None:
        self.at = Layout(workers=2, servers=8, backends=2, frontends=1, entries=4)
        self.cells = array('q', [0]) * self.at.size
        self.ledger = Ledger(self.at)
        self.ledger.adopt(self.ledger.propose(AdoptFile(Snapshot())), 0)
        self.holdings = Holdings(self.cells, self.at)
        self.overhang = Overhang(self.cells, self.at, self.ledger)
        self.adopt(first)

    def adopt(self, wanted: State) -> None:
        self.ledger.adopt(self.ledger.propose(translate(wanted)), 0)

    def uses(self, index: int, slots: int) -> None:
        self.cells[self.at.served(1, index)] = self.cells[self.at.TOTAL + index] = slots

    def rows(self, of: State) -> list[tuple[str, str, str, int, int]]:
        return [row for part in inventory(of, self.ledger, self.holdings, lapsed=False) for row in part.servers]


def test_every_server_is_told_with_what_is_in_flight() -> None:
    held = state(
        a=server(maxConn=9, share=2), b=server(maxConn=9, share=0, shareDue=True), c=server(maxConn=7), d=server()
    )
    plant = Plant(held)
    plant.uses(plant.ledger.server('b', 'a').index, 5)
    assert plant.rows(held) == [
        ('b', 'a', 'share', 2, 5), ('b', 'b', 'due', 0, 0), ('b', 'c', 'own', 7, 0), ('b', 'd', 'own', 0, 0),
    ]  # fmt: skip


def test_a_removed_server_is_told_while_something_is_in_flight_there() -> None:
    before, after = state(a=server(), x=server(port=81)), state(a=server())
    plant = Plant(before)
    index = plant.ledger.server('b', 'x').index
    plant.adopt(after)
    assert plant.rows(after) == [('b', 'a', 'own', 0, 0)]
    plant.uses(index, 2)
    assert plant.rows(after) == [('b', 'a', 'own', 0, 0), ('b', 'x', 'gone', 0, 2)]
    elsewhere = state(a=server(), x=server(port=99, maxConn=3, share=1))
    plant.adopt(elsewhere)
    assert plant.rows(elsewhere)[1] == ('b', 'x', 'share', 1, 2), 'under its name, whatever its address is now'


def test_it_is_cut_into_frames(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, 'ROWS_PER_FRAME', 2)
    held = state(a=server(), b=server(), c=server())
    parts = inventory(held, Plant(held).ledger, Plant(held).holdings, lapsed=True)
    assert [(part.chunk, part.chunks, len(part.servers), part.lapsed) for part in parts] == [
        (0, 2, 2, True), (1, 2, 1, True),
    ]  # fmt: skip
    nothing: State = {'backends': {}, 'routes': {}}
    assert [replace(part) for part in inventory(nothing, Plant(held).ledger, Plant(held).holdings, lapsed=False)]


def test_what_falls_above_a_lowered_share_is_noticed() -> None:
    before, after = state(a=server(maxConn=4, share=4)), state(a=server(maxConn=4, share=1))
    plant = Plant(before)
    index = plant.ledger.server('b', 'a').index
    plant.uses(index, 3)
    plant.adopt(after)
    assert plant.overhang.look(before, after)
    assert not plant.overhang.has_fallen()
    plant.uses(index, 2)
    assert plant.overhang.has_fallen()
    assert not plant.overhang.has_fallen()
    plant.uses(index, 1)
    assert plant.overhang.has_fallen()
    plant.uses(index, 0)
    assert not plant.overhang.has_fallen(), "within the share it is nobody's business"
    assert not plant.overhang.look(after, after)
    assert not plant.overhang.look(after, {**after, 'backends': {**after['backends']}})
