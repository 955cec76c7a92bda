from __future__ import annotations

from array import array
from typing import Any

import pytest

from dataplane.core.changes import AdoptFile
from dataplane.core.layout import ENTRY_STRIDE, EntryState, Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Snapshot
from dataplane.supervisor.drained import Drains, Holdings
from dataplane.supervisor.translate import translate
from dataplane.wire.state import State
from tests.unit.supervisor.test_translate import backend, server


class World:
    """A ledger, cells without a lock (nobody else writes here), and the statements about them."""

    def __init__(self) -> None:
        self.at = Layout(workers=2, servers=8, backends=4, frontends=2, entries=16)
        self.cells = array('q', bytes(8 * self.at.size))
        self.ledger = Ledger(self.at)
        self.ledger.adopt(self.ledger.propose(AdoptFile(Snapshot())), 0)
        self.drains = Drains(self.ledger, Holdings(self.cells, self.at))

    def adopt(self, **servers: dict[str, Any]) -> None:
        state: State = {'backends': {'b': backend(servers)}, 'routes': {}}
        removed = self.drains.before(state)
        self.ledger.adopt(self.ledger.propose(translate(state)), 0)
        self.ledger.commit(1)
        self.drains.adopted(state, removed)

    def index(self, name: str = 's') -> int:
        return self.ledger.server('b', name).index

    def entry(self, number: int, state: EntryState, *, queue: int = 0, given: int = 0) -> None:
        self.cells[self.at.HIGH_WATER] = max(number + 1, self.cells[self.at.HIGH_WATER])
        for cell, value in ((self.at.E_STATE, state), (self.at.E_QUEUE, queue), (self.at.E_SERVER, given)):
            self.cells[cell + number * ENTRY_STRIDE] = value


@pytest.fixture
def world() -> World:
    return World()


def test_a_server_that_takes_traffic_is_not_spoken_of(world: World) -> None:
    world.adopt(s=server())
    assert not world.drains.is_waiting()
    assert world.drains.news() == ()


def test_an_idle_server_is_drained_at_once_and_it_is_said_once(world: World) -> None:
    world.adopt(s=server(adminState='drain'), t=server(adminState='maint'))
    assert world.drains.is_waiting()
    assert world.drains.news() == (('b', 's', 'drain'), ('b', 't', 'maint'))
    assert not world.drains.is_waiting()
    assert world.drains.news() == ()


def test_what_any_worker_holds_keeps_it_from_being_drained(world: World) -> None:
    world.adopt(s=server(adminState='drain'))
    cell = world.at.served(1, world.index())
    world.cells[cell] = 1
    assert world.drains.news() == ()
    world.cells[cell] = 0
    assert world.drains.news() == (('b', 's', 'drain'),)


def test_a_reserved_slot_and_an_own_queue_keep_it_from_being_drained(world: World) -> None:
    world.adopt(s=server(adminState='drain'), t=server())
    world.entry(3, EntryState.GIVEN, given=world.index())
    assert world.drains.news() == ()
    world.entry(3, EntryState.WAITING, queue=2 * world.index() + 1)
    assert world.drains.news() == ()
    world.entry(3, EntryState.WAITING, queue=world.at.backend_queue(0), given=world.index())
    assert world.drains.news() == (('b', 's', 'drain'),)


def test_an_idle_connection_does_not_keep_it_from_being_drained(world: World) -> None:
    world.adopt(s=server(adminState='drain'))
    world.cells[world.at.idle(0, world.index())] = 4
    assert world.drains.news() == (('b', 's', 'drain'),)


def test_it_is_said_again_after_a_change_and_after_a_hello(world: World) -> None:
    world.adopt(s=server(adminState='drain'), t=server(adminState='drain'))
    world.drains.news()
    world.adopt(s=server(adminState='maint'), t=server(adminState='drain'))
    assert world.drains.news() == (('b', 's', 'maint'),)
    world.drains.hello()
    assert world.drains.news() == (('b', 's', 'maint'), ('b', 't', 'drain'))


def test_enabled_again_before_it_was_drained(world: World) -> None:
    world.adopt(s=server(adminState='drain'))
    world.cells[world.at.served(0, world.index())] = 1
    world.drains.news()
    world.adopt(s=server())
    world.cells[world.at.served(0, world.index())] = 0
    assert not world.drains.is_waiting()
    assert world.drains.news() == ()


def test_what_was_said_to_be_busy_since_is_said_again(world: World) -> None:
    world.adopt(s=server(adminState='drain'))
    assert world.drains.news() == (('b', 's', 'drain'),)
    world.cells[world.at.served(0, world.index())] = 1  # a persistent session came back
    world.drains.busy([('b', 's')])
    assert world.drains.news() == ()
    world.cells[world.at.served(0, world.index())] = 0
    assert world.drains.news() == (('b', 's', 'drain'),)


def test_a_removed_server_is_gone_when_its_last_session_ended(world: World) -> None:
    world.adopt(s=server(), t=server())
    cell = world.at.served(0, world.index())
    world.cells[cell] = 1
    world.adopt(t=server())
    assert world.drains.news() == ()
    world.cells[cell] = 0
    assert world.drains.news() == (('b', 's', 'gone'),)
    assert not world.drains.is_waiting()


def test_a_removed_server_is_gone_when_its_index_was_reclaimed(world: World) -> None:
    world.adopt(s=server(), t=server())
    index = world.index()
    world.cells[world.at.served(0, index)] = 1
    world.adopt(t=server())
    world.ledger.reclaim([index])
    assert world.drains.news() == (('b', 's', 'gone'),)


def test_a_server_that_came_back_is_not_gone(world: World) -> None:
    world.adopt(s=server(), t=server())
    world.adopt(t=server())
    world.adopt(s=server(), t=server())
    assert world.drains.news() == ()


def test_the_load_counts_slots_given_and_own_queues(world: World) -> None:
    world.adopt(s=server())
    index = world.index()
    holdings = Holdings(world.cells, world.at)
    world.cells[world.at.served(0, index)] = 1
    world.cells[world.at.served(1, index)] = 2
    world.cells[world.at.TOTAL + index] = 4
    world.cells[world.at.QUEUE_LENGTH + 2 * index] = 5
    world.cells[world.at.QUEUE_LENGTH + 2 * index + 1] = 6
    assert holdings.load(index) == (4, 11)
    assert holdings.empty([]) == set()
