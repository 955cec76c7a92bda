"""What answers change, in a real ledger: one change for all servers of an answer, and none for what is as it was.

The publisher makes each submission true at once, as one without workers does; the asking is real (`Nameserver`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from dataplane.board import Board
from dataplane.core import commit as commits
from dataplane.core.changes import (
    AdoptFile,
    Change,
    Rename,
    SetAddress,
    SetAdmin,
    SetNamed,
    SetWeight,
    StructuralChange,
)
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger, Refused
from dataplane.core.lookup import Hold, Lookup, Resolvers
from dataplane.core.lookup import Nameserver as Declared
from dataplane.core.model import AdminState, Backend, Balance, Server, Snapshot
from dataplane.supervisor.naming.desk import Names
from dataplane.supervisor.publish import Applied
from dataplane.supervisor.statelog import StateLog
from tests.integration.harness.nameserver import Nameserver

AT = Layout(workers=1, servers=16, backends=4, frontends=1, entries=4, wheels=1_024)
APP = Lookup(resolvers='r', name='app.internal', prefer='ipv4')
SERVICE = Lookup(resolvers='r', name='_http._tcp.web', prefer='ipv4')


def _now() -> int:
    return time.monotonic_ns() // 1_000_000


class Door:
    """Ledger, board and log, and the names that follow them."""

    def __init__(self) -> None:
        self.board, self.ledger = Board.create(AT), Ledger(AT)
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.sources: list[str] = []
        self.changed = asyncio.Event()
        self.revision = 0
        self.log = StateLog(self.ledger, self.board.cells, AT, lambda backend, level, text: self.lines.append(text))
        loop = asyncio.get_running_loop()
        self.names = Names(loop, self, _now, lambda level, text: self.warnings.append(text))
        self.task = loop.create_task(self.names.run())

    async def submit(self, changes: Sequence[Change], *, source: str) -> object:
        for change in changes:
            if isinstance(change, StructuralChange):
                self.ledger.adopt(self.ledger.propose(change), _now())
            else:
                self.ledger.apply(change, _now())
            self.revision += 1
            commit = self.ledger.commit(self.revision)
            commits.commit(self.board.cells, AT, commit)
            self.log(commit, Applied(revision=self.revision), source)
            self.names.follow()
        self.sources.append(source)
        self.changed.set()
        return None

    async def has(self, **hosts: str) -> None:
        """Wait until servers are at these addresses; '' for none."""
        async with asyncio.timeout(20):
            while {name: self.host(name) for name in hosts} != hosts:
                self.changed.clear()
                await self.changed.wait()

    def host(self, name: str) -> str:
        record = self.ledger.server('b', name)
        return '' if record.admin & 0x20 else record.server.host


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    yield made
    made.names.close()
    made.task.cancel()
    with suppress(asyncio.CancelledError):
        await made.task


@pytest.fixture
async def dns() -> AsyncIterator[Nameserver]:
    async with Nameserver() as one:
        yield one


def snapshot(dns: Nameserver, *lookups: Lookup | None, obsolete: int = 0, **backend: object) -> Snapshot:
    """A backend `b` of servers a, b, c ... that ask for these, and a section `r`."""
    section = Resolvers(
        name='r', nameservers=(Declared(name='n', host=dns.host, port=dns.port),), resolve=20, retry=50,
        hold=Hold(nx=0, obsolete=obsolete),
    )  # fmt: skip
    servers = tuple(
        Server(name=name, id=at, host='127.0.0.9' if lookup is None else lookup.name, port=80, lookup=lookup)
        for at, (name, lookup) in enumerate(zip('abcdef', lookups, strict=False), 1)
    )
    made = replace(Backend(name='b', id=2, servers=servers), **backend)  # type: ignore[arg-type]
    return Snapshot(backends=(made,), resolvers=(section,))


async def adopt(door: Door, new: Snapshot) -> None:
    await door.submit([AdoptFile(new)], source='test')


async def test_an_answer_is_one_change_and_the_same_answer_none(door: Door, dns: Nameserver) -> None:
    dns.has('app.internal', '127.0.0.1', '127.0.0.2')
    await adopt(door, snapshot(dns, APP, APP, APP, None))
    assert door.ledger.server('b', 'a').effective is AdminState.MAINT
    await door.has(a='127.0.0.1', b='127.0.0.2', c='', d='127.0.0.9')
    await dns.was_asked('app.internal', 3)
    assert door.sources == ['test', 'resolver']
    assert [(row.section, row.nameserver, row.counts.update) for row in door.names.rows()] == [('r', 'n', 1)]
    assert door.lines == [
        'b/a changed its IP from (none) to 127.0.0.1 by r/n.',
        "Server b/a ('app.internal') is UP/READY (resolves again).",
        'Server b/a administratively READY thanks to valid DNS answer.',
        'b/b changed its IP from (none) to 127.0.0.2 by DNS cache.',
        "Server b/b ('app.internal') is UP/READY (resolves again).",
        'Server b/b administratively READY thanks to valid DNS answer.',
    ]
    door.names.clear()
    assert not door.names.rows()[0].counts.update


async def test_people_are_not_contradicted(door: Door, dns: Nameserver) -> None:
    dns.has('app.internal', '127.0.0.1')
    dns.has('two.internal', '127.0.0.5')
    await adopt(door, snapshot(dns, APP, None))
    await door.has(a='127.0.0.1')
    await door.submit([SetAddress('b', 'a', '127.0.0.7', None)], source='cli')
    await dns.was_asked('app.internal', 3)
    assert door.host('a') == '127.0.0.7'
    await door.submit([Rename('b', 'a', 'two.internal')], source='cli')
    assert door.host('a') == '127.0.0.7'
    door.lines.clear()
    await door.has(a='127.0.0.5')
    assert door.lines == ['b/a changed its IP from 127.0.0.7 to 127.0.0.5 by r/n.']
    record = door.ledger.server('b', 'a')
    assert (record.admin, record.server.lookup and record.server.lookup.host) == (0x40, 'two.internal')
    await door.submit([Rename('b', 'b', 'two.internal')], source='cli')
    assert door.ledger.server('b', 'b').server.lookup is None
    await door.submit([SetAdmin('b', 'a', AdminState.MAINT)], source='cli')
    dns.records.clear()
    await door.has(a='')
    door.lines.clear()
    dns.has('two.internal', '127.0.0.6')
    await door.has(a='127.0.0.6')
    assert door.lines == [
        'b/a changed its IP from (none) to 127.0.0.6 by r/n.',
        "Server b/a ('two.internal') resolves again but remains in maintenance.",
        'Server b/a administratively READY thanks to valid DNS answer.',
    ]


async def test_a_late_answer_changes_nothing_that_somebody_else_has_changed(door: Door, dns: Nameserver) -> None:
    dns.has('app.internal', '127.0.0.1')
    await adopt(door, snapshot(dns, APP))
    await door.has(a='127.0.0.1')
    dns.silent = True
    number = door.ledger.tables.number
    await door.submit([SetNamed(())], source='test')
    assert door.ledger.tables.number == number


async def test_servers_of_a_service(door: Door, dns: Nameserver) -> None:
    dns.records['_http._tcp.web', 'SRV'] = ['1 256 8001 one.internal.', '1 512 8002 one.internal.']
    dns.has('one.internal', '127.0.0.1')
    await adopt(door, snapshot(dns, SERVICE, SERVICE, replace(SERVICE, weighs=False)))
    await door.has(a='127.0.0.1', b='127.0.0.1', c='')
    records = [door.ledger.server('b', name) for name in 'abc']
    found = [(one.server.port, one.uweight, one.admin) for one in records]
    assert found == [(8_001, 1, 64), (8_002, 2, 64), (80, 1, 32)]
    dns.records['_http._tcp.web', 'SRV'] = ['1 256 8002 one.internal.', '1 65535 8003 two.internal.']
    dns.additional = [('two.internal', 'A', '127.0.0.2')]
    await door.has(a='', b='127.0.0.1', c='127.0.0.2')
    assert 'b/c changed its IP from (none) to 127.0.0.2 by DNS additional record.' in door.lines
    assert "b/c changed its FQDN from (null) to two.internal by 'SRV record'" in door.lines
    assert door.ledger.server('b', 'c').uweight == 1
    dns.additional = []
    dns.has('two.internal', '127.0.0.2')
    await dns.was_asked('two.internal', 2)
    assert door.host('c') == '127.0.0.2'
    dns.records['two.internal', 'A'] = ['127.0.0.3']
    await door.has(c='127.0.0.3')
    dns.records = {}
    await door.has(a='', b='', c='')
    gone = replace(SERVICE, renamed=True, said='entry removed from SRV record')
    async with asyncio.timeout(20):
        while door.ledger.server('b', 'b').server.lookup != gone:
            door.changed.clear()
            await door.changed.wait()


async def test_weights_that_cannot_be_are_passed_over(door: Door, dns: Nameserver) -> None:
    dns.records['_http._tcp.web', 'SRV'] = ['1 512 8001 one.internal.']
    dns.additional = [('one.internal', 'A', '127.0.0.1')]
    await adopt(door, snapshot(dns, SERVICE, balance=Balance(algorithm='static-rr')))
    await door.has(a='127.0.0.1')
    await dns.was_asked('_http._tcp.web', 2)
    assert door.ledger.server('b', 'a').uweight == 1
    assert not door.warnings
    with pytest.raises(Refused):
        await door.submit([SetWeight('b', 'a', 2)], source='test')


async def test_another_file(door: Door, dns: Nameserver) -> None:
    dns.has('app.internal', '127.0.0.1', '127.0.0.2')
    await adopt(door, snapshot(dns, APP))
    await door.has(a='127.0.0.1')
    dns.silent = True
    await adopt(door, snapshot(dns, APP, APP))  # it is known what the newcomer asks for
    await door.has(a='127.0.0.1', b='127.0.0.2')
    await adopt(door, replace(snapshot(dns, None), resolvers=()))
    assert door.names.rows() == []
    asked = len(dns.asked)
    await adopt(door, snapshot(dns, None))
    await adopt(door, snapshot(dns, APP, disabled=True))
    dns.silent = False
    await adopt(door, snapshot(dns, APP))
    await door.has(a='127.0.0.1')
    assert len(dns.asked) > asked
