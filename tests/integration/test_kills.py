"""Workers die and stand still under full traffic, at instants nobody chose."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time

import pytest

from dataplane.wire.state import State
from tests.integration.harness.boards import BoardLock
from tests.integration.harness.load import Load, Record
from tests.integration.harness.planes import DataPlane, Stage, listen, routed, stage, stop
from tests.integration.harness.scripted import Control, Link, control, event
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until

CONNECTIONS = 40
KILLS = 10
SOAK_KILLS = 100
WORKERS = 4


class Crowd:
    """A data plane under load, with the servers behind it and what each of them may hold."""

    def __init__(self, plane: DataPlane, load: Load, servers: dict[str, Upstream], limits: dict[str, int]) -> None:
        self.plane = plane
        self.load = load
        self.servers = servers
        self.limits = limits

    async def kill_one(self, victim: int) -> None:
        """SIGKILL one worker, then bring everything to a rest and count."""
        owners = self.plane.owners()
        safe = set().union(*(ports for pid, ports in owners.items() if pid != victim))
        first = len(self.load.records)
        os.kill(victim, signal.SIGKILL)
        for server in self.servers.values():
            server.hold()
        try:
            await until(lambda: victim not in self.plane.worker_pids(), within=60, what='the victim is dead')
            await until(self._adds_up, within=60, what='the sums of the board are what clients and servers see')
        finally:
            for server in self.servers.values():
                server.let_go()
        harmed = [record for record in self.load.records[first:] if is_harmed(record) and record.client_port in safe]
        assert not harmed, f'connections of workers that live were lost: {harmed[:3]}'
        self.check_limits()

    async def _adds_up(self) -> bool:
        """Held servers are full, slots are what is in them, and everybody else waits in the queue."""
        conns = await self.plane.cli.conns('px')
        stat = await self.plane.cli.stat()
        self.check_limits()
        inside = {name: server.inside() for name, server in self.servers.items()}
        served = {name: conns[f'px/{name}'].served for name in self.servers}
        queued = sum(int(row['qcur'] or 0) for (backend, _), row in stat.items() if backend == 'px')
        everybody = len(self.load.pending) == self.load.connections == sum(served.values()) + queued
        return everybody and served == inside == self.limits

    def check_limits(self) -> None:
        """No server was ever in more than it may be."""
        most = {name: server.most for name, server in self.servers.items()}
        assert all(most[name] <= limit for name, limit in self.limits.items()), f'{most} of {self.limits}'


async def flows(load: Load, requests: int) -> None:
    """Return when so many more requests are over."""
    wanted = len(load.records) + requests
    await until(lambda: len(load.records) > wanted, within=60, what='traffic flows')


def is_harmed(record: Record) -> bool:
    """Whether a request was not answered by a server."""
    return record.status != 200


@pytest.mark.timeout(600)
@pytest.mark.parametrize('kills', [KILLS, pytest.param(SOAK_KILLS, marks=pytest.mark.soak)])
@pytest.mark.parametrize('limits', [{'s': 1}, {'a': 1, 'b': 2, 'c': 3, 'd': 2}], ids=['one-server', 'four-servers'])
async def test_killed_workers_lose_only_their_own(limits: dict[str, int], kills: int) -> None:
    seed = random.randrange(2**32)
    print('seed', seed)
    rng = random.Random(seed)
    async with stage() as on:
        servers = {name: await on.upstream(name, service=0.003) for name in limits}
        port = on.ports.take()
        lines = '\n'.join(f'{name} 127.0.0.1:{of.port} maxconn {limits[name]}' for name, of in servers.items())
        plane = await on.data_plane(listen(port, lines), port=port, workers=WORKERS, queue='30s')
        async with Load(port, CONNECTIONS) as load:
            crowd = Crowd(plane, load, servers, limits)
            await flows(load, 200)
            for _ in range(kills):
                workers = await until(lambda: all_workers(plane), within=60, what='every worker is back')
                await flows(load, 50)
                await asyncio.sleep(rng.uniform(0, 0.02))
                await crowd.kill_one(workers[0])
        assert {record.status for record in load.records if is_harmed(record)} <= {0}, load.statuses()
        conns = await plane.cli.conns('px')
        assert not any(of.served for of in conns.values()), conns


async def all_workers(plane: DataPlane) -> list[int]:
    """All worker processes, the oldest first; empty while one is missing."""
    pids = plane.worker_pids()
    return pids if len(pids) == plane.workers else []


# -- workers that stand still -------------------------------------------------------------------------------------------


def pushed(port: int, admin: str = 'ready') -> State:
    """A backend with two servers of maxconn 2 at `port`; `admin` is what is wished of the first."""
    common = {
        'address': '127.0.0.1', 'weight': 1, 'maxConn': 2, 'minConn': 0, 'maxQueue': 0, 'backup': False,
        'sessionGeneration': 0, 'port': port,
    }  # fmt: skip
    backend = {
        'balance': 'roundrobin', 'retries': 3, 'redispatch': -1, 'fullconn': 0, 'allbackups': False,
        'timeouts': {'connect': 1000, 'server': 30_000, 'queue': 10_000, 'tunnel': None},
        'servers': {'one': {**common, 'adminState': admin}, 'two': {**common, 'adminState': 'ready'}},
    }  # fmt: skip
    return {'backends': {'b': backend}, 'routes': {'r': {'host': '', 'pathPrefix': '/', 'backend': 'b'}}}


class Following:
    """A data plane that follows a scripted control plane."""

    def __init__(self, plane: DataPlane, link: Link, server: Upstream) -> None:
        self.plane = plane
        self.link = link
        self.server = server


async def following(on: Stage, of: Control) -> Following:
    server = await on.upstream('u', service=0.002)
    port = on.ports.take()
    plane = await on.data_plane(routed(port), port=port, workers=3, control_plane=of.url)
    link, _ = await of.link()
    await link.snapshot(1, 1, pushed(server.port))
    assert await link.acked() == (1, 1)
    return Following(plane, link, server)


async def test_a_stopped_worker_does_not_hold_the_barrier_up_and_is_named() -> None:
    async with control() as of, stage() as on:
        at = await following(on, of)
        async with Load(at.plane.port, CONNECTIONS) as load:
            await flows(load, 200)
            victim = random.choice(at.plane.worker_pids())
            stop(victim)
            await barrier_passes_without(at, load, victim)


async def test_a_worker_stopped_inside_a_hold_does_not_hold_the_barrier_up_and_is_named() -> None:
    async with control() as of, stage() as on:
        at = await following(on, of)
        async with Load(at.plane.port, CONNECTIONS) as load:
            await flows(load, 200)
            with BoardLock(at.plane.pid) as lock:
                victim = await stopped_inside_a_hold(at.plane, lock)
                await barrier_passes_without(at, load, victim)


async def stopped_inside_a_hold(plane: DataPlane, lock: BoardLock) -> int:
    """Stop workers again and again until one is caught with the lock in its hands; it stays stopped."""
    ends = time.monotonic() + 90
    while time.monotonic() < ends:
        for pid in plane.worker_pids():
            stop(pid)
            if lock.holder() == pid:
                return pid
            os.kill(pid, signal.SIGCONT)
            await asyncio.sleep(random.uniform(0, 0.002))
    raise AssertionError('no worker was caught inside a hold')


async def barrier_passes_without(at: Following, load: Load, victim: int) -> None:
    """Maintenance for one server is applied, acknowledged and true although `victim` stands still."""
    owners = at.plane.owners()
    safe = set().union(*(ports for pid, ports in owners.items() if pid != victim))
    first, began = len(load.records), time.monotonic()
    before, after = pushed(at.server.port), pushed(at.server.port, 'maint')
    await at.link.send(event(2, before, after))
    ack = await at.link.answer()
    assert (ack.term, ack.seq) == (1, 2)
    assert len(ack.missing) == 1, f'{ack} should name the one worker that stood still'
    assert not set(ack.missing) & set(ack.workers)
    assert len(ack.workers) == at.plane.workers - 1
    assert time.monotonic() - began < 20
    assert (await at.plane.cli.states())['b/one'][0] == 0
    await until(lambda: victim not in at.plane.worker_pids(), within=60, what='the worker that stood still is ended')
    await until(lambda: all_workers(at.plane), within=60, what='it is replaced')
    await flows(load, 200)
    harmed = [record for record in load.records[first:] if is_harmed(record) and record.client_port in safe]
    assert not harmed, f'connections of workers that live were lost: {harmed[:3]}'
    assert at.server.most <= 4
