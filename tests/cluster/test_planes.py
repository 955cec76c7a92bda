"""Both planes in two copies, as processes, against a real API server, by the chart's own settings and rights."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from tests.cluster.harness.api import Document, Kube
from tests.cluster.harness.kinds import override
from tests.cluster.harness.planes import CONTROL, HTTP
from tests.cluster.harness.running import Running
from tests.cluster.world import HOST, Sluice, sluice
from tests.integration.harness.load import Load
from tests.integration.harness.waiting import until

pytestmark = [pytest.mark.usefixtures('kinds'), pytest.mark.timeout(300)]


@pytest.fixture
async def here(cluster: Running, kube: Kube, namespace: str, number: int) -> AsyncIterator[Sluice]:
    async with sluice(cluster, kube, namespace, number) as made:
        yield made


def condition(document: Document, kind: str) -> str:
    conditions = document.get('status', {}).get('conditions') or []
    return next((str(one['status']) for one in conditions if one['type'] == kind), '')


async def overrides(here: Sluice) -> list[Document]:
    return await here.kube.list('serveroverrides', here.namespace)


async def becomes(here: Sluice, plural: str, name: str, kind: str, wanted: str = 'True') -> Document:
    """Until a condition of an object is as wanted."""

    async def holds() -> Document | None:
        document = await here.kube.get(plural, name, here.namespace)
        return document if condition(document, kind) == wanted else None

    found = await until(holds, within=30, what=f'{plural}/{name} {kind}={wanted}', every=0.1)
    assert found is not None
    return found


async def test_pods_become_servers_and_the_policy_tells(here: Sluice, cluster: Running) -> None:
    await here.application(maxConn=4)
    document = await becomes(here, 'backendpolicies', 'web', 'Programmed')
    status = document['status']
    assert status['dataPlanes']['summary'] == '2/2'
    assert status['servers']['summary'] == '3/3'
    await here.pods.report('web-3', ready=False)
    await here.spread('web-1', 'web-2')
    await here.server('web-4')
    await here.spread('web-1', 'web-2', 'web-4')
    await here.pods.remove('web-1')
    await here.spread('web-2', 'web-4')


async def test_a_drain_by_rest_survives_everything(here: Sluice, cluster: Running) -> None:
    """The leader's death, the API server's, the data planes'; and it ends when it is ended, not before."""
    await here.application()
    leader = await here.world.leader()
    answer = await here.drain(leader, 'web-1')
    assert answer.status_code == 200, answer.text
    (wish,) = await overrides(here)
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

    await cluster.kill('kube-apiserver')
    await here.spread('web-2', 'web-3', within=1)
    await cluster.start('kube-apiserver')

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


async def test_kubectl_applies_a_drain_and_watches_it(here: Sluice, cluster: Running) -> None:
    await here.application()
    watch = await asyncio.create_subprocess_exec(
        str(cluster.programs.kubectl), 'get', 'so', '-w', '-n', here.namespace,
        stdout=asyncio.subprocess.PIPE, env=cluster.environment(),
    )  # fmt: skip
    try:
        document = override('by-hand', here.documents['web-2'], adminState='Drain', reason='a look at it')
        (await cluster.kubectl('apply', '-n', here.namespace, '-f', '-', document=document)).must()
        await here.spread('web-1', 'web-3')
        await becomes(here, 'serveroverrides', 'by-hand', 'Programmed')
        await becomes(here, 'serveroverrides', 'by-hand', 'Drained')
        assert watch.stdout is not None
        async with asyncio.timeout(20):
            while True:
                line = (await watch.stdout.readline()).decode().split()
                if line[:1] == ['by-hand'] and line.count('True') == 2:
                    break
        assert line[1:5] == ['web', 'web-2', 'Drain', 'Drain']
        assert '2/2' in line
    finally:
        watch.kill()
        await watch.wait()
    (await cluster.kubectl('delete', 'so', 'by-hand', '-n', here.namespace)).must()
    await here.spread('web-1', 'web-2', 'web-3')


async def test_a_policy_is_watched(here: Sluice, cluster: Running) -> None:
    """`kubectl get bp -w` shows a server go and come back."""
    await here.application()
    await becomes(here, 'backendpolicies', 'web', 'Programmed')
    watch = await asyncio.create_subprocess_exec(
        str(cluster.programs.kubectl), 'get', 'bp', '-w', '-n', here.namespace,
        stdout=asyncio.subprocess.PIPE, env=cluster.environment(),
    )  # fmt: skip
    try:
        assert watch.stdout is not None

        async def shown(word: str) -> None:
            assert watch.stdout is not None
            async with asyncio.timeout(30):
                while word not in (await watch.stdout.readline()).decode().split():
                    pass

        await shown('3/3')
        await here.pods.report('web-1', ready=False)
        await shown('2/3')
        await here.pods.report('web-1', ready=True)
        await shown('3/3')
    finally:
        watch.kill()
        await watch.wait()


async def test_tokens_open_what_their_roles_say(here: Sluice, cluster: Running) -> None:
    await here.application()
    server = f'/v1/backends/{here.backend}/servers/web-1'
    for replica in here.world.replicas:  # the follower asks the API server itself, or the leader does for it
        for role, method, path, body, wanted in (
            ('viewer', 'GET', '/v1/backends', None, 200),
            ('viewer', 'GET', server, None, 200),
            ('viewer', 'PATCH', server, {'adminState': 'drain'}, 403),
            ('viewer', 'POST', f'{server}:shutdownSessions', None, 403),
            ('operator', 'PATCH', server, {'weight': 5}, 200),
            ('operator', 'POST', f'{server}:shutdownSessions', None, 200),
            ('operator', 'PATCH', f'/v1/backends/{here.backend}', {'queueTimeout': 1}, 403),
            ('editor', 'PUT', f'/v1/backends/{here.backend}', {'servers': {}}, 409),
        ):
            answer = await here.call(replica, method, path, body, role=role)
            assert answer.status_code == wanted, f'{replica.name} {role} {method} {path}: {answer.text}'
    leader = await here.world.leader()
    foreign = await here.kube.token('operator', here.namespace, audience='somebody-else')
    plane = here.world.planes[0]
    own = (here.world.directory / plane.name / 'credentials/token').read_text()
    for token, wanted in (('nonsense', 401), (foreign, 401), (own, 403)):
        async with here.world.rest(leader, token) as client:
            assert (await client.get('/v1/backends')).status_code == wanted


async def test_without_the_api_server_traffic_goes_on(here: Sluice, cluster: Running) -> None:
    """No request fails while it is away, for longer than a lease lives; afterwards all is as it was."""
    await here.application()
    plane = here.world.planes[0]
    async with Load(HTTP, 4, HOST, address=plane.address, pause=0.01) as load:
        await cluster.kill('kube-apiserver')
        await asyncio.sleep(20)  # the lease of 15 s ends in it: what is tested is that nothing happens
        answer = await here.call(here.world.replicas[0], 'PATCH', f'/v1/backends/{here.backend}/servers/web-1', {'weight': 2})  # fmt: skip
        assert answer.status_code == 503
        await cluster.start('kube-apiserver')
        leader = await here.world.leader()

        async def drained() -> bool:
            return (await here.drain(leader, 'web-1')).status_code == 200

        await until(drained, within=40, what='drains work again', every=0.5)
        await here.spread('web-2', 'web-3')
    assert load.failed() == []
    assert len(load.records) > 100


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


async def test_a_pod_that_leaves_gets_nothing_new_and_loses_nothing(here: Sluice) -> None:
    """Terminating endpoints finish what they have."""
    await here.application()
    here.servers['web-1'].hold()
    plane = here.world.planes[0]
    waiting = [asyncio.create_task(here.world.ask(plane, HOST, f'/{number}')) for number in range(9)]
    await until(lambda: here.servers['web-1'].inside() > 0, within=10, what='a request is in web-1')
    await here.pods.terminate('web-1')
    await here.spread('web-2', 'web-3')
    here.servers['web-1'].let_go()
    records = await asyncio.gather(*waiting)
    assert {record.status for record in records} == {200}
    await here.pods.remove('web-1')
    await here.spread('web-2', 'web-3', within=1)
