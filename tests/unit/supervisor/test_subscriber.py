"""The link against a real WebSocket server that speaks the control plane's part, and a real publisher without workers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets import ConnectionClosed

from dataplane.board import Bells, Board
from dataplane.core.changes import AdoptFile
from dataplane.core.layout import Layout
from dataplane.core.ledger import Ledger
from dataplane.core.model import AdminState, Backend, OnPartition, Snapshot
from dataplane.core.outbound import ControlPlane
from dataplane.core.plane import Plane
from dataplane.supervisor import subscriber
from dataplane.supervisor.drained import Holdings
from dataplane.supervisor.holds import Holds
from dataplane.supervisor.inventory import Overhang
from dataplane.supervisor.lastgood import StateDir
from dataplane.supervisor.lease import TrafficLease
from dataplane.supervisor.publish import Publisher
from dataplane.supervisor.subscriber import Subscriber, Timing
from dataplane.supervisor.whom import NOT_LEADER
from dataplane.wire.events import Ack, Drained, Goodbye, Hello, Lease, Nack, Status
from dataplane.wire.state import State, digest
from tests.integration.harness.scripted import Control, control, event
from tests.integration.harness.waiting import until
from tests.unit.supervisor.test_translate import backend, server

ONE: State = {'backends': {'b': backend({'s': server(), 't': server(port=81)})}, 'routes': {}}
QUICK = Timing(heartbeat=0.4, first=0.01, longest=0.05, status=0.1, drained=0.01, connect=2.0)


def changed(**fields: Any) -> State:
    return {'backends': {'b': backend({'s': server(**fields), 't': server(port=81)})}, 'routes': {}}


class Plant:
    """A data plane without workers: board, ledger and publisher are the real ones."""

    def __init__(
        self, directory: Path | None, url: str, token_file: str | None = None, file: Snapshot | None = None,
        policy: OnPartition = OnPartition.KEEP,
    ) -> None:  # fmt: skip
        at = Layout(workers=1, servers=64, backends=8, frontends=2, entries=16)
        self.board, self.bells, self.at = Board.create(at), Bells.create(1), at
        self.ledger = Ledger(at)
        self.ledger.adopt(self.ledger.propose(AdoptFile(file or Snapshot())), 0)
        plane = Plane(self.board.cells, at, -1, lambda: random.getrandbits(32))
        holds = Holds(self.board, self.bells, plane)
        self.publisher = Publisher(asyncio.get_running_loop(), self.ledger, holds, self)
        disk = StateDir(None if directory is None else str(directory))
        self.lease = TrafficLease(self.publisher, self.board.cells, at, policy, disk)
        self.subscriber = Subscriber(
            self.publisher,
            Holdings(self.board.cells, at),
            lambda index: self.ledger.records[index].effective.value,
            ControlPlane(url=url, token_file=token_file),
            disk,
            Hello(dp_id='dp', term=0, seq=0, term_seen=0, state_hash='', workers=1),
            self.lease,
            Overhang(self.board.cells, at, self.ledger),
            disk.load(),
            QUICK,
        )
        self.tasks = [asyncio.create_task(self.publisher.run()), asyncio.create_task(self.subscriber.run())]

    def send(self, worker: int, message: dict[str, Any], fds: object = ()) -> None:
        raise AssertionError('there are no workers')

    async def close(self) -> None:
        await self.subscriber.close()
        async with asyncio.timeout(30):
            await self.tasks[1]
        self.tasks[0].cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.bells.close()
        self.board.close()

    def state(self, name: str = 's') -> AdminState:
        return self.ledger.server('b', name).effective


@asynccontextmanager
async def plant(directory: Path | None = None, **options: Any) -> AsyncIterator[tuple[Plant, Control]]:
    async with control() as of:
        made = Plant(directory, of.url, **options)
        try:
            yield made, of
        finally:
            await made.close()


async def test_hello_snapshot_event_ack() -> None:
    async with plant() as (plane, of):
        link, hello = await of.link()
        assert (hello.term, hello.seq, hello.term_seen, hello.dp_id) == (0, 0, 0, 'dp')
        assert of.paths == ['/v1/push']
        await link.snapshot(1, 7, ONE)
        assert await link.acked() == (1, 7)
        assert plane.state() is AdminState.READY
        await link.send(event(8, ONE, changed(adminState='maint')))
        ack = await link.next(Ack, Nack)
        assert isinstance(ack, Ack)
        assert (ack.seq, ack.state_hash) == (8, digest(changed(adminState='maint')))
        assert plane.state() is AdminState.MAINT
        assert plane.subscriber.version == (1, 8)
        assert plane.subscriber.is_connected


async def test_the_next_hello_says_where_it_is_and_is_sent_after_a_cut(tmp_path: Path) -> None:
    async with plant(tmp_path) as (_, of):
        link, _ = await of.link()
        await link.snapshot(4, 1, ONE)
        assert await link.acked() == (4, 1)
        link.connection.transport.abort()
        link, hello = await of.link()
        assert (hello.term, hello.seq, hello.term_seen, hello.state_hash) == (4, 1, 4, digest(ONE))


async def test_redelivery_is_acknowledged_and_not_applied_again() -> None:
    async with plant() as (plane, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        step = event(2, ONE, changed(weight=9))
        await link.send(step, step)
        assert [await link.acked() for _ in range(3)] == [(1, 1), (1, 2), (1, 2)]
        revision = plane.publisher.revision
        await link.send(step)
        assert await link.acked() == (1, 2)
        assert plane.publisher.revision == revision


async def test_a_gap_asks_for_a_snapshot_and_the_snapshot_repairs() -> None:
    async with plant() as (plane, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        await link.acked()
        await link.send(event(5, ONE, changed(adminState='drain'), prev=4))
        nack = await link.nacked()
        assert (nack.code, nack.applied_seq) == ('GAP', 1)
        assert plane.state() is AdminState.READY
        await link.snapshot(1, 5, changed(adminState='drain'))
        assert await link.acked() == (1, 5)
        assert plane.state() is AdminState.DRAIN


async def test_an_older_term_is_refused_also_after_a_restart(tmp_path: Path) -> None:
    async with plant(tmp_path) as (plane, of):
        link, _ = await of.link()
        await link.snapshot(5, 1, ONE)
        await link.acked()
        await link.snapshot(4, 99, changed(adminState='maint'))
        await link.gone()
        assert plane.state() is AdminState.READY
        link, hello = await of.link()
        assert (hello.term, hello.term_seen) == (5, 5)
        await link.send(Lease(term=9, lease_ms=5_000), Goodbye(reason='restart'))
        await link.gone()
    async with plant(tmp_path) as (_, of):
        link, hello = await of.link()
        assert (hello.term, hello.seq, hello.term_seen) == (5, 1, 9)
        await link.snapshot(8, 1, ONE)
        await link.gone()


async def test_what_the_ledger_refuses_is_a_nack_that_names_the_backend() -> None:
    mine = Backend(name='b', id=2, where='haproxy.cfg:9')
    async with plant(file=Snapshot(backends=(mine,))) as (plane, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        nack = await link.nacked()
        assert (nack.code, nack.backends) == ('REFUSED', ('b',))
        assert 'haproxy.cfg:9' in nack.detail
        assert plane.subscriber.version == (0, 0)
        other: State = {'backends': {'c': backend({})}, 'routes': {}}
        await link.snapshot(1, 2, other)
        assert await link.acked() == (1, 2)


@pytest.mark.parametrize(
    'frame', ['{', 'null', '{"type": "ack"}', '{"type": "event", "term": 1}', b'\xff\xfe', '[' * 200_000]
)
async def test_a_frame_that_says_nothing_changes_nothing(frame: str | bytes) -> None:
    async with plant() as (plane, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        await link.acked()
        await link.connection.send(frame)
        nack = await link.nacked()
        assert (nack.code, nack.applied_seq) == ('INVALID', 1)
        await link.gone()
        _, hello = await of.link()
        assert (hello.term, hello.seq) == (1, 1)
        assert plane.state() is AdminState.READY


async def test_an_oversized_frame_closes_the_link_and_changes_nothing() -> None:
    async with plant() as (_, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        await link.acked()
        with suppress(ConnectionClosed):
            await link.connection.send('x' * (4 * 1024 * 1024 + 1))
        await link.gone()
        assert link.connection.close_code == 1009
        _, hello = await of.link()
        assert (hello.term, hello.seq) == (1, 1)


async def test_a_silent_peer_is_noticed_and_left() -> None:
    silent: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Upgrade by hand, then never answer anything, pings included."""
        head = (await reader.readuntil(b'\r\n\r\n')).decode()
        fields = dict(line.split(': ', 1) for line in head.split('\r\n')[1:-2])
        key = fields['Sec-WebSocket-Key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
        answer = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        writer.write(
            f'HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {answer}\r\n\r\n'.encode()
        )
        silent.append(writer)

    mute = await asyncio.start_server(accept, '127.0.0.1', 0)
    plane = Plant(None, f'ws://127.0.0.1:{mute.sockets[0].getsockname()[1]}/')
    await until(lambda: len(silent) > 1, within=30, what='another attempt')
    await plane.close()
    mute.close()
    for writer in silent:
        writer.close()


async def test_drained_is_said_when_the_last_session_ended_and_again_after_a_hello() -> None:
    async with plant() as (plane, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        await link.acked()
        cell = plane.at.served(0, plane.ledger.server('b', 's').index)
        plane.board.cells[cell] = 1
        await link.send(event(2, ONE, changed(adminState='drain')))
        assert await link.acked() == (1, 2)
        status = await link.next(Status, Drained)
        assert isinstance(status, Status), 'drained is said while a session is open'
        assert status.servers == (('b', 's', 1, 0, 'drain'), ('b', 't', 0, 0, 'ready'))
        plane.board.cells[cell] = 0
        drained = await link.next(Drained)
        assert isinstance(drained, Drained)
        assert (drained.term, drained.seq, drained.servers) == (1, 2, (('b', 's', 'drain'),))
        link.connection.transport.abort()
        link, _ = await of.link()
        again = await link.next(Drained)
        assert isinstance(again, Drained)
        assert again.servers == drained.servers


async def test_who_waits_in_a_backends_own_queue_is_told() -> None:
    async with plant() as (plane, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        await link.acked()
        cell = plane.at.QUEUE_LENGTH + plane.at.backend_queue(plane.ledger.tables.backend_of('b') or 0)
        for waiting, told in ((3, (('b', 3),)), (0, None)):
            plane.board.cells[cell] = waiting
            found = [await link.next(Status) for _ in range(3)]
            assert isinstance(found[-1], Status)
            assert found[-1].queues == told


async def test_a_status_of_many_servers_says_how_many_frames_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber, '_ROWS_PER_STATUS', 1)
    async with plant() as (_, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        assert await link.acked() == (1, 1)
        frames: list[Status] = []
        while len(frames) < 2:
            frame = await link.next(Status)
            assert isinstance(frame, Status)
            if frame.chunks == 2 and frame.chunk == len(frames):
                frames.append(frame)
        assert [(frame.chunk, frame.servers[0][1]) for frame in frames] == [(0, 's'), (1, 't')]


async def test_being_connected_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, subscriber.__name__)
    async with plant() as (_, of):
        link, _ = await of.link()
        for seq in (1, 2, 3):
            await link.send(Lease(term=1, lease_ms=1_000))
            await link.snapshot(1, seq, changed(weight=seq))
            assert await link.acked() == (1, seq)
    assert [record.message.endswith(': connected') for record in caplog.records].count(True) == 1


async def test_close_says_goodbye() -> None:
    async with plant() as (plane, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        await link.acked()
        await plane.subscriber.close('soft stop')
        goodbye = await link.next(Goodbye)
        assert goodbye == Goodbye(reason='soft stop')
        await link.gone()


async def test_an_address_with_a_path_is_dialled_as_it_is() -> None:
    async with control() as of:
        plane = Plant(None, f'{of.url.replace("http", "ws")}/behind/a/gateway')
        await of.link()
        await plane.close()
        assert of.paths == ['/behind/a/gateway']


async def test_the_token_is_read_anew_for_each_connection(tmp_path: Path) -> None:
    token = tmp_path / 'token'
    token.write_text('first\n')
    async with plant(token_file=str(token)) as (_, of):
        link, _ = await of.link()
        token.write_text('second\n')
        link.connection.transport.abort()
        await of.link()
        assert of.tokens == ['Bearer first', 'Bearer second']


async def test_a_token_that_cannot_be_read_is_said_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = tmp_path / 'token'
    async with plant(token_file=str(token)) as (_, of):
        await until(lambda: 'No such file' in caplog.text, within=30, what='the complaint')
        token.write_text('there now')
        await of.link()
        assert of.tokens == ['Bearer there now']
        assert caplog.text.count('No such file') == 1


async def test_an_unwritable_state_directory_does_not_hold_the_ack_back(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    async with plant(tmp_path / 'file') as (plane, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        assert await link.acked() == (1, 1)
        assert plane.subscriber.version == (1, 1)


async def test_what_was_acknowledged_is_on_the_disk(tmp_path: Path) -> None:
    async with plant(tmp_path) as (_, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        for seq in range(2, 12):
            old, new = changed(weight=seq - 1) if seq > 2 else ONE, changed(weight=seq)
            await link.send(event(seq, old, new))
            while await link.acked() != (1, seq):
                pass
            assert json.loads((tmp_path / 'pushed.json').read_text())['seq'] == seq


async def test_the_snapshot_without_frames_is_acknowledged_without_a_revision() -> None:
    async with plant() as (plane, of):
        link, _ = await of.link()
        await link.snapshot(1, 1, ONE)
        await link.acked()
        revision = plane.publisher.revision
        same = {
            'type': 'snapshot',
            'term': 2,
            'seq': 1,
            'chunk': 0,
            'chunks': 0,
            'changes': [],
            'state_hash': digest(ONE),
        }
        await link.connection.send(json.dumps(same))
        assert await link.acked() == (2, 1)
        assert plane.publisher.revision == revision


async def test_the_leader_that_a_follower_names_is_dialled() -> None:
    async with control() as leader, plant() as (plane, follower):
        named = json.dumps({'leader': leader.url.partition('://')[2]})
        link, _ = await follower.link()
        await link.connection.close(NOT_LEADER, named)
        link, _ = await leader.link()
        await link.snapshot(1, 7, ONE)
        assert await link.acked() == (1, 7)
        link.connection.transport.abort()
        link, _ = await follower.link()
        assert plane.subscriber.version == (1, 7), 'the one that is lost may lead no more: the configured one is asked'
