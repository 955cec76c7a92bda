"""Rules left out one at a time: what a builder of such a proxy may get wrong. The exploration must stop every one.

A mutant is a function that changes the core in place, for one process: each is explored in a process of its own. Its
docstring says which rule is missing. The first is the bug that this project grew from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dataplane.core import commit as commits
from dataplane.core import heap, line, pump, repair
from dataplane.core.layout import ENTRY_STRIDE, NOBODY
from dataplane.core.plane import Plane
from dataplane.core.pump import Pump
from dataplane.core.stream import Admission, Life
from tests.exhaustive import explore
from tests.exhaustive.explore import Explorer
from tests.exhaustive.world import DEAD

MUTANTS: dict[str, Callable[[], None]] = {}


ENDS_IN: dict[str, str] = {}
"""The world in which a mutant ends soonest, which is looked at first: a guess that is wrong costs time, not truth."""


def mutant(ends_in: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a mutant under its name."""

    def register(change: Callable[[], None]) -> Callable[[], None]:
        MUTANTS[change.__name__], ENDS_IN[change.__name__] = change, ends_in
        return change

    return register


def put(owner: Any, name: str, value: Any) -> Any:
    """Replace a rule; returns the right one."""
    right = getattr(owner, name)
    setattr(owner, name, value)
    return right


# -- the queue and the pump ---------------------------------------------------------------------------------------------


@mutant('flip')
def forget_the_backend_queue() -> None:
    """The last usable server leaves: its own queue is refused, the backend's queue is not flushed."""
    step = Pump._step

    def forgetful(self: Pump, cells: Any, backend: int, budget: int) -> int:
        rotation = self.at.IN_ROTATION + backend
        empty = not cells[rotation]
        if empty:
            list.__setitem__(cells, rotation, 1)
        cost = step(self, cells, backend, budget)
        if empty:
            list.__setitem__(cells, rotation, 0)
        return cost

    put(Pump, '_step', forgetful)


@mutant('hash')
def give_blindly() -> None:
    """A slot is given to the oldest, whatever state the server is in."""

    def heir(self: Pump, cells: Any, server: int) -> int:
        at = self.at
        if not self._room(server):
            return -1
        entry = self._older(cells, line.head(cells, at, 2 * server), line.head(cells, at, 2 * server + 1))
        return self._older(cells, entry, line.head(cells, at, at.backend_queue(0)))

    put(Pump, 'heir', heir)


@mutant('kill')
def pump_lost() -> None:
    """After a death nothing is on the pump's lists."""
    rebuild = repair.rebuild

    def quiet(cells: Any, at: Any, beat: Any = None) -> None:
        right = put(pump, 'list_all', lambda *_: None)
        rebuild(cells, at, beat)
        put(pump, 'list_all', right)

    put(repair, 'rebuild', quiet)


@mutant('flip')
def nobody_pumps() -> None:
    """The supervisor does not come with holds of its own."""
    put(Plane, 'pump_idle', lambda self, budget=1: False)


@mutant('sweep-one')
def queue_and_forget() -> None:
    """Whoever queues or is moved while a server has room does not put it on the list."""
    put(Pump, 'list_room', lambda self, cells, entry: None)


@mutant('return')
def give_before_move() -> None:
    """A release gives its slot at once, while older waiters have not been moved off a server that left."""
    freed = Plane._freed

    def eager(self: Plane, server: int) -> None:
        freed(self, server)
        entry = self._pump.heir(self.cells, server)
        if entry >= 0:
            self._pump.give(self.cells, entry, server)

    put(Plane, '_freed', eager)


@mutant('sweep')
def backend_first() -> None:
    """The backend's queue is served before the server's own, whoever is older."""
    heir = Pump.heir

    def partial(self: Pump, cells: Any, server: int) -> int:
        own = heir(self, cells, server)
        shared = line.head(cells, self.at, self.at.backend_queue(0))
        return shared if own >= 0 and shared >= 0 and cells[self.at.ROTA + server] == 2 else own

    put(Pump, 'heir', partial)


@mutant('moved')
def moved_to_the_end() -> None:
    """A moved entry gets a new key."""
    move = Pump.move

    def late(self: Pump, cells: Any, entry: int) -> None:
        row = self.at.E_SEQ + entry * ENTRY_STRIDE
        line.dequeue(cells, self.at, entry)
        cells[row] = cells[self.at.SEQUENCE]
        cells[self.at.SEQUENCE] += 1
        move(self, cells, entry)

    put(Pump, 'move', late)


@mutant('farm')
def keep_the_old_target() -> None:
    """Redistribution leaves an entry in the queue of the server that left."""

    def stay(self: Pump, cells: Any, entry: int) -> None:
        line.dequeue(cells, self.at, entry)
        line.enqueue(cells, self.at, entry)

    put(Pump, 'move', stay)


@mutant('sweep-one')
def newcomer_overtakes() -> None:
    """A newcomer takes room while the pump is at work."""
    put(pump, 'pumping', lambda cells, at, backend: False)
    put(Pump, 'run', _pump_anyway)


def _pump_anyway(self: Pump, cells: Any, backend: int, budget: int) -> bool:
    while cells[self.at.BEWAITING + backend] and pump._listed(cells, self.at, backend):
        if not budget:
            return True
        budget -= self._step(cells, backend, budget)
    return False


@mutant('long')
def heap_forgets_siblings() -> None:
    """Taking an entry out of the middle of a queue loses those beside it."""
    remove = heap.remove

    def careless(cells: Any, at: Any, root: int, entry: int) -> None:
        following = cells[at.E_NEXT + entry * ENTRY_STRIDE]
        if cells[at.E_PREV + entry * ENTRY_STRIDE] and following:
            cells[at.E_NEXT + entry * ENTRY_STRIDE] = 0
        remove(cells, at, root, entry)

    put(heap, 'remove', careless)


@mutant('long')
def wake_without_reserving() -> None:
    """A waiter is awoken and the slot is not counted until it comes."""
    give, take = Pump.give, Plane._take

    def unreserved(self: Pump, cells: Any, entry: int, server: int) -> None:
        give(self, cells, entry, server)
        cells[self.at.TOTAL + server] -= 1

    def late(self: Plane, stream: Any, entry: int, server: int) -> None:
        self.cells[self.at.TOTAL + server] += 1
        take(self, stream, entry, server)

    put(Pump, 'give', unreserved)
    put(Plane, '_take', late)


@mutant('long')
def drop_the_doorbell() -> None:
    """A slot is given and nobody rings."""
    give = Pump.give

    def silent(self: Pump, cells: Any, entry: int, server: int) -> None:
        before = set(self._rings)
        give(self, cells, entry, server)
        self._rings.intersection_update(before)

    put(Pump, 'give', silent)


# -- doors of a worker ------------------------------------------------------------------------------------------------------


@mutant('least-kill')
def state_first() -> None:
    """A new entry's state is written before its other cells."""
    fill = line.fill

    def hasty(cells: Any, at: Any, entry: int, *rest: Any) -> None:
        cells[at.E_STATE + entry * ENTRY_STRIDE] = line.WAITING
        fill(cells, at, entry, *rest)

    put(line, 'fill', hasty)


@mutant('least-kill')
def given_first() -> None:
    """The state GIVEN is written before the server."""
    give = Pump.give

    def hasty(self: Pump, cells: Any, entry: int, server: int) -> None:
        cells[self.at.E_STATE + entry * ENTRY_STRIDE] = line.GIVEN
        give(self, cells, entry, server)

    put(Pump, 'give', hasty)


@mutant('random')
def take_blindly() -> None:
    """A GIVEN slot is taken without looking at its server again."""
    settle = Plane.settle

    def blind(self: Plane, waiting: Any) -> Any:
        right = put(line, 'usable', lambda cells, at, wish, server: True)
        out = settle(self, waiting)
        put(line, 'usable', right)
        return out

    put(Plane, 'settle', blind)


@mutant('long')
def keep_on_cancel() -> None:
    """A cancelled GIVEN entry's slot is not given on."""
    freed = Plane._freed

    def cancel(self: Plane, stream: Any, right: Any = Plane.cancel) -> None:
        put(Plane, '_freed', _freed_quietly)
        right(self, stream)
        put(Plane, '_freed', freed)

    put(Plane, 'cancel', cancel)


@mutant('long')
def slot_not_returned_on_cancel() -> None:
    """A cancelled GIVEN entry's slot stays counted."""
    freed = Plane._freed

    def cancel(self: Plane, stream: Any, right: Any = Plane.cancel) -> None:
        put(Plane, '_freed', lambda self, server: None)
        right(self, stream)
        put(Plane, '_freed', freed)

    put(Plane, 'cancel', cancel)


@mutant('long')
def length_not_decremented_on_timeout() -> None:
    """A waiter that gives up leaves the length of its queue as it was."""

    def cancel(self: Plane, stream: Any, right: Any = Plane.cancel) -> None:
        row = stream.entry * ENTRY_STRIDE
        queue = self.cells[self.at.E_QUEUE + row]
        linked = self.cells[self.at.E_LINKED + row]
        right(self, stream)
        self.cells[self.at.QUEUE_LENGTH + queue] += linked

    put(Plane, 'cancel', cancel)


@mutant('long')
def release_quietly() -> None:
    """A release does not give the slot on."""
    put(Plane, '_freed', _freed_quietly)


def _freed_quietly(self: Plane, server: int) -> None:
    self.cells[self.at.TOTAL + server] -= 1


@mutant('long')
def used_is_served() -> None:
    """Slots in use are those taken, without those given and not yet taken."""
    room = Plane.room

    def generous(self: Plane, server: int) -> bool:
        cells, at = self.cells, self.at
        given = sum(
            cells[at.E_STATE + row] == line.GIVEN and cells[at.E_SERVER + row] == server
            for row in range(0, at.entries * ENTRY_STRIDE, ENTRY_STRIDE)
        )
        cells[at.TOTAL + server] -= given
        out = room(self, server)
        cells[at.TOTAL + server] += given
        return out

    put(Plane, 'room', generous)


@mutant('tables')
def route_not_checked() -> None:
    """A joiner decides early: under tables that are not the board's."""
    admit = Plane.admit
    put(Plane, 'admit', lambda self, stream, tables, now: admit(self, stream, self.cells[self.at.TABLES], now))


# -- revisions ----------------------------------------------------------------------------------------------------------------


@mutant('flip')
def commit_quietly() -> None:
    """A commit puts nobody on the pump's lists."""
    commit = commits.commit

    def quiet(cells: Any, at: Any, revision: Any, index: Any) -> None:
        one, several = put(pump, 'list_server', lambda *_: None), put(pump, 'list_anew', lambda *_: None)
        commit(cells, at, revision, index)
        put(pump, 'list_server', one)
        put(pump, 'list_anew', several)

    put(commits, 'commit', quiet)


@mutant('flip')
def keep_undispatched() -> None:
    """Effects leave slots reserved on a server that left."""
    put(Plane, 'is_barred', lambda self, stream: False)


@mutant('flip')
def sessions_survive() -> None:
    """Effects do not end the sessions of an older generation."""
    put(Plane, 'is_over', lambda self, stream: False)


# -- workers that stop or die ---------------------------------------------------------------------------------------------


@mutant('kill')
def rebuild_nothing() -> None:
    """After a death the lock is made consistent and nothing is rebuilt."""
    put(repair, 'rebuild', lambda cells, at, beat=None: None)


@mutant('kill-two')
def rows_cleared_by_the_next_owner() -> None:
    """The rows of the dead are zeroed at EOWNERDEAD, before the pidfd says that their sockets are closed."""
    inside = Explorer._inside

    def early(self: Explorer, n: Any, one: Any, act: Any, log: Any, *, pumps: bool) -> Any:
        if n.torn:
            for v in range(self.w.workers):
                if n.alive[v] == DEAD:
                    n.cells[self.at.served(v, 0) : self.at.served(v, 0) + self.at.servers] = [0] * self.at.servers
        return inside(self, n, one, act, log, pumps=pumps)

    put(explore.Explorer, '_inside', early)


@mutant('least-kill')
def clear_silently() -> None:
    """Clearing a dead worker rings nobody."""

    def silent(self: Plane, worker: int, budget: int = 1) -> bool:
        return repair.clear(self.cells, self.at, worker, budget)

    put(Plane, 'clear', silent)


@mutant('least-kill')
def clear_rows_only() -> None:
    """Clearing forgets the entries of the dead."""
    clear = repair.clear

    def rows(cells: Any, at: Any, worker: int, budget: int) -> bool:
        row = [at.E_STATE + e * ENTRY_STRIDE for e in range(at.entries)]
        kept = [
            (c, cells[c]) for e, c in enumerate(row) if cells[at.E_WORKER + e * ENTRY_STRIDE] == worker and cells[c]
        ]
        clear(cells, at, worker, at.entries)
        for cell, state in kept:
            cells[cell] = state
        cells[at.HIGH_WATER] = at.entries
        repair.rebuild(cells, at)
        return True

    put(repair, 'clear', rows)


@mutant('least-kill')
def list_own_slots_only() -> None:
    """Clearing lists only the servers whose slots the dead worker held."""
    clear = repair.clear

    def own(cells: Any, at: Any, worker: int, budget: int) -> bool:
        held = [s for s in range(at.servers) if cells[at.served(worker, s)]]
        right = put(pump, 'list_all', lambda *_: None)
        done = clear(cells, at, worker, budget)
        put(pump, 'list_all', right)
        for server in held:
            pump.list_give(cells, at, 0, server)
        return done

    rebuild = repair.rebuild

    def quiet(cells: Any, at: Any, beat: Any = None) -> None:
        right = put(pump, 'list_all', lambda *_: None)
        rebuild(cells, at, beat)
        put(pump, 'list_all', right)

    put(repair, 'clear', own)
    put(repair, 'rebuild', quiet)


@mutant('stop')
def aside_keeps() -> None:
    """A worker is set aside and keeps what it was given."""

    def keep(cells: Any, at: Any, worker: int, index: Any) -> None:
        cells[at.ASIDE + worker] = 1

    put(repair, 'set_aside', keep)


@mutant('return-die')
def back_to_the_head() -> None:
    """What a standing worker was given is taken back without marking it, so it is the head again and given to again."""
    aside = repair.set_aside

    def unmarked(cells: Any, at: Any, worker: int, index: Any) -> None:
        aside(cells, at, worker, index)
        cells[at.ASIDE + worker] = 0
        repair.rebuild(cells, at)

    put(repair, 'set_aside', unmarked)


@mutant('stop')
def never_back() -> None:
    """A worker that goes on does not have the servers of its waiters looked at again."""
    back = repair.back

    def quiet(cells: Any, at: Any, worker: int, budget: int) -> None:
        right = put(pump, 'list_entry', lambda *_: None)
        back(cells, at, worker, budget)
        put(pump, 'list_entry', right)

    put(repair, 'back', quiet)


@mutant('stop')
def waiters_not_back() -> None:
    """A worker that goes on does not put its waiters back in the order."""

    def clear_mark(cells: Any, at: Any, worker: int, budget: int) -> None:
        cells[at.ASIDE + worker] = 0

    put(repair, 'back', clear_mark)


@mutant('return-slice')
def back_after_one_slice() -> None:
    """A worker that goes on is taken for back after its first slice."""
    back = repair.back

    def hasty(cells: Any, at: Any, worker: int, budget: int) -> None:
        back(cells, at, worker, budget)
        cells[at.ASIDE + worker] = 0

    put(repair, 'back', hasty)


@mutant('pool')
def served_twice() -> None:
    """A slot taken back is served to the stream although its entry waits again."""
    settle = Plane.settle

    def twice(self: Plane, waiting: Any) -> Any:
        before = dict(waiting)
        out = settle(self, waiting)
        for entry, stream in before.items():
            row = entry * ENTRY_STRIDE
            if stream.life is Life.WAITING and self.cells[self.at.E_SERVER + row] >= 0:
                self.cells[self.at.served(self.worker, self.cells[self.at.E_SERVER + row])] += 1
        return out

    put(Plane, 'settle', twice)


@mutant('flip')
def never_refused() -> None:
    """With nobody in rotation a newcomer queues all the same."""
    decide = Plane._decide

    def stubborn(self: Plane, stream: Any, backend: int) -> Admission:
        if not self.cells[self.at.IN_ROTATION + backend]:
            return self._wait(stream, self.at.backend_queue(backend), look=True)
        return decide(self, stream, backend)

    put(Plane, '_decide', stubborn)


@mutant('forced')
def forget_the_forced() -> None:
    """A server out of rotation serves nobody, not even those who are forced on it."""
    heir = Pump.heir

    def strict(self: Pump, cells: Any, server: int) -> int:
        return NOBODY if cells[self.at.ROTA + server] <= 0 else heir(self, cells, server)

    put(Pump, 'heir', strict)


@mutant('forced-gone')
def leave_the_forced_behind() -> None:
    """Who is forced on a server that is gone goes on waiting for it."""
    stray = Pump.stray

    def kept(self: Pump, cells: Any, server: int) -> int:
        entry = stray(self, cells, server)
        queue = cells[self.at.E_QUEUE + entry * ENTRY_STRIDE]
        return NOBODY if entry >= 0 and queue >= self.at.forced else entry

    put(Pump, 'stray', kept)
