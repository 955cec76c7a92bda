"""Data planes that refuse a definition: what they are sent instead, and what may be said of them meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from dataplane.wire.events import INVALID, Event, Snapshot
from tests.unit.controlplane.world import ControlPlane, DataPlane, Dial, control_plane


async def patch(control: ControlPlane, server: str, query: str = '', **body: Any) -> Any:
    return await control.client.patch(f'/v1/backends/app/servers/{server}{query}', json=body)


async def test_a_nack_quarantines_one_backend_and_the_rest_flows(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    await control.put_app(name='other')
    plane = await dial()
    asked = asyncio.ensure_future(patch(control, 's1', '?wait=acked&timeout=30s', weight=9))
    event = await plane.next()
    assert isinstance(event, Event)
    await plane.refuse(event, INVALID, 'app')
    renumbering = await plane.apply()  # the same number, without that backend
    assert isinstance(renumbering, Snapshot)
    assert renumbering.chunks == 0
    answer = await asked
    assert answer.status_code == 202
    assert answer.json()['state'] == 'refused'
    assert answer.json()['refused'] == ['dp1']
    assert answer.json()['dataplanes'] == [{'id': 'dp1', 'state': 'refused', 'code': 'INVALID', 'detail': 'because'}]
    (shown,) = (await control.client.get('/v1/dataplanes')).json()['items']
    assert shown['quarantined'] == ['app']

    await control.client.patch('/v1/backends/other/servers/s1', json={'weight': 7})
    await plane.apply()
    assert plane.state['backends']['other']['servers']['s1']['weight'] == 7
    assert plane.state['backends']['app']['servers']['s1']['weight'] == 1

    await patch(control, 's1', weight=3)  # another definition: it is tried again
    await plane.apply()
    assert plane.state == control.plane.sequencer.log.state


async def test_who_is_to_try_a_refused_definition_anew_has_not_done_it_before_it_says_so(
    control: ControlPlane, dial: Dial
) -> None:
    """A change beside it ends the refusal, for the definition is another one; the data plane still has the one it kept."""
    await control.put_app()
    plane = await dial()
    asked = asyncio.ensure_future(patch(control, 's1', '?wait=acked&timeout=30s', adminState='drain'))
    event = await plane.next()
    assert isinstance(event, Event)
    await plane.refuse(event, INVALID, 'app')
    await plane.apply()
    operation = f'/v1/operations/{(await asked).json()["id"]}'
    await patch(control, 's2', weight=3)
    await plane.take()
    assert (await control.client.get(operation)).json()['state'] == 'pending'
    again = (await patch(control, 's1', '?wait=acked&timeout=0s', adminState='drain')).json()
    assert again['state'] == 'pending', 'asked for once more, without a change'
    await plane.ack()
    await control.until(lambda: not control.plane.sequencer.convergence.operation(again['id']).open)
    assert (await control.client.get(operation)).json()['state'] == 'done'


async def test_an_ack_on_its_way_while_a_refused_definition_changes_is_still_of_what_was_kept(
    control: ControlPlane, dial: Dial
) -> None:
    await control.put_app()
    plane = await dial()
    asked = asyncio.ensure_future(patch(control, 's1', '?wait=acked&timeout=30s', adminState='drain'))
    event = await plane.next()
    assert isinstance(event, Event)
    await plane.refuse(event, INVALID, 'app')
    operation = f'/v1/operations/{(await asked).json()["id"]}'
    await plane.take()
    await patch(control, 's2', weight=3)
    await plane.ack()
    await plane.take()
    assert (await control.client.get(operation)).json()['state'] == 'pending'


async def test_who_comes_back_with_a_kept_definition_has_not_done_what_it_refused(
    control: ControlPlane, dial: Dial
) -> None:
    await control.put_app()
    plane = await dial()
    asked = asyncio.ensure_future(patch(control, 's1', '?wait=acked&timeout=30s', adminState='drain'))
    event = await plane.next()
    assert isinstance(event, Event)
    await plane.refuse(event, INVALID, 'app')
    await plane.apply()
    operation = f'/v1/operations/{(await asked).json()["id"]}'
    await plane.cut()
    await patch(control, 's2', weight=3)
    await plane.dial(control.address)
    await plane.take()
    assert (await control.client.get(operation)).json()['state'] == 'pending'
    await plane.ack()
    await plane.status('app', 's1', 0)
    await control.until(
        lambda: control.plane.sequencer.convergence.operations[asked.result().json()['id']].state == 'done'
    )


async def test_a_quarantine_outlives_the_control_plane(store_path: str) -> None:
    plane = DataPlane('dp1')
    async with control_plane(store_path) as control:
        await control.put_app()
        await plane.dial(control.address)
        await plane.apply()
        await patch(control, 's1', weight=9)
        event = await plane.next()
        assert isinstance(event, Event)
        await plane.refuse(event, INVALID, 'app')
        await plane.apply()
    await plane.closed()
    async with control_plane(store_path) as control:
        await plane.dial(control.address)
        await plane.apply()
        assert plane.state['backends']['app']['servers']['s1']['weight'] == 1
        await plane.cut()
