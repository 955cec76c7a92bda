"""Sockets that were open before this process was: what `fd@N` names on bind lines, stats sockets and statistics pages."""

from __future__ import annotations

import errno
import os
import socket


def inherited(fd: int) -> socket.socket:
    """The stream socket that this descriptor is; the descriptor itself stays as it was given. Raises OSError."""
    own = os.dup(fd)
    try:
        sock = socket.socket(fileno=own)
    except OSError:
        os.close(own)
        raise
    if sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
        sock.close()
        raise OSError(errno.EPROTOTYPE, os.strerror(errno.EPROTOTYPE))
    return sock
