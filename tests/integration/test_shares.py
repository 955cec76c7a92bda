"""One limit over all data planes together, on real processes: a server that counts never sees more than it allows.

Between the planes stands a proxy that cuts the link and refuses it. Leases are as short as they may be.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.integration.harness.faultlink import FaultLink
from tests.integration.harness.load import Load, ask
from tests.integration.harness.planes import ControlPlane, DataPlane, Stage, routed, stage
from tests.integration.harness.upstream import Upstream
from tests.integration.harness.waiting import until

LEASE_S = 3
LIMIT = 3
HOST = 'load.test'


@dataclass
class Fleet:
    """A control plane, one server with a limit over all, and data planes under load, each with a link of its own."""

    on: Stage
    control: ControlPlane
    server: Upstream
    policy: str
    planes: list[DataPlane] = field(default_factory=list)
    links: list[FaultLink] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)

    async def add(self) -> int:
        """One more data plane, and a load on it. Returns its number."""
        number = len(self.planes)
        link = await self.on.enter(FaultLink(self.control.port))
        port = self.on.ports.take()
        plane = await self.on.data_plane(
            routed(port), name=f'dp{number}', port=port, workers=1 + number % 2, queue='500ms',
            control_plane=f'http://127.0.0.1:{link.port}', extra=(f'on-partition {self.policy}',),
        )  # fmt: skip
        self.planes.append(plane)
        self.links.append(link)
        self.loads.append(await self.on.enter(Load(port, 4, host=HOST, pause=0.02, after_refusal=0.05)))
        return number

    async def shares(self) -> dict[str, dict[str, Any]]:
        """What the control plane says of the server, by data plane."""
        found: dict[str, dict[str, Any]] = (await self.control.must('GET', '/v1/backends/app/servers/s'))['shares']
        return found

    async def settled(self, *wanted: int, within: float = 60) -> None:
        """Wait until the shares that are given are these, in any order, and nothing is held above them."""

        async def is_so() -> bool:
            rows = (await self.shares()).values()
            return sorted(row['share'] for row in rows) == sorted(wanted) and all(
                row['held'] == row['share'] for row in rows
            )

        await until(is_so, within=within, every=0.1, what=f'shares {wanted}')

    async def serves(self, *numbers: int, within: float = 60) -> None:
        """Wait until each of these data planes has got answers from the server that were asked for after now."""
        before = {number: self.loads[number].statuses()[200] for number in numbers}

        def they_do() -> bool:
            return all(self.loads[number].statuses()[200] > was + 3 for number, was in before.items())

        await until(they_do, within=within, what=f'data planes {numbers} serve')

    def cut(self, number: int) -> None:
        """Take its link away."""
        self.links[number].refuse = True
        self.links[number].cut()

    def never_more(self) -> None:
        """The promise."""
        assert self.server.most <= LIMIT, f'{self.server.most} at once'


@asynccontextmanager
async def fleet(policy: str, planes: int, service: float = 0.02) -> AsyncIterator[Fleet]:
    async with stage() as on, AsyncExitStack():
        control = await on.control_plane('--traffic-lease', str(LEASE_S))
        server = await on.upstream('s', service)
        await control.publish('app', {'s': server}, limitScope='divided', maxConn=LIMIT)
        await control.must('PUT', '/v1/routes/all', {'backend': 'app', 'host': HOST})
        made = Fleet(on, control, server, policy)
        for _ in range(planes):
            await made.add()
        yield made
        made.never_more()


async def test_data_planes_come_and_go_under_load() -> None:
    async with fleet('stop', 2) as at:
        await at.settled(1, 2)
        await at.serves(0, 1)
        await at.add()
        await at.settled(1, 1, 1)
        await at.serves(0, 1, 2)
        await at.planes[1].stop()  # it says goodbye
        await at.settled(1, 2)
        await at.serves(0, 2)
        await at.planes[1].start()
        await at.settled(1, 1, 1)
        await at.serves(0, 1, 2)
        at.never_more()
        assert at.server.most == LIMIT, 'the limit was never reached, so nothing was shown'


async def test_a_killed_data_plane_gives_its_share_up_and_gets_it_back() -> None:
    async with fleet('stop', 3) as at:
        await at.settled(1, 1, 1)
        for number in range(3):
            await at.planes[number].kill()
            if number == 1:  # long enough to be forgotten
                await at.settled(1, 2)
            await at.planes[number].start()
            await at.settled(1, 1, 1)
            await at.serves(number)


async def test_with_stop_a_partitioned_data_plane_takes_no_traffic_and_others_get_its_share() -> None:
    async with fleet('stop', 2) as at:
        await at.settled(1, 2)
        at.cut(0)
        await at.settled(3)
        await at.serves(1)
        answer = await ask(at.planes[0].port, host=HOST)
        assert answer.status == 503
        assert 'no more requests are sent to pushed servers' in at.planes[0].printed()
        at.links[0].refuse = False
        await at.settled(1, 2)
        await at.serves(0, 1)


async def test_with_keep_a_partitioned_data_plane_goes_on_and_nobody_gets_its_share() -> None:
    async with fleet('keep', 2) as at:
        await at.settled(1, 2)
        held = (await at.shares())['dp0']['share']
        at.cut(0)
        await until(lambda: 'going on (on-partition keep)' in at.planes[0].printed(), within=60, what='the lease ends')
        await at.serves(0, 1)
        shares = await at.shares()
        assert {name: row['share'] for name, row in shares.items()} == {'dp0': held, 'dp1': LIMIT - held}
        await at.planes[0].kill()
        await at.planes[0].start()  # alone, from what its disk says
        await at.serves(0, 1)
        at.links[0].refuse = False
        await at.add()
        await at.settled(1, 1, 1)
        await at.serves(0, 1, 2)


async def test_a_suspended_data_plane_sends_nothing_when_it_goes_on() -> None:
    async with fleet('stop', 2) as at:
        await at.settled(1, 2)
        pids = [at.planes[0].pid, *at.planes[0].worker_pids()]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        at.links[0].cut()
        at.links[0].half_open()
        await at.settled(3)
        at.server.forget()
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        await at.serves(1)
        at.never_more()
        at.links[0].mend()
        await at.settled(1, 2)
        await at.serves(0, 1)


async def test_when_the_supervisor_alone_stands_still_its_workers_end() -> None:
    async with fleet('stop', 2) as at:
        await at.settled(1, 2)
        workers = at.planes[0].worker_pids()
        os.kill(at.planes[0].pid, signal.SIGSTOP)
        at.links[0].cut()
        at.links[0].half_open()
        await at.settled(3)
        await until(lambda: not set(workers) & set(at.planes[0].worker_pids()), within=60, what='its workers ended')
        os.kill(at.planes[0].pid, signal.SIGCONT)
        at.links[0].mend()
        await at.settled(1, 2)
        await at.serves(0, 1)


async def test_shares_survive_the_control_plane() -> None:
    async with fleet('stop', 2, service=0.05) as at:
        await at.settled(1, 2)
        for _ in range(2):
            await at.control.kill()
            await at.control.start()
            await at.settled(1, 2)
            await at.serves(0, 1)
        before = await at.shares()
        await at.control.must('PATCH', '/v1/backends/app', {'limitScope': 'perReplica'})
        assert await at.shares() is None
        await at.control.must('PATCH', '/v1/backends/app?wait=acked&timeout=60s', {'limitScope': 'divided'})
        await at.settled(1, 2)
        assert (await at.shares()).keys() == before.keys()
        at.server.forget()


async def test_no_slot_is_not_unlimited_and_nobody_hangs() -> None:
    async with fleet('stop', 3) as at:
        await at.settled(1, 1, 1)
        await at.control.patch('app/s', '?wait=acked&timeout=60s', maxConn=1)
        await at.settled(0, 0, 1)
        at.server.forget()
        without = [n for n in range(3) if not (await at.shares())[f'dp{n}']['share']]
        for number in without:
            answer = await ask(at.planes[number].port, host=HOST, within=60)
            assert answer.status == 503
            assert answer.took < 2
        (other,) = {0, 1, 2} - {*without}
        await at.serves(other)
        assert at.server.most == 1
