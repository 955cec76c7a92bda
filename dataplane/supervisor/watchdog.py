"""Workers that stand still: passed over after 100 ms, killed after `isolation-timeout` (design 2, rules 5 and 9).

A worker writes its heartbeat every 20 ms. Only the aside mark decides who is passed over, never the heartbeat itself, and a
worker takes its own mark away when it goes on. Killing is for those who would hold everybody else up for good; it is done
one at a time, and only while this process' own clockwork has been on time, because a machine that stood still as a whole
makes everybody look dead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from dataplane.board import Board
from dataplane.core.layout import Aside
from dataplane.supervisor.holds import Holds
from dataplane.supervisor.workers import Workers

TICK: Final = 0.02
ASIDE_AFTER: Final = 100
_LATE: Final = 0.05
_ON_TIME_FOR: Final = 10
_PATIENCE: Final = 0.02


class Watchdog:
    """One per supervisor. `isolation` gives `isolation-timeout` in ms, `workers` are those it watches.

    `holders` gives the thread ids of those who hold a lock beside the board's.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        board: Board,
        holds: Holds,
        workers: Workers,
        isolation: Callable[[], int],
    ) -> None:
        self._loop = loop
        self._cells = board.cells
        self._at = board.layout
        self._holds = holds
        self._workers = workers
        self._isolation = isolation
        self.holders: Callable[[], tuple[int, ...]] = tuple
        self._due = 0.0
        self._on_time = 0
        self._killed = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Watch from now on."""
        self._holds.on_stuck = self.stuck
        self._schedule()

    def close(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self) -> None:
        self._due = time.monotonic() + TICK
        self._timer = self._loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        late = time.monotonic() - self._due
        self._on_time = self._on_time + 1 if late < _LATE else 0
        now = time.monotonic_ns() // 1_000_000
        # who holds what the others wait for goes first
        holders = self.holders()
        pids = self._workers.pids
        for worker in sorted(self._workers.watched(), key=lambda worker: pids.get(worker) not in holders):
            age = now - self._cells[self._at.HEARTBEAT + worker]
            if age > ASIDE_AFTER and self._cells[self._at.ASIDE + worker] != Aside.YES:
                self._holds.attempt(lambda plane, worker=worker: plane.set_aside(worker), _PATIENCE)  # type: ignore[misc]
            if age > self._isolation() and self._on_time >= _ON_TIME_FOR:
                self._kill(worker, f'its event loop has not turned for {age} ms')
        self._schedule()

    def _kill(self, worker: int, why: str) -> None:
        """One at a time: the next only when the last one's death is known."""
        pid = self._workers.pids.get(worker, 0)
        if self._killed in self._workers.pids.values():
            return
        self._killed = pid
        self._workers.kill(worker, why)

    def stuck(self, tid: int, what: str = 'the board') -> None:
        """The lock of something could not be had in time, and this thread had it: end its worker if that stands still."""
        now = time.monotonic_ns() // 1_000_000
        for worker, pid in self._workers.pids.items():
            age = now - self._cells[self._at.HEARTBEAT + worker]
            if pid == tid and age > self._isolation():
                self._kill(worker, f'it has held the lock of {what} without moving for {age} ms')
