"""The board: what all workers of a data plane must agree on, in shared memory under one lock, and the bells beside it.

A board is a sparse memfd. Its first page holds a mutex; behind it lie `layout.size` signed 64-bit cells, addressed by
`dataplane.core.layout`. It is sized once, for the maximum, and sealed against shrinking and growing, so that no process
can be killed by SIGBUS because another one made it shorter. Untouched pages cost nothing. A board reaches another process
by its descriptor: across `fork`, or by SCM_RIGHTS. (Not `multiprocessing.shared_memory`: on 3.11 its tracker unlinks the
segment when an attached process is killed.)

The mutex is pthread's, process-shared and robust. When a process dies inside a hold, at whatever instruction, the kernel
gives the lock to the next who asks, together with the news (EOWNERDEAD). What must then hold:

1. Whoever is told TORN rebuilds what is derived, calls `consistent`, and only then trusts a derived cell. If it dies
   before `consistent`, the next one is told the same.
2. Nothing inside a hold logs, waits, calls back or lets an exception out. An exception inside a hold is a death: the
   process kills itself holding the lock, and repair does the rest. A hold left by `unlock` without `consistent` after
   TORN makes the lock unusable for everybody, for good; every later attempt raises.
3. The supervisor takes the lock by `lock_within` only, since a worker may be stopped inside a hold.
4. A mapping outlasts every hold in it. pthread keeps the robust mutexes a thread holds in a list that runs through the mutexes
   themselves, and the next lock of any board writes into the one before it: were that unmapped, it would be a segfault.

The mutex itself is in `dataplane.mutex`.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import warnings
from collections.abc import MutableSequence, Sequence
from typing import TYPE_CHECKING, Final, Self, cast

from dataplane.mutex import ROOM, Held, RobustMutex
from dataplane.sealed import sealed_memory

if TYPE_CHECKING:
    from dataplane.core.layout import Layout

__all__ = ['Bells', 'Board', 'Held']

CELL: Final = 8


class Board:
    """One mapping of one board. A process that got the board across `fork` may go on using the parent's object.

    `lock` and `unlock`, `lock_within`, `consistent` and `holder` are those of its mutex.
    """

    __slots__ = (
        '_map',
        '_mutex',
        '_page',
        '_view',
        'cells',
        'consistent',
        'fd',
        'holder',
        'layout',
        'lock',
        'lock_within',
        'unlock',
    )

    def __init__(self, fd: int, layout: Layout) -> None:
        """Map the board behind `fd`, which is owned by this object from here on. Use `create` or `attach`."""
        expected = mmap.PAGESIZE + layout.size * CELL
        found = os.fstat(fd).st_size
        if found != expected:
            raise ValueError(f'board on descriptor {fd} has {found} bytes, its layout needs {expected}')
        self.fd = fd
        self.layout = layout
        self._map = mmap.mmap(fd, expected)
        self._page = memoryview(self._map)
        self._view: memoryview[int] = self._page[mmap.PAGESIZE :].cast('q')
        # the core works on any mutable sequence of integers; a memoryview is one except for insert and del, which it never uses
        self.cells = cast('MutableSequence[int]', self._view)
        self._mutex = mutex = RobustMutex(self._page[:ROOM])
        self.lock, self.unlock, self.lock_within = mutex.lock, mutex.unlock, mutex.lock_within
        self.consistent, self.holder = mutex.consistent, mutex.holder

    @classmethod
    def create(cls, layout: Layout) -> Self:
        """A new board, all cells 0, its lock free. Raises OSError when the system gives no memfd."""
        fd = sealed_memory('board', mmap.PAGESIZE + layout.size * CELL)
        try:
            board = cls(fd, layout)
            board._mutex.init()
        except BaseException:
            os.close(fd)
            raise
        return board

    @classmethod
    def attach(cls, fd: int, layout: Layout) -> Self:
        """The board another process made and sent as `fd`. Raises ValueError when its size is not that of `layout`."""
        return cls(fd, layout)

    def close(self) -> None:
        """Drop this mapping and its descriptor. The board lives on in the other processes. Idempotent.

        RuntimeError: this process is inside a hold (see the module, 4); nothing was closed.
        """
        if self.fd < 0:
            return
        if self._mutex.is_held_here():
            raise RuntimeError(f'the board is closed inside a hold of thread {self.holder()}')
        del self.lock, self.unlock
        self._mutex.release()
        try:
            self._view.release()
            self._page.release()
            self._map.close()
        except BufferError:
            pass  # somebody compiled still looks at the cells: the mapping goes when he does
        os.close(self.fd)
        self.fd = -1

    def __del__(self) -> None:
        if getattr(self, 'fd', -1) >= 0 and hasattr(self, '_mutex') and self._mutex.is_held_here():
            # whoever forgot it inside a hold has failed there; it stays mapped for as long as the process lives
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._map))
            warnings.warn('a board was forgotten inside a hold', ResourceWarning, source=self, stacklevel=2)


class Bells:
    """One doorbell (eventfd) per worker 0..n-1 and one, number n, for the supervisor. A bell carries no message.

    Who hears it looks at the board and settles the difference, so a bell may ring late, twice, or for nothing.
    """

    __slots__ = ('fds',)

    def __init__(self, fds: Sequence[int]) -> None:
        self.fds: tuple[int, ...] = tuple(fds)

    @classmethod
    def create(cls, workers: int) -> Self:
        """Bells for `workers` workers and the supervisor."""
        fds: list[int] = []
        try:
            for _ in range(workers + 1):
                fds.append(os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC))
        except OSError:
            for fd in fds:
                os.close(fd)
            raise
        return cls(fds)

    @classmethod
    def from_fds(cls, fds: Sequence[int]) -> Self:
        """The bells another process made, in their order."""
        return cls(fds)

    @property
    def supervisor(self) -> int:
        """Number of the supervisor's bell."""
        return len(self.fds) - 1

    def ring(self, number: int) -> None:
        """Make descriptor `number` readable. Never blocks. 0.7 us."""
        try:
            os.eventfd_write(self.fds[number], 1)
        except BlockingIOError:
            # the counter is full, so the bell is ringing already; that is all a ring can say
            return

    def clear(self, number: int) -> None:
        """Silence bell `number` before looking at the board, so that a ring during the look is heard. Never blocks."""
        try:
            os.eventfd_read(self.fds[number])
        except BlockingIOError:
            # nobody rang, or another look was quicker
            return

    def close(self) -> None:
        """Close all descriptors of this process. Idempotent."""
        fds, self.fds = self.fds, ()
        for fd in fds:
            os.close(fd)
