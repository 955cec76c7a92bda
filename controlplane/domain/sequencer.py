"""The one door through which the desired state changes, and the order in which it does.

What must hold:

1. A decision is taken, made durable and put in force inside one turn; nothing decided before a turn is trusted in it.
2. Nothing is visible to anybody before it is durable; a change that cannot be made durable does not happen.
3. A verb that changes nothing gets no number: it is the state it asks for, since the version at which that was set.
4. Verbs that wait for the same turn are decided in the order of their asking, each on what the one before it came to, and
   become durable together: a disk that flushes 100 times a second carries 1,000 changes a second all the same. Each is
   refused alone by what it asks for; by the store they are refused together.

`turn` is a lock and `promise` a future of the caller's event loop. `submit` must not be cancelled halfway (the caller shields
it): between the store's commit and the line after it the store is ahead of memory, and others may wait for this one's turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from controlplane.domain import brake
from controlplane.domain.convergence import Convergence
from controlplane.domain.desired import Desired, Key, Write
from controlplane.domain.division import Division
from controlplane.domain.log import Entry, Log
from controlplane.domain.operations import Goal, Operation, Target
from controlplane.domain.planes import Plane
from controlplane.domain.refusals import Fenced, Held, StoreUnavailable
from controlplane.domain.store import Loaded, Store, StoredObject, Transaction
from controlplane.domain.version import Version
from dataplane.wire import state as wire

TOGETHER = 256  # verbs in one turn: deciding them takes some 25 ms, for which the event loop stands


@dataclass(frozen=True, slots=True)
class Decision:
    """What a verb comes to, given the desired state at its turn. `sweeping`: it sets whole sets, so the brake looks at it.

    `derived`: it follows from what is kept elsewhere; nobody asked for it, so no operation is remembered. `wishes`: what was
    asked for, where the writes are only what comes of it.
    """

    writes: tuple[Write, ...]
    targets: tuple[Target, ...]
    sweeping: bool = False
    derived: bool = False
    wishes: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)


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


class Promise(Protocol):
    """An answer to come, awaited by one."""

    def __await__(self) -> Generator[Any, None, bool]:
        """Wait for the answer."""
        ...

    def done(self) -> bool:
        """Whether it was answered, or nobody waits any more."""
        ...

    def set_result(self, result: bool, /) -> None:
        """Answer."""
        ...


@dataclass(slots=True)
class Asked:
    """A verb that waits for a turn. `called` comes true for who is to take the next turn, false for who was served in one."""

    verb: Verb
    decide: Callable[[Desired], Decision]
    called: Promise
    outcome: Operation | Exception | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What one verb of a turn comes to: the state after it, and what is to become durable. `entry` None: nothing changed."""

    asked: Asked
    operation: Operation
    desired: Desired
    rows: tuple[StoredObject, ...]
    entry: Entry | None
    derived: bool = False
    wishes: Mapping[Key, Mapping[str, Any]] = field(default_factory=dict)

    def transaction(self) -> Transaction:
        """What is to become durable."""
        operation = None if self.derived else self.operation.record()
        return Transaction(self.rows, {}, operation, self.entry, derived=self.derived, wishes=self.wishes)


class Sequencer:
    """The desired state, its log and its store, changed one verb at a time. `together`: how many verbs may share a turn."""

    def __init__(
        self,
        store: Store,
        loaded: Loaded,
        turn: AbstractAsyncContextManager[None],
        promise: Callable[[], Promise],
        clock: Clock,
        *,
        removal_percent: int,
        together: int = TOGETHER,
    ) -> None:
        self._together = together
        self._store, self._turn, self._promise, self.clock = store, turn, promise, clock
        self._percent = removal_percent
        self.desired = restored(loaded)
        self.log = Log(loaded.term, self.desired.state)
        self.convergence = Convergence(
            (Plane.from_record(name, record) for name, record in loaded.planes.items()),
            (Operation.from_record(record) for record in loaded.operations),
        )
        self.convergence.changed(self.desired)
        self.division = Division(self.desired, self.log.head, self.convergence.planes.values())
        self.ours_ms = clock.monotonic()  # at that moment the store was certainly ours
        self.began_empty, self.holding_back = not loaded.objects, loaded.holding_back
        self._heard: set[Heard] = set()
        self._asked: deque[Asked] = deque()
        self._is_called = False
        self.fenced: str | None = None  # why this control plane is over, in words

    def subscribe(self, heard: Heard) -> Callable[[], None]:
        """Call `heard` after every change, until the function returned is called."""
        self._heard.add(heard)
        return lambda: self._heard.discard(heard)

    async def submit(self, verb: Verb, decide: Callable[[Desired], Decision]) -> Operation:
        """Decide, make durable, put in force. Any Refusal, of `decide` or of the state, leaves everything as it was."""
        asked = Asked(verb, decide, self._promise())
        self._asked.append(asked)
        if not self._is_called:
            self._call()
        if await asked.called:
            await self._take_turn()
        if isinstance(asked.outcome, Operation):
            return asked.outcome
        assert asked.outcome is not None
        raise asked.outcome

    def _call(self) -> None:
        """Let the first who waits take the next turn, for all who wait by then."""
        while self._asked and self._asked[0].called.done():
            self._asked.popleft()  # it was given up
        self._is_called = bool(self._asked)
        if self._asked:
            self._asked[0].called.set_result(True)

    async def _take_turn(self) -> None:
        try:
            async with self._turn:
                served = [self._asked.popleft() for _ in range(min(self._together, len(self._asked)))]
                await self._serve(served)
        finally:
            self._call()
        for asked in served:
            if not asked.called.done():
                asked.called.set_result(False)

    async def _serve(self, served: Sequence[Asked]) -> None:
        steps: list[Step] = []
        desired, version = self.desired, self.log.head
        for asked in served:
            try:
                step = self._decide(asked, desired, version)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised to who asked
                asked.outcome = error
                continue
            steps.append(step)
            if step.entry is not None:
                desired, version = step.desired, step.entry.version
        try:
            if steps:
                await self._commit(*(step.transaction() for step in steps))
        except StoreUnavailable as error:
            for step in steps:
                step.asked.outcome = type(error)(str(error))
            return
        for step in steps:
            self._happen(step)
        urgent = [step.asked.verb.urgent for step in steps if step.entry is not None]
        if urgent:
            self._tell(urgent=any(urgent))

    async def _commit(self, *transactions: Transaction) -> None:
        asked = self.clock.monotonic()
        try:
            await self._store.commit(*transactions)
            self.ours_ms = max(self.ours_ms, asked)
        except Fenced as error:
            self.fenced = str(error)
            raise

    async def check(self) -> None:
        """Find out whether the store is still ours (`fenced`), and can be written. StoreUnavailable: not now."""
        async with self._turn:
            await self._commit()

    def _decide(self, asked: Asked, before: Desired, version: Version) -> Step:
        """What the verb comes to at `before`, whose version is `version`."""
        verb, decision = asked.verb, asked.decide(before)
        writes, state = before.judged(decision.writes)
        if decision.sweeping:
            self._brake(before, writes)
        ts, following = self.clock.wall(), version.following()
        at = following if writes else _since(before, decision.targets, version)
        operation = Operation(
            id=verb.id, verb=verb.name, actor=verb.actor, version=at, goal=verb.goal, targets=decision.targets, ts=ts
        )
        derived, wishes = decision.derived, decision.wishes
        if not writes:
            return Step(asked, operation, before, (), None, derived, wishes)
        after = before.after(writes, following, state)
        entry = _entry(before, after, writes, operation)
        return Step(asked, operation, after, tuple(_stored(before, after, writes, version)), entry, derived, wishes)

    def _happen(self, step: Step) -> None:
        written = [row.key for row in step.rows]
        if step.entry is not None:
            before, self.desired = self.desired, step.desired
            self.log.append(step.entry, step.desired.state)
            self.division.happened(before, self.desired, written, step.entry.version)
        if step.derived:
            self.convergence.rewritten(self.desired, written)
        else:
            self.convergence.begin(step.operation, self.desired, written)
        step.asked.outcome = step.operation

    def _brake(self, desired: Desired, writes: Sequence[Write]) -> None:
        for backend, (removed, total) in brake.judge(desired, writes, self._percent).held.items():
            raise Held(backend, removed, total)

    def _tell(self, *, urgent: bool) -> None:
        for heard in tuple(self._heard):
            heard(urgent=urgent)

    async def divide(self) -> None:
        """Give shares anew, at a version of their own, if anything about them has changed. StoreUnavailable: not now."""
        async with self._turn:
            if not self.division.is_due():
                return
            version = self.log.head.following()
            entry = Entry(version, self.clock.wall(), 'shares', 'divide', (), ())
            await self._commit(Transaction(entry=entry))
            self.log.append(entry, self.desired.state)
            self.division.assign(version)
        self._tell(urgent=True)

    async def remember(self, plane: Plane) -> None:
        """Make durable that a data plane is known, whether it stops on a partition, and what it refuses."""
        async with self._turn:
            await self._commit(Transaction(planes={plane.id: plane.record()}))

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
            await self._commit(Transaction(planes={name: None}))
            self.convergence.forget(name, self.desired)
            self.division.left(name)

    async def hold_back(self) -> None:
        """From now on nothing is pushed to who holds what this store knows nothing of. StoreUnavailable: until a restart only."""
        if not self.holding_back:
            self.holding_back = True
            async with self._turn:
                await self._commit(Transaction(holding_back=True))

    async def release(self) -> list[str]:
        """Somebody says that what is desired is meant, whatever it removes. Returns who was held back."""
        async with self._turn:
            await self._commit(Transaction(holding_back=False))
            self.holding_back = False
            held = [plane for plane in self.convergence.planes.values() if plane.held_back]
            for plane in held:
                plane.held_back = False
                if plane.connected and plane.durable:
                    self.division.reachable(plane.id)
        self._tell(urgent=True)
        return sorted(plane.id for plane in held)

    async def outrank(self, seen: Version) -> None:
        """A data plane has seen `seen`: when that is beyond us, begin a higher term, or it would refuse us for ever."""
        async with self._turn:
            if seen > self.log.head:
                try:
                    self.log.new_term(await self._store.raise_term(seen.term + 1))
                except Fenced as error:
                    self.fenced = str(error)
                    raise
                self._tell(urgent=True)


def _since(desired: Desired, targets: Sequence[Target], head: Version) -> Version:
    """The version since which everything the verb asks for has been so."""
    known = (desired.versions.get(target.key) for target in targets)
    return max((version for version in known if version is not None), default=head)


def _entry(before: Desired, after: Desired, writes: Sequence[Write], operation: Operation) -> Entry:
    version, ts, actor, verb = operation.version, operation.ts, operation.actor, operation.verb
    moves = before.moves(writes)
    if moves is None:
        return Entry.between(version, before.state, after.state, ts=ts, actor=actor, verb=verb)
    return Entry(version, ts, actor, verb, *moves)


def _stored(before: Desired, after: Desired, writes: Sequence[Write], head: Version) -> Sequence[StoredObject]:
    rows = []
    for write in writes:
        keys = before.within(write.key) if write.spec is None else [write.key]
        for key in keys:
            version = after.versions.get(key, head)
            rows.append(StoredObject(key, after.spec(key), after.labels.get(key, {}), version))
    return rows


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
