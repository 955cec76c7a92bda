"""G6: a wait is answered 200 only when every known data plane did it; otherwise the answer says who did not."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from controlplane.domain.version import Version
from tests.unit.controlplane.world import ControlPlane, DataPlane, Dial, control_plane


def ask(control: ControlPlane, server: str, query: str, **body: Any) -> asyncio.Task[httpx.Response]:
    return asyncio.ensure_future(control.client.patch(f'/v1/backends/app/servers/{server}{query}', json=body))


async def begun(control: ControlPlane, count: int) -> str:
    """The id of the newest operation, once there are `count`."""
    operations = control.plane.sequencer.convergence.operations
    await control.until(lambda: len(operations) >= count)
    return next(reversed(operations))


def parts(control: ControlPlane, operation: str) -> Mapping[str, Version]:
    """The data planes that have done their part of it."""
    convergence = control.plane.sequencer.convergence
    return convergence.parts(convergence.operation(operation))


async def test_g6_acked_waits_for_every_known_data_plane(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    one, two = await dial('dp1'), await dial('dp2')
    asked = ask(control, 's1', '?wait=acked', adminState='drain')
    await one.apply()
    await two.take()
    operation = await begun(control, 2)
    await control.until(lambda: 'dp1' in parts(control, operation))
    assert not asked.done()
    await two.ack()
    answer = await asked
    assert answer.status_code == 200
    body = answer.json()
    assert [(plane['id'], plane['state'], plane['pauseUs'], plane['workers']) for plane in body['dataplanes']] == [
        ('dp1', 'done', 12, [0, 1]),
        ('dp2', 'done', 12, [0, 1]),
    ]
    assert body['version'] == f'{two.term}.{two.seq}'


async def test_g6_drained_is_each_data_planes_own_statement_at_that_version(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    one, two = await dial('dp1'), await dial('dp2')
    await one.drained('app', 's1')  # at a version before the drain: says nothing about it
    asked = ask(control, 's1', '?wait=drained', adminState='drain')
    for plane in (one, two):
        await plane.apply()
        await plane.status('app', 's1', 0)  # figures are not a statement
    await two.status('app', 's1', 1)
    await one.drained('app', 's1')
    operation = await begun(control, 2)
    await control.until(lambda: 'dp1' in parts(control, operation))
    assert not asked.done()
    await two.drained('app', 's1')
    answer = await asked
    assert answer.status_code == 200
    (server,) = [s for s in (await control.client.get('/v1/servers')).json()['items'] if s['name'] == 's1']
    assert server['status']['drainedOn'] == ['dp1', 'dp2']
    assert server['status']['inFlight'] == 0, 'older figures contradict the statement'
    await two.status('app', 's1', 1)  # persistent sessions may come back
    await control.until(lambda: not control.plane.sequencer.convergence.planes['dp2'].statements)


async def test_g6_a_data_plane_that_is_cut_off_is_named_and_waited_for(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    one, two = await dial('dp1'), await dial('dp2')
    await two.cut()
    await control.until(lambda: not control.plane.sequencer.convergence.planes['dp2'].connected)
    asked = ask(control, 's1', '?wait=acked&timeout=50ms', adminState='drain')
    await one.apply()
    answer = await asked
    assert answer.status_code == 202
    body = answer.json()
    assert body['unreachable'] == ['dp2']
    assert answer.headers['location'] == f'/v1/operations/{body["id"]}'

    polled = asyncio.ensure_future(control.client.get(f'{answer.headers["location"]}?wait=acked'))
    await two.dial(control.address)
    await two.apply()
    assert (await polled).json()['state'] == 'done'


async def test_g6_a_goodbye_or_a_persons_word_ends_the_waiting(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    one, two, three = await dial('dp1'), await dial('dp2'), await dial('dp3')
    asked = ask(control, 's1', '?wait=acked', adminState='drain')
    await one.apply()
    await two.goodbye()
    assert (await control.client.delete('/v1/dataplanes/dp3')).status_code == 409
    await three.cut()
    await control.until(lambda: not control.plane.sequencer.convergence.planes['dp3'].connected)
    assert not asked.done()
    assert (await control.client.delete('/v1/dataplanes/dp3')).status_code == 204
    answer = await asked
    assert answer.status_code == 200
    assert [plane['id'] for plane in answer.json()['dataplanes']] == ['dp1']
    assert (await control.client.delete('/v1/dataplanes/dp3')).status_code == 404


async def test_g6_a_contrary_change_supersedes(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    plane = await dial()
    asked = ask(control, 's1', '?wait=drained', adminState='drain')
    await plane.apply()
    await control.client.patch('/v1/backends/app/servers/s1', json={'weight': 9})
    await control.client.patch('/v1/backends/app/servers/s1', json={'adminState': 'maint'})
    assert not asked.done()  # neither is contrary
    await control.client.patch('/v1/backends/app/servers/s1', json={'adminState': 'ready'})
    answer = await asked
    assert answer.status_code == 409
    assert answer.json()['type'] == 'urn:sluice:problem:superseded'
    assert answer.json()['operation']['state'] == 'superseded'


async def test_g6_a_verb_that_changes_nothing_is_true_since_it_was_set(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    plane = await dial()
    await control.client.patch('/v1/backends/app/servers/s1', json={'adminState': 'drain'})
    await plane.apply()
    await plane.drained('app', 's1')
    await control.client.patch('/v1/backends/app/servers/s2', json={'weight': 3})
    answer = await ask(control, 's1', '?wait=drained', adminState='drain')
    assert answer.status_code == 200
    assert answer.json()['version'] == '1.3'


async def test_g6_a_data_plane_that_lost_what_it_had_done_is_waited_for_again(
    control: ControlPlane, dial: Dial
) -> None:
    await control.put_app()
    one, two = await dial('dp1'), await dial('dp2')
    asked = ask(control, 's1', '?wait=acked', adminState='drain')
    await one.apply()
    operation = await begun(control, 2)
    await control.until(lambda: 'dp1' in parts(control, operation))
    await one.cut()
    fresh = DataPlane('dp1')
    await fresh.dial(control.address)
    await control.until(lambda: 'dp1' not in parts(control, operation))
    await two.apply()
    assert not asked.done()
    await fresh.apply()
    assert (await asked).status_code == 200
    await fresh.cut()


async def test_g6_a_data_plane_known_before_a_restart_is_known_after_it(store_path: str) -> None:
    plane = DataPlane('dp1')
    async with control_plane(store_path) as control:
        await control.put_app()
        await plane.dial(control.address)
        await plane.apply()
        answer = await ask(control, 's1', '?wait=acked&timeout=1ms', adminState='drain')
        assert answer.status_code == 202
    async with control_plane(store_path) as control:
        answer = await ask(control, 's1', '?wait=acked&timeout=1ms', adminState='maint')
        assert answer.json()['unreachable'] == ['dp1']
        old = (await control.client.get('/v1/operations')).json()['items'][1]
        assert old['state'] == 'pending'
        await plane.cut()


async def test_drained_is_only_for_servers_that_drain(control: ControlPlane) -> None:
    await control.put_app()
    answer = await ask(control, 's1', '?wait=drained', adminState='ready')
    assert answer.status_code == 422
    assert 'is in the state ready' in answer.json()['detail']
    answer = await control.client.put('/v1/routes/r1?wait=drained', json={'backend': 'app'})
    assert answer.status_code == 422
    for timeout in ('soon', '-1s', '1h', '601s'):
        assert (await ask(control, 's1', f'?wait=acked&timeout={timeout}', weight=1)).status_code == 422


async def test_a_removed_server_is_waited_for_until_it_is_gone(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    plane = await dial()
    asked = asyncio.ensure_future(control.client.delete('/v1/backends/app/servers/s1?wait=drained'))
    await plane.apply()
    assert not asked.done()
    await plane.drained('app', 's1', 'gone')
    assert (await asked).status_code == 200
