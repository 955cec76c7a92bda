"""Every interleaving of a world, breadth first: who holds the lock when, who dies where, what rings late, twice or never.

One step is one hold of the lock on the real core (or something that befalls a process between holds). While kills are left
every hold of a worker is also cut after each of its stores, with everything derived overwritten, and between the unlock
and the bells. After every step every invariant is checked; at each store that gives a slot, that it may be given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dataplane.core import invariants, line, pump
from dataplane.core.invariants import Broken
from dataplane.core.layout import ENTRY_STRIDE, NOBODY, UNLIMITED, Aside, Rota
from dataplane.core.line import usable  # by value: a mutant that replaces it does not replace it here
from dataplane.core.plane import SUPERVISOR, Plane
from dataplane.core.stream import HASHED, Admission, Life, Stream
from tests.exhaustive import rows
from tests.exhaustive.world import CLEARED, DEAD, UP, State, World, planes

POISON = -7_777
"""What derived cells hold after a death: any use of them before the rebuild goes wrong at once."""

Act = Callable[[State, Plane], Any]


@dataclass
class Found:
    """What an exploration saw: states, steps, the longest chain of what comes by itself, and what broke, with its trace."""

    states: int
    steps: int
    settles: int = 0
    broken: str | None = None
    trace: list[str] = field(default_factory=list)


class Explorer:
    """Explores one world; `kind` is the plane to use, so that a mutant can stand in for the real one."""

    def __init__(self, world: World, kind: Callable[..., Plane] = Plane) -> None:
        self.w = world
        self.at = world.at
        self.planes = planes(world, kind)
        for plane in self.planes:
            plane.back_slice = world.budget
            plane.index.slice = world.slice
            self._watch(plane)
        self.now: State = State(world)
        self.derived = self._derived()
        self.poison = [(slice(run[0], run[-1] + 1), [POISON] * len(run)) for run in runs(self.derived)]
        counters = range(self.at.frontend_counters(0, 0), self.at.E_STATE)
        self.not_truth = self.derived.union(counters)

    def run(self, most: int) -> Found:
        """Breadth first until nothing is new, something is broken, or `most` states were seen."""
        start = State(self.w)
        seen: dict[bytes, tuple[bytes, str] | None] = {start.key(): None}
        todo, taken, quiet = deque([(start, start.key())]), 0, dict[bytes, list[bytes]]()
        while todo and len(seen) < most:
            x, here = todo.popleft()
            last = ''
            try:
                for label, n, itself in self.steps(x):
                    taken += 1
                    key, last = n.key(), label
                    if itself:
                        quiet.setdefault(here, []).append(key)
                    if key not in seen:
                        self.check(n)
                        seen[key] = (here, label)
                        todo.append((n, key))
                    last = ''
            except (Broken, IndexError, KeyError, ValueError, TypeError) as e:
                return Found(len(seen), taken, 0, f'{type(e).__name__}: {e}', trace(seen, here, last))
        longest, knot = chain(quiet)
        if knot is not None:
            return Found(len(seen), taken, 0, 'I4: what comes by itself goes round in a circle', trace(seen, knot, ''))
        return Found(len(seen), taken, longest)

    # -- one hold -------------------------------------------------------------------------------------------------------

    def hold(self, x: State, worker: int, act: Act, label: str, *, pumps: bool = True) -> Iterator[tuple[str, State]]:
        """One hold of a worker (-1: the supervisor), and, while kills are left, the worker's death after every store."""
        n = x.clone(worker)
        log: list[tuple[int, int]] = []
        plane = self.planes[worker]
        rings = self._inside(n, plane, act, log, pumps=pumps)
        if x.left[0] and worker >= 0:
            yield from self._deaths(x, n, worker, log, rings, label)
        for u in rings:
            if u != SUPERVISOR:
                n.bell[u] = int(n.alive[u] == UP)
        yield label, n

    def _inside(self, n: State, plane: Plane, act: Act, log: list[tuple[int, int]], *, pumps: bool) -> tuple[int, ...]:
        """Enter, act, leave, as a shell does under the lock."""
        self.now, plane.cells = n, n.cells
        n.cells.log = log
        torn, n.torn = n.torn, False
        plane.enter(torn=torn)
        act(n, plane)
        rings = plane.leave(self.w.budget if pumps else 0)
        n.cells.log = None
        return rings

    def _deaths(
        self, x: State, n: State, worker: int, log: list[tuple[int, int]], rings: tuple[int, ...], label: str
    ) -> Iterator[tuple[str, State]]:
        log = [(cell, value) for cell, value in log if cell not in self.not_truth]
        for k in range(len(log) + 1):
            d = x.clone(worker)
            for cell, value in log[:k]:
                d.cells[cell] = value
            for i, stream in d.of(worker):
                # A slot that the hold gave back was let go before it: the exchange was over, its socket shut down.
                then = n.streams[i]
                if stream.life in (Life.SLOT, Life.RUNNING) and (then.life, then.server) != (
                    stream.life,
                    stream.server,
                ):
                    stream.life = Life.ENDED
            d.die(worker)
            d.torn = True
            for poisoned, poison in self.poison:
                d.cells[poisoned] = poison
            yield f'{label}, KILLED after {k} of {len(log)} stores', d
        if any(u != SUPERVISOR for u in rings):
            d = n.clone(worker)
            d.die(worker)
            yield f'{label}, KILLED after unlock before ringing {sorted(rings)}', d

    def _derived(self) -> frozenset[int]:
        """Cells that the rebuild must not read: the columns called derived in the layout."""
        at, out = self.at, set[int]()
        servers = 'TOTAL MOVE_NEXT GIVE_NEXT KEY NODE DUE_KEY DUE_NODE FWRR_NPOS FWRR_LPOS FWRR_REST FWRR_SET'
        backends = (
            'BETOTAL BEWAITING MOVE_HEAD MOVE_TAIL MOVE_SWEEP MOVE_END GIVE_HEAD GIVE_TAIL GIVE_SWEEP GIVE_END RECHECK '
            'STALE KIND CURSOR FWRR_POS FWRR_CYCLE FWRR_LENGTH'
        )
        for names, count in ((servers, at.servers), (backends, at.backends)):
            for name in names.split():
                out.update(range(getattr(at, name), getattr(at, name) + count))
        out.add(at.FREE_ROOT)
        for first, count in (
            (at.MAIL_HEAD, at.workers),
            (at.MAIL_TAIL, at.workers),
            (at.QUEUE_ROOT, at.queues),
            (at.QUEUE_LENGTH, at.queues),
        ):
            out.update(range(first, first + count))
        for name in ('E_CHILD', 'E_NEXT', 'E_PREV', 'E_RANK', 'E_LINKED'):
            first = getattr(at, name)
            out.update(range(first, first + at.entries * ENTRY_STRIDE, ENTRY_STRIDE))
        return frozenset(out)

    # -- what may happen next ---------------------------------------------------------------------------------------------

    def steps(self, x: State) -> Iterator[tuple[str, State, bool]]:
        """Every next state: label, state, whether it comes by itself."""
        for worker, act, label in self.settling(x):
            for at, n in self.hold(x, worker, act, label):
                yield at, n, at is label
        for i, wish in enumerate(self.w.streams):
            if x.streams[i].life is Life.ENDED or x.alive[wish.worker] != UP or x.stopped[wish.worker]:
                continue
            # Streams that want the same of the same worker are alike: they come in the order of their numbers.
            twin = any(other == wish and x.streams[k].life is Life.NEW for k, other in enumerate(self.w.streams[:i]))
            if not (twin and x.streams[i].life is Life.NEW):
                for at, n in self.stream_steps(x, i, wish.worker):
                    yield at, n, False
        for worker in range(self.w.workers):
            for at, n in self.chances(x, worker):
                yield at, n, False
        for at, n in rows.steps(x) if self.w.hires else ():
            yield at, n, False
        if x.change < len(self.w.changes):
            label = f'COMMIT {x.change + 1}: {self.w.changes[x.change]}'
            for at, n in self.hold(x, -1, lambda n, p: p.commit(n.change_now()), label, pumps=False):
                yield at, n, False

    def settling(self, x: State) -> Iterator[tuple[int, Act, str]]:
        """What is under way and comes by itself: who holds, what it does, its label."""
        for v in range(self.w.workers):
            aside = x.cells[self.at.ASIDE + v]
            if x.alive[v] == DEAD:
                yield -1, partial(self.clear, v), f'supervisor clears worker {v}'
            elif x.stopped[v]:
                if aside != Aside.YES:
                    yield -1, partial(_set_aside, v), f'supervisor sets worker {v} aside'
            elif x.alive[v] == UP:
                if x.bell[v]:
                    yield v, partial(self.answer_bell, v), f'doorbell of worker {v}'
                if x.acked[v] < x.cells[self.at.REVISION]:
                    label = f'worker {v}: effects up to revision {x.cells[self.at.REVISION]}'
                    yield v, partial(self.effect, v), label
                if aside:
                    yield v, _nothing, f'worker {v} sees that it was set aside'
        if x.pumping():
            yield -1, self.pump_idle, 'supervisor pumps'

    def stream_steps(self, x: State, i: int, v: int) -> Iterator[tuple[str, State]]:
        """What a stream of a living worker may do next."""
        stream = x.streams[i]
        if stream.life is Life.NEW:
            yield from self.hold(x, v, partial(self.admit, v, i), f'worker {v} admits s{i}')
            return
        if stream.life is Life.SLOT:
            yield self.send(x, i)
        if stream.life is Life.RUNNING:
            yield from self.hold(x, v, lambda n, p: p.release(n.streams[i]), f's{i} answered, worker {v} releases')
        if x.left[1]:
            yield from self.hold(x, v, partial(self.cancel, i), f's{i} cancelled while {stream.life.name}')

    def send(self, x: State, i: int) -> tuple[str, State]:
        """The first byte goes to the server; after every worker has acked its leaving none may (G8)."""
        stream = x.streams[i]
        if not usable(x.cells, self.at, stream.wish, stream.server) and self.all_acked(x):
            raise Broken('G8', f's{i} is sent to server {stream.server} after its leaving was applied')
        n = x.clone(self.w.streams[i].worker)
        n.streams[i].life = Life.RUNNING
        return f's{i} sent to server {stream.server}', n

    def chances(self, x: State, v: int) -> Iterator[tuple[str, State]]:
        """What befalls a worker from outside: respawned, killed, stopped, continued, rung by nobody."""
        if x.alive[v] == CLEARED and rows.may_start(x, v):
            n = x.clone()
            n.alive[v], n.acked[v], n.tables[v] = UP, n.cells[self.at.REVISION], n.cells[self.at.TABLES]
            yield f'worker {v} respawned', n
        if x.alive[v] != UP:
            return
        if x.left[0]:
            n = x.clone(v)
            n.die(v)
            yield f'worker {v} KILLED', n
        if x.stopped[v]:
            n = x.clone()
            n.stopped[v] = 0
            yield f'worker {v} continues', n
            return
        if x.left[3]:
            n = x.clone()
            n.stopped[v], n.left[3] = 1, n.left[3] - 1
            yield f'worker {v} STOPPED', n
        if x.left[2] and not x.bell[v]:
            label = f'doorbell of worker {v}, rung by nobody'
            yield from self.hold(x, v, partial(self.answer_bell, v), label)

    # -- what a shell does inside a hold --------------------------------------------------------------------------------

    def admit(self, v: int, i: int, n: State, plane: Plane) -> None:
        """A newcomer, routed under the tables its worker has; told to route again, the worker takes the committed ones."""
        n.streams[i].tables = n.tables[v]
        if plane.admit(n.streams[i], n.tables[v], 0) is Admission.ROUTE_AGAIN:
            n.tables[v] = n.cells[self.at.TABLES]

    def answer_bell(self, v: int, n: State, plane: Plane) -> None:
        """The bell's handler."""
        n.left[2] -= not n.bell[v]
        n.bell[v] = 0
        plane.settle(n.waiting(v))

    def cancel(self, i: int, n: State, plane: Plane) -> None:
        """The client went away, or a timeout."""
        n.left[1] -= 1
        stream = n.streams[i]
        if stream.life is Life.WAITING:
            plane.cancel(stream)
        else:
            plane.release(stream)

    def effect(self, v: int, n: State, plane: Plane) -> None:
        """One slice of what the board asks of this worker; when nothing is left, the ack of everything committed."""
        if n.tables[v] != n.cells[self.at.TABLES]:
            n.tables[v] = n.cells[self.at.TABLES]
            for _, stream in n.of(v):
                stream.tables = n.tables[v]
            return
        for _, stream in sorted(n.of(v), key=lambda item: item[1].seq):
            if plane.is_over(stream):
                plane.release(stream)
                return
            if plane.is_barred(stream):
                plane.again(stream, n.tables[v], -1)
                return
        for entry in line.mail(n.cells, self.at, v):
            row = entry * ENTRY_STRIDE
            server = n.cells[self.at.E_SERVER + row]
            if n.cells[self.at.E_STATE + row] == line.GIVEN and not usable(
                n.cells, self.at, n.cells[self.at.E_WISH + row], server
            ):
                plane.settle(n.waiting(v))
                return
        n.acked[v] = n.cells[self.at.REVISION]

    def pump_idle(self, n: State, plane: Plane) -> None:
        """The supervisor's own hold."""
        plane.pump_idle(self.w.budget)

    def clear(self, v: int, n: State, plane: Plane) -> None:
        """The pidfd says that worker v is dead, so its sockets are closed."""
        for i, wish in enumerate(self.w.streams):
            if wish.worker == v:
                n.lost[i] = None
        if plane.clear(v, self.w.budget):
            n.alive[v] = CLEARED

    # -- properties -----------------------------------------------------------------------------------------------------

    def _watch(self, plane: Plane) -> None:
        """Ask, at every store that gives a slot, whether it may be given."""
        serve, give, take, wait = plane._serve, plane._pump.give, plane._take, plane._wait

        def watched_serve(stream: Stream, server: int) -> Any:
            out = serve(stream, server)
            if stream.tables != self.now.cells[self.at.TABLES]:
                raise Broken(
                    'G3', f'{stream!r} was routed under tables {stream.tables} and given a server under others'
                )
            self.check_given(stream.wish, stream.key, stream.seq, server)
            return out

        def watched_give(cells: Any, entry: int, server: int) -> None:
            give(cells, entry, server)
            for stream in self.now.streams:
                if stream.life is Life.WAITING and stream.entry == entry:
                    self.check_given(stream.wish, stream.key, stream.seq, server)
                    return
            row, at = entry * ENTRY_STRIDE, self.at  # of a dead worker, not yet cleared
            self.check_given(cells[at.E_WISH + row], cells[at.E_KEY + row], cells[at.E_SEQ + row], server)

        def watched_take(stream: Stream, entry: int, server: int) -> None:
            take(stream, entry, server)
            if not usable(self.now.cells, self.at, stream.wish, server):
                raise Broken('I9', f'{stream!r} took a slot of server {server}, which left')

        def watched_wait(stream: Stream, queue: int, look: bool) -> Any:
            if queue == self.at.backend_queue(0) and not self.now.cells[self.at.IN_ROTATION]:
                raise Broken('I5', f'{stream!r} is queued for a backend that has nobody in rotation')
            return wait(stream, queue, look=look)

        plane._wait = watched_wait  # type: ignore[method-assign]
        plane._take = watched_take  # type: ignore[method-assign]
        plane._serve = watched_serve  # type: ignore[method-assign]
        plane._pump.give = watched_give  # type: ignore[method-assign]

    def check_given(self, wish: int, key: int, seq: int, server: int) -> None:
        """A slot of `server` was just given: below the limit, to one that may have it, and to nobody older instead."""
        x, at, cells = self.now, self.at, self.now.cells
        open_ = sum(s.life in (Life.SLOT, Life.RUNNING) and s.server == server for s in x.streams)
        open_ += sum(lost == server for lost in x.lost)
        entries = range(0, at.entries * ENTRY_STRIDE, ENTRY_STRIDE)
        open_ += sum(cells[at.E_STATE + row] == line.GIVEN and cells[at.E_SERVER + row] == server for row in entries)
        used = invariants.used_slots(cells, at, server)
        limit = self.limit(x, server)
        if limit != UNLIMITED and max(open_, used) > limit:
            raise Broken('I1', f'server {server} given above its limit {limit}: {used} used, {open_} open')
        if not usable(cells, at, wish, server):
            raise Broken('I9', f'server {server} given, but it left')
        for stream, other in zip(x.streams, self.w.streams, strict=True):
            # by what the stream knows of its own place, whatever the entry says
            if stream.life is Life.WAITING and x.alive[other.worker] == UP and (stream.key, stream.seq) < (key, seq):
                row = stream.entry * ENTRY_STRIDE
                if cells[at.E_STATE + row] == line.WAITING:
                    self._check_passed(cells, row, server)

    def _check_passed(self, cells: Any, row: int, server: int) -> None:
        at, other = self.at, cells[self.at.E_WISH + row]
        worker, queue = cells[at.E_WORKER + row], cells[at.E_QUEUE + row]
        own = line.owner(at, queue) >= 0
        stranded = own and not line.wish_usable(cells, at, queue)
        waits_for = line.owner(at, queue) == server if own and not stranded else cells[at.ROTA + server] == Rota.IN
        if stranded and line.wish_usable(cells, at, other):
            waits_for = line.owner(at, other) == server
        elif stranded and other <= HASHED:
            waits_for = self._tied(cells, other) in (server, NOBODY) and cells[at.ROTA + server] == Rota.IN
        if waits_for and cells[at.ASIDE + worker] != Aside.YES and cells[at.E_LINKED + row]:
            raise Broken('I8', f'server {server} given while entry {row // ENTRY_STRIDE} is older')

    def _tied(self, cells: Any, wish: int) -> int:
        return self.planes[-1].index.target(
            cells, 0, HASHED - wish, NOBODY, lambda server: self._has_room(cells, server)
        )

    def _has_room(self, cells: Any, server: int) -> bool:
        most = cells[self.at.LIMIT + server]
        return bool(most < 0 or cells[self.at.TOTAL + server] < most)

    def limit(self, x: State, server: int) -> int:
        """The limit as it is written, for the number of streams there are: an own reading of the manual's fullconn rule."""
        at, most, least = self.at, x.cells[self.at.LIMIT + server], x.cells[self.at.MINLIMIT + server]
        if most <= 0 or most == least:
            return most
        streams = sum(x.cells[at.beconn(v, 0)] for v in range(at.workers))
        return most if streams >= self.w.fullconn else max(least, streams * most // self.w.fullconn)

    def all_acked(self, x: State) -> bool:
        """Is every committed revision applied?"""
        revision = x.cells[self.at.REVISION]
        return all(x.acked[v] == revision for v in range(self.w.workers) if x.alive[v] == UP)

    def check(self, x: State) -> None:
        """What must hold in every state."""
        workers = range(self.w.workers)
        if not x.torn:
            invariants.check(x.cells, self.at)
        for v in workers:
            if x.alive[v] == UP:
                invariants.check_worker(x.cells, self.at, v, [stream for _, stream in x.of(v)])
        if any(x.alive[v] == DEAD for v in workers):
            return
        self._check_leaks(x)
        if self.all_acked(x):
            for i, stream in enumerate(x.streams):
                if (
                    stream.life in (Life.SLOT, Life.RUNNING)
                    and stream.generation < x.cells[self.at.GENERATION + stream.server]
                ):
                    raise Broken('G9', f's{i} survives the shutdown of server {stream.server}')
        if next(self.settling(x), None) is None:
            self._check_settled(x)

    def _check_leaks(self, x: State) -> None:
        at = self.at
        moving = any(kind in {'limit', 'share'} for kind, _, _ in self.w.changes) or self.w.minlimits
        for server in range(at.servers):
            if not moving and x.cells[at.LIMIT + server] != UNLIMITED:
                used = invariants.used_slots(x.cells, at, server)
                if used > x.cells[at.LIMIT + server]:
                    raise Broken('I1', f'{used} slots of server {server} are in use')
        entries = sum(x.cells[at.E_STATE + e * ENTRY_STRIDE] > 0 for e in range(at.entries))
        waiting = sum(stream.life is Life.WAITING for stream in x.streams)
        if entries != waiting:
            raise Broken('I3', f'{entries} entries in use for {waiting} waiting streams')
        counted = sum(stream.counted for stream in x.streams)
        if sum(x.cells[at.beconn(v, 0)] for v in range(at.workers)) != counted:
            raise Broken('I2', f'the rows do not count {counted} streams of the backend')
        for v in range(at.workers):
            if x.alive[v] != UP and any(x.cells[at.served(v, s)] for s in range(at.servers)):
                raise Broken('I3', f'dead worker {v} still holds a slot')

    def _check_settled(self, x: State) -> None:
        """Everything that was under way has arrived: nobody waits in vain (I4), for room (I7) or for who left (I5, I9)."""
        at = self.at
        if pump.pumping(x.cells, at, 0):
            raise Broken('I14', 'the pump is not at rest and nobody will come')
        for stream, wish in zip(x.streams, self.w.streams, strict=True):
            if stream.life is not Life.WAITING:
                continue
            state = x.cells[at.E_STATE + stream.entry * ENTRY_STRIDE]
            if x.cells[at.ASIDE + wish.worker]:
                if state == line.GIVEN:
                    raise Broken('I4', f'{stream!r} keeps a slot for a worker that stands still')
            elif state != line.WAITING:
                raise Broken('I11', f'{stream!r} was answered and does not know')
            elif stream.wish <= HASHED and x.cells[at.E_QUEUE + stream.entry * ENTRY_STRIDE] >= 2 * at.servers:
                if self._tied(x.cells, stream.wish) >= 0:
                    raise Broken('I25', f'{stream!r} waits for anybody, though it is tied to one')


def _set_aside(v: int, n: State, plane: Plane) -> None:
    plane.set_aside(v)


def _nothing(n: State, plane: Plane) -> None:
    """Entering the hold is all there is to do."""


def runs(cells: frozenset[int]) -> list[list[int]]:
    """The cells in runs of neighbours."""
    out: list[list[int]] = []
    for cell in sorted(cells):
        if out and out[-1][-1] == cell - 1:
            out[-1].append(cell)
        else:
            out.append([cell])
    return out


def trace(seen: dict[bytes, tuple[bytes, str] | None], key: bytes, last: str) -> list[str]:
    """The steps that led to a state."""
    out = [last] if last else []
    while (step := seen[key]) is not None:
        key, label = step
        out.append(label)
    return out[::-1]


def chain(arcs: dict[bytes, list[bytes]]) -> tuple[int, bytes | None]:
    """The longest path of what comes by itself, or a state that lies on or behind a circle of it."""
    into: dict[bytes, int] = {}
    for ends in arcs.values():
        for key in ends:
            into[key] = into.get(key, 0) + 1
    length = dict.fromkeys(arcs, 0)
    todo = [key for key in arcs if key not in into]
    while todo:
        key = todo.pop()
        for end in arcs.get(key, ()):
            into[end] -= 1
            length[end] = max(length.get(end, 0), length[key] + 1)
            if not into[end]:
                todo.append(end)
    return max(length.values(), default=0), next((key for key in arcs if into.get(key)), None)
