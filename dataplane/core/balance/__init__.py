"""Balancing algorithms, one per file: which server in rotation with room a stream without a wish of its own gets.

All their state is in cells and *derived*: `rebuild` makes it from nothing, and a commit may change weights, servers and
rotation under it without telling. `choose` is called inside a hold and may not fail. What a full server is, is not theirs
to know: they ask `room`. Unlike HAProxy's, none ever picks a server without room; a stream that finds none waits in the
backend's queue, where the first slot anywhere serves it (`random` and `leastconn` differ on purpose).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableSequence, Sequence
from typing import Final, Protocol

from dataplane.core.balance.first import First
from dataplane.core.balance.leastconn import LeastConn
from dataplane.core.balance.random_draw import RandomDraw
from dataplane.core.balance.roundrobin import RoundRobin
from dataplane.core.layout import Algorithm, Layout


class Balancer(Protocol):
    """One algorithm. It has no state of its own: everything is in the cells."""

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
        """The server a stream gets, of those in rotation (`members`: all of the backend, in configuration order).

        `avoid` (-1: nobody) is taken only when nobody else has room; -1 when nobody has. `draw` gives 32 random bits.
        """
        ...

    def rebuild(self, cells: MutableSequence[int], layout: Layout, backend: int, members: Sequence[int]) -> None:
        """Forget what was derived for a backend and begin anew."""
        ...


BALANCERS: Final[Mapping[Algorithm, Balancer]] = {
    Algorithm.ROUNDROBIN: RoundRobin(),
    Algorithm.LEASTCONN: LeastConn(),
    Algorithm.RANDOM: RandomDraw(),
    Algorithm.FIRST: First(),
}
