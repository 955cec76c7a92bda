"""Garbage collection where it does not hurt: young generations as the interpreter goes, full ones when nothing changes.

A full collection looks at everything that is held - servers, the log's ring, operations - and took 86 ms on average, 107 ms
at most, with 1,000 servers and a full ring: everybody's acknowledgement waits for it. So the interpreter's own full
collections are put off, and one is made when the desired state has been still for a moment and there is something to look
at. Under changes that never stop, one is made all the same after many middle ones: memory must not grow without bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from typing import Final

_YOUNG: Final = 20_000
_MIDDLE: Final = 20
_NEVER: Final = 1_000_000
_STILL_BEATS: Final = 3
_DUE: Final = 2
_OVERDUE: Final = 500


class Collector:
    """`beat` is called about once a second with something that differs whenever the desired state does."""

    def __init__(self) -> None:
        self._head: object = None
        self._still = 0

    def beat(self, head: object) -> bool:
        """Collect fully if now is a good time. Returns whether it was done."""
        self._still = self._still + 1 if head == self._head else 0
        self._head = head
        middle = gc.get_count()[2]
        if not (middle >= _OVERDUE or (middle >= _DUE and self._still >= _STILL_BEATS)):
            return False
        gc.collect()
        return True


@contextlib.asynccontextmanager
async def collecting(head: Callable[[], object]) -> AsyncIterator[None]:
    """While inside, full collections of this process are made when `head()` is the same for some seconds."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()  # what exists now, code above all, lives as long as the process
    gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)
    beats = asyncio.ensure_future(_beats(Collector(), head))
    try:
        yield
    finally:
        beats.cancel()
        gc.set_threshold(*before)
        gc.unfreeze()


async def _beats(collector: Collector, head: Callable[[], object]) -> None:
    while True:
        await asyncio.sleep(1.0)
        collector.beat(head())
