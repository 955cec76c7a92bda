"""The examples and the README's way into Kubernetes, as their readers go it: every command, in order, against real planes and a fake
API server."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controlplane.kube.resources import SERVER_OVERRIDES, SERVICE_ACCOUNTS
from tests.integration.harness.kubectl import Kubectl, Terminal
from tests.integration.harness.kubernetes import OWN, Kubernetes, kubernetes, own_address
from tests.integration.harness.load import Load, ask
from tests.integration.harness.planes import stage
from tests.integration.harness.waiting import until

EXAMPLES = Path(__file__).resolve().parents[2] / 'deploy' / 'examples'


def blocks(page: Path) -> list[str]:
    """The commands of a page, block by block."""
    return re.findall(r'^```\n(.*?)^```', page.read_text(), re.MULTILINE | re.DOTALL)


def readme() -> list[str]:
    """The commands of the README's section on Kubernetes."""
    text = (EXAMPLES.parents[1] / 'README.md').read_text().split('\n## On Kubernetes\n', 1)[1].split('\n## ', 1)[0]
    return re.findall(r'^```\n(.*?)^```', text, re.MULTILINE | re.DOTALL)


def of(example: str) -> list[str]:
    """The commands of an example's page."""
    return blocks(EXAMPLES / example / 'README.md')


@asynccontextmanager
async def fresh(tmp_path: Path, planes: int = 2) -> AsyncIterator[tuple[Kubernetes, Terminal]]:
    """What a page is run on."""
    address = own_address()
    if address is None:
        pytest.skip('this machine has no address but its loopback, which an endpoint must not have')
    async with stage() as made, kubernetes(made, address, planes) as cluster:
        terminal = Terminal(Kubectl(cluster), tmp_path)
        await terminal.begin()
        yield cluster, terminal


@asynccontextmanager
async def example(tmp_path: Path) -> AsyncIterator[tuple[Kubernetes, Terminal]]:
    """The same, with all that the index of the examples asks for."""
    async with fresh(tmp_path) as (cluster, terminal):
        cluster.fake.put(SERVICE_ACCOUNTS, OWN, {'metadata': {'name': 'oncall'}})
        cluster.operators(f'system:serviceaccount:{OWN}:oncall')
        namespace, variables = blocks(EXAMPLES / 'README.md')
        await terminal.run(namespace)
        await terminal.run(_here(variables, cluster))
        yield cluster, terminal


def _here(text: str, cluster: Kubernetes) -> str:
    """Commands with the address and the file that a port-forward and a Secret would have given."""
    assert 'https://localhost:8443' in text
    return text.replace('https://localhost:8443', cluster.url).replace('sluice-ca.crt', str(cluster.ca_file))


async def usable(cluster: Kubernetes, host: str) -> None:
    """Until a request is answered through every data plane."""

    async def answered() -> bool:
        return all([(await ask(plane.port, '/', host)).status == 200 for plane in cluster.planes])

    await until(answered, within=60, what=f'{host} is served', every=0.05)


async def shares(cluster: Kubernetes, host: str, requests: int) -> Counter[str]:
    """Who answers, through the first data plane."""
    return Counter([(await ask(cluster.planes[0].port, '/', host)).server for _ in range(requests)])


async def test_the_readme_leads_from_helm_install_to_the_first_drain(tmp_path: Path) -> None:
    install, serve, drain, watch = readme()
    async with fresh(tmp_path) as (cluster, terminal):
        port, rest = str(cluster.planes[0].port), str(cluster.rest)
        await terminal.run(install)
        assert [words[0] for words in terminal.kubectl.helm] == ['install', 'test']
        assert '8080' in serve
        answered = (await terminal.run(serve.replace('8080', port))).split()
        assert answered[-2].startswith('orders-'), answered
        assert '8443' in drain
        ca_file = tmp_path / 'sluice-ca.crt'
        said = await terminal.run(drain.replace('8443', rest).replace('sluice-ca.crt', str(ca_file)))
        assert ca_file.read_text().strip() == cluster.ca_file.read_text().strip()
        assert terminal.kubectl.forwarded == {'service/sluice-dataplane': port, 'service/sluice-controlplane': rest}
        pod = next(iter(cluster.pods))
        assert re.findall(r'set adminState=(\w+) at \S+ done', said) == ['drain', 'ready'], said
        assert f'{pod}-http-' in said, 'the override is listed'
        assert cluster.fake.all(SERVER_OVERRIDES) == [], 'enabled, it wants nothing any more'
        assert (await terminal.run(watch)).split() == ['orders']


def test_the_index_names_every_example() -> None:
    named = re.findall(r'\]\(([\w-]+)/README\.md\)', (EXAMPLES / 'README.md').read_text())
    assert sorted(named) == sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


async def test_one_slot_per_pod_is_one_over_all_data_planes(tmp_path: Path) -> None:
    apply, look, upgrade, patch = of('model-server')
    async with example(tmp_path) as (cluster, terminal):
        assert (await terminal.run(apply)).split() == ['model']
        host, servers = 'model.example.com', [pod.server for pod in cluster.pods.values()]
        await usable(cluster, host)
        one, two = (Load(plane.port, 5, host, pause=0.02) for plane in cluster.planes)
        async with one, two:
            await until(
                lambda: min(len(one.records), len(two.records)) > 20 and all(server.most for server in servers),
                within=60, what='both have served, and all were used',
            )  # fmt: skip
            assert 'examples.model.http/model-' in await terminal.run(look)
        assert [server.most for server in servers] == [1, 1, 1]
        assert one.failed() + two.failed() == [], 'who finds no place waits'
        assert cluster.status('model')['effectiveMaxConn'].startswith('1 total')
        await terminal.run(upgrade)
        (words,) = terminal.kubectl.helm
        assert (EXAMPLES.parents[1] / words[-1]).is_file()
        await terminal.run(patch)
        for server in servers:
            server.hold()  # on a busy machine a request is elsewhere for much longer than in its server: two would hardly meet
        async with Load(cluster.planes[0].port, 6, host), Load(cluster.planes[1].port, 6, host):
            await until(lambda: sorted(s.most for s in servers) == [1, 1, 2], within=60, what='one has two at a time')
            for server in servers:
                server.let_go()


async def test_weights_move_everything_from_blue_to_green(tmp_path: Path) -> None:
    blue, function, begin, half, green, delete = of('blue-green')
    async with example(tmp_path) as (cluster, terminal):
        host = 'shop.example.com'
        await terminal.run(blue)
        await usable(cluster, host)
        await terminal.run(function)
        async with Load(cluster.planes[1].port, 2, host, pause=0.005) as load:
            await terminal.run(begin)
            await cluster.programmed('shop', '4/4')
            counted = await shares(cluster, host, 100)
            assert 0 <= _share(counted, 'shop-green') <= 4, counted
            await terminal.run(half)
            counted = await shares(cluster, host, 40)
            assert 16 <= _share(counted, 'shop-green') <= 24, counted
            assert 'shop-blue' in await terminal.run(green)
            counted = await shares(cluster, host, 20)
            assert _share(counted, 'shop-green') == 20, counted
            await terminal.run('weigh blue 99\nweigh green 0')  # the way back
            assert _share(await shares(cluster, host, 20), 'shop-blue') == 20
            await terminal.run('weigh green 99\nweigh blue 0')
            await terminal.run(delete)
            assert _share(await shares(cluster, host, 20), 'shop-green') == 20
        assert load.failed() == []


async def test_a_node_is_empty_before_it_is_drained(tmp_path: Path) -> None:
    apply, node, dry, drain, after = of('node-drain')
    async with example(tmp_path) as (cluster, terminal):
        host = 'orders.example.com'
        await terminal.run(apply)
        await usable(cluster, host)
        await terminal.run(node)
        (name,) = cluster.cordoned
        there = {pod.name: pod for pod in cluster.pods.values() if pod.node == name}
        assert 0 < len(there) < len(cluster.pods)
        async with Load(cluster.planes[0].port, 3, host, pause=0.002) as load:
            planned = json.loads(await terminal.run(dry))
            assert {item['name'] for item in planned['items']} == there.keys()
            assert cluster.fake.all(SERVER_OVERRIDES) == [], 'it was only asked'
            for pod in there.values():
                pod.server.hold()
            await until(lambda: any(pod.server.inside() for pod in there.values()), within=60, what='one is busy')
            drained = asyncio.create_task(terminal.run(drain))
            await until(
                lambda: len(cluster.fake.all(SERVER_OVERRIDES)) == len(there), within=60, what='they are drained'
            )
            assert not drained.done(), 'something is in flight there'
            for pod in there.values():
                pod.server.let_go()
            await drained
            assert not there.keys() & cluster.pods.keys()
            assert all(pod.server.inside() == 0 for pod in there.values())
            assert len(cluster.pods) == 4, 'they are made anew elsewhere'
            assert cluster.fake.all(SERVER_OVERRIDES) == [], 'overrides went with their pods'
            await terminal.run(after)
        assert load.failed() == []
        assert not cluster.cordoned


async def test_maintenance_is_a_commit(tmp_path: Path) -> None:
    base, maintenance, back = of('gitops')
    async with example(tmp_path) as (cluster, terminal):
        assert (await terminal.run(base)).split() == ['licence', 'licence-11', 'licence-12']
        assert 'licence-11' in await terminal.run(maintenance)
        found = json.loads(await terminal.run('sluicectl servers examples.licence.http -o json'))
        assert {one['name']: one['adminState'] for one in found} == {
            '10.20.0.11-8080': 'drain',
            '10.20.0.12-8080': 'ready',
        }
        enable = 'sluicectl enable examples.licence.http/10.20.0.11-8080 2>&1 || true'
        assert 'examples/licence-11' in await terminal.run(enable), 'Git decides'
        await terminal.run(back)
        await cluster.programmed('licence', '2/2')


def _share(counted: Counter[str], colour: str) -> int:
    return sum(count for server, count in counted.items() if server.startswith(colour))
