"""Which data planes' pods are gone: seen and removed at once, never seen when there is none of that name, nobody before the first list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from controlplane.kube.client import ApiError
from controlplane.kube.pods import Pods
from controlplane.kube.resources import PODS
from tests.kube.fakeserver import FakeApiServer

NAMESPACE = 'sluice'


class Watched:
    """Pods, and whether somebody was told."""

    def __init__(self, fake: FakeApiServer, *others: str) -> None:
        self.pods = Pods(fake.api(), NAMESPACE, others)
        self._moved = asyncio.Event()
        self.pods.moved = self._moved.set

    async def moved(self) -> None:
        """Until a pod has gone."""
        await asyncio.wait_for(self._moved.wait(), 30)
        self._moved.clear()

    def gone(self, *uids: str) -> set[str]:
        """Those that are known to be gone."""
        return {uid for uid in uids if self.pods.gone(uid)}


@asynccontextmanager
async def watching(fake: FakeApiServer, *others: str) -> AsyncIterator[Watched]:
    made = Watched(fake, *others)
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
        await it.pods.look({'u1': 'dp-1'})
        assert it.gone('u1') == set()
        slow.gate.set()
        await it.pods.informer.wait_synced()
        assert it.gone('u1') == set(), 'it was not asked for'
        await it.pods.look({'u1': 'dp-1'})
        assert it.gone('u1') == {'u1'}


async def test_one_that_was_removed_or_has_ended_is_gone_at_once(fake: FakeApiServer) -> None:
    one, two, three = (pod(fake, name) for name in ('dp-1', 'dp-2', 'dp-3'))
    async with watching(fake) as it:
        await it.pods.informer.wait_synced()
        assert it.gone(one, two, three, '') == set()
        fake.remove(PODS, NAMESPACE, 'dp-1')
        await it.moved()
        assert it.gone(one, two, three) == {one}
        pod(fake, 'dp-2', 'Failed')
        await it.moved()
        assert it.gone(one, two, three) == {one, two}
        pod(fake, 'dp-3', 'Pending')
        later = pod(fake, 'dp-1')
        await fake.until(lambda: len(fake.all(PODS)) == 3)
        assert it.gone(three, later, one) == {one}, 'a later pod of that name is another one'


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
        assert it.gone(before, after) == {before}


async def test_one_that_went_before_anybody_watched_is_gone_when_it_is_asked_for(fake: FakeApiServer) -> None:
    before = pod(fake, 'dp-1')
    fake.remove(PODS, NAMESPACE, 'dp-1')
    after = pod(fake, 'dp-1')
    ended = pod(fake, 'dp-2', 'Succeeded')
    async with watching(fake) as it:
        await it.pods.informer.wait_synced()
        await it.pods.look({before: 'dp-1', after: 'dp-1', ended: 'dp-2', 'never': 'dp-3', '': 'dp-4'})
        assert it.gone(before, after, ended, 'never', '') == {before, ended, 'never'}


async def test_one_that_the_watch_has_not_heard_of_yet_is_not_gone(fake: FakeApiServer) -> None:
    async with watching(fake) as it:
        await it.pods.informer.wait_synced()
        (watch,) = await fake.watching(PODS)
        watch.freeze()
        new = pod(fake, 'dp-1')
        await it.pods.look({new: 'dp-1'})
        assert it.gone(new) == set()


async def test_whoever_cannot_be_asked_for_is_not_gone(fake: FakeApiServer) -> None:
    async with watching(fake) as it:
        await it.pods.informer.wait_synced()
        fake.fail('list', PODS, status=403)
        with pytest.raises(ApiError):
            await it.pods.look({'u1': 'dp-1'})
        assert it.gone('u1') == set()


async def test_data_planes_of_another_namespace_are_asked_for_there(fake: FakeApiServer) -> None:
    foreign = pod(fake, 'dp-1', namespace='elsewhere')
    async with watching(fake, 'elsewhere') as it:
        await it.pods.informer.wait_synced()
        await it.pods.look({foreign: 'dp-1', 'other': 'dp-1'})
        assert it.gone(foreign, 'other') == {'other'}
