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

The library is called through `ctypes.PyDLL`, which keeps the GIL: releasing it costs more than a hold, and no process
here has a second thread that could use it. Linux with glibc 2.30 or newer on a 64-bit machine; everything else is refused
by name.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import time
import warnings
from collections.abc import Callable, MutableSequence, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final, Self, cast

if TYPE_CHECKING:
    from dataplane.core.layout import Layout

try:
    from dataplane.native.mutex import Mutex
except ImportError:  # not compiled: ctypes does it
    Mutex = None  # type: ignore[assignment,misc]

CELL: Final = 8
# pthread_mutex_t has 40 bytes on x86_64 and 48 on aarch64, pthread_mutexattr_t 4 and 8; the constants are glibc's on both
_MUTEX_ROOM: Final = 64
_ATTRIBUTES_ROOM: Final = 16
_PROCESS_SHARED: Final = 1
_ROBUST: Final = 1
_ERROR_CHECK: Final = 2
# the futex word is the mutex' first field; its other two bits say that somebody waits and that the owner died
_TID_MASK: Final = 0x3FFF_FFFF
# not in `fcntl` before Python 3.13
_F_ADD_SEALS: Final = 1033
_F_SEAL_SEAL: Final = 0x1
_F_SEAL_SHRINK: Final = 0x2
_F_SEAL_GROW: Final = 0x4


class Held(Enum):
    """What `lock_within` came back with. TIMEOUT: the lock is not held; the other two: it is."""

    CLEAN = 'clean'
    TORN = 'torn'
    TIMEOUT = 'timeout'

    def __bool__(self) -> bool:
        raise TypeError('Held has three values: compare it, TORN and CLEAN both hold the lock')


class _Timespec(ctypes.Structure):
    _fields_ = (('seconds', ctypes.c_long), ('nanoseconds', ctypes.c_long))


class Board:
    """One mapping of one board. A process that got the board across `fork` may go on using the parent's object.

    `lock()` takes the lock, however long it takes. True: the holder before us died inside its hold (see the module, 1). Raises
    OSError when this thread holds it already (EDEADLK) or when it was given up for good (ENOTRECOVERABLE). `unlock()` ends
    the hold; OSError (EPERM) when this thread does not hold the lock. Both together, with nobody else there: 350 ns by ctypes on
    a 2-core x86_64 virtual machine.
    """

    __slots__ = (
        '_clocklock', '_consistent', '_lock', '_map', '_mutex', '_page', '_unlock', '_until', '_view', '_word', 'cells', 'fd', 'layout',
        'lock', 'unlock',
    )  # fmt: skip

    def __init__(self, fd: int, layout: Layout) -> None:
        """Map the board behind `fd`, which is owned by this object from here on. Use `create` or `attach`."""
        expected = mmap.PAGESIZE + layout.size * CELL
        found = os.fstat(fd).st_size
        if found != expected:
            raise ValueError(f'board on descriptor {fd} has {found} bytes, its layout needs {expected}')
        libc = ctypes.PyDLL('libc.so.6')
        if not hasattr(libc, 'pthread_mutex_clocklock'):
            raise OSError(errno.ENOSYS, 'the board needs glibc 2.30 or newer: pthread_mutex_clocklock is missing')
        self.fd = fd
        self.layout = layout
        self._map = mmap.mmap(fd, expected)
        self._page = memoryview(self._map)
        self._view: memoryview[int] = self._page[mmap.PAGESIZE :].cast('q')
        # the core works on any mutable sequence of integers; a memoryview is one except for insert and del, which it never uses
        self.cells = cast('MutableSequence[int]', self._view)
        self._word: memoryview[int] = self._page[:4].cast('I')
        # byref of an object that is made once: 25 % cheaper per call than an address with argtypes
        self._mutex = ctypes.byref((ctypes.c_char * _MUTEX_ROOM).from_buffer(self._map))
        self._until = _Timespec()
        self._lock = libc.pthread_mutex_lock
        self._unlock = libc.pthread_mutex_unlock
        self.lock, self.unlock = self._calls()
        self._consistent = libc.pthread_mutex_consistent
        self._clocklock = libc.pthread_mutex_clocklock

    @classmethod
    def create(cls, layout: Layout) -> Self:
        """A new board, all cells 0, its lock free. Raises OSError when the system gives no memfd."""
        fd = os.memfd_create('sluice-board', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, mmap.PAGESIZE + layout.size * CELL)
            fcntl.fcntl(fd, _F_ADD_SEALS, _F_SEAL_SHRINK | _F_SEAL_GROW | _F_SEAL_SEAL)
            board = cls(fd, layout)
            board._init_mutex()
        except BaseException:
            os.close(fd)
            raise
        return board

    @classmethod
    def attach(cls, fd: int, layout: Layout) -> Self:
        """The board another process made and sent as `fd`. Raises ValueError when its size is not that of `layout`."""
        return cls(fd, layout)

    def _init_mutex(self) -> None:
        libc = ctypes.PyDLL('libc.so.6')
        attributes = ctypes.create_string_buffer(_ATTRIBUTES_ROOM)
        _check(libc.pthread_mutexattr_init(attributes), 'pthread_mutexattr_init')
        _check(libc.pthread_mutexattr_setpshared(attributes, _PROCESS_SHARED), 'pthread_mutexattr_setpshared')
        _check(libc.pthread_mutexattr_setrobust(attributes, _ROBUST), 'pthread_mutexattr_setrobust')
        # error-checking costs nothing measurable and turns a hold inside a hold into an exception instead of a hang
        _check(libc.pthread_mutexattr_settype(attributes, _ERROR_CHECK), 'pthread_mutexattr_settype')
        _check(libc.pthread_mutex_init(self._mutex, attributes), 'pthread_mutex_init')
        _check(libc.pthread_mutexattr_destroy(attributes), 'pthread_mutexattr_destroy')

    def _calls(self) -> tuple[Callable[[], bool], Callable[[], None]]:
        """`lock` and `unlock`: those of mutex.pyx in `dataplane.native` where the package was compiled, which do the same."""
        if Mutex is None:
            return self._take, self._give
        mutex = Mutex(self._map)
        return mutex.lock, mutex.unlock

    def _take(self) -> bool:
        code = self._lock(self._mutex)
        if code == 0:
            return False
        if code == errno.EOWNERDEAD:
            return True
        raise _error(code, 'pthread_mutex_lock')

    def lock_within(self, seconds: float) -> Held:
        """Take the lock if it can be had within `seconds` (0 or less: at once or not at all); on TIMEOUT it is not held.

        Blocks the calling thread. Raises OSError as `lock` does.
        """
        until = time.monotonic_ns() + max(0, int(seconds * 1e9))
        self._until.seconds, self._until.nanoseconds = divmod(until, 1_000_000_000)
        code = self._clocklock(self._mutex, time.CLOCK_MONOTONIC, ctypes.byref(self._until))
        if code == 0:
            return Held.CLEAN
        if code == errno.EOWNERDEAD:
            return Held.TORN
        if code == errno.ETIMEDOUT:
            return Held.TIMEOUT
        raise _error(code, 'pthread_mutex_clocklock')

    def consistent(self) -> None:
        """Say that all derived cells are rebuilt. Only between a TORN lock and its unlock; anywhere else OSError."""
        _check(self._consistent(self._mutex), 'pthread_mutex_consistent')

    def _give(self) -> None:
        code = self._unlock(self._mutex)
        if code:
            raise _error(code, 'pthread_mutex_unlock')

    def holder(self) -> int:
        """Thread id of who holds the lock at this moment, 0 when nobody does (also when its holder died inside a hold).

        The id is that of the process' main thread, thus its pid, in every process of a data plane. It may be out of
        date when it is looked at: good for naming who to look into, never for deciding that the lock is free.
        """
        return self._word[0] & _TID_MASK

    def _is_held_here(self) -> bool:
        """Whether a thread of this process is inside a hold."""
        holder = self.holder()
        return bool(holder) and os.path.exists(f'/proc/self/task/{holder}')

    def close(self) -> None:
        """Drop this mapping and its descriptor. The board lives on in the other processes. Idempotent.

        RuntimeError: this process is inside a hold (see the module, 4); nothing was closed.
        """
        if self.fd < 0:
            return
        if self._is_held_here():
            raise RuntimeError(f'the board is closed inside a hold of thread {self.holder()}')
        del self._mutex, self.lock, self.unlock
        try:
            self._word.release()
            self._view.release()
            self._page.release()
            self._map.close()
        except BufferError:
            pass  # somebody compiled still looks at the cells: the mapping goes when he does
        os.close(self.fd)
        self.fd = -1

    def __del__(self) -> None:
        if getattr(self, 'fd', -1) >= 0 and hasattr(self, '_word') and self._is_held_here():
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


def _check(code: int, call: str) -> None:
    if code:
        raise _error(code, call)


def _error(code: int, call: str) -> OSError:
    return OSError(code, f'{call}: {os.strerror(code)}')
