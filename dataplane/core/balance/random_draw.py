"""`balance random(N)`: draw N servers by weight, take the least loaded of them. Two draws already spread almost evenly.

A drawn server without room is drawn again, so that a stream waits only when all are full (HAProxy lets it wait as soon as
its draws were unlucky). Drawing costs the same however many servers there are: a place among all members, kept with a
probability of its weight over the heaviest. When most draws miss - few in rotation, few with room, very unequal weights -
those with room are listed and drawn from directly, which is as exact and always ends. Manual: `balance`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, MutableSequence, Sequence
from itertools import accumulate

from dataplane.core.layout import NOBODY, Layout, Rota

_IN = int(Rota.IN)
_MISSES = 8
"""After so many draws without a hit, look at everybody."""


class RandomDraw:
    """No state at all; ROTATION_MAXW, the heaviest weight in rotation, comes with the commit."""

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
        """The least loaded, for its weight, of the servers drawn; see Balancer."""
        if not cells[layout.IN_ROTATION + backend]:
            return NOBODY
        rota, eweight, heaviest = layout.ROTA, layout.EWEIGHT, cells[layout.ROTATION_MAXW + backend]
        span = len(members) * heaviest
        draws, misses, best = cells[layout.DRAWS + backend], 0, NOBODY
        while draws > 0 and misses < _MISSES:
            place, weight = divmod(draw() * span >> 32, heaviest)
            server = members[place]
            if cells[rota + server] != _IN or weight >= cells[eweight + server] or server == avoid or not room(server):
                misses += 1
                continue
            draws -= 1
            best = _lighter(cells, layout, best, server)
        return best if draws <= 0 else self._among_all(cells, layout, members, avoid, room, draw, draws, best)

    def _among_all(
        self,
        cells: MutableSequence[int],
        layout: Layout,
        members: Sequence[int],
        avoid: int,
        room: Callable[[int], bool],
        draw: Callable[[], int],
        draws: int,
        best: int,
    ) -> int:
        """The draws that are left, from the list of those with room."""
        found = [server for server in members if cells[layout.ROTA + server] == _IN and room(server)]
        if avoid in found and len(found) > 1:
            found.remove(avoid)
        if not found:
            return NOBODY
        ends = list(accumulate(cells[layout.EWEIGHT + server] for server in found))
        for _ in range(draws):
            best = _lighter(cells, layout, best, found[bisect_right(ends, draw() * ends[-1] >> 32)])
        return best

    def rebuild(self, cells: MutableSequence[int], layout: Layout, backend: int, members: Sequence[int]) -> None:
        """Nothing is derived."""


def _lighter(cells: MutableSequence[int], layout: Layout, one: int, other: int) -> int:
    """Who has fewer requests for its weight; the one drawn first on a tie."""
    if one == NOBODY:
        return other
    load = cells[layout.TOTAL + other] * cells[layout.EWEIGHT + one]
    return other if load < cells[layout.TOTAL + one] * cells[layout.EWEIGHT + other] else one
