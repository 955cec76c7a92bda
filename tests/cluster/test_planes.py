"""Both planes in two copies, as processes, against a real API server, by the chart's own settings and rights."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.cluster.harness.kinds import override
from tests.cluster.harness.running import Running
from tests.cluster.world import HOST, Sluice
from tests.integration.harness.waiting import until

pytestmark = pytest.mark.timeout(300)


async def test_pods_become_servers_and_the_policy_tells(here: Sluice, cluster: Running) -> None:
    await here.application(maxConn=4)
    document = await here.becomes('backendpolicies', 'web', 'Programmed')
    status = document['status']
    assert status['dataPlanes']['summary'] == '2/2'
    assert status['servers']['summary'] == '3/3'
    await here.pods.report('web-3', ready=False)
    await here.spread('web-1', 'web-2')
    await here.server('web-4')
    await here.spread('web-1', 'web-2', 'web-4')
    await here.pods.remove('web-1')
    await here.spread('web-2', 'web-4')


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
        await here.becomes('serveroverrides', 'by-hand', 'Programmed')
        await here.becomes('serveroverrides', 'by-hand', 'Drained')
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


async def test_kubectl_get_tells_states_and_figures(here: Sluice, cluster: Running) -> None:
    """What a person sees of a drain under load: states, what is in flight, and which data planes know."""
    await here.application(maxConn=1, queue={'timeout': '60s'})
    for server in here.servers.values():
        server.hold()
    plane = here.world.planes[0]
    waiting = [asyncio.create_task(here.world.ask(plane, HOST, f'/{number}')) for number in range(3)]
    await until(lambda: all(one.inside() for one in here.servers.values()), within=10, what='every server is busy')
    document = override('by-hand', here.documents['web-1'], adminState='Drain', reason='a look at it')
    (await cluster.kubectl('apply', '-n', here.namespace, '-f', '-', document=document)).must()

    async def shown(kind: str, **wanted: str) -> None:
        text = ''

        async def equal() -> bool:
            nonlocal text
            text = (await cluster.kubectl('get', kind, '-o', 'wide', '-n', here.namespace)).must()
            row = cells(*text.splitlines())
            return {name: row.get(name) for name in wanted} == wanted

        try:
            await until(equal, within=30, what=f'kubectl get {kind} prints {wanted}', every=0.3)
        except AssertionError as error:
            raise AssertionError(f'{error}; it prints\n{text}') from None

    await shown(
        'so', NAME='by-hand', SERVICE='web', TARGET='web-1', WANTED='Drain', STATE='Drain', INFLIGHT='1', QUEUED='0',
        PROGRAMMED='True', DRAINED='False', ACKED='2/2', REASON='a look at it',
    )  # fmt: skip
    await shown(
        'bp', NAME='web', TARGET='web', MAXCONN='1', SCOPE='perReplica', READY='2/3', DRAIN='1',
        PROGRAMMED='True', ACKED='2/2', MAINT='0', EFFECTIVE='2 total = 2 x 1',
    )  # fmt: skip
    for server in here.servers.values():
        server.let_go()
    assert {record.status for record in await asyncio.gather(*waiting)} == {200}
    await shown('so', STATE='Drain', INFLIGHT='0', QUEUED='0', DRAINED='True', ACKED='2/2')
    await shown('bp', READY='2/3', DRAIN='1', ACKED='2/2')


def cells(head: str, row: str) -> dict[str, str]:
    """Of a table with one row: each column's cell. A cell may be empty, so what counts is where its column begins."""
    begins = [(match.start(), match[0]) for match in re.finditer(r'\S+', head)]
    ends = [start for start, _ in begins[1:]] + [max(len(head), len(row))]
    return {name: row[start:end].strip() for (start, name), end in zip(begins, ends, strict=True)}


async def test_a_policy_is_watched(here: Sluice, cluster: Running) -> None:
    """`kubectl get bp -w` shows a server go and come back."""
    await here.application()
    await here.becomes('backendpolicies', 'web', 'Programmed')
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


async def test_kubectl_describes_a_service_with_its_warnings(here: Sluice, cluster: Running) -> None:
    """It asks for events by the uid of the Service; what is told about a name alone nobody sees."""
    await here.application()
    for name in here.servers:
        await here.pods.report(name, ready=False)

    async def told() -> bool:
        text = (await cluster.kubectl('describe', 'service', 'web', '-n', here.namespace)).must()
        return re.search(r'Warning +NoneReady .*Port http: no endpoint is ready', text) is not None

    await until(told, within=30, what='kubectl describe service prints the Warning', every=0.3)


async def test_a_drain_by_rest_dies_with_its_pod(here: Sluice) -> None:
    """The garbage collector takes the wish with the pod, and a new pod of the same name begins without it."""
    await here.application()
    answer = await here.drain(await here.world.leader(), 'web-1')
    assert answer.status_code == 200, answer.text
    (wish,) = await here.kube.list('serveroverrides', here.namespace)
    assert wish['spec']['adminState'] == 'Drain'
    assert wish['spec']['setBy'] == f'system:serviceaccount:{here.namespace}:operator'
    await here.pods.remove('web-1')

    async def gone() -> bool:
        return await here.kube.list('serveroverrides', here.namespace) == []

    await until(gone, within=60, what='the override is gone', every=0.2)
    await here.servers['web-1'].close()
    await here.server('web-1')
    await here.spread('web-1', 'web-2', 'web-3')


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
    foreign = await here.kube.token('operator', here.namespace, audience='somebody-else')
    own = (here.world.directory / here.world.planes[0].name / 'credentials/token').read_text()
    words = ('create', 'token', 'operator', '--audience=sluice', '-n', here.namespace)
    persons = (await cluster.kubectl(*words)).must().strip()
    leader = await here.world.leader()
    for token, method, path, body, wanted in (
        ('nonsense', 'GET', '/v1/backends', None, 401),
        (foreign, 'GET', '/v1/backends', None, 401),
        (own, 'GET', '/v1/backends', None, 403),
        (own, 'GET', '/v1/dataplanes', None, 403),
        (own, 'PATCH', server, {'adminState': 'drain'}, 403),
        (persons, 'PATCH', server, {'adminState': 'drain'}, 200),
    ):
        async with here.world.rest(leader, token) as client:
            answer = await client.request(method, path, json=body)
        assert answer.status_code == wanted, f'{method} {path}: {answer.text}'
    await here.spread('web-2', 'web-3')


async def test_a_pod_that_leaves_gets_nothing_new_and_loses_nothing(here: Sluice) -> None:
    """Terminating endpoints finish what they have."""
    await here.application()
    waiting = await here.held(here.world.planes[0], 'web-1')
    await here.pods.terminate('web-1')
    await here.spread('web-2', 'web-3')
    here.servers['web-1'].let_go()
    records = await asyncio.gather(*waiting)
    assert {record.status for record in records} == {200}
    await here.pods.remove('web-1')
    await here.spread('web-2', 'web-3', within=1)
