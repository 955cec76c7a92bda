"""A running informer of the tests: what it told, and the clock it lives by, which is moved by hand."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from controlplane.kube.holdings import Key
from controlplane.kube.informer import Informer
from controlplane.kube.resources import SERVICES, Resource
from tests.kube.fakeclock import ManualClock
from tests.kube.fakefaults import FakeWatch
from tests.kube.fakeserver import FakeApiServer

Json = dict[str, Any]


def compact(document: Json) -> str:
    """The value the tests change; everything else of a document is noise."""
    return str(document['spec']['value'])


def thing(name: str, value: str = 'x', **meta: Any) -> Json:
    return {'metadata': {'name': name, **meta}, 'spec': {'value': value}}


class Run:
    """A running informer, what it told, and the clock it lives by."""

    def __init__(self, fake: FakeApiServer, resource: Resource, namespaces: tuple[str, ...], **more: Any) -> None:
        self.fake = fake
        self.clock = ManualClock()
        self.told: list[tuple[str, str | None, str | None]] = []
        limits = more.pop('limits', {'call_s': 5.0, 'list_s': 5.0})
        more = {'draws': random.Random(3), 'clock': self.clock, **more}
        self.informer = Informer(fake.api(**limits), resource, namespaces, compact, **more)
        self.informer.listen(self._tell)
        self.resource = resource
        self._news = asyncio.Event()

    def _tell(self, key: Key, old: str | None, new: str | None) -> None:
        self.told.append((key[1], old, new))
        self._news.set()

    async def until(self, true: Callable[[], Any]) -> None:
        """Asked again after everything the informer tells."""
        async with asyncio.timeout(30):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def held(self, **values: str) -> None:
        await self.until(lambda: {key[1]: value for key, value in self.informer.store.items()} == values)

    async def watch(self, resource: Resource | None = None) -> FakeWatch:
        (watch,) = await self.fake.watching(resource or self.resource)
        return watch

    async def next_watch(self, after: FakeWatch) -> FakeWatch:
        await self.fake.until(lambda: self.open(but=after))
        return self.open(but=after)[0]

    def open(self, but: FakeWatch) -> list[FakeWatch]:
        return [watch for watch in self.fake.open_watches(self.resource) if watch is not but]

    async def resting(self) -> None:
        """Wait until it rests after a failure."""
        await self.clock.waiting(2)  # the other is the resync's

    async def rested(self) -> float:
        """Wait until it rests, and let the pause pass. What it does next is under way then, not done."""
        await self.resting()
        pause = self.clock.pauses[-1]
        await self.clock.advance(pause)
        return pause

    def lists(self) -> int:
        return len(self.fake.seen('list', self.resource))


@asynccontextmanager
async def running(
    fake: FakeApiServer, resource: Resource = SERVICES, namespaces: tuple[str, ...] = (), **more: Any
) -> AsyncIterator[Run]:
    run = Run(fake, resource, namespaces, **more)
    task = asyncio.ensure_future(run.informer.run())
    try:
        yield run
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def synced(run: Run) -> None:
    async with asyncio.timeout(30):
        await run.informer.wait_synced()
