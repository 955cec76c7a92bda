"""How many rows of workers are in use: the supervisor's stores, without the lock, while everything else goes on.

A worker of the numbers that a world hires is started once its row is in use, leaves when it has nothing, and is cleared away as any
other; then its row may be in use no more. `dataplane.supervisor.staff` does so, with processes.
"""

from __future__ import annotations

from collections.abc import Iterator

from dataplane.core.stream import Life
from tests.exhaustive.world import CLEARED, DEAD, UP, State


def may_start(x: State, worker: int) -> bool:
    """Is there to be a worker of this number?"""
    return worker < x.w.at.rows(x.cells)


def may_lower(x: State, worker: int) -> bool:
    """Is nothing left of the last worker?"""
    return x.alive[worker] == CLEARED


def steps(x: State) -> Iterator[tuple[str, State]]:
    """What a reload may do next."""
    first, at = x.w.workers - x.w.hires, x.w.at
    rows = at.rows(x.cells)
    if rows < x.w.workers:
        n = x.clone()
        n.cells[at.ROWS] = rows + 1
        yield f'worker {rows} is hired', n
    if rows > first and may_lower(x, rows - 1):
        n = x.clone()
        n.cells[at.ROWS] = rows - 1
        yield f'row {rows - 1} is in use no more', n
    for worker in range(first, x.w.workers):
        idle = all(stream.life in (Life.NEW, Life.ENDED) for _, stream in x.of(worker))
        if x.alive[worker] == UP and not x.stopped[worker] and idle:
            n = x.clone()
            n.alive[worker], n.bell[worker] = DEAD, 0
            yield f'worker {worker} has left', n
