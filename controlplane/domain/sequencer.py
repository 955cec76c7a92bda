"""The one door through which the desired state changes, and the order in which it does.

What must hold:

1. A decision is taken, made durable and put in force inside one turn; nothing decided before a turn is trusted in it.
2. Nothing is visible to anybody before it is durable; a change that cannot be made durable does not happen.
3. A verb that changes nothing gets no number: it is the state it asks for, since the version at which that was set.

`turn` is a lock of the caller's event loop. `submit` must not be cancelled halfway (the caller shields it): between the
store's commit and the line after it the store is ahead of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from controlplane.domain import brake
from controlplane.domain.convergence import Convergence
from controlplane.domain.desired import Desired, Write
from controlplane.domain.log import Log
from controlplane.domain.operations import Goal, Operation, Target
from controlplane.domain.planes import Plane
from controlplane.domain.refusals import Held
from controlplane.domain.store import Loaded, Store, StoredObject, Transaction
from controlplane.domain.version import Version
from dataplane.wire import state as wire


@dataclass(frozen=True, slots=True)
class Decision:
    """What a verb comes to, given the desired state at its turn. `sweeping`: it sets whole sets, so the brake looks at it."""

    writes: tuple[Write, ...]
    targets: tuple[Target, ...]
    sweeping: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """Who wants what. `id` becomes the operation's; `urgent` is pushed at once instead of with the next batch."""

    id: str
    name: str
    actor: str
    goal: Goal = Goal.ACKED
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall` for people, `monotonic` for spans; both in milliseconds."""

    wall: Callable[[], int]
    monotonic: Callable[[], int]


class Heard(Protocol):
    """Somebody who is told of every change; called inside the turn, so it must only make a note."""

    def __call__(self, *, urgent: bool) -> None:
        """Take note that there is a new head."""
        ...


class Sequencer:
    """The desired state, its log and its store, changed one verb at a time."""

    def __init__(
        self,
        store: Store,
        loaded: Loaded,
        turn: AbstractAsyncContextManager[None],
        clock: Clock,
        *,
        removal_percent: int,
    ) -> None:
        self._store, self._turn, self.clock, self._percent = store, turn, clock, removal_percent
        self.desired = restored(loaded)
        self.log = Log(loaded.term, self.desired.state)
        self.convergence = Convergence(
            (Plane.from_record(name, record) for name, record in loaded.planes.items()),
            (Operation.from_record(record) for record in loaded.operations),
        )
        self.convergence.changed(self.desired)
        self._heard: set[Heard] = set()

    def subscribe(self, heard: Heard) -> Callable[[], None]:
        """Call `heard` after every change, until the function returned is called."""
        self._heard.add(heard)
        return lambda: self._heard.discard(heard)

    async def submit(self, verb: Verb, decide: Callable[[Desired], Decision]) -> Operation:
        """Decide, make durable, put in force. Any Refusal, of `decide` or of the state, leaves everything as it was."""
        async with self._turn:
            decision = decide(self.desired)
            writes = self.desired.effective(decision.writes)
            if decision.sweeping:
                self._brake(writes)
            version = self.log.head.following() if writes else self._since(decision.targets)
            operation = Operation(
                id=verb.id, verb=verb.name, actor=verb.actor, version=version, goal=verb.goal,
                targets=decision.targets, ts=self.clock.wall(),
            )  # fmt: skip
            await self._happen(operation, writes)
            if writes:
                self._tell(urgent=verb.urgent)
            return operation

    async def _happen(self, operation: Operation, writes: Sequence[Write]) -> None:
        if not writes:
            await self._store.commit(Transaction(operation=operation.record()))
        else:
            desired = self.desired.after(writes, operation.version)
            entry = self.log.entry(desired.state, ts=operation.ts, actor=operation.actor, verb=operation.verb)
            rows = tuple(self._stored(writes, desired))
            await self._store.commit(Transaction(objects=rows, operation=operation.record(), entry=entry))
            self.log.append(entry, desired.state)
            self.desired = desired
        self.convergence.begin(operation, self.desired)

    def _brake(self, writes: Sequence[Write]) -> None:
        for backend, (removed, total) in brake.judge(self.desired, writes, self._percent).held.items():
            raise Held(backend, removed, total)

    def _since(self, targets: Sequence[Target]) -> Version:
        """The version since which everything the verb asks for has been so."""
        known = (self.desired.versions.get(target.key) for target in targets)
        return max((version for version in known if version is not None), default=self.log.head)

    def _stored(self, writes: Sequence[Write], desired: Desired) -> Sequence[StoredObject]:
        rows = []
        for write in writes:
            keys = self.desired.within(write.key) if write.spec is None else [write.key]
            for key in keys:
                version = desired.versions.get(key, self.log.head)
                rows.append(StoredObject(key, desired.spec(key), desired.labels.get(key, {}), version))
        return rows

    def _tell(self, *, urgent: bool) -> None:
        for heard in tuple(self._heard):
            heard(urgent=urgent)

    async def remember(self, plane: Plane) -> None:
        """Make durable that a data plane is known, and what it refuses."""
        async with self._turn:
            await self._store.commit(Transaction(planes={plane.id: plane.record()}))

    async def forget(self, name: str) -> None:
        """Durably stop counting a data plane that says it carries no traffic. StoreUnavailable: it goes on counting."""
        async with self._turn:
            await self._forget(name)

    async def dismiss(self, name: str) -> None:
        """As `forget`, on somebody else's word. NotFound, Conflict: it is not known, or it is connected."""
        async with self._turn:
            self.convergence.may_forget(name)
            await self._forget(name)

    async def _forget(self, name: str) -> None:
        if name in self.convergence.planes:
            await self._store.commit(Transaction(planes={name: None}))
            self.convergence.forget(name, self.desired)

    async def outrank(self, seen: Version) -> None:
        """A data plane has seen `seen`: when that is beyond us, begin a higher term, or it would refuse us for ever."""
        async with self._turn:
            if seen > self.log.head:
                self.log.new_term(await self._store.raise_term(seen.term + 1))
                self._tell(urgent=True)


def restored(loaded: Loaded) -> Desired:
    """The desired state as it was kept. ValueError: what was kept is not a state."""
    objects = [row for row in loaded.objects if row.spec is not None]
    order = {'backend': 0, 'server': 1, 'route': 2}
    objects.sort(key=lambda row: order[row.key.kind])
    state = wire.fold(wire.empty(), [row.key.change(row.spec) for row in objects])
    return Desired(
        state,
        {row.key: dict(row.labels) for row in objects if row.labels},
        {row.key: row.version for row in objects},
    )
