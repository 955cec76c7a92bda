"""The worker's mailbox at its end of a real channel: what it answers, when, and that no descriptor stays behind."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from dataplane.core.changes import AdoptFile
from dataplane.core.counters import C
from dataplane.core.layout import NOBODY
from dataplane.core.model import Bind, Frontend
from dataplane.wire.framing import Channel, Message, pack
from dataplane.worker.access_log import AccessLog
from dataplane.worker.contents import Contents
from dataplane.worker.desk import Desk
from dataplane.worker.head import BadHead
from dataplane.worker.mailbox import BEAT, Mailbox
from dataplane.worker.traffic import Traffic
from tests.unit.config.loading import HTTP, snapshot
from tests.unit.worker.house import LAYOUT, House


class Peer:
    """A client that is named in what was faulty."""

    address = '10.0.0.1'
    port = 5


class Post:
    """The supervisor's end, and the worker 0 of a house that reads the other one."""

    def __init__(self) -> None:
        self.house = House(2)
        loop = asyncio.get_running_loop()
        loop.remove_reader(self.house.bells.fds[0])
        self.channel, theirs = Channel.pair()
        desk: Desk = self.house.desks[0]
        self.log = AccessLog(loop, self.house.board.cells, LAYOUT, 0)
        self.contents = Contents(loop)
        self.traffic = Traffic(
            loop=loop, desk=desk, board_cells=self.house.board.cells, layout=LAYOUT, worker=0, log=self.log,
            contents=self.contents,
        )  # fmt: skip
        self.mailbox = Mailbox(
            loop, Channel(theirs), self.house.board, self.house.bells, 0, desk=desk, traffic=self.traffic, log=self.log,
            contents=self.contents,
        )  # fmt: skip
        self.running = asyncio.create_task(self.mailbox.run())

    def send(self, op: str, *fds: int, **fields: object) -> None:
        """Send a packet; the descriptors are given away."""
        self.channel.send({'op': op, **fields}, fds)
        for fd in fds:
            os.close(fd)

    async def said(self) -> Message:
        """The next packet of the worker."""
        async with asyncio.timeout(30):
            while (packet := self.channel.receive()) is None:  # noqa: ASYNC110 - a turn of the loop is what is awaited
                await asyncio.sleep(0)
        return packet.message

    async def ended(self) -> None:
        async with asyncio.timeout(30):
            await self.running


@asynccontextmanager
async def post() -> AsyncIterator[Post]:
    made = Post()
    try:
        yield made
    finally:
        made.channel.close()
        await made.ended()
        made.mailbox.close()
        asyncio.get_running_loop().remove_reader(made.house.bells.fds[1])
        made.house.bells.close()
        made.house.board.close()


def descriptors() -> int:
    return len(os.listdir('/proc/self/fd'))


def listening() -> tuple[socket.socket, int]:
    sock = socket.create_server(('127.0.0.1', 0))
    return sock, sock.getsockname()[1]


async def test_it_is_ready_when_it_is_told_to_serve_and_beats() -> None:
    async with post() as at:
        cell = LAYOUT.HEARTBEAT
        at.send('serve')
        assert await at.said() == {'op': 'ready'}
        first = at.house.board.cells[cell]
        assert first
        async with asyncio.timeout(50 * BEAT + 5):
            while at.house.board.cells[cell] == first:  # noqa: ASYNC110 - the beat is what is awaited
                await asyncio.sleep(BEAT / 4)


async def test_tables_are_prepared_and_what_cannot_be_is_told() -> None:
    async with post() as at:
        proposal = at.house.ledger.propose(AdoptFile(at.house.snapshot(extra=1)))
        at.send('prepare', pack([proposal.tables]), number=proposal.tables.number)
        assert await at.said() == {'op': 'prepared', 'number': proposal.tables.number}
        before = descriptors()
        at.send('prepare', pack([proposal.tables]), os.memfd_create('table'), number=77)
        answer = await at.said()
        assert (answer['op'], answer['number']) == ('prepared', 77)
        assert answer['problem'].startswith('ValueError: tables 77 were announced, ')
        async with asyncio.timeout(30):
            while descriptors() > before:  # noqa: ASYNC110 - the end of the task is what is awaited
                await asyncio.sleep(0)
        at.send('prepare', pack(['no tables']), number=78)
        assert "'no tables' came" in (await at.said())['problem']
        at.send('prepare', os.memfd_create('junk'), number=79)
        assert 'None came' in (await at.said())['problem']


async def test_discarded_before_it_was_looked_at_it_leaves_no_descriptor() -> None:
    async with post() as at:
        tables = at.house.ledger.tables
        at.send('serve')
        await at.said()
        before = descriptors()
        for number in range(100, 120):
            # both in one read: the task of the first has not begun when the second is taken
            at.send('prepare', pack([replace(tables, number=number)]), os.memfd_create('table'), number=number)
            at.send('discard', number=number)
        at.send('serve')
        assert await at.said() == {'op': 'ready'}
        async with asyncio.timeout(30):
            while descriptors() > before:  # noqa: ASYNC110 - the tasks' end is what is awaited
                await asyncio.sleep(0)


async def test_rules_are_made_while_tables_are_prepared_and_are_the_ones_in_force_then() -> None:
    async with post() as at:
        ledger, rules = at.house.ledger, snapshot(f'{HTTP}frontend f\n bind :80\n http-request deny\n').frontends
        ledger.adopt(ledger.propose(AdoptFile(replace(at.house.snapshot(), frontends=rules))), 0)
        number = ledger.tables.number
        for one in (number, number + 1):
            at.send('prepare', pack([replace(ledger.tables, number=one)]), number=one)
            assert await at.said() == {'op': 'prepared', 'number': one}
        book, _ = at.traffic._ready[number]
        assert [one.name for one in book.frontends.values()] == ['f']
        at.send('discard', number=number + 1)
        at.send('serve')
        await at.said()
        at.house.commit()
        assert at.house.desks[0].adopt_committed()
        assert at.traffic._context.rulebook is book
        assert at.traffic._ready == {}


async def test_effects_are_answered_when_they_are_done() -> None:
    async with post() as at:
        at.send('effects', revision=at.house.revision)
        answer = await at.said()
        assert answer == {'op': 'applied', 'revision': at.house.revision, 'requeued': 0, 'refused': 0, 'killed': 0}


async def test_questions_are_answered_under_their_numbers() -> None:
    async with post() as at:
        at.send('sessions', question=5)
        assert await at.said() == {'op': 'answer', 'question': 5}
        at.send('kill', question=6, session='0x1')
        assert await at.said() == {'op': 'answer', 'question': 6, 'found': False}
        at.send('unlisten', question=7, keys=['unknown'])
        assert await at.said() == {'op': 'answer', 'question': 7}


async def test_it_accepts_where_it_is_told_and_closes_what_it_is_told() -> None:
    async with post() as at:
        _with_frontend(at)
        before = descriptors()
        sock, port = listening()
        for _ in range(2):  # a second time only says which frontend it is for
            at.send('listen', os.dup(sock.fileno()), key='k', frontend='f')
        at.send('serve')
        assert await at.said() == {'op': 'ready'}
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
        writer.write(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        async with asyncio.timeout(30):
            assert (await reader.read()).startswith(b'HTTP/1.1 503 ')
        writer.close()
        await writer.wait_closed()
        waiting = socket.create_connection(('127.0.0.1', port))
        at.send('unlisten', question=1, keys=['k'])
        assert await at.said() == {'op': 'answer', 'question': 1}
        index = at.house.ledger.tables.frontend_of('f')
        assert index is not None
        assert at.house.board.cells[LAYOUT.frontend_counters(0, index) + C.STOT] == 2, (
            'what waited was accepted before it ended'
        )
        waiting.close()
        sock.close()
        async with asyncio.timeout(30):
            while descriptors() > before:  # noqa: ASYNC110 - the loop's closing is what is awaited
                await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(('127.0.0.1', port))


def _with_frontend(at: Post) -> None:
    """Put a frontend into the tables in force, as a welcome would."""
    front = Frontend(name='f', id=9, binds=(Bind(name='b'),), maxconn=10)
    named = replace(at.house.snapshot(), frontends=(front,))
    ledger = at.house.ledger
    ledger.adopt(ledger.propose(AdoptFile(named)), 0)
    at.house.desks[0].prepare(ledger.tables)
    at.house.commit()


async def test_told_to_leave_it_ends_when_nothing_runs() -> None:
    async with post() as at:
        at.send('leave')
        await at.ended()


async def test_told_to_retire_it_accepts_no_more_and_ends_when_nothing_runs() -> None:
    async with post() as at:
        _with_frontend(at)
        before = descriptors()
        sock, port = listening()
        at.send('listen', os.dup(sock.fileno()), key='k', frontend='f')
        at.send('serve')
        assert await at.said() == {'op': 'ready'}
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
        async with asyncio.timeout(30):
            while not at.traffic.open_now()[0]:  # noqa: ASYNC110 - the loop's accepting is what is awaited
                await asyncio.sleep(0)
        at.send('retire')
        at.send('activity', question=1)
        assert (await at.said())['activity']['clients'] == 1
        late = socket.create_connection(('127.0.0.1', port))
        writer.write(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        async with asyncio.timeout(30):
            answer = await reader.read()
        assert answer.startswith(b'HTTP/1.1 503 ')
        assert b'connection: close' in answer.lower()
        writer.close()
        await writer.wait_closed()
        await at.ended()
        with sock.accept()[0] as accepted:
            assert accepted.getpeername() == late.getsockname(), 'who came later is left to others'
        late.close()
        sock.close()
        async with asyncio.timeout(30):
            while descriptors() > before:  # noqa: ASYNC110 - the loop's closing is what is awaited
                await asyncio.sleep(0)


async def test_called_back_before_its_end_it_goes_on_where_it_is_told_to() -> None:
    async with post() as at:
        _with_frontend(at)
        sock, port = listening()
        at.send('retire')
        at.send('stay')
        at.send('listen', os.dup(sock.fileno()), key='k', frontend='f')
        at.send('serve')
        assert await at.said() == {'op': 'ready'}
        reader, writer = await asyncio.open_connection('127.0.0.1', port)
        writer.write(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        async with asyncio.timeout(30):
            assert b'connection: close' not in (await reader.readuntil(b'\r\n\r\n')).lower()
        assert not at.running.done()
        at.send('unlisten', question=1, keys=['k'])
        assert await at.said() == {'op': 'answer', 'question': 1}
        writer.close()
        sock.close()


async def test_called_back_after_its_end_it_takes_nothing_on() -> None:
    async with post() as at:
        before = descriptors()
        at.mailbox._over.set()
        at.send('stay')
        sock, _ = listening()
        at.send('listen', os.dup(sock.fileno()), key='k', frontend='f')
        at.send('serve')
        at.mailbox._read()
        sock.close()
        assert descriptors() == before
        await at.ended()
        assert at.channel.receive() is None


async def test_the_end_of_the_supervisor_ends_it() -> None:
    async with post() as at:
        at.channel.close()
        await at.ended()


async def test_it_says_what_it_does_and_what_was_faulty() -> None:
    async with post() as at:
        block = LAYOUT.process_counters(0)
        at.house.board.cells[block + C.CONN_TOT], at.house.board.cells[block + C.REQ_TOT] = 7, 9
        at.send('activity', question=7)
        answer = await at.said()
        assert (answer['op'], answer['question'], answer['worker']) == ('answer', 7, 0)
        found = answer['activity']
        assert (found['accepted'], found['requests'], found['clients'], found['streams'], found['idle_servers']) == (
            7,
            9,
            0,
            0,
            0,
        )
        assert found['rss_bytes'] > 1_000_000
        assert all(type(value) is int and value >= 0 for value in found.values())
        at.send('errors', question=8)
        assert await at.said() == {'op': 'answer', 'question': 8, 'total': 0}
        frontend = Frontend(name='fe', id=9, binds=(), maxconn=1)
        peer = Peer()
        for number in range(3):
            at.traffic._context.faults.request(replace(frontend, name=f'fe{number}'), peer, b'x\xff', BadHead('bad'))
        at.send('errors', question=9)
        rows = [await at.said() for _ in range(3)]
        assert [row['rows'][0]['proxy'] for row in rows] == [[f'fe{number}', 9] for number in range(3)]
        assert all((row['rows'][0]['data'], row['rows'][0]['worker']) == ('x\xff', 0) for row in rows)
        assert await at.said() == {'op': 'answer', 'question': 9, 'total': 3}


async def test_its_counters_begin_anew_when_it_is_told_so() -> None:
    async with post() as at:
        cells, tables = at.house.board.cells, at.house.ledger.tables
        server = next(iter(tables.servers))
        block = LAYOUT.server_counters(0, server)
        cells[block + C.STOT], cells[block + C.TTIME_MAX] = 4, 5
        at.send('clear', question=3, everything=False, server=NOBODY)
        assert await at.said() == {'op': 'answer', 'question': 3}
        assert (cells[block + C.STOT], cells[block + C.TTIME_MAX]) == (4, 0)
        at.send('clear', question=4, everything=True, server=server)
        assert await at.said() == {'op': 'answer', 'question': 4}
        assert cells[block + C.STOT] == 0
