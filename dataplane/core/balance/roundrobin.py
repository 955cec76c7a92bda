"""`balance roundrobin`: HAProxy's weighted round robin, in the same order, for equal and for unequal weights.

Time is counted in picks. A server of weight w among a total W is due every W / w picks; the remainder of that division is
carried along, so that over a cycle of W picks everybody gets its weight, give or take one pick. Per backend there are three sets:

    due      those that were picked in this cycle and are due again in it, by the pick they are due at
    fresh    those not picked yet in this cycle, heaviest first
    later    those that had all their picks of this cycle, heaviest first: the fresh ones of the next cycle

Each pick takes who is due now; else a fresh one; else who is due first. With neither the next cycle begins. A server that is
picked but full (or to be avoided) is put back as if it had been served, except when the cycle ended meanwhile: then it is
fresh. Equals go in the order they were put in; at first that is the order of the configuration. Where nobody has room
nothing moves: HAProxy, too, does not run its algorithm while a queue says that all are full.

Cells, all derived. A server: FWRR_TREE its set, who owns it and when it was put in (0: in none); FWRR_NPOS the pick it is
due at; FWRR_LPOS the one before; FWRR_REST the remainder and the weight all this was computed for. The backend: FWRR_POS the
pick that is next; FWRR_WEIGHT the cycle's length (0: never begun); FWRR_CYCLE its parity, which says what of FWRR_TREE is
fresh and what later; CURSOR the number of the next put. A commit changes weights and rotation without telling, so a pick
begins with looking for servers that came, left, or weigh something else. Manual: `balance`, `weight`.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence, Sequence
from heapq import heapify, heappop, heappush

from dataplane.core.layout import NOBODY, Layout, Rota
from dataplane.core.weight import EWEIGHT_MAX, SCALE

_IN = int(Rota.IN)
_DUE = 3
_REST_BITS = 16


class RoundRobin:
    """State: CURSOR and the FWRR columns."""

    def choose(
        self,
        cells: MutableSequence[int],
        layout: Layout,
        members: Sequence[int],
        backend: int,
        avoid: int,
        room: Callable[[int], bool],
        draw: Callable[[], int],
    ) -> int:
        """Who is due; see Balancer."""
        del draw
        rota = layout.ROTA
        if not any(cells[rota + server] == _IN and room(server) for server in members):
            return NOBODY
        wheel = _Wheel(cells, layout, backend)
        wheel.look(members)
        return wheel.pick(avoid, room)

    def rebuild(self, cells: MutableSequence[int], layout: Layout, backend: int, members: Sequence[int]) -> None:
        """The next pick begins the first cycle."""
        cells[layout.FWRR_WEIGHT + backend] = cells[layout.FWRR_POS + backend] = 0
        cells[layout.FWRR_CYCLE + backend] = cells[layout.CURSOR + backend] = 0
        for server in members:
            cells[layout.FWRR_TREE + server] = 0


class _Wheel:
    """The sets of one backend, read from the cells for one pick."""

    __slots__ = ('_at', '_backend', '_cells', '_due', '_fresh', '_later', '_total')

    def __init__(self, cells: MutableSequence[int], at: Layout, backend: int) -> None:
        self._cells = cells
        self._at = at
        self._backend = backend
        self._total = cells[at.ROTATION_WEIGHT + backend]
        self._due: list[tuple[int, int, int, int]] = []
        self._fresh: list[tuple[int, int, int]] = []
        self._later: list[tuple[int, int, int]] = []

    def look(self, members: Sequence[int]) -> None:
        """Read the sets, and settle what a commit changed under them."""
        cells, at, backend = self._cells, self._at, self._backend
        begun = cells[at.FWRR_WEIGHT + backend] > 0
        if not begun:
            cells[at.FWRR_POS + backend] = cells[at.FWRR_WEIGHT + backend] = self._total
        fresh = self._set_of_fresh()
        for server in members:
            tree, weight = cells[at.FWRR_TREE + server], cells[at.EWEIGHT + server]
            if cells[at.ROTA + server] != _IN:
                if tree:
                    cells[at.FWRR_TREE + server] = 0
            elif not tree or (tree >> 2) % at.backends != backend:
                self._arrive(server, weight, begun=begun)
            elif cells[at.FWRR_REST + server] >> _REST_BITS != weight:
                self._reweigh(server, tree & 3, weight)
            elif tree & 3 == _DUE:
                self._due.append(self._key(server, weight, cells[at.FWRR_REST + server] & 0xFFFF, self._put_at(tree)))
            else:
                (self._fresh if tree & 3 == fresh else self._later).append((-weight, self._put_at(tree), server))
        heapify(self._due)
        heapify(self._fresh)

    def pick(self, avoid: int, room: Callable[[int], bool]) -> int:
        """Take servers in their order until one has room - some server has - and put all back where they then belong."""
        cells, position = self._cells, self._at.FWRR_POS + self._backend
        passed: list[int] = []
        avoided, ended = NOBODY, False
        while True:
            server = self._take()
            if server == NOBODY and not ended:
                ended = True
                self._begin_cycle()
                continue
            if server == NOBODY:
                server = avoided
                break
            self._advance(server)
            cells[position] += 1
            if room(server):
                if server != avoid:
                    break
                avoided = server
            passed.append(server)
        self._put_back(server, passed, ended=ended)
        return server

    def _put_back(self, server: int, passed: list[int], *, ended: bool) -> None:
        self._put(server)
        for other in reversed(passed):
            if other == server:
                continue
            if ended:
                self._put_by_weight(other, self._set_of_fresh())
            else:
                self._put(other)

    def _take(self) -> int:
        """Who is next in this cycle, taken out of its set."""
        cells, at = self._cells, self._at
        if self._due and (not self._fresh or self._due[0][0] <= cells[at.FWRR_POS + self._backend]):
            return heappop(self._due)[3]
        if not self._fresh:
            return NOBODY
        server = heappop(self._fresh)[2]
        cells[at.FWRR_NPOS + server] = 0
        cells[at.FWRR_REST + server] = cells[at.EWEIGHT + server] << _REST_BITS
        return server

    def _advance(self, server: int) -> None:
        """When it is due the next time, were it served now."""
        cells, at, weight = self._cells, self._at, self._cells[self._at.EWEIGHT + server]
        now = cells[at.FWRR_NPOS + server] or cells[at.FWRR_POS + self._backend]
        step, rest = divmod(self._total, weight)
        rest += cells[at.FWRR_REST + server] & 0xFFFF
        if rest >= weight:
            rest -= weight
            step += 1
        cells[at.FWRR_LPOS + server] = now
        cells[at.FWRR_NPOS + server] = now + step
        cells[at.FWRR_REST + server] = weight << _REST_BITS | rest

    def _begin_cycle(self) -> None:
        """Who comes later is fresh now. Puts are counted from here again, so that no number grows without bound."""
        cells, at, backend = self._cells, self._at, self._backend
        self._fresh, self._later = sorted(self._later), []
        cells[at.FWRR_CYCLE + backend] ^= 1
        cells[at.FWRR_WEIGHT + backend] = cells[at.FWRR_POS + backend] = self._total
        fresh = self._set_of_fresh()
        for number, (weight, _, server) in enumerate(self._fresh):
            self._fresh[number] = (weight, number, server)
            self._mark(server, fresh, number)
        cells[at.CURSOR + backend] = len(self._fresh)

    def _arrive(self, server: int, weight: int, *, begun: bool) -> None:
        """A server came into rotation: fresh if nothing has begun, else due after its share of what is left of the cycle."""
        cells, at = self._cells, self._at
        cells[at.FWRR_REST + server] = weight << _REST_BITS
        if not begun:
            self._put_by_weight(server, self._set_of_fresh())
            return
        now = cells[at.FWRR_POS + self._backend]
        left = max(0, self._total + cells[at.FWRR_WEIGHT + self._backend] - now)
        cells[at.FWRR_LPOS + server] = now
        cells[at.FWRR_NPOS + server] = now + left // weight
        self._put(server)

    def _reweigh(self, server: int, tree: int, weight: int) -> None:
        """It weighs something else now: a server that was picked in this cycle is due earlier or as before, never later."""
        cells, at = self._cells, self._at
        cells[at.FWRR_REST + server] = weight << _REST_BITS
        fresh = self._set_of_fresh()
        if tree == fresh:
            self._put_by_weight(server, fresh)
            return
        due = cells[at.FWRR_NPOS + server]
        if tree != _DUE:
            due += cells[at.FWRR_WEIGHT + self._backend]
        now, step = cells[at.FWRR_POS + self._backend], self._total // weight
        due = min(due, cells[at.FWRR_LPOS + server] + step)
        cells[at.FWRR_NPOS + server] = due if due >= now + 2 else now + step
        self._put(server)

    def _put(self, server: int) -> None:
        """Into the set it belongs in by when it is due."""
        cells, at = self._cells, self._at
        length, due = cells[at.FWRR_WEIGHT + self._backend], cells[at.FWRR_NPOS + server]
        if due >= 2 * length or due >= length + self._total:
            cells[at.FWRR_NPOS + server] = due - length
            self._put_by_weight(server, 3 - self._set_of_fresh())
            return
        number = self._count()
        rest = cells[at.FWRR_REST + server]
        heappush(self._due, self._key(server, rest >> _REST_BITS, rest & 0xFFFF, number))
        self._mark(server, _DUE, number)

    def _put_by_weight(self, server: int, tree: int) -> None:
        """Into a set that is ordered by weight: the fresh or the later ones."""
        number = self._count()
        heap = self._fresh if tree == self._set_of_fresh() else self._later
        heappush(heap, (-(self._cells[self._at.FWRR_REST + server] >> _REST_BITS), number, server))
        self._mark(server, tree, number)

    def _key(self, server: int, weight: int, rest: int, number: int) -> tuple[int, int, int, int]:
        """Order of the due ones. At the same pick the heavier goes first, to a sixteenth of a weight, as in HAProxy."""
        return self._cells[self._at.FWRR_NPOS + server], (EWEIGHT_MAX + rest - weight) // SCALE, number, server

    def _count(self) -> int:
        cell = self._at.CURSOR + self._backend
        self._cells[cell] += 1
        return self._cells[cell] - 1

    def _mark(self, server: int, tree: int, number: int) -> None:
        self._cells[self._at.FWRR_TREE + server] = (number * self._at.backends + self._backend) << 2 | tree

    def _put_at(self, tree: int) -> int:
        return (tree >> 2) // self._at.backends

    def _set_of_fresh(self) -> int:
        """1 or 2: which number in FWRR_TREE means fresh in this cycle; the other means later."""
        return 1 + self._cells[self._at.FWRR_CYCLE + self._backend]
