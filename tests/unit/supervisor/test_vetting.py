"""Several cell changes are refused before the first is made; one alone is left to the ledger."""

from __future__ import annotations

import pytest

from dataplane.core.changes import (
    AdoptFile,
    CellChange,
    SetAdmin,
    SetFrontendMaxconn,
    SetGlobalMaxconn,
    SetMaxconn,
    SetWeight,
    ShutdownSessions,
)
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger, Refused
from dataplane.core.model import AdminState, Backend, Frontend, Server, Snapshot
from dataplane.supervisor.vetting import vet

FINE: tuple[CellChange, ...] = (
    SetAdmin('b', 's', AdminState.DRAIN),
    SetWeight('b', 's', 50, percent=True),
    SetMaxconn('b', 's', 0),
    ShutdownSessions('b', 's', 1),
    SetFrontendMaxconn('f', 5),
    SetGlobalMaxconn(5),
)


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger(Layout(workers=1, servers=2, backends=2, frontends=2, entries=2))
    backend = Backend(name='b', id=2, servers=(Server(name='s', id=1, host='h', port=1),))
    frontend = Frontend(name='f', id=1, binds=(), maxconn=10)
    made.adopt(made.propose(AdoptFile(Snapshot(frontends=(frontend,), backends=(backend,)))), 0)
    return made


def test_all_fine(ledger: Ledger) -> None:
    vet(ledger, FINE)
    assert ledger.server('b', 's').effective is AdminState.READY


@pytest.mark.parametrize(
    'bad',
    [
        SetAdmin('none', 's', AdminState.DRAIN),
        SetAdmin('b', 'none', AdminState.DRAIN),
        SetWeight('b', 's', 257),
        SetMaxconn('b', 's', -1),
        ShutdownSessions('b', 'none', 1),
        SetFrontendMaxconn('none', 5),
        SetFrontendMaxconn('f', 0),
        SetGlobalMaxconn(0),
    ],
    ids=repr,
)
def test_what_the_ledger_would_refuse_is_refused(ledger: Ledger, bad: CellChange) -> None:
    with pytest.raises(Refused) as vetted:
        vet(ledger, (*FINE, bad))
    with pytest.raises(Refused) as applied:
        ledger.apply(bad, 0)
    assert vetted.value.problems == applied.value.problems


def test_one_alone_is_not_looked_at_twice(ledger: Ledger) -> None:
    vet(ledger, (SetMaxconn('b', 's', -1),))
