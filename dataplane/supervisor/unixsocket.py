"""Listening unix sockets: for bind lines, stats sockets and statistics pages alike.

A socket is bound beside its path and renamed over it with its mode already set, so that the path never leads nowhere and
nobody can connect too early. What a dead process left at the path is replaced; a path that is listened on is refused, since
whoever listens there would be cut off without a word.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

_FREE: Final = (errno.ECONNREFUSED, errno.ENOENT)
"""What connecting says when nobody listens: left behind by a process that ended, or never there."""


def listen_unix(path: str, mode: int | None, backlog: int) -> socket.socket:
    """A listening socket at `path`. Raises OSError: EADDRINUSE when somebody listens there."""
    _refuse_if_alive(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
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


def _refuse_if_alive(path: str) -> None:
    """Connect without waiting: one whose backlog is full (EAGAIN) is alive as well, and what forbids asking may be."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # noqa: FBT003 - socket's own signature
        answer = probe.connect_ex(path)
    if answer in _FREE:
        return
    code = errno.EADDRINUSE if answer in (0, errno.EAGAIN, errno.EPROTOTYPE) else answer
    raise OSError(code, os.strerror(code), path)
