"""Servers that warm up (`slowstart`) get more weight and a higher limit once a second, all of them in one revision.

Limits do not move by themselves: each step is a commit like any other, so that all workers take it at the same instant and
who waits for the room that it makes is looked at. While nobody warms up a second costs one look.
"""

from __future__ import annotations

import asyncio
from typing import Final

from dataplane.core.changes import WarmUp
from dataplane.supervisor.publish import Publisher

EVERY: Final = 1.0


class Slowstart:
    """One per supervisor. `start` hangs it on the loop, `close` takes it off."""

    def __init__(self, loop: asyncio.AbstractEventLoop, publisher: Publisher) -> None:
        self._loop = loop
        self._publisher = publisher
        self._due: asyncio.TimerHandle | None = None
        self._step: asyncio.Task[object] | None = None

    def start(self) -> None:
        """Look once a second from now on."""
        if self._due is not None:
            self._due.cancel()
        self._due = self._loop.call_later(EVERY, self.tick)

    def close(self) -> None:
        """No further step; one that is under way is given up."""
        if self._due is not None:
            self._due.cancel()
        if self._step is not None:
            self._step.cancel()

    def tick(self) -> None:
        """A second is over. A step that has not been applied everywhere yet is waited for: the next one makes up for it."""
        self.start()
        if self._publisher.ledger.is_warming and (self._step is None or self._step.done()):
            self._step = self._loop.create_task(self._publisher.submit([WarmUp()], source='slowstart'))
