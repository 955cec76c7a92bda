from __future__ import annotations

from typing import Any

import pytest

from dataplane.core.changes import AdoptFile, CellChange, SetAddress, SetAdmin, SetMaxconn, SetWeight
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import AdminState, Snapshot
from dataplane.supervisor.local import settings
from dataplane.supervisor.translate import translate
from tests.unit.supervisor.test_translate import backend, server

PUSHED = server(weight=7, maxConn=4, minConn=0)


class Plant:
    """A ledger that was pushed one server."""

    def __init__(self, pushed: dict[str, Any]) -> None:
        self.ledger = Ledger(Layout(workers=1, servers=8, backends=2, frontends=1, entries=4))
        self.ledger.adopt(self.ledger.propose(AdoptFile(Snapshot())), 0)
        self.push(pushed)

    def push(self, pushed: dict[str, Any]) -> None:
        self.pushed = pushed
        self.ledger.adopt(self.ledger.propose(translate({'backends': {'b': backend({'s': pushed})}, 'routes': {}})), 0)

    def local(self) -> dict[str, str]:
        return dict(settings(self.ledger.server('b', 's'), self.pushed))


@pytest.mark.parametrize('pushed', [PUSHED, server(minConn=3), server(adminState='drain'), server(share=1, maxConn=4)])
def test_what_was_only_pushed_is_nothing_local(pushed: dict[str, Any]) -> None:
    assert Plant(pushed).local() == {}


@pytest.mark.parametrize(
    'change, said',
    [
        (SetAdmin('b', 's', AdminState.DRAIN), {'state': 'drain'}),
        (SetAdmin('b', 's', AdminState.MAINT), {'state': 'maint'}),
        (SetWeight('b', 's', 3), {'weight': '3'}),
        (SetMaxconn('b', 's', 0), {'maxconn': '0'}),
    ],
)
def test_what_was_set_is_told_until_it_is_taken_back(change: CellChange, said: dict[str, str]) -> None:
    plant = Plant(PUSHED)
    plant.ledger.apply(change, 0)
    assert plant.local() == said
    back: dict[str, CellChange] = {
        'state': SetAdmin('b', 's', AdminState.READY),
        'weight': SetWeight('b', 's', 7),
        'maxconn': SetMaxconn('b', 's', 4),
    }
    plant.ledger.apply(back[next(iter(said))], 0)
    assert plant.local() == {}


def test_a_state_stays_beside_the_pushed_one_and_a_weight_only_until_the_pushed_one_changes() -> None:
    plant = Plant(PUSHED)
    plant.ledger.apply(SetAdmin('b', 's', AdminState.DRAIN), 0)
    plant.ledger.apply(SetWeight('b', 's', 3), 0)
    plant.push({**PUSHED, 'adminState': 'maint'})
    assert plant.local() == {'state': 'drain', 'weight': '3'}
    assert plant.ledger.server('b', 's').effective is AdminState.MAINT
    plant.push({**PUSHED, 'weight': 9})
    assert plant.local() == {'state': 'drain'}
    assert plant.ledger.server('b', 's').uweight == 9
    assert plant.ledger.server('b', 's').effective is AdminState.DRAIN


def test_an_address_is_told_with_its_port_until_the_pushed_one_changes() -> None:
    plant = Plant(PUSHED)
    plant.ledger.adopt(plant.ledger.propose(SetAddress('b', 's', '10.9.9.9', 81)), 0)
    assert plant.local() == {'addr': '10.9.9.9 port 81'}
    plant.push({**PUSHED, 'address': '10.0.0.2'})
    assert plant.local() == {}
