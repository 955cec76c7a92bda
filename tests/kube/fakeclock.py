"""A clock that stands until it is moved. Everything due is called in its order, each at its own time.

clock = ManualClock(); informer = Informer(..., clock=clock)
await clock.waiting()          # until somebody waits for it (to sleep); `pauses` lists what sleeps asked for so far
await clock.advance(30.0)      # and let what was woken run
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class ManualTimer:
    def __init__(self, due: float, call: Callable[[], object]) -> None:
        self.due, self.call, self.cancelled = due, call, False

    def cancel(self) -> None:
        self.cancelled = True


class ManualClock:
    def __init__(self, now: float = 1_000.0) -> None:
        self._now = now
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, ManualTimer]] = []
        self._asleep: set[asyncio.Future[None]] = set()
        self._changed = asyncio.Event()
        self.pauses: list[float] = []

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now + 1_700_000_000.0

    def later(self, seconds: float, call: Callable[[], object]) -> ManualTimer:
        timer = ManualTimer(self._now + seconds, call)
        heapq.heappush(self._timers, (timer.due, next(self._numbers), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not seconds:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.later(seconds, lambda: None if woken.done() else woken.set_result(None))
        self._asleep.add(woken)
        self._changed.set()
        try:
            await woken
        finally:
            timer.cancel()
            self._asleep.discard(woken)

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        async with asyncio.timeout(None) as limit:
            timer = self.later(seconds, lambda: limit.reschedule(asyncio.get_running_loop().time()))
            try:
                yield
            finally:
                timer.cancel()

    async def waiting(self, count: int = 1, limit_s: float = 10.0) -> None:
        """Wait until at least so many sleep."""
        async with asyncio.timeout(limit_s):
            while len(self._asleep) < count:
                self._changed.clear()
                await self._changed.wait()

    async def advance(self, seconds: float) -> None:
        until = self._now + seconds
        while self._timers and self._timers[0][0] <= until:
            due, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            if not timer.cancelled:
                timer.call()
                for _ in range(5):  # what was called goes on before the next is due
                    await asyncio.sleep(0)
        self._now = until
        for _ in range(5):
            await asyncio.sleep(0)
