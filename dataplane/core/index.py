"""The index of servers by the algorithm's key, as one process keeps it: the only door to the balancers and to TOTAL.

Whoever holds the lock and changes what a server has in use does it here (`take`, `give_back`), so that no slot changes hands
without the trees knowing; a commit names the few servers that changed (`look`) or, when they are many or their chain changed,
spoils the trees of the whole backend. Spoilt trees are made anew in slices (`renew`) by whoever needs them: what must hold
is that nobody chooses by trees that are not whole. Until they are, newcomers queue, and the pump goes on with the slices.

The process remembers where the trees of a backend lie; the chains behind that change only together with the number of the tables.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence

from dataplane.core.balance import BALANCERS
from dataplane.core.balance.balancer import Balancer
from dataplane.core.balance.tree import Shape
from dataplane.core.layout import Algorithm, Layout

UNMADE = 1
"""In STALE: none of the leaves and nodes has been made."""
SLICE = 250
"""Leaves and nodes a hold makes at most: 0.15 ms (first) to 0.55 ms (roundrobin, all weights changed). 125 servers are one slice."""


_MOVING = frozenset(int(algorithm) for algorithm, balancer in BALANCERS.items() if balancer.moves)


class Index:
    """The trees of all backends. `slice`: leaves and nodes that are made at once."""

    def __init__(self, at: Layout) -> None:
        self.at = at
        self.slice = SLICE
        self._known: dict[int, tuple[Shape, Balancer]] = {}
        self._tables = -1

    def of(self, cells: MutableSequence[int], backend: int) -> tuple[Shape, Balancer]:
        """Where a backend's trees lie, and whose they are."""
        tables = cells[self.at.TABLES]
        if tables != self._tables:
            self._known.clear()
            self._tables = tables
        return self._known.get(backend) or self._learn(cells, backend)

    def _learn(self, cells: MutableSequence[int], backend: int) -> tuple[Shape, Balancer]:
        balancer = BALANCERS[Algorithm(cells[self.at.ALGORITHM + backend])]
        found = self._known[backend] = Shape(self.at, backend, chain(cells, self.at, backend)), balancer
        return found

    def choose(
        self,
        cells: MutableSequence[int],
        backend: int,
        avoid: int,
        room: Callable[[int], bool],
        draw: Callable[[], int],
    ) -> int:
        """The server in rotation that the balancer picks among those with room, or NOBODY. Its trees must be whole."""
        shape, balancer = (cells[self.at.TABLES] == self._tables and self._known.get(backend)) or self.of(
            cells, backend
        )
        return balancer.choose(cells, shape, avoid, room, draw)

    def target(
        self, cells: MutableSequence[int], backend: int, value: int, avoid: int, room: Callable[[int], bool]
    ) -> int:
        """The server in rotation that a stream with this hash value is tied to, or NOBODY. The trees need not be whole."""
        shape, balancer = (cells[self.at.TABLES] == self._tables and self._known.get(backend)) or self.of(
            cells, backend
        )
        return balancer.target(cells, shape, value, avoid, room)

    def take(self, cells: MutableSequence[int], server: int) -> int:
        """One slot more of a server is in use. Returns how many are."""
        at = self.at
        total = cells[at.TOTAL + server] + 1
        cells[at.TOTAL + server] = total
        backend = cells[at.BACKEND + server]
        if cells[at.ALGORITHM + backend] in _MOVING or total == cells[at.LIMIT + server]:
            self._follow(cells, backend, server)
        return total

    def give_back(self, cells: MutableSequence[int], server: int) -> None:
        """One slot of a server is in use no more."""
        at = self.at
        total = cells[at.TOTAL + server] - 1
        cells[at.TOTAL + server] = total
        backend = cells[at.BACKEND + server]
        if cells[at.ALGORITHM + backend] in _MOVING or total + 1 == cells[at.LIMIT + server]:
            self._follow(cells, backend, server)

    def look(self, cells: MutableSequence[int], server: int) -> None:
        """A commit changed this server: its leaf follows."""
        self._follow(cells, cells[self.at.BACKEND + server], server)

    def _follow(self, cells: MutableSequence[int], backend: int, server: int) -> None:
        """Bring the leaf up to date, unless nothing has been made yet: then it will be made."""
        if cells[self.at.STALE + backend] != UNMADE:
            shape, balancer = (cells[self.at.TABLES] == self._tables and self._known.get(backend)) or self.of(
                cells, backend
            )
            balancer.look(cells, shape, server)

    def renew(self, cells: MutableSequence[int], backend: int, budget: int) -> int:
        """Make `budget` leaves and nodes of spoilt trees anew. Returns how many were to be made; STALE is 0 once all are."""
        at = self.at
        made = cells[at.STALE + backend] - 1
        if made < 0:
            return 0
        shape, balancer = self.of(cells, backend)
        kind = cells[at.ALGORITHM + backend] + 1
        if cells[at.KIND + backend] != kind or (balancer.counts and not made):
            balancer.forget(cells, at, backend, shape.members)
            cells[at.KIND + backend] = kind
        size, whole = shape.size, 2 * shape.size - 1
        end = min(whole, made + budget)
        for place in range(made, min(end, size)):
            balancer.look(cells, shape, shape.members[place])
        for node in range(whole - max(made, size), whole - end, -1):
            balancer.join(cells, shape, node)
        cells[at.STALE + backend] = 0 if end >= whole else end + 1
        return max(0, end - made)


def spoil(cells: MutableSequence[int], at: Layout, backend: int) -> None:
    """So much changed in a backend that its trees are to be made anew; what balancers remember of its servers is kept."""
    cells[at.STALE + backend] = UNMADE


def forget(cells: MutableSequence[int], at: Layout, backend: int) -> None:
    """After a death: all begins anew. KIND, whose balancer's the derived cells are, says nobody's."""
    cells[at.KIND + backend] = 0
    cells[at.STALE + backend] = UNMADE


def chain(cells: MutableSequence[int], at: Layout, backend: int) -> tuple[int, ...]:
    """Servers of a backend in configuration order, those that left but still hold something included."""
    members = []
    following = cells[at.FIRST_SERVER + backend]
    while following:
        members.append(following - 1)
        following = cells[at.NEXT_SERVER + following - 1]
    return tuple(members)
