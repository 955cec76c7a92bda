"""A control plane whose store is somebody else's by now, or has forgotten what data planes hold."""

from __future__ import annotations

from pathlib import Path

from controlplane.push import GOING_AWAY
from tests.unit.controlplane.world import ControlPlane, DataPlane, control_plane


async def test_a_fenced_control_plane_is_not_ready_and_sends_data_planes_away(store_path: str) -> None:
    async with control_plane(store_path) as old:
        plane = DataPlane('dp1')
        await plane.dial(old.address)
        await plane.apply()
        assert (await old.client.get('/readyz')).status_code == 200
        async with control_plane(store_path):
            code, reason = await plane.closed()  # nobody asked the old one for anything
            assert (code, reason) == (GOING_AWAY, 'another control plane has taken over')
            answer = await old.client.get('/readyz')
            assert (answer.status_code, answer.json()['status']) == (503, 'fenced')
            assert 'has taken over with term 2' in answer.json()['detail']
            assert (await old.client.get('/healthz')).status_code == 200
            await plane.dial(old.address)
            assert (await plane.closed())[0] == GOING_AWAY
            assert (await old.client.put('/v1/backends/app', json={})).status_code == 507


async def test_a_store_that_was_lost_removes_nothing_until_somebody_confirms(tmp_path: Path) -> None:
    planes = [DataPlane('dp1'), DataPlane('dp2')]
    async with control_plane(f'sqlite:///{tmp_path}/first.db') as control:
        await control.put_app()
        for plane in planes:
            await plane.dial(control.address)
            await plane.apply()
    for plane in planes:
        await plane.closed()
    lost = f'sqlite:///{tmp_path}/second.db'
    async with control_plane(lost) as control:
        await planes[0].dial(control.address)
        await held_back(control, 'dp1')
        await planes[0].cut()
    async with control_plane(lost) as control:  # neither a restart nor a first change makes it forget
        assert (await control.client.get('/readyz')).json()['status'] == 'holding-back'
        await control.put_app(name='other')
        for plane in planes:  # dp2 is at a term that the first one has made them outrank
            await plane.dial(control.address)
            await held_back(control, plane.name)
        fresh = DataPlane('fresh')
        await fresh.dial(control.address)
        await fresh.apply()
        assert set(fresh.state['backends']) == {'other'}
        answer = await control.client.patch('/v1/backends/other/servers/s1?wait=acked&timeout=50ms', json={'weight': 3})
        assert (answer.status_code, answer.json()['pending']) == (202, ['dp1', 'dp2', 'fresh'])
        assert all(set(plane.state['backends']) == {'app'} for plane in planes)
        answer = await control.client.post('/v1/dataplanes:release')
        assert answer.json() == {'released': ['dp1', 'dp2']}
        for plane in planes:
            await plane.apply()
            assert set(plane.state['backends']) == {'other'}
        assert (await control.client.get('/readyz')).json()['status'] == 'ok'
        for plane in (*planes, fresh):
            await plane.cut()
    async with control_plane(lost) as control:
        assert (await control.client.get('/readyz')).json()['status'] == 'ok'


async def test_what_was_removed_on_purpose_is_removed_after_a_restart(store_path: str) -> None:
    plane = DataPlane('dp1')
    async with control_plane(store_path) as control:
        await control.put_app()
        await plane.dial(control.address)
        await plane.apply()
        await plane.cut()
        await control.client.delete('/v1/backends/app')
    async with control_plane(store_path) as control:
        await plane.dial(control.address)
        await plane.apply()
        assert plane.state['backends'] == {}
        await plane.cut()


async def held_back(control: ControlPlane, name: str) -> None:
    def is_held() -> bool:
        plane = control.plane.sequencer.convergence.planes.get(name)
        return plane is not None and plane.held_back

    await control.until(is_held)
    assert name in (await control.client.get('/readyz')).json()['heldBack']
    assert (await control.client.get(f'/v1/dataplanes/{name}')).json()['heldBack'] is True
