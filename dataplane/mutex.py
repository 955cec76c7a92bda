"""The lock that processes share: pthread's mutex, process-shared and robust, in a few bytes of shared memory.

When a process dies inside a hold, at whatever instruction, the kernel gives the lock to the next who asks, together with the
news (EOWNERDEAD). What must hold:

1. Whoever is told TORN rebuilds what is derived, calls `consistent`, and only then trusts what the lock guards. If it dies
   before `consistent`, the next one is told the same.
2. A mapping outlasts every hold in it. pthread keeps the robust mutexes a thread holds in a list that runs through the mutexes
   themselves, and the next lock of any of them writes into the one before it: were that unmapped, it would be a segfault.

The library is called through `ctypes.PyDLL`, which keeps the GIL: releasing it costs more than a hold, and no process
here has a second thread that could use it. Linux with glibc 2.30 or newer on a 64-bit machine; everything else is refused
by name.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

try:
    from dataplane.native.mutex import Mutex
except ImportError:  # not compiled: ctypes does it
    Mutex = None  # type: ignore[assignment,misc]

# pthread_mutex_t has 40 bytes on x86_64 and 48 on aarch64, pthread_mutexattr_t 4 and 8; the constants are glibc's on both
ROOM: Final = 64
"""Bytes for one mutex."""
_ATTRIBUTES_ROOM: Final = 16
_PROCESS_SHARED: Final = 1
_ROBUST: Final = 1
_ERROR_CHECK: Final = 2
# the futex word is the mutex' first field; its other two bits say that somebody waits and that the owner died
_TID_MASK: Final = 0x3FFF_FFFF


class Held(Enum):
    """What `lock_within` came back with. TIMEOUT: the lock is not held; the other two: it is."""

    CLEAN = 'clean'
    TORN = 'torn'
    TIMEOUT = 'timeout'

    def __bool__(self) -> bool:
        raise TypeError('Held has three values: compare it, TORN and CLEAN both hold the lock')


class _Timespec(ctypes.Structure):
    _fields_ = (('seconds', ctypes.c_long), ('nanoseconds', ctypes.c_long))


class RobustMutex:
    """The mutex in `room`: writable shared memory of `ROOM` bytes, zeros or what `init` made of them.

    `lock()` takes the lock, however long it takes. True: the holder before us died inside its hold (see the module, 1). Raises
    OSError when this thread holds it already (EDEADLK) or when it was given up for good (ENOTRECOVERABLE). `unlock()` ends
    the hold; OSError (EPERM) when this thread does not hold the lock. Both together, with nobody else there: 350 ns by ctypes on
    a 2-core x86_64 virtual machine.
    """

    __slots__ = (
        '_clocklock',
        '_consistent',
        '_lock',
        '_mutex',
        '_room',
        '_unlock',
        '_until',
        '_word',
        'lock',
        'unlock',
    )

    def __init__(self, room: memoryview) -> None:
        libc = ctypes.PyDLL('libc.so.6')
        if not hasattr(libc, 'pthread_mutex_clocklock'):
            raise OSError(errno.ENOSYS, 'shared locks need glibc 2.30 or newer: pthread_mutex_clocklock is missing')
        self._room = room
        self._word: memoryview[int] = room[:4].cast('I')
        # byref of an object that is made once: 25 % cheaper per call than an address with argtypes
        self._mutex = ctypes.byref((ctypes.c_char * ROOM).from_buffer(room))
        self._until = _Timespec()
        self._lock = libc.pthread_mutex_lock
        self._unlock = libc.pthread_mutex_unlock
        self._consistent = libc.pthread_mutex_consistent
        self._clocklock = libc.pthread_mutex_clocklock
        self.lock, self.unlock = self._calls()

    def init(self) -> None:
        """Make a new mutex of the room, once, before any other process knows it."""
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
        mutex = Mutex(self._room)
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
        """Say that all that is derived is rebuilt. Only between a TORN lock and its unlock; anywhere else OSError."""
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

    def is_held_here(self) -> bool:
        """Whether a thread of this process is inside a hold."""
        holder = self.holder()
        return bool(holder) and os.path.exists(f'/proc/self/task/{holder}')

    def release(self) -> None:
        """Let go of the room, so that it can be unmapped. Not inside a hold."""
        del self._mutex, self.lock, self.unlock
        try:
            self._word.release()
            self._room.release()
        except BufferError:
            pass  # somebody compiled still looks at it: the mapping goes when he does


def _check(code: int, call: str) -> None:
    if code:
        raise _error(code, call)


def _error(code: int, call: str) -> OSError:
    return OSError(code, f'{call}: {os.strerror(code)}')
