"""Accepting: one listening socket of this worker, read only while the frontend and the data plane have room.

Over `maxconn` nothing is accepted and the kernel's backlog holds what comes, as in HAProxy; the listener looks again when
one of this worker's connections ends, and with every tick for those of the other workers.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

_AT_ONCE: Final = 64


class Listener:
    """`has_room` is asked before each accept; `accepted` is given each new socket, already non-blocking."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, has_room: Callable[[], bool],
        accepted: Callable[[socket.socket], None],
    ) -> None:  # fmt: skip
        self._loop = loop
        self._sock = sock
        self._has_room = has_room
        self._accepted = accepted
        self._reading = False
        sock.settimeout(0)

    def resume(self) -> None:
        """Accept again if there is room; harmless when it already does."""
        if not self._reading and self._has_room():
            self._reading = True
            self._loop.add_reader(self._sock.fileno(), self._accept)

    def stop(self) -> None:
        """Accept no more; the socket stays open and keeps its backlog for whoever comes next."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            if not self._has_room():
                self.stop()
                return
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of descriptors or memory: the connection stays in the backlog; the next tick tries again.
                self.stop()
                return
            sock.settimeout(0)
            self._accepted(sock)
