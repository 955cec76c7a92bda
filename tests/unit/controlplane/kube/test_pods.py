"""Which data planes' pods are gone: seen and removed at once, never seen after a while, and nobody before the first list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from controlplane.kube.pods import UNSEEN_MS, Pods
from controlplane.kube.resources import PODS
from tests.kube.fakeserver import FakeApiServer

NAMESPACE = 'sluice'


class Watched:
    """Pods, their clock, and whether somebody was told."""

    def __init__(self, fake: FakeApiServer) -> None:
        self.now = 1_000
        self.pods = Pods(fake.api(), NAMESPACE, lambda: self.now)
        self._moved = asyncio.Event()
        self.pods.moved = self._moved.set

    async def moved(self) -> None:
        """Until a pod has gone."""
        await asyncio.wait_for(self._moved.wait(), 30)
        self._moved.clear()


@asynccontextmanager
async def watching(fake: FakeApiServer) -> AsyncIterator[Watched]:
    made = Watched(fake)
    running = asyncio.ensure_future(made.pods.informer.run())
    try:
        yield made
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def fake() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer() as running:
        yield running


def pod(fake: FakeApiServer, name: str, phase: str = 'Running', namespace: str = NAMESPACE) -> str:
    made = fake.put(PODS, namespace, {'metadata': {'name': name}, 'status': {'phase': phase}})
    return str(made['metadata']['uid'])


async def test_before_the_first_list_nobody_is_gone(fake: FakeApiServer) -> None:
    slow = fake.fault('hold', 'list', PODS)
    async with watching(fake) as it:
        await fake.until(lambda: bool(slow.used))
        assert it.pods.gone(['u1']) == set()
        it.now += 10 * UNSEEN_MS
        assert it.pods.gone(['u1']) == set()
        slow.gate.set()
        await it.pods.informer.wait_synced()
        assert it.pods.gone(['u1']) == set(), 'its absence counts from now'
        it.now += UNSEEN_MS
        assert it.pods.gone(['u1']) == {'u1'}


async def test_one_that_was_removed_or_has_ended_is_gone_at_once(fake: FakeApiServer) -> None:
    one, two, three = (pod(fake, name) for name in ('dp-1', 'dp-2', 'dp-3'))
    async with watching(fake) as it:
        await it.pods.informer.wait_synced()
        assert it.pods.gone([one, two, three, '']) == set()
        fake.remove(PODS, NAMESPACE, 'dp-1')
        await it.moved()
        assert it.pods.gone([one, two, three]) == {one}
        pod(fake, 'dp-2', 'Failed')
        await it.moved()
        assert it.pods.gone([one, two, three]) == {one, two}
        pod(fake, 'dp-3', 'Pending')
        later = pod(fake, 'dp-1')
        await fake.until(lambda: len(fake.all(PODS)) == 3)
        assert it.pods.gone([three, later, one]) == {one}, 'a later pod of that name is another one'


async def test_one_that_was_replaced_while_nobody_looked_is_gone(fake: FakeApiServer) -> None:
    before = pod(fake, 'dp-1')
    async with watching(fake) as it:
        await it.pods.informer.wait_synced()
        await fake.watching(PODS)
        await fake.stop()
        fake.remove(PODS, NAMESPACE, 'dp-1')
        after = pod(fake, 'dp-1')
        fake.compact()
        await fake.start()
        await it.moved()
        assert it.pods.gone([before, after]) == {before}


async def test_one_of_another_namespace_was_never_seen(fake: FakeApiServer) -> None:
    foreign = pod(fake, 'dp-1', namespace='elsewhere')
    async with watching(fake) as it:
        await it.pods.informer.wait_synced()
        assert it.pods.gone([foreign]) == set()
        it.now += UNSEEN_MS - 1
        assert it.pods.gone([foreign]) == set()
        it.now += 1
        assert it.pods.gone([foreign]) == {foreign}


async def test_absence_is_without_a_break(fake: FakeApiServer) -> None:
    async with watching(fake) as it:
        await it.pods.informer.wait_synced()
        it.pods.gone(['u1'])
        it.now += UNSEEN_MS // 2
        it.pods.gone([])  # it did not matter meanwhile
        it.now += UNSEEN_MS // 2
        assert it.pods.gone(['u1']) == set()


async def test_no_uid_is_no_pod(fake: FakeApiServer) -> None:
    async with watching(fake) as it:
        await it.pods.informer.wait_synced()
        it.pods.gone([''])
        it.now += 10 * UNSEEN_MS
        assert it.pods.gone(['']) == set()
