"""A Service with 1,000 endpoints is rolled while slices come late, twice and out of order."""

from __future__ import annotations

import asyncio

from controlplane.kube.resources import ENDPOINT_SLICES
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.cluster import BACKEND, endpoint, put_service, put_slice, standing
from tests.unit.controlplane.world import DataPlane

SLICES, EACH = 10, 100


def put_numbered(fake: FakeApiServer, number: int, generation: str, **conditions: bool) -> None:
    """Slice NUMBER with its hundred endpoints, pods of one generation."""
    first, shift = number * EACH, 0 if generation == 'old' else SLICES * EACH
    ends = [
        endpoint(shift + one, f'{generation}-{one}', **conditions) for one in range(first, first + EACH)
    ]  # fmt: skip
    put_slice(fake, *ends, name=f'web-{generation}-{number}')


async def test_a_thousand_endpoints_are_rolled_in_few_batches_and_nobody_is_lost() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        for number in range(SLICES):
            put_numbered(fake, number, 'old')
        async with standing(fake, 'a') as one:
            await one.until_leading()
            plane = DataPlane('dp1')
            await plane.dial(one.address)
            await plane.apply()
            assert len(plane.state['backends'][BACKEND]['servers']) == SLICES * EACH
            (watch,) = await fake.watching(ENDPOINT_SLICES)
            fewest, batches = SLICES * EACH, 0
            rolling = asyncio.ensure_future(roll(fake))
            wanted = {f'new-{one}' for one in range(SLICES * EACH)}
            while set(plane.state['backends'][BACKEND]['servers']) != wanted:
                await plane.apply()
                batches += 1
                ready = [s for s in plane.state['backends'][BACKEND]['servers'].values() if s['adminState'] == 'ready']
                fewest = min(fewest, len(ready))
                watch.replay(2)  # twice, and late
            await rolling
            assert fewest >= SLICES * EACH - EACH
            assert batches <= 6 * SLICES
            await plane.cut()


async def roll(fake: FakeApiServer) -> None:
    """Slice by slice: new pods come, then the old ones of it go, first terminating and then away; some in disorder."""
    for number in range(SLICES):
        (watch,) = await fake.watching(ENDPOINT_SLICES)
        if number % 2:
            watch.swap()
        put_numbered(fake, number, 'new')
        put_numbered(fake, number, 'old', ready=False, serving=True, terminating=True)
        await asyncio.sleep(0)
        fake.remove(ENDPOINT_SLICES, 'shop', f'web-old-{number}')
