"""Writing to a stream that is shared with other processes, without ever waiting for its reader.

O_NONBLOCK belongs to the open file, which the supervisor, its workers and whoever started them share, so it must not be set
there. And poll(2) is no promise: of two processes that are both told of the last free page of a pipe, one waits in write(2)
until somebody reads. So a pipe or terminal is opened anew by its /proc path, with a flag of its own, and a socket is sent
to with MSG_DONTWAIT. Where opening it is not allowed (it was made by another user), poll(2) has to do.
"""

from __future__ import annotations

import os
import select
import socket
import stat
from typing import Final

PIECE: Final = 4_096
"""Bytes per write: what fits is atomic on a pipe (PIPE_BUF)."""


class Outlet:
    """Descriptor `fd`, which stays its owner's. Made at the first write, so that it may be redirected until then."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._own: int | None = None
        self._socket: socket.socket | None = None
        self._is_open = False

    def write(self, data: bytes) -> int:
        """Send PIECE bytes of `data` or fewer without waiting. Returns how many, 0: no room now. Raises what the kernel says."""
        if not self._is_open:
            self._open()
        try:
            if self._socket is not None:
                return self._socket.send(data[:PIECE], socket.MSG_DONTWAIT)
            if self._own is not None:
                return os.write(self._own, data[:PIECE])
            return os.write(self._fd, data[:PIECE]) if self._has_room() else 0
        except BlockingIOError:
            return 0

    def _open(self) -> None:
        self._is_open = True
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=os.dup(self._fd))
        elif stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            try:
                self._own = os.open(f'/proc/self/fd/{self._fd}', flags)
            except OSError:
                self._own = None  # not ours to open, or nobody reads it

    def _has_room(self) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Give back what was opened here."""
        self._is_open = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._own is not None:
            os.close(self._own)
            self._own = None
