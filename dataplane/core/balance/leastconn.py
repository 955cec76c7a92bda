"""`balance leastconn`: the server with the fewest requests for its weight; equals take turns.

The key is HAProxy's: 0 for an idle server whatever its weight, else (requests + 1) * 4096 // eweight. Servers without room
are passed over (HAProxy may pile a request onto a server's own queue instead), so requests are those that have a slot.
CURSOR holds who was chosen last, plus one: of equals the next one after it in configuration order is taken.
Manual: `balance`.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence, Sequence

from dataplane.core.layout import NOBODY, Layout, Rota
from dataplane.core.weight import EWEIGHT_MAX

_IN = int(Rota.IN)


class LeastConn:
    """State: CURSOR."""

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
        """Lowest key first; see Balancer."""
        del draw
        best = avoided = NOBODY
        lowest = 0
        rota, total, eweight = layout.ROTA, layout.TOTAL, layout.EWEIGHT
        for server in _after(members, cells[layout.CURSOR + backend] - 1):
            if cells[rota + server] != _IN:
                continue
            served = cells[total + server]
            key = (served + 1) * EWEIGHT_MAX // cells[eweight + server] if served else 0
            if (best != NOBODY and key >= lowest) or not room(server):
                continue
            if server == avoid:
                avoided = server
            else:
                best, lowest = server, key
        if best == NOBODY:
            best = avoided
        if best != NOBODY:
            cells[layout.CURSOR + backend] = best + 1
        return best

    def rebuild(self, cells: MutableSequence[int], layout: Layout, backend: int, members: Sequence[int]) -> None:
        """Begin with the first server."""
        cells[layout.CURSOR + backend] = 0


def _after(members: Sequence[int], last: int) -> Sequence[int]:
    """The members, beginning with the one after `last`."""
    if last not in members:
        return members
    start = members.index(last) + 1
    return (*members[start:], *members[:start])
