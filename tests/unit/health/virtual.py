"""A loop whose time does not pass but jumps: to the next timer, once nothing is ready and no socket has news."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

_GRACE = 0.002


class VirtualLoop(asyncio.SelectorEventLoop):
    """Sockets are real, on loopback, where news is there as soon as it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready and scheduled and not self._selector.select(_GRACE):  # type: ignore[attr-defined]
            self.now = max(self.now, scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test in virtual time."""
    loop = VirtualLoop()
    try:
        loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
