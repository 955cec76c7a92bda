"""Terms only rise, whatever becomes of the Lease and of who held it: each way to get that wrong, over a fake API server."""

from __future__ import annotations

from typing import Any

from controlplane.kube.bootstrap import KEY
from controlplane.kube.records import unpacked
from controlplane.kube.resources import CONFIG_MAPS, LEASES
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.cluster import OWN, SHORT, dialled, endpoint, put_service, put_slice, standing

NAME = 'sluice-controlplane'
SNAPSHOT = f'{NAME}-snapshot'


def lease(fake: FakeApiServer) -> dict[str, Any]:
    found: dict[str, Any] = fake.get(LEASES, OWN, NAME)['spec']
    return found


def kept(fake: FakeApiServer) -> int:
    """The term of the snapshot; 0: there is none."""
    there = {one['metadata']['name']: one for one in fake.all(CONFIG_MAPS, OWN)}
    return int(unpacked(there[SNAPSHOT]['binaryData'][KEY])['term']) if SNAPSHOT in there else 0


async def test_a_pod_whose_process_starts_again_is_another_holder_and_has_another_term() -> None:
    """The first one was killed: the Lease is as it left it. One that took itself for the holder would lead in its term."""
    async with FakeApiServer() as fake:
        async with standing(fake, 'a', times=SHORT) as one:
            await one.until_leading()
            left = fake.get(LEASES, OWN, NAME)
        fake.put(LEASES, OWN, left)
        async with standing(fake, 'a', times=SHORT) as one:
            await one.until_leading()
            now = lease(fake)
    assert now['holderIdentity'] != left['spec']['holderIdentity']
    assert now['leaseTransitions'] > left['spec']['leaseTransitions']


async def test_a_term_that_a_data_plane_has_seen_is_in_the_lease_before_anything_is_pushed_in_the_next() -> None:
    async with FakeApiServer() as fake:
        async with standing(fake, 'a', times=SHORT) as one:
            plane = await dialled(one, term_seen=40)
            assert (plane.term, lease(fake)['leaseTransitions']) == (41, 41)
            await plane.cut()


async def test_when_the_snapshot_alone_remembers_the_terms_they_go_on_above_it() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1))
        async with standing(fake, 'a', times=SHORT) as one:
            plane = await dialled(one, term_seen=40)
            await fake.until(lambda: kept(fake) == 41)
            await plane.cut()
        fake.remove(CONFIG_MAPS, OWN, NAME)
        fake.remove(LEASES, OWN, NAME)
        async with standing(fake, 'b', times=SHORT) as other:
            await other.until_leading()
            assert lease(fake)['leaseTransitions'] == 42
