"""What `first` and `leastconn` have in common: one key per server, the lowest of those in rotation with room is taken."""

from __future__ import annotations

from collections.abc import Callable, MutableSequence

from dataplane.core.balance import tree
from dataplane.core.balance.balancer import Balancer
from dataplane.core.balance.tree import ABSENT, Shape
from dataplane.core.layout import NOBODY


class Tournament(Balancer):
    """A balancer whose order is that of KEY. Who derives from it says what the key is, in `look`."""

    def choose(
        self,
        cells: MutableSequence[int],
        shape: Shape,
        avoid: int,
        room: Callable[[int], bool],
        draw: Callable[[], int],
    ) -> int:
        """Lowest key first; see Balancer."""
        del draw
        at = shape.at
        if cells[at.DYNAMIC_LIMITS + shape.backend]:
            return lowest(cells, shape, avoid, room, at.KEY)
        root, keys = shape.root, at.KEY
        server = cells[at.NODE + root] if root >= 0 else ~root
        if server != avoid:
            return server if cells[keys + server] < ABSENT else NOBODY
        if cells[keys + server] >= ABSENT:
            return NOBODY
        key = cells[at.KEY + avoid]
        tree.put(cells, shape, at.KEY, at.NODE, avoid, ABSENT)
        server = tree.head(cells, shape, at.KEY, at.NODE)
        tree.put(cells, shape, at.KEY, at.NODE, avoid, key)
        return avoid if server < 0 else server

    def join(self, cells: MutableSequence[int], shape: Shape, node: int) -> None:
        """The winner of a node; see Balancer."""
        tree.play(cells, shape, shape.at.KEY, shape.at.NODE, node)


def lowest(cells: MutableSequence[int], shape: Shape, avoid: int, room: Callable[[int], bool], keys: int) -> int:
    """What the tree cannot say where limits are dynamic, since they move with every stream of the backend: a scan.

    Their waiters are swept with every stream that comes, which costs as much (Plane._count); 1,000 servers are 0.3 ms.
    """
    best, least = NOBODY, ABSENT
    for server in shape.members:
        if cells[keys + server] < least and server != avoid and room(server):
            best, least = server, cells[keys + server]
    if best == NOBODY and avoid in shape.places and cells[keys + avoid] < ABSENT and room(avoid):
        return avoid
    return best
