"""Balancing algorithms, one per file: which server in rotation with room a stream without a wish of its own gets.

No decision scans the servers. What an algorithm must know of each is in the leaves of a tree (`tree`), the answer at its
root; `Index` keeps the trees as servers change and makes them anew when too much did. All of it is in cells and *derived*.
`choose` is called inside a hold and may not fail. Unlike HAProxy's, none ever picks a server without room; a stream that
finds none waits in the backend's queue, where the first slot anywhere serves it (`random` and `leastconn` differ on purpose).

Limits that grow with the backend's load (minconn) move with every stream for all servers at once, so a tree cannot hold
them: there, servers at their maxconn are out of the trees and the rest is asked of `room`, in a scan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableSequence, Sequence
from typing import Final, Protocol

from dataplane.core.balance.first import First
from dataplane.core.balance.leastconn import LeastConn
from dataplane.core.balance.random_draw import RandomDraw
from dataplane.core.balance.roundrobin import RoundRobin
from dataplane.core.balance.tree import Shape
from dataplane.core.layout import Algorithm, Layout


class Balancer(Protocol):
    """One algorithm. It has no state of its own: everything is in the cells.

    `moves`: does every slot taken or given back matter to it? To the others only that a server is full, or no longer.
    """

    moves: bool

    def choose(
        self,
        cells: MutableSequence[int],
        shape: Shape,
        avoid: int,
        room: Callable[[int], bool],
        draw: Callable[[], int],
    ) -> int:
        """The server a stream gets; the trees are whole. `avoid` (-1: nobody) only when nobody else has room, -1 when nobody has.

        `draw` gives 32 random bits.
        """
        ...

    def look(self, cells: MutableSequence[int], shape: Shape, server: int) -> None:
        """Bring the leaf of a server up to date with what else the cells say of it, and what is above it."""
        ...

    def join(self, cells: MutableSequence[int], shape: Shape, node: int) -> None:
        """Make a node anew from what is below it."""
        ...

    def forget(self, cells: MutableSequence[int], at: Layout, backend: int, members: Sequence[int]) -> None:
        """Begin anew: nothing that was derived may be trusted. The trees are then made anew, too."""
        ...


BALANCERS: Final[Mapping[Algorithm, Balancer]] = {
    Algorithm.ROUNDROBIN: RoundRobin(),
    Algorithm.LEASTCONN: LeastConn(),
    Algorithm.RANDOM: RandomDraw(),
    Algorithm.FIRST: First(),
}
