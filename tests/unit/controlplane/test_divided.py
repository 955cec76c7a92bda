"""Limits over all data planes on the real link: what each is told, what its answers are good for, and who gets a lease."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from controlplane.push import PushSettings
from tests.unit.controlplane.world import QUICK, ControlPlane, DataPlane, control_plane


async def limited(control: ControlPlane, limit: int = 2, servers: int = 1) -> None:
    """Backend app, divided, its servers with this limit."""
    await control.put_app(servers=servers)
    for number in range(1, servers + 1):
        answer = await control.client.patch(f'/v1/backends/app/servers/s{number}', json={'maxConn': limit})
        assert answer.status_code == 200
    answer = await control.client.patch('/v1/backends/app', json={'limitScope': 'divided'})
    assert answer.status_code == 200, answer.text


async def joined(control: ControlPlane, name: str, **hello: Any) -> DataPlane:
    plane = DataPlane(name)
    await plane.dial_with_shares(control.address, **hello)
    await plane.apply()
    return plane


async def until_share(plane: DataPlane, share: int) -> None:
    async with asyncio.timeout(30):
        while plane.share() != (share, False):
            await plane.apply()


async def test_a_newcomer_gets_what_others_have_given_up_and_finished(control: ControlPlane) -> None:
    await limited(control)
    one = await joined(control, 'one')
    await until_share(one, 2)
    two = await joined(control, 'two')
    assert two.share() == (0, True)
    await one.take()
    assert one.share() == (1, False)
    await one.status('app', 's1', 2)  # of the new version, but it is not acknowledged yet
    await one.ack()
    shown = (await control.client.get('/v1/backends/app/servers/s1')).json()['shares']
    assert shown['two'] == {'share': 0, 'held': 0, 'due': 1}
    await one.status('app', 's1', 1)
    await until_share(two, 1)
    shown = (await control.client.get('/v1/backends/app/servers/s1')).json()['shares']
    assert shown == {'one': {'share': 1, 'held': 1, 'due': 1}, 'two': {'share': 1, 'held': 1, 'due': 1}}
    (first, second) = (await control.client.get('/v1/dataplanes')).json()['items']
    assert (first['shares'], second['shares']) == ({'app': {'s1': 1}}, {'app': {'s1': 1}})
    assert first['onPartition'] == 'keep'


async def test_a_division_has_a_number_in_the_log(control: ControlPlane) -> None:
    await limited(control)
    before = control.plane.sequencer.log.head
    plane = await joined(control, 'one')
    await until_share(plane, 2)
    entries = control.plane.sequencer.log.head
    assert entries.seq > before.seq
    assert plane.seq == entries.seq


async def test_a_goodbye_gives_the_share_to_the_others(control: ControlPlane) -> None:
    await limited(control)
    one, two = await joined(control, 'one'), DataPlane('two')
    await until_share(one, 2)
    await two.dial_with_shares(control.address)
    await two.apply()
    await one.apply()
    await one.status('app', 's1', 0)
    await until_share(two, 1)
    await one.goodbye()
    await until_share(two, 2)


async def test_who_returns_with_what_it_had_is_sent_no_snapshot(control: ControlPlane) -> None:
    await limited(control, limit=3)
    plane = await joined(control, 'one')
    await until_share(plane, 3)
    await plane.cut()
    parcels = control.plane.hub.figures()['parcels']
    await plane.dial_with_shares(control.address, ('app', 's1', 'share', 3, 1))
    assert await plane.renewed(asked=5) is not None, 'it is where it should be'
    assert control.plane.hub.figures()['parcels'] == parcels


async def test_books_outlive_the_control_plane_by_what_data_planes_say(tmp_path: Path) -> None:
    store = f'sqlite:///{tmp_path}/c.db'
    one, two = DataPlane('one'), DataPlane('two')
    async with control_plane(store) as control:
        await limited(control, limit=2)
        for plane in (one, two):
            await plane.dial_with_shares(control.address)
            await plane.apply()
        await until_share(one, 1)
        await one.status('app', 's1', 0)
        await until_share(two, 1)
    async with control_plane(store) as control:
        await one.dial_with_shares(control.address, ('app', 's1', 'share', 1, 1))
        await one.apply()
        assert one.share() == (1, False), 'nobody gets more while somebody is not heard'
        shown = (await control.client.get('/v1/backends/app/servers/s1')).json()['shares']
        assert shown['two'] == {'share': 2, 'held': None, 'due': 0}
        assert (await control.client.delete('/v1/dataplanes/two')).status_code == 204
        await until_share(one, 2)


async def test_a_data_plane_that_does_not_know_shares_is_told_in_its_words(control: ControlPlane) -> None:
    await limited(control, limit=1, servers=2)
    plane = DataPlane('old')
    await plane.dial(control.address)
    async with asyncio.timeout(30):
        while True:
            await plane.apply()
            servers = plane.state['backends']['app']['servers']
            if all(spec['maxConn'] == 1 and spec['adminState'] == 'ready' for spec in servers.values()):
                break
    assert plane.share() is None


async def test_a_lease_is_for_who_has_acknowledged_what_it_was_told(control: ControlPlane) -> None:
    await limited(control)
    plane = DataPlane('one')
    await plane.dial_with_shares(control.address, on_partition='stop')
    await plane.take()
    assert await plane.renewed(asked=7, within=0.3) is None
    await plane.ack()
    lease = await plane.renewed(asked=8)
    assert lease is not None
    assert lease.lease_ms == QUICK.lease_ms


async def test_no_lease_rests_on_a_store_that_may_be_another_s(tmp_path: Path) -> None:
    settings = PushSettings(batch_s=0.02, ours_ms=-1)
    async with control_plane(f'sqlite:///{tmp_path}/c.db', settings) as control:
        await limited(control)
        plane = await joined(control, 'one', on_partition='stop')
        assert await plane.renewed(asked=7, within=0.5) is None


async def test_who_stops_is_forgotten_after_two_leases_even_over_a_restart(tmp_path: Path) -> None:
    settings, store = PushSettings(batch_s=0.02, lease_ms=200), f'sqlite:///{tmp_path}/c.db'
    one = DataPlane('one')
    async with control_plane(store, settings) as control:
        await limited(control)
        await one.dial_with_shares(control.address, on_partition='stop')
        await one.apply()
        await until_share(one, 2)
    async with control_plane(store, settings) as control:
        two = await joined(control, 'two', on_partition='stop')
        await until_share(two, 2)
        assert [plane['id'] for plane in (await control.client.get('/v1/dataplanes')).json()['items']] == ['two']
        # it comes back with what it had: without a lease it uses none of it
        await one.dial_with_shares(control.address, ('app', 's1', 'share', 2, 0), lapsed=True, on_partition='stop')
        await one.apply()
        assert one.share() == (0, True)


async def test_the_scope_of_a_backend_is_put_patched_and_kept(tmp_path: Path) -> None:
    store = f'sqlite:///{tmp_path}/c.db'
    async with control_plane(store) as control:
        client = control.client
        made = await client.put('/v1/backends/app', json={'limitScope': 'divided'})
        assert (made.status_code, made.json()['limitScope']) == (201, 'divided')
        assert (await client.patch('/v1/backends/app', json={'retries': 1})).json()['limitScope'] == 'divided'
        wrong = await client.patch('/v1/backends/app', json={'limitScope': 'leased'})
        assert wrong.status_code == 422
    async with control_plane(store) as control:
        shown = await control.client.get('/v1/backends/app')
        assert shown.json()['limitScope'] == 'divided'
        changed = await control.client.put('/v1/backends/app', json={})
        assert changed.json()['limitScope'] == 'perReplica', 'a PUT that does not speak of it says the default'
        assert changed.json()['version'] != shown.json()['version']
