"""The lease against a real publisher without workers, and the real clock: leases here are a fraction of a second."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dataplane.board import Bells, Board
from dataplane.core.changes import AdoptFile, AdoptPush, SetLease
from dataplane.core.layout import Layout, Rota
from dataplane.core.ledger import Ledger
from dataplane.core.model import Backend, OnPartition, Server, Snapshot
from dataplane.core.plane import Plane
from dataplane.core.reach import Reach
from dataplane.supervisor.holds import Holds
from dataplane.supervisor.lastgood import StateDir
from dataplane.supervisor.lease import TrafficLease
from dataplane.supervisor.publish import Publisher
from dataplane.wire.events import Lease
from tests.integration.harness.waiting import until

LENGTH = 400
SERVERS = (
    Server(name='own', id=0, host='127.0.0.1', port=1, maxconn=4),
    Server(name='shared', id=0, host='127.0.0.1', port=2, maxconn=4, share=2),
)


def now() -> int:
    return time.monotonic_ns() // 1_000_000


class Plant:
    """A supervisor's parts around one lease."""

    def __init__(self, policy: OnPartition, disk: StateDir) -> None:
        self.at = at = Layout(workers=1, servers=8, backends=2, frontends=1, entries=4)
        self.board, self.bells = Board.create(at), Bells.create(1)
        self.ledger = Ledger(at)
        plane = Plane(self.board.cells, at, -1, lambda: random.getrandbits(32))
        self.publisher = Publisher(asyncio.get_running_loop(), self.ledger, Holds(self.board, self.bells, plane), self)
        self.lease = TrafficLease(self.publisher, self.board.cells, at, policy, disk)

    def send(self, worker: int, message: dict[str, Any], fds: object = ()) -> None:
        raise AssertionError('there are no workers')

    def rota(self, name: str) -> int:
        return self.board.cells[self.at.ROTA + self.ledger.server('p', name).index]

    def is_lapsed(self) -> bool:
        return self.lease.is_lapsed

    def reach(self) -> Reach:
        return self.lease.reach

    def give(self, asked: int | None = None, length: int = LENGTH) -> None:
        self.lease.received(Lease(term=1, lease_ms=length, asked=now() if asked is None else asked))


@asynccontextmanager
async def plant(policy: OnPartition = OnPartition.STOP, disk: StateDir | None = None) -> AsyncIterator[Plant]:
    made = Plant(policy, disk or StateDir(None))
    tasks = [asyncio.create_task(made.publisher.run())]
    await made.publisher.submit([AdoptFile(Snapshot()), SetLease(made.lease.reach)], source='test')
    await made.publisher.submit([AdoptPush((Backend(name='p', id=0, servers=SERVERS),), (), {})], source='test')
    tasks.append(asyncio.create_task(made.lease.run()))
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        made.bells.close()
        made.board.close()


async def test_with_stop_nothing_is_used_before_the_first_lease_nor_after_the_last() -> None:
    async with plant() as at:
        assert (at.rota('own'), at.rota('shared')) == (Rota.GONE, Rota.GONE)
        assert 0 < at.board.cells[at.at.LEASE_ENDS] < now()
        assert at.is_lapsed()
        at.give()
        assert not at.is_lapsed(), 'what a lease will make usable counts at once'
        await until(lambda: at.rota('shared') == Rota.IN, within=30, what='the lease is in force')
        assert at.board.cells[at.at.LEASE_ENDS] > now()
        generation = at.ledger.server('p', 'shared').generation
        await until(lambda: at.rota('own') == Rota.GONE, within=30, what='it ended')
        assert at.lease.left_ms() == 0
        await until(
            lambda: at.ledger.server('p', 'shared').generation > generation, within=30, what='sessions are ended'
        )
        assert at.ledger.server('p', 'own').generation == 0, 'only of servers whose limit is shared'
        await until(
            lambda: at.board.cells[at.at.LEASE_LAST] == 0, within=30, what='the workers need not end themselves'
        )


async def test_a_renewed_lease_goes_on() -> None:
    async with plant() as at:
        at.give()
        await until(lambda: at.rota('own') == Rota.IN, within=30, what='in force')
        end = time.monotonic() + 3 * LENGTH / 1000
        while time.monotonic() < end:
            at.give()
            assert at.rota('own') == Rota.IN
            await asyncio.sleep(0.02)


async def test_a_lease_that_lay_somewhere_renews_nothing() -> None:
    async with plant() as at:
        at.give(asked=now() - LENGTH - 1)
        assert at.is_lapsed()
        at.give(asked=now(), length=60_000)
        left = at.lease.left_ms()
        at.give(asked=now() - 100)
        assert at.lease.left_ms() <= left, 'nor does an older one shorten a newer one'
        assert at.lease.left_ms() > LENGTH


async def test_with_keep_traffic_goes_on_and_what_is_due_is_not_waited_for() -> None:
    async with plant(OnPartition.KEEP) as at:
        assert at.reach() is Reach.ALONE
        assert at.board.cells[at.at.LEASE_ENDS] == 0
        at.give()
        await until(lambda: at.reach() is Reach.HEARD, within=30, what='heard')
        await until(lambda: at.reach() is Reach.ALONE, within=30, what='alone')
        assert (at.rota('own'), at.rota('shared')) == (Rota.IN, Rota.IN)


async def test_who_said_goodbye_uses_no_share_before_it_was_told_one(tmp_path: Path) -> None:
    disk = StateDir(str(tmp_path))
    disk.set_left(left=True)
    async with plant(OnPartition.KEEP, disk) as at:
        assert at.is_lapsed()
        assert (at.rota('own'), at.rota('shared')) == (Rota.IN, Rota.GONE)
        at.give()
        await until(lambda: at.rota('shared') == Rota.IN, within=30, what='told')
        await until(lambda: not disk.has_left(), within=30, what='the disk knows')


async def test_it_asks_only_who_can_be_asked() -> None:
    async with plant() as at:
        assert at.lease.question() is None
        at.lease.received(Lease(term=1, lease_ms=LENGTH, asked=0))
        assert at.is_lapsed(), 'that says only that one may be asked for'
        question = at.lease.question()
        assert question is not None
        assert abs(question.asked - now()) < 1_000
        assert at.lease.question() is None, 'a third of its length must pass'
        at.lease.begin()
        assert at.lease.question() is None


@pytest.mark.parametrize('policy', OnPartition)
async def test_a_control_plane_that_knows_no_questions_is_taken_at_its_word(policy: OnPartition) -> None:
    async with plant(policy) as at:
        at.lease.received(Lease(term=1, lease_ms=LENGTH))
        await until(lambda: at.reach() is Reach.HEARD, within=30, what='heard')
        assert at.lease.question() is None
