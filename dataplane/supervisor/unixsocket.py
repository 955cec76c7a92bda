"""Listening unix sockets: for bind lines, stats sockets and statistics pages alike.

A socket is bound beside its path and renamed over it with its mode already set, so that the path never leads nowhere and
nobody can connect too early. What a dead process left at the path is replaced; a path that is listened on is refused, since
whoever listens there would be cut off without a word. At the end a path is taken away only while it is still the same
socket's: a successor may have put its own there.

Abstract names (`abns@`, in Python a path that begins with NUL) are in no directory: bound as they are, gone with the socket.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from typing import Final

_FREE: Final = (errno.ECONNREFUSED, errno.ENOENT)
"""What connecting says when nobody listens: left behind by a process that ended, or never there."""


@dataclass(frozen=True, slots=True)
class Place:
    """A path and the socket that was put there, known by device, inode and the time it was made."""

    path: str
    made: tuple[int, int, int] | None

    @classmethod
    def of(cls, path: str) -> Place:
        """What is at the path now. Raises OSError."""
        return cls(path, None if _is_abstract(path) else _made(path))

    def leave(self) -> None:
        """Take the path away if it is still this socket's. Raises OSError."""
        try:
            if self.made is not None and _made(self.path) == self.made:
                os.unlink(self.path)
        except FileNotFoundError:
            return


def listen_unix(path: str, mode: int | None, backlog: int) -> socket.socket:
    """A listening socket at `path`. Raises OSError: EADDRINUSE when somebody listens there."""
    _refuse_if_alive(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if _is_abstract(path):
        return _listen_abstract(listener, path, backlog)
    beside = f'{path}.{os.getpid()}.tmp'
    try:
        if os.path.lexists(beside):  # of a process that had this number before
            os.unlink(beside)
        listener.bind(beside)
        if mode is not None:
            os.chmod(beside, mode)
        listener.listen(backlog)
        os.rename(beside, path)
    except OSError:
        listener.close()
        if os.path.lexists(beside):
            os.unlink(beside)
        raise
    return listener


def _listen_abstract(listener: socket.socket, name: str, backlog: int) -> socket.socket:
    try:
        listener.bind(name)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def _is_abstract(path: str) -> bool:
    return path.startswith('\0')


def _made(path: str) -> tuple[int, int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _refuse_if_alive(path: str) -> None:
    """Connect without waiting: one whose backlog is full (EAGAIN) is alive as well, and what forbids asking may be."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # noqa: FBT003 - socket's own signature
        answer = probe.connect_ex(path)
    if answer in _FREE:
        return
    code = errno.EADDRINUSE if answer in (0, errno.EAGAIN, errno.EPROTOTYPE) else answer
    raise OSError(code, os.strerror(code), path)
