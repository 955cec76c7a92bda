"""What a replica's /metrics say of its standing, of what it writes to Kubernetes, and of backends in need."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from controlplane.kube.resources import BACKEND_POLICIES, EVENTS
from tests.integration.harness.waiting import until
from tests.kube.fakeserver import FakeApiServer
from tests.unit.controlplane.cluster import (
    BACKEND,
    OFTEN,
    Standing,
    dialled,
    endpoint,
    put_service,
    put_slice,
    standing,
)


async def figures(one: Standing) -> dict[str, float]:
    """By name, with the labels' values behind it."""
    text = (await one.client.get('/metrics')).text
    return {
        ' '.join([sample.name.removeprefix('sluice_controlplane_'), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def leaving(number: int) -> dict[str, Any]:
    """An endpoint that terminates and still answers."""
    return endpoint(number, ready=False, serving=True, terminating=True)


async def becomes(one: Standing, name: str, value: float) -> None:
    async def so() -> bool:
        return (await figures(one)).get(name) == value

    await until(so, within=30, what=f'{name} {value}', every=0.02)


async def test_one_leads_and_both_know_the_term() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1))
        async with standing(fake, 'a') as one:
            await one.until_leading()
            async with standing(fake, 'b') as two:
                await two.until(lambda: bool(two.replica.leader))
                leads, follows = await figures(one), await figures(two)
                assert (leads['leader'], leads['reigns_total']) == (1, 1)
                assert (follows['leader'], follows['reigns_total']) == (0, 0)
                assert leads['lease_term'] == follows['lease_term'] == leads['term'] > 0


async def test_what_is_written_is_counted_and_what_could_not_be_too() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1))
        refused = fake.fail('patch/status', BACKEND_POLICIES, status=500, times=1)
        async with standing(fake, 'a', pacing=OFTEN) as one:
            plane = await dialled(one)
            await fake.until(lambda: bool(refused.used))
            await becomes(one, 'status_failed_total backendpolicies', 1)
            await one.client.patch(f'/v1/backends/{BACKEND}/servers/web-1', json={'weight': 2})
            await fake.until(lambda: bool(fake.get(BACKEND_POLICIES, 'shop', 'web').get('status')))
            await becomes(one, 'snapshot_behind', 0)
            found = await figures(one)
            assert found['status_written_total backendpolicies'] >= 1
            assert found['snapshot_written_total'] >= 1
            assert found['snapshot_failed_total'] == 0
            await plane.cut()


async def test_terminating_servers_that_are_used_are_a_metric_and_an_event() -> None:
    async with FakeApiServer() as fake:
        put_service(fake)
        put_slice(fake, endpoint(1), endpoint(2))
        async with standing(fake, 'a', pacing=OFTEN) as one:
            await one.until_leading()
            assert (await figures(one))['panicking_backends'] == 0
            put_slice(fake, leaving(1), leaving(2))
            await becomes(one, f'backend_panic {BACKEND}', 1)
            assert (await figures(one))['panicking_backends'] == 1
            await fake.until(lambda: any(event['reason'] == 'TerminatingOnly' for event in fake.all(EVENTS)))
            await becomes(one, 'status_written_total events', 1)
            put_slice(fake, leaving(1), endpoint(3))
            await becomes(one, 'panicking_backends', 0)
            assert f'backend_panic {BACKEND}' not in await figures(one)
