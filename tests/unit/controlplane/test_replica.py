from __future__ import annotations

from controlplane.kube.resources import SERVER_OVERRIDES
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.cluster import BACKEND, endpoint, put_service, put_slice, standing
from tests.unit.controlplane.world import DataPlane


async def test_what_kubernetes_says_is_pushed_and_a_drain_is_an_override() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1), endpoint(2))
        async with standing(fake, 'a') as one:
            await one.until_leading()
            plane = DataPlane('dp1')
            await plane.dial(one.address)
            await plane.apply()
            assert set(plane.state['backends'][BACKEND]['servers']) == {'web-1', 'web-2'}
            answer = await one.client.patch(f'/v1/backends/{BACKEND}/servers/web-1', json={'adminState': 'drain'})
            assert answer.status_code == 200, answer.text
            assert answer.json()['adminState'] == 'drain'
            await plane.apply()
            assert plane.state['backends'][BACKEND]['servers']['web-1']['adminState'] == 'drain'
            (found,) = fake.all(SERVER_OVERRIDES)
            assert found['spec']['targetRef'] == {'kind': 'Pod', 'name': 'web-1', 'uid': 'uid-web-1'}
            assert (found['spec']['adminState'], found['spec']['setBy']) == ('Drain', 'local')
            metrics = (await one.client.get('/metrics')).text
            assert 'sluice_controlplane_informer_synced{resource="services"} 1' in metrics
            await plane.cut()
