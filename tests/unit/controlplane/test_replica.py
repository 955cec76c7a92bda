"""Replicas over a fake API server: what Kubernetes says is pushed, what people want is kept, and one leads at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from controlplane.forward import NOT_LEADER
from controlplane.kube.resources import (
    BACKEND_POLICIES,
    CONFIG_MAPS,
    ENDPOINT_SLICES,
    EVENTS,
    LEASES,
    PODS,
    SERVER_OVERRIDES,
)
from dataplane.wire.events import Event
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.cluster import (
    BACKEND,
    OFTEN,
    OWN,
    SHORT,
    dialled,
    endpoint,
    put_pod,
    put_service,
    put_slice,
    standing,
)
from tests.unit.controlplane.world import DataPlane, sent_away

WEB_1 = f'/v1/backends/{BACKEND}/servers/web-1'


def servers(plane: DataPlane) -> dict[str, Any]:
    found: dict[str, Any] = plane.state['backends'][BACKEND]['servers']
    return found


async def apply_until(plane: DataPlane, holds: Callable[[], bool]) -> None:
    """Apply and acknowledge what comes until something is so."""
    while not holds():
        await plane.apply()


async def test_what_kubernetes_says_is_pushed_and_a_drain_is_an_override() -> None:
    async with FakeApiServer() as fake:
        put_service(fake, hosts=['web.example.com'])
        put_slice(fake, endpoint(1), endpoint(2))
        async with standing(fake, 'a', pacing=OFTEN) as one:
            plane = await dialled(one)
            assert set(servers(plane)) == {'web-1', 'web-2'}
            assert plane.state['routes']['web.example.com']['backend'] == BACKEND
            answer = await one.client.patch(WEB_1, json={'adminState': 'drain'})
            assert (answer.status_code, answer.json()['adminState']) == (200, 'drain')
            await plane.apply()
            assert servers(plane)['web-1']['adminState'] == 'drain'
            (found,) = fake.all(SERVER_OVERRIDES)
            assert found['spec']['targetRef'] == {'kind': 'Pod', 'name': 'web-1', 'uid': 'uid-web-1'}
            assert (found['spec']['adminState'], found['spec']['setBy']) == ('Drain', 'local')
            metrics = (await one.client.get('/metrics')).text
            assert 'sluice_controlplane_informer_synced{resource="services"} 1' in metrics
            assert found['metadata']['ownerReferences'][0]['blockOwnerDeletion'] is False
            await plane.drained(BACKEND, 'web-1')
            await fake.until(lambda: condition(fake.all(SERVER_OVERRIDES)[0], 'Drained') == 'True')
            policy = fake.get(BACKEND_POLICIES, 'shop', 'web')
            assert policy['status']['dataPlanes']['summary'] == '1/1'
            assert (await one.client.patch(WEB_1, json={'adminState': 'ready'})).status_code == 200
            await plane.apply()
            assert servers(plane)['web-1']['adminState'] == 'ready'
            assert fake.all(SERVER_OVERRIDES) == []  # it said nothing any more
            await plane.cut()


def condition(found: dict[str, Any], kind: str) -> str:
    rows = found.get('status', {}).get('conditions', [])
    return next((str(row['status']) for row in rows if row['type'] == kind), '')


async def test_what_follows_from_services_is_not_set_by_rest() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1))
        async with standing(fake, 'a') as one:
            await one.until_leading()
            for method, path, body in (
                ('PUT', '/v1/backends/new', {}),
                ('PUT', WEB_1, {'address': '10.0.0.9', 'port': 1}),
                ('DELETE', WEB_1, None),
                ('PUT', '/v1/routes/r', {'backend': BACKEND}),
            ):
                answer = await one.client.request(method, path, json=body)
                assert (answer.status_code, answer.json()['type']) == (409, 'urn:sluice:problem:managed'), method
            missing = await one.client.patch(f'/v1/backends/{BACKEND}/servers/nobody', json={'weight': 1})
            assert missing.status_code == 404


async def test_a_wish_outlasts_the_state_of_the_endpoint() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1, ready=False), endpoint(2))
        async with standing(fake, 'a') as one:
            plane = await dialled(one)
            assert servers(plane)['web-1']['adminState'] == 'maint'
            answer = await one.client.patch(WEB_1, json={'adminState': 'maint', 'weight': 7})
            assert answer.status_code == 200, answer.text
            await apply_until(plane, lambda: servers(plane)['web-1']['weight'] == 7)
            put_slice(fake, endpoint(1), endpoint(2), endpoint(3))
            await apply_until(plane, lambda: 'web-3' in servers(plane))
            assert servers(plane)['web-1']['adminState'] == 'maint'
            await plane.cut()


async def test_a_wish_that_somebody_elses_object_forbids_is_refused_by_its_name() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1), endpoint(2))
        spec = {
            'targetRef': {'kind': 'Pod', 'name': 'web-1', 'uid': 'uid-web-1'}, 'serviceRef': {'name': 'web'},
            'adminState': 'Drain',
        }  # fmt: skip
        fake.put(SERVER_OVERRIDES, 'shop', {'metadata': {'name': 'by-hand'}, 'spec': spec})
        async with standing(fake, 'a') as one:
            plane = await dialled(one)
            assert servers(plane)['web-1']['adminState'] == 'drain'
            answer = await one.client.patch(WEB_1, json={'adminState': 'ready'})
            assert answer.status_code == 409
            assert 'shop/by-hand' in answer.json()['detail']
            fake.remove(SERVER_OVERRIDES, 'shop', 'by-hand')
            await apply_until(plane, lambda: servers(plane)['web-1']['adminState'] == 'ready')
            await plane.cut()


async def test_many_servers_at_once_are_one_version() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, *(endpoint(number) for number in range(40)))
        async with standing(fake, 'a') as one:
            plane = await dialled(one)
            body = {'selector': {'name': 'web-1*'}, 'set': {'adminState': 'drain'}}
            answer = await one.client.post('/v1/servers:bulk', json=body)
            assert answer.status_code == 200
            message = await plane.apply()
            assert isinstance(message, Event)
            drained = {name for name, spec in servers(plane).items() if spec['adminState'] == 'drain'}
            assert len(drained) == len(fake.all(SERVER_OVERRIDES)) == 11
            await plane.cut()


async def test_removing_most_servers_waits_for_a_list_that_says_so_again() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, *(endpoint(number) for number in range(8)))
        async with standing(fake, 'a', pacing=OFTEN) as one:
            plane = await dialled(one)
            slow = fake.fault('hold', 'list', ENDPOINT_SLICES)
            put_slice(fake, endpoint(1), endpoint(9))
            await fake.until(lambda: bool(slow.used))
            await apply_until(plane, lambda: 'web-9' in servers(plane))  # what is added is not held
            assert len(servers(plane)) == 9
            await fake.until(lambda: any(e['reason'] == 'MassRemovalHeld' for e in fake.all(EVENTS)))
            slow.gate.set()
            await apply_until(plane, lambda: set(servers(plane)) == {'web-1', 'web-9'})
            await plane.cut()


async def test_a_policy_that_goes_when_its_servers_have_gone_takes_nobody_down() -> None:
    """As when a namespace is deleted."""
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1), endpoint(2))
        async with standing(fake, 'a', pacing=OFTEN) as one:
            plane = await dialled(one)
            put_slice(fake)
            await apply_until(plane, lambda: not servers(plane))
            fake.remove(BACKEND_POLICIES, 'shop', 'web')
            await apply_until(plane, lambda: BACKEND not in plane.state['backends'])
            put_service(fake)
            put_slice(fake, endpoint(3))
            await apply_until(
                plane, lambda: set(plane.state['backends'].get(BACKEND, {}).get('servers', ())) == {'web-3'}
            )
            assert one.replica.leads
            await plane.cut()


async def test_a_follower_passes_on_waits_and_says_who_leads() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1), endpoint(2))
        async with standing(fake, 'a') as one:
            plane = await dialled(one)
            async with standing(fake, 'b') as other:
                await other.until(lambda: other.replica.leader == one.address)
                assert (await other.client.get('/readyz')).json() == {'status': 'following', 'leader': one.address}
                waiting = asyncio.ensure_future(
                    other.client.patch(WEB_1 + '?wait=acked&timeout=20s', json={'adminState': 'drain'})
                )
                await plane.apply()
                answer = await waiting
                assert (answer.status_code, answer.json()['state']) == (200, 'done')
                planes = (await other.client.get('/v1/dataplanes')).json()
                assert [item['id'] for item in planes['items']] == ['dp1']
                operation = await other.client.get(answer.headers['sluice-operation'])
                assert operation.json()['state'] == 'done'
                code, reason = await sent_away(other.address)
                assert (code, json.loads(reason)) == (NOT_LEADER, {'leader': one.address})
                await plane.cut()


async def test_when_a_leader_ends_in_order_the_next_one_goes_on_at_once_and_knows_its_operations() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1), endpoint(2))
        plane = DataPlane('dp1')
        async with standing(fake, 'b') as other:
            await other.until_leading()
            await plane.dial(other.address)
            await plane.apply()
            first = plane.term
            answer = await other.client.patch(WEB_1, json={'adminState': 'drain'})
            operation = answer.headers['sluice-operation']
            await plane.apply()
            async with standing(fake, 'a') as one:
                await one.until(lambda: one.replica.leader == other.address)
                await other.replica.leave()
                await one.until_leading()
                await plane.closed()
                await plane.dial(one.address)
                await plane.apply()
                assert plane.term > first
                assert servers(plane)['web-1']['adminState'] == 'drain'
                found = await one.client.get(operation)
                assert found.status_code == 200, found.text
                unknown = await one.client.get('/v1/operations/unknown')
                assert unknown.status_code == 404
                await plane.cut()


async def test_a_data_plane_whose_pod_is_gone_is_not_waited_for() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        served = endpoint(1)
        served['targetRef']['uid'] = put_pod(fake, 'web-1')  # else its override has no owner, and goes when dp1 does
        put_slice(fake, served, endpoint(2))
        uid = put_pod(fake, 'dp1', OWN)
        async with standing(fake, 'a') as one:
            plane = await dialled(one, pod='dp1', pod_uid=uid)
            await plane.cut()
            answer = await one.client.patch(WEB_1 + '?wait=acked&timeout=50ms', json={'adminState': 'drain'})
            assert (answer.status_code, answer.json()['unreachable']) == (202, ['dp1'])
            fake.remove(PODS, OWN, 'dp1')
            found = await one.client.get(answer.headers['location'] + '?wait=acked&timeout=20s')
            assert found.json()['state'] == 'done'
            assert (await one.client.get('/v1/dataplanes')).json()['items'] == []


async def test_a_data_plane_whose_pod_went_while_nobody_led_is_not_waited_for() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        served = endpoint(1)
        served['targetRef']['uid'] = put_pod(fake, 'web-1')
        put_slice(fake, served, endpoint(2))
        uid = put_pod(fake, 'dp1', OWN)
        async with standing(fake, 'a') as one:
            plane = await dialled(one, pod='dp1', pod_uid=uid)
            await plane.cut()
            answer = await one.client.patch(WEB_1 + '?wait=acked&timeout=0s', json={'adminState': 'drain'})
            assert answer.json()['unreachable'] == ['dp1']
        fake.remove(PODS, OWN, 'dp1')
        async with standing(fake, 'b') as other:
            await other.until_leading()
            found = await other.client.get(answer.headers['location'] + '?wait=acked&timeout=20s')
            assert found.json()['state'] == 'done'
            assert (await other.client.get('/v1/dataplanes')).json()['items'] == []


async def test_the_api_server_away_changes_nothing_for_who_is_connected() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1), endpoint(2))
        async with standing(fake, 'a', times=SHORT) as one:
            plane = await dialled(one)
            first = plane.term
            await fake.stop()
            answer = await one.client.patch(WEB_1, json={'adminState': 'drain'})
            assert answer.status_code in {503, 507}
            await plane.closed()  # the lease ran out
            assert not one.replica.leads
            listed = await one.client.get(f'/v1/backends/{BACKEND}/servers')
            assert [item['name'] for item in listed.json()['items']] == ['web-1', 'web-2']
            assert listed.headers['sluice-answered-by'] == 'follower'
            assert (await one.client.patch(WEB_1, json={'weight': 2})).status_code == 503
            await fake.start()
            await one.until_leading()
            await plane.dial(one.address)
            await plane.apply()
            assert plane.term > first
            assert servers(plane)['web-1']['adminState'] == 'ready'
            await plane.cut()


async def test_a_lease_deleted_by_hand_does_not_make_the_terms_fall() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1))
        async with standing(fake, 'a', times=SHORT) as one:
            plane = await dialled(one)
            first = plane.term
            fake.remove(LEASES, OWN, 'sluice-controlplane')
            await plane.closed()
            await one.until_leading()
            await plane.dial(one.address)
            await plane.apply()
            assert plane.term > first
            await plane.cut()
        for name in ('sluice-controlplane', 'sluice-controlplane-snapshot'):
            fake.remove(CONFIG_MAPS, OWN, name)
        fake.remove(LEASES, OWN, 'sluice-controlplane')
        async with standing(fake, 'b', times=SHORT) as other:  # nothing remembers the terms but the data plane
            await other.until_leading()
            before = (plane.term, plane.seq)
            await plane.dial(other.address, term_seen=40)
            await plane.apply()
            assert (plane.term, plane.seq) > before
            assert plane.term == 41
            await plane.cut()


async def test_nothing_is_answered_as_known_before_every_kind_was_listed() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        slow = fake.fault('hold', 'list', BACKEND_POLICIES)
        async with standing(fake, 'a') as one:
            await fake.until(lambda: bool(slow.used))
            answer = await one.client.get('/readyz')
            assert (answer.status_code, answer.json()['status']) == (503, 'syncing')
            assert (await one.client.get('/v1/backends')).status_code == 503
            assert (await one.client.get('/livez')).status_code == 200
            slow.gate.set()
            await one.until_leading()
            assert (await one.client.get('/readyz')).json()['status'] == 'ok'


@pytest.mark.parametrize('status', [429, 500])
async def test_a_storm_of_refusals_delays_and_loses_nothing(status: int) -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1), endpoint(2))
        async with standing(fake, 'a') as one:
            plane = await dialled(one)
            storm = fake.fail('*', SERVER_OVERRIDES, status=status, retry_after=1, times=None)
            answer = await one.client.patch(WEB_1, json={'adminState': 'drain'})
            assert answer.status_code == 507
            storm.remove()
            assert (await one.client.patch(WEB_1, json={'adminState': 'drain'})).status_code == 200
            await plane.apply()
            assert servers(plane)['web-1']['adminState'] == 'drain'
            await plane.cut()
