"""A kind's objects, held as the API server has them: list, watch, compare, tell. What client-go calls an informer.

Consumers do not work inside the listener: they put the key into a `controlplane.kube.queue.KeyQueue` and look at `store` when it is their
turn. Nothing in `store` is a claim that the API server could be asked just now: `trouble` says when it could not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from controlplane.kube.clock import Clock, LoopClock
from controlplane.kube.errors import Json
from controlplane.kube.holdings import Holdings, Key, Listener
from controlplane.kube.reflector import Asked, Reflector, Server, Tally, Timing
from controlplane.kube.resources import Resource
from controlplane.kube.retry import Trouble

T = TypeVar('T')


@dataclass(frozen=True, slots=True)
class Figures:
    """For metrics. Times in seconds since 1970; counters never run backwards. `troubles` by namespace ('': all)."""

    resource: str
    synced: bool
    objects: int
    relists: Mapping[str, int]  # by reason
    events: Mapping[str, int]  # by type
    failures: Mapping[str, int]  # by Ill
    watches: int
    malformed: int
    last_event: float | None
    troubles: Mapping[str, Trouble]


class Informer(Generic[T]):
    """`namespaces` empty: all. `compact` makes of a document what is kept (see Holdings: None is nothing; equal is unchanged).

    Nothing is asked of the server until `run`.
    """

    def __init__(
        self,
        api: Server,
        resource: Resource,
        namespaces: tuple[str, ...],
        compact: Callable[[Json], T | None],
        *,
        label_selector: str = '',
        field_selector: str = '',
        page: int = 100,
        clock: Clock | None = None,
        draws: random.Random | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.resource = resource
        self._clock = clock or LoopClock()
        self._timing = timing or Timing()
        self._holdings: Holdings[T] = Holdings(resource.label, compact)
        self._tally = Tally()
        asked = Asked(resource=resource, label_selector=label_selector, field_selector=field_selector, page=page)
        chances = draws or random.Random()
        self._reflectors = {
            namespace: Reflector(api, asked, namespace, self._holdings, self._tally, self._clock, chances, self._timing)
            for namespace in dict.fromkeys(namespaces or ('',))
        }

    @property
    def store(self) -> Mapping[Key, T]:
        """By (namespace, name); a live view that cannot be written."""
        return self._holdings.values

    @property
    def synced(self) -> bool:
        """Whether every namespace has been listed once. It stays true whatever happens later."""
        return all(reflector.synced.is_set() for reflector in self._reflectors.values())

    @property
    def troubles(self) -> Mapping[str, Trouble]:
        """Why nothing is heard, by namespace ('': all); empty when all is well."""
        found = {name: reflector.trouble for name, reflector in self._reflectors.items()}
        return {name: trouble for name, trouble in found.items() if trouble is not None}

    async def wait_synced(self) -> None:
        """Return when `synced`. There is no time limit but the caller's."""
        for reflector in self._reflectors.values():
            await reflector.synced.wait()

    def listen(self, listener: Listener[T]) -> None:
        """Call `listener(key, old, new)` for every difference (None: not there), in order; also while the first list is read.

        And now and then with old and new the same object, so that who missed something looks again. It is called by the
        reader: it must be quick, and must not raise.
        """
        self._holdings.listen(listener)

    async def relist(self, reason: str) -> None:
        """Ask the server for everything. Returns when that was taken over, in every namespace; the caller limits the time."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors.values():
                group.create_task(reflector.relist(reason))

    async def run(self) -> None:
        """Keep up until cancelled. Ends for nothing that the server or the network does."""
        async with asyncio.TaskGroup() as group:
            for reflector in self._reflectors.values():
                group.create_task(reflector.run())
            if self._timing.resync_s:
                group.create_task(self._resync())

    async def _resync(self) -> None:
        while True:
            await self._clock.sleep(self._timing.resync_s)
            self._holdings.replay()

    def figures(self) -> Figures:
        """What happened so far."""
        tally = self._tally
        return Figures(
            resource=self.resource.label,
            synced=self.synced,
            objects=len(self.store),
            relists=dict(tally.relists),
            events=dict(tally.events),
            failures=dict(tally.failures),
            watches=tally.watches,
            malformed=self._holdings.malformed,
            last_event=tally.last_event,
            troubles=self.troubles,
        )
