"""What the supervisor does for the board beside committing: it pumps what holds left over, and clears what the dead owned.

Each in slices, one turn of the loop apart, so that no hold gets long and nobody waits for a loop that is busy. Indexes of
servers that left and hold nothing any more are given back once a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from dataplane.board import Bells, Board
from dataplane.core.ledger import Ledger
from dataplane.core.plane import Plane
from dataplane.supervisor.departed import bury, forget
from dataplane.supervisor.holds import Holds

_RETRY: Final = 0.02
_RECLAIM_EVERY: Final = 1.0
_RECLAIM_SLICE: Final = 100


class Upkeep:
    """One per supervisor. `start` hangs it on the loop, `close` takes it off."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, board: Board, bells: Bells, holds: Holds, ledger: Ledger
    ) -> None:
        self._loop = loop
        self._board = board
        self._bells = bells
        self._holds = holds
        self._ledger = ledger
        self.cleared: Callable[[int], Awaitable[None]] = _nothing
        self._due: asyncio.Handle | None = None
        self._reclaim: asyncio.TimerHandle | None = None
        self._looked_at = 0

    def start(self) -> None:
        """Listen to the supervisor's bell."""
        self._holds.on_rest = self.pump_soon
        self._loop.add_reader(self._bells.fds[self._bells.supervisor], self._rung)
        self._reclaim = self._loop.call_later(_RECLAIM_EVERY, self._reclaim_departed)

    def close(self) -> None:
        """Stop listening; what is left over stays on the board."""
        self._loop.remove_reader(self._bells.fds[self._bells.supervisor])
        for handle in (self._due, self._reclaim):
            if handle is not None:
                handle.cancel()

    def pump_soon(self) -> None:
        """Pump in the next turn of the loop, if that is not due already."""
        if self._due is None:
            self._due = self._loop.call_soon(self._pump)

    def _rung(self) -> None:
        self._bells.clear(self._bells.supervisor)
        self.pump_soon()

    def _pump(self) -> None:
        self._due = None
        hold = self._holds.attempt(Plane.pump_idle)
        if hold is None:
            self._due = self._loop.call_later(_RETRY, self._pump)
        elif hold.result:
            self.pump_soon()

    async def clear(self, worker: int) -> None:
        """Give back all that a dead worker owned and keep what it counted; only then may its number be used again.

        `cleared` does so for what is not on the board.
        """
        while not (await self._holds.hold(lambda plane: plane.clear(worker))).result:  # noqa: ASYNC110 - slices, one turn apart
            await asyncio.sleep(0)
        bury(self._board.cells, self._board.layout, worker, self._ledger.tables, self._ledger.departed)
        for number in range(self._board.layout.rows(self._board.cells)):
            self._bells.ring(number)
        await self.cleared(worker)

    def _reclaim_departed(self) -> None:
        """Free the indexes of departed servers that nobody holds, targets, waits for or lists."""
        self._reclaim = self._loop.call_later(_RECLAIM_EVERY, self._reclaim_departed)
        departed = tuple(self._ledger.departed)
        if not departed:
            return
        # another part each time: those at the front may have sessions that last for days
        self._looked_at %= len(departed)
        some = departed[self._looked_at : self._looked_at + _RECLAIM_SLICE]
        self._looked_at += _RECLAIM_SLICE
        hold = self._holds.attempt(lambda plane: [server for server in some if plane.is_removable(server)])
        if hold is None or not hold.result:
            return
        for server in hold.result:
            forget(self._board.cells, self._board.layout, server)
        self._ledger.reclaim(hold.result)


async def _nothing(worker: int) -> None:
    """A worker owns nothing elsewhere."""
