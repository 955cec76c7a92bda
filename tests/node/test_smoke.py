"""The least that must hold on a node: it installs, answers, drains and rolls over without losing a request."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest

from tests.cluster.harness.api import Kube
from tests.cluster.harness.chart import Release
from tests.cluster.harness.kinds import override
from tests.cluster.harness.planes import named
from tests.cluster.harness.running import Running
from tests.integration.harness.load import Load, ask
from tests.integration.harness.waiting import until
from tests.node.application import deploy, policy, ready_pods

pytestmark = pytest.mark.smoke
HOST = 'web.test'
NAME = 'edge-sluice'


async def front(kube: Kube, release: Release) -> str:
    """The address at which clients reach the data planes."""
    address: str = (await kube.get('services', f'{NAME}-dataplane', release.namespace))['spec']['clusterIP']
    return address


async def application(kube: Kube, release: Release, namespace: str, image: str, *, replicas: int) -> str:
    """An application behind Sluice, used through it by every one of its pods; returns the clients' address."""
    await deploy(kube, namespace, 'web', image, replicas=replicas)
    await kube.create('backendpolicies', policy('web', HOST), namespace)
    address = await front(kube, release)

    async def all_used() -> bool:
        pods = await ready_pods(kube, namespace, 'web')
        return len(pods) == replicas and await answering(address) == set(pods)

    await until(all_used, within=120, what=f'{replicas} pods answer', every=0.5)
    return address


async def answering(address: str, requests: int = 24) -> set[str]:
    """The servers that answered, and '503' and the like for what was not answered by one."""
    records = [await ask(80, f'/{number}', HOST, address=address) for number in range(requests)]
    return {record.server if record.status == httpx.codes.OK else str(record.status) for record in records}


async def rest(kube: Kube, release: Release, method: str, path: str, body: Any = None) -> httpx.Response:
    """REST through the Service, as somebody with the operator's role."""
    namespace = release.namespace
    if await kube.find('serviceaccounts', 'oncall', namespace) is None:
        account = {'apiVersion': 'v1', 'kind': 'ServiceAccount', 'metadata': {'name': 'oncall'}}
        await kube.create('serviceaccounts', account, namespace)
        done = await release.cluster.kubectl(
            'create', 'clusterrolebinding', 'oncall', f'--serviceaccount={namespace}:oncall', f'--clusterrole={NAME}-operator'
        )  # fmt: skip
        done.must()
    token = await kube.token('oncall', namespace, audience='sluice')
    service = await kube.get('services', f'{NAME}-controlplane', namespace)
    text = 'go-template={{index .data "ca.crt" | base64decode}}'
    done = await release.cluster.kubectl('get', 'secret', f'{NAME}-controlplane-tls', '-n', namespace, '-o', text)
    context = httpx.create_ssl_context(trust_env=False)
    context.load_verify_locations(cadata=done.must())
    name = f'{NAME}-controlplane.{namespace}.svc'
    async with httpx.AsyncClient(
        base_url=f'https://{service["spec"]["clusterIP"]}', verify=context, trust_env=False, timeout=60,
        headers={'Authorization': f'Bearer {token}', 'Host': name}, event_hooks={'request': [named(name)]},
    ) as client:  # fmt: skip
        return await client.request(method, path, json=body)


async def test_it_installs_and_its_own_tests_pass(cluster: Running, release: Release) -> None:
    assert (await release.status())['info']['status'] == 'deployed'
    (await release.helm('test', release.name, '--timeout', '120s')).must()


async def test_drains_by_rest_and_by_hand_lose_nothing(
    kube: Kube, cluster: Running, release: Release, namespace: str, image: str
) -> None:
    address = await application(kube, release, namespace, image, replicas=3)
    first, second, third = await ready_pods(kube, namespace, 'web')
    async with Load(80, 6, HOST, address=address, pause=0.01) as load:
        path = f'/v1/backends/{namespace}.web.http/servers/{first}?wait=drained&timeout=30s'
        answer = await rest(kube, release, 'PATCH', path, {'adminState': 'drain'})
        assert answer.status_code == httpx.codes.OK, answer.text
        assert await answering(address) == {second, third}
        document = override('by-hand', await kube.get('pods', second, namespace), adminState='Drain')
        (await cluster.kubectl('apply', '-n', namespace, '-f', '-', document=document)).must()

        async def alone() -> bool:
            return await answering(address) == {third}

        await until(alone, within=30, what=f'only {third} is used', every=0.2)
        (await cluster.kubectl('delete', 'so', '--all', '-n', namespace)).must()

        async def all_again() -> bool:
            return await answering(address) == {first, second, third}

        await until(all_again, within=30, what='all are used again', every=0.2)
    assert load.failed() == []


async def test_a_rolling_restart_of_the_application_loses_nothing(
    kube: Kube, cluster: Running, release: Release, namespace: str, image: str
) -> None:
    address = await application(kube, release, namespace, image, replicas=2)
    before = await ready_pods(kube, namespace, 'web')
    async with Load(80, 6, HOST, address=address, pause=0.01) as load:
        await restart(cluster, namespace, 'web')

        async def renewed() -> bool:
            pods = await ready_pods(kube, namespace, 'web')
            return len(pods) == 2 and not set(pods) & set(before) and await answering(address) == set(pods)

        await until(renewed, within=60, what='only new pods answer', every=0.3)
    assert load.failed() == [], Counter((record.status, record.error) for record in load.failed())


async def test_a_rolling_restart_of_sluice_loses_nothing(
    kube: Kube, cluster: Running, release: Release, namespace: str, image: str
) -> None:
    address = await application(kube, release, namespace, image, replicas=2)
    async with Load(80, 6, HOST, address=address, pause=0.01) as load:
        await restart(cluster, release.namespace, f'{NAME}-dataplane')
        await restart(cluster, release.namespace, f'{NAME}-controlplane')
        assert await answering(address) == set(await ready_pods(kube, namespace, 'web'))
    assert load.failed() == [], Counter((record.status, record.error) for record in load.failed())


async def restart(cluster: Running, namespace: str, deployment: str) -> None:
    """kubectl rollout restart, to its end."""
    where = ('-n', namespace, f'deployment/{deployment}')
    (await cluster.kubectl('rollout', 'restart', *where)).must()
    (await cluster.kubectl('rollout', 'status', *where, '--timeout=150s', within=180)).must()
