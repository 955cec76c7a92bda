"""Many changes and many data planes: what is merged, and what is encoded once. Counted, not timed."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from controlplane.api.verbs import one
from controlplane.domain.desired import Desired, Key
from controlplane.domain.operations import Progressed
from controlplane.domain.sequencer import Decision, Verb
from tests.unit.controlplane.world import ControlPlane, DataPlane, Dial


async def pushed(control: ControlPlane) -> dict[str, int]:
    """The link's counters, from the metrics page."""
    text = (await control.client.get('/metrics')).text
    found = re.findall(r'^sluice_controlplane_push_(\w+)_total ([0-9]+)$', text, re.MULTILINE)
    return {name: int(value) for name, value in found}


async def test_equal_ways_are_encoded_once(control: ControlPlane, dial: Dial) -> None:
    await control.put_app()
    planes = [await dial(f'dp{n}') for n in range(3)]
    before = await pushed(control)
    await control.client.patch('/v1/backends/app/servers/s1', json={'weight': 9})
    for plane in planes:
        await plane.apply()
    after = await pushed(control)
    assert {name: after[name] - before[name] for name in before} == {
        'batches': 1, 'encodings': 1, 'parcels': 3, 'frames': 3, 'acks': 3,
    }  # fmt: skip


async def test_a_flood_of_changes_is_merged_and_each_batch_is_encoded_once(control: ControlPlane, dial: Dial) -> None:
    await control.put_app(servers=50)
    planes = [await dial(f'dp{n}') for n in range(8)]
    before = await pushed(control)
    sequencer, changes = control.plane.sequencer, 400

    def flood(number: int) -> Any:
        key = Key('server', f's{number % 50 + 1}', 'app')

        def decide(desired: Desired) -> Decision:
            return one(key, {**desired.require(key), 'weight': number % 200 + 2})

        return sequencer.submit(Verb(f'flood-{number}', 'flood', 'test', urgent=number % 3 == 0), decide)

    async def follow(plane: DataPlane) -> None:
        while plane.seq < sequencer.log.head.seq or flooding.done() is False:
            await plane.apply()

    async def all_of_them() -> None:
        for first in range(0, changes, 20):
            await asyncio.gather(*(flood(first + n) for n in range(20)))

    flooding = asyncio.ensure_future(all_of_them())
    following = [asyncio.ensure_future(follow(plane)) for plane in planes]
    await flooding
    await control.until(lambda: all(p.acked == sequencer.log.head for p in sequencer.convergence.planes.values()))
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    for plane in planes:
        assert plane.state == sequencer.log.state
    after = await pushed(control)
    grown = {name: after[name] - before[name] for name in before}
    assert sequencer.log.head.seq >= changes
    assert grown['batches'] < changes / 4
    # a data plane gets at most one parcel per batch, and may have skipped some
    assert grown['frames'] == grown['parcels'] <= grown['batches'] * len(planes)
    # each batch is one way for who keeps up; who skipped batches may have a way of its own
    assert grown['encodings'] <= grown['parcels'] / 3
    assert all(operation.state is Progressed.DONE for operation in sequencer.convergence.operations.values())
