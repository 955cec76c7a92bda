"""What data planes tell of themselves, as it stands in the status of a policy and in the answers over REST."""

from __future__ import annotations

from controlplane.kube.resources import BACKEND_POLICIES, EVENTS
from tests.integration.harness.waiting import until
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.cluster import BACKEND, OFTEN, dialled, endpoint, put_service, put_slice, standing

WEB_1 = f'/v1/backends/{BACKEND}/servers/web-1'


async def test_what_was_set_on_a_data_planes_socket_is_in_the_policys_status_and_said_once() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1), endpoint(2))
        async with standing(fake, 'a', pacing=OFTEN) as one:
            plane = await dialled(one)

            def local() -> list[str]:
                return list(fake.get(BACKEND_POLICIES, 'shop', 'web').get('status', {}).get('localOverrides', []))

            await plane.status(BACKEND, 'web-1', 0, state='drain', weight='3')
            await fake.until(lambda: local() == ['dp1: web-1 state drain, weight 3'])
            await fake.until(lambda: any(event['reason'] == 'LocalOverride' for event in fake.all(EVENTS)))
            (event,) = [event for event in fake.all(EVENTS) if event['reason'] == 'LocalOverride']
            assert event['involvedObject']['name'] == 'web'
            assert 'data plane dp1, web-1 of shop.web.http was set to: state drain, weight 3' in event['message']
            server = (await one.client.get(WEB_1)).json()
            assert server['status']['localOverrides'] == {'dp1': {'state': 'drain', 'weight': '3'}}
            assert server['adminState'] == 'ready'  # what the control plane wants is not changed by it
            (item,) = (await one.client.get('/v1/dataplanes')).json()['items']
            told = {'backend': BACKEND, 'server': 'web-1', 'state': 'drain', 'weight': '3'}
            assert item['localOverrides'] == [told]
            await plane.status(BACKEND, 'web-1', 0)
            await fake.until(lambda: local() == [])
            assert (await one.client.get(WEB_1)).json()['status']['localOverrides'] == {}
            assert len([event for event in fake.all(EVENTS) if event['reason'] == 'LocalOverride']) == 1
            await plane.cut()


async def test_who_waits_for_any_server_of_a_backend_is_in_the_policys_status() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1), endpoint(2))
        async with standing(fake, 'a', pacing=OFTEN) as one:
            plane = await dialled(one)

            def queued() -> int:
                return int(fake.get(BACKEND_POLICIES, 'shop', 'web').get('status', {}).get('queued', -1))

            await plane.waiting(BACKEND, 7)
            await fake.until(lambda: queued() == 7)
            backend = (await one.client.get(f'/v1/backends/{BACKEND}')).json()
            assert backend['status'] == {'queued': 7, 'queuedOn': {'dp1': 7}}

            async def said_until_written() -> bool:
                await plane.waiting(BACKEND, 0)
                return queued() == 0

            await until(said_until_written, within=20, what='mere figures are written when their time has come')
            await plane.cut()
