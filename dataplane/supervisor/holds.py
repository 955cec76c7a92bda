"""The supervisor's holds of the board's lock: never waited for without end, always given back, and measured.

A worker may be stopped inside a hold, so the lock is taken by `lock_within` only. When that times out, whoever holds it is
named to `on_stuck` (the watchdog, who may end it) and the hold is tried again later. An exception inside a hold is a death
here as in a worker: the workers notice the end of file and end too, which is better than a board nobody trusts.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, NoReturn, TypeVar

from dataplane.board import Bells, Board, Held
from dataplane.core.commit import Commit, stage
from dataplane.core.plane import SUPERVISOR, Plane

T = TypeVar('T')

PATIENCE: Final = 0.1
"""Seconds one attempt may wait; the loop stands still meanwhile."""
_AGAIN: Final = 0.02


@dataclass(frozen=True, slots=True)
class Hold(Generic[T]):
    """A hold that took place: what it gave, how long it waited for the lock and how long it kept it (us)."""

    result: T
    wait_us: int
    pause_us: int


class Holds:
    """Everything the supervisor does under the lock goes through here.

    `on_stuck(tid)` is called after a timeout with the thread id of the holder (0: nobody any more); `on_rest` when a hold
    left pumping to be done.
    """

    def __init__(self, board: Board, bells: Bells, plane: Plane) -> None:
        self.on_stuck: Callable[[int], None] = _nobody
        self.on_rest: Callable[[], None] = _nothing
        self._board = board
        self._bells = bells
        self._plane = plane

    def attempt(self, act: Callable[[Plane], T], patience: float = PATIENCE) -> Hold[T] | None:
        """Do `act` inside a hold; None when the lock could not be had within `patience` seconds."""
        # a collection inside a hold would be a pause for everybody
        gc.disable()
        try:
            return self._attempt(act, patience)
        finally:
            gc.enable()

    def _attempt(self, act: Callable[[Plane], T], patience: float) -> Hold[T] | None:
        asked = time.monotonic_ns()
        held = self._board.lock_within(patience)
        taken = time.monotonic_ns()
        if held is Held.TIMEOUT:
            self.on_stuck(self._board.holder())
            return None
        try:
            self._plane.enter(torn=held is Held.TORN)
            if held is Held.TORN:
                self._board.consistent()
            result = act(self._plane)
            rings = self._plane.leave()
        except BaseException:  # noqa: BLE001 - an exception inside a hold is a death, whatever it is
            _die()
        self._board.unlock()
        released = time.monotonic_ns()
        self._ring(rings)
        return Hold(result, (taken - asked) // 1_000, (released - taken) // 1_000)

    def stage(self, revision: Commit) -> None:
        """What of a revision nobody looks at before it is committed: written without the lock."""
        stage(self._board.cells, revision)

    async def hold(self, act: Callable[[Plane], T]) -> Hold[T]:
        """Do `act` inside a hold, however many attempts that takes; the loop runs in between."""
        waited = 0
        while True:
            hold = self.attempt(act)
            if hold is not None:
                return Hold(hold.result, hold.wait_us + waited, hold.pause_us)
            waited += int((PATIENCE + _AGAIN) * 1_000_000)
            await asyncio.sleep(_AGAIN)

    def _ring(self, rings: tuple[int, ...]) -> None:
        for number in rings:
            if number == SUPERVISOR:
                self.on_rest()
            else:
                self._bells.ring(number)


def _nobody(tid: int) -> None:
    """Nobody looks after stuck holders yet."""


def _nothing() -> None:
    """Nobody pumps yet."""


def _die() -> NoReturn:
    """End the data plane while the lock is held: its derived cells can be trusted by nobody."""
    traceback.print_exc()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError('unreachable: the process was killed')
