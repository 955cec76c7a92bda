"""`balance random(N)`: draw N servers by weight, take the least loaded of them. Two draws already spread almost evenly.

A drawn server without room is drawn again, so that a stream waits only when all are full (HAProxy lets it wait as soon as
its draws were unlucky). A draw is a place among all members, kept with a probability of its weight over the heaviest.
When most draws miss - few in rotation, few with room, very unequal weights - the rest is drawn by a tree of sums, which is
as exact and always hits: KEY is the weight of a server with room, a node the sum of what is below it.

Manual: `balance`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, MutableSequence, Sequence
from itertools import accumulate

from dataplane.core.balance import tree
from dataplane.core.balance.balancer import Balancer
from dataplane.core.balance.tree import Shape
from dataplane.core.layout import NOBODY, Layout, Rota
from dataplane.core.limit import below_top

_IN = int(Rota.IN)
_MISSES = 8
"""After so many draws without a hit, the tree is asked: 2 us a draw at 1,000 servers against 0.4 us for one that hits."""


class RandomDraw(Balancer):
    """State: the sums. ROTATION_MAXW, the heaviest weight in rotation, comes with the commit."""

    def choose(
        self,
        cells: MutableSequence[int],
        shape: Shape,
        avoid: int,
        room: Callable[[int], bool],
        draw: Callable[[], int],
    ) -> int:
        """The least loaded, for its weight, of the servers drawn; see Balancer."""
        at, members = shape.at, shape.members
        if not _sum(cells, shape, shape.root):
            return NOBODY
        keys, heaviest = at.KEY, cells[at.ROTATION_MAXW + shape.backend]
        dynamic = cells[at.DYNAMIC_LIMITS + shape.backend]
        span = shape.size * heaviest
        draws, misses, best = cells[at.DRAWS + shape.backend], 0, NOBODY
        while draws > 0 and misses < _MISSES:
            place, weight = divmod(draw() * span >> 32, heaviest)
            server = members[place]
            if weight >= cells[keys + server] or server == avoid or (dynamic and not room(server)):
                misses += 1
                continue
            draws -= 1
            best = _lighter(cells, at, best, server)
        if draws <= 0:
            return best
        if dynamic:
            return _among_all(cells, shape, avoid, room, draw, draws, best)
        return _by_sums(cells, shape, avoid, room, draw, draws, best)

    def look(self, cells: MutableSequence[int], shape: Shape, server: int) -> None:
        """By weight, or not at all; see Balancer."""
        at, backend = shape.at, shape.backend
        shown = cells[at.ROTA + server] == _IN and below_top(cells, at, server)
        weight, leaf = cells[at.EWEIGHT + server] if shown else 0, at.KEY + server
        more = weight - cells[leaf]
        if not more:
            return
        cells[leaf] = weight
        if cells[at.STALE + backend]:
            number, first = (shape.size + shape.places[server]) >> 1, tree.first_made(cells, shape)
            while number >= first:
                self.join(cells, shape, number)
                number >>= 1
            return
        nodes = at.NODE
        for _, parent in shape.ways.get(server) or shape.way(server):
            cells[nodes + parent] += more

    def join(self, cells: MutableSequence[int], shape: Shape, node: int) -> None:
        """The sum of a node; see Balancer."""
        both = _sum(cells, shape, shape.child(2 * node)) + _sum(cells, shape, shape.child(2 * node + 1))
        cells[shape.at.NODE + shape.members[node]] = both

    def forget(self, cells: MutableSequence[int], at: Layout, backend: int, members: Sequence[int]) -> None:
        """Nothing is remembered."""


def _sum(cells: MutableSequence[int], shape: Shape, place: int) -> int:
    return cells[shape.at.NODE + place] if place >= 0 else cells[shape.at.KEY + ~place]


def _by_sums(
    cells: MutableSequence[int],
    shape: Shape,
    avoid: int,
    room: Callable[[int], bool],
    draw: Callable[[], int],
    draws: int,
    best: int,
) -> int:
    """The draws that are left, each down the tree; whoever is to be avoided is out of it meanwhile if others are in it."""
    del room
    at, avoided = shape.at, 0
    if avoid in shape.places and 0 < cells[at.KEY + avoid] < _sum(cells, shape, shape.root):
        avoided = cells[at.KEY + avoid]
        _add(cells, shape, avoid, -avoided)
    for _ in range(draws):
        best = _lighter(cells, at, best, _down(cells, shape, draw() * _sum(cells, shape, shape.root) >> 32))
    if avoided:
        _add(cells, shape, avoid, avoided)
    return best


def _add(cells: MutableSequence[int], shape: Shape, server: int, weight: int) -> None:
    cells[shape.at.KEY + server] += weight
    for _, parent in shape.way(server):
        cells[shape.at.NODE + parent] += weight


def _down(cells: MutableSequence[int], shape: Shape, rest: int) -> int:
    """The server whose share of the sum `rest` falls into."""
    node = 1
    while node < shape.size:
        node *= 2
        left = _sum(cells, shape, shape.child(node))
        if rest >= left:
            rest -= left
            node += 1
    return shape.members[node - shape.size]


def _among_all(
    cells: MutableSequence[int],
    shape: Shape,
    avoid: int,
    room: Callable[[int], bool],
    draw: Callable[[], int],
    draws: int,
    best: int,
) -> int:
    """The draws that are left where limits are dynamic, from a list of those with room (see tournament.lowest)."""
    keys = shape.at.KEY
    found = [server for server in shape.members if cells[keys + server] and room(server)]
    if avoid in found and len(found) > 1:
        found.remove(avoid)
    if not found:
        return NOBODY
    ends = list(accumulate([cells[keys + server] for server in found]))
    for _ in range(draws):
        best = _lighter(cells, shape.at, best, found[bisect_right(ends, draw() * ends[-1] >> 32)])
    return best


def _lighter(cells: MutableSequence[int], layout: Layout, one: int, other: int) -> int:
    """Who has fewer requests for its weight; the one drawn first on a tie."""
    if one == NOBODY:
        return other
    load = cells[layout.TOTAL + other] * cells[layout.EWEIGHT + one]
    return other if load < cells[layout.TOTAL + one] * cells[layout.EWEIGHT + other] else one
