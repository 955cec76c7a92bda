"""The one door: every change of the shared world, from whoever it comes, becomes a revision here (design: the barrier).

    submit -> [prepare] -> commit -> effects -> applied

What must hold:

1. Revisions are committed one after the other, each inside one hold; what is ready in the same turn of the loop is one
   revision. A submission that is refused changes nothing, whatever came together with it.
2. Structural changes are prepared by every worker before they are committed, one at a time; cell changes overtake them.
   A worker that cannot prepare, or has not within `PREPARE_PATIENCE`, refuses the change for all; nobody is killed for it.
3. A revision is applied when every member of the barrier has acknowledged it or left. Who left first is named.
4. A member joins with the tables in force and the revision committed at that moment; everything later reaches it in order.
   It joins between structural changes, never during one, so that no commit finds a member without the tables.

A proposal without a difference that workers can see skips the preparation, but keeps its place among the structural ones:
it was made against the configuration that the one before it leaves.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from dataplane.core.changes import CellChange, Change, StructuralChange
from dataplane.core.commit import Commit
from dataplane.core.ledger import Ledger, Proposal, Refused
from dataplane.core.model import Snapshot
from dataplane.core.tables import Tables
from dataplane.supervisor.bundle import parts
from dataplane.supervisor.holds import Holds
from dataplane.supervisor.vetting import vet
from dataplane.wire.framing import Message, packing, parts_memfd
from dataplane.wire.progress import Progress

PREPARE_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of a submission. `pause_us`: the lock held; `wait_us`: the lock waited for; counts are over all workers.

    `workers` acknowledged; `missing` were members when it was committed and died, or were passed over as stuck, first.
    """

    revision: int
    pause_us: int = 0
    wait_us: int = 0
    requeued: int = 0
    refused: int = 0
    killed: int = 0
    workers: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()


class Post(Protocol):
    """How packets reach the workers."""

    def send(self, worker: int, message: Message, fds: Sequence[int] = ()) -> None:
        """Send to one; a worker that is going is no error, its death will be told."""


Watcher = Callable[[Commit, Applied, str], None]
"""Told of every revision once it is applied: what changed, what became of it, from whom it came."""


@dataclass(eq=False, slots=True)
class _Ready:
    """A submission that only waits for its commit."""

    proposal: Proposal | None
    cells: tuple[CellChange, ...]
    source: str
    committed: asyncio.Future[_Open]


@dataclass(eq=False, slots=True)
class _Open:
    """A revision that is committed and not applied yet."""

    commit: Commit
    sources: str
    pause_us: int
    wait_us: int
    members: tuple[int, ...]
    applied: asyncio.Future[Applied]
    counts: list[int] = field(default_factory=lambda: [0, 0, 0])
    missing: list[int] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Preparation:
    """A structural change under way: its tables' number, and whose answer is outstanding."""

    number: int
    waiting: set[int]
    answer: asyncio.Future[str | None]


class Publisher:
    """One per supervisor. `run` is its committing task; the workers' side calls `join`, `left`, `heard`.

    Each of `adopting`, of before and after, is called when other tables are about to be committed; `descriptors` gives those that go with tables,
    or raises Refused; `preparing(snapshot)` makes what takes long of a snapshot that may be committed; `adopted(snapshot)` is called after
    every commit.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ledger: Ledger, holds: Holds, post: Post) -> None:
        self.ledger = ledger
        self.revision = 0
        self.pause_us = 0
        self.pause_max_us = 0
        self.watchers: list[Watcher] = []
        self.adopting: list[Callable[[Tables, Tables], None]] = []
        self.descriptors: Callable[[Tables], tuple[int, ...]] = _none
        self.preparing: Callable[[Snapshot], Awaitable[None]] = _nothing_to_prepare
        self.adopted: Callable[[Snapshot], None] = _nothing_yet
        self._loop = loop
        self._holds = holds
        self._post = post
        self._progress: Progress[int, int] = Progress()
        self._structural = asyncio.Lock()
        self._wake = asyncio.Event()
        self._ready: list[_Ready] = []
        self._open: list[_Open] = []
        self._left: set[int] = set()
        self._preparation: _Preparation | None = None
        self._changing: set[asyncio.Task[_Open]] = set()

    def __repr__(self) -> str:
        return f'<Publisher revision={self.revision} open={len(self._open)} {self._progress!r}>'

    # -- who asks ---------------------------------------------------------------------------------------------------

    async def submit(self, changes: Sequence[Change], *, source: str) -> Applied:
        """Make changes true, in their order, and return when all live workers have settled what follows from them.

        Raises Refused when they cannot be; then none of this call's is true, except that a call with several structural
        changes is as many calls one after the other. Cancelling the wait does not take back what is under way.
        """
        steps = _steps(changes)
        for structural, cells in steps[:-1]:
            await self._step(structural, cells, source)
        last = await self._step(*steps[-1], source)
        return await asyncio.shield(last.applied)

    async def _step(self, structural: StructuralChange | None, cells: tuple[CellChange, ...], source: str) -> _Open:
        if structural is None:
            return await self._commit(None, cells, source)
        # who asked may give up; the next structural change must find this one decided all the same
        change = self._loop.create_task(self._change(structural, source))
        self._changing.add(change)
        change.add_done_callback(self._changing.discard)
        return await asyncio.shield(change)

    async def _change(self, structural: StructuralChange, source: str) -> _Open:
        async with self._structural:
            proposal = self.ledger.propose(structural)
            if proposal.is_structural:
                await self._prepare(proposal.tables, self.descriptors(proposal.tables))
            await self.preparing(proposal.tables.snapshot)
            try:
                return await self._commit(proposal, (), source)
            except Refused:
                # what was prepared has a number that the next change's tables will have, too
                self._discard(proposal.tables.number)
                raise

    async def _commit(self, proposal: Proposal | None, cells: tuple[CellChange, ...], source: str) -> _Open:
        ready = _Ready(proposal, cells, source, self._loop.create_future())
        self._ready.append(ready)
        self._wake.set()
        return await asyncio.shield(ready.committed)

    # -- prepare ----------------------------------------------------------------------------------------------------

    async def _prepare(self, tables: Tables, more: tuple[int, ...]) -> None:
        """Have every member build what it will need. Raises Refused when one cannot or does not answer."""
        if not self._progress.members:
            return
        try:
            fd = parts_memfd()
            try:
                problem = await self._prepare_from(fd, tables, more)
            finally:
                self._preparation = None
                os.close(fd)
        except OSError as error:
            raise Refused((f'workers cannot be sent what they need: {error}',)) from error
        if problem is not None:
            self._discard(tables.number)
            raise Refused((problem,))

    async def _prepare_from(self, fd: int, tables: Tables, more: tuple[int, ...]) -> str | None:
        """The same by way of a memfd. Returns what speaks against it."""
        for _ in packing(fd, parts(tables)):
            await asyncio.sleep(0)
        waiting = set(self._progress.members)
        if not waiting:
            return None
        self._preparation = under_way = _Preparation(tables.number, waiting, self._loop.create_future())
        try:
            for worker in tuple(waiting):
                self._post.send(worker, {'op': 'prepare', 'number': tables.number}, (fd, *more))
            async with asyncio.timeout(PREPARE_PATIENCE):
                return await under_way.answer
        except TimeoutError:
            names = ', '.join(str(worker) for worker in sorted(under_way.waiting))
            return f'not prepared within {PREPARE_PATIENCE:.0f} s by worker {names}'

    def _discard(self, number: int) -> None:
        for worker in self._progress.members:
            self._post.send(worker, {'op': 'discard', 'number': number})

    def _prepared(self, worker: int, number: int, problem: str | None) -> None:
        under_way = self._preparation
        if under_way is None or under_way.number != number or under_way.answer.done():
            return
        under_way.waiting.discard(worker)
        if problem is not None:
            under_way.answer.set_result(f'worker {worker} cannot prepare: {problem}')
        elif not under_way.waiting:
            under_way.answer.set_result(None)

    # -- commit -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Commit what is ready, revision by revision, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._ready = self._ready, []
            accepted = [ready for ready in batch if self._accept(ready)]
            if accepted:
                await self._publish(accepted)

    def _accept(self, ready: _Ready) -> bool:
        """Put a submission into the ledger as a whole, or refuse it as a whole."""
        now = time.monotonic_ns() // 1_000_000
        try:
            if ready.proposal is None:
                vet(self.ledger, ready.cells)
            else:
                before = self.ledger.tables
                self.ledger.adopt(ready.proposal, now)
                for adopt in self.adopting:
                    adopt(before, self.ledger.tables)
            for change in ready.cells:
                self.ledger.apply(change, now)
        except (Refused, RuntimeError) as problem:
            if not ready.committed.done():
                ready.committed.set_exception(problem)
            return False
        return True

    async def _publish(self, accepted: list[_Ready]) -> None:
        """One revision: one hold, then everybody is asked for its effects."""
        commit = self.ledger.commit(self.revision + 1)
        self._left.clear()
        self._holds.stage(commit)
        hold = await self._holds.hold(lambda plane: plane.commit(commit))
        self.revision = commit.revision
        self.adopted(self.ledger.tables.snapshot)
        self.pause_us = hold.pause_us
        self.pause_max_us = max(self.pause_max_us, hold.pause_us)
        sources = ','.join(dict.fromkeys(ready.source for ready in accepted))
        members, applied = self._progress.members, self._loop.create_future()
        # who held the lock without moving, and was ended for it, is named although it is no member any more
        missing = sorted(self._left)
        revision = _Open(commit, sources, hold.pause_us, hold.wait_us, members, applied, missing=missing)
        self._open.append(revision)
        for worker in members:
            self._post.send(worker, {'op': 'effects', 'revision': commit.revision})
        for ready in accepted:
            if not ready.committed.done():
                ready.committed.set_result(revision)
        self._pass()

    def _pass(self) -> None:
        """Close the revisions that every member has passed."""
        while self._open and self._progress.passed(self._open[0].commit.revision):
            done = self._open.pop(0)
            requeued, refused, killed = done.counts
            applied = Applied(
                revision=done.commit.revision,
                pause_us=done.pause_us,
                wait_us=done.wait_us,
                requeued=requeued,
                refused=refused,
                killed=killed,
                workers=tuple(worker for worker in sorted(done.members) if worker not in done.missing),
                missing=tuple(done.missing),
            )
            done.applied.set_result(applied)
            for watcher in self.watchers:
                watcher(done.commit, applied, done.sources)

    # -- the workers' side --------------------------------------------------------------------------------------------

    async def join(self, worker: int, welcome: Callable[[Tables, int], bool]) -> None:
        """Make a worker a member. `welcome(tables, revision)` sends it what it starts from; False: it is gone again."""
        async with self._structural:
            if welcome(self.ledger.tables, self.revision):
                self._progress.join(worker, self.revision)

    def left(self, worker: int) -> None:
        """A worker died: nothing waits for it any more, and revisions it had not passed name it."""
        at = self._progress.at(worker)
        if at is None:
            return
        for revision in self._open:
            if worker in revision.members and at < revision.commit.revision and worker not in revision.missing:
                revision.missing.append(worker)
        self._progress.leave(worker)
        self._left.add(worker)
        if self._preparation is not None and worker in self._preparation.waiting:
            self._prepared(worker, self._preparation.number, None)
        self._pass()

    def heard(self, worker: int, message: Message) -> bool:
        """Take a worker's answer. Returns whether it was one for the barrier."""
        if message['op'] == 'prepared':
            self._prepared(worker, message['number'], message.get('problem'))
        elif message['op'] == 'applied':
            self._acked(worker, message)
        else:
            return False
        return True

    def _acked(self, worker: int, message: Message) -> None:
        for revision in self._open:
            if revision.commit.revision == message['revision']:
                for place, name in enumerate(('requeued', 'refused', 'killed')):
                    revision.counts[place] += message[name]
        self._progress.acked(worker, message['revision'])
        self._pass()


def _none(tables: Tables) -> tuple[int, ...]:
    """Nothing goes with tables."""
    return ()


async def _nothing_to_prepare(snapshot: Snapshot) -> None:
    """Nobody needs time for it."""


def _nothing_yet(snapshot: Snapshot) -> None:
    """Nobody wants to know yet."""


def _steps(changes: Sequence[Change]) -> list[tuple[StructuralChange | None, tuple[CellChange, ...]]]:
    """Each structural change by itself, and what stands between them together."""
    steps: list[tuple[StructuralChange | None, tuple[CellChange, ...]]] = []
    for change in changes:
        if isinstance(change, StructuralChange):
            steps.append((change, ()))
        elif steps and steps[-1][0] is None:
            steps[-1] = (None, (*steps[-1][1], change))
        else:
            steps.append((None, (change,)))
    return steps or [(None, ())]
