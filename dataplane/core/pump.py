"""The pump: who must leave a queue leaves it, who can be given a slot is given it; every hold but a commit's ends with it.

Per backend there is a list of servers whose own queue may hold somebody who must leave (MOVE), a list of servers that may
have room to give (GIVE), for each a sweep over all servers of the backend, and one mark (RECHECK) for its backend queue.
All of it is derived and may name too much, never too little. What holds between holds, whatever was on the lists:

  a backend that is not `pumping` has nobody waiting for room and nobody waiting for a server that left.

Moves come before gives, so that nobody is given a slot while an older waiter has not yet reached the queue it belongs in.
Leaving is one store: the queue cell (moved with its old key) or the state (REFUSED). Giving is two: the server first, then
the state GIVEN. Entries that wait in the backend's queue may take any server in rotation, so who serves them is asked of
the balancer, once per entry, instead of looking at every server.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence

from dataplane.core import heap, line
from dataplane.core.index import Index
from dataplane.core.layout import ENTRY_STRIDE, NOBODY, Layout, Rota
from dataplane.core.stream import HASHED

BUDGET = 100
"""Steps of one hold. A step is 3-8 us here, so a hold that pumps stays below 1 ms."""

_MADE_PER_STEP = 8
"""A leaf or node of an index that is made anew takes 0.6-2.2 us: that many are a step or two."""

GONE, OUT, PERSISTENT, IN = (int(rota) for rota in Rota)


def list_server(cells: MutableSequence[int], at: Layout, server: int) -> None:
    """This server changed: look at who must leave it and at who can be given its room, if anybody waits at all."""
    backend = cells[at.BACKEND + server]
    if not cells[at.BEWAITING + backend]:
        return
    cells[at.RECHECK + backend] = 1
    list_move(cells, at, backend, server)
    list_give(cells, at, backend, server)


def list_move(cells: MutableSequence[int], at: Layout, backend: int, server: int) -> None:
    """Somebody in the server's own queue may have to leave it."""
    _append(cells, at.MOVE_NEXT, at.MOVE_HEAD + backend, at.MOVE_TAIL + backend, server)


def list_give(cells: MutableSequence[int], at: Layout, backend: int, server: int) -> None:
    """The server may have room."""
    _append(cells, at.GIVE_NEXT, at.GIVE_HEAD + backend, at.GIVE_TAIL + backend, server)


def list_all(cells: MutableSequence[int], at: Layout, backend: int) -> None:
    """All servers of a backend are to be looked at: two sweeps instead of as many list entries.

    A sweep under way is not begun again but goes once round from where it is, so that asking often starves nobody.
    """
    if not cells[at.BEWAITING + backend]:
        return
    first = cells[at.FIRST_SERVER + backend]
    cells[at.MOVE_SWEEP + backend] = cells[at.MOVE_END + backend] = cells[at.MOVE_SWEEP + backend] or first
    cells[at.GIVE_SWEEP + backend] = cells[at.GIVE_END + backend] = cells[at.GIVE_SWEEP + backend] or first
    cells[at.RECHECK + backend] = 1


def list_anew(cells: MutableSequence[int], at: Layout, backend: int) -> None:
    """The chain of a backend's servers may have changed: a sweep under way begins again, since its place may be gone."""
    cells[at.MOVE_SWEEP + backend] = cells[at.GIVE_SWEEP + backend] = 0
    list_all(cells, at, backend)


def list_entry(cells: MutableSequence[int], at: Layout, entry: int) -> None:
    """An entry is in a queue again after it was in none: whoever it may use, or must leave, is looked at."""
    row = entry * ENTRY_STRIDE
    queue = cells[at.E_QUEUE + row]
    cells[at.RECHECK + cells[at.E_BACKEND + row]] = 1
    server = line.owner(at, queue)
    if server >= 0:
        list_server(cells, at, server)


def pumping(cells: MutableSequence[int], at: Layout, backend: int) -> bool:
    """Is something left to pump? Where nobody waits, no: what the lists may still name does not matter."""
    return cells[at.BEWAITING + backend] > 0 and _listed(cells, at, backend)


def _listed(cells: MutableSequence[int], at: Layout, backend: int) -> bool:
    return (
        cells[at.RECHECK + backend] > 0
        or cells[at.GIVE_HEAD + backend] > 0
        or cells[at.MOVE_HEAD + backend] > 0
        or cells[at.GIVE_SWEEP + backend] > 0
        or cells[at.MOVE_SWEEP + backend] > 0
    )


class Pump:
    """The pump of one process, over the cells it is given in `run`. `rings` collects the workers to ring after the hold."""

    def __init__(
        self,
        at: Layout,
        room: Callable[[int], bool],
        choose: Callable[[int, int], int],
        index: Index,
        rings: set[int],
    ) -> None:
        self.at = at
        self._room = room
        self._choose = choose
        self._index = index
        self._rings = rings

    def run(self, cells: MutableSequence[int], backend: int, budget: int) -> bool:
        """Pump until there is nothing left or the budget is used. Returns whether something is left."""
        while pumping(cells, self.at, backend):
            if budget <= 0:
                return True
            budget -= self._step(cells, backend, budget)
        if not cells[self.at.BEWAITING + backend] and _listed(cells, self.at, backend):
            self._forget(cells, backend)
        return False

    def _forget(self, cells: MutableSequence[int], backend: int) -> None:
        """Nobody waits any more: the lists, which may name too much, name nobody."""
        at = self.at
        cells[at.RECHECK + backend] = cells[at.MOVE_SWEEP + backend] = cells[at.GIVE_SWEEP + backend] = 0
        while cells[at.MOVE_HEAD + backend]:
            _pop(cells, at.MOVE_NEXT, at.MOVE_HEAD + backend, at.MOVE_TAIL + backend)
        while cells[at.GIVE_HEAD + backend]:
            _pop(cells, at.GIVE_NEXT, at.GIVE_HEAD + backend, at.GIVE_TAIL + backend)

    def _step(self, cells: MutableSequence[int], backend: int, budget: int) -> int:
        """One look: pass over, move or give to one entry, or take one name off the lists. Returns what it cost of the budget."""
        at, shared = self.at, self.at.backend_queue(backend)
        server = self._next(cells, at.MOVE_HEAD + backend, at.MOVE_SWEEP + backend)
        if server >= 0:
            if self._pass_over(cells, server):
                return 1
            if (entry := self.stray(cells, server)) >= 0:
                self.move(cells, entry)
            else:
                self._drop_move(cells, backend)
            return 1
        if line.pass_over(cells, at, shared):
            return 1
        if not cells[at.IN_ROTATION + backend] and (entry := line.head(cells, at, shared)) >= 0:
            self.move(cells, entry)
            return 1
        server = self._next(cells, at.GIVE_HEAD + backend, at.GIVE_SWEEP + backend)
        if server >= 0:
            if self._pass_over(cells, server):
                return 1
            if (entry := self.heir(cells, server)) >= 0:
                self.give(cells, entry, server)
            else:
                self._drop_give(cells, backend)
            return 1
        return self._recheck(cells, backend, budget)

    def _pass_over(self, cells: MutableSequence[int], server: int) -> bool:
        """Take a head out of the server's own queues whose worker is aside. Returns whether there was one."""
        at = self.at
        return (
            line.pass_over(cells, at, 2 * server)
            or line.pass_over(cells, at, 2 * server + 1)
            or line.pass_over(cells, at, at.forced + server)
        )

    def renew(self, cells: MutableSequence[int], backend: int, budget: int) -> int:
        """Go on with an index that is to be made anew. Returns what it cost of the budget."""
        return 1 + self._index.renew(cells, backend, min(self._index.slice, _MADE_PER_STEP * budget)) // _MADE_PER_STEP

    def _recheck(self, cells: MutableSequence[int], backend: int, budget: int) -> int:
        """The backend's queue against all servers: give, or take the mark away. Own queues' heads of the server come first."""
        at = self.at
        if line.head(cells, at, at.backend_queue(backend)) >= 0 and cells[at.STALE + backend]:
            return self.renew(cells, backend, budget)
        if line.head(cells, at, at.backend_queue(backend)) < 0 or (server := self._choose(backend, NOBODY)) < 0:
            cells[at.RECHECK + backend] = 0
        elif not self._pass_over(cells, server):
            self.give(cells, self.heir(cells, server), server)
        return 1

    def stray(self, cells: MutableSequence[int], server: int) -> int:
        """The oldest entry of the server's own queues that may not wait there any more, or NOBODY."""
        rota = cells[self.at.ROTA + server]
        if rota == IN:
            return NOBODY
        entry = line.head(cells, self.at, 2 * server + 1)
        if rota != PERSISTENT:
            entry = self._older(cells, line.head(cells, self.at, 2 * server), entry)
        if rota == GONE:
            entry = self._older(cells, line.head(cells, self.at, self.at.forced + server), entry)
        return entry

    def heir(self, cells: MutableSequence[int], server: int) -> int:
        """Who gets the next slot of a server: the older head of its own queues and, in rotation, of its backend's; own on ties."""
        rota = cells[self.at.ROTA + server]
        if rota == GONE or not self._room(server):
            return NOBODY
        entry = line.head(cells, self.at, self.at.forced + server)
        if rota == OUT:
            return entry
        entry = self._older(cells, entry, line.head(cells, self.at, 2 * server))
        if rota == IN:
            entry = self._older(cells, entry, line.head(cells, self.at, 2 * server + 1))
            entry = self._older(
                cells, entry, line.head(cells, self.at, self.at.backend_queue(cells[self.at.BACKEND + server]))
            )
        return entry

    def _older(self, cells: MutableSequence[int], one: int, other: int) -> int:
        if one < 0 or other < 0:
            return max(one, other)
        return other if heap.before(cells, self.at, other, one) else one

    def move(self, cells: MutableSequence[int], entry: int) -> None:
        """Decide again an entry that cannot stay: to the queue it belongs in, with its old key, or refused. One store each way."""
        at, row = self.at, entry * ENTRY_STRIDE
        line.dequeue(cells, at, entry)
        wish, backend = cells[at.E_WISH + row], cells[at.E_BACKEND + row]
        if wish <= HASHED:
            server = self._index.target(cells, backend, HASHED - wish, NOBODY, self._room)
            queue = at.backend_queue(backend) if server < 0 else 2 * server + 1
        else:
            queue = line.queue_of(cells, at, entry)
        if line.owner(at, queue) >= 0 or cells[at.IN_ROTATION + backend]:
            cells[at.E_QUEUE + row] = queue
            line.enqueue(cells, at, entry)
            self.list_room(cells, entry)
        else:
            cells[at.E_STATE + row] = line.REFUSED
            line.post(cells, at, entry)
            self._rings.add(cells[at.E_WORKER + row])

    def give(self, cells: MutableSequence[int], entry: int, server: int) -> None:
        """Reserve a slot for a waiting entry; the state is the store that counts, and only then is anybody awoken."""
        at, row = self.at, entry * ENTRY_STRIDE
        line.dequeue(cells, at, entry)
        self._index.take(cells, server)
        cells[at.E_SERVER + row] = server
        cells[at.E_STATE + row] = line.GIVEN
        line.post(cells, at, entry)
        self._rings.add(cells[at.E_WORKER + row])

    def list_room(self, cells: MutableSequence[int], entry: int) -> None:
        """An entry came to a queue: whoever it may use is looked at again before newcomers may pass it."""
        at, row = self.at, entry * ENTRY_STRIDE
        queue, backend = cells[at.E_QUEUE + row], cells[at.E_BACKEND + row]
        server = line.owner(at, queue)
        if server >= 0:
            list_give(cells, at, backend, server)
        else:
            cells[at.RECHECK + backend] = 1

    def _next(self, cells: MutableSequence[int], head: int, sweep: int) -> int:
        return (cells[head] or cells[sweep]) - 1

    def _drop_move(self, cells: MutableSequence[int], backend: int) -> None:
        """The server looked at has nobody who must leave: off the list, or on with the sweep."""
        at = self.at
        if cells[at.MOVE_HEAD + backend]:
            _pop(cells, at.MOVE_NEXT, at.MOVE_HEAD + backend, at.MOVE_TAIL + backend)
        else:
            self._advance(cells, backend, at.MOVE_SWEEP + backend, at.MOVE_END + backend)

    def _drop_give(self, cells: MutableSequence[int], backend: int) -> None:
        """The server looked at is full, or has nobody to give to: off the list, or on with the sweep."""
        at = self.at
        if cells[at.GIVE_HEAD + backend]:
            _pop(cells, at.GIVE_NEXT, at.GIVE_HEAD + backend, at.GIVE_TAIL + backend)
        else:
            self._advance(cells, backend, at.GIVE_SWEEP + backend, at.GIVE_END + backend)

    def _advance(self, cells: MutableSequence[int], backend: int, sweep: int, end: int) -> None:
        following = cells[self.at.NEXT_SERVER + cells[sweep] - 1] or cells[self.at.FIRST_SERVER + backend]
        cells[sweep] = 0 if following == cells[end] else following


def _append(cells: MutableSequence[int], column: int, head: int, tail: int, server: int) -> None:
    """Put a server at the end of a list unless it is on it. The column's cell: 0 not listed, 1 last, index + 2 followed by index."""
    if cells[column + server]:
        return
    cells[column + server] = 1
    last = cells[tail]
    if last:
        cells[column + last - 1] = server + 2
    else:
        cells[head] = server + 1
    cells[tail] = server + 1


def _pop(cells: MutableSequence[int], column: int, head: int, tail: int) -> None:
    first = cells[head]
    following = cells[column + first - 1] - 1
    cells[column + first - 1] = 0
    cells[head] = following
    if not following:
        cells[tail] = 0
