"""The first thing anybody does with Sluice: start both planes, send traffic, drain a server, and believe the answer."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.integration.harness.planes import stage
from tests.integration.harness.waiting import until
from tests.integration.harness.worlds import BACKEND, World, world


async def is_in_force(at: World, verb: str) -> bool:
    """Whether the only data plane has acknowledged the head, and the head is the verb."""
    server = await at.control.must('GET', f'/v1/backends/{BACKEND}/servers/a')
    return server['adminState'] == verb and await at.converged()


@pytest.mark.parametrize('verb', ['drain', 'maint'])
async def test_both_planes_start_and_a_drain_under_load_loses_nothing(verb: str) -> None:
    async with stage() as on:
        at = await world(on, 'a b c', service=0.02, maxConn=2, timeouts={'queue': 20_000})
        a = at.servers['a']
        async with at.load(20) as load:
            await until(lambda: len(a.arrivals) > 20, within=60, what='traffic flows')
            a.hold()
            query = '?wait=drained&timeout=60s'
            verb_done = asyncio.create_task(at.control.patch(f'{BACKEND}/a', query, adminState=verb))
            await until(lambda: is_in_force(at, verb), within=60, what='every worker has applied it')
            early, _ = await asyncio.wait([verb_done], timeout=0.3)
            assert not early, 'drained was answered while requests were in flight'
            assert a.inside() > 0
            a.let_go()
            response = await verb_done
            assert response.status_code == 200, response.text
            assert a.inside() == 0, 'the answer was not true'
            answered, arrived = time.monotonic(), len(a.arrivals)
            (row,) = response.json()['dataplanes']
            assert (row['id'], row['state'], row['missing']) == ('dp0', 'done', [])
            wanted = len(load.records) + 100
            await until(lambda: len(load.records) > wanted, within=60, what='traffic goes on')
            assert len(a.arrivals) == arrived, 'a request came after the answer'
            response = await at.control.patch(f'{BACKEND}/a', '?wait=acked', adminState='ready')
            assert response.status_code == 200, response.text
            await until(lambda: len(a.arrivals) > arrived + 10, within=60, what='it takes traffic again')
        assert not load.failed(), load.failed()[:3]
        assert {record.server for record in load.records if record.sent > answered} == {'a', 'b', 'c'}
        assert max(server.most for server in at.servers.values()) <= 2
