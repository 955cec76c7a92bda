"""What the workers did within the last second: how much they sent, and how long they rested.

Both are differences between now and a look a second ago, or half a second more, so there are two looks a second, whoever asks: a
cell per worker, and a file of the kernel's, 20 us each. A worker's time at rest is that in which it neither ran nor waited for a processor
(proc(5), /proc/PID/schedstat: both in ns): it waits for its sockets then, and for nothing else. HAProxy says the same of the one thread that is
asked, this of all workers together.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

EVERY: Final = 0.5
_KEPT: Final = 3
_SECOND: Final = 1.0
_LEAST: Final = 1e-3
_NS: Final = 1e9


class Beat(NamedTuple):
    """Of the last second: bytes that were sent, and the percentage at rest (None: the system does not say)."""

    sent: int = 0
    idle_pct: int | None = None


class _Look(NamedTuple):
    at: float
    sent: int
    busy: dict[int, int]


class Pulse:
    """`sent`: all bytes so far; `pids`: the workers; `clock` in seconds."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sent: Callable[[], int], pids: Callable[[], Iterable[int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._loop, self._sent, self._pids, self._clock = loop, sent, pids, clock
        self._looks = deque((self._now(),), _KEPT)
        self._timer = loop.call_later(EVERY, self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(EVERY, self._look)
        self._looks.append(self._now())

    def _now(self) -> _Look:
        busy = {pid: time_taken for pid in self._pids() if (time_taken := busy_ns(pid)) is not None}
        return _Look(self._clock(), self._sent(), busy)

    def beat(self) -> Beat:
        """What became of the last second; at first of as much of it as there was."""
        now, before = self._now(), self._looks[0]
        seconds = max(now.at - before.at, _LEAST)
        taken = [after - before.busy[pid] for pid, after in now.busy.items() if pid in before.busy]
        sent = max(0, int((now.sent - before.sent) / max(seconds, _SECOND)))
        if not taken:
            return Beat(sent)
        rest = 1 - sum(taken) / len(taken) / _NS / seconds
        return Beat(sent, round(100 * min(1.0, max(0.0, rest))))


def busy_ns(pid: int) -> int | None:
    """How long a process has run or would have run, had there been a processor; None when it is gone, or nothing is known."""
    try:
        ran, waited, _ = Path(f'/proc/{pid}/schedstat').read_text(encoding='ascii').split()
    except (OSError, ValueError):
        return None
    return int(ran) + int(waited) or None  # a kernel that does not count says 0
