"""Time as the informers and their consumers need it: handed in, so that tests have hours in no time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


class Timer(Protocol):
    """What `later` returns."""

    def cancel(self) -> None:
        """It will not be called. Harmless when it was already."""


class Clock(Protocol):
    """Seconds."""

    def now(self) -> float:
        """Of a clock that never goes back."""

    def wall(self) -> float:
        """Since 1970, for people and metrics only."""

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """Call once, after so long."""

    async def sleep(self, seconds: float) -> None:
        """Return after so long; 0: after everybody else had a turn."""

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """An async context manager like asyncio.timeout."""


class LoopClock:
    """The running loop's."""

    def now(self) -> float:
        """See Clock."""
        return time.monotonic()

    def wall(self) -> float:
        """See Clock."""
        return time.time()

    def later(self, seconds: float, call: Callable[[], object]) -> Timer:
        """See Clock."""
        return asyncio.get_running_loop().call_later(seconds, call)

    async def sleep(self, seconds: float) -> None:
        """See Clock."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """See Clock."""
        return asyncio.timeout(seconds)


@dataclass(slots=True)
class Backoff:
    """Pauses between attempts that fail: drawn from [0, p], p doubling from `first_s` to `longest_s` (client-go's numbers).

    The whole of p is jitter: what failed for many at once does not come back for many at once. `calm_s` without a failure,
    and it begins at `first_s` again.
    """

    draws: random.Random
    first_s: float = 0.8
    longest_s: float = 30.0
    calm_s: float = 120.0
    _bound_s: float = 0.0
    _until: float = float('-inf')

    def failed(self, now: float) -> float:
        """Seconds to wait now."""
        calm = now - self._until >= self.calm_s
        self._bound_s = self.first_s if calm or not self._bound_s else min(self._bound_s * 2, self.longest_s)
        pause = self.draws.uniform(0.0, self._bound_s)
        self._until = now + pause
        return pause
