from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from controlplane.push import BAD_FRAME, FULL, GOING_AWAY, REPLACED, SILENT, PushSettings
from controlplane.stores.sqlite import SqliteStore
from dataplane.wire import codec
from dataplane.wire import state as wire
from dataplane.wire.events import GAP, Ack, Event, Goodbye, Snapshot
from tests.unit.controlplane.world import ControlPlane, DataPlane, Dial, control_plane


async def patch(control: ControlPlane, server: str, query: str = '', **body: Any) -> Any:
    return await control.client.patch(f'/v1/backends/app/servers/{server}{query}', json=body)


async def test_a_fresh_data_plane_gets_a_snapshot_then_events_without_gaps(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    plane = await dial()
    assert plane.state == control.plane.sequencer.log.state
    for weight in (5, 6, 7):
        await patch(control, 's1', weight=weight)
        event = await plane.apply()
        assert isinstance(event, Event)
        assert [change['spec']['weight'] for change in event.changes] == [weight]
        assert event.prev_seq == event.seq - 1


async def test_changes_while_one_is_outstanding_are_merged(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    plane = await dial()
    await patch(control, 's1', weight=5)
    await plane.take()
    for weight in (6, 7, 8):
        await patch(control, 's1', weight=weight)
    await plane.ack()
    event = await plane.apply()
    assert isinstance(event, Event)
    assert event.seq - event.prev_seq == 3
    assert [change['spec']['weight'] for change in event.changes] == [8]


async def test_what_is_not_urgent_is_batched(control: ControlPlane, dial: Dial) -> None:
    plane = await dial()
    answers = await asyncio.gather(
        *(control.client.put(f'/v1/routes/r{n}', json={'backend': 'app', 'pathPrefix': f'/{n}'}) for n in range(5))
    )
    assert {answer.status_code for answer in answers} == {201}
    frames = 0
    while len(plane.state['routes']) < 5:
        await plane.apply()
        frames += 1
    assert frames < 5


async def test_resume_in_the_ring_is_one_merged_event(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    plane = await dial()
    await plane.cut()
    for weight in range(10, 20):
        await patch(control, 's1', weight=weight)
    await patch(control, 's2', weight=1)  # which it has already: no number, no change
    await plane.dial(control.address)
    event = await plane.apply()
    assert isinstance(event, Event)
    assert event.seq - event.prev_seq == 10
    assert len(event.changes) == 1


async def test_a_state_that_is_not_what_it_should_be_is_replaced_by_a_snapshot(
    control: ControlPlane, dial: Dial
) -> None:
    await control.put_app()
    plane = await dial()
    await plane.cut()
    await patch(control, 's1', weight=9)
    plane.state = wire.fold(plane.state, [{'kind': 'server', 'backend': 'app', 'name': 's2', 'spec': None}])
    await plane.dial(control.address)
    assert isinstance(await plane.apply(), Snapshot)
    assert plane.state == control.plane.sequencer.log.state


async def test_a_restarted_control_plane_only_renumbers_an_equal_state(store_path: str) -> None:
    plane = DataPlane('dp1')
    async with control_plane(store_path) as control:
        await control.put_app()
        await plane.dial(control.address)
        await plane.apply()
        await patch(control, 's1', weight=9)
        await plane.apply()
    await plane.closed()
    before = plane.state
    async with control_plane(store_path) as control:
        await plane.dial(control.address)
        message = await plane.apply()
        assert isinstance(message, Snapshot)
        assert codec.same(message)
        assert (plane.term, plane.seq) == (2, 1)
        assert plane.state is before
        await plane.cut()


async def test_a_control_plane_that_lost_its_store_outranks_what_data_planes_have_seen(
    control: ControlPlane, dial: Dial
) -> None:
    plane = await dial(first=False, term_seen=41)
    assert isinstance(await plane.apply(), Snapshot)
    assert plane.term == 42
    behind = await dial('dp2', first=False, term=42, seq=7)
    await behind.apply()
    assert behind.term == 43
    await plane.apply()
    assert plane.term == 43


async def test_a_gap_is_cured_by_a_snapshot(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    plane = await dial()
    await patch(control, 's1', weight=9)
    event = await plane.next()
    assert isinstance(event, Event)
    await plane.refuse(event, GAP)
    assert isinstance(await plane.apply(), Snapshot)
    assert plane.state == control.plane.sequencer.log.state


async def test_an_ack_with_another_hash_counts_for_nothing(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    plane = await dial()
    asked = asyncio.ensure_future(patch(control, 's1', '?wait=acked&timeout=30s', weight=9))
    await plane.take()
    await plane.send(Ack(term=plane.term, seq=plane.seq, state_hash='ff'))
    plane.seq -= 1  # the snapshot that cures it has the same number
    assert isinstance(await plane.take(), Snapshot)
    assert not asked.done()
    await plane.ack()
    assert (await asked).status_code == 200


async def test_a_refusal_without_a_culprit_is_retried(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    plane = await dial()
    await patch(control, 's1', weight=9)
    for _ in range(3):
        event = await plane.next()
        assert isinstance(event, Event)
        await plane.refuse(event, 'BARRIER_TIMEOUT')
    await plane.apply()
    assert plane.state == control.plane.sequencer.log.state


async def test_a_change_larger_than_a_frame_is_sent_as_a_snapshot_in_several(control: ControlPlane, dial: Dial) -> None:
    plane = await dial()
    await plane.cut()
    long = 'x' * 100
    for part in range(4):
        servers = {f'{long}-{n}': {'address': 'x' * 255, 'port': 80} for n in range(2_400)}
        answer = await control.client.put(f'/v1/backends/b{part}', json={'servers': servers})
        assert answer.status_code == 201, answer.text
    await plane.dial(control.address)  # from a version in the ring: a merged event would do, were it not so large
    last = await plane.apply()
    assert isinstance(last, Snapshot)
    assert last.chunks > 1
    assert plane.state == control.plane.sequencer.log.state


@pytest.mark.parametrize(
    'frame,reason',
    [
        ('{', 'not JSON'),
        (b'\xff', 'not'),
        ('{"type":"lease","term":1,"lease_ms":1}', 'not expected here'),
        ('{"type":"goodbye","reason":"x"}', 'first frame must be a hello'),
        ('{"type":"hello"}', 'missing'),
    ],
)
async def test_a_bad_first_frame_is_answered_with_its_reason(
    control: ControlPlane, frame: str | bytes, reason: str
) -> None:
    plane = DataPlane('dp1')
    await plane.dial(control.address, proto=2)
    assert await plane.closed() == (BAD_FRAME, 'protocol 2 is not spoken here (1 is)')
    await plane.cut()
    async with connect(f'ws://{control.address}/v1/push') as socket:
        await socket.send(frame)
        plane.socket = socket
        code, words = await plane.closed()
    assert code == BAD_FRAME
    assert reason in words
    assert control.plane.sequencer.convergence.planes == {}


async def test_a_bad_frame_later_ends_the_link_and_changes_nothing(control: ControlPlane, dial: Dial) -> None:
    plane = await dial()
    assert plane.socket is not None
    await plane.socket.send(json.dumps({'type': 'ack', 'term': 1}))
    code, words = await plane.closed()
    assert code == BAD_FRAME
    assert words.startswith('ack.')
    assert control.plane.sequencer.convergence.planes['dp1'].acked == (1, 1)


async def test_an_oversized_frame_ends_the_link(control: ControlPlane, dial: Dial) -> None:
    plane = await dial()
    assert plane.socket is not None
    with contextlib.suppress(ConnectionClosed):  # it may be closed before all of it was sent
        await plane.socket.send('x' * (codec.MAX_FRAME + 1))
    code, _ = await plane.closed()
    assert code == 1009


async def test_a_version_that_does_not_exist_cannot_be_acked(control: ControlPlane, dial: Dial) -> None:
    plane = await dial()
    await plane.send(Ack(term=1, seq=99, state_hash=''))
    assert (await plane.closed())[0] == BAD_FRAME


async def test_the_newer_of_two_links_wins(control: ControlPlane, dial: Dial) -> None:
    old = await dial('dp1')
    new = DataPlane('dp1')
    await new.dial(control.address)
    assert (await old.closed())[0] == REPLACED
    await new.apply()
    assert control.plane.sequencer.convergence.planes['dp1'].connected
    await new.cut()


async def test_silence_and_a_missing_answer_end_the_link(store_path: str) -> None:
    quick = PushSettings(hello_s=0.2, silence_s=0.3, answer_s=60)
    async with control_plane(store_path, quick) as control:
        silent = DataPlane('dp1')
        await silent.dial(control.address)
        await silent.apply()
        assert await silent.closed() == (SILENT, 'silent for 0.3 s')
        await control.until(lambda: not control.plane.sequencer.convergence.planes['dp1'].connected)
        mute = DataPlane('dp2')
        mute.socket = await connect(f'ws://{control.address}/v1/push')
        assert await mute.closed() == (SILENT, 'no hello')
    async with control_plane(store_path, PushSettings(answer_s=0.2)) as control:
        debtor = DataPlane('dp1')
        await debtor.dial(control.address)
        await debtor.take()
        code, words = await debtor.closed()
        assert code == SILENT
        assert words.startswith('no answer to')


async def test_there_is_a_limit_of_known_data_planes(store_path: str) -> None:
    async with control_plane(store_path, PushSettings(max_planes=1)) as control:
        one, two = DataPlane('dp1'), DataPlane('dp2')
        await one.dial(control.address)
        await one.apply()
        await two.dial(control.address)
        assert (await two.closed())[0] == FULL
        await one.cut()


async def test_a_control_plane_that_ends_says_goodbye(store_path: str) -> None:
    plane = DataPlane('dp1')
    async with control_plane(store_path) as control:
        await plane.dial(control.address)
        await plane.apply()
    assert isinstance(await plane.next(), Goodbye)
    assert (await plane.closed())[0] == GOING_AWAY


async def test_a_data_plane_that_promised_to_stop_is_known_until_its_lease_has_ended(store_path: str) -> None:
    async with control_plane(store_path, PushSettings(lease_ms=50)) as control:
        for name, on_partition in (('stops', 'stop'), ('goes-on', 'continue')):
            plane = DataPlane(name)
            await plane.dial(control.address, on_partition=on_partition)
            await plane.apply()
            await plane.cut()
        await control.until(lambda: set(control.plane.sequencer.convergence.planes) == {'goes-on'})


async def test_a_link_that_comes_back_in_time_keeps_its_lease(control: ControlPlane, dial: Dial) -> None:
    plane = await dial('dp1', on_partition='stop')
    await plane.cut()
    convergence = control.plane.sequencer.convergence
    await control.until(lambda: convergence.planes['dp1'].lease_ends_ms is not None)
    await plane.dial(control.address)
    await control.until(lambda: convergence.planes['dp1'].lease_ends_ms is None)


async def test_a_full_store_refuses_verbs_but_no_data_plane(control: ControlPlane, dial: Dial) -> None:
    store = control.plane.sequencer._store
    assert isinstance(store, SqliteStore)
    await control.put_app()

    def leave_no_room() -> None:
        assert store._database is not None
        (pages,) = store._database.execute('PRAGMA page_count').fetchone()
        store._database.execute(f'PRAGMA max_page_count = {pages}')

    await store._run(leave_no_room)
    accepted = 1
    for weight in range(2, 200):
        answer = await patch(control, 's1', weight=weight)
        if answer.status_code != 200:
            break
        accepted = weight
    assert answer.status_code == 507
    assert answer.json()['type'] == 'urn:sluice:problem:store-unavailable'
    assert 'full' in answer.json()['detail']
    head = control.plane.sequencer.log.head
    plane = await dial()
    assert plane.state['backends']['app']['servers']['s1']['weight'] == accepted
    assert (plane.term, plane.seq) == head
