"""Garbage collection where it does not hurt: young generations as the interpreter goes, full ones when nobody waits.

A full collection over 100,000 connection-like objects takes 20 ms, which is a pause for everybody. So the interpreter's own
full collections are put off for good, and one is made when the worker has been idle for a moment and there is something to
look at. Under load that never stops, one is made all the same after many middle ones: memory must not grow without bound.
"""

from __future__ import annotations

import gc
from typing import Final

_YOUNG: Final = 20_000
_MIDDLE: Final = 20
_NEVER: Final = 1_000_000
_IDLE_BEATS: Final = 50
_DUE: Final = 2
_OVERDUE: Final = 500


class Collector:
    """`beat` is called with every heartbeat of the loop."""

    def __init__(self) -> None:
        gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)
        self._idle = 0

    def beat(self, *, is_idle: bool) -> bool:
        """Collect fully if now is a good time. Returns whether it was done."""
        self._idle = self._idle + 1 if is_idle else 0
        middle = gc.get_count()[2]
        if not (middle >= _OVERDUE or (middle >= _DUE and self._idle >= _IDLE_BEATS)):
            return False
        self._idle = 0
        gc.collect()
        return True
