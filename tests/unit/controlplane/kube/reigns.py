"""A reign without a cluster: a Source whose world is filled by hand, and a sequencer it passes on to; time is moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from controlplane.domain.desired import Key
from controlplane.domain.sequencer import Clock, Sequencer
from controlplane.kube.client import Api
from controlplane.kube.objects import Override
from controlplane.kube.source import Informers, Source
from controlplane.kube.world import Thing
from controlplane.stores.memory import MemoryStore

WALL = 1_767_225_600_000  # 2026-01-01T00:00:00Z


@dataclass
class Time:
    """`now` is monotonic, `wall` since 1970, both in milliseconds."""

    now: int = 1_000
    wall: int = WALL

    def pass_(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.wall += milliseconds


async def sequencer() -> Sequencer:
    """An empty one that keeps nothing."""
    promise = asyncio.get_running_loop().create_future
    clock = Clock(wall=lambda: 1, monotonic=lambda: 2)
    store = MemoryStore()
    return Sequencer(store, await store.open(), asyncio.Lock(), promise, clock, removal_percent=50)


@dataclass
class Reign:
    """`discarded`: overrides that it wanted deleted; deleting one waits for `stuck`, if there is one."""

    source: Source
    sequencer: Sequencer
    time: Time
    discarded: list[Override] = field(default_factory=list)
    stuck: asyncio.Event | None = None

    def put(self, *things: Thing) -> None:
        """So it is now, as an informer would have heard."""
        for thing in things:
            self.source._heard(thing.meta.key, None, thing)  # what an informer calls

    def remove(self, thing: Thing) -> None:
        """It is gone."""
        self.source._heard(thing.meta.key, thing, None)

    def generation(self, backend: str, server: str) -> int:
        """The session generation in force."""
        spec: Any = self.sequencer.desired.spec(Key('server', server, backend))
        return int(spec['sessionGeneration'])

    async def flushed(self, *, by_change: bool = True) -> None:
        """Until all that was heard, and all that is due by now, is in force; without a change, only because it is time."""
        flushes, told = self.source.flushes.number, asyncio.Event()
        stop = self.source.listen(told.set)
        if by_change:
            self.source._coalesce.note(self.time.now, urgent=True)
        self.time.pass_(200)  # between two flushes
        self.source._woken.set()
        try:
            async with asyncio.timeout(30):
                while self.source.flushes.number == flushes:
                    await told.wait()
        finally:
            stop()

    async def discard(self, override: Override) -> None:
        """What `lead` is given."""
        self.discarded.append(override)
        if self.stuck is not None:
            await self.stuck.wait()


@asynccontextmanager
async def reign(
    api: Api, *things: Thing, after: Reign | None = None, inherits: bool = False, **more: Any
) -> AsyncIterator[Reign]:
    """One that has begun with these objects, and leads until this is left. `after`: it is the same replica's next one, which
    begins at what was pushed last when it `inherits`.
    """
    if after is None:
        time = Time()
        source = Source(Informers.of(api, ()), removal_percent=50, now=lambda: time.now, wall=lambda: time.wall, **more)
        made = Reign(source, await sequencer(), time)
    else:
        made = Reign(after.source, after.sequencer if inherits else await sequencer(), after.time)
    made.put(*things)
    await made.source.begin(made.sequencer)
    leading = asyncio.ensure_future(made.source.lead(made.sequencer, made.discard))
    try:
        yield made
    finally:
        leading.cancel()
        with suppress(asyncio.CancelledError):
            await leading
