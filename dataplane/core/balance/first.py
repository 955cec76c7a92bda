"""`balance first`: the server with the lowest id that has room. Weights play no part.

Meant for farms that shrink when idle: the last servers stay empty until the first are full. Manual: `balance`.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence, Sequence

from dataplane.core.layout import NOBODY, Layout, Rota

_IN = int(Rota.IN)


class First:
    """No state at all."""

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
        """Lowest id first; see Balancer."""
        del backend, draw
        best = avoided = NOBODY
        lowest = 0
        rota, ids = layout.ROTA, layout.SERVER_ID
        for server in members:
            if cells[rota + server] != _IN or (best != NOBODY and cells[ids + server] >= lowest) or not room(server):
                continue
            if server == avoid:
                avoided = server
            else:
                best, lowest = server, cells[ids + server]
        return avoided if best == NOBODY else best

    def rebuild(self, cells: MutableSequence[int], layout: Layout, backend: int, members: Sequence[int]) -> None:
        """Nothing is derived."""
