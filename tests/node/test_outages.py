"""What is taken away on a node, and what goes on: the leader, all control planes, the API server."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.cluster.harness.running import Running
from tests.integration.harness.load import Record, ask
from tests.integration.harness.waiting import until
from tests.node.site import CONTROL, DATA, HOST, Site

LEASE_S = 60.0  # for a new leader: the lease's length, and some
OUTAGE_S = 60.0
LONG_MS = 25_000  # a request that is longer than a change of leader


async def test_a_leader_killed_in_the_middle_of_a_drain_is_followed_by_one_that_finishes_it(site: Site) -> None:
    first, second = await site.application(replicas=2)
    slow = [asyncio.create_task(long_request(site)) for _ in range(6)]
    await until(lambda: in_flight(site, first), within=20, what='a long request is there', every=0.3)
    async with site.load():
        path = f'/v1/backends/{site.backend}/servers/{first}?wait=drained&timeout=0s'
        asked = await site.rest('PATCH', path, {'adminState': 'drain'})
        assert asked.status_code == httpx.codes.ACCEPTED, asked.text
        operation = asked.headers['location']
        await site.only(second)
        leader = await site.leader()
        assert leader
        await site.kube.delete('pods', leader, site.release.namespace, gracePeriodSeconds=0)

        async def followed() -> bool:
            return await site.leader() not in {'', leader}

        await until(followed, within=LEASE_S, what='another one leads', every=0.5)
        assert await site.answering() == {second}
        assert {record.status for record in await asyncio.gather(*slow)} == {200}, 'what was under way was finished'
        await until(lambda: answers(site, operation, 'done'), within=60, what='the drain is done', every=0.5)


async def long_request(site: Site) -> Record:
    """One request of LONG_MS."""
    return await ask(80, f'/?ms={LONG_MS}', HOST, within=90, address=site.address)


async def in_flight(site: Site, server: str) -> bool:
    """Whether data planes say that something is in flight at a server."""
    found = await site.rest('GET', f'/v1/backends/{site.backend}/servers/{server}')
    return bool(found.json()['status']['inFlight'])


async def answers(site: Site, operation: str, state: str) -> bool:
    """Whether an operation has come so far. A control plane that is just being replaced is asked again."""
    try:
        found = await site.rest('GET', operation)
    except httpx.TransportError:
        return False
    return found.status_code == httpx.codes.OK and bool(found.json()['state'] == state)


async def test_an_api_server_away_for_a_minute_costs_clients_nothing(site: Site, cluster: Running) -> None:
    first, second = await site.application(replicas=2)
    async with site.load() as load, site.client() as client:
        path = f'/v1/backends/{site.backend}/servers/{first}?wait=drained&timeout=30s'
        await cluster.kill('kube-apiserver')
        try:
            refused = await client.patch(path, json={'adminState': 'drain'})
            assert refused.status_code in {502, 503, 504}, f'nobody can have kept that wish: {refused.text}'
            before = len(load.records)
            await asyncio.sleep(OUTAGE_S)  # the outage itself
            assert len(load.records) > before + 100
        finally:
            await cluster.start('kube-apiserver')

        async def drains() -> bool:
            try:
                answer = await client.patch(path, json={'adminState': 'drain'})
            except httpx.TransportError:
                return False
            return answer.status_code == httpx.codes.OK

        await until(drains, within=120, what='it drains again', every=1.0)
        assert await site.answering() == {second}
        assert (await site.wish(first, 'ready', 'acked')).status_code == httpx.codes.OK
        await site.only(first, second)


async def test_without_control_planes_servers_are_drained_on_the_sockets_and_new_data_planes_serve(
    site: Site, cluster: Running
) -> None:
    first, second = await site.application(replicas=2)
    own = site.release.namespace
    data_planes = await pods_of(site, 'dataplane')

    async def scale(replicas: int) -> None:
        (await cluster.kubectl('-n', own, 'scale', f'deployment/{CONTROL}', f'--replicas={replicas}')).must()

    async def say(words: str) -> None:
        for pod in await pods_of(site, 'dataplane'):
            (await cluster.kubectl('-n', own, 'exec', pod, '--', 'sluice-socket', *words.split())).must()

    await until(lambda: is_kept(site), within=60, what='what was pushed last is in the snapshot', every=0.5)
    async with site.load():
        await scale(0)
        await until(lambda: none_left(site), within=90, what='no control plane is there', every=0.5)
        # a new one, which has never met a control plane
        await site.kube.delete('pods', data_planes[0], own)
        (
            await cluster.kubectl('-n', own, 'rollout', 'status', f'deployment/{DATA}', '--timeout=120s', within=150)
        ).must()
        assert await site.answering() == {first, second}
        await say(f'set server {site.backend}/{first} state drain')
        await site.only(second)
        await scale(2)
        shown = {key: {'state': 'drain'} for key in await pods_of(site, 'dataplane')}

        async def is_shown() -> bool:
            return bool(await overrides(site, first) == shown)

        await until(is_shown, within=90, what='the control plane shows it', every=0.5)
        assert await site.answering() == {second}, 'it did not end by itself'

        async def is_in_status() -> bool:
            policy = await site.kube.get('backendpolicies', 'web', site.namespace)
            lines = policy['status'].get('localOverrides', [])
            return sorted(line.partition(':')[0] for line in lines) == sorted(shown)

        # the status is written, and the event sent, some time after the control plane knows
        await until(is_in_status, within=60, what="the policy's status shows it", every=0.5)
        await until(lambda: is_told(site), within=60, what='an event of the policy tells it', every=0.5)
        await say(f'set server {site.backend}/{first} state ready')
        await site.only(first, second)


async def pods_of(site: Site, component: str) -> list[str]:
    """The names of a component's pods that are not on their way out."""
    selector = f'app.kubernetes.io/component={component}'
    found = await site.kube.list('pods', site.release.namespace, labelSelector=selector)
    return [pod['metadata']['name'] for pod in found if 'deletionTimestamp' not in pod['metadata']]


async def none_left(site: Site) -> bool:
    """Whether no control plane's pod is there at all."""
    return await site.control_planes() == []


async def is_told(site: Site) -> bool:
    """Whether events tell of local overrides, and only of the policy's."""
    events = await site.kube.list('events', site.namespace, fieldSelector='reason=LocalOverride')
    return {event['involvedObject']['name'] for event in events} == {'web'}


async def is_kept(site: Site) -> bool:
    """Whether the snapshot is of the head."""
    head = (await site.rest('GET', '/v1/dataplanes')).json()['head']
    found = await site.kube.find('configmaps', f'{CONTROL}-snapshot', site.release.namespace)
    return found is not None and bool(found['data']['version'] == head)


async def overrides(site: Site, server: str) -> Any:
    """What was set on data planes' own sockets, as REST has it; None: it does not answer."""
    try:
        answer = await site.rest('GET', f'/v1/backends/{site.backend}/servers/{server}')
    except httpx.TransportError:
        return None
    return answer.json()['status']['localOverrides'] if answer.status_code == httpx.codes.OK else None
