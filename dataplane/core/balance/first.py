"""`balance first`: the server with the lowest id that has room. Weights play no part.

Meant for farms that shrink when idle: the last servers stay empty until the first are full. Manual: `balance`.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from dataplane.core.balance import tree
from dataplane.core.balance.tournament import Tournament
from dataplane.core.balance.tree import ABSENT, Shape
from dataplane.core.layout import Layout, Rota
from dataplane.core.limit import below_top

_IN = int(Rota.IN)


class First(Tournament):
    """KEY is the id."""

    def look(self, cells: MutableSequence[int], shape: Shape, server: int) -> None:
        """By id, or absent; see Balancer."""
        at = shape.at
        shown = cells[at.ROTA + server] == _IN and below_top(cells, at, server)
        key = cells[at.SERVER_ID + server] if shown else ABSENT
        if cells[at.KEY + server] != key:
            tree.put(cells, shape, at.KEY, at.NODE, server, key)

    def forget(self, cells: MutableSequence[int], at: Layout, backend: int, members: Sequence[int]) -> None:
        """Nothing is remembered."""
