"""Tables travel in parts of bounded size and arrive equal, sharing what they shared."""

from __future__ import annotations

from dataplane.core.changes import AdoptFile
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import Backend, Server, Snapshot
from dataplane.core.tables import Tables
from dataplane.supervisor.bundle import PART, bundle
from dataplane.wire.framing import unpack


def test_tables_arrive_equal_in_bounded_parts() -> None:
    servers = tuple(Server(name=f's{n}', id=n + 1, host='h', port=1) for n in range(PART * 3 + 1))
    ledger = Ledger(Layout(workers=1, servers=1_024, backends=2, frontends=1, entries=1))
    tables = ledger.propose(AdoptFile(Snapshot(backends=(Backend(name='b', id=2, servers=servers),)))).tables
    *parts, arrived = unpack(bundle(tables))
    assert [len(part) for part in parts] == [PART, PART, PART, 1]
    assert isinstance(arrived, Tables)
    assert arrived == tables
    assert arrived.server_of('b', 's7') == tables.server_of('b', 's7')
    assert arrived.servers[0] is parts[0][0]


def test_empty_tables() -> None:
    (arrived,) = unpack(bundle(Tables(3)))
    assert arrived == Tables(3)
