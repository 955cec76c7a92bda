"""The doors of the core: what one process may do to the board inside one hold of its lock.

A hold is `enter(torn)`, one or more doors, `leave()`; the caller takes and gives the lock around it, rings the
workers that `leave` names, and kills its own process when anything in between raises: a hold either happens or is
repaired by the next owner (design: an exception inside a hold is a death). Doors are synchronous, know no clock and no
socket, and return plain values. Truth is written one store at a time in an order that a death may cut anywhere.

Invariants are numbered in `invariants.py`. The two that carry everything else:

- a slot is reserved before anybody is awoken, and given back only when the server can no longer see the old request;
- between holds, a backend that is not pumping has nobody waiting for room and nobody waiting for a server that left,
  so `admit` needs to look at nothing but the pump and the balancer.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, MutableSequence

from dataplane.core import commit as commits
from dataplane.core import line, pump, repair
from dataplane.core.counters import COUNTERS, C
from dataplane.core.index import Index
from dataplane.core.layout import ENTRY_STRIDE, NOBODY, Layout
from dataplane.core.limit import limit
from dataplane.core.stream import HASHED, Admission, Life, Stream

SUPERVISOR = -1
"""In the set of workers to ring: the supervisor, because pumping is left or a repair was made."""

_MAIL_BUDGET = 200

# An enumeration's member costs 110 ns each time it is named, a constant 20; admit and release named six.
_SLOT, _RUNNING = Life.SLOT, Life.RUNNING
_ADMITTED = Admission.SLOT


class Plane:
    """One process's view of the board: worker `worker`, or the supervisor (-1). `draw` gives 32 random bits."""

    def __init__(self, cells: MutableSequence[int], at: Layout, worker: int, draw: Callable[[], int]) -> None:
        self.cells = cells
        self.at = at
        self.worker = worker
        self.draw = draw
        self.back_slice = pump.BUDGET
        self._rings: set[int] = set()
        self._touched: list[int] = []
        self.index = Index(at)
        self._room = self.room
        self._pump = pump.Pump(at, self._room, self.choose, self.index, self._rings)
        # first cells of what every admit and release touches
        self._mine = max(worker, 0)
        self._served = at.served(self._mine, 0)
        self._beconn = at.beconn(self._mine, 0)
        self._most_served = at.server_counters(at.departed, 0) + int(C.SMAX)
        self._most_streams = at.backend_counters(at.departed, 0) + int(C.SMAX)

    # -- a hold -----------------------------------------------------------------------------------------------------

    def enter(self, torn: bool, beat: Callable[[], None] | None = None) -> None:
        """Begin a hold. `torn`: the last owner died in it, so everything derived is rebuilt first (`beat` between backends)."""
        if torn:
            repair.rebuild(self.cells, self.at, beat)
            self._rings.add(SUPERVISOR)
        if self.cells[self.at.ASIDE + self._mine] and self.worker >= 0:
            repair.back(self.cells, self.at, self.worker, self.back_slice)
            self._rings.add(SUPERVISOR)

    def leave(self, budget: int = pump.BUDGET) -> tuple[int, ...]:
        """End a hold: pump the backends it was about, within the budget. Returns the workers to ring after unlocking."""
        if self._touched:
            for backend in self._touched:
                if self._pump.run(self.cells, backend, budget):
                    self._rings.add(SUPERVISOR)
            self._touched.clear()
        if not self._rings:
            return ()
        rings = tuple(self._rings)
        self._rings.clear()
        return rings

    # -- questions --------------------------------------------------------------------------------------------------

    def room(self, server: int) -> bool:
        """Is a slot of this server free now? The one predicate."""
        cells, at = self.cells, self.at
        most = cells[at.LIMIT + server]
        if most < 0:
            return True
        if cells[at.MINLIMIT + server] != most:
            most = limit(cells, at, server, cells[at.BETOTAL + cells[at.BACKEND + server]])
        return cells[at.TOTAL + server] < most

    def choose(self, backend: int, avoid: int) -> int:
        """The server in rotation that the balancer picks among those with room, or NOBODY. Its index must be whole."""
        return self.index.choose(self.cells, backend, avoid, self._room, self.draw)

    # -- doors of a worker ------------------------------------------------------------------------------------------

    def admit(self, stream: Stream, tables: int, now: int) -> Admission:
        """A newcomer, routed under `tables`, at `now` (ms). It owns a slot, or an entry, or nothing (refused, route again)."""
        cells, at = self.cells, self.at
        if tables != cells[at.TABLES]:
            return Admission.ROUTE_AGAIN
        seq = cells[at.SEQUENCE]
        cells[at.SEQUENCE] = seq + 1
        backend = stream.joins(now, seq)
        self._count(backend)
        return self._decide(stream, backend)

    def again(self, stream: Stream, tables: int, avoid: int) -> Admission:
        """Decide anew, with its old key, a stream whose slot is of no use: its server left, or another is to be tried."""
        if stream.life is Life.SLOT or stream.life is Life.RUNNING:
            self._give_back(stream)
        if tables != self.cells[self.at.TABLES]:
            self._end(stream)
            stream.life = Life.NEW
            return Admission.ROUTE_AGAIN
        stream.avoid = avoid
        return self._decide(stream, stream.backend)

    def move_to(self, stream: Stream, backend: int, tables: int, now: int) -> Admission:
        """Its route changed before anything was sent: leave the old backend and ask in the new one, with the old key."""
        if stream.life is Life.WAITING:
            self.cancel(stream)
        elif stream.life is not Life.NEW:
            self.release(stream)
        stream.backend = backend
        stream.life = Life.NEW
        return self.admit(stream, tables, now)

    def settle(self, waiting: MutableMapping[int, Stream]) -> tuple[list[Stream], list[Stream]]:
        """The doorbell's handler: look at this worker's mail. Returns the streams now served, and those refused.

        `waiting` is what the worker holds, by entry; whose wait is over is taken out of it. At most 200 entries at once:
        more mail rings the own bell again.
        """
        cells, at = self.cells, self.at
        served: list[Stream] = []
        refused: list[Stream] = []
        mail = line.mail(cells, at, self.worker)
        for entry in mail[:_MAIL_BUDGET]:
            row = entry * ENTRY_STRIDE
            stream, server = waiting[entry], cells[at.E_SERVER + row]
            if cells[at.E_STATE + row] == line.REFUSED:
                line.unpost(cells, at, entry)
                line.free(cells, at, entry)
                self._end(stream)
                refused.append(waiting.pop(entry))
            elif line.usable(cells, at, stream.wish, server):
                self._take(stream, entry, server)
                served.append(waiting.pop(entry))
            else:
                repair.take_back(cells, at, entry, self.index)
                self._touched.append(stream.backend)
        if len(mail) > _MAIL_BUDGET:
            self._rings.add(self.worker)
        return served, refused

    def cancel(self, stream: Stream) -> None:
        """A waiting stream ends by itself: its client went away, or its time in the queue is over."""
        cells, at, entry = self.cells, self.at, stream.entry
        row = entry * ENTRY_STRIDE
        state, server = cells[at.E_STATE + row], cells[at.E_SERVER + row]
        if state == line.WAITING:
            line.dequeue(cells, at, entry)
        else:
            line.unpost(cells, at, entry)
        line.free(cells, at, entry)
        if state == line.GIVEN:
            self._freed(server)
        self._end(stream)

    def release(self, stream: Stream) -> None:
        """The exchange is over, or its upstream socket shut down: the slot goes to the next."""
        server = stream.parts()
        self.cells[self._served + server] -= 1
        self._freed(server)
        self._uncount(self.cells[self.at.BACKEND + server])

    # -- what effects ask, without the lock (each reads cells that a commit writes in one store) -----------------------

    def is_over(self, stream: Stream) -> bool:
        """Does the stream belong to a session generation that was shut down?"""
        return stream.life in (_SLOT, _RUNNING) and stream.generation < self.cells[self.at.GENERATION + stream.server]

    def is_barred(self, stream: Stream) -> bool:
        """Does the stream hold a slot, with nothing sent on it, of a server that takes it no more?"""
        return stream.life is _SLOT and not line.usable(self.cells, self.at, stream.wish, stream.server)

    # -- doors of the supervisor ---------------------------------------------------------------------------------------

    def commit(self, revision: commits.Commit) -> None:
        """Make a revision true. This hold does not pump: the supervisor's next ones do, one loop turn apart."""
        commits.commit(self.cells, self.at, revision, self.index)
        self._rings.add(SUPERVISOR)

    def set_aside(self, worker: int) -> None:
        """A worker stands still: what it was given goes to others, and its waiters are passed over until it is back."""
        repair.set_aside(self.cells, self.at, worker, self.index)
        self._rings.add(SUPERVISOR)

    def clear(self, worker: int, budget: int = pump.BUDGET) -> bool:
        """One slice of clearing a worker that is dead by its pidfd. Returns whether that was the last."""
        done = repair.clear(self.cells, self.at, worker, budget)
        self._rings.update(range(self.at.rows(self.cells)))
        self._rings.add(SUPERVISOR)
        return done

    def pump_idle(self, budget: int = pump.BUDGET) -> bool:
        """A hold of the supervisor's own that only pumps. Returns whether anything is left."""
        cells, at = self.cells, self.at
        for backend in range(cells[at.BACKENDS]):
            if cells[at.STALE + backend]:
                budget -= self._pump.renew(cells, backend, budget)
                if budget <= 0 or cells[at.STALE + backend]:
                    return True
            if cells[at.BEWAITING + backend] and self._pump.run(cells, backend, budget):
                return True
        return False

    def is_removable(self, server: int) -> bool:
        """Does nobody hold, wait for or list this server, and keep no connection to it? Only then may its number be used again.

        While a worker is aside some of its waiters are in no queue, so nobody can say.
        """
        cells, at = self.cells, self.at
        held = 0
        for worker in range(at.rows(cells)):
            if cells[at.ASIDE + worker]:
                return False
            held += cells[at.served(worker, server)] + cells[at.idle(worker, server)]
        waiting = line.queued(cells, at, server) + cells[at.TOTAL + server]
        return not (held or waiting or cells[at.MOVE_NEXT + server] or cells[at.GIVE_NEXT + server])

    # -- inside ---------------------------------------------------------------------------------------------------------

    def _decide(self, stream: Stream, backend: int) -> Admission:
        """A slot, an entry or a refusal, for a stream that owns nothing. Bounded: at most one wish is dropped (I6)."""
        cells, at, wish = self.cells, self.at, stream.wish
        if (
            wish == NOBODY
            and not (cells[at.BEWAITING + backend] or cells[at.STALE + backend])
            and cells[at.IN_ROTATION + backend]
        ):
            # what follows, for almost every stream: it may go anywhere, nobody waits, the index is whole
            server = self.index.choose(cells, backend, stream.avoid, self._room, self.draw)
            if server >= 0:
                return self._serve(stream, server)
            return self._wait(stream, at.backend_queue(backend), look=False)
        pumping = pump.pumping(cells, at, backend)
        if wish <= HASHED:
            server = self.index.target(cells, backend, HASHED - wish, stream.avoid, self._room)
            wish = NOBODY if server < 0 else 2 * server + 1
        if line.wish_counts(cells, at, wish, backend):
            server = line.owner(at, wish)
            if not pumping and self.room(server):
                return self._serve(stream, server)
            if not self._own_queue_full(server):
                return self._wait(stream, wish, look=pumping)
            if not stream.redispatch or stream.wish <= HASHED:
                stream.server = server  # not a slot of it: who tells of the refusal names it
                return self._refuse(stream, Admission.FULL)
            stream.wish = NOBODY
        if not cells[at.IN_ROTATION + backend]:
            return self._refuse(stream, Admission.NOSRV)
        shared = at.backend_queue(backend)
        # With the pump at rest, whoever waits proves that nobody has room: then no server needs to be looked at.
        if not pumping and line.head(cells, at, shared) < 0 and self._is_whole(backend):
            server = self.choose(backend, stream.avoid)
            if server >= 0:
                return self._serve(stream, server)
        return self._wait(stream, shared, look=pumping or cells[at.STALE + backend] > 0)

    def _is_whole(self, backend: int) -> bool:
        """May the index be trusted? One that may not is made anew first, as far as a hold may take."""
        stale = self.at.STALE + backend
        if self.cells[stale]:
            self.index.renew(self.cells, backend, self.index.slice)
        return not self.cells[stale]

    def _own_queue_full(self, server: int) -> bool:
        cells, at = self.cells, self.at
        most = cells[at.MAXQUEUE + server]
        return 0 < most <= line.queued(cells, at, server)

    def _serve(self, stream: Stream, server: int) -> Admission:
        """Reserve a slot and hand it over: the worker's own row is the one store that counts."""
        cells, at = self.cells, self.at
        cells[self._served + server] += 1
        total = self.index.take(cells, server)
        most = self._most_served + server * COUNTERS
        if total > cells[most]:
            cells[most] = total
        stream.takes(server, cells[at.GENERATION + server])
        return _ADMITTED

    def _wait(self, stream: Stream, queue: int, look: bool) -> Admission:
        """Take a place in a queue; `look`: there may be room, for the pump to find. With the pool used up it is as a full queue."""
        cells, at = self.cells, self.at
        entry = line.take_free(cells, at)
        if entry < 0:
            return self._refuse(stream, Admission.FULL)
        line.fill(cells, at, entry, self.worker, stream, queue)
        self._note_position(stream, queue)
        line.enqueue(cells, at, entry)
        if look:
            self._pump.list_room(cells, entry)
            self._touched.append(stream.backend)
        stream.entry = entry
        stream.life = Life.WAITING
        return Admission.WAITING

    def _note_position(self, stream: Stream, queue: int) -> None:
        """Its place in the queue it comes to, the first one being 1 (%sq, %bq of the log)."""
        place = self.cells[self.at.QUEUE_LENGTH + queue] + 1
        if line.owner(self.at, queue) >= 0:
            stream.position_server = place
        else:
            stream.position_backend = place

    def _take(self, stream: Stream, entry: int, server: int) -> None:
        """The slot of a GIVEN entry becomes the worker's: its row first, then the entry is free."""
        cells, at = self.cells, self.at
        cells[at.served(self.worker, server)] += 1
        line.unpost(cells, at, entry)
        line.free(cells, at, entry)
        most = at.server_counters(at.departed, server) + C.SMAX
        if cells[at.TOTAL + server] > cells[most]:
            cells[most] = cells[at.TOTAL + server]
        stream.entry = NOBODY
        stream.takes(server, cells[at.GENERATION + server])

    def _give_back(self, stream: Stream) -> None:
        server = stream.server
        self.cells[self._served + server] -= 1
        stream.life = Life.NEW
        stream.server = NOBODY
        self._freed(server)

    def _freed(self, server: int) -> None:
        """One slot less in use; whoever waits is looked at before this hold ends."""
        cells, at = self.cells, self.at
        self.index.give_back(cells, server)
        backend = cells[at.BACKEND + server]
        if cells[at.BEWAITING + backend]:
            pump.list_give(cells, at, backend, server)
            self._touched.append(backend)

    def _refuse(self, stream: Stream, why: Admission) -> Admission:
        self._end(stream)
        return why

    def _count(self, backend: int) -> None:
        """The stream belongs to its backend from here to its end: fullconn and minconn go by this number."""
        cells, at = self.cells, self.at
        cells[self._beconn + backend] += 1
        total = cells[at.BETOTAL + backend] + 1
        cells[at.BETOTAL + backend] = total
        most = self._most_streams + backend * COUNTERS
        if total > cells[most]:
            cells[most] = total
        if cells[at.BEWAITING + backend] and cells[at.DYNAMIC_LIMITS + backend]:
            # One stream more may raise dynamic limits: those who wait come before this one.
            pump.list_all(cells, at, backend)
            self._touched.append(backend)

    def _end(self, stream: Stream) -> None:
        stream.life = Life.ENDED
        stream.entry = NOBODY
        if stream.counted:
            stream.counted = False
            self._uncount(stream.backend)

    def _uncount(self, backend: int) -> None:
        cells, at = self.cells, self.at
        cells[self._beconn + backend] -= 1
        cells[at.BETOTAL + backend] -= 1
