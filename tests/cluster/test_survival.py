"""What dies, and what must not die with it: leaders, data planes and the API server, in the middle of what they did."""

from __future__ import annotations

import asyncio
import re
import signal

import httpx
import pytest

from tests.cluster.harness.planes import CONTROL, HTTP, PROBES, Process
from tests.cluster.harness.running import Running
from tests.cluster.world import HOST, Sluice
from tests.integration.harness.load import Load
from tests.integration.harness.waiting import until

pytestmark = pytest.mark.timeout(300)


async def test_a_drain_by_rest_survives_everything(here: Sluice, cluster: Running) -> None:
    """The leader's death, the API server's, the data planes'; and it ends when it is ended, not before."""
    await here.application()
    leader = await here.world.leader()
    answer = await here.drain(leader, 'web-1')
    assert answer.status_code == 200, answer.text
    (wish,) = await here.kube.list('serveroverrides', here.namespace)
    owner = wish['metadata']['ownerReferences'][0]
    assert (owner['kind'], owner['uid']) == ('Pod', here.documents['web-1']['metadata']['uid'])
    assert not owner.get('blockOwnerDeletion')
    before = await here.arrivals('web-1')
    await here.spread('web-2', 'web-3', within=1)

    await leader.kill()
    successor = await here.world.leader()
    assert successor is not leader
    await here.spread('web-2', 'web-3', within=1)
    await leader.start()

    async with cluster.without('kube-apiserver'):
        await here.spread('web-2', 'web-3', within=1)

    for plane in here.world.planes:
        await plane.kill()
        await plane.start()
        await here.world.ready(plane)
    await here.server('web-4')
    await here.spread('web-2', 'web-3', 'web-4')
    assert await here.arrivals('web-1') == before

    leader = await here.world.leader()
    path = f'/v1/backends/{here.backend}/servers/web-1?wait=acked&timeout=20s'
    answer = await here.call(leader, 'PATCH', path, {'adminState': 'ready'})
    assert answer.status_code == 200, answer.text
    await here.spread('web-1', 'web-2', 'web-3', 'web-4')


async def test_a_leader_killed_in_the_middle_of_a_drain_is_followed_by_one_that_ends_it(here: Sluice) -> None:
    """Whoever waited is cut off; the drain goes on, what was asked for can be asked about, and is true when it is said."""
    await here.application()
    waiting = await here.held(here.world.planes[0], 'web-1')
    leader = await here.world.leader()
    answer = await here.drain(leader, 'web-1', '?wait=drained&timeout=1s')
    assert answer.status_code == 202, answer.text
    operation = answer.headers['Location']
    hanging = asyncio.create_task(here.drain(leader, 'web-1', '?wait=drained&timeout=60s'))
    (wish,) = await here.kube.list('serveroverrides', here.namespace)
    await here.becomes('serveroverrides', wish['metadata']['name'], 'Programmed')
    await leader.kill()
    with pytest.raises(httpx.TransportError):
        await hanging
    successor = await here.world.leader()
    assert successor is not leader
    await here.spread('web-2', 'web-3', within=1)

    async def state() -> str:
        found = await here.call(successor, 'GET', operation)
        return str(found.json().get('state')) if found.status_code == 200 else f'{found.status_code} {found.text}'

    async def pending() -> bool:
        return await state() == 'pending'

    await until(pending, within=20, what='the successor knows the operation, and that it is not done', every=0.1)
    assert here.servers['web-1'].inside() > 0
    here.servers['web-1'].let_go()
    answer = await here.call(successor, 'GET', f'{operation}?wait=drained&timeout=30s')
    assert answer.json()['state'] == 'done', answer.text
    assert here.servers['web-1'].inside() == 0
    await here.becomes('serveroverrides', wish['metadata']['name'], 'Drained')
    assert {record.status for record in await asyncio.gather(*waiting)} == {200}


async def test_without_the_api_server_traffic_goes_on(here: Sluice, cluster: Running) -> None:
    """No request fails while it is away, for longer than a lease lives; afterwards all is as it was."""
    await here.application()
    await here.token('operator')
    plane = here.world.planes[0]
    async with Load(HTTP, 4, HOST, address=plane.address, pause=0.01) as load:
        async with cluster.without('kube-apiserver'):
            await asyncio.sleep(20)  # the lease of 15 s ends in it: what is tested is that nothing happens
            for replica in here.world.replicas:
                answer = await here.call(replica, 'PATCH', f'/v1/backends/{here.backend}/servers/web-1', {'weight': 2})
                assert answer.status_code == 503, answer.text
        leader = await here.world.leader()

        async def drained() -> bool:
            return (await here.drain(leader, 'web-1')).status_code == 200

        await until(drained, within=40, what='drains work again', every=0.5)
        await here.spread('web-2', 'web-3')
    assert load.failed() == []
    assert len(load.records) > 100


async def test_old_watches_are_answered_410_and_nothing_was_missed(here: Sluice, cluster: Running) -> None:
    """A follower that stood still while the API server was made anew: its watches are too old, it lists, and can lead."""
    await here.application()
    leader = await here.world.leader()
    follower = next(one for one in here.world.replicas if one is not leader)
    assert await relists(follower, 'expired') == 0
    follower.alive().signal(signal.SIGSTOP)
    try:
        await here.server('web-4')  # it does not hear of this, and the next API server does not remember it
        await here.pods.remove('web-1')
        await here.spread('web-2', 'web-3', 'web-4')
        async with cluster.without('kube-apiserver'):
            pass
        await here.pods.remove('web-2')
        await here.spread('web-3', 'web-4')
    finally:
        follower.alive().signal(signal.SIGCONT)

    async def listed() -> bool:
        return await relists(follower, 'expired') > 0

    await until(listed, within=60, what='the follower was told 410 and listed again', every=0.2)
    await leader.kill()
    assert await here.world.leader() is follower
    await here.server('web-5')
    await here.spread('web-3', 'web-4', 'web-5')
    assert {'web-1', 'web-2'}.isdisjoint(await here.names(follower))


async def relists(replica: Process, reason: str) -> int:
    """How often a replica listed anything for that reason, as its metrics say."""
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f'http://{replica.address}:{PROBES}/metrics', timeout=10)).text
    samples = re.findall(r'^sluice_controlplane_informer_relists_total\{.*reason="(\w+)".*\} (\d+)', text, re.MULTILINE)
    assert samples, text
    return sum(int(number) for word, number in samples if word == reason)


async def test_a_leader_that_stood_still_is_not_obeyed(here: Sluice) -> None:
    """It is stopped past its lease; when it goes on, another one leads, and it follows."""
    await here.application()
    old = await here.world.leader()
    old.alive().signal(signal.SIGSTOP)
    try:

        async def another() -> bool:
            return await here.world.leader() is not old

        await until(another, within=60, what='another replica leads', every=0.3)
        new = await here.world.leader()
        answer = await here.drain(new, 'web-1')
        assert answer.status_code == 200, answer.text
    finally:
        old.alive().signal(signal.SIGCONT)
    answer = await here.call(old, 'GET', '/v1/dataplanes', role='viewer')
    assert answer.status_code == 200, answer.text
    await here.spread('web-2', 'web-3', within=1)
    lease = await here.kube.get('leases', CONTROL, here.namespace)
    assert lease['spec']['holderIdentity'].startswith(new.name)
