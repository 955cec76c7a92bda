"""Rings: which there are, what comes for them, and where it goes on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dataplane.core.model import Snapshot
from dataplane.core.rings import RingSection, RingServer
from dataplane.core.tables import Tables
from dataplane.supervisor import rings as room
from dataplane.supervisor.ring import Ring
from dataplane.supervisor.rings import RingDoors, Rings, forward, framed
from dataplane.wire.ringing import packed
from tests.integration.harness.waiting import until

LIMIT = 60


def lines(ring: Ring | None) -> list[str]:
    assert ring is not None
    return [line for _, line in ring.since(0)]


class Collector:
    """A log server. Its connections end after `patience` bytes each, if that is not None."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.connections = 0
        self.patience: int | None = None
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.heard.append(b'')
        while data := await reader.read(1_000):
            self.heard[-1] += data
            if self.patience is not None and len(self.heard[-1]) >= self.patience:
                break
        writer.close()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    made = Collector()
    server = await asyncio.start_server(made.serve, '127.0.0.1', 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def to(collector: Collector, *, octets: bool = False) -> RingServer:
    return RingServer(name='s', host='127.0.0.1', port=collector.port, octets=octets)


@asynccontextmanager
async def forwarding(ring: Ring, server: RingServer) -> AsyncIterator[None]:
    task = asyncio.create_task(forward(ring, server, 5_000, 5_000))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def section(name: str, *servers: RingServer, size: int = 1_000) -> RingSection:
    return RingSection(name=name, description=f'of {name}', size=size, servers=servers)


def tables(*sections: RingSection) -> Tables:
    return Tables(1, Snapshot(rings=sections))


def test_rings_are_those_of_the_sections_and_that_of_events() -> None:
    rings = Rings(lambda: 0.0)
    assert rings.adopt([section('a'), section('b')])
    assert rings.listed() == [('buf0', 'in-memory ring buffer'), ('a', 'of a'), ('b', 'of b')]
    assert rings['buf0'] is rings.events
    assert rings['none'] is None
    kept = rings['a']
    rings.put('a', 'one')
    rings.put('none', 'lost')
    assert not rings.adopt([section('a'), section('b')])
    assert rings.adopt([section('a', size=5)])
    assert rings['a'] is kept
    rings.put('a', 'two')
    assert lines(kept) == ['two'], 'there is less room now'
    assert rings['b'] is None


async def test_lines_of_workers_come_in() -> None:
    rings = Rings(lambda: 0.0)
    doors = RingDoors(asyncio.get_running_loop(), rings)
    doors.adopt(tables(), tables(section('a')))
    worker = socket.socket(fileno=socket.dup(doors.fd))
    try:
        for packet, _ in packed(b'a', [b'one', b'two \xff']):
            worker.send(packet)
        for packet, _ in packed(b'gone', [b'lost']):
            worker.send(packet)
        await until(lambda: len(lines(rings['a'])) == 2, within=LIMIT, what='they are there')
        assert lines(rings['a']) == ['one', 'two \udcff']
    finally:
        worker.close()
        await doors.close()


def test_frames() -> None:
    assert framed('a b', octets=False) == b'a b\n'
    assert framed('\udcff\u00e4', octets=True) == b'3 \xff\xc3\xa4'


@pytest.mark.parametrize('octets, expected', [(False, b'one\ntwo\nthree\n'), (True, b'3 one3 two5 three')])
async def test_lines_go_on_those_from_before_first(octets: bool, expected: bytes) -> None:
    ring = Ring(lambda: 0.0)
    ring.keep('one')
    ring.keep('two')
    async with collecting() as collector, forwarding(ring, to(collector, octets=octets)):
        await until(lambda: collector.heard, within=LIMIT, what='it is connected')
        ring.keep('three')
        await until(lambda: collector.heard[0] == expected, within=LIMIT, what='all lines are there')


async def test_lines_go_to_a_unix_socket(tmp_path: Path) -> None:
    ring, collector = Ring(lambda: 0.0), Collector()
    ring.keep('one')
    server = await asyncio.start_unix_server(collector.serve, tmp_path / 's')
    async with server, forwarding(ring, RingServer(name='s', host=f'unix@{tmp_path}/s', port=0)):
        await until(lambda: collector.heard == [b'one\n'], within=LIMIT, what='the line is there')


async def test_after_a_lost_connection_it_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, '_PAUSE', 0.01)
    ring = Ring(lambda: 0.0)
    async with collecting() as collector:
        collector.patience = 1
        ring.keep('one')
        async with forwarding(ring, to(collector)):
            await until(lambda: collector.heard[:1] == [b'one\n'], within=LIMIT, what='the first line is there')
            collector.patience = None
            await until(lambda: collector.connections == 2, within=LIMIT, what='it is connected again')
            ring.keep('two')
            await until(lambda: collector.heard == [b'one\n', b'two\n'], within=LIMIT, what='the second line is there')


async def test_a_server_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, '_PAUSE', 0.01)
    ring = Ring(lambda: 0.0)
    ring.keep('one')
    with socket.socket() as reserved:
        reserved.bind(('127.0.0.1', 0))  # bound, not listening: connections are refused, and nobody else gets the port
        port = reserved.getsockname()[1]
        async with forwarding(ring, RingServer(name='s', host='127.0.0.1', port=port)):
            for _ in range(5):
                await asyncio.sleep(0.01)
            collector = Collector()
            reserved.listen()
            server = await asyncio.start_server(collector.serve, sock=reserved)
            async with server:
                await until(lambda: collector.heard == [b'one\n'], within=LIMIT, what='the line is there')


async def test_a_reload_begins_and_ends_forwarding() -> None:
    rings = Rings(lambda: 0.0)
    async with collecting() as one, collecting() as two:
        doors = RingDoors(asyncio.get_running_loop(), rings)
        try:
            doors.adopt(tables(), tables(section('a', to(one))))
            rings.put('a', 'first')
            await until(lambda: one.heard == [b'first\n'], within=LIMIT, what='it goes to the first')
            doors.adopt(tables(), tables(section('a', to(one)), section('b')))
            rings.put('a', 'second')
            await until(lambda: one.heard == [b'first\nsecond\n'], within=LIMIT, what='the connection is the same')
            doors.adopt(tables(), tables(section('a', to(two))))
            await until(lambda: two.heard == [b'first\nsecond\n'], within=LIMIT, what='the second has what is kept')
            rings.put('a', 'third')
            await until(lambda: two.heard == [b'first\nsecond\nthird\n'], within=LIMIT, what='and what comes')
            assert one.heard == [b'first\nsecond\n']
        finally:
            await doors.close()
