"""Which objects must be looked at: a queue of keys, each in it at most once, however often it changes meanwhile.

Level-triggered: a key says that something about the object may be different, never what. Who takes a key looks at the present.

  K1  A key that was put is taken after that, at least once.
  K2  It waits once, however often it was put; its place is that of the first time.
  K3  No two consumers work on one key at a time: put meanwhile, it waits until `done`.
  K4  Memory is bounded by the number of keys.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from controlplane.kube.clock import Clock, LoopClock, Timer

K = TypeVar('K', bound=Hashable)

_FIRST_S: Final = 0.1
_LONGEST_S: Final = 60.0


class KeyQueue(Generic[K]):
    """`get` one key and end its work with `done` or `retry`; or `take` all at once, where the world is rebuilt as a whole."""

    def __init__(self, clock: Clock | None = None, draws: random.Random | None = None) -> None:
        self._clock = clock or LoopClock()
        self._draws = draws or random.Random()
        self._waiting: dict[K, None] = {}  # in order
        self._worked_on: set[K] = set()
        self._again: dict[K, None] = {}  # put while worked on
        self._failures: dict[K, int] = {}
        self._timers: dict[K, Timer] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, key: K) -> None:
        """It must be looked at."""
        if key in self._worked_on:
            self._again[key] = None
            return
        self._waiting.setdefault(key)
        self._filled.set()

    async def get(self) -> K:
        """Wait for a key, the longest-waiting first. `done` or `retry` must follow."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        self._worked_on.add(key)
        return key

    async def take(self) -> tuple[K, ...]:
        """Wait until there is one and take all that wait, in order; nothing must follow."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        keys = tuple(self._waiting)
        self._waiting.clear()
        return keys

    def done(self, key: K) -> None:
        """What `get` gave was looked at. Earlier failures are forgotten."""
        self._failures.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        self._end(key)

    def retry(self, key: K) -> float:
        """What `get` gave could not be done: it waits again after a pause that doubles with every failure of this key.

        Returns the pause in seconds (half of it jitter). A `put` meanwhile is not held back by it.
        """
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        bound_s = min(_FIRST_S * 2.0 ** min(failures - 1, 20), _LONGEST_S)
        pause = self._draws.uniform(bound_s / 2, bound_s)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        self._timers[key] = self._clock.later(pause, lambda: self._due(key))
        self._end(key)
        return pause

    def close(self) -> None:
        """Nothing is put by a timer any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.put(key)

    def _end(self, key: K) -> None:
        self._worked_on.remove(key)  # KeyError: it was not taken by `get`
        if key in self._again:
            del self._again[key]
            self.put(key)
