"""What every balancing algorithm answers; what one is made of is in the package's text."""

from __future__ import annotations

from collections.abc import Callable, MutableSequence, Sequence

from dataplane.core.balance.tree import Shape
from dataplane.core.layout import NOBODY, Layout


class Balancer:
    """One algorithm. It has no state of its own: everything is in the cells.

    `counts`: does it keep sums over its servers, which begin anew with the trees?
    `moves`: does every slot taken or given back matter to it? To the others only that a server is full, or no longer.
    """

    counts = False
    moves = False

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
        raise NotImplementedError

    def target(
        self, cells: MutableSequence[int], shape: Shape, value: int, avoid: int, room: Callable[[int], bool]
    ) -> int:
        """The server in rotation, with room or without, that a stream with this hash value is tied to; -1 when hashes mean nothing here.

        It does not need the trees, and is the same in every process.
        """
        return NOBODY

    def look(self, cells: MutableSequence[int], shape: Shape, server: int) -> None:
        """Bring the leaf of a server up to date with what else the cells say of it, and what is above it."""
        raise NotImplementedError

    def join(self, cells: MutableSequence[int], shape: Shape, node: int) -> None:
        """Make a node anew from what is below it."""
        raise NotImplementedError

    def forget(self, cells: MutableSequence[int], at: Layout, backend: int, members: Sequence[int]) -> None:
        """Begin anew: nothing that was derived may be trusted. The trees are then made anew, too."""
        raise NotImplementedError
