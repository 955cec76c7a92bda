"""The trees that stand for a scan of a backend's servers: what a balancer would find is at the root.

A backend of n servers has trees of n leaves and n - 1 nodes, all of it in derived cells. The leaf of a server is a cell of
its own column, so is every node: node i (1 is the root, its children are 2i and 2i + 1; the server at place p of the chain
is n + p) lies in the cell of the server at place i. So a tree needs no room of its own, whatever servers come and go: the
chain says where everything is, and the chain changes only together with the number of the tables.

In a tournament a node names the server below it with the lowest key; a key of ABSENT or more wins nothing. After one leaf
changed only the nodes above it are looked at, and those no further than the first that names the same other server as before.

STALE of the backend says whether its trees may be trusted: 0 whole, else 1 + how many of the 2n - 1 leaves and nodes have
been made: the leaves in the order of the chain, then the nodes from the last to the root. What changes meanwhile mends what
has been made; no decision is taken on the rest.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import Final

from dataplane.core.layout import NOBODY, Layout

ABSENT: Final = 1 << 62
"""The key of who has no room or is not in rotation."""

Way = tuple[tuple[int, int], ...]
"""From a node to the root: its sibling (a node's place, or ~server for a leaf) and its parent's place, then the parent's."""


class Shape:
    """Where the trees of one backend lie, under one number of the tables. What it remembers of the ways is made when asked for."""

    __slots__ = ('_steps', 'at', 'backend', 'members', 'places', 'root', 'size', 'ways')

    def __init__(self, at: Layout, backend: int, members: tuple[int, ...]) -> None:
        self.at = at
        self.backend = backend
        self.members = members
        self.size = len(members)
        self.places = {server: place for place, server in enumerate(members)}
        self.root = NOBODY if not members else members[1] if len(members) > 1 else ~members[0]
        self.ways: dict[int, Way] = {}
        self._steps: dict[int, tuple[int, int]] = {}

    def way(self, server: int) -> Way:
        """From the leaf of a server to the root; `ways` has it from then on."""
        node, found = self.size + self.places[server], []
        while node > 1:
            if node not in self._steps:
                self._steps[node] = self.child(node ^ 1), self.members[node >> 1]
            found.append(self._steps[node])
            node >>= 1
        self.ways[server] = way = tuple(found)
        return way

    def child(self, node: int) -> int:
        """The server in whose cell a node lies, or ~server for the leaf of a server."""
        return ~self.members[node - self.size] if node >= self.size else self.members[node]


def head(cells: MutableSequence[int], shape: Shape, leaf: int, node: int) -> int:
    """The server with the lowest key, in the tournament of these two columns, or NOBODY. The backend has at least one server."""
    root = shape.root
    server = cells[node + root] if root >= 0 else ~root
    return server if server >= 0 and cells[leaf + server] < ABSENT else NOBODY


def put(cells: MutableSequence[int], shape: Shape, leaf: int, node: int, server: int, key: int) -> None:
    """Give a server another key in a tournament."""
    cells[leaf + server] = key
    stale = cells[shape.at.STALE + shape.backend]
    if stale:
        if stale > shape.size:
            _replay(cells, shape, leaf, node, server)
        return
    winner = server
    for sibling, parent in shape.ways.get(server) or shape.way(server):
        rival = cells[node + sibling] if sibling >= 0 else ~sibling
        its = cells[leaf + rival]
        if its < key:
            winner, key = rival, its
        where = node + parent
        if cells[where] != winner:
            cells[where] = winner
        elif winner != server:
            return


def play(cells: MutableSequence[int], shape: Shape, leaf: int, node: int, number: int) -> None:
    """Who wins node `number` of a tournament."""
    one, other = shape.child(2 * number), shape.child(2 * number + 1)
    left = cells[node + one] if one >= 0 else ~one
    right = cells[node + other] if other >= 0 else ~other
    cells[node + shape.members[number]] = right if cells[leaf + right] < cells[leaf + left] else left


def _replay(cells: MutableSequence[int], shape: Shape, leaf: int, node: int, server: int) -> None:
    """A leaf changed while the tree is being made: play those nodes above it again that were made."""
    over, first = (shape.size + shape.places[server]) >> 1, first_made(cells, shape)
    while over >= first:
        play(cells, shape, leaf, node, over)
        over >>= 1


def first_made(cells: MutableSequence[int], shape: Shape) -> int:
    """The lowest number of a node that was made already; nodes are made from the last one on."""
    return max(1, 2 * shape.size + 1 - cells[shape.at.STALE + shape.backend])
