"""The reproducer of HAProxy's queue bug (commit 53f52e67a) against real processes.

One server with maxconn 1, two workers, forty connections that never stop asking, and ten times a second the server is
disabled, its sessions are shut down, it is waited for and enabled again. And the same with four servers, where servers are
drained, disabled, weighed and limited anew at random and workers are killed.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time

import pytest

from tests.integration.harness.cli import Cli
from tests.integration.harness.load import Load
from tests.integration.harness.planes import DataPlane, Stage, listen, stage
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until

SECONDS = 15
SOAK_SECONDS = int(os.environ.get('SLUICE_SOAK_SECONDS', '1800'))
LONGEST = (
    30  # seconds, which only who is forgotten waits, until the load that ends cuts it: a busy machine needs twenty
)
CONNECTIONS = 40
SPELL = (
    'disable server px/s;shutdown sessions server px/s;wait 100ms srv-removable px/s;'
    'show servers conn px;enable server px/s'
)
LIMITS = {'a': 1, 'b': 2, 'c': 3, 'd': 2}

durations = pytest.mark.parametrize(
    'seconds',
    [
        pytest.param(SECONDS, id='short'),
        pytest.param(SOAK_SECONDS, marks=[pytest.mark.soak, pytest.mark.timeout(SOAK_SECONDS + 120)], id='soak'),
    ],
)


@durations
async def test_one_server_disabled_and_enabled_ten_times_a_second(seconds: int) -> None:
    async with stage() as on:
        server = await on.upstream('s', service=unevenly)
        port = on.ports.take()
        plane = await on.data_plane(listen(port, f's 127.0.0.1:{server.port} maxconn 1'), port=port)
        workers = plane.worker_pids()
        rounds = 0
        async with Load(port, CONNECTIONS) as load:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                began = time.monotonic()
                answer = await plane.cli(SPELL)
                assert 'px/s' in answer, answer
                rounds += 1
                await asyncio.sleep(max(0.0, began + 0.1 - time.monotonic()))
                check_so_far(load, {'s': server}, {'s': 1})
        await check_at_rest(plane, load)
        assert plane.worker_pids() == workers, 'a worker did not survive'
        assert server.most == 1
        assert load.statuses()[200] > rounds, f'hardly anything was served: {load.statuses()}'
        assert set(load.statuses()) <= {200, 500, 502, 503, 0}, load.statuses()
        cut = [record for record in load.records if record.status in {0, 500, 502}]
        assert len(cut) <= rounds, f'{len(cut)} requests were cut by {rounds} shutdowns of a server with one slot'


@durations
async def test_four_servers_with_random_drains_kills_and_weights(seconds: int) -> None:
    seed = random.randrange(2**32)
    print('seed', seed)
    async with stage() as on:
        servers = {name: await on.upstream(name, service=unevenly) for name in LIMITS}
        plane = await four_servers(on, servers)
        meddler = Meddler(plane, random.Random(seed))
        async with Load(plane.port, CONNECTIONS) as load:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                await meddler.act()
                check_so_far(load, servers, LIMITS)
            await meddler.make_good()
        await check_at_rest(plane, load)
        await until(lambda: len(plane.worker_pids()) == plane.workers, within=60, what='every worker is back')
        assert {name: of.most for name, of in servers.items() if of.most > LIMITS[name]} == {}
        assert load.statuses()[200] > 20 * seconds, f'hardly anything was served: {load.statuses()}'
        assert set(load.statuses()) <= {200, 500, 502, 503, 0}, load.statuses()


def unevenly() -> float:
    """Service times: mostly short, and now and then one that a shutdown or a drain is sure to meet."""
    return random.choice([0.002, 0.004, 0.03])


async def four_servers(on: Stage, servers: dict[str, Upstream]) -> DataPlane:
    port = on.ports.take()
    lines = '\n'.join(f'{name} 127.0.0.1:{of.port} maxconn {LIMITS[name]}' for name, of in servers.items())
    return await on.data_plane(listen(port, lines) + '    balance leastconn\n', port=port)


class Meddler:
    """Does one thing after the other to the data plane, ten times a second or so; every few seconds it kills a worker."""

    def __init__(self, plane: DataPlane, rng: random.Random) -> None:
        self._plane = plane
        self._cli: Cli = plane.cli
        self._rng = rng
        self._next_kill = time.monotonic() + 3

    async def act(self) -> None:
        server = self._rng.choice(sorted(LIMITS))
        line = self._rng.choice(
            [
                f'set server px/{server} state drain',
                f'set server px/{server} state ready',
                f'set server px/{server} state ready',
                f'disable server px/{server};shutdown sessions server px/{server}',
                f'enable server px/{server}',
                SPELL.replace('px/s', f'px/{server}'),
                f'shutdown sessions server px/{server}',
                f'set weight px/{server} {self._rng.choice([0, 1, 10, 256])}',
                f'set maxconn server px/{server} {self._rng.randint(1, LIMITS[server])}',
            ]
        )
        await self._cli(line)
        if time.monotonic() > self._next_kill:
            self._next_kill = time.monotonic() + self._rng.uniform(3, 6)
            os.kill(self._rng.choice(self._plane.worker_pids()), signal.SIGKILL)
        await asyncio.sleep(self._rng.uniform(0, 0.1))

    async def make_good(self) -> None:
        """Every server as it was configured."""
        for server, limit in LIMITS.items():
            await self._cli(
                f'set server px/{server} state ready;set weight px/{server} 1;set maxconn server px/{server} {limit}'
            )


def check_so_far(load: Load, servers: dict[str, Upstream], limits: dict[str, int]) -> None:
    """What must be true at every instant."""
    for name, server in servers.items():
        assert server.most <= limits[name], f'{server.most} requests were in {name} at once, it takes {limits[name]}'
    assert load.longest() < LONGEST, f'a request waited {load.longest():.1f} s for an answer'


async def check_at_rest(plane: DataPlane, load: Load) -> None:
    """What must be true once nobody asks any more: every slot came back, nobody waits, everybody was answered."""
    assert not load.pending

    async def settled() -> bool:
        stat = await plane.cli.stat()
        queued = sum(int(row['qcur'] or 0) for (backend, _), row in stat.items() if backend == 'px')
        return not queued and not any(of.served for of in (await plane.cli.conns('px')).values())

    await until(settled, within=60, what='all slots are back and no queue is left')
    assert load.longest() < LONGEST
