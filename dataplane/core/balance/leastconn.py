"""`balance leastconn`: the server with the fewest requests for its weight; equals in the order they came to be equal.

The load is HAProxy's: 0 for an idle server whatever its weight, else (requests + 1) * 4096 // eweight. Whose load changes goes
behind all that have the same (with equal weights and room everywhere that is HAProxy's order, pick for pick). Servers without room are passed over (HAProxy may pile a request onto
a server's own queue instead), so requests are those that have a slot.

KEY is the load and the number of the change, which CURSOR counts. Manual: `balance`.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Final

from dataplane.core.balance import tree
from dataplane.core.balance.tournament import Tournament
from dataplane.core.balance.tree import ABSENT, Shape
from dataplane.core.layout import Layout, Rota
from dataplane.core.weight import EWEIGHT_MAX

_IN = int(Rota.IN)
NUMBERS: Final = 30
"""Bits of a number. After 2^30 changes all are numbered anew, in the order of the configuration."""

# Private names are C integers when compiled (leastconn.pxd).
_NUMBERS = NUMBERS
_LAST = (1 << NUMBERS) - 1
_LOAD_MAX = (1 << 62 - NUMBERS) - 1
_HEAVIEST = EWEIGHT_MAX


class LeastConn(Tournament):
    """KEY is the load and a number."""

    moves = True

    def look(self, cells: MutableSequence[int], shape: Shape, server: int) -> None:
        """By load, or absent; see Balancer."""
        at, backend = shape.at, shape.backend
        total, most = cells[at.TOTAL + server], cells[at.LIMIT + server]
        if cells[at.ROTA + server] != _IN or 0 <= most <= total:
            if cells[at.KEY + server] != ABSENT:
                tree.put(cells, shape, at.KEY, at.NODE, server, ABSENT)
            return
        load = min(_LOAD_MAX, (total + 1) * _HEAVIEST // cells[at.EWEIGHT + server]) if total else 0
        if cells[at.KEY + server] >> _NUMBERS == load and not cells[at.STALE + backend]:
            return
        cursor = at.CURSOR + backend
        number = cells[cursor]
        cells[cursor] = number + 1
        tree.put(cells, shape, at.KEY, at.NODE, server, load << _NUMBERS | number)
        if number == _LAST:
            self.forget(cells, at, backend, shape.members)
            cells[at.STALE + backend] = 1

    def forget(self, cells: MutableSequence[int], at: Layout, backend: int, members: Sequence[int]) -> None:
        """Numbers begin anew."""
        cells[at.CURSOR + backend] = 0
